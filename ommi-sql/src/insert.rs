//! INSERT.

use ommi_core::ast::{Insert, OnConflict};
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult};

use crate::writer::Sql;
use crate::{Bind, Column, Dialect, Out};

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
        sql.text(")");
        match rows > 1 && dialect.rows_as_arrays() {
            true => sql.arrays(insert, first, rows)?,
            false => sql.rows(insert, first, rows)?,
        }
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

impl<'s, D: Dialect, O: Out> Sql<'s, D, O> {
    fn rows(&mut self, insert: &Insert, first: usize, rows: usize) -> DBResult<()> {
        let values = inserted_values(insert, first, rows)?;
        self.text(" VALUES ");
        for (i, row) in values.chunks(insert.columns.len()).enumerate() {
            self.text(if i == 0 { "(" } else { ", (" });
            for (j, (value, &column)) in row.iter().zip(insert.columns.iter()).enumerate() {
                if j > 0 {
                    self.text(", ");
                }
                let ty = self.column_ty(column);
                self.value(value, ty).map_err(|error| error.for_column(&insert.model, column))?;
            }
            self.text(")");
        }
        Ok(())
    }

    /// Rows as arrays, one for each column. The order is said outright: generated keys then are in the order of the rows, and so
    /// is what is returned.
    fn arrays(&mut self, insert: &Insert, first: usize, rows: usize) -> DBResult<()> {
        let (values, width) = (inserted_values(insert, first, rows)?, insert.columns.len());
        self.text(" SELECT ");
        if O::TEXT {
            for place in 0..width {
                self.text(if place > 0 { ", r.c" } else { "r.c" });
                self.text(&place.to_string());
            }
        }
        self.text(" FROM unnest(");
        for (place, &column) in insert.columns.iter().enumerate() {
            if place > 0 {
                self.text(", ");
            }
            let ty = self.column_ty(column);
            let values = Bind::Column(Column::new(values, width, place));
            self.bind(values, ty).map_err(|error| error.for_column(&insert.model, column))?;
        }
        self.text(") WITH ORDINALITY AS r(");
        if O::TEXT {
            for place in 0..width {
                self.text("c");
                self.text(&place.to_string());
                self.text(", ");
            }
        }
        self.text("n) ORDER BY r.n");
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

    fn on_conflict(&mut self, conflict: &'s OnConflict) -> DBResult<()> {
        if let [key] = *self.model.key.as_slice()
            && conflict.target.len() > 1
            && conflict.target.contains(&key)
            && let Some(taken) = self.model.column(key).and_then(|column| self.dialect.key_apart(column))
        {
            return self.on_conflict_of_key(conflict, key, taken);
        }
        self.text(" ON CONFLICT (");
        self.columns(&conflict.target)?;
        if conflict.assignments.is_empty() {
            self.text(") DO NOTHING");
            return Ok(());
        }
        self.text(") DO UPDATE SET ");
        self.assignments(&conflict.assignments, true)?;
        if let Some(expected) = &conflict.expected {
            self.text(" WHERE ");
            self.expected(expected)?;
        }
        Ok(())
    }

    /// That the row which is there has the value that it must have to be changed.
    fn expected(&mut self, (column, value): &'s (u16, Value<'static>)) -> DBResult<()> {
        self.table();
        self.text(".");
        self.column(*column)?;
        self.text(" = ");
        let ty = self.column_ty(*column);
        self.value(value, ty).map_err(|error| error.for_column(self.model, *column))
    }

    /// For a set that contains the key: a row with this key that differs in the rest of the set, or has NULL there, is not the one that is meant,
    /// and in the way.
    fn on_conflict_of_key(&mut self, conflict: &'s OnConflict, key: u16, taken: &str) -> DBResult<()> {
        self.text(" ON CONFLICT (");
        self.column(key)?;
        self.text(") DO UPDATE SET ");
        if conflict.assignments.is_empty() {
            self.column(key)?;
            self.text(" = ");
            self.column(key)?;
        } else {
            self.assignments(&conflict.assignments, true)?;
        }
        self.text(" WHERE CASE WHEN ");
        for (i, &column) in conflict.target.iter().filter(|column| **column != key).enumerate() {
            if i > 0 {
                self.text(" AND ");
            }
            self.table();
            self.text(".");
            self.column(column)?;
            self.text(" = excluded.");
            self.column(column)?;
        }
        self.text(" THEN ");
        match &conflict.expected {
            Some(expected) if !conflict.assignments.is_empty() => self.expected(expected)?,
            _ => {
                let changes = self.dialect.truth(!conflict.assignments.is_empty());
                self.text(changes);
            }
        }
        self.text(" ELSE ");
        self.text(taken);
        self.text(" END");
        Ok(())
    }
}

/// The values of so many rows of an insert, from row number `first` on: what is bound to its statement, but for what it does on a conflict.
///
/// # Errors
/// `Query` where the insert has no such rows.
pub fn inserted_values(insert: &Insert, first: usize, rows: usize) -> DBResult<&[Value<'static>]> {
    let width = insert.columns.len();
    let start = first.checked_mul(width);
    let end = first.checked_add(rows).and_then(|end| end.checked_mul(width));
    match start.zip(end).and_then(|(start, end)| insert.values.get(start..end)) {
        Some(values) if rows > 0 => Ok(values),
        _ => Err(DBError::query("an insert whose values do not make up its rows")),
    }
}
