//! On SQLite the process is the server: one that is killed in the midst of a transaction, and in the midst of a commit. Then the file is opened again.
//!
//! A kill in the midst of a commit leaves the first part of what the commit appends to the write-ahead log, so the log is cut off at every place.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use ommi::prelude::*;

use super::{Entry, bounded, entry, prepare, stored, use_again, work};

const FILE: &str = "OMMI_TEST_KILLED_PROCESS";

/// Far more rows than a process with a small cache keeps in memory before it writes some of them to the log.
const ROWS: i64 = 60_000;

fn url(file: &Path) -> String {
    format!("sqlite://{}?mode=rwc", file.display())
}

/// What is beside a database: its log.
fn log(file: &Path) -> std::path::PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The process. Without a file there is nothing to do: it is only run by the test below.
#[tokio::test]
async fn waits_in_a_transaction_until_it_is_killed() -> DBResult<()> {
    let Some(file) = env::var_os(FILE) else { return Ok(()) };
    let db = Ommi::connect(&format!("{}&cache_size=20", url(Path::new(&file)))).await?;
    db.transaction(async |tx| work(tx, 1).await).await?;
    let mut tx = db.begin().await?;
    work(&mut tx, 2).await?;
    let mut inner = tx.begin().await?;
    inner.add_all((0..ROWS).map(|_| entry(2, "inner"))).await?;
    let innermost = inner.begin().await?;
    innermost.add(entry(2, "inner")).await?;
    let mut output = std::io::stdout();
    let _ = output.write_all(b"\nin the midst\n").and_then(|()| output.flush());
    std::future::pending().await
}

#[tokio::test]
async fn in_the_midst_of_a_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("killed.db");
    let db = Ommi::connect(&url(&file)).await.unwrap();
    db.create_tables::<Entry>().await.unwrap();
    prepare(&db, 1).await.unwrap();
    prepare(&db, 2).await.unwrap();
    db.close().await;

    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", "faults::killed_process::waits_in_a_transaction_until_it_is_killed", "--nocapture"])
        .env(FILE, &file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "in the midst"), "the process ended by itself");
    process.kill().and_then(|()| process.wait()).unwrap();

    // It had begun to write the transaction down.
    let logged = fs::metadata(log(&file)).unwrap().len();
    assert!(logged > 500_000, "{logged} bytes");
    let db = Ommi::connect(&url(&file)).await.unwrap();
    let committed = stored(&db, 1).await;
    assert_eq!(["outer", "within", "inner", "undone"].map(&committed), [1, 1, 1, 0]);
    let killed = stored(&db, 2).await;
    assert_eq!(["outer", "within", "inner", "undone"].map(&killed), [0; 4]);
    assert_eq!(bounded("a file that was left", use_again(&db, 2)).await, 0);
    db.close().await;
}

#[tokio::test]
async fn in_the_midst_of_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("killed.db");
    let db = Ommi::connect(&url(&file)).await.unwrap();
    db.create_tables::<Entry>().await.unwrap();
    for run in 1..=6 {
        prepare(&db, run).await.unwrap();
    }
    // How long the log is when each transaction has been acknowledged.
    let mut ends = Vec::new();
    let start = fs::metadata(log(&file)).unwrap().len();
    for run in 1..=6 {
        db.transaction(async |tx| work(tx, run).await).await.unwrap();
        ends.push(fs::metadata(log(&file)).unwrap().len());
    }
    assert!(ends.iter().zip(ends.iter().skip(1)).all(|(one, next)| one < next), "{start}, {ends:?}");
    let (data, logged) = (fs::read(&file).unwrap(), fs::read(log(&file)).unwrap());
    db.close().await;

    // A page of the log with its head; and within one.
    let (mut cuts, mut halves) = (0, 0);
    for (number, length) in (start..=logged.len() as u64).step_by(4_120 / 2).enumerate() {
        let copy = folder.path().join(format!("copy{number}.db"));
        fs::write(&copy, &data).unwrap();
        fs::write(log(&copy), &logged[..length as usize]).unwrap();
        let db = Ommi::connect(&url(&copy)).await.unwrap();
        for (run, end) in (1..).zip(&ends) {
            let stored = stored(&db, run).await;
            let expected = i64::from(*end <= length);
            let parts = ["outer", "within", "inner", "undone"].map(&stored);
            assert_eq!(parts, [expected, expected, expected, 0], "run {run} of a log of {length} bytes, {ends:?}");
        }
        halves += usize::from(!ends.contains(&length));
        cuts += 1;
        // It goes on where the log ends.
        assert_eq!(use_again(&db, 1).await, 0);
        db.close().await;
    }
    assert!(cuts > 20 && halves > 10, "{cuts} cuts, {halves} of them within a commit");
}
