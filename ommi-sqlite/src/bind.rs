//! Binds the values of a statement as SQLite stores them.

use std::fmt;
use std::rc::Rc;

use ommi_core::value::{ColumnType, InvalidValue, Value};
use ommi_core::{DBError, DBResult};
use ommi_sql::{Bind, Out};
use rusqlite::types::Null;

use crate::kept::Lent;

/// How many bytes of values are bound on the task's own thread: what SQLite then does with more takes longer than a hop.
pub(crate) const LIGHT: usize = 256 * 1024;

/// How many bytes of texts and bytes may stay bound to a statement that is kept.
const SMALL: usize = 1_024;

/// Takes the binds of a traversal, each as the next parameter of a statement.
pub(crate) struct Binder<'a, 's, 'c> {
    statement: &'a mut Lent<'s, 'c>,
    /// The model's name, for messages.
    model: &'a str,
    next: usize,
    /// How many bytes more may be bound.
    room: usize,
    /// How many bytes were bound so far.
    bound: usize,
    /// Why binding ended early.
    pub(crate) ended: Option<Ended>,
}

/// Why binding ended early.
#[derive(Debug)]
pub(crate) enum Ended {
    /// There is more than may be bound here.
    Heavy,
    /// SQLite refused a value.
    Refused(rusqlite::Error),
}

impl<'a, 's, 'c> Binder<'a, 's, 'c> {
    pub(crate) fn new(statement: &'a mut Lent<'s, 'c>, model: &'a str, room: usize) -> Binder<'a, 's, 'c> {
        Binder { statement, model, next: 1, room, bound: 0, ended: None }
    }

    /// Everything is bound.
    #[inline]
    pub(crate) fn finish(&mut self) {
        if self.bound <= SMALL {
            self.statement.stay_bound();
        }
    }

    fn stored(&self, value: &Value<'_>) -> DBResult<Stored> {
        match Stored::of(value) {
            Ok(Some(text)) => Ok(text),
            Ok(None) => Err(DBError::unsupported(crate::dialect::NAME, format!("{} as a value", value.kind()))),
            Err(invalid) => Err(DBError::invalid_value(Some(self.model), None).with_detail(invalid.to_string())),
        }
    }

    fn take(&mut self, bytes: usize) -> DBResult<()> {
        self.bound = self.bound.saturating_add(bytes);
        match self.room.checked_sub(bytes) {
            Some(room) => {
                self.room = room;
                Ok(())
            }
            None => {
                self.ended = Some(Ended::Heavy);
                Err(DBError::query("more is bound than fits in place"))
            }
        }
    }

    fn parameter(&mut self, value: impl rusqlite::ToSql) -> DBResult<()> {
        let result = self.statement.bind(self.next, value);
        self.next += 1;
        result.map_err(|error| {
            self.ended = Some(Ended::Refused(error));
            DBError::query("a value was refused")
        })
    }

    pub(crate) fn value(&mut self, value: &Value<'_>) -> DBResult<()> {
        match value {
            Value::Null => self.parameter(Null),
            Value::Bool(value) => self.parameter(i64::from(*value)),
            Value::Int(value) => self.parameter(*value),
            Value::Float(value) => self.parameter(*value),
            Value::Text(text) => {
                self.take(text.len())?;
                self.parameter(&**text)
            }
            Value::Bytes(bytes) => {
                self.take(bytes.len())?;
                self.parameter(&**bytes)
            }
            Value::Uuid(bytes) => self.parameter(bytes.as_slice()),
            other => {
                let text = self.stored(other)?;
                self.parameter(text.as_str())
            }
        }
    }

    fn list(&mut self, values: &[Value<'static>]) -> DBResult<()> {
        let mut array = Vec::with_capacity(values.len());
        for value in values {
            self.take(size_of::<rusqlite::types::Value>())?;
            array.push(match value {
                Value::Bool(value) => rusqlite::types::Value::Integer(i64::from(*value)),
                Value::Int(value) => rusqlite::types::Value::Integer(*value),
                Value::Float(value) => rusqlite::types::Value::Real(*value),
                Value::Text(text) => {
                    self.take(text.len())?;
                    rusqlite::types::Value::Text(text.to_string())
                }
                Value::Bytes(bytes) => {
                    self.take(bytes.len())?;
                    rusqlite::types::Value::Blob(bytes.to_vec())
                }
                Value::Uuid(bytes) => rusqlite::types::Value::Blob(bytes.to_vec()),
                other => rusqlite::types::Value::Text(self.stored(other)?.as_str().to_owned()),
            });
        }
        // A list is of this thread.
        self.bound = usize::MAX;
        self.parameter(Rc::new(array))
    }
}

impl Out for Binder<'_, '_, '_> {
    const TEXT: bool = false;

    fn text(&mut self, _: &str) {}

    fn bind(&mut self, bind: Bind<'_>, _: Option<ColumnType>) -> DBResult<()> {
        match bind {
            Bind::Value(value) => self.value(&value),
            Bind::List(values) => self.list(values),
            Bind::Column(_) => Err(DBError::unsupported(crate::dialect::NAME, "rows as arrays")),
        }
    }
}

/// A date or time as the text that is stored, without a heap allocation.
pub(crate) struct Stored {
    bytes: [u8; 32],
    length: usize,
}

impl Stored {
    /// The text of a date or time; nothing for other values.
    ///
    /// # Errors
    /// Outside of the years 0000 to 9999: such texts would not sort as the times do.
    pub(crate) fn of(value: &Value<'_>) -> Result<Option<Stored>, InvalidValue> {
        let mut text = Stored { bytes: [0; 32], length: 0 };
        let (year, written) = match value {
            Value::Date(date) => (date.ymd().0, fmt::write(&mut text, format_args!("{date}"))),
            Value::Time(time) => (0, fmt::write(&mut text, format_args!("{time}"))),
            Value::DateTime(moment) | Value::Timestamp(moment) => {
                (moment.year(), fmt::write(&mut text, format_args!("{moment}")))
            }
            _ => return Ok(None),
        };
        if !(0..=9_999).contains(&year) || written.is_err() {
            return Err(InvalidValue::new("SQLite stores dates of the years 0000 to 9999, and this one is outside"));
        }
        Ok(Some(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        // Only whole pieces of text are written, so this is UTF-8.
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl fmt::Write for Stored {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ommi_core::value::{Date, Moment, TimeOfDay};

    use super::*;

    #[test]
    fn the_longest_texts_fit_and_other_years_are_refused() {
        let moment = |seconds| Value::Timestamp(Moment::new(seconds, 123_456_789).unwrap());
        let text = |value: Value<'_>| Stored::of(&value).unwrap().unwrap().as_str().to_owned();
        assert_eq!(text(moment(253_402_300_799)), "9999-12-31 23:59:59.123456789");
        assert_eq!(text(moment(-62_167_219_200)), "0000-01-01 00:00:00.123456789");
        assert_eq!(text(Value::Time(TimeOfDay::from_nanos(1).unwrap())), "00:00:00.000000001");
        assert_eq!(text(Value::Date(Date { days: 0 })), "1970-01-01");
        for value in [moment(253_402_300_800), moment(i64::MIN), moment(i64::MAX), Value::Date(Date { days: i32::MAX })]
        {
            assert!(Stored::of(&value).is_err());
        }
        assert!(Stored::of(&Value::Int(1)).unwrap().is_none());
    }
}
