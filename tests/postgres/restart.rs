//! What becomes of a program when its server dies and comes back.

use std::time::{Duration, Instant};

use ommi::postgres::PostgresOptions;
use ommi::prelude::*;

use crate::own_server::OwnServer;

#[derive(Debug, Clone, PartialEq, Model)]
struct Entry {
    #[ommi(auto)]
    id: i64,
    text: String,
}

/// A condition that takes long.
fn slow() -> Predicate<Entry> {
    ommi::any_of((0..3_000).map(|n| Entry::text.icontains(format!("nothing {n}"))))
}

#[track_caller]
fn lost(error: &DBError) {
    assert!(matches!(error.kind(), ErrorKind::Connection) && error.is_retryable(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_of_the_server_the_pool_recovers_by_itself() {
    let mut server = OwnServer::postgres();
    let db = Ommi::new(PostgresOptions::parse(&server.url).unwrap().max_connections(4).connect().await.unwrap());
    db.create_tables::<Entry>().await.unwrap();
    let text = "a long text in which something is looked for ".repeat(20);
    db.add_all((0..3_000).map(|_| new!(Entry { text: &text }))).await.unwrap();

    let in_flight: Vec<_> = (0..2)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.find(slow()).count().await })
        })
        .collect();
    let tx = db.begin().await.unwrap();
    tx.add(new!(Entry { text: "never" })).await.unwrap();
    // One more is at hand when the server dies.
    assert_eq!(db.find(Entry::id.eq(1)).count().await.unwrap(), 1);
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.kill();

    for query in in_flight {
        lost(&query.await.unwrap().unwrap_err());
    }
    lost(&tx.add(new!(Entry { text: "never" })).await.unwrap_err());
    assert!(tx.commit().await.is_err());
    // While the server is away, one waits for it as long as one says.
    let started = Instant::now();
    let away = db.find_all::<Entry>().count().timeout(Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(away.kind(), ErrorKind::Timeout { .. } | ErrorKind::Connection), "{away:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());

    // What is asked meanwhile is answered when it is back.
    let waiting = {
        let db = db.clone();
        tokio::spawn(async move { db.find_all::<Entry>().count().await })
    };
    server.start_again();
    assert_eq!(waiting.await.unwrap().unwrap(), 3_000);
    let many = (0..32).map(|_| db.find_all::<Entry>().count());
    for count in futures::future::join_all(many).await {
        assert_eq!(count.unwrap(), 3_000, "what was not committed is gone");
    }
    let added = db.transaction(async |tx| tx.add(new!(Entry { text: "again" })).await).await.unwrap();
    assert!(added.id > 3_000);
    db.close().await;
}

/// One connection after the other is found to be dead, and none of them twice.
#[tokio::test]
async fn a_crash_between_statements_costs_one_error_at_most() {
    let mut server = OwnServer::postgres();
    let db = Ommi::new(PostgresOptions::parse(&server.url).unwrap().max_connections(8).connect().await.unwrap());
    db.create_tables::<Entry>().await.unwrap();
    // Eight connections that were just used.
    let all = (0..8).map(|_| async { db.find(Entry::id.eq(1)).count().await.unwrap() });
    futures::future::join_all(all).await;
    server.kill();
    server.start_again();
    let mut failed = 0;
    for _ in 0..20 {
        if let Err(error) = db.find(Entry::id.eq(1)).count().await {
            lost(&error);
            failed += 1;
        }
    }
    assert!(failed <= 1, "{failed} statements failed one after the other");
    db.close().await;
}
