//! The loader that Ommi is compared with: what one writes by hand with rusqlite to be fast.
//!
//! One transaction, one prepared statement for each table, values bound by their places, text borrowed from the rows.

use std::fmt::Write;
use std::path::Path;

use chrono::{DateTime, Datelike, Timelike, Utc};
use rusqlite::{Connection, Transaction, params};

use crate::compare::{Rows, Spent, Watch};
use crate::error::Result;
use crate::model::DaylightSaving;

/// The statements that made the tables and indexes of a database, for making the same in another.
pub(crate) fn definitions(path: &Path) -> Result<Vec<String>> {
    let connection = Connection::open(path)?;
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    let mut statement = connection.prepare(sql)?;
    let definitions = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(definitions)
}

/// Creates the database and loads all rows. Gives what the loading took.
pub(crate) fn load(path: &Path, definitions: &[String], rows: &Rows) -> Result<Spent> {
    let mut connection = Connection::open(path)?;
    // As Ommi's driver sets up its connections. It makes checkpoints apart from the commit, so none are made here.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    definitions.iter().try_for_each(|sql| connection.execute_batch(sql))?;

    let watch = Watch::start();
    let transaction = connection.transaction()?;
    small_tables(&transaction, rows)?;
    weather(&transaction, rows)?;
    flights(&transaction, rows)?;
    transaction.commit()?;
    Ok(watch.stop())
}

fn small_tables(transaction: &Transaction<'_>, rows: &Rows) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare("INSERT INTO airlines (carrier, name) VALUES (?, ?)")?;
    for row in &rows.airlines {
        insert.execute(params![row.carrier.get(), row.name.get()])?;
    }
    let mut insert = transaction
        .prepare("INSERT INTO airports (faa, name, lat, lon, alt, tz, dst, tzone) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?;
    for row in &rows.airports {
        insert.execute(params![
            row.faa.get(),
            row.name.get(),
            row.lat.get(),
            row.lon.get(),
            row.alt.get(),
            row.tz.get(),
            row.dst.get().map(|rule: &DaylightSaving| rule.letter()),
            row.tzone.get(),
        ])?;
    }
    let mut insert = transaction.prepare(
        "INSERT INTO planes (tailnum, year, type, manufacturer, model, engines, seats, speed, engine)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for row in &rows.planes {
        insert.execute(params![
            row.tailnum.get(),
            row.year.get(),
            row.kind.get(),
            row.manufacturer.get(),
            row.model.get(),
            row.engines.get(),
            row.seats.get(),
            row.speed.get(),
            row.engine.get(),
        ])?;
    }
    Ok(())
}

fn weather(transaction: &Transaction<'_>, rows: &Rows) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT INTO weather (origin, time_hour, year, month, day, hour, temp, dewp, humid, wind_dir, wind_speed,
                              wind_gust, precip, pressure, visib)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let mut time_hour = String::new();
    for row in &rows.weather {
        write_time(row.time_hour.get(), &mut time_hour);
        insert.execute(params![
            row.origin.get(),
            time_hour,
            row.year.get(),
            row.month.get(),
            row.day.get(),
            row.hour.get(),
            row.temp.get(),
            row.dewp.get(),
            row.humid.get(),
            row.wind_dir.get(),
            row.wind_speed.get(),
            row.wind_gust.get(),
            row.precip.get(),
            row.pressure.get(),
            row.visib.get(),
        ])?;
    }
    Ok(())
}

fn flights(transaction: &Transaction<'_>, rows: &Rows) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT INTO flights (year, month, day, dep_time, sched_dep_time, dep_delay, arr_time, sched_arr_time,
                              arr_delay, carrier, flight, tailnum, origin, dest, air_time, distance, hour, minute,
                              time_hour)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let mut time_hour = String::new();
    for row in &rows.flights {
        write_time(row.time_hour.get(), &mut time_hour);
        insert.execute(params![
            row.year.get(),
            row.month.get(),
            row.day.get(),
            row.dep_time.get(),
            row.sched_dep_time.get(),
            row.dep_delay.get(),
            row.arr_time.get(),
            row.sched_arr_time.get(),
            row.arr_delay.get(),
            row.carrier.get(),
            row.number.get(),
            row.tailnum.get(),
            row.origin.get(),
            row.dest.get(),
            row.air_time.get(),
            row.distance.get(),
            row.hour.get(),
            row.minute.get(),
            time_hour,
        ])?;
    }
    Ok(())
}

/// Writes a time as Ommi stores it, `2013-01-01 10:00:00`, over what was in the text before.
fn write_time(time: Option<&DateTime<Utc>>, text: &mut String) {
    text.clear();
    if let Some(time) = time {
        let (year, month, day) = (time.year(), time.month(), time.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        // Writing to a String cannot fail.
        let _ = write!(text, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}");
    }
}
