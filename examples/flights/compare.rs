//! Loading beside a loader that is written by hand, and the memory that streaming takes.
//!
//! Both loaders get the same rows, read from the files beforehand, and fill a file with the same tables, settings and indexes in one
//! transaction. What is timed is that transaction. Afterwards both files must hold the same.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ommi::prelude::*;
use ommi::sqlite::{Mode, SqliteOptions};
use ommi::{NewRow, Transaction};

use crate::data::{FromLine, Source};
use crate::error::{Error, Result};
use crate::load::{CHUNK, Everything, create};
use crate::model::{Airline, Airport, Flight, Plane, Weather};
use crate::process::processor_time;
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
    let folder = Folder::new()?;
    let by_ommi = folder.0.join("ommi.db");
    let by_hand = folder.0.join("by_hand.db");

    let mut table = Table::new([">round", ">by hand", ">Ommi", ">ratio", ">CPU by hand", ">CPU Ommi", ">ratio"]);
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        let rows = Rows::read(source)?;
        remove(&by_ommi)?;
        remove(&by_hand)?;
        let db = open(&by_ommi).await?;
        create(&db, false).await?;
        let by_hand = raw::load(&by_hand, &raw::definitions(&by_ommi)?, &rows)?;
        let by_ommi = load(&db, rows).await?;
        db.close().await;
        row(&mut table, &round, by_hand, by_ommi);
        rounds.push((by_hand, by_ommi));
    }
    medians(&mut table, &rounds);

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

/// A folder for the two files, which goes with what is in it when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder> {
        let path = std::env::temp_dir().join(format!("ommi-flights-{}", std::process::id()));
        match std::fs::create_dir(&path) {
            Ok(()) => Ok(Folder(path)),
            Err(source) => Err(Error::Folder { path, source }),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, which clears this place now and then.
        let _ = std::fs::remove_dir_all(&self.0);
    }
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
async fn load(db: &Ommi, rows: Rows) -> Result<Spent> {
    let watch = Watch::start();
    db.transaction(async |tx| {
        add::<Airline>(tx, rows.airlines).await?;
        add::<Airport>(tx, rows.airports).await?;
        add::<Plane>(tx, rows.planes).await?;
        add::<Weather>(tx, rows.weather).await?;
        add::<Flight>(tx, rows.flights).await
    })
    .await?;
    Ok(watch.stop())
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

/// A watch that measures a loader.
pub(crate) struct Watch {
    started: Instant,
    processor: Option<Duration>,
}

impl Watch {
    pub(crate) fn start() -> Watch {
        Watch { processor: processor_time(), started: Instant::now() }
    }

    pub(crate) fn stop(self) -> Spent {
        let time = self.started.elapsed();
        Spent { time, processor: processor_time().zip(self.processor).map(|(now, then)| now.saturating_sub(then)) }
    }
}

/// What a loader took: time, and time on processors, which tells more where other programs run too.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    time: Duration,
    processor: Option<Duration>,
}

/// The median of each column. That of the ratios is of those within a round: what slows the machine down slows both.
fn medians(table: &mut Table, rounds: &[(Spent, Spent)]) {
    let seconds = |number: f64| format!("{number:.3} s");
    let times = |pick: fn(&(Spent, Spent)) -> Duration| -> Vec<f64> {
        rounds.iter().map(|round| pick(round).as_secs_f64()).collect()
    };
    let processor = |pick: fn(&(Spent, Spent)) -> Option<Duration>| -> Vec<f64> {
        rounds.iter().filter_map(|round| Some(pick(round)?.as_secs_f64())).collect()
    };
    let ratios = |hand: &[f64], ommi: &[f64]| -> Vec<f64> { hand.iter().zip(ommi).map(|(h, o)| o / h).collect() };
    let median = |mut numbers: Vec<f64>, write: &dyn Fn(f64) -> String| {
        numbers.sort_by(f64::total_cmp);
        numbers.get(numbers.len() / 2).map_or("?".to_owned(), |&number| write(number))
    };
    let ratio = |number: f64| format!("{number:.2}");
    let (hand, ommi) = (times(|round| round.0.time), times(|round| round.1.time));
    let (hand_cpu, ommi_cpu) = (processor(|round| round.0.processor), processor(|round| round.1.processor));
    let (wall, cpu) = (ratios(&hand, &ommi), ratios(&hand_cpu, &ommi_cpu));
    table.row([
        &"median" as &dyn Display,
        &median(hand, &seconds),
        &median(ommi, &seconds),
        &median(wall, &ratio),
        &median(hand_cpu, &seconds),
        &median(ommi_cpu, &seconds),
        &median(cpu, &ratio),
    ]);
}

fn row(table: &mut Table, name: &dyn Display, by_hand: Spent, by_ommi: Spent) {
    let seconds = |time: Duration| format!("{:.3} s", time.as_secs_f64());
    let ratio = |ommi: Duration, hand: Duration| format!("{:.2}", ommi.as_secs_f64() / hand.as_secs_f64());
    let processor_ratio = by_ommi.processor.zip(by_hand.processor).map(|(ommi, hand)| ratio(ommi, hand));
    table.row([
        name,
        &seconds(by_hand.time),
        &seconds(by_ommi.time),
        &ratio(by_ommi.time, by_hand.time),
        &by_hand.processor.map_or("?".to_owned(), seconds),
        &by_ommi.processor.map_or("?".to_owned(), seconds),
        &processor_ratio.unwrap_or_else(|| "?".to_owned()),
    ]);
}
