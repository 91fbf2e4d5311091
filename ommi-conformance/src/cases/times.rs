//! Dates and times of every kind come back as they went in.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use ommi::driver::DatePrecision;
use ommi::prelude::*;

use super::round_trips::{come_back, samples};
use crate::expect::assert_kind;

samples!(Days, Times, Moments, Instants);

#[derive(Debug, Clone, PartialEq, Model)]
struct Days {
    id: i64,
    day: NaiveDate,
    optional: Option<NaiveDate>,
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default()
}

pub(crate) async fn dates_of_the_first_and_the_last_year(db: &Ommi) -> DBResult<()> {
    let days = [
        day(1, 1, 1),
        day(1, 12, 31),
        day(1582, 10, 10),
        day(1969, 12, 31),
        day(1970, 1, 1),
        day(2000, 2, 29),
        day(2038, 1, 20),
        day(9999, 12, 31),
    ];
    let mut rows: Vec<Days> = (1..).zip(days).map(|(id, day)| Days { id, day, optional: Some(day) }).collect();
    rows.push(Days { id: 100, day: day(1, 1, 1), optional: None });
    come_back(db, rows).await?;
    for day in &days[1..] {
        assert_eq!(db.find(Days::day.eq(*day)).count().await?, 1, "{day}");
    }
    assert_eq!(db.find(Days::day.lt(day(1970, 1, 1))).count().await?, 5);
    Ok(())
}

/// Four digits are what dates as text have; a store that keeps them so must not sort or read others wrongly.
pub(crate) async fn a_date_beyond_year_9999_comes_back_or_is_refused(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Days>().await?;
    db.add(new!(Days { id: 1, day: day(9999, 12, 31) })).await?;
    for (id, far) in [(2, day(10_000, 1, 1)), (3, NaiveDate::MAX), (4, NaiveDate::MIN), (5, day(-1, 12, 31))] {
        match db.add(new!(Days { id, day: far })).await {
            Ok(_) => {
                assert_eq!(db.get::<Days>(id).await?.day, far);
                let later = db.find(Days::day.gt(day(9999, 12, 31)) & Days::id.eq(id)).exists().await?;
                assert_eq!(later, far > day(9999, 12, 31), "{far} in order");
            }
            Err(error) => {
                assert_kind!(Err::<(), _>(error), ErrorKind::InvalidValue { .. });
                assert_eq!(db.find(Days::id.eq(id)).count().await?, 0);
            }
        }
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Times {
    id: i64,
    time: NaiveTime,
    optional: Option<NaiveTime>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Moments {
    id: i64,
    moment: NaiveDateTime,
    optional: Option<NaiveDateTime>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Instants {
    id: i64,
    instant: DateTime<Utc>,
    optional: Option<DateTime<Utc>>,
}

fn time(hour: u32, minute: u32, second: u32, nanos: u32) -> NaiveTime {
    NaiveTime::from_hms_nano_opt(hour, minute, second, nanos).unwrap_or_default()
}

/// Moments with this fraction of a second, before and after 1970 and at both ends of the four-digit years.
fn moments(nanos: u32) -> Vec<NaiveDateTime> {
    vec![
        day(1, 1, 1).and_time(time(0, 0, 0, nanos)),
        day(1969, 12, 31).and_time(time(23, 59, 59, nanos)),
        day(1970, 1, 1).and_time(time(0, 0, 0, nanos)),
        day(2024, 2, 29).and_time(time(12, 30, 1, nanos)),
        day(9999, 12, 31).and_time(time(23, 59, 59, nanos)),
    ]
}

async fn times_come_back(db: &Ommi, nanos: u32) -> DBResult<()> {
    let moments = moments(nanos);
    let ids = 1..;
    let times = ids.clone().zip(&moments).map(|(id, m)| Times { id, time: m.time(), optional: Some(m.time()) });
    come_back(db, times.chain([Times { id: 100, time: time(0, 0, 0, 0), optional: None }]).collect()).await?;
    let rows = ids.clone().zip(&moments).map(|(id, &moment)| Moments { id, moment, optional: Some(moment) });
    come_back(db, rows.chain([Moments { id: 100, moment: NaiveDateTime::default(), optional: None }]).collect())
        .await?;
    let rows = ids.zip(&moments).map(|(id, m)| Instants { id, instant: m.and_utc(), optional: Some(m.and_utc()) });
    come_back(db, rows.chain([Instants { id: 100, instant: DateTime::default(), optional: None }]).collect()).await?;
    for (id, moment) in (1..).zip(&moments) {
        let found = db.find(Instants::instant.eq(moment.and_utc()) & Instants::optional.is_not_null()).one().await?;
        assert_eq!(found.id, id, "{moment}");
        let found = db.find(Moments::moment.between(*moment, *moment) & Moments::optional.is_not_null()).one().await?;
        assert_eq!(found.id, id, "{moment}");
    }
    let before = db.find(Instants::instant.lt(DateTime::UNIX_EPOCH)).count().await?;
    assert_eq!(before, 2, "before 1970");
    Ok(())
}

pub(crate) async fn times_in_seconds(db: &Ommi) -> DBResult<()> {
    times_come_back(db, 0).await
}

pub(crate) async fn times_in_milliseconds(db: &Ommi) -> DBResult<()> {
    times_come_back(db, 1_000_000).await?;
    db.drop_tables::<(Times, Moments, Instants)>().await?;
    times_come_back(db, 999_000_000).await
}

pub(crate) async fn times_in_microseconds(db: &Ommi) -> DBResult<()> {
    times_come_back(db, 123_456_000).await?;
    db.drop_tables::<(Times, Moments, Instants)>().await?;
    times_come_back(db, 1_000).await
}

/// A store that keeps less says so; it does not round in silence.
pub(crate) async fn nanoseconds_come_back_or_are_refused(db: &Ommi) -> DBResult<()> {
    if db.driver().capabilities().date_precision >= DatePrecision::Nanoseconds {
        return times_come_back(db, 123_456_789).await;
    }
    db.create_tables::<(Times, Moments, Instants)>().await?;
    for moment in moments(123_456_789) {
        let row = new!(Times { id: 1, time: moment.time() });
        assert_kind!(db.add(row).await, ErrorKind::InvalidValue { .. });
        let row = new!(Moments { id: 1, moment });
        assert_kind!(db.add(row).await, ErrorKind::InvalidValue { .. });
        let row = new!(Instants { id: 1, instant: moment.and_utc() });
        assert_kind!(db.add(row).await, ErrorKind::InvalidValue { .. });
    }
    assert_eq!(db.find_all::<Instants>().count().await?, 0);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Measured {
    id: i64,
    #[ommi(precision = "ms")]
    at: DateTime<Utc>,
    #[ommi(precision = "ms", truncate)]
    moment: Option<NaiveDateTime>,
    #[ommi(precision = "ms", truncate)]
    time: Option<NaiveTime>,
}

pub(crate) async fn what_is_finer_than_a_declared_precision_is_refused(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Measured>().await?;
    let coarse = day(1969, 12, 31).and_time(time(23, 59, 59, 999_000_000)).and_utc();
    let fine = day(1969, 12, 31).and_time(time(23, 59, 59, 999_001_000)).and_utc();
    assert_kind!(db.add(new!(Measured { id: 1, at: fine })).await, ErrorKind::InvalidValue { .. });
    let mut stored = db.add(new!(Measured { id: 1, at: coarse })).await?;
    let find = || db.find(Measured::id.eq(1));
    assert_kind!(find().update(Measured::at.set(fine)).await, ErrorKind::InvalidValue { .. });
    let upsert = db.upsert(new!(Measured { id: 1, at: coarse })).on(Measured::id);
    assert_kind!(upsert.update(Measured::at.set(fine)).await, ErrorKind::InvalidValue { .. });
    stored.at = fine;
    assert_kind!(db.save(&mut stored).await, ErrorKind::InvalidValue { .. });
    assert_eq!(find().one().await?.at, coarse);
    assert_eq!(db.find(Measured::at.lt(fine)).count().await?, 1, "conditions compare exactly");
    assert_eq!(db.find(Measured::at.eq(fine)).count().await?, 0);
    Ok(())
}

/// Downwards, also before 1970: no moment becomes a later one.
pub(crate) async fn what_is_finer_than_a_declared_precision_is_cut_where_it_may_be(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Measured>().await?;
    let at = DateTime::UNIX_EPOCH;
    let moment = |nanos| day(1969, 12, 31).and_time(time(23, 59, 59, nanos));
    let row = new!(Measured { id: 1, at, moment: moment(123_456_789), time: time(23, 59, 59, 999_999_999) });
    let expected = Measured { id: 1, at, moment: Some(moment(123_000_000)), time: Some(time(23, 59, 59, 999_000_000)) };
    assert_eq!(db.add(row).await?, expected, "the row as it is stored");
    assert_eq!(db.get::<Measured>(1).await?, expected);
    db.find(Measured::id.eq(1)).update(Measured::moment.set(moment(999_999_999))).await?;
    assert_eq!(db.get::<Measured>(1).await?.moment, Some(moment(999_000_000)));
    let mut row = Measured { moment: Some(moment(1)), ..expected };
    db.save(&mut row).await?;
    assert_eq!(db.get::<Measured>(1).await?.moment, Some(moment(0)));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Finest {
    id: i64,
    #[ommi(precision = "ns")]
    at: DateTime<Utc>,
}

pub(crate) async fn a_precision_that_the_store_lacks_is_unsupported(db: &Ommi) -> DBResult<()> {
    let at = day(2024, 2, 29).and_time(time(12, 30, 1, 123_456_789)).and_utc();
    if db.driver().capabilities().date_precision >= DatePrecision::Nanoseconds {
        db.create_tables::<Finest>().await?;
        db.add(Finest { id: 1, at }).await?;
        assert_eq!(db.get::<Finest>(1).await?.at, at);
        return Ok(());
    }
    assert_kind!(db.create_tables::<Finest>().await, ErrorKind::Unsupported { .. });
    assert_kind!(db.add(Finest { id: 1, at }).await, ErrorKind::Unsupported { .. });
    assert_kind!(db.find(Finest::at.eq(at)).count().await, ErrorKind::Unsupported { .. });
    Ok(())
}
