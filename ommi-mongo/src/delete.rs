//! Deleting rows.

use ommi_core::DBResult;
use ommi_core::ast::Delete;

use crate::bson::Writer;
use crate::condition::Truth;
use crate::update::{Reach, reach};

/// Writes the command.
pub(crate) fn delete(delete: &Delete, writer: &mut Writer) -> DBResult<Reach> {
    let model = &delete.model;
    let filter = Truth::new(model).filter(&delete.filter)?;
    let reach = if filter.is_nothing() { Reach::Nothing } else { reach(model, &delete.filter) };
    writer.string("delete", &model.table);
    writer.begin_array("deletes");
    writer.item_document();
    filter.write(writer, "q", model)?;
    writer.int32("limit", i32::from(reach == Reach::One));
    writer.end();
    writer.end();
    Ok(reach)
}
