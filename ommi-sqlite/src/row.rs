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
        let Some(&ty) = self.columns.types.get(index) else { return Err(no_value(index)) };
        // Looked at where it is: moved as a whole it would be read in larger parts than it was just written in, which a processor waits for.
        match self.row.get_ref(index) {
            Ok(ValueRef::Integer(number)) if is_integer(ty) => Ok(Value::Int(number)),
            Ok(ValueRef::Text(bytes)) if ty == ColumnType::Text => match utf8(bytes) {
                Some(text) => Ok(Value::Text(Cow::Borrowed(text))),
                None => Err(self.mismatch(index, ty)),
            },
            Ok(ValueRef::Null) => Ok(Value::Null),
            Ok(ValueRef::Real(number)) if matches!(ty, ColumnType::F32 | ColumnType::F64) => Ok(Value::Float(number)),
            Ok(stored) => self.other(index, ty, stored),
            Err(_) => Err(no_value(index)),
        }
    }
}

/// Bytes as text. A function of its own gives it in registers; what the check gives lies in memory, and would be read again in a larger part than it
/// was written.
#[inline(never)]
fn utf8(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cold]
fn no_value(index: usize) -> DBError {
    DBError::query(format!("a row has no value number {index}"))
}

/// A stored number, as a type that is stored in another form; none where it is no such value. So for the others.
#[inline]
fn integer<'r>(ty: ColumnType, number: i64) -> Option<Value<'r>> {
    match ty {
        ColumnType::Bool => match number {
            0 => Some(Value::Bool(false)),
            1 => Some(Value::Bool(true)),
            _ => None,
        },
        ColumnType::F32 | ColumnType::F64 => exact(number).map(Value::Float),
        _ => None,
    }
}

#[inline]
fn text(ty: ColumnType, bytes: &[u8]) -> Option<Value<'_>> {
    let text = std::str::from_utf8(bytes).ok()?;
    match ty {
        ColumnType::Date => Date::parse(text).map(Value::Date),
        ColumnType::Time => TimeOfDay::parse(text).map(Value::Time),
        ColumnType::DateTime => Moment::parse(text).map(Value::DateTime),
        ColumnType::Timestamp => Moment::parse(text).map(Value::Timestamp),
        _ => None,
    }
}

#[inline]
fn blob(ty: ColumnType, bytes: &[u8]) -> Option<Value<'_>> {
    match ty {
        ColumnType::Bytes => Some(Value::Bytes(Cow::Borrowed(bytes))),
        ColumnType::Uuid => bytes.try_into().ok().map(Value::Uuid),
        _ => None,
    }
}

/// The float that is this integer, if there is one. A REAL column of a table that is not STRICT may hold integers.
fn exact(number: i64) -> Option<f64> {
    // All integers of 53 bits are floats; beyond that, few are, and nobody means those.
    (number.unsigned_abs() <= 1 << 53).then_some(number as f64)
}

fn is_integer(ty: ColumnType) -> bool {
    ty.integer_range().is_some()
}

impl SqliteRow<'_, '_> {
    /// What SQLite stores in another form, and what is read less often.
    #[inline(never)]
    fn other<'r>(&self, index: usize, ty: ColumnType, stored: ValueRef<'r>) -> DBResult<Value<'r>> {
        let value = match stored {
            ValueRef::Integer(number) => integer(ty, number),
            ValueRef::Text(bytes) => text(ty, bytes),
            ValueRef::Blob(bytes) => blob(ty, bytes),
            ValueRef::Null | ValueRef::Real(_) => None,
        };
        value.ok_or_else(|| self.mismatch(index, ty))
    }

    #[cold]
    fn mismatch(&self, index: usize, ty: ColumnType) -> DBError {
        let Ok(stored) = self.row.get_ref(index) else { return no_value(index) };
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
