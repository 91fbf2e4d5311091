//! Thousands of transactions that are begun and dropped leave no memory, session, connection or lock behind.
//!
//! Memory is that of a process, so each store has one of its own: this test binary once more, with the address in its environment.

use std::env;
use std::process::Command;
use std::time::Duration;

use futures::FutureExt;
use ommi::mongo::mongodb::bson::{Document, doc};
use ommi::mongo::{MongoDriver, MongoOptions};
use ommi::postgres::{PostgresDriver, PostgresOptions, sqlx};
use ommi::prelude::*;

use super::memory::{allocated, resident};
use super::{Entry, bounded, entry, named, prepare, stored};

const ADDRESS: &str = "OMMI_TEST_LEFTOVERS";
const NAME: &str = "ommi_leftovers";

/// How much more memory may be in use after thousands of cycles than after the first ones: less than a few bytes for each.
const MOST_BYTES: i64 = 32 * 1_024;
/// The same of the whole process, whose memory comes in pages, and whose allocator keeps some.
const MOST_RESIDENT: i64 = 4 * 1_024 * 1_024;

/// Begins and drops so many: most without a statement, ten of each so many with one, with one within them, with a stream open, with a statement
/// under way, and as closures that fail.
async fn cycles(db: &Ommi, count: usize, round: usize) -> DBResult<()> {
    let raise = || Entry::count.increment(1);
    for n in 0..count {
        let mut tx = db.begin().await?;
        match n % round {
            0 | 8 | 16 | 24 => drop(tx.find(named(1, "within")).update(raise()).await?),
            4 | 20 => {
                tx.add(entry(1, "outer")).await?;
                let inner = tx.begin().await?;
                inner.find(named(1, "alone")).update(raise()).await?;
            }
            12 => drop(tx.find_all::<Entry>().batch(1).stream().try_next().await?),
            28 if (n / round).is_multiple_of(2) => drop(tx.find(named(1, "again")).update(raise()).now_or_never()),
            36 => {
                drop(tx);
                let failed: DBResult<()> = db
                    .transaction(async |tx| {
                        tx.add(entry(1, "added")).await?;
                        Err(DBError::new(ErrorKind::Database))
                    })
                    .await;
                assert!(failed.is_err());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The process: without an address there is nothing to do, as it is only run by the tests below.
#[tokio::test]
async fn begins_and_drops() -> DBResult<()> {
    let Ok(address) = env::var(ADDRESS) else { return Ok(()) };
    let (count, url) = address.split_once(' ').unwrap();
    let count: usize = count.parse().unwrap();
    let mut stands_in = false;
    let db = match url.split(':').next() {
        Some("postgres") => {
            Ommi::new(PostgresOptions::parse(url)?.application_name(NAME).max_connections(4).connect().await?)
        }
        Some("mongodb") => {
            let separator = if url.contains('?') { '&' } else { '?' };
            let options = MongoOptions::parse(&format!("{url}{separator}appName={NAME}")).await?;
            let driver = options.max_pool_size(4).connect().await?;
            stands_in = crate::mongo::is_secantus(&driver).await;
            Ommi::new(driver)
        }
        _ => Ommi::connect(url).await?,
    };
    if url.ends_with(":memory:") {
        db.create_tables::<Entry>().await?;
        prepare(&db, 1).await?;
    }
    // One in four sends something. What stands in for MongoDB takes long for each statement, so there it is one in twelve, some eight hundred; what
    // each of those left behind would still be seen.
    let round = if stands_in { 120 } else { 40 };
    cycles(&db, count / 5, round).await?;
    settled(&db).await;
    let before = (allocated(), resident());
    cycles(&db, count - count / 5, round).await?;
    settled(&db).await;
    let (more, resident) = (allocated() - before.0, resident().zip(before.1).map(|(after, before)| after - before));
    println!("{count} begun and dropped: {more} bytes more, {resident:?} bytes more in memory");
    assert!(more <= MOST_BYTES, "{more} bytes are left");
    assert!(resident.is_none_or(|more| more <= MOST_RESIDENT), "{resident:?} bytes are left in memory");
    // None of them did anything.
    let stored = stored(&db, 1).await;
    assert_eq!(["alone", "within", "again", "outer", "added"].map(&stored), [0; 5]);
    if url.starts_with("postgres") {
        sessions_of_postgres(url).await;
    }
    if url.starts_with("mongodb") {
        sessions_of_mongo(url).await;
    }
    db.close().await;
    Ok(())
}

/// Nothing is under way any more, and everybody gets a connection.
async fn settled(db: &Ommi) {
    let all = (0..8).map(|_| db.find_all::<Entry>().count());
    assert_eq!(bounded("a connection", futures::future::try_join_all(all)).await.unwrap(), [3; 8]);
    let write = db.find(Entry::run.eq(1)).update(Entry::count.increment(0));
    assert_eq!(bounded("a lock", write).await.unwrap(), 3);
    // What the connections are kept at hand for, and the tasks that look after them, end by themselves.
    tokio::time::sleep(Duration::from_millis(300)).await;
}

/// The server has no more connections than the pool may open, and none of them is at work or in a transaction.
async fn sessions_of_postgres(url: &str) {
    let side = PostgresDriver::connect(url).await.unwrap();
    let sessions = "SELECT coalesce(state, ''), xact_start IS NULL FROM pg_stat_activity WHERE application_name = $1";
    let sessions: Vec<(String, bool)> = sqlx::query_as(sessions).bind(NAME).fetch_all(side.pool()).await.unwrap();
    println!("sessions: {sessions:?}");
    assert!((1..=4).contains(&sessions.len()), "{sessions:?}");
    assert!(sessions.iter().all(|(state, ended)| state == "idle" && *ended), "{sessions:?}");
}

/// The server has no open transaction, and about as many connections as the pool may open.
async fn sessions_of_mongo(url: &str) {
    let side = MongoDriver::connect(url).await.unwrap();
    let admin = side.client().database("admin");
    let status = admin.run_command(doc! { "serverStatus": 1 }).await.unwrap();
    // The one that stands in for MongoDB does not count transactions.
    if let Ok(transactions) = status.get_document("transactions") {
        assert_eq!(transactions.get("currentOpen").and_then(|open| open.as_i64()), Some(0), "{transactions:?}");
    }
    let operations = admin.run_command(doc! { "currentOp": 1, "$all": true }).await.unwrap();
    let operations: Vec<&Document> =
        operations.get_array("inprog").unwrap().iter().filter_map(|o| o.as_document()).collect();
    let in_transactions = operations.iter().filter(|operation| operation.contains_key("transaction")).count();
    assert_eq!(in_transactions, 0, "{operations:?}");
    let of_name = |operation: &&&Document| {
        let client = operation.get_document("clientMetadata").and_then(|client| client.get_document("application"));
        client.is_ok_and(|application| application.get_str("name").is_ok_and(|name| name == NAME))
    };
    let connections = operations.iter().filter(of_name).count();
    println!("connections: {connections}");
    // Those of the pool, and two that look after the server.
    assert!((1..=6).contains(&connections), "{connections}: {operations:?}");
}

/// Runs the process for a store.
fn in_a_process(count: usize, url: &str) {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "faults::leftovers::begins_and_drops", "--nocapture", "--test-threads=1"])
        .env(ADDRESS, format!("{count} {url}"))
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{text}");
    assert!(output.status.success(), "{text}");
    assert!(text.contains(&format!("{count} begun and dropped")), "{text}");
}

#[tokio::test]
async fn ten_thousand_on_sqlite_in_memory() {
    in_a_process(10_000, "sqlite::memory:");
}

#[tokio::test]
async fn ten_thousand_on_sqlite_in_a_file() -> DBResult<()> {
    let folder = tempfile::tempdir().map_err(|error| DBError::new(ErrorKind::Database).with_source(error))?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("left.db").display());
    let db = Ommi::connect(&url).await?;
    db.create_tables::<Entry>().await?;
    prepare(&db, 1).await?;
    in_a_process(10_000, &url);
    // Another process's locks would be seen here.
    assert_eq!(db.find(Entry::run.eq(1)).update(Entry::count.increment(1)).await?, 3);
    db.close().await;
    Ok(())
}

#[tokio::test]
async fn ten_thousand_on_postgres() -> DBResult<()> {
    crate::postgres::in_a_schema(async |url| {
        let db = Ommi::connect(&url).await?;
        db.create_tables::<Entry>().await?;
        prepare(&db, 1).await?;
        in_a_process(10_000, &url);
        db.close().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn ten_thousand_on_mongo() -> DBResult<()> {
    let (driver, url) = crate::mongo::connect(|options| options).await?;
    let db = Ommi::new(driver);
    db.create_tables::<Entry>().await?;
    prepare(&db, 1).await?;
    in_a_process(10_000, &url);
    db.close().await;
    crate::mongo::drop_database(&url).await;
    Ok(())
}
