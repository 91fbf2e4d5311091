//! NULL: neither equal nor unequal to anything, first in an ascending order unless one says otherwise.

use ommi::prelude::*;

use crate::error::Result;
use crate::model::Plane;
use crate::report::{Report, Table, cell};

/// Three-valued comparison.
pub(super) async fn comparing(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("How fast do planes cruise? Of most, it is not known")?;
    let mut table = Table::new(["planes whose speed", ">planes"]);
    let mut count = async |shown: &str, condition| {
        table.row([&shown, &db.find(condition).count().await?]);
        DBResult::Ok(())
    };
    count("is 432", Plane::speed.eq(432)).await?;
    count("is another", Plane::speed.ne(432)).await?;
    count("is not known", Plane::speed.is_null()).await?;
    count("is not 432, or not known", Plane::speed.ne(432) | Plane::speed.is_null()).await?;
    count("is 432 or NULL, as a list", Plane::speed.in_([Some(432), None])).await?;
    report.table(&table)?;
    report.note("`in_` with NULL in the list finds no NULL either: it is not equal to itself.")
}

/// Where NULL goes in an order.
pub(super) async fn sorting(db: &impl Handle, report: &mut Report) -> Result<()> {
    report.question("Which planes with one engine and up to five seats are the oldest?")?;
    let small = db.find(Plane::engines.eq(1) & Plane::seats.le(5));
    let mut table = Table::new([">", "plane", ">year", "plane, the unknown last", ">year"]);
    let plain = small.clone().sort((Plane::year, Plane::tailnum)).limit(7).all().await?;
    let last = small.sort((Plane::year.asc().nulls_last(), Plane::tailnum.asc())).limit(7).all().await?;
    for (i, (plain, last)) in plain.iter().zip(&last).enumerate() {
        table.row([&(i + 1), &plain.tailnum, &cell(plain.year), &last.tailnum, &cell(last.year)]);
    }
    report.table(&table)
}
