//! Loading beside a loader that is written by hand, and the memory that streaming takes.
//!
//! Both loaders get the same rows, read from the files beforehand, and fill a file with the same tables, settings and indexes in one
//! transaction. What is timed is that transaction. Afterwards both files must hold the same.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ommi::prelude::*;
use ommi::sqlite::{Mode, SqliteOptions};
use ommi::{NewRow, Transaction};
use tempfile::TempDir;

use crate::data::{FromLine, Source};
use crate::error::{Error, Result};
use crate::load::{CHUNK, Everything, create};
use crate::model::{Airline, Airport, Flight, Plane, Weather};
use crate::raw;
use crate::report::{Report, Table};

/// How often each loader runs. The median counts: a first run pays for cold caches, and other programs run too.
const ROUNDS: usize = 5;

/// The rows of all files.
pub(crate) struct Rows {
    pub(crate) airlines: Vec<<Airline as Model>::Draft>,
    pub(crate) airports: Vec<<Airport as Model>::Draft>,
    pub(crate) planes: Vec<<Plane as Model>::Draft>,
    pub(crate) weather: Vec<<Weather as Model>::Draft>,
    pub(crate) flights: Vec<<Flight as Model>::Draft>,
}

impl Rows {
    fn read(source: &Source) -> Result<Rows> {
        Ok(Rows {
            airlines: all_lines::<Airline>(source)?,
            airports: all_lines::<Airport>(source)?,
            planes: all_lines::<Plane>(source)?,
            weather: all_lines::<Weather>(source)?,
            flights: all_lines::<Flight>(source)?,
        })
    }
}

fn all_lines<M: FromLine>(source: &Source) -> Result<Vec<M::Draft>> {
    source.lines::<M>()?.chunk(usize::MAX)
}

/// Runs the comparison and prints it.
pub(crate) async fn run(source: &Source) -> Result<()> {
    let folder = TempDir::new().map_err(|source| Error::File { path: std::env::temp_dir(), source })?;
    let by_ommi = folder.path().join("ommi.db");
    let by_hand = folder.path().join("by_hand.db");

    let mut table = Table::new([">round", ">by hand", ">Ommi", ">ratio"]);
    let (mut times_by_hand, mut times_by_ommi) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let rows = Rows::read(source)?;
        remove(&by_ommi)?;
        remove(&by_hand)?;
        let db = open(&by_ommi).await?;
        create(&db, false).await?;
        let time_by_hand = raw::load(&by_hand, &raw::definitions(&by_ommi)?, &rows)?;
        let time_by_ommi = load(&db, rows).await?;
        db.close().await;
        table.row([
            &round,
            &seconds(time_by_hand),
            &seconds(time_by_ommi),
            &format!("{:.2}", time_by_ommi.as_secs_f64() / time_by_hand.as_secs_f64()),
        ]);
        times_by_hand.push(time_by_hand);
        times_by_ommi.push(time_by_ommi);
    }
    let (time_by_hand, time_by_ommi) = (median(times_by_hand), median(times_by_ommi));
    table.row([
        &"median",
        &seconds(time_by_hand),
        &seconds(time_by_ommi),
        &format!("{:.2}", time_by_ommi.as_secs_f64() / time_by_hand.as_secs_f64()),
    ]);

    let (left, right) = (open(&by_ommi).await?, open(&by_hand).await?);
    let flights = same_content(&left, &right).await?;
    left.close().await;
    right.close().await;

    let mut report = Report::new();
    report.question("How long does loading take?")?;
    report.table(&table)?;
    report.note(format_args!("Both files hold the same, with {flights} flights each."))?;
    report.question("By how much does streaming every flight make a fresh process grow?")?;
    report.line(stream_elsewhere(&by_ommi)?)?;
    report.finish()
}

async fn open(path: &Path) -> Result<Ommi> {
    Ok(Ommi::new(SqliteOptions::file(path).mode(Mode::ReadWriteCreate).connect().await?))
}

/// Removes a database of the round before.
fn remove(path: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::File { path: name.into(), source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Loads as [`crate::load::load`] does, from rows that are in memory already.
async fn load(db: &Ommi, rows: Rows) -> Result<Duration> {
    let started = Instant::now();
    db.transaction(async |tx| {
        add::<Airline>(tx, rows.airlines).await?;
        add::<Airport>(tx, rows.airports).await?;
        add::<Plane>(tx, rows.planes).await?;
        add::<Weather>(tx, rows.weather).await?;
        add::<Flight>(tx, rows.flights).await
    })
    .await?;
    Ok(started.elapsed())
}

async fn add<M>(tx: &Transaction<'_>, rows: Vec<M::Draft>) -> DBResult<()>
where
    M: Model,
    M::Draft: NewRow<Model = M>,
{
    let mut rows = rows.into_iter();
    loop {
        let chunk: Vec<M::Draft> = rows.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        tx.add_all(chunk).await?;
    }
}

/// Makes sure that both stores fit the models and hold the same rows. Gives the number of flights.
async fn same_content(left: &Ommi, right: &Ommi) -> Result<u64> {
    right.create_tables::<Everything>().await?;
    let rows = same_rows::<Airline>(left, right).await?
        & same_rows::<Airport>(left, right).await?
        & same_rows::<Plane>(left, right).await?
        & same_rows::<Weather>(left, right).await?
        & same_rows::<Flight>(left, right).await?;
    if !rows {
        return Err(Error::Stopped("the two loaders stored different rows".to_owned()));
    }
    Ok(left.find_all::<Flight>().count().await?)
}

async fn same_rows<M: Model + PartialEq>(left: &Ommi, right: &Ommi) -> Result<bool> {
    // Both were filled in the same order, and without a sort the rows come as they lie in the file.
    let (mut left, mut right) = (left.find_all::<M>().stream(), right.find_all::<M>().stream());
    loop {
        match (left.try_next().await?, right.try_next().await?) {
            (None, None) => return Ok(true),
            (left, right) if left != right => return Ok(false),
            _ => {}
        }
    }
}

/// Streams in a process of its own: this one has grown already, and would hide it.
fn stream_elsewhere(path: &Path) -> Result<String> {
    let program = std::env::current_exe().map_err(|source| Error::File { path: "this program".into(), source })?;
    // In a URL, these two have a meaning.
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F");
    let output = Command::new(&program)
        .args(["--stream-memory", "--database", &format!("sqlite://{path}")])
        .output()
        .map_err(|source| Error::File { path: program, source })?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned()),
        false => Err(Error::Stopped(format!(
            "streaming in a process of its own failed: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        ))),
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}
