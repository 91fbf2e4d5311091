//! Values as BSON, and how finely it keeps times.
//!
//! The BSON type is the column's, never the value's, so that what is stored sorts, compares and validates alike in every row.
//!
//! | column | BSON |
//! |---|---|
//! | `bool` | Bool |
//! | `i8` `i16` `i32` `u8` `u16` | Int32 |
//! | `u32` `i64` `u64` | Int64 |
//! | `f32` `f64` | Double |
//! | text | String |
//! | bytes | Binary, subtype 0 |
//! | UUIDs | Binary, subtype 4 |
//! | ObjectIds | ObjectId |
//! | date | DateTime at midnight UTC |
//! | time of day | Int64, milliseconds since midnight |
//! | date and time, instants | DateTime |

use ommi_core::value::{ColumnType, Moment, TimeOfDay, Value};

use crate::bson::{Subtype, Writer};

pub(crate) const MILLIS_PER_DAY: i64 = 86_400_000;
const NANOS_PER_MILLI: u32 = 1_000_000;

/// What is said of a value that BSON would cut.
pub(crate) const TOO_FINE: &str = "MongoDB keeps times in milliseconds, and this one is finer";

/// The whole milliseconds of a moment, and whether nothing is left over.
fn moment_millis(moment: Moment) -> (i64, bool) {
    let millis = i128::from(moment.seconds()) * 1_000 + i128::from(moment.nanos() / NANOS_PER_MILLI);
    match i64::try_from(millis) {
        Ok(floor) => (floor, moment.nanos().is_multiple_of(NANOS_PER_MILLI)),
        // 292 million years away: between the last moment that there is and no other.
        Err(_) => (if moment.seconds() < 0 { i64::MIN } else { i64::MAX }, false),
    }
}

fn time_millis(time: TimeOfDay) -> (i64, bool) {
    let nanos = time.nanos();
    // Less than a day, so it fits.
    ((nanos / u64::from(NANOS_PER_MILLI)) as i64, nanos.is_multiple_of(u64::from(NANOS_PER_MILLI)))
}

/// The greatest value that BSON can hold and that is not above this one, where that is another one.
pub(crate) fn rounded_down(value: &Value<'_>) -> Option<Value<'static>> {
    let moment = |moment: Moment| match moment_millis(moment) {
        (_, true) => None,
        (millis, false) => moment_of(millis),
    };
    match value {
        Value::DateTime(at) => moment(*at).map(Value::DateTime),
        Value::Timestamp(at) => moment(*at).map(Value::Timestamp),
        Value::Time(time) => match time_millis(*time) {
            (_, true) => None,
            (millis, false) => time_of(millis).map(Value::Time),
        },
        _ => None,
    }
}

/// A DateTime's moment.
pub(crate) fn moment_of(millis: i64) -> Option<Moment> {
    let nanos = u32::try_from(millis.rem_euclid(1_000)).ok()? * NANOS_PER_MILLI;
    Moment::new(millis.div_euclid(1_000), nanos)
}

/// A stored time of day.
pub(crate) fn time_of(millis: i64) -> Option<TimeOfDay> {
    u64::try_from(millis).ok()?.checked_mul(u64::from(NANOS_PER_MILLI)).and_then(TimeOfDay::from_nanos)
}

/// Whether the integers of this column are Int32.
pub(crate) fn is_narrow(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::I8 | ColumnType::I16 | ColumnType::I32 | ColumnType::U8 | ColumnType::U16)
}

impl Writer {
    /// A user's value, as a column of this type stores it. What BSON would cut must have been refused or rounded before.
    pub(crate) fn value(&mut self, key: &str, ty: ColumnType, value: &Value<'_>) {
        if self.is_marked(key, "?", || value.clone().into_owned()) {
            return;
        }
        match value {
            Value::Bool(value) => self.bool(key, *value),
            Value::Int(value) => match i32::try_from(*value) {
                Ok(narrow) if is_narrow(ty) => self.int32(key, narrow),
                _ => self.int64(key, *value),
            },
            Value::Float(value) => self.double(key, *value),
            Value::Text(text) => self.string(key, text),
            Value::Bytes(bytes) => self.binary(key, Subtype::Generic, bytes),
            Value::Uuid(bytes) => self.binary(key, Subtype::Uuid, bytes),
            Value::ObjectId(bytes) => self.object_id(key, *bytes),
            Value::Date(date) => self.date_time(key, i64::from(date.days) * MILLIS_PER_DAY),
            Value::Time(time) => self.int64(key, time_millis(*time).0),
            Value::DateTime(at) | Value::Timestamp(at) => self.date_time(key, moment_millis(*at).0),
            _ => self.null(key),
        }
    }

    /// A user's value as the next element of an array.
    pub(crate) fn item_value(&mut self, ty: ColumnType, value: &Value<'_>) {
        let index = self.index();
        self.value(index.as_str(), ty, value);
    }

    /// A user's value where an expression stands. In one, `"$x"` would be a path.
    pub(crate) fn literal(&mut self, key: &str, ty: ColumnType, value: &Value<'_>) {
        self.begin_document(key);
        self.value("$literal", ty, value);
        self.end();
    }

    /// A user's value where an expression stands, as the next element of an array.
    pub(crate) fn item_literal(&mut self, ty: ColumnType, value: &Value<'_>) {
        let index = self.index();
        self.literal(index.as_str(), ty, value);
    }
}

/// About how many bytes a value takes, its name aside; never too few.
pub(crate) fn size(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len() + 8,
        Value::Bytes(bytes) => bytes.len() + 8,
        _ => 24,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_down_before_1970_too() {
        let at = |seconds, nanos| Value::DateTime(Moment::new(seconds, nanos).unwrap());
        assert_eq!(rounded_down(&at(-1, 999_999_999)), Some(at(-1, 999_000_000)));
        assert_eq!(rounded_down(&at(-1, 999_000_000)), None);
        assert_eq!(rounded_down(&at(0, 1)), Some(at(0, 0)));
        let time = |nanos| Value::Time(TimeOfDay::from_nanos(nanos).unwrap());
        assert_eq!(rounded_down(&time(86_399_999_999_999)), Some(time(86_399_999_000_000)));
        assert_eq!(rounded_down(&Value::Int(7)), None);
    }

    #[test]
    fn milliseconds_read_back() {
        for millis in [i64::MIN, -1_001, -1_000, -1, 0, 1, 999, 1_000, i64::MAX] {
            let moment = moment_of(millis).unwrap();
            assert_eq!(moment_millis(moment), (millis, true), "{millis}");
        }
        assert_eq!(time_of(-1), None);
        assert_eq!(time_of(MILLIS_PER_DAY), None);
    }
}
