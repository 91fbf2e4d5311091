//! The values that travel between Ommi and a database.
//!
//! One enum carries both directions: what a query binds and what a row gives.
//! It borrows text and bytes where it can, so that a driver hands out what lies
//! in its client library's buffer and the field is the first to own a copy.
//!
//! Dates and UUIDs are plain numbers here: `chrono`, `uuid` and other crates
//! convert at the field ([`FieldType`]), and no driver depends on any of them.

#[cfg(feature = "bson")]
mod bson_types;
mod calendar;
#[cfg(feature = "chrono")]
mod chrono_types;
mod field;
mod scalars;
mod temporal;
#[cfg(feature = "uuid")]
mod uuid_types;

use std::borrow::Cow;
use std::fmt;

pub use field::{DecodeFailure, FieldType, IntoField, InvalidValue, NumericField, TextField};
pub use temporal::{Date, Moment, TimeOfDay};

/// A value on its way to or from a database.
///
/// `Debug` and `Display` print the kind and never the content: values are the
/// user's data and do not belong in logs. [`Value::reveal`] prints the content.
// A word says which it is, so that all parts of a value are words. Were it a byte, some values would begin in the rest of that word, and whoever moves a
// value would read these bytes in other parts than they were just written in, which a processor waits for: a dozen cycles for each value that is read.
#[derive(Clone, PartialEq, Default)]
#[non_exhaustive]
#[repr(u64)]
pub enum Value<'a> {
    /// SQL's NULL, a missing or null field of a document.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// Every integer type; a `u64` above `i64::MAX` is refused before this.
    Int(i64),
    /// Both floating-point types. Never NaN.
    Float(f64),
    /// Text without NUL characters.
    Text(Cow<'a, str>),
    /// Binary data.
    Bytes(Cow<'a, [u8]>),
    /// The sixteen bytes of a UUID in network order (RFC 9562).
    Uuid([u8; 16]),
    /// The twelve bytes of a MongoDB ObjectId.
    ObjectId([u8; 12]),
    /// A day of the proleptic Gregorian calendar.
    Date(Date),
    /// A time of day without a zone.
    Time(TimeOfDay),
    /// A date and time without a zone.
    DateTime(Moment),
    /// An instant, in UTC.
    Timestamp(Moment),
}

/// What a column holds.
///
/// The column's type, not the value's, decides how a value is stored and
/// compared; two columns compare only when their types are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnType {
    /// `bool`
    Bool,
    /// `i8`
    I8,
    /// `i16`
    I16,
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `u8`
    U8,
    /// `u16`
    U16,
    /// `u32`
    U32,
    /// `u64`, stored as a 64-bit signed integer that is never negative
    U64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `String`
    Text,
    /// `Vec<u8>`
    Bytes,
    /// a UUID
    Uuid,
    /// a MongoDB ObjectId
    ObjectId,
    /// a calendar day
    Date,
    /// a time of day
    Time,
    /// a date and time without a zone
    DateTime,
    /// an instant in UTC
    Timestamp,
}

impl ColumnType {
    /// The name used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            ColumnType::Bool => "bool",
            ColumnType::I8 => "i8",
            ColumnType::I16 => "i16",
            ColumnType::I32 => "i32",
            ColumnType::I64 => "i64",
            ColumnType::U8 => "u8",
            ColumnType::U16 => "u16",
            ColumnType::U32 => "u32",
            ColumnType::U64 => "u64",
            ColumnType::F32 => "f32",
            ColumnType::F64 => "f64",
            ColumnType::Text => "text",
            ColumnType::Bytes => "bytes",
            ColumnType::Uuid => "uuid",
            ColumnType::ObjectId => "object id",
            ColumnType::Date => "date",
            ColumnType::Time => "time",
            ColumnType::DateTime => "datetime",
            ColumnType::Timestamp => "timestamp",
        }
    }

    /// The least and the greatest value of an integer type, and `None` for all others.
    pub const fn integer_range(self) -> Option<(i64, i64)> {
        Some(match self {
            ColumnType::I8 => (i8::MIN as i64, i8::MAX as i64),
            ColumnType::I16 => (i16::MIN as i64, i16::MAX as i64),
            ColumnType::I32 => (i32::MIN as i64, i32::MAX as i64),
            ColumnType::I64 => (i64::MIN, i64::MAX),
            ColumnType::U8 => (0, u8::MAX as i64),
            ColumnType::U16 => (0, u16::MAX as i64),
            ColumnType::U32 => (0, u32::MAX as i64),
            ColumnType::U64 => (0, i64::MAX),
            _ => return None,
        })
    }

    /// Whether a column of this type can hold `value`, NULL aside.
    ///
    /// The typed edge cannot get this wrong; queries built from a schema at run
    /// time can, and are checked with it before anything is sent.
    pub fn accepts(self, value: &Value<'_>) -> bool {
        match (self, value) {
            (_, Value::Null) => true,
            (ColumnType::Bool, Value::Bool(_))
            | (ColumnType::F32 | ColumnType::F64, Value::Float(_))
            | (ColumnType::Text, Value::Text(_))
            | (ColumnType::Bytes, Value::Bytes(_))
            | (ColumnType::Uuid, Value::Uuid(_))
            | (ColumnType::ObjectId, Value::ObjectId(_))
            | (ColumnType::Date, Value::Date(_))
            | (ColumnType::Time, Value::Time(_))
            | (ColumnType::DateTime, Value::DateTime(_))
            | (ColumnType::Timestamp, Value::Timestamp(_)) => true,
            (ty, Value::Int(n)) => match ty.integer_range() {
                Some((low, high)) => (low..=high).contains(n),
                None => false,
            },
            _ => false,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'a> Value<'a> {
    /// The kind of the value, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Value::Null => "NULL",
            Value::Bool(_) => "a bool",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Uuid(_) => "a uuid",
            Value::ObjectId(_) => "an object id",
            Value::Date(_) => "a date",
            Value::Time(_) => "a time",
            Value::DateTime(_) => "a datetime",
            Value::Timestamp(_) => "a timestamp",
        }
    }

    /// A number for the kind, equal for values of one kind. Part of a query's shape.
    pub(crate) const fn tag(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::Int(_) => 2,
            Value::Float(_) => 3,
            Value::Text(_) => 4,
            Value::Bytes(_) => 5,
            Value::Uuid(_) => 6,
            Value::Date(_) => 7,
            Value::Time(_) => 8,
            Value::DateTime(_) => 9,
            Value::Timestamp(_) => 10,
            Value::ObjectId(_) => 11,
        }
    }

    /// Whether this is [`Value::Null`].
    pub const fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The same value, owning what it borrowed.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Value::Null => Value::Null,
            Value::Bool(v) => Value::Bool(v),
            Value::Int(v) => Value::Int(v),
            Value::Float(v) => Value::Float(v),
            Value::Uuid(v) => Value::Uuid(v),
            Value::ObjectId(v) => Value::ObjectId(v),
            Value::Date(v) => Value::Date(v),
            Value::Time(v) => Value::Time(v),
            Value::DateTime(v) => Value::DateTime(v),
            Value::Timestamp(v) => Value::Timestamp(v),
        }
    }

    /// The same value, borrowing from this one.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
            Value::Null => Value::Null,
            Value::Bool(v) => Value::Bool(*v),
            Value::Int(v) => Value::Int(*v),
            Value::Float(v) => Value::Float(*v),
            Value::Uuid(v) => Value::Uuid(*v),
            Value::ObjectId(v) => Value::ObjectId(*v),
            Value::Date(v) => Value::Date(*v),
            Value::Time(v) => Value::Time(*v),
            Value::DateTime(v) => Value::DateTime(*v),
            Value::Timestamp(v) => Value::Timestamp(*v),
        }
    }

    /// Checks what no store can hold, or not all alike: NaN and NUL in text.
    ///
    /// # Errors
    /// [`InvalidValue`] that says which of the two it is.
    pub fn check(&self) -> Result<(), InvalidValue> {
        if self.is_storable() {
            return Ok(());
        }
        Err(InvalidValue::new(match self {
            Value::Text(_) => "text with a NUL character cannot be stored or compared",
            _ => "NaN cannot be stored or compared",
        }))
    }

    /// Whether [`check`](Value::check) finds nothing wrong with it.
    #[inline]
    pub(crate) fn is_storable(&self) -> bool {
        match self {
            Value::Float(v) => !v.is_nan(),
            Value::Text(text) => !text.as_bytes().contains(&0),
            _ => true,
        }
    }

    /// Prints the content. For tools that show values because somebody asked for them.
    pub fn reveal(&self) -> impl fmt::Display + '_ {
        Reveal(self)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.kind())
    }
}

struct Reveal<'r, 'v>(&'r Value<'v>);

impl fmt::Display for Reveal<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("NULL"),
            Value::Bool(v) => write!(f, "{v}"),
            Value::Int(v) => write!(f, "{v}"),
            Value::Float(v) => write!(f, "{v:?}"),
            Value::Text(v) => write!(f, "{v:?}"),
            Value::Bytes(v) => {
                f.write_str("x'")?;
                v.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")
            }
            Value::ObjectId(v) => v.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            Value::Uuid(v) => {
                for (i, byte) in v.iter().enumerate() {
                    if matches!(i, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
            Value::Date(v) => write!(f, "{v}"),
            Value::Time(v) => write!(f, "{v}"),
            Value::DateTime(v) => write!(f, "{v}"),
            Value::Timestamp(v) => write!(f, "{v}Z"),
        }
    }
}
