//! Real flights: loads what left New York in January 2013 (or in all of that year) and answers questions about it.
//!
//! ```text
//! cargo run --release --example flights
//! cargo run --release --example flights -- --help
//! ```
//!
//! Read [`model`] for the five models, [`load`] for how they are filled, and [`questions`] for the queries.

mod cli;
mod compare;
mod data;
mod error;
mod load;
mod model;
mod process;
mod progress;
mod questions;
mod raw;
mod report;

use std::process::ExitCode;
use std::time::Instant;

use ommi::prelude::*;

use crate::cli::Command;
use crate::data::Source;
use crate::error::{Error, Result};
use crate::report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_output() => ExitCode::SUCCESS,
        Err(error @ Error::Usage(_)) => {
            eprintln!("{}\nSee --help.", error.chain());
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{}", error.chain());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    match cli::parse(std::env::args_os().skip(1))? {
        Command::Help => {
            let mut report = Report::new();
            report.text(cli::HELP)?;
            report.finish()
        }
        Command::Answer { source, database, replace } => {
            answer(&source, database.as_deref().unwrap_or("sqlite::memory:"), replace).await
        }
        Command::Compare { source } => compare::run(&source).await,
        Command::StreamMemory { database } => process::stream(&Ommi::connect(&database).await?).await,
    }
}

async fn answer(source: &Source, database: &str, replace: bool) -> Result<()> {
    let db = Ommi::connect(database).await?;
    load::create(&db, replace).await?;
    let started = Instant::now();
    load::load(&db, source).await?;
    eprintln!("loaded in {:.2} s", started.elapsed().as_secs_f64());

    let started = Instant::now();
    let mut report = Report::new();
    questions::answer(&db, &mut report).await?;
    report.finish()?;
    eprintln!("answered in {:.2} s", started.elapsed().as_secs_f64());
    db.close().await;
    Ok(())
}
