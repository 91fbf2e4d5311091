//! Values in PostgreSQL's binary format, both ways.
//!
//! Numbers are big-endian. Dates count days and times count microseconds, both from 2000-01-01. The greatest and the least number
//! mean infinity, which Ommi does not have.

use std::borrow::Cow;

use ommi_core::value::{ColumnType, Date, InvalidValue, Moment, TimeOfDay, Value};

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i64 = 10_957;
const EPOCH_SECONDS: i64 = EPOCH_DAYS * 86_400;
const MICROS: i64 = 1_000_000;
/// 4713-01-01 BC in the Julian calendar's count, where PostgreSQL's days begin, and 5874898-01-01, before which they end.
const DATES: std::ops::Range<i64> = -2_451_545..2_145_031_949;
/// The same, and 294277-01-01, for moments.
const MOMENTS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// The number of a type in every PostgreSQL database.
pub(crate) mod oid {
    pub(crate) const UNSPECIFIED: u32 = 0;
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const NAME: u32 = 19;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const BPCHAR: u32 = 1042;
    pub(crate) const VARCHAR: u32 = 1043;
    pub(crate) const DATE: u32 = 1082;
    pub(crate) const TIME: u32 = 1083;
    pub(crate) const TIMESTAMP: u32 = 1114;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const UUID: u32 = 2950;
}

/// The type in which values for columns of this type are sent, and that of arrays of them.
pub(crate) fn bound_as(ty: ColumnType) -> (u32, u32) {
    match ty {
        ColumnType::Bool => (oid::BOOL, 1000),
        ColumnType::F32 | ColumnType::F64 => (oid::FLOAT8, 1022),
        ColumnType::Bytes => (oid::BYTEA, 1001),
        ColumnType::Uuid => (oid::UUID, 2951),
        ColumnType::Date => (oid::DATE, 1182),
        ColumnType::Time => (oid::TIME, 1183),
        ColumnType::DateTime => (oid::TIMESTAMP, 1115),
        ColumnType::Timestamp => (oid::TIMESTAMPTZ, 1185),
        ty if ty.integer_range().is_some() => (oid::INT8, 1016),
        _ => (oid::TEXT, 1009),
    }
}

/// Whether a column of this type can be read from a result's column of that one.
pub(crate) fn readable(ty: ColumnType, stored: u32) -> bool {
    match ty {
        ColumnType::Bool => stored == oid::BOOL,
        ColumnType::F32 | ColumnType::F64 => matches!(stored, oid::FLOAT4 | oid::FLOAT8),
        ColumnType::Bytes => stored == oid::BYTEA,
        ColumnType::Uuid => stored == oid::UUID,
        ColumnType::Date => stored == oid::DATE,
        ColumnType::Time => stored == oid::TIME,
        ColumnType::DateTime => stored == oid::TIMESTAMP,
        ColumnType::Timestamp => stored == oid::TIMESTAMPTZ,
        ty if ty.integer_range().is_some() => matches!(stored, oid::INT2 | oid::INT4 | oid::INT8),
        _ => matches!(stored, oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME),
    }
}

/// Why a value cannot be sent.
pub(crate) type Refused = InvalidValue;

const TOO_FINE: &str = "PostgreSQL keeps times in microseconds, and this one is finer";
const NO_SUCH_DATE: &str = "the date is outside of what PostgreSQL stores";

/// Checks what PostgreSQL cannot store of what Ommi can carry.
pub(crate) fn check(value: &Value<'_>) -> Result<(), Refused> {
    match value {
        Value::Date(date) => days(*date).map(drop),
        Value::Time(time) => micros_of_day(*time).map(drop),
        Value::DateTime(moment) | Value::Timestamp(moment) => micros(*moment).map(drop),
        // Also checked by the core; what a schema known at run time brings is checked here.
        value => value.check(),
    }
}

/// Appends a value. The caller has checked it, and writes its length.
///
/// # Errors
/// As [`check`]; NULL and what this version does not know give `None`.
pub(crate) fn encode(value: &Value<'_>, out: &mut Vec<u8>) -> Result<Option<()>, Refused> {
    match value {
        Value::Bool(value) => out.push(u8::from(*value)),
        Value::Int(number) => out.extend_from_slice(&number.to_be_bytes()),
        Value::Float(number) => out.extend_from_slice(&number.to_be_bytes()),
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => out.extend_from_slice(bytes),
        Value::Uuid(bytes) => out.extend_from_slice(bytes),
        Value::Date(date) => out.extend_from_slice(&days(*date)?.to_be_bytes()),
        Value::Time(time) => out.extend_from_slice(&micros_of_day(*time)?.to_be_bytes()),
        Value::DateTime(moment) | Value::Timestamp(moment) => out.extend_from_slice(&micros(*moment)?.to_be_bytes()),
        _ => return Ok(None),
    }
    Ok(Some(()))
}

/// Appends an array of one dimension.
pub(crate) fn encode_array<'v>(
    values: impl Iterator<Item = &'v Value<'static>> + Clone,
    element: u32,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    let (mut count, mut has_null, mut size) = (0i32, false, 20usize);
    for value in values.clone() {
        count = count.saturating_add(1);
        has_null |= value.is_null();
        let own = match value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 8,
        };
        size = size.saturating_add(own.saturating_add(4));
    }
    // A guess, and no promise: of what is too long the caller hears anyway.
    out.reserve(size.min(1 << 24));
    if count == 0 {
        out.extend_from_slice(&0i32.to_be_bytes());
        out.extend_from_slice(&0i32.to_be_bytes());
        out.extend_from_slice(&element.to_be_bytes());
        return Ok(());
    }
    out.extend_from_slice(&1i32.to_be_bytes());
    out.extend_from_slice(&i32::from(has_null).to_be_bytes());
    out.extend_from_slice(&element.to_be_bytes());
    out.extend_from_slice(&count.to_be_bytes());
    // The array begins at 1, as PostgreSQL's do.
    out.extend_from_slice(&1i32.to_be_bytes());
    for value in values {
        let start = out.len();
        out.extend_from_slice(&(-1i32).to_be_bytes());
        if encode(value, out)?.is_some() {
            let length = i32::try_from(out.len() - start - 4)
                .map_err(|_| InvalidValue::new("PostgreSQL takes no value of more than 2 GiB"))?;
            if let Some(place) = out.get_mut(start..start + 4) {
                place.copy_from_slice(&length.to_be_bytes());
            }
        }
    }
    Ok(())
}

fn days(date: Date) -> Result<i32, Refused> {
    let days = i64::from(date.days) - EPOCH_DAYS;
    match i32::try_from(days) {
        Ok(narrow) if DATES.contains(&days) => Ok(narrow),
        _ => Err(InvalidValue::new(NO_SUCH_DATE)),
    }
}

fn micros_of_day(time: TimeOfDay) -> Result<i64, Refused> {
    match i64::try_from(time.nanos()) {
        Ok(nanos) if nanos % 1_000 == 0 => Ok(nanos / 1_000),
        _ => Err(InvalidValue::new(TOO_FINE)),
    }
}

fn micros(moment: Moment) -> Result<i64, Refused> {
    let nanos = i64::from(moment.nanos());
    if nanos % 1_000 != 0 {
        return Err(InvalidValue::new(TOO_FINE));
    }
    let seconds = moment.seconds().checked_sub(EPOCH_SECONDS);
    let micros = seconds.and_then(|seconds| seconds.checked_mul(MICROS)?.checked_add(nanos / 1_000));
    micros.filter(|micros| MOMENTS.contains(micros)).ok_or_else(|| InvalidValue::new(NO_SUCH_DATE))
}

/// A stored value as one of this type; `None` where it is none. The caller has compared the types ([`readable`]).
pub(crate) fn decode(ty: ColumnType, bytes: &[u8]) -> Option<Value<'_>> {
    Some(match ty {
        ColumnType::Text => Value::Text(Cow::Borrowed(std::str::from_utf8(bytes).ok()?)),
        ColumnType::Bytes => Value::Bytes(Cow::Borrowed(bytes)),
        ColumnType::Bool => Value::Bool(*bytes.first()? != 0),
        ColumnType::F32 | ColumnType::F64 => {
            let number = match bytes.len() {
                4 => f64::from(f32::from_be_bytes(bytes.try_into().ok()?)),
                _ => f64::from_be_bytes(bytes.try_into().ok()?),
            };
            Value::Float(Some(number).filter(|number| !number.is_nan())?)
        }
        ColumnType::Uuid => Value::Uuid(bytes.try_into().ok()?),
        ColumnType::Date => {
            let days = i32::from_be_bytes(bytes.try_into().ok()?);
            let days = Some(i64::from(days)).filter(|_| days != i32::MAX && days != i32::MIN)? + EPOCH_DAYS;
            Value::Date(Date { days: i32::try_from(days).ok()? })
        }
        ColumnType::Time => {
            let micros = u64::try_from(i64::from_be_bytes(bytes.try_into().ok()?)).ok()?;
            Value::Time(TimeOfDay::from_nanos(micros.checked_mul(1_000)?)?)
        }
        ColumnType::DateTime => Value::DateTime(moment(bytes)?),
        ColumnType::Timestamp => Value::Timestamp(moment(bytes)?),
        _ => Value::Int(match bytes.len() {
            2 => i64::from(i16::from_be_bytes(bytes.try_into().ok()?)),
            4 => i64::from(i32::from_be_bytes(bytes.try_into().ok()?)),
            _ => i64::from_be_bytes(bytes.try_into().ok()?),
        }),
    })
}

fn moment(bytes: &[u8]) -> Option<Moment> {
    let micros = i64::from_be_bytes(bytes.try_into().ok()?);
    if micros == i64::MAX || micros == i64::MIN {
        return None;
    }
    let nanos = u32::try_from(micros.rem_euclid(MICROS) * 1_000).ok()?;
    Moment::new(micros.div_euclid(MICROS) + EPOCH_SECONDS, nanos)
}

/// What a stored value of the right type is that [`decode`] does not give; never its content.
pub(crate) fn strange(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Date | ColumnType::DateTime | ColumnType::Timestamp => "infinity",
        ColumnType::Time => "24:00:00",
        ColumnType::F32 | ColumnType::F64 => "NaN",
        ColumnType::Text => "text that is not UTF-8",
        _ => "a value of another length",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: &Value<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        encode(value, &mut out).unwrap().unwrap();
        out
    }

    #[test]
    fn values_come_back_as_they_went() {
        let moment = |seconds, nanos| Moment::new(seconds, nanos).unwrap();
        let (first, last) = (moment(-210_866_803_200, 0), moment(9_224_318_015_999, 999_999_000));
        for (ty, value) in [
            (ColumnType::Bool, Value::Bool(true)),
            (ColumnType::I64, Value::Int(i64::MIN)),
            (ColumnType::U8, Value::Int(255)),
            (ColumnType::F64, Value::Float(f64::NEG_INFINITY)),
            (ColumnType::Text, Value::Text("\u{1F600}".into())),
            (ColumnType::Bytes, Value::Bytes(vec![0, 1].into())),
            (ColumnType::Uuid, Value::Uuid([7; 16])),
            (ColumnType::Date, Value::Date(Date::from_ymd(1999, 12, 31).unwrap())),
            (ColumnType::Date, Value::Date(Date::from_ymd(5_874_897, 12, 31).unwrap())),
            (ColumnType::Time, Value::Time(TimeOfDay::from_nanos(86_399_999_999_000).unwrap())),
            (ColumnType::DateTime, Value::DateTime(moment(-1, 999_999_000))),
            (ColumnType::Timestamp, Value::Timestamp(first)),
            (ColumnType::Timestamp, Value::Timestamp(last)),
        ] {
            assert_eq!(decode(ty, &bytes(&value)), Some(value.clone()), "{value:?}");
        }
    }

    #[test]
    fn what_would_be_lost_is_refused() {
        let moment = |seconds, nanos| Value::Timestamp(Moment::new(seconds, nanos).unwrap());
        for value in [
            moment(0, 1),
            moment(i64::MAX, 0),
            moment(i64::MIN, 0),
            moment(9_224_318_016_000, 0),
            moment(-210_866_803_201, 0),
            Value::Time(TimeOfDay::from_nanos(1).unwrap()),
            Value::Date(Date { days: i32::MAX }),
            Value::Date(Date { days: i32::MIN }),
            Value::Float(f64::NAN),
            Value::Text("\0".into()),
        ] {
            assert!(check(&value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn infinity_is_no_date() {
        assert_eq!(decode(ColumnType::Date, &i32::MAX.to_be_bytes()), None);
        assert_eq!(decode(ColumnType::Timestamp, &i64::MIN.to_be_bytes()), None);
        assert_eq!(decode(ColumnType::F64, &f64::NAN.to_be_bytes()), None);
    }

    #[test]
    fn arrays_hold_nulls() {
        let values = [Value::Int(1), Value::Null];
        let mut out = Vec::new();
        encode_array(values.iter(), oid::INT8, &mut out).unwrap();
        let words: Vec<u8> = [1, 1, 20, 2, 1, 8].iter().flat_map(|word: &i32| word.to_be_bytes()).collect();
        let rest: Vec<u8> = 1i64.to_be_bytes().into_iter().chain((-1i32).to_be_bytes()).collect();
        assert_eq!(out, [words, rest].concat());
    }
}
