//! References: by the columns they consist of, and those that lead nowhere.

use std::collections::{BTreeMap, HashSet};

use ommi::prelude::*;

use crate::error::Result;
use crate::model::{Airline, Airport, Flight, Plane, Weather};
use crate::report::{Report, Table, cell};

/// From an hour of weather to its flights, by two columns.
pub(super) async fn weather(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("How many flights were to leave in the hours that were coldest or had the strongest wind?")?;
    let coldest = (Weather::temp.asc().nulls_last(), Weather::origin.asc(), Weather::time_hour.asc());
    let coldest = db.find_all::<Weather>().sort(coldest).limit(3).all().await?;
    let windiest = (Weather::wind_speed.desc(), Weather::origin.asc(), Weather::time_hour.asc());
    let windiest = db.find(Weather::wind_speed.lt(100.0)).sort(windiest).limit(3).all().await?;

    let mut table =
        Table::new(["hour (UTC)", "airport", ">Fahrenheit", ">miles per hour", ">flights", ">of them left"]);
    for hour in coldest.iter().chain(&windiest) {
        let flights = db.find(Flight::origin.eq(&hour.origin) & Flight::time_hour.eq(hour.time_hour));
        let left = flights.clone().filter(Flight::dep_time.is_not_null()).count().await?;
        table.row([
            &hour.time_hour.format("%Y-%m-%d %H:%M"),
            &hour.origin,
            &cell(hour.temp.map(|degrees| format!("{degrees:.1}"))),
            &cell(hour.wind_speed.map(|speed| format!("{speed:.1}"))),
            &flights.count().await?,
            &left,
        ]);
    }
    report.table(&table)?;
    let wrong = db.find(Weather::wind_speed.ge(100.0)).count().await?;
    report.note(format_args!("Hours with a wind of 100 miles per hour or more, which nobody believes: {wrong}."))
}

/// The references that lead nowhere. They are part of the data, and are kept.
pub(super) async fn dangling(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("Which references lead nowhere?")?;
    let airlines = db.find_all::<Airline>().all().await?;
    let no_airline = Flight::carrier.not_in(airlines.iter().map(|airline| airline.carrier.as_str()));
    let no_airline = db.find(no_airline).count().await?;
    let no_tail_number = db.find(Flight::tailnum.is_null()).count().await?;

    // Lists of thousands would be long, and a reference of two columns has no list to be in. What is referred to fits into memory; the flights
    // are read as a stream, once.
    let airports = db.find_all::<Airport>().all().await?;
    let airports: HashSet<_> = airports.iter().map(|airport| airport.faa.as_str()).collect();
    let planes = db.find_all::<Plane>().all().await?;
    let planes: HashSet<_> = planes.iter().map(|plane| plane.tailnum.as_str()).collect();
    let hours = db.find_all::<Weather>().all().await?;
    let hours: HashSet<_> = hours.iter().map(|hour| (hour.origin.as_str(), hour.time_hour)).collect();
    let (mut no_plane, mut no_origin, mut no_weather) = (0u64, 0u64, 0u64);
    let mut destinations: BTreeMap<String, u64> = BTreeMap::new();
    let mut flights = db.find_all::<Flight>().stream();
    while let Some(flight) = flights.try_next().await? {
        no_plane += u64::from(flight.tailnum.as_deref().is_some_and(|plane| !planes.contains(plane)));
        no_origin += u64::from(!airports.contains(flight.origin.as_str()));
        no_weather += u64::from(!hours.contains(&(flight.origin.as_str(), flight.time_hour)));
        if !airports.contains(flight.dest.as_str()) {
            *destinations.entry(flight.dest).or_default() += 1;
        }
    }
    drop(flights);

    let mut table = Table::new(["flights that name", "and it is", ">flights"]);
    table.row([&"an airline", &"absent", &no_airline]);
    table.row([&"a plane", &"absent", &no_plane]);
    table.row([&"a plane", &"NULL", &no_tail_number]);
    table.row([&"an origin", &"absent", &no_origin]);
    table.row([&"a destination", &"absent", &destinations.values().sum::<u64>()]);
    table.row([&"an hour of weather", &"absent", &no_weather]);
    report.table(&table)?;

    let destinations: Vec<String> = destinations.iter().map(|(faa, flights)| format!("{faa} ({flights})")).collect();
    report.note(format_args!("The destinations that no airport has: {}.", destinations.join(", ")))
}
