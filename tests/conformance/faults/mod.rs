//! What becomes of acknowledged and of unfinished work when a connection is cut, or a server is killed.
//!
//! The work is the same everywhere: statements by themselves, a transaction with others within it, and one that is run again when it may be. What
//! each of them was told is compared with what is stored. The proxy that cuts connections also tells what a transaction sends.

mod cut_connections;
mod dead_networks;
mod killed_process;
mod killed_server;
mod leftovers;
mod memory;
mod pools;
mod proxy;
mod what_is_sent;

use std::time::Duration;

use ommi::{Retry, prelude::*};
use proxy::{Protocol, Proxy};

/// What a run works on: rows of its own, found by its number.
#[derive(Debug, Clone, PartialEq, Model)]
struct Entry {
    #[ommi(auto)]
    id: i64,
    #[ommi(index)]
    run: i64,
    name: String,
    #[ommi(default = 0)]
    count: i64,
}

/// Far more than anything here takes: what runs longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn entry(run: i64, name: &str) -> EntryDraft {
    new!(Entry { run, name })
}

fn named(run: i64, name: &str) -> Predicate<Entry> {
    Entry::run.eq(run) & Entry::name.eq(name)
}

/// The rows that a run needs.
async fn prepare(db: &Ommi, run: i64) -> DBResult<()> {
    db.add_all(["alone", "within", "again"].map(|name| entry(run, name))).await.map(drop)
}

/// The address of a URL's first server.
fn address(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let hosts = rest.split(['/', '?']).next().unwrap_or(rest);
    let hosts = hosts.rsplit_once('@').map_or(hosts, |(_, hosts)| hosts);
    hosts.split(',').next().unwrap_or(hosts)
}

/// Something that must not hang.
async fn bounded<F: Future>(what: &str, work: F) -> F::Output {
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_| panic!("{what} hangs"))
}

/// The error of a statement whose connection was lost.
#[track_caller]
fn lost(error: &DBError) {
    let typed = matches!(error.kind(), ErrorKind::Connection);
    assert!(typed && error.is_retryable() && !error.is_outcome_unknown(), "{}", told(error));
}

/// Why a transaction failed before its commit. On MongoDB the end of one within it may say that the outer one is gone too; why, is behind that.
fn reason(error: &DBError) -> &DBError {
    let behind = std::error::Error::source(error).and_then(|source| source.downcast_ref::<DBError>());
    behind.filter(|_| matches!(error.kind(), ErrorKind::TransactionAborted)).unwrap_or(error)
}

/// The error of a commit whose answer did not come.
#[track_caller]
fn unknown(error: &DBError) {
    let typed = matches!(error.kind(), ErrorKind::Connection);
    assert!(typed && error.is_outcome_unknown() && !error.is_retryable(), "{}", told(error));
}

/// An error with its causes.
fn told(error: &DBError) -> String {
    let mut text = format!("{error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(&format!("\n  by {next:?}"));
        cause = next.source();
    }
    text
}

/// What a transaction was told.
#[derive(Debug)]
enum Told {
    Committed,
    /// By an error before the commit.
    Failed(DBError),
    /// By the commit.
    FailedToCommit(DBError),
}

/// What a run was told.
#[derive(Debug)]
struct Outcome {
    added: DBResult<()>,
    updated: DBResult<()>,
    read: DBResult<()>,
    streamed: DBResult<()>,
    together: Told,
    again: DBResult<()>,
}

impl Outcome {
    fn errors(&self) -> Vec<&DBError> {
        let together = match &self.together {
            Told::Committed => None,
            Told::Failed(error) | Told::FailedToCommit(error) => Some(error),
        };
        let alone = [&self.added, &self.updated, &self.read, &self.streamed, &self.again];
        alone.into_iter().filter_map(|result| result.as_ref().err()).chain(together).collect()
    }
}

/// A transaction up to its commit, with two within it: one that is committed and one that is rolled back.
async fn work(tx: &mut Transaction<'_>, run: i64) -> DBResult<()> {
    tx.add(entry(run, "outer")).await?;
    assert_eq!(tx.find(named(run, "within")).update(Entry::count.increment(1)).await?, 1);
    tx.transaction(async |inner| inner.add(entry(run, "inner")).await).await?;
    let undone = tx.begin().await?;
    undone.add(entry(run, "undone")).await?;
    undone.rollback().await?;
    assert_eq!(tx.find(named(run, "inner")).count().await?, 1);
    Ok(())
}

/// A transaction, which is rolled back or dropped where it fails.
async fn together(db: &Ommi, run: i64) -> Told {
    let mut tx = match db.begin().await {
        Ok(tx) => tx,
        Err(error) => return Told::Failed(error),
    };
    match work(&mut tx, run).await {
        Ok(()) => tx.commit().await.map_or_else(Told::FailedToCommit, |()| Told::Committed),
        Err(error) => {
            if run % 2 == 0
                && let Err(error) = tx.rollback().await
            {
                lost(&error);
            }
            Told::Failed(error)
        }
    }
}

/// Everything, one after the other.
async fn everything(db: &Ommi, run: i64) -> Outcome {
    let added = db.add(entry(run, "added")).await.map(drop);
    let updated = db.find(named(run, "alone")).update(Entry::count.increment(1)).await;
    let updated = updated.map(|rows| assert_eq!(rows, 1));
    // What was not acknowledged may be there or not; a result that lacks a row is no result.
    let whole = |rows: usize| assert!(rows == 4 || rows == 3 && added.is_err(), "{rows} rows");
    let read = db.find(Entry::run.eq(run)).sort(Entry::id).all().await.map(|rows| whole(rows.len()));
    let mut rows = db.find(Entry::run.eq(run)).sort(Entry::id).batch(1).stream();
    let mut count = 0;
    let streamed = loop {
        match rows.try_next().await {
            Ok(Some(_)) => count += 1,
            Ok(None) => break Ok(count),
            Err(error) => break Err(error),
        }
    };
    let streamed = streamed.map(whole);
    drop(rows);
    let together = together(db, run).await;
    let retry = Retry::default().attempts(4).delay(Duration::from_millis(1));
    let again = db.retry(retry).transaction(async move |tx| -> DBResult<()> {
        tx.find(named(run, "again")).update(Entry::count.increment(1)).await?;
        tx.add(entry(run, "added again")).await.map(drop)
    });
    let again = again.await;
    Outcome { added, updated, read, streamed, together, again }
}

/// How often each thing took place that a run does, as it is stored.
async fn stored(db: &Ommi, run: i64) -> impl Fn(&str) -> i64 {
    // In a transaction: on MongoDB, too, what is read is of one moment then.
    let rows = db.transaction(async |tx| tx.find(Entry::run.eq(run)).all().await).await;
    let rows = rows.unwrap_or_else(|error| panic!("{}", told(&error)));
    move |name| {
        let rows: Vec<&Entry> = rows.iter().filter(|row| row.name == name).collect();
        match name {
            "alone" | "within" | "again" => {
                assert_eq!(rows.len(), 1, "rows `{name}`");
                rows[0].count
            }
            _ => rows.len() as i64,
        }
    }
}

/// Compares what a run was told with what is stored: what was acknowledged is there, once; a transaction is there whole or not at all, and
/// not at all where the error said so.
async fn check(db: &Ommi, run: i64, outcome: &Outcome) {
    let stored = stored(db, run).await;
    let once = |name, result: &DBResult<()>| {
        let times = stored(name);
        assert!(times == 1 || times == 0 && result.is_err(), "`{name}` took place {times} times");
    };
    once("added", &outcome.added);
    once("alone", &outcome.updated);
    assert_eq!(stored("undone"), 0);
    let parts = ["outer", "within", "inner"].map(&stored);
    assert!(parts == [0; 3] || parts == [1; 3], "half of a transaction: {parts:?}");
    match &outcome.together {
        Told::Committed => assert_eq!(parts, [1; 3], "it was committed"),
        Told::FailedToCommit(error) if error.is_outcome_unknown() => unknown(error),
        Told::Failed(error) | Told::FailedToCommit(error) => {
            lost(reason(error));
            assert_eq!(parts, [0; 3], "it was said to be undone");
        }
    }
    let parts = ["again", "added again"].map(&stored);
    match &outcome.again {
        Ok(()) => assert_eq!(parts, [1; 2], "it was run again"),
        Err(error) => {
            unknown(error);
            assert!(parts == [0; 2] || parts == [1; 2], "half of a transaction that was run again: {parts:?}");
        }
    }
    for error in [&outcome.added, &outcome.updated, &outcome.read, &outcome.streamed]
        .into_iter()
        .filter_map(|r| r.as_ref().err())
    {
        lost(error);
    }
}

/// Uses a database in each way; how many errors that gave, all of lost connections.
async fn use_again(db: &Ommi, run: i64) -> usize {
    let same = || Entry::count.increment(0);
    let results = [
        db.find(Entry::run.eq(run)).count().await.map(drop),
        db.find(Entry::run.eq(run)).update(same()).await.map(drop),
        db.transaction(async |tx| tx.find(Entry::run.eq(run)).update(same()).await).await.map(drop),
        db.find(Entry::run.eq(run)).stream().try_next().await.map(drop),
    ];
    results.iter().filter_map(|result| result.as_ref().err()).inspect(|error| lost(error)).count()
}

/// The database of the tests as it is reached through a proxy, and directly.
struct Store<F> {
    protocol: Protocol,
    /// Where the server listens.
    server: String,
    direct: Ommi,
    through: F,
}

impl<F: AsyncFn(u16) -> DBResult<Ommi>> Store<F> {
    async fn proxy(&self) -> Proxy {
        Proxy::start(self.protocol, &self.server).await
    }
}

#[test]
fn addresses_are_found_in_urls() {
    assert_eq!(address("postgres://u:p@h:5/db?x=@y"), "h:5");
    assert_eq!(address("mongodb://a:1,b:2/?replicaSet=x"), "a:1");
}
