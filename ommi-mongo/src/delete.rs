//! Deleting rows.

use ommi_core::DBResult;
use ommi_core::ast::Delete;

use crate::bson::Writer;
use crate::condition::Filter;
use crate::names::ID;
use crate::update::{Reach, reach};

/// Writes the command for the rows that a filter selects.
pub(crate) fn delete(delete: &Delete, filter: &Filter<'_>, writer: &mut Writer) -> DBResult<Reach> {
    let model = &delete.model;
    let reach = if filter.is_nothing() { Reach::Nothing } else { reach(model, &delete.filter) };
    begin(&model.table, writer);
    filter.write(writer, "q", model)?;
    writer.int32("limit", i32::from(reach == Reach::One));
    writer.end();
    writer.end();
    Ok(reach)
}

/// Begins the command for rows whose keys are given, and leaves the list of the keys open.
pub(crate) fn of_keys(table: &str, writer: &mut Writer) {
    begin(table, writer);
    writer.int32("limit", 0);
    writer.begin_document("q");
    writer.begin_document(ID);
    writer.begin_array("$in");
}

fn begin(table: &str, writer: &mut Writer) {
    writer.string("delete", table);
    writer.begin_array("deletes");
    writer.item_document();
}
