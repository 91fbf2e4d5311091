//! Transactions that are run again while another program holds SQLite's lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ommi::prelude::*;
use ommi::sqlite::{Mode, SqliteOptions};
use ommi::{Retry, Transaction};
use tempfile::TempDir;

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    #[ommi(auto)]
    id: i64,
    name: String,
}

fn item() -> ItemDraft {
    new!(Item { name: "x" })
}

/// The same file, opened twice: to SQLite that is the same as by two programs.
async fn twice(folder: &TempDir) -> DBResult<(Ommi, Ommi)> {
    let open = async || -> DBResult<Ommi> {
        let options = SqliteOptions::file(folder.path().join("items.db")).mode(Mode::ReadWriteCreate);
        Ok(Ommi::new(options.busy_timeout(Duration::from_millis(20)).connect().await?))
    };
    let (db, other) = (open().await?, open().await?);
    db.create_tables::<Item>().await?;
    Ok((db, other))
}

async fn holds_the_lock(other: &Ommi) -> DBResult<Transaction<'_>> {
    let tx = other.begin().await?;
    tx.add(item()).await?;
    Ok(tx)
}

/// How often a transaction was tried, and what came of it.
async fn tried(db: &Ommi, policy: Retry) -> (u32, DBResult<()>) {
    let attempts = Arc::new(AtomicU32::new(0));
    let count = attempts.clone();
    let work = db.retry(policy).transaction(async move |tx| {
        assert_eq!(count.fetch_add(1, Ordering::Relaxed) + 1, tx.attempt());
        tx.add(item()).await.map(drop)
    });
    let result = work.await;
    (attempts.load(Ordering::Relaxed), result)
}

#[tokio::test]
async fn the_last_attempt_gives_its_error() -> DBResult<()> {
    let folder = tempfile::tempdir().expect("a folder for the database");
    let (db, other) = twice(&folder).await?;
    let lock = holds_the_lock(&other).await?;
    let quickly = Retry::default().delay(Duration::from_millis(1));
    let (attempts, result) = tried(&db, quickly.attempts(3)).await;
    let error = result.expect_err("the lock is held all the time");
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }) && error.is_retryable(), "{error:?}");
    assert_eq!(attempts, 3);
    // Each attempt waits for the lock, so few of a thousand begin in time.
    let (attempts, result) = tried(&db, quickly.attempts(1_000).within(Duration::from_millis(100))).await;
    assert!(result.is_err() && (1..50).contains(&attempts), "{attempts}");
    let (attempts, result) = tried(&db, quickly.attempts(0)).await;
    assert!(result.is_err() && attempts == 1, "{attempts}");
    lock.rollback().await?;
    assert_eq!(db.find_all::<Item>().count().await?, 0);
    Ok(())
}

#[tokio::test]
async fn it_goes_on_when_the_lock_is_free() -> DBResult<()> {
    let folder = tempfile::tempdir().expect("a folder for the database");
    let (db, other) = twice(&folder).await?;
    let lock = holds_the_lock(&other).await?;
    let release = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        lock.commit().await
    };
    let policy = Retry::default().attempts(1_000).delay(Duration::from_millis(1));
    let ((attempts, result), released) = futures::join!(tried(&db, policy), release);
    released?;
    result?;
    assert!(attempts > 1, "{attempts}");
    assert_eq!(db.find_all::<Item>().count().await?, 2);
    Ok(())
}

/// `BEGIN IMMEDIATE` would keep others from writing: it is sent with the first statement, and not at all where there is none.
#[tokio::test]
async fn a_transaction_without_statements_locks_nothing() -> DBResult<()> {
    let folder = tempfile::tempdir().expect("a folder for the database");
    let (db, other) = twice(&folder).await?;
    let mut tx = db.begin().await?;
    other.add(item()).await?;
    let inner = tx.begin().await?;
    other.add(item()).await?;
    inner.commit().await?;
    other.add(item()).await?;
    tx.add(item()).await?;
    let error = other.add(item()).await.expect_err("the transaction has begun");
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error:?}");
    tx.rollback().await?;
    other.add(item()).await?;
    assert_eq!(db.find_all::<Item>().count().await?, 4);
    Ok(())
}
