//! What the process uses: its memory while it streams, and its time on the processors.

use std::time::{Duration, Instant};

use ommi::prelude::*;

use crate::error::Result;
use crate::model::Flight;
use crate::report::Report;

/// How many rows are read between two looks at the process.
const LOOK_EVERY: u64 = 1024;

/// Streams every flight and prints how much memory that took.
pub(crate) async fn stream(db: &Ommi) -> Result<()> {
    let before = resident();
    let started = Instant::now();
    let (mut rows, mut most) = (0u64, before);
    let mut flights = db.find_all::<Flight>().stream();
    while let Some(flight) = flights.try_next().await? {
        // Reading a field keeps the compiler from leaving out what nobody looks at.
        rows += u64::from(flight.id != 0);
        if rows.is_multiple_of(LOOK_EVERY) {
            most = most.max(resident());
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let streamed = format!("streamed {rows} flights in {seconds:.2} s");
    let mut report = Report::new();
    report.text(&match before.zip(most) {
        Some((before, most)) => {
            let grown = (most - before) as f64 / 1024.0;
            format!("{streamed}; the process grew by {grown:.1} MiB, from {} MiB", before / 1024)
        }
        None => format!("{streamed}; by how much the process grew can be read on Linux only"),
    })?;
    report.finish()
}

/// The memory that the process has in RAM, in KiB, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The time that all threads of the process have spent on processors, where the system tells.
pub(crate) fn processor_time() -> Option<Duration> {
    // The numbers begin after the program's name, which stands in parentheses and may itself hold any character.
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    // Linux counts them in hundredths of a second.
    Some(Duration::from_millis((user + system) * 10))
}
