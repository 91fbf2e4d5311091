//! Who finds no connection free waits as long as the pool says, and then learns how many there are.

use std::time::{Duration, Instant};

use ommi::mongo::MongoOptions;
use ommi::postgres::PostgresOptions;
use ommi::prelude::*;
use ommi::sqlite::{Mode, SqliteOptions};

use super::{Entry, bounded, named, prepare, told};

const PATIENCE: Duration = Duration::from_millis(200);

/// The error of one who waited for a pool of two for nothing.
#[track_caller]
fn exhausted(started: Instant, error: &DBError) {
    assert!(matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == PATIENCE), "{}", told(error));
    assert!(!error.is_retryable() && !error.is_outcome_unknown());
    assert!(error.to_string().contains("connections (2 at most)") || error.to_string().contains("2 in all"), "{error}");
    assert!((PATIENCE..PATIENCE * 20).contains(&started.elapsed()), "{:?}", started.elapsed());
}

/// A statement, a transaction and a stream find a pool of two in use.
async fn all_are_exhausted(db: &Ommi) {
    let started = Instant::now();
    exhausted(started, &db.find_all::<Entry>().count().await.unwrap_err());
    let started = Instant::now();
    let begun = db.build_transaction().read_only().transaction(async |tx| tx.find_all::<Entry>().count().await);
    exhausted(started, &begun.await.unwrap_err());
    let started = Instant::now();
    exhausted(started, &db.find_all::<Entry>().stream().try_next().await.unwrap_err());
    // The time that an operation is given itself is told where it is the shorter one.
    let brief = Duration::from_millis(20);
    let error = db.find_all::<Entry>().count().timeout(brief).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == brief), "{}", told(&error));
}

#[tokio::test]
async fn on_postgres() -> DBResult<()> {
    crate::postgres::in_a_schema(async |url| {
        let options = PostgresOptions::parse(&url)?.max_connections(2).acquire_timeout(PATIENCE);
        let db = Ommi::new(options.connect().await?);
        db.create_tables::<Entry>().await?;
        prepare(&db, 1).await?;
        let mut rows = db.find_all::<Entry>().batch(1).stream();
        rows.try_next().await?;
        let tx = db.begin().await?;
        tx.find_all::<Entry>().count().await?;
        all_are_exhausted(&db).await;
        drop(tx);
        assert_eq!(db.find_all::<Entry>().count().await?, 3);
        drop(rows);
        db.close().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn of_sqlites_readers() -> DBResult<()> {
    let folder = tempfile::tempdir().map_err(|error| DBError::new(ErrorKind::Database).with_source(error))?;
    let options = SqliteOptions::file(folder.path().join("pool.db")).mode(Mode::ReadWriteCreate);
    let db = Ommi::new(options.readers(2).acquire_timeout(PATIENCE).connect().await?);
    db.create_tables::<Entry>().await?;
    prepare(&db, 1).await?;
    let (one, two) =
        (db.build_transaction().read_only().begin().await?, db.build_transaction().read_only().begin().await?);
    assert_eq!(one.find_all::<Entry>().count().await? + two.find_all::<Entry>().count().await?, 6);
    all_are_exhausted(&db).await;
    // Who writes has a connection of his own.
    prepare(&db, 2).await?;
    drop(two);
    assert_eq!(db.find_all::<Entry>().count().await?, 6);
    drop(one);
    db.close().await;
    Ok(())
}

/// There is one, and the error says so, and who has it.
#[tokio::test]
async fn of_sqlites_one_writer() -> DBResult<()> {
    let folder = tempfile::tempdir().map_err(|error| DBError::new(ErrorKind::Database).with_source(error))?;
    let file = SqliteOptions::file(folder.path().join("pool.db")).mode(Mode::ReadWriteCreate);
    for options in [file, SqliteOptions::memory()] {
        let db = Ommi::new(options.acquire_timeout(PATIENCE).connect().await?);
        db.create_tables::<Entry>().await?;
        prepare(&db, 1).await?;
        let tx = db.begin().await?;
        tx.find(named(1, "alone")).update(Entry::count.increment(1)).await?;
        let write = || db.find(named(1, "alone")).update(Entry::count.increment(1));
        let started = Instant::now();
        let error = write().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == PATIENCE), "{}", told(&error));
        assert!((PATIENCE..PATIENCE * 20).contains(&started.elapsed()), "{:?}", started.elapsed());
        let text = error.to_string();
        assert!(text.contains("1 in all") && text.contains("pools.rs"), "{text}");
        drop(tx);
        assert_eq!(write().await?, 1);
        db.close().await;
    }
    Ok(())
}

/// On MongoDB a connection is in use while a command runs, and no longer.
#[tokio::test]
async fn on_mongo() -> DBResult<()> {
    let (direct, url) = crate::mongo::connect(|options| options).await?;
    let direct = Ommi::new(direct);
    direct.create_tables::<Entry>().await?;
    prepare(&direct, 1).await?;
    let separator = if url.contains('?') { '&' } else { '?' };
    let small = MongoOptions::parse(&format!("{url}{separator}waitQueueTimeoutMS=200")).await?.max_pool_size(2);
    let db = Ommi::new(small.connect().await?);
    assert_eq!(db.find_all::<Entry>().count().await?, 3);
    // Two writes wait for this one, each with a connection.
    let held = direct.find(named(1, "alone")).one().await?.id;
    let tx = direct.begin().await?;
    tx.find(Entry::id.eq(held)).update(Entry::count.increment(1)).await?;
    let writes = [(); 2].map(|()| {
        let db = db.clone();
        tokio::spawn(async move { db.find(Entry::id.eq(held)).update(Entry::count.increment(1)).await })
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    exhausted(started, &db.find_all::<Entry>().count().await.unwrap_err());
    let started = Instant::now();
    exhausted(started, &db.find_all::<Entry>().stream().try_next().await.unwrap_err());
    tx.commit().await?;
    for write in writes {
        // The server may have given up one that waited; then it is a conflict, and changed nothing.
        match bounded("a write that waited", write).await.unwrap() {
            Ok(rows) => assert_eq!(rows, 1),
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Conflict), "{}", told(&error)),
        }
    }
    assert_eq!(db.find_all::<Entry>().count().await?, 3);
    db.close().await;
    direct.close().await;
    crate::mongo::drop_database(&url).await;
    Ok(())
}
