//! Dates and times as plain numbers, with one text form.
//!
//! The text form is ISO 8601 with a space between date and time and no zone
//! (`2013-01-01 10:00:00`). The fraction is left out when it is zero and loses its
//! trailing zeros otherwise, so that within the years 0000 to 9999 the texts sort
//! as the times do: a driver may store them as text and compare them as text.

use std::fmt;
use std::fmt::Write as _;

use super::calendar;

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A day, as days since 1970-01-01 in the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Days since 1970-01-01; negative before it.
    pub days: i32,
}

/// A time of day, as nanoseconds since midnight; always less than 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay {
    nanos: u64,
}

/// A point on a time line, as seconds since 1970-01-01 00:00:00 and nanoseconds
/// after that second.
///
/// In [`Value::DateTime`](super::Value::DateTime) the line is local time without a
/// zone, in [`Value::Timestamp`](super::Value::Timestamp) it is UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    seconds: i64,
    nanos: u32,
}

impl Date {
    /// The day of this year, month (1 to 12) and day of the month; `None` where
    /// there is no such day.
    pub fn from_ymd(year: i64, month: u8, day: u8) -> Option<Date> {
        let days = i32::try_from(calendar::to_days(year, month, day)?).ok()?;
        Some(Date { days })
    }

    /// Year, month (1 to 12) and day of the month.
    pub fn ymd(self) -> (i64, u8, u8) {
        calendar::from_days(i64::from(self.days))
    }

    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Date> {
        let (date, rest) = read_date(text.as_bytes())?;
        rest.is_empty().then_some(date)
    }
}

impl TimeOfDay {
    /// Nanoseconds since midnight; `None` from 24 hours on.
    pub const fn from_nanos(nanos: u64) -> Option<TimeOfDay> {
        if nanos < NANOS_PER_SECOND * SECONDS_PER_DAY as u64 { Some(TimeOfDay { nanos }) } else { None }
    }

    /// Nanoseconds since midnight.
    pub const fn nanos(self) -> u64 {
        self.nanos
    }

    /// Reads `HH:MM:SS` with an optional fraction of up to nine digits.
    pub fn parse(text: &str) -> Option<TimeOfDay> {
        let (time, rest) = read_time(text.as_bytes())?;
        rest.is_empty().then_some(time)
    }
}

impl Moment {
    /// Seconds since 1970-01-01 00:00:00 and nanoseconds after that second;
    /// `None` where the nanoseconds make up a second or more.
    pub const fn new(seconds: i64, nanos: u32) -> Option<Moment> {
        if (nanos as u64) < NANOS_PER_SECOND { Some(Moment { seconds, nanos }) } else { None }
    }

    /// Whole seconds since 1970-01-01 00:00:00, rounded down.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after [`Moment::seconds`].
    pub const fn nanos(self) -> u32 {
        self.nanos
    }

    /// The year of this moment.
    pub fn year(self) -> i64 {
        calendar::from_days(self.seconds.div_euclid(SECONDS_PER_DAY)).0
    }

    /// Reads `YYYY-MM-DD HH:MM:SS` with an optional fraction; `T` may stand for the
    /// space, and `Z` or `+00:00` may follow.
    pub fn parse(text: &str) -> Option<Moment> {
        let (date, rest) = read_date(text.as_bytes())?;
        let rest = rest.strip_prefix(b" ").or_else(|| rest.strip_prefix(b"T"))?;
        let (time, rest) = read_time(rest)?;
        if !matches!(rest, b"" | b"Z" | b"+00:00") {
            return None;
        }
        let seconds = i64::from(date.days) * SECONDS_PER_DAY + (time.nanos / NANOS_PER_SECOND) as i64;
        Some(Moment { seconds, nanos: (time.nanos % NANOS_PER_SECOND) as u32 })
    }
}

fn digits<const N: usize>(text: &[u8]) -> Option<(i64, &[u8])> {
    let (head, rest) = text.split_first_chunk::<N>()?;
    let mut number = 0;
    for byte in head {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some((number, rest))
}

fn read_date(text: &[u8]) -> Option<(Date, &[u8])> {
    let (year, rest) = digits::<4>(text)?;
    let (month, rest) = digits::<2>(rest.strip_prefix(b"-")?)?;
    let (day, rest) = digits::<2>(rest.strip_prefix(b"-")?)?;
    Some((Date::from_ymd(year, month as u8, day as u8)?, rest))
}

fn read_time(text: &[u8]) -> Option<(TimeOfDay, &[u8])> {
    let (hour, rest) = digits::<2>(text)?;
    let (minute, rest) = digits::<2>(rest.strip_prefix(b":")?)?;
    let (second, mut rest) = digits::<2>(rest.strip_prefix(b":")?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut nanos = 0;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 || length > 9 {
            return None;
        }
        let (number, after) = fraction.split_at_checked(length)?;
        nanos = number.iter().fold(0, |n, byte| n * 10 + u64::from(byte - b'0')) * 10u64.pow(9 - length as u32);
        rest = after;
    }
    let seconds = (hour * 3_600 + minute * 60 + second) as u64;
    Some((TimeOfDay { nanos: seconds * NANOS_PER_SECOND + nanos }, rest))
}

/// Two decimal digits; callers pass numbers below 100.
fn two(out: &mut impl fmt::Write, number: u64) -> fmt::Result {
    out.write_char(char::from(b'0' + (number / 10 % 10) as u8))?;
    out.write_char(char::from(b'0' + (number % 10) as u8))
}

fn write_date(out: &mut impl fmt::Write, (year, month, day): (i64, u8, u8)) -> fmt::Result {
    if let Ok(year @ 0..=9_999) = u64::try_from(year) {
        two(out, year / 100)?;
        two(out, year % 100)?;
    } else {
        write!(out, "{year:+05}")?;
    }
    out.write_char('-')?;
    two(out, u64::from(month))?;
    out.write_char('-')?;
    two(out, u64::from(day))
}

fn write_time(out: &mut impl fmt::Write, seconds: u64, nanos: u32) -> fmt::Result {
    two(out, seconds / 3_600)?;
    out.write_char(':')?;
    two(out, seconds / 60 % 60)?;
    out.write_char(':')?;
    two(out, seconds % 60)?;
    if nanos == 0 {
        return Ok(());
    }
    let (mut fraction, mut width) = (nanos, 9);
    while fraction % 10 == 0 {
        fraction /= 10;
        width -= 1;
    }
    write!(out, ".{fraction:0width$}")
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_date(f, self.ymd())
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_time(f, self.nanos / NANOS_PER_SECOND, (self.nanos % NANOS_PER_SECOND) as u32)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_date(f, calendar::from_days(self.seconds.div_euclid(SECONDS_PER_DAY)))?;
        f.write_char(' ')?;
        write_time(f, self.seconds.rem_euclid(SECONDS_PER_DAY) as u64, self.nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_fraction_is_as_long_as_it_must_be() {
        let moment = |nanos| Moment::new(0, nanos).unwrap().to_string();
        assert_eq!(moment(0), "1970-01-01 00:00:00");
        assert_eq!(moment(500_000_000), "1970-01-01 00:00:00.5");
        assert_eq!(moment(50), "1970-01-01 00:00:00.00000005");
        assert_eq!(Moment::new(0, 1_000_000_000), None);
    }

    #[test]
    fn other_spellings_of_one_moment_are_read() {
        let expected = Moment::new(1_357_034_400, 0);
        for text in ["2013-01-01 10:00:00", "2013-01-01T10:00:00Z", "2013-01-01T10:00:00.000+00:00"] {
            assert_eq!(Moment::parse(text), expected, "{text}");
        }
        for text in [
            "",
            "2013-01-01",
            "2013-01-01 24:00:00",
            "2013-02-30 00:00:00",
            "2013-01-01 10:00:00+01:00",
            "2013-01-01 10:00:00.",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_reads_back_and_sorts_as_time(a in moments(), b in moments()) {
            let (text_a, text_b) = (a.to_string(), b.to_string());
            prop_assert_eq!(Moment::parse(&text_a), Some(a));
            prop_assert_eq!(text_a.cmp(&text_b), a.cmp(&b));
        }
    }

    /// Moments of the years 0000 to 9999, close together often enough to compare fractions.
    fn moments() -> impl Strategy<Value = Moment> {
        let seconds = prop_oneof![-62_167_219_200i64..=253_402_300_799, 0i64..3];
        let nanos = prop_oneof![Just(0), 0u32..1_000_000_000, (0u32..1_000).prop_map(|n| n * 1_000_000)];
        (seconds, nanos).prop_map(|(s, n)| Moment::new(s, n).unwrap())
    }
}
