//! Which collections refer to a collection, and what their rows do when a row of it is deleted.
//!
//! A server knows nothing of references, and a program that deletes from a collection may not know the models that refer to it. So
//! `create_tables` notes the references of a model in the collection `ommi_models`, in the document of its table:
//!
//! ```text
//!   {_id: "posts", references: {"author_id users id": {columns: ["author_id"], paths: ["author_id"], table: "users", targets: ["_id"], on_delete: "cascade"}}}
//! ```
//!
//! What a driver has read of it holds for some seconds: another program may create tables meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mongodb::bson::{Bson, Document, RawBsonRef, doc};
use ommi_core::schema::{ReferentialAction, SchemaRef};
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::collections::{DEFAULTS, MODELS, REFERENCES};
use crate::driver::Inner;
use crate::names::{ID, path};
use crate::stored::Stored;

/// How long what was read is taken to be so.
const FRESH: Duration = Duration::from_secs(5);

/// A reference from one collection to another, or to itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference {
    /// The collection that refers.
    pub(crate) table: String,
    /// The columns that refer, by their names.
    pub(crate) columns: Vec<String>,
    /// Where they lie in its documents.
    pub(crate) paths: Vec<String>,
    /// Where the columns that are referred to lie in the other's documents.
    pub(crate) targets: Vec<String>,
    pub(crate) on_delete: OnDelete,
}

/// What becomes of a row when the one that it refers to is deleted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OnDelete {
    /// The deletion is refused, unless the row goes too.
    NoAction,
    /// The deletion is refused.
    Restrict,
    /// It is deleted too.
    Cascade,
    /// Its columns become these.
    Set(Vec<Stored>),
    /// Something that a newer version has noted.
    Unknown,
}

/// All references, by the collection that they lead to.
#[derive(Debug, Default)]
pub(crate) struct References(HashMap<String, Vec<Arc<Reference>>>);

impl References {
    /// Those to a collection.
    pub(crate) fn to(&self, table: &str) -> &[Arc<Reference>] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    fn read(documents: &[Document]) -> DBResult<References> {
        let mut references = References::default();
        for document in documents {
            let Ok(notes) = document.get_document(REFERENCES) else { continue };
            for note in notes.values() {
                let note = note.as_document().ok_or_else(unreadable)?;
                let to = note.get_str("table").map_err(|_| unreadable())?.to_owned();
                let reference = Reference::read(document, note)?;
                references.0.entry(to).or_default().push(Arc::new(reference));
            }
        }
        Ok(references)
    }
}

impl Reference {
    fn read(document: &Document, note: &Document) -> DBResult<Reference> {
        let texts = |name: &str| -> Option<Vec<String>> {
            note.get_array(name).ok()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let texts = |name: &str| texts(name).ok_or_else(unreadable);
        let columns = texts("columns")?;
        let default = |column: &String| {
            let defaults = document.get_document(DEFAULTS).ok();
            Stored::of_bson(defaults.and_then(|defaults| defaults.get(column)).unwrap_or(&Bson::Null))
        };
        let on_delete = match note.get_str("on_delete").map_err(|_| unreadable())? {
            "no action" => OnDelete::NoAction,
            "restrict" => OnDelete::Restrict,
            "cascade" => OnDelete::Cascade,
            "set null" => OnDelete::Set(columns.iter().map(|_| Stored::of(RawBsonRef::Null)).collect::<DBResult<_>>()?),
            "set default" => OnDelete::Set(columns.iter().map(default).collect::<DBResult<_>>()?),
            _ => OnDelete::Unknown,
        };
        let table = document.get_str(ID).map_err(|_| unreadable())?.to_owned();
        Ok(Reference { table, columns, paths: texts("paths")?, targets: texts("targets")?, on_delete })
    }
}

fn unreadable() -> DBError {
    DBError::new(ErrorKind::Database)
        .with_detail("what is noted of references in `ommi_models` does not have the form that it should")
}

/// The references of a model, as they are noted; those that nobody is to hold true are not.
pub(crate) fn notes(schema: &SchemaRef) -> DBResult<Document> {
    let mut notes = Document::new();
    for reference in schema.references.iter().filter(|reference| reference.enforced) {
        let target = reference.target.resolve(schema);
        let paths = |schema: &SchemaRef, columns: &[u16]| -> DBResult<Vec<String>> {
            columns.iter().map(|&column| path(schema, column).map(|path| path.into_owned())).collect()
        };
        let columns: Vec<&str> = schema.names(&reference.columns).collect();
        let targets: Vec<&str> = target.names(&reference.target_columns).collect();
        // No name holds a point, which would lead into a document.
        let name = format!("{} {} {}", columns.join(","), target.table, targets.join(","));
        let on_delete = match reference.on_delete {
            ReferentialAction::NoAction => "no action",
            ReferentialAction::Restrict => "restrict",
            ReferentialAction::Cascade => "cascade",
            ReferentialAction::SetNull => "set null",
            ReferentialAction::SetDefault => "set default",
            _ => return Err(crate::names::unsupported("this `on_delete`")),
        };
        let note = doc! {
            "columns": columns,
            "paths": paths(schema, &reference.columns)?,
            "table": &*target.table,
            "targets": paths(&target, &reference.target_columns)?,
            "on_delete": on_delete,
        };
        notes.insert(name, note);
    }
    Ok(notes)
}

/// What was read of the references, and when.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<Option<(Instant, Arc<References>)>>);

impl Known {
    fn get(&self, now: Instant) -> Option<Arc<References>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(read, _)| now.saturating_duration_since(*read) < FRESH).map(|(_, known)| known.clone())
    }

    fn set(&self, read: Instant, references: Arc<References>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((read, references));
    }

    /// Has them read again.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Inner {
    /// All references that are noted.
    pub(crate) async fn references(&self) -> DBResult<Arc<References>> {
        let now = Instant::now();
        if let Some(known) = self.references.get(now) {
            return Ok(known);
        }
        let find = doc! { "find": MODELS, "filter": { REFERENCES: { "$exists": true } } };
        // Apart, so that the future of a statement is small.
        let documents = Box::pin(self.all_documents(find)).await?;
        let references = Arc::new(References::read(&documents)?);
        self.references.set(now, references.clone());
        Ok(references)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ommi_core::schema::{ColumnBuilder, ModelSchema, ReferenceSchema, Target};
    use ommi_core::value::ColumnType;

    use super::*;

    #[test]
    fn what_is_noted_reads_back() {
        let shelf = ModelSchema::builder("Shelf", "shelves")
            .column(ColumnBuilder::new("hall", ColumnType::Text).key())
            .column(ColumnBuilder::new("number", ColumnType::I64).key())
            .build()
            .unwrap();
        let shelf = Target::Schema(Arc::new(shelf));
        let reference =
            |columns: &[u16], on: &[u16]| ReferenceSchema::new(columns.to_vec(), shelf.clone(), on.to_vec());
        let book = ModelSchema::builder("Book", "books")
            .column(ColumnBuilder::new("id", ColumnType::I64).key())
            .column(ColumnBuilder::new("hall", ColumnType::Text).nullable())
            .column(ColumnBuilder::new("number", ColumnType::I64).nullable())
            .column(ColumnBuilder::new("part_of", ColumnType::I64).nullable())
            .reference(reference(&[1, 2], &[0, 1]).on_delete(ReferentialAction::SetDefault))
            .reference(ReferenceSchema::new(vec![3], Target::Itself, vec![0]).on_delete(ReferentialAction::Cascade))
            .reference(reference(&[2, 1], &[1, 0]).unenforced())
            .build()
            .unwrap();
        let notes = notes(&SchemaRef::from(Arc::new(book))).unwrap();
        let document = doc! { ID: "books", DEFAULTS: { "hall": "A" }, REFERENCES: notes };
        let references = References::read(&[document, doc! { ID: "others" }]).unwrap();
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let of_shelves = Reference {
            table: "books".to_owned(),
            columns: texts(&["hall", "number"]),
            paths: texts(&["hall", "number"]),
            targets: texts(&["_id.hall", "_id.number"]),
            on_delete: OnDelete::Set(vec![
                Stored::of_bson(&"A".into()).unwrap(),
                Stored::of_bson(&Bson::Null).unwrap(),
            ]),
        };
        assert_eq!(references.to("shelves"), [Arc::new(of_shelves)]);
        let of_books = Reference {
            table: "books".to_owned(),
            columns: texts(&["part_of"]),
            paths: texts(&["part_of"]),
            targets: texts(&["_id"]),
            on_delete: OnDelete::Cascade,
        };
        assert_eq!(references.to("books"), [Arc::new(of_books)]);
        assert!(references.to("others").is_empty());
    }

    #[test]
    fn what_was_read_holds_for_a_while() {
        let known = Known::default();
        let now = Instant::now();
        assert!(known.get(now).is_none());
        known.set(now, Arc::default());
        assert!(known.get(now).is_some() && known.get(now + FRESH / 2).is_some());
        assert!(known.get(now + FRESH).is_none());
        known.forget();
        assert!(known.get(now).is_none());
    }
}
