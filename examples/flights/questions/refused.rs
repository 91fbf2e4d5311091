//! What is refused, by the store or before anything is sent: typed errors that say what, where and why.

use ommi::prelude::*;

use crate::error::Result;
use crate::model::{Airline, Airport, Flight, Plane};
use crate::report::{Report, Table};

pub(super) async fn all(db: &Ommi, report: &mut Report) -> Result<()> {
    report.question("What is refused, and how does one know?")?;
    let mut refusals =
        Refusals { table: Table::new([">", "tried", "kind", "table", "columns"]), sentences: Vec::new() };

    let twice = new!(Airline { carrier: "B6", name: "Another Blue" });
    refusals.add("add a second airline B6", db.add(twice).await.err());
    let seats = db.find(Plane::tailnum.eq("N102UW")).update(Plane::seats.increment(32_700));
    refusals.add("give a plane more seats than an i16 holds", seats.await.err());
    refusals.add("look for a latitude that is NaN", db.find(Airport::lat.lt(f64::NAN)).count().await.err());
    let anything: [Predicate<Plane>; 0] = [];
    refusals.add("delete by a condition that is empty", db.find(all_of(anything)).delete().await.err());
    refusals.add("get a plane that is not there", db.get::<Plane>("N0000").await.err());

    report.table(&refusals.table)?;
    report.note("In words:")?;
    refusals.sentences.iter().try_for_each(|sentence| report.line(sentence))?;
    references(db, report).await
}

/// Not every store checks references, and not every one that does says what refers to a row that is to be deleted: that is no part of the
/// answers.
async fn references(db: &Ommi, report: &mut Report) -> Result<()> {
    if !db.driver().capabilities().foreign_keys {
        report.aside("This store checks no references.");
        return Ok(());
    }
    let told = |error: Option<DBError>| error.map_or("was not refused".to_owned(), |error| error.to_string());
    let unknown = db.find(Flight::carrier.eq("HA")).sort(Flight::id).first().await?;
    if let Some(flight) = unknown {
        let flight = Flight { id: 1_000_000, carrier: "ZZ".to_owned(), ..flight };
        report.aside(&format!("To add a flight of an unknown airline: {}", told(db.add(flight).await.err())));
    }
    let airline = db.get::<Airline>("UA").await?;
    report.aside(&format!("To delete an airline that has flights: {}", told(db.delete(&airline).await.err())));
    Ok(())
}

struct Refusals {
    table: Table,
    sentences: Vec<String>,
}

impl Refusals {
    fn add(&mut self, tried: &str, error: Option<DBError>) {
        let number = self.sentences.len() + 1;
        let Some(error) = error else {
            self.table.row([&number, &tried, &"not refused", &"", &""]);
            self.sentences.push(format!("{number}. was not refused"));
            return;
        };
        let (table, columns) = match error.kind() {
            ErrorKind::Constraint(constraint) => (constraint.table().unwrap_or("?"), constraint.columns().join(", ")),
            ErrorKind::OutOfRange { table, column, .. } => (table.as_str(), column.clone().unwrap_or_default()),
            _ => ("", String::new()),
        };
        self.table.row([&number, &tried, &kind(&error), &table, &columns]);
        self.sentences.push(format!("{number}. {}", sentence(&error)));
    }
}

/// An error in words, without the name of a constraint, which not every store tells.
fn sentence(error: &DBError) -> String {
    let words = error.to_string();
    let name = match error.kind() {
        ErrorKind::Constraint(constraint) => constraint.name().map(|name| format!(" (constraint `{name}`)")),
        _ => None,
    };
    words.strip_suffix(name.as_deref().unwrap_or_default()).map_or(words.clone(), str::to_owned)
}

/// The kind of an error, as one word or two.
fn kind(error: &DBError) -> String {
    match error.kind() {
        ErrorKind::NotFound { .. } => "NotFound".to_owned(),
        ErrorKind::Constraint(constraint) => format!("Constraint {:?}", constraint.kind()),
        ErrorKind::InvalidValue { .. } => "InvalidValue".to_owned(),
        ErrorKind::OutOfRange { .. } => "OutOfRange".to_owned(),
        ErrorKind::Query => "Query".to_owned(),
        _ => "another".to_owned(),
    }
}
