//! Changes, all in one transaction that is rolled back in the end: what they do is seen within it, and nowhere afterwards.

use ommi::prelude::*;

use crate::error::Result;
use crate::model::{Airline, Airport, AirportDraft, DaylightSaving, Flight, Plane};
use crate::report::{Report, Table};

pub(super) async fn all(db: &Ommi, report: &mut Report) -> Result<()> {
    let tx = db.begin().await?;
    update(&tx, report).await?;
    upsert(&tx, report).await?;
    save_and_delete(&tx, report).await?;
    tx.rollback().await?;

    report.question("And after the rollback?")?;
    let mut table = Table::new(["what", ">rows"]);
    table.row([&"airlines", &db.find_all::<Airline>().count().await?]);
    table.row([&"airports", &db.find_all::<Airport>().count().await?]);
    table.row([&"flights", &db.find_all::<Flight>().count().await?]);
    table.row([&"planes of AIRBUS INDUSTRIE", &db.find(Plane::manufacturer.eq("AIRBUS INDUSTRIE")).count().await?]);
    report.table(&table)
}

/// Rows changed by a condition, to a value and by a step.
async fn update(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("AIRBUS INDUSTRIE has become AIRBUS, and each of its planes got two more seats. What changed?")?;
    let mut table = Table::new(["", ">before", ">after"]);
    let before = db.find(Plane::manufacturer.eq("AIRBUS")).count().await?;
    let seats_before = db.get::<Plane>("N102UW").await?.seats;
    let changed = db
        .find(Plane::manufacturer.eq("AIRBUS INDUSTRIE"))
        .update((Plane::manufacturer.set("AIRBUS"), Plane::seats.increment(2)))
        .await?;
    let after = db.find(Plane::manufacturer.eq("AIRBUS")).count().await?;
    let seats_after = db.get::<Plane>("N102UW").await?.seats;
    table.row([&"planes of AIRBUS", &before, &after]);
    table.row([&"seats of N102UW", &seats_before, &seats_after]);
    report.table(&table)?;
    report.note(format_args!("{changed} planes were changed, in one statement."))
}

/// The airports that flights name and the data lacks.
fn missing_airports() -> [AirportDraft; 4] {
    let airport = |faa, name, lat, lon, alt| {
        let (dst, tzone) = (DaylightSaving::Never, "America/Puerto_Rico");
        new!(Airport { faa: faa, name: name, lat: lat, lon: lon, alt: alt, tz: -4, dst, tzone })
    };
    [
        airport("BQN", "Rafael Hernandez", 18.4949, -67.1294, 237),
        airport("PSE", "Mercedita", 18.0083, -66.5630, 29),
        airport("SJU", "Luis Munoz Marin Intl", 18.4394, -66.0018, 9),
        airport("STT", "Cyril E King", 18.3373, -64.9734, 23),
    ]
}

/// Rows added unless they are there.
async fn upsert(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("Which airports are added, changed or left alone?")?;
    let before = flights_to_absent(db).await?;
    let mut table = Table::new(["airport", "asked for", "stored name", ">feet"]);
    for airport in missing_airports() {
        let stored = db.upsert(airport).on(Airport::faa).update(Airport::name.set("never used")).await?;
        table.row([&stored.faa, &"add or rename", &stored.name, &stored.alt]);
    }
    for airport in missing_airports().into_iter().skip(2) {
        let changes = (Airport::name.set("Renamed"), Airport::alt.increment(1));
        let stored = db.upsert(airport).on(Airport::faa).update(changes).await?;
        table.row([&stored.faa, &"add or rename", &stored.name, &stored.alt]);
    }
    for airport in missing_airports().into_iter().skip(3) {
        let added = db.upsert(airport).on(Airport::faa).ignore().await?;
        let added = added.map_or("left as it was".to_owned(), |airport| airport.name);
        table.row([&"STT", &"add or leave", &added, &""]);
    }
    report.table(&table)?;
    let after = flights_to_absent(db).await?;
    report.note(format_args!("Flights to an absent airport: {before} before, {after} after."))
}

/// How many flights went to those of the missing airports that are still missing.
async fn flights_to_absent(db: &impl Handle) -> Result<u64> {
    let mut flights = 0;
    for faa in ["BQN", "PSE", "SJU", "STT"] {
        if !db.find(Airport::faa.eq(faa)).exists().await? {
            flights += db.find(Flight::dest.eq(faa)).count().await?;
        }
    }
    Ok(flights)
}

/// One row: added, changed by its key, deleted; and many deleted by a condition.
async fn save_and_delete(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("What becomes of a row that is added, saved and deleted?")?;
    let mut table = Table::new(["done", "result"]);
    let mut airline = db.add(new!(Airline { carrier: "ZZ", name: "Zephyr Air" })).await?;
    table.row([&"add ZZ", &airline.name]);

    airline.name.push_str(" Lines");
    db.save(&mut airline).await?;
    table.row([&"save it under another name", &db.get::<Airline>("ZZ").await?.name]);

    let template = db.find(Flight::carrier.eq("HA")).sort(Flight::id).first().await?;
    if let Some(flight) = template {
        let copy = Flight { carrier: "ZZ".to_owned(), id: 1_000_000, ..flight };
        let mut copy = db.add(copy).await?;
        table.row([&"add a flight of its own with a given key", &format!("key {}", copy.id)]);
        copy.tailnum = None;
        db.save(&mut copy).await?;
        let unknown = db.find(Flight::carrier.eq("ZZ") & Flight::tailnum.is_null()).count().await?;
        table.row([&"save that flight without a plane", &format!("{unknown} flight of ZZ without a plane")]);
        db.delete(&copy).await?;
        table.row([&"delete that flight", &"done"]);
    }

    db.delete(&airline).await?;
    table.row([&"delete ZZ", &"done"]);
    let again = db.delete(&airline).await.err();
    table.row([&"delete ZZ again", &again.map_or("done".to_owned(), |error| format!("error: {error}"))]);

    let cancelled = db.find(Flight::carrier.eq("EV") & Flight::dep_time.is_null()).delete().await?;
    table.row([&"delete the flights of EV that never left", &format!("{cancelled} rows")]);
    report.table(&table)
}
