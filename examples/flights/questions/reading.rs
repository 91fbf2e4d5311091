//! Counts, filters, orders and pages.

use chrono::{TimeZone, Utc};
use ommi::prelude::*;

use crate::error::Result;
use crate::model::{Airline, Airport, Flight, Plane, Weather};
use crate::report::{Report, Table, cell};

/// How much there is, and what is missing in it.
pub(super) async fn counts(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("How much was loaded, and what does it lack?")?;
    let mut table = Table::new(["what", ">rows"]);
    table.row([&"airlines", &db.find_all::<Airline>().count().await?]);
    table.row([&"airports", &db.find_all::<Airport>().count().await?]);
    table.row([&"planes", &db.find_all::<Plane>().count().await?]);
    table.row([&"hours of weather", &db.find_all::<Weather>().count().await?]);
    table.row([&"flights", &db.find_all::<Flight>().count().await?]);
    table.row([&"- without a departure time", &db.find(Flight::dep_time.is_null()).count().await?]);
    table.row([&"- without an arrival delay", &db.find(Flight::arr_delay.eq(None)).count().await?]);
    table.row([&"- without a tail number", &db.find(Flight::tailnum.is_null()).count().await?]);
    table.row([&"- more than 120 minutes late", &db.find(Flight::arr_delay.gt(120)).count().await?]);
    report.table(&table)
}

/// A filter, an order of two columns, and a limit.
pub(super) async fn latest(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("Which arrivals were the latest?")?;
    let flights = db
        .find(Flight::arr_delay.gt(120))
        .sort((Flight::arr_delay.desc(), Flight::time_hour, Flight::carrier))
        .limit(6)
        .all()
        .await?;
    let mut table = Table::new([">minutes", "scheduled (UTC)", "flight", "from", "to", "plane"]);
    for flight in &flights {
        table.row([
            &cell(flight.arr_delay),
            &flight.time_hour.format("%Y-%m-%d %H:%M"),
            &format!("{} {}", flight.carrier, flight.number),
            &flight.origin,
            &flight.dest,
            &cell(flight.tailnum.as_ref()),
        ]);
    }
    report.table(&table)
}

/// What a query sends, which each store is told in its own language. Values are shown only to who asks for them.
pub(super) fn explained(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("What is sent to the store for that?")?;
    let query = db.find(Flight::arr_delay.gt(120)).sort((Flight::arr_delay.desc(), Flight::time_hour, Flight::carrier));
    let explanation = query.limit(6).explain()?;
    report.line("One statement, in the language of the store; standard error has it, with its values.")?;
    report.aside(&explanation.with_values().to_string());
    Ok(())
}

/// Conditions that may be asked for or not, as in a form that is filled in.
#[derive(Default)]
struct Search {
    carrier: Option<&'static str>,
    from: Option<&'static str>,
    to: &'static [&'static str],
    late_by: Option<i16>,
}

impl Search {
    fn condition(&self) -> Predicate<Flight> {
        all_of([
            self.carrier.map(|carrier| Flight::carrier.eq(carrier)),
            self.from.map(|from| Flight::origin.eq(from)),
            (!self.to.is_empty()).then(|| any_of(self.to.iter().map(|&to| Flight::dest.eq(to)))),
            self.late_by.map(|minutes| Flight::arr_delay.ge(minutes)),
        ])
    }
}

/// Optional conditions.
pub(super) async fn search(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("How many flights does each search find?")?;
    let searches = [
        Search::default(),
        Search { carrier: Some("UA"), ..Search::default() },
        Search { carrier: Some("UA"), from: Some("EWR"), ..Search::default() },
        Search { carrier: Some("UA"), from: Some("EWR"), to: &["SFO", "LAX"], late_by: None },
        Search { carrier: Some("UA"), from: Some("EWR"), to: &["SFO", "LAX"], late_by: Some(30) },
    ];
    let mut table = Table::new(["carrier", "from", "to", ">late by", ">flights"]);
    for search in &searches {
        let to = if search.to.is_empty() { "any".to_owned() } else { search.to.join(" or ") };
        let late_by = search.late_by.map_or_else(|| "any".to_owned(), |minutes| minutes.to_string());
        let found = db.find(search.condition()).count().await?;
        table.row([&search.carrier.unwrap_or("any"), &search.from.unwrap_or("any"), &to, &late_by, &found]);
    }
    report.table(&table)
}

/// Paging.
pub(super) async fn page(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("Which airports keep the time of Honolulu? The second page, five to a page")?;
    let query = db.find(Airport::tzone.eq("Pacific/Honolulu"));
    let total = query.clone().count().await?;
    let mut table = Table::new(["airport", "name", ">north", ">feet"]);
    for airport in query.sort(Airport::name).page(1, 5).all().await? {
        table.row([&airport.faa, &airport.name, &format!("{:.2}", airport.lat), &airport.alt]);
    }
    report.table(&table)?;
    report.note(format_args!("{} airports on {} pages.", total, total.div_ceil(5)))
}

/// `in_` and `not_in`, also of nothing.
pub(super) async fn lists(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("How many flights went to, or were flown by, these?")?;
    let nobody: [&str; 0] = [];
    let mut table = Table::new(["condition", ">flights"]);
    let mut count = async |shown: &str, condition| {
        table.row([&shown, &db.find(condition).count().await?]);
        DBResult::Ok(())
    };
    count("to Anchorage or Honolulu", Flight::dest.in_(["ANC", "HNL"])).await?;
    count("to one of no airports", Flight::dest.in_(nobody)).await?;
    count("by none of the five large airlines", Flight::carrier.not_in(["UA", "B6", "EV", "DL", "AA"])).await?;
    count("by none of no airlines", Flight::carrier.not_in(nobody)).await?;
    report.table(&table)
}

/// Text, with and without regard to case. Wildcards mean themselves.
pub(super) async fn text(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("Which names contain what?")?;
    let mut table = Table::new(["airports whose name", ">airports"]);
    let mut count = async |shown: &str, condition| {
        table.row([&shown, &db.find(condition).count().await?]);
        DBResult::Ok(())
    };
    count("contains `Intl`", Airport::name.contains("Intl")).await?;
    count("contains `intl`", Airport::name.contains("intl")).await?;
    count("contains `intl`, whatever the case", Airport::name.icontains("intl")).await?;
    count("begins with `La `", Airport::name.starts_with("La ")).await?;
    count("begins with `la `, whatever the case", Airport::name.istarts_with("la ")).await?;
    count("ends with `Field`", Airport::name.ends_with("Field")).await?;
    count("ends with `field`, whatever the case", Airport::name.iends_with("field")).await?;
    count("contains `%`", Airport::name.contains("%")).await?;
    count("contains a backslash", Airport::name.contains("\\")).await?;
    report.table(&table)?;
    let airline = db.find(Airline::name.ieq("JETBLUE airways")).one().await?;
    report.note(format_args!("`JETBLUE airways`, whatever the case, is {} ({}).", airline.name, airline.carrier))
}

/// `between`, one column against another, and negation.
pub(super) async fn ranges(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("How far, how early, and did they catch up?")?;
    let mut table = Table::new(["flights that", ">flights"]);
    let mut count = async |shown: &str, condition| {
        table.row([&shown, &db.find(condition).count().await?]);
        DBResult::Ok(())
    };
    count("went 2000 to 2500 miles", Flight::distance.between(2000, 2500)).await?;
    count("left before five in the morning", Flight::dep_time.between(1, 459)).await?;
    count("left and arrived late", Flight::dep_delay.gt(0) & Flight::arr_delay.gt(0)).await?;
    count("left or arrived late", Flight::dep_delay.gt(0) | Flight::arr_delay.gt(0)).await?;
    count("arrived with less delay than they left with", Flight::arr_delay.lt(Flight::dep_delay)).await?;
    count("did not", !Flight::arr_delay.lt(Flight::dep_delay)).await?;
    report.table(&table)?;
    report
        .note("The last two leave out the flights of which one delay is not known: NULL is neither less nor not less.")
}

/// One row or none, by key and by condition.
pub(super) async fn single(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("Is it there?")?;
    let mut table = Table::new(["what is asked for", "answer"]);

    let plane = db.get::<Plane>("N102UW").await?;
    let age = cell(plane.year);
    table.row([&"the plane N102UW", &format!("{} {} of {age}", plane.manufacturer, plane.model)]);

    // A composite key is a tuple. What is missing is an error, unless one says that it may be.
    let first_hour = Utc.with_ymd_and_hms(2013, 1, 1, 6, 0, 0).single();
    let weather = match first_hour {
        Some(hour) => db.get::<Weather>(("JFK", hour)).optional().await?,
        None => None,
    };
    let temperature = cell(weather.and_then(|weather| weather.temp));
    table.row([&"the temperature in the first hour at JFK", &temperature]);

    let missing = db.get::<Plane>("N0000").await.err();
    table.row([&"the plane N0000", &missing.map_or_else(|| "found".to_owned(), |error| format!("error: {error}"))]);
    let missing = db.get::<Plane>("N0000").optional().await?;
    table.row([&"the plane N0000, if there is one", &missing.map_or("none", |_| "found")]);

    let nothing = "no such airport".to_owned();
    let name = db.get::<Airport>("SJU").await.map(|airport| airport.name).or_use(nothing);
    table.row([&"the name of the airport SJU", &name]);

    let first = db.find(Airport::alt.lt(0)).sort(Airport::alt).first().await?;
    table.row([&"the lowest airport below the sea", &first.map_or("none".to_owned(), |airport| airport.name)]);
    let exists = db.find(Flight::carrier.eq("HA") & Flight::origin.ne("JFK")).exists().await?;
    table.row([&"a flight of HA from elsewhere than JFK", &exists]);
    report.table(&table)
}
