//! The commands of an upsert.
//!
//! Each has a pipeline whose expressions ask whether the document is new. Operators cannot say it: `$inc` with `upsert` starts a new
//! document from nothing instead of from its draft, and `$setOnInsert` of the same column is a conflict.

use ommi_core::DBResult;
use ommi_core::ast::{Assignment, OnConflict};
use ommi_core::schema::ModelSchema;
use ommi_core::value::Value;

use crate::bson::Writer;
use crate::names::{ID, path, reference, type_of};
use crate::update::{begin, computed, storable};
use crate::upsert::Upsert;

/// The names of the parts of a change.
pub(crate) const QUERY: &str = "query";
pub(crate) const PIPELINE: &str = "update";
pub(crate) const UPSERT: &str = "upsert";

/// Whether the row can meet one that is there: NULL in the target equals nothing, and neither does a key that is yet to be made.
pub(crate) fn may_conflict(upsert: Upsert<'_>) -> bool {
    let Upsert { conflict, documents, row, .. } = upsert;
    conflict.target.iter().all(|&column| documents.value(column, row, None).is_some_and(|value| !value.is_null()))
}

/// What the row that is there must have to be changed, if anything.
pub(crate) fn expected(conflict: &OnConflict) -> Option<&(u16, Value<'static>)> {
    conflict.expected.as_ref().filter(|_| !conflict.assignments.is_empty())
}

/// Writes the command that changes the row that is there, and gives it as it is then. It adds the row if there is none, unless the row must have
/// something to be changed.
pub(crate) fn change(upsert: Upsert<'_>, key: Option<i64>, writer: &mut Writer) -> DBResult<()> {
    let Upsert { insert, conflict, .. } = upsert;
    let model: &ModelSchema = &insert.model;
    writer.string("findAndModify", &model.table);
    writer.begin_document(QUERY);
    target(upsert, key, writer)?;
    let expected = expected(conflict);
    if let Some((column, value)) = expected {
        storable(model, *column, value)?;
        writer.begin_document(&path(model, *column)?);
        writer.value("$eq", type_of(model, *column), value);
        writer.end();
    }
    writer.end();
    writer.begin_array(PIPELINE);
    stage(upsert, &conflict.assignments, key, writer)?;
    writer.end();
    writer.bool(UPSERT, expected.is_none());
    writer.bool("new", true);
    Ok(())
}

/// Writes the command that adds the row if there is none, and leaves the one that is there as it is.
pub(crate) fn addition(upsert: Upsert<'_>, key: Option<i64>, writer: &mut Writer) -> DBResult<()> {
    begin(&upsert.insert.model.table, writer);
    writer.begin_document("q");
    target(upsert, key, writer)?;
    writer.end();
    writer.begin_array("u");
    stage(upsert, &[], key, writer)?;
    writer.end();
    writer.bool(UPSERT, true);
    writer.end();
    writer.end();
    Ok(())
}

/// Writes the stage that makes these assignments to a document that was there, and fills one that is new.
fn stage(upsert: Upsert<'_>, assignments: &[Assignment], key: Option<i64>, writer: &mut Writer) -> DBResult<()> {
    let Upsert { insert, conflict, documents, row } = upsert;
    let model: &ModelSchema = &insert.model;
    let on_key = is_on_key(model, conflict);
    writer.item_document();
    writer.begin_document("$set");
    for (column, schema) in (0u16..).zip(&model.columns) {
        if model.key.contains(&column) {
            continue;
        }
        let assignment = assignments.iter().find(|assignment| assignment.column == column);
        if assignment.is_none() && begins_with(model, conflict, column) {
            continue;
        }
        let Some(value) = documents.value(column, row, key) else { continue };
        storable(model, column, &value)?;
        writer.begin_document(&schema.name);
        writer.begin_array("$cond");
        is_new(model, on_key, None, writer)?;
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
        is_new(model, on_key, Some(name), writer)?;
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
        is_new(model, on_key, None, writer)?;
        writer.item_document();
        documents.id("$literal", row, key, writer)?;
        writer.end();
        writer.item_string("$_id");
        writer.end();
        writer.end();
    }
    writer.end();
    writer.end();
    Ok(())
}

/// Writes the command that reads the row that was there.
pub(crate) fn read_back(upsert: Upsert<'_>, writer: &mut Writer) -> DBResult<()> {
    writer.string("find", &upsert.insert.model.table);
    writer.begin_document("filter");
    target(upsert, None, writer)?;
    writer.end();
    writer.int32("limit", 1);
    writer.bool("singleBatch", true);
    Ok(())
}

/// Whether the whole key is part of what the row is looked for by.
fn is_on_key(model: &ModelSchema, conflict: &OnConflict) -> bool {
    model.key.iter().all(|column| conflict.target.contains(column))
}

/// Whether the server begins the new document with this column, since it is looked for as an equality.
///
/// Not with parts of the key, of which it would make half a key. Nor with what is looked for beside the whole key: that is how a new document is told
/// from one that was there.
fn begins_with(model: &ModelSchema, conflict: &OnConflict, column: u16) -> bool {
    conflict.target.contains(&column) && !model.key.contains(&column) && !is_on_key(model, conflict)
}

/// Writes which row is meant, as equalities: the server begins the new document with them. What it is not to begin with stands between two
/// bounds.
fn target(upsert: Upsert<'_>, key: Option<i64>, writer: &mut Writer) -> DBResult<()> {
    let Upsert { insert, conflict, documents, row } = upsert;
    let model: &ModelSchema = &insert.model;
    let on_key = is_on_key(model, conflict);
    if on_key {
        writer.begin_document(ID);
        documents.id("$eq", row, key, writer)?;
        writer.end();
    }
    for &column in conflict.target.iter().filter(|column| !(on_key && model.key.contains(column))) {
        let value = documents.value(column, row, key).unwrap_or_default();
        storable(model, column, &value)?;
        writer.begin_document(&path(model, column)?);
        let operators: &[&str] = if begins_with(model, conflict, column) { &["$eq"] } else { &["$gte", "$lte"] };
        for operator in operators {
            writer.value(operator, type_of(model, column), &value);
        }
        writer.end();
    }
    Ok(())
}

/// Whether the document is one that the upsert makes, as the next element of an array: it lacks its key or, where that is how it was looked
/// for, what every stored document has. A field beside those of the model is asked for too: of a model that is nothing but its key, a
/// document that was there lacks nothing else.
fn is_new(model: &ModelSchema, on_key: bool, beside: Option<&str>, writer: &mut Writer) -> DBResult<()> {
    let mut missing: Vec<String> = beside.iter().map(|name| format!("${name}")).collect();
    if on_key {
        let others = (0u16..).zip(&model.columns).filter(|(column, _)| !model.key.contains(column));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ommi_core::ast::{Assignment, Change, Insert, Statement};
    use ommi_core::schema::{ColumnBuilder, ColumnList, SchemaRef};
    use ommi_core::value::ColumnType;

    use super::*;
    use crate::explain::explain;

    #[test]
    fn what_must_be_as_expected_is_changed_by_one_command_and_added_by_another() {
        let column = |name| ColumnBuilder::new(name, ColumnType::I64);
        let model = ModelSchema::builder("Page", "pages").column(column("id").key()).column(column("version"));
        let model = SchemaRef::from(Arc::new(model.build().unwrap()));
        let mut conflict = OnConflict::new(vec![0], vec![Assignment::new(1, Change::Add(Value::Int(1)))]);
        conflict.expected = Some((1, Value::Int(7)));
        let mut insert = Insert::new(model.clone(), ColumnList::all(&model), vec![Value::Int(1), Value::Int(7)], 1);
        insert.on_conflict = Some(conflict.clone());
        let text = explain(&Statement::Insert(insert.clone())).unwrap().to_string();
        let lines: Vec<&str> = text.lines().collect();
        let start = r#"{ "findAndModify": "pages", "query": { "_id": { "$eq": ? }"#;
        let [change, addition] = lines[..] else { panic!("{text}") };
        assert!(change.starts_with(&format!(r#"{start}, "version": {{ "$eq": ? }} }}, "update": "#)), "{change}");
        assert!(change.contains("$add") && change.ends_with(r#""upsert": false, "new": true }"#), "{change}");
        let start = r#"{ "update": "pages", "updates": [{ "q": { "_id": { "$eq": ? } }, "u": [{ "#;
        assert!(addition.starts_with(start), "{addition}");
        assert!(!addition.contains("$add") && addition.ends_with(r#"], "upsert": true }] }"#), "{addition}");
        // What changes nothing expects nothing.
        conflict.assignments.clear();
        insert.on_conflict = Some(conflict);
        assert_eq!(explain(&Statement::Insert(insert)).unwrap().to_string(), *addition);
    }
}
