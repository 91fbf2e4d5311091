//! `$lookup`: the documents of another collection, or of the same, that belong to a document.
//!
//! ```text
//!   one column       {$lookup: {from, localField, foreignField, pipeline, as}}
//!   several columns  the first as above; the others by `let`, and an `$expr` in the pipeline
//!   a whole key      {$set: {<field>: {a: "$x", b: "$y"}}} before it, and that against `_id`, by whose index it is found
//! ```
//!
//! `localField` and `foreignField` take NULL for equal to NULL, and to a missing field: where both sides may be NULL, the pipeline begins with what
//! leaves those out. The columns of `let` have their guards in the `$expr`.

use ommi_core::schema::ModelSchema;
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::bson::Writer;
use crate::names::{ID, path, reference};

/// How many `$lookup` a server takes within each other.
const DEEPEST: usize = 20;

/// Checks that a `$lookup` may stand within so many others.
pub(crate) fn deeper(depth: usize) -> DBResult<usize> {
    if depth < DEEPEST {
        return Ok(depth + 1);
    }
    let detail =
        "a condition or an order leads over more than 20 relations, each within the one before; MongoDB follows 20";
    Err(DBError::new(ErrorKind::TooLarge).with_detail(detail).unsent())
}

/// What makes a document of another collection a related one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Join<'a> {
    pub(crate) near: &'a ModelSchema,
    pub(crate) far: &'a ModelSchema,
    /// Columns of the near model, each with the one of the far model that it equals.
    pub(crate) on: &'a [(u16, u16)],
}

impl Join<'_> {
    /// Begins the stage, and leaves its pipeline open for the stages that choose among the related documents.
    pub(crate) fn begin(&self, field: &str, writer: &mut Writer) -> DBResult<()> {
        if self.is_by_whole_key() {
            self.key(field, writer)?;
            self.stage(writer);
            writer.string("localField", field);
            writer.string("foreignField", ID);
            writer.begin_array("pipeline");
            return Ok(());
        }
        let Some(((near, far), others)) = self.on.split_first() else {
            return Err(DBError::query(format!("nothing relates {} to {}", self.far.name, self.near.name)));
        };
        self.stage(writer);
        writer.string("localField", &path(self.near, *near)?);
        writer.string("foreignField", &path(self.far, *far)?);
        if !others.is_empty() {
            writer.begin_document("let");
            for (number, (near, _)) in others.iter().enumerate() {
                writer.string(&format!("k{number}"), &reference(self.near, *near)?);
            }
            writer.end();
        }
        writer.begin_array("pipeline");
        // What is part of a key is never NULL.
        let null_meets_null = !self.near.key.contains(near) && !self.far.key.contains(far);
        if null_meets_null || !others.is_empty() {
            writer.item_document();
            writer.begin_document("$match");
            if null_meets_null {
                writer.begin_document(&path(self.far, *far)?);
                writer.null("$ne");
                writer.end();
            }
            if !others.is_empty() {
                self.equal(others, writer)?;
            }
            writer.end();
            writer.end();
        }
        Ok(())
    }

    /// Ends the pipeline and the stage. What was found is in the field, as an array.
    pub(crate) fn end(field: &str, writer: &mut Writer) {
        writer.end();
        writer.string("as", field);
        writer.end();
        writer.end();
    }

    fn stage(&self, writer: &mut Writer) {
        writer.item_document();
        writer.begin_document("$lookup");
        writer.string("from", &self.far.table);
    }

    /// Whether the far columns are all parts of its composite key, each once.
    fn is_by_whole_key(&self) -> bool {
        let key = &self.far.key;
        let has = |part: &u16| self.on.iter().any(|(_, far)| far == part);
        key.len() > 1 && self.on.len() == key.len() && key.iter().all(has)
    }

    /// The stage that makes the key of the related document. With a part that is NULL or missing it is no document's.
    fn key(&self, field: &str, writer: &mut Writer) -> DBResult<()> {
        writer.item_document();
        writer.begin_document("$set");
        writer.begin_document(field);
        for part in &self.far.key {
            let near = self.on.iter().find(|(_, far)| far == part).map(|(near, _)| *near);
            if let (Some(near), Some(column)) = (near, self.far.column(*part)) {
                writer.string(&column.name, &reference(self.near, near)?);
            }
        }
        writer.end();
        writer.end();
        writer.end();
        Ok(())
    }

    /// That the variables have values, and the columns equal them.
    fn equal(&self, others: &[(u16, u16)], writer: &mut Writer) -> DBResult<()> {
        writer.begin_document("$expr");
        writer.begin_array("$and");
        for (number, (_, far)) in others.iter().enumerate() {
            let variable = format!("$$k{number}");
            writer.item_document();
            writer.begin_array("$gt");
            writer.item_string(&variable);
            writer.item_null();
            writer.end();
            writer.end();
            writer.item_document();
            writer.begin_array("$eq");
            writer.item_string(&reference(self.far, *far)?);
            writer.item_string(&variable);
            writer.end();
            writer.end();
        }
        writer.end();
        writer.end();
        Ok(())
    }
}
