//! Every flight, one after the other, in bounded memory.

use std::collections::HashMap;

use ommi::prelude::*;

use crate::error::Result;
use crate::model::{Airline, Flight};
use crate::report::{Report, Table};

/// A mean by carrier, summed up while the flights come by.
pub(super) async fn delays(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("How late does each airline arrive on average?")?;
    let names = db.find_all::<Airline>().all().await?;
    let names: HashMap<String, String> = names.into_iter().map(|airline| (airline.carrier, airline.name)).collect();

    let mut sums: HashMap<String, (u32, i64)> = HashMap::new();
    let mut flights = db.find(Flight::arr_delay.is_not_null()).stream();
    while let Some(flight) = flights.try_next().await? {
        let Some(minutes) = flight.arr_delay else { continue };
        let (count, sum) = sums.entry(flight.carrier).or_default();
        *count += 1;
        *sum += i64::from(minutes);
    }

    let mut means: Vec<(String, u32, f64)> =
        sums.into_iter().map(|(carrier, (count, sum))| (carrier, count, sum as f64 / f64::from(count))).collect();
    means.sort_by(|a, b| b.2.total_cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    let mut table = Table::new(["carrier", "airline", ">arrivals", ">mean minutes"]);
    for (carrier, count, mean) in &means {
        let name = names.get(carrier).map_or("?", |name| name);
        // Adding zero makes of a rounded -0.00 a plain one.
        table.row([carrier, &name, count, &format!("{:.2}", (mean * 100.0).round() / 100.0 + 0.0)]);
    }
    report.table(&table)
}
