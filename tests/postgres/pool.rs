//! The limits of the pool and of what its connections keep, as the server sees them.

use std::time::{Duration, Instant};

use ommi::prelude::*;

use crate::support::Schema;

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    #[ommi(auto)]
    id: i64,
    #[ommi(default = 0)]
    count: i64,
}

const MOMENT: Duration = Duration::from_millis(300);

/// Transactions that are open at once, and so have a connection each.
async fn in_use(schema: &Schema, transactions: usize) {
    let mut open = Vec::new();
    for _ in 0..transactions {
        let tx = schema.db.begin().await.unwrap();
        tx.find_all::<Item>().count().await.unwrap();
        open.push(tx);
    }
    for tx in open {
        tx.commit().await.unwrap();
    }
}

/// Asks until the answer is as wanted.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn connections_that_nobody_uses_are_closed_but_for_the_least() {
    let schema = Schema::with(|options| options.max_connections(4).min_connections(2).idle_timeout(Some(MOMENT))).await;
    let watching = Schema::new().await;
    schema.db.create_tables::<Item>().await.unwrap();
    in_use(&schema, 4).await;
    assert_eq!(watching.connections_of(&schema).await, 4);
    until("two are kept", async || watching.connections_of(&schema).await == 2).await;
    // Those are closed in their turn, and others opened for them.
    tokio::time::sleep(MOMENT * 2).await;
    assert!(watching.connections_of(&schema).await <= 2);
    until("there are two again", async || watching.connections_of(&schema).await == 2).await;
    schema.end().await;
    watching.end().await;
}

#[tokio::test]
async fn a_connection_is_replaced_when_it_is_old() {
    let schema = Schema::with(|options| options.max_connections(1).idle_timeout(None).max_lifetime(Some(MOMENT))).await;
    schema.db.create_tables::<Item>().await.unwrap();
    let first = schema.number("SELECT pg_backend_pid()::int8").await;
    until("another takes its place", async || {
        // It is in use all the time.
        schema.db.find_all::<Item>().count().await.unwrap();
        schema.number("SELECT pg_backend_pid()::int8").await != first
    })
    .await;
    schema.end().await;
}

#[tokio::test]
async fn no_more_statements_are_kept_than_was_said() {
    let schema = Schema::with(|options| options.max_connections(1).statement_cache(10)).await;
    schema.db.create_tables::<Item>().await.unwrap();
    schema.db.add_all((0..50).map(|count| new!(Item { count }))).await.unwrap();
    for _ in 0..2 {
        for terms in 1..=40 {
            let condition = ommi::any_of((0..terms).map(|count| Item::count.eq(count)));
            assert_eq!(schema.db.find(condition).count().await.unwrap(), u64::try_from(terms).unwrap());
        }
    }
    let kept = schema.number("SELECT count(*) FROM pg_prepared_statements").await;
    assert!((5..=10).contains(&kept), "{kept}");
    schema.end().await;
}

#[tokio::test]
async fn who_waits_for_a_connection_hears_that_the_pool_was_closed() {
    let watching = Schema::new().await;
    // A wait that has just begun, and a long one; by the driver, and by the library's pool behind its back.
    for (waited, driver) in [(20, true), (300, true), (20, false), (300, false)] {
        let schema = Schema::with(|options| options.max_connections(1)).await;
        schema.db.create_tables::<Item>().await.unwrap();
        let tx = schema.db.begin().await.unwrap();
        tx.find_all::<Item>().count().await.unwrap();
        let db = schema.db.clone();
        let waiting = tokio::spawn(async move { db.find_all::<Item>().count().await });
        tokio::time::sleep(Duration::from_millis(waited)).await;
        assert!(!waiting.is_finished());
        let (db, pool) = (schema.db.clone(), schema.pool.clone());
        let closing = tokio::spawn(async move { if driver { db.close().await } else { pool.close().await } });
        let told = tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it is told soon");
        let refused = told.unwrap().unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::Connection), "{waited} {driver}: {refused:?}");
        // It did not need the connection, which still is in use.
        assert!(!closing.is_finished());
        tx.rollback().await.unwrap();
        closing.await.unwrap();
        watching.drop_other(&schema).await;
    }
    watching.end().await;
}
