//! A row of a result, decoded by the types of its columns.

use ommi_core::driver::{Row, RowSink};
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult};
use sqlx::postgres::{PgColumn, PgRow};
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use crate::compiled::Columns;
use crate::wire;

/// A row where the client library keeps it. Text and bytes are borrowed from there.
struct PostgresRow<'r> {
    row: &'r PgRow,
    columns: &'r Columns,
}

/// Hands the rows of one result to a sink.
pub(crate) struct Reader {
    /// Whether the types of the result were compared with those that are read.
    compared: bool,
}

impl Reader {
    pub(crate) fn new() -> Reader {
        Reader { compared: false }
    }

    pub(crate) fn take(&mut self, row: &PgRow, columns: &Columns, sink: &mut dyn RowSink) -> DBResult<()> {
        if !self.compared {
            compare(row.columns(), columns)?;
            self.compared = true;
        }
        sink.row(&mut PostgresRow { row, columns })
    }
}

/// Compares the types of a result with those that are read, once for all its rows.
fn compare(stored: &[PgColumn], columns: &Columns) -> DBResult<()> {
    for (place, (&ty, stored)) in columns.types.iter().zip(stored).enumerate() {
        let info = stored.type_info();
        if !info.oid().is_some_and(|oid| wire::readable(ty, oid.0)) {
            let found = info.name().to_ascii_lowercase();
            return Err(DBError::decode(columns.model.qualified_table(), columns.name(place), ty.name(), found));
        }
    }
    Ok(())
}

impl Row for PostgresRow<'_> {
    fn value(&mut self, index: usize) -> DBResult<Value<'_>> {
        let missing = || DBError::query(format!("a row has no value number {index}"));
        let ty = *self.columns.types.get(index).ok_or_else(missing)?;
        let stored = self.row.try_get_raw(index).map_err(|error| missing().with_source(error))?;
        if stored.is_null() {
            return Ok(Value::Null);
        }
        stored.as_bytes().ok().and_then(|bytes| wire::decode(ty, bytes)).ok_or_else(|| {
            DBError::decode(
                self.columns.model.qualified_table(),
                self.columns.name(index),
                ty.name(),
                wire::strange(ty),
            )
        })
    }
}
