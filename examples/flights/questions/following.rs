//! Relations: loaded with rows, loaded when they are needed, and in conditions; and those that lead nowhere.

use std::collections::{BTreeMap, BTreeSet};

use ommi::prelude::*;

use crate::error::Result;
use crate::model::{Airline, Airport, Flight, Plane, Weather};
use crate::report::{Report, Table, cell};

/// From hours of weather to their flights, by two columns.
pub(super) async fn weather(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("How many flights were to leave in the hours that were coldest or had the strongest wind?")?;
    let coldest = (Weather::temp.asc().nulls_last(), Weather::origin.asc(), Weather::time_hour.asc());
    let coldest = db.find_all::<Weather>().sort(coldest).limit(3).include(Weather::flights).all().await?;
    let windiest = (Weather::wind_speed.desc(), Weather::origin.asc(), Weather::time_hour.asc());
    let windiest = db.find(Weather::wind_speed.lt(100.0)).sort(windiest).limit(3);
    let windiest = windiest.include(Weather::flights).all().await?;

    let mut table =
        Table::new(["hour (UTC)", "airport", ">Fahrenheit", ">miles per hour", ">flights", ">of them left"]);
    for hour in coldest.iter().chain(&windiest) {
        let flights = hour.flights.get().unwrap_or_default();
        table.row([
            &hour.time_hour.format("%Y-%m-%d %H:%M"),
            &hour.origin,
            &cell(hour.temp.map(|degrees| format!("{degrees:.1}"))),
            &cell(hour.wind_speed.map(|speed| format!("{speed:.1}"))),
            &flights.len(),
            &flights.iter().filter(|flight| flight.dep_time.is_some()).count(),
        ]);
    }
    report.table(&table)?;
    let wrong = db.find(Weather::wind_speed.ge(100.0)).count().await?;
    report.note(format_args!("Hours with a wind of 100 miles per hour or more, which nobody believes: {wrong}."))
}

/// The references that lead nowhere. They are part of the data, and are kept.
pub(super) async fn dangling(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("Which references lead nowhere?")?;
    let mut table = Table::new(["flights that name", "and it is", ">flights"]);
    let mut count = async |what: &str, how: &str, condition: Predicate<Flight>| {
        table.row([&what, &how, &db.find(condition).count().await?]);
        DBResult::Ok(())
    };
    count("an airline", "absent", Flight::airline.is_none()).await?;
    // A relation leads to none both where its column is NULL and where there is no such row.
    count("a plane", "absent", Flight::plane.is_none() & Flight::tailnum.is_not_null()).await?;
    count("a plane", "NULL", Flight::tailnum.is_null()).await?;
    count("an origin", "absent", Flight::origin_airport.is_none()).await?;
    count("a destination", "absent", Flight::dest_airport.is_none()).await?;
    count("an hour of weather", "absent", Flight::weather.is_none()).await?;
    report.table(&table)?;

    let mut destinations: BTreeMap<String, u64> = BTreeMap::new();
    let mut flights = db.find(Flight::dest_airport.is_none()).stream();
    while let Some(flight) = flights.try_next().await? {
        *destinations.entry(flight.dest).or_default() += 1;
    }
    let destinations: Vec<String> = destinations.iter().map(|(faa, flights)| format!("{faa} ({flights})")).collect();
    report.note(format_args!("The destinations that no airport has: {}.", destinations.join(", ")))
}

/// What belongs to a flight, loaded when it is needed: the first `load` of a relation fetches for all flights of the query.
pub(super) async fn flights(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("Which flights to the islands left the latest, with which plane and in what weather?")?;
    let islands = Flight::dest.in_(["HNL", "SJU", "BQN", "PSE", "STT"]) & Flight::dep_time.is_not_null();
    let flights = db.find(islands).sort((Flight::dep_delay.desc(), Flight::id)).limit(6).all().await?;
    let mut table = Table::new([">minutes", "airline", "from", "to", "plane", "weather"]);
    for flight in &flights {
        let plane = match flight.plane.load(db).await? {
            Some(plane) => format!("{} {}", plane.manufacturer, plane.model),
            None => absent(flight.tailnum.as_deref().unwrap_or("NULL")),
        };
        let weather = match flight.weather.load(db).await? {
            Some(hour) => format!("{} degrees", cell(hour.temp.map(|degrees| format!("{degrees:.0}")))),
            None => absent("that hour"),
        };
        table.row([
            &cell(flight.dep_delay),
            &flight.airline.load(db).await?.name,
            &name(flight.origin_airport.load(db).await?, &flight.origin),
            &name(flight.dest_airport.load(db).await?, &flight.dest),
            &plane,
            &weather,
        ]);
    }
    report.table(&table)?;
    report.note("Six statements: one for the flights, and one for each of the five relations.")
}

/// Related rows in an order and a number that hold for each row by itself, with rows of their own.
pub(super) async fn airports(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("Which three departures were the last from each of the busiest airports?")?;
    let last = Airport::departures
        .filter(Flight::dep_time.is_not_null())
        .sort((Flight::time_hour.desc(), Flight::minute.desc(), Flight::id.desc()))
        .limit(3)
        .include((Flight::airline, Flight::dest_airport));
    let busiest = db.find(Airport::departures.count().ge(3_000)).sort(Airport::name).include(last).all().await?;
    let mut table = Table::new(["from", "scheduled (UTC)", "airline", "to"]);
    for airport in &busiest {
        for flight in airport.departures.get().unwrap_or_default() {
            table.row([
                &airport.name,
                &format!("{}:{:02}", flight.time_hour.format("%Y-%m-%d %H"), flight.minute),
                &flight.airline.get().map_or("?", |airline| &airline.name),
                &name(flight.dest_airport.get(), &flight.dest),
            ]);
        }
    }
    report.table(&table)?;
    report.note("Four statements: one for the airports, and one for each relation.")
}

/// Conditions on related rows, also such as are put together at run time.
pub(super) async fn planes(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("How many planes did what?")?;
    let mut table = Table::new(["planes that", ">planes"]);
    let mut count = async |what: &str, condition: Predicate<Plane>| {
        table.row([&what, &db.find(condition).count().await?]);
        DBResult::Ok(())
    };
    let from = |origin: &str| Plane::flights.any(Flight::origin.eq(origin));
    let never_late = Plane::flights.all(Flight::arr_delay.le(0));
    let never_left = Plane::flights.all(Flight::dep_time.is_null());
    count("arrived in time each of at least five times", never_late & Plane::flights.count().ge(5)).await?;
    count("were to leave from all three airports", from("EWR") & from("JFK") & from("LGA")).await?;
    count("were to leave, and never did", never_left & !Plane::flights.is_empty()).await?;
    count("were not to leave at all", Plane::flights.is_empty()).await?;
    let airlines = db.find_all::<Airline>().all().await?;
    let several = any_of(airlines.iter().map(|airline| {
        let theirs = Flight::carrier.eq(&airline.carrier);
        Plane::flights.any(theirs.clone()) & Plane::flights.any(!theirs)
    }));
    count("flew for several airlines", several.clone()).await?;
    report.table(&table)?;

    let shared = db.find(several).sort(Plane::tailnum).include(Plane::flights).all().await?;
    let shared: Vec<String> = shared.iter().map(|plane| format!("{} ({})", plane.tailnum, carriers(plane))).collect();
    let shared = if shared.is_empty() { "none".to_owned() } else { shared.join(", ") };
    report.note(format_args!("Those of several airlines: {shared}."))
}

/// The airlines that a plane flew for, each once.
fn carriers(plane: &Plane) -> String {
    let flights = plane.flights.get().unwrap_or_default();
    let carriers: BTreeSet<&str> = flights.iter().map(|flight| flight.carrier.as_str()).collect();
    carriers.into_iter().collect::<Vec<_>>().join(" and ")
}

/// The name of an airport, or of one that is not there.
fn name(airport: Option<&Airport>, faa: &str) -> String {
    airport.map_or_else(|| absent(faa), |airport| airport.name.clone())
}

fn absent(what: &str) -> String {
    format!("{what}, which is not there")
}
