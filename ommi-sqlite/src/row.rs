//! A row of a result, decoded by the types of its columns.

use std::borrow::Cow;

use ommi_core::driver::Row;
use ommi_core::value::{ColumnType, Date, Moment, TimeOfDay, Value};
use ommi_core::{DBError, DBResult};
use rusqlite::types::ValueRef;

use crate::compiled::Columns;

/// A row where SQLite keeps it. Text and bytes are borrowed from there.
pub(crate) struct SqliteRow<'r, 's> {
    pub(crate) row: &'r rusqlite::Row<'s>,
    pub(crate) columns: &'r Columns,
}

impl Row for SqliteRow<'_, '_> {
    fn value(&mut self, index: usize) -> DBResult<Value<'_>> {
        let (Some(&ty), Ok(stored)) = (self.columns.types.get(index), self.row.get_ref(index)) else {
            return Err(DBError::query(format!("a row has no value number {index}")));
        };
        decode(ty, stored).ok_or_else(|| self.mismatch(index, ty, stored))
    }
}

fn decode(ty: ColumnType, stored: ValueRef<'_>) -> Option<Value<'_>> {
    Some(match (ty, stored) {
        (_, ValueRef::Null) => Value::Null,
        (ColumnType::Text, ValueRef::Text(bytes)) => Value::Text(Cow::Borrowed(std::str::from_utf8(bytes).ok()?)),
        (ColumnType::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(Cow::Borrowed(bytes)),
        (ColumnType::Uuid, ValueRef::Blob(bytes)) => Value::Uuid(bytes.try_into().ok()?),
        (ColumnType::F32 | ColumnType::F64, ValueRef::Real(number)) => Value::Float(number),
        (ColumnType::F32 | ColumnType::F64, ValueRef::Integer(number)) => Value::Float(exact(number)?),
        (ColumnType::Bool, ValueRef::Integer(0)) => Value::Bool(false),
        (ColumnType::Bool, ValueRef::Integer(1)) => Value::Bool(true),
        (ColumnType::Date, ValueRef::Text(bytes)) => Value::Date(Date::parse(std::str::from_utf8(bytes).ok()?)?),
        (ColumnType::Time, ValueRef::Text(bytes)) => Value::Time(TimeOfDay::parse(std::str::from_utf8(bytes).ok()?)?),
        (ColumnType::DateTime, ValueRef::Text(bytes)) => {
            Value::DateTime(Moment::parse(std::str::from_utf8(bytes).ok()?)?)
        }
        (ColumnType::Timestamp, ValueRef::Text(bytes)) => {
            Value::Timestamp(Moment::parse(std::str::from_utf8(bytes).ok()?)?)
        }
        (ty, ValueRef::Integer(number)) if ty.integer_range().is_some() => Value::Int(number),
        _ => return None,
    })
}

/// The float that is this integer, if there is one. A REAL column of a table that is not STRICT may hold integers.
fn exact(number: i64) -> Option<f64> {
    // All integers of 53 bits are floats; beyond that, few are, and nobody means those.
    (number.unsigned_abs() <= 1 << 53).then_some(number as f64)
}

impl SqliteRow<'_, '_> {
    #[cold]
    fn mismatch(&self, index: usize, ty: ColumnType, stored: ValueRef<'_>) -> DBError {
        let found = match (ty, stored) {
            (ColumnType::Bool, ValueRef::Integer(_)) => "an integer other than 0 and 1",
            (ColumnType::F32 | ColumnType::F64, ValueRef::Integer(_)) => "an integer that no float is",
            (ColumnType::Uuid, ValueRef::Blob(_)) => "bytes that are not 16",
            (_, ValueRef::Text(bytes)) if std::str::from_utf8(bytes).is_err() => "text that is not UTF-8",
            (ColumnType::Date | ColumnType::Time | ColumnType::DateTime | ColumnType::Timestamp, ValueRef::Text(_)) => {
                "text of another form"
            }
            (_, ValueRef::Null) => "NULL",
            (_, ValueRef::Integer(_)) => "an integer",
            (_, ValueRef::Real(_)) => "a float",
            (_, ValueRef::Text(_)) => "text",
            (_, ValueRef::Blob(_)) => "bytes",
        };
        DBError::decode(&*self.columns.model.table, self.columns.name(index), ty.name(), found)
    }
}
