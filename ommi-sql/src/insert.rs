//! INSERT.

use ommi_core::ast::{Insert, OnConflict};
use ommi_core::{DBError, DBResult};

use crate::writer::Sql;
use crate::{Dialect, Out};

/// Writes an insert of `rows` of its rows, from row number `first` on: all of them, or the piece that one statement holds.
///
/// # Errors
/// `Query` where the insert has no such rows, `Unsupported` for a form that this version does not know, and what
/// [`Out::bind`] gives.
pub fn insert<D: Dialect, O: Out>(
    insert: &Insert,
    first: usize,
    rows: usize,
    dialect: &D,
    out: &mut O,
) -> DBResult<()> {
    let mut sql = Sql::new(&insert.model, dialect, out);
    sql.text("INSERT INTO ");
    sql.table();
    if insert.columns.is_empty() {
        sql.default_rows(insert, rows)?;
    } else {
        sql.text(" (");
        sql.columns(&insert.columns)?;
        sql.text(") VALUES ");
        sql.rows(insert, first, rows)?;
    }
    if let Some(conflict) = &insert.on_conflict {
        sql.on_conflict(conflict)?;
    }
    if !insert.returning.is_empty() {
        sql.text(" RETURNING ");
        sql.columns(&insert.returning)?;
    }
    Ok(())
}

impl<D: Dialect, O: Out> Sql<'_, D, O> {
    fn rows(&mut self, insert: &Insert, first: usize, rows: usize) -> DBResult<()> {
        let width = insert.columns.len();
        let values = insert.values.get(first.saturating_mul(width)..).unwrap_or_default();
        if rows == 0 || values.len() / width < rows {
            return Err(DBError::query("an insert whose values do not make up its rows"));
        }
        for (i, row) in values.chunks_exact(width).take(rows).enumerate() {
            self.text(if i == 0 { "(" } else { ", (" });
            for (j, (value, &column)) in row.iter().zip(insert.columns.iter()).enumerate() {
                if j > 0 {
                    self.text(", ");
                }
                let ty = self.column_ty(column);
                self.value(value, ty)?;
            }
            self.text(")");
        }
        Ok(())
    }

    /// Rows that name no column. Only one row can be written as DEFAULT VALUES, and not with ON CONFLICT; for the rest the
    /// generated key stands in. A model without one that leaves out every column has defaults only in the client.
    fn default_rows(&mut self, insert: &Insert, rows: usize) -> DBResult<()> {
        if rows == 1 && insert.on_conflict.is_none() {
            self.text(" DEFAULT VALUES");
            return Ok(());
        }
        let Some(generated) = insert.model.generated_column() else {
            return Err(self.unsupported("rows without any column"));
        };
        self.text(" (");
        self.column(generated)?;
        self.text(") VALUES ");
        if O::TEXT {
            for i in 0..rows {
                self.text(if i == 0 { "(" } else { ", (" });
                self.text(self.dialect.generated_value());
                self.text(")");
            }
        }
        Ok(())
    }

    fn on_conflict(&mut self, conflict: &OnConflict) -> DBResult<()> {
        self.text(" ON CONFLICT (");
        self.columns(&conflict.target)?;
        if conflict.assignments.is_empty() {
            self.text(") DO NOTHING");
            return Ok(());
        }
        self.text(") DO UPDATE SET ");
        self.assignments(&conflict.assignments, true)
    }
}
