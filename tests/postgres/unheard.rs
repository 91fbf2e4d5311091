//! Statements that failed in a transaction while nobody listened. PostgreSQL answers COMMIT then with ROLLBACK, which is no error to it: it must be one here.

use std::time::Duration;

use ommi::prelude::*;
use ommi_conformance::drop_after;
use tokio::time::timeout;

use crate::support::{Schema, Seat, seat};

/// What was committed is there, and nothing else is.
async fn is_as_told(db: &Ommi, id: i64, committed: &DBResult<()>, polls: usize) {
    let there = db.find(Seat::id.eq(id)).exists().await.unwrap();
    assert_eq!(there, committed.is_ok(), "after {polls} polls: {committed:?}");
    if let Err(error) = committed {
        assert!(!error.is_outcome_unknown(), "after {polls} polls: {error:?}");
    }
}

/// A statement is dropped while it waits, and fails then. The one that opens a level takes in its answer, and is dropped at every await too.
#[tokio::test]
async fn before_a_level_that_is_given_up() {
    let schema = Schema::with_seats().await;
    let db = &schema.db;
    for polls in 0..100 {
        let id = polls as i64;
        let other = db.begin().await.unwrap();
        other.add(seat(1_000 + id)).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.add(seat(id)).await.unwrap();
        timeout(Duration::from_millis(50), tx.add(seat(1_000 + id)))
            .await
            .expect_err("it waits for the other transaction");
        other.commit().await.unwrap();
        let inner = tx.begin().await.unwrap();
        let added = drop_after(polls, inner.add(seat(2_000 + id))).await;
        drop(inner);
        let committed = tx.commit().await;
        is_as_told(db, id, &committed, polls).await;
        assert!(committed.is_err(), "a statement in it failed");
        if let Some(added) = added {
            // That of the statement before it, which is why the transaction fails.
            assert!(added.unwrap_err().constraint().is_some());
            return schema.end().await;
        }
    }
    panic!("it has not come to its end");
}

/// A statement that was prepared before its table was changed fails, and is dropped at every await.
#[tokio::test]
async fn of_a_statement_that_fits_its_table_no_more() {
    let schema = Schema::with(|options| options.max_connections(1)).await;
    let db = &schema.db;
    db.create_tables::<Seat>().await.unwrap();
    let changes = ["ALTER TABLE seats ALTER guest TYPE varchar", "ALTER TABLE seats ALTER guest TYPE text"];
    for streams in [false, true] {
        let mut finished = false;
        // How much a poll finds depends on when the answers come, so each number of them is tried several times.
        for round in 0..500 {
            let (polls, id) = (round / 8, 1);
            db.find(Seat::id.eq(id)).delete().await.unwrap();
            db.find_all::<Seat>().all().await.unwrap();
            schema.run(changes[round % 2]).await;
            let tx = db.begin().await.unwrap();
            tx.add(seat(id)).await.unwrap();
            let read = drop_after(polls, async {
                match streams {
                    true => tx.find_all::<Seat>().stream().try_next().await.map(drop),
                    false => tx.find_all::<Seat>().all().await.map(drop),
                }
            });
            let read = read.await;
            let committed = tx.commit().await;
            is_as_told(db, id, &committed, polls).await;
            if let Some(read) = read {
                let error = read.unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Conflict) && error.is_retryable(), "{error:?}");
                // The same again finds the table as it is now.
                db.transaction(async |tx| tx.find_all::<Seat>().all().await).await.unwrap();
                finished = true;
                break;
            }
        }
        assert!(finished, "it has not come to its end");
    }
    schema.end().await;
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shares")]
struct Share {
    id: i64,
    part: i64,
}

/// The server fails at the fifth row. The stream is dropped while its first rows are read.
#[tokio::test]
async fn of_a_stream_that_is_dropped_before_its_failure_is_told() {
    let schema = Schema::with_seats().await;
    let db = &schema.db;
    schema
        .run("CREATE VIEW shares AS SELECT n::int8 AS id, (60 / (5 - n))::int8 AS part FROM generate_series(1, 9) n")
        .await;
    for nested in [false, true] {
        for taken in 0..5 {
            let id = taken + if nested { 10 } else { 0 };
            let mut tx = db.begin().await.unwrap();
            let kept = match nested {
                true => {
                    let inner = tx.begin().await.unwrap();
                    inner.add(seat(id)).await.unwrap();
                    take(&inner, taken).await;
                    inner.commit().await
                }
                false => {
                    tx.add(seat(id)).await.unwrap();
                    take(&tx, taken).await;
                    Ok(())
                }
            };
            // A level that failed is undone, and the one around it goes on.
            assert_eq!(kept.is_err(), nested && taken > 0, "{taken} rows: {kept:?}");
            let committed = tx.commit().await;
            assert_eq!(committed.is_err(), !nested && taken > 0, "{taken} rows: {committed:?}");
            is_as_told(db, id, &kept.and(committed), 0).await;
        }
    }
    schema.end().await;
}

async fn take(handle: &impl Handle, rows: i64) {
    let mut shares = handle.find_all::<Share>().batch(3).stream();
    for row in 0..rows {
        // Those before the failure come.
        assert_eq!(shares.try_next().await.unwrap().map(|share| share.id), Some(row + 1));
    }
}
