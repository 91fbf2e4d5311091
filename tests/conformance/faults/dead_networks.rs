//! Networks that carry nothing any more and tell nobody: what has a limit of time keeps it, and when the network is back so is the database.

use std::cell::Cell;
use std::time::{Duration, Instant};

use ommi::mongo::MongoOptions;
use ommi::postgres::{PostgresOptions, SslMode};
use ommi::prelude::*;

use super::cut_connections::through_port;
use super::proxy::{Protocol, Proxy};
use super::{Entry, address, bounded, entry, named, prepare, told};

/// The time that a transaction is given. Its rollback has five seconds, since that is the least it has.
const LIMIT: Duration = Duration::from_secs(1);
const ROLLBACK: std::ops::Range<Duration> = Duration::from_millis(4_900)..Duration::from_secs(8);

/// The network dies under a closure that then fails by itself. The caller has the closure's error when the rollback's time is over; it takes
/// place when the network is back.
async fn a_closure_rolls_back(proxy: &Proxy, db: &Ommi, direct: &Ommi) -> DBResult<()> {
    prepare(direct, 1).await?;
    // Each connection that is needed is there.
    assert_eq!(db.find(Entry::run.eq(1)).count().await?, 3);
    let died = Cell::new(Instant::now());
    let failed: DBResult<()> = db
        .transaction(async |tx| {
            tx.find(named(1, "alone")).update(Entry::count.increment(1)).await?;
            tx.add(entry(1, "outer")).await?;
            died.set(Instant::now());
            proxy.freeze();
            Err(DBError::query("the closure's own"))
        })
        .timeout(LIMIT)
        .await;
    let waited = died.get().elapsed();
    let error = failed.expect_err("it failed by itself");
    assert!(error.to_string().contains("the closure's own"), "{}", told(&error));
    assert!(ROLLBACK.contains(&waited), "the rollback was waited for for {waited:?}");
    proxy.thaw();
    // Nothing is locked, nothing is left of it, and the same handle goes on.
    let free = direct.find(Entry::run.eq(1)).update(Entry::count.increment(0)).timeout(Duration::from_secs(20));
    assert_eq!(free.await?, 3);
    assert_eq!(direct.find(Entry::count.ne(0)).count().await?, 0);
    let again = async { db.find(Entry::run.eq(1)).update(Entry::count.increment(1)).await };
    assert_eq!(bounded("a database whose network is back", again).await?, 3);
    Ok(())
}

/// The database through a proxy, and directly.
async fn postgres(test: impl AsyncFnOnce(&Proxy, &Ommi, &Ommi) -> DBResult<()>) -> DBResult<()> {
    crate::postgres::in_a_schema(async |url| {
        let options = PostgresOptions::parse(&url)?.sslmode(SslMode::Disable).max_connections(2);
        let direct = Ommi::new(options.clone().connect().await?);
        direct.create_tables::<Entry>().await?;
        let proxy = Proxy::start(Protocol::Postgres, address(&url)).await;
        let db = Ommi::new(options.host("127.0.0.1").port(proxy.port()).connect().await?);
        test(&proxy, &db, &direct).await?;
        db.close().await;
        direct.close().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_closure_rolls_back_on_postgres() -> DBResult<()> {
    postgres(a_closure_rolls_back).await
}

/// What is not answered is stopped by a second connection, which is not answered either.
#[tokio::test]
async fn a_statement_on_postgres() -> DBResult<()> {
    postgres(async |proxy, db, direct| {
        prepare(direct, 1).await?;
        // With a limit, so that it is known what to stop.
        assert_eq!(db.find(Entry::run.eq(1)).count().timeout(Duration::from_secs(30)).await?, 3);
        proxy.freeze();
        let started = Instant::now();
        let limit = Duration::from_millis(200);
        let error = db.find(Entry::run.eq(1)).count().timeout(limit).await.unwrap_err();
        let typed = matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == limit);
        assert!(typed, "{}", told(&error));
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
        proxy.thaw();
        assert_eq!(bounded("a database whose network is back", db.find(Entry::run.eq(1)).count()).await?, 3);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_closure_rolls_back_on_mongo() -> DBResult<()> {
    let (direct, url, server) = crate::mongo::connect_to_lose_clients().await?;
    let direct = Ommi::new(direct);
    direct.create_tables::<Entry>().await?;
    let proxy = Proxy::start(Protocol::Mongo, address(&url)).await;
    let options = MongoOptions::parse(&through_port(&url, proxy.port())).await?;
    let db = Ommi::new(options.connect().await?);
    a_closure_rolls_back(&proxy, &db, &direct).await?;
    db.close().await;
    direct.close().await;
    crate::mongo::end_without_clients(&url, server).await;
    Ok(())
}
