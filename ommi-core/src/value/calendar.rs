//! Days since 1970-01-01 to and from year, month and day of the proleptic
//! Gregorian calendar.
//!
//! The arithmetic counts in eras of 400 years (146 097 days) that begin on the
//! first of March, so that the leap day is the last of its year. It is here, and
//! not taken from a calendar crate, because it is the one thing that drivers need
//! of a calendar and every row with a date passes through it. The tests compare
//! it with `chrono` over its whole range.

const DAYS_PER_ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const EPOCH_OFFSET: i64 = 719_468;

/// Year, month (1 to 12) and day (1 to 31).
pub(super) fn from_days(days: i64) -> (i64, u8, u8) {
    let days = days + EPOCH_OFFSET;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u8, day as u8)
}

/// Days since 1970-01-01, or `None` where there is no such day.
pub(super) fn to_days(year: i64, month: u8, day: u8) -> Option<i64> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * DAYS_PER_ERA + day_of_era - EPOCH_OFFSET)
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Datelike, NaiveDate};

    #[test]
    fn agrees_with_chrono_over_its_whole_range() {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let first = NaiveDate::MIN.signed_duration_since(epoch).num_days();
        let last = NaiveDate::MAX.signed_duration_since(epoch).num_days();
        for days in (first..=last).step_by(97).chain([first, last, 0, -1]) {
            let date = epoch + chrono::Duration::days(days);
            let expected = (i64::from(date.year()), date.month() as u8, date.day() as u8);
            assert_eq!(from_days(days), expected);
            assert_eq!(to_days(expected.0, expected.1, expected.2), Some(days));
        }
    }

    #[test]
    fn refuses_days_that_do_not_exist() {
        for (year, month, day) in
            [(2023, 2, 29), (1900, 2, 29), (2023, 13, 1), (2023, 0, 1), (2023, 4, 31), (2023, 1, 0)]
        {
            assert_eq!(to_days(year, month, day), None, "{year}-{month}-{day}");
        }
        assert!(to_days(2000, 2, 29).is_some());
    }
}
