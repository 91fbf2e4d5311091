//! The questions, by what they show: reading rows, reading NULL, following references, reading everything as a stream,
//! changing rows, and being refused.

mod changing;
mod following;
mod nulls;
mod reading;
mod refused;
mod streaming;

use ommi::prelude::*;

use crate::error::Result;
use crate::report::Report;

/// Asks them all, in order. What they change is rolled back, so the store is afterwards what it was before.
pub(crate) async fn answer(db: &Ommi, report: &mut Report) -> Result<()> {
    reading::counts(db, report).await?;
    reading::latest(db, report).await?;
    reading::explained(db, report)?;
    reading::search(db, report).await?;
    reading::page(db, report).await?;
    reading::lists(db, report).await?;
    reading::text(db, report).await?;
    reading::ranges(db, report).await?;
    reading::single(db, report).await?;
    nulls::comparing(db, report).await?;
    nulls::sorting(db, report).await?;
    following::weather(db, report).await?;
    following::dangling(db, report).await?;
    following::flights(db, report).await?;
    following::airports(db, report).await?;
    following::planes(db, report).await?;
    streaming::delays(db, report).await?;
    changing::all(db, report).await?;
    refused::all(db, report).await
}
