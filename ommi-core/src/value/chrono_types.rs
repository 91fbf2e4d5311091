//! [`FieldType`] for chrono's date and time types.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};

use super::field::{DecodeFailure, FieldType, InvalidValue};
use super::{ColumnType, Date, Moment, TimeOfDay, Value};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// What `num_days_from_ce` gives for 1970-01-01.
const EPOCH_FROM_CE: i32 = 719_163;

/// chrono writes 23:59:60 as 23:59:59 with more than 10^9 nanoseconds; no store has such a time.
fn leap_second() -> InvalidValue {
    InvalidValue::new("a leap second cannot be stored or compared")
}

impl FieldType for NaiveDate {
    const TYPE: ColumnType = ColumnType::Date;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Date(Date { days: self.num_days_from_ce() - EPOCH_FROM_CE }))
    }

    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::Date(date) => date
                .days
                .checked_add(EPOCH_FROM_CE)
                .and_then(NaiveDate::from_num_days_from_ce_opt)
                .ok_or_else(|| DecodeFailure::new("NaiveDate", "a date out of its range")),
            other => Err(DecodeFailure::other_kind("a date", other)),
        }
    }
}

impl FieldType for NaiveTime {
    const TYPE: ColumnType = ColumnType::Time;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        let nanos = u64::from(self.nanosecond());
        if nanos >= NANOS_PER_SECOND {
            return Err(leap_second());
        }
        let nanos = u64::from(self.num_seconds_from_midnight()) * NANOS_PER_SECOND + nanos;
        TimeOfDay::from_nanos(nanos).map(Value::Time).ok_or_else(leap_second)
    }

    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::Time(time) => {
                let (seconds, nanos) = (time.nanos() / NANOS_PER_SECOND, time.nanos() % NANOS_PER_SECOND);
                NaiveTime::from_num_seconds_from_midnight_opt(seconds as u32, nanos as u32)
                    .ok_or_else(|| DecodeFailure::new("NaiveTime", "a time out of its range"))
            }
            other => Err(DecodeFailure::other_kind("a time", other)),
        }
    }
}

fn moment(at: &DateTime<Utc>) -> Result<Moment, InvalidValue> {
    Moment::new(at.timestamp(), at.timestamp_subsec_nanos()).ok_or_else(leap_second)
}

fn utc(moment: Moment) -> Result<DateTime<Utc>, DecodeFailure> {
    DateTime::from_timestamp(moment.seconds(), moment.nanos())
        .ok_or_else(|| DecodeFailure::new("a date and time of chrono's range", "one out of it"))
}

impl FieldType for NaiveDateTime {
    const TYPE: ColumnType = ColumnType::DateTime;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        moment(&self.and_utc()).map(Value::DateTime)
    }

    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::DateTime(moment) => utc(moment).map(|at| at.naive_utc()),
            other => Err(DecodeFailure::other_kind("a datetime", other)),
        }
    }
}

impl FieldType for DateTime<Utc> {
    const TYPE: ColumnType = ColumnType::Timestamp;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        moment(self).map(Value::Timestamp)
    }

    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::Timestamp(moment) => utc(moment),
            other => Err(DecodeFailure::other_kind("a timestamp", other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: FieldType + PartialEq + std::fmt::Debug>(value: T) {
        assert_eq!(T::decode(value.encode().unwrap()).unwrap(), value);
    }

    #[test]
    fn the_ends_of_each_range_round_trip() {
        round_trip(NaiveDate::MIN);
        round_trip(NaiveDate::MAX);
        round_trip(NaiveTime::MIN);
        round_trip(NaiveTime::from_hms_nano_opt(23, 59, 59, 999_999_999).unwrap());
        round_trip(NaiveDateTime::MIN);
        round_trip(DateTime::<Utc>::MIN_UTC);
        round_trip(DateTime::<Utc>::MAX_UTC);
        round_trip(NaiveDate::from_ymd_opt(1969, 12, 31).unwrap().and_hms_nano_opt(23, 59, 59, 1).unwrap());
    }

    #[test]
    fn a_leap_second_is_refused() {
        let leap = NaiveTime::from_hms_nano_opt(23, 59, 59, 1_500_000_000).unwrap();
        assert!(leap.encode().is_err());
        assert!(NaiveDate::MIN.and_time(leap).encode().is_err());
    }
}
