//! Adding a row, or changing the one that is there: one `findAndModify`.
//!
//! The update is a pipeline whose expressions ask whether the document is new. Operators cannot say it: `$inc` with `upsert` starts a new
//! document from nothing instead of from its draft, and `$setOnInsert` of the same column is a conflict.

use ommi_core::DBResult;
use ommi_core::ast::{Insert, OnConflict};
use ommi_core::schema::ModelSchema;
use ommi_core::value::Value;

use crate::bson::Writer;
use crate::insert::Documents;
use crate::names::{ID, path, reference, type_of};
use crate::update::{computed, storable};

/// Whether the row can meet one that is there: NULL in the target equals nothing, and neither does a key that is yet to be made.
pub(crate) fn may_conflict(conflict: &OnConflict, documents: &Documents<'_>, row: &[Value<'static>]) -> bool {
    conflict.target.iter().all(|&column| {
        documents.given(column).is_some() && documents.value(column, row, None).is_some_and(|value| !value.is_null())
    })
}

/// Writes the command.
pub(crate) fn upsert(
    insert: &Insert,
    conflict: &OnConflict,
    documents: &Documents<'_>,
    row: &[Value<'static>],
    key: Option<i64>,
    writer: &mut Writer,
) -> DBResult<()> {
    let model: &ModelSchema = &insert.model;
    let on_key = model.key.iter().all(|column| conflict.target.contains(column));
    writer.string("findAndModify", &model.table);
    writer.begin_document("query");
    // Equalities: the server begins the new document with them.
    if on_key {
        writer.begin_document(ID);
        documents.id("$eq", row, key, writer)?;
        writer.end();
    } else {
        for &column in &conflict.target {
            let value = documents.value(column, row, key).unwrap_or_default();
            storable(model, column, &value)?;
            writer.begin_document(&path(model, column)?);
            writer.value("$eq", type_of(model, column), &value);
            writer.end();
        }
    }
    writer.end();
    writer.begin_array("update");
    writer.item_document();
    writer.begin_document("$set");
    for (column, schema) in (0u16..).zip(&model.columns) {
        if model.key.contains(&column) {
            continue;
        }
        let assignment = conflict.assignments.iter().find(|assignment| assignment.column == column);
        if assignment.is_none() && conflict.target.contains(&column) {
            continue;
        }
        let Some(value) = documents.value(column, row, key) else { continue };
        storable(model, column, &value)?;
        writer.begin_document(&schema.name);
        writer.begin_array("$cond");
        is_new(model, conflict, on_key, writer)?;
        writer.item_literal(schema.ty, &value);
        match assignment {
            Some(assignment) => {
                let index = writer.index();
                computed(model, assignment, index.as_str(), writer)?;
            }
            None => writer.item_string(&reference(model, column)?),
        }
        writer.end();
        writer.end();
    }
    for (name, value) in documents.beside() {
        writer.begin_document(name);
        writer.begin_array("$cond");
        is_new(model, conflict, on_key, writer)?;
        writer.item_document();
        writer.raw("$literal", *value);
        writer.end();
        writer.item_string(&format!("${name}"));
        writer.end();
        writer.end();
    }
    if !on_key {
        writer.begin_document(ID);
        writer.begin_array("$cond");
        is_new(model, conflict, on_key, writer)?;
        writer.item_document();
        documents.id("$literal", row, key, writer)?;
        writer.end();
        writer.item_string("$_id");
        writer.end();
        writer.end();
    }
    writer.end();
    writer.end();
    writer.end();
    writer.bool("upsert", true);
    writer.bool("new", true);
    Ok(())
}

/// Whether the document is one that the upsert makes, as the next element of an array: it lacks its key or, where that is how it was looked
/// for, what every stored document has.
fn is_new(model: &ModelSchema, conflict: &OnConflict, on_key: bool, writer: &mut Writer) -> DBResult<()> {
    let mut missing: Vec<String> = Vec::new();
    if on_key {
        let others =
            (0u16..).zip(&model.columns).filter(|(c, _)| !model.key.contains(c) && !conflict.target.contains(c));
        let (required, optional): (Vec<_>, Vec<_>) = others.partition(|(_, column)| !column.nullable);
        let asked = if required.is_empty() { optional } else { required.into_iter().take(1).collect() };
        for (column, _) in asked {
            missing.push(reference(model, column)?);
        }
    } else {
        missing.push("$_id".to_owned());
    }
    writer.item_document();
    writer.begin_array("$and");
    for field in missing {
        writer.item_document();
        writer.begin_array("$eq");
        writer.item_document();
        writer.string("$type", &field);
        writer.end();
        writer.item_string("missing");
        writer.end();
        writer.end();
    }
    writer.end();
    writer.end();
    Ok(())
}
