//! UPDATE.

use ommi_core::DBResult;
use ommi_core::ast::Update;

use crate::writer::Sql;
use crate::{Dialect, Out};

/// Writes an update. In SQL, too, each assignment sees the row as it was before all of them.
///
/// # Errors
/// `Unsupported` for a form that this version does not know, and what [`Out::bind`] gives.
pub fn update<D: Dialect, O: Out>(update: &Update, dialect: &D, out: &mut O) -> DBResult<()> {
    let mut sql = Sql::new(&update.model, dialect, out);
    sql.text("UPDATE ");
    sql.table();
    sql.text(" SET ");
    sql.assignments(&update.assignments, false)?;
    sql.filter(&update.filter)
}
