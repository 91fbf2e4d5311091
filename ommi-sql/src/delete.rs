//! DELETE.

use ommi_core::DBResult;
use ommi_core::ast::Delete;

use crate::writer::Sql;
use crate::{Dialect, Out};

/// Writes a delete.
///
/// # Errors
/// `Unsupported` for a form that this version does not know, and what [`Out::bind`] gives.
pub fn delete<D: Dialect, O: Out>(delete: &Delete, dialect: &D, out: &mut O) -> DBResult<()> {
    let mut sql = Sql::new(&delete.model, dialect, out);
    sql.text("DELETE FROM ");
    sql.table();
    sql.filter(&delete.filter)
}
