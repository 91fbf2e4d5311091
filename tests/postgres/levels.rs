//! Levels of a transaction whose savepoints are left to be ended with the next message.

use std::time::Duration;

use ommi::prelude::*;
use tokio::time::timeout;

use crate::support::{Schema, Seat, seat};

async fn ids(db: &impl Handle) -> Vec<i64> {
    db.find_all::<Seat>().sort(Seat::id).all().await.unwrap().iter().map(|seat| seat.id).collect()
}

/// A statement that waits for somebody else is dropped, and its level kept: what became of it is part of that.
#[tokio::test]
async fn a_statement_that_was_dropped_half_way_counts() {
    for fails in [false, true] {
        let schema = Schema::with_seats().await;
        let db = &schema.db;
        let other = db.begin().await.unwrap();
        other.add(seat(3)).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        tx.add(seat(1)).await.unwrap();
        let inner = tx.begin().await.unwrap();
        inner.add(seat(2)).await.unwrap();
        timeout(Duration::from_millis(200), inner.add(seat(3))).await.expect_err("it waits for the other transaction");
        match fails {
            true => other.commit().await.unwrap(),
            false => other.rollback().await.unwrap(),
        }
        assert_eq!(inner.commit().await.is_err(), fails);
        // The level around it is as it was.
        tx.add(seat(4)).await.unwrap();
        tx.commit().await.unwrap();
        // The third row is that of the other transaction, or the one of the statement that was dropped.
        assert_eq!(ids(db).await, if fails { vec![1, 3, 4] } else { vec![1, 2, 3, 4] });
        schema.end().await;
    }
}

/// The first statement of a level is dropped while one before it still waits: nothing of the level was sent, and what was kept stays.
#[tokio::test]
async fn a_level_that_was_given_up_before_it_was_opened() {
    for keeps in [false, true] {
        let schema = Schema::with_seats().await;
        let db = &schema.db;
        let other = db.begin().await.unwrap();
        other.add(seat(3)).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let inner = tx.begin().await.unwrap();
        inner.add(seat(1)).await.unwrap();
        inner.commit().await.unwrap();
        timeout(Duration::from_millis(200), tx.add(seat(3))).await.expect_err("it waits for the other transaction");
        let inner = tx.begin().await.unwrap();
        timeout(Duration::from_millis(200), inner.add(seat(4)))
            .await
            .expect_err("it waits for the statement before it");
        other.rollback().await.unwrap();
        inner.add(seat(5)).await.unwrap();
        match keeps {
            true => inner.commit().await.unwrap(),
            false => inner.rollback().await.unwrap(),
        }
        let inner = tx.begin().await.unwrap();
        inner.add(seat(6)).await.unwrap();
        inner.commit().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(ids(db).await, if keeps { vec![1, 3, 5, 6] } else { vec![1, 3, 6] });
        schema.end().await;
    }
}

#[tokio::test]
async fn what_was_kept_goes_with_the_level_around_it() {
    let schema = Schema::with_seats().await;
    let db = &schema.db;
    let mut tx = db.begin().await.unwrap();
    let mut inner = tx.begin().await.unwrap();
    inner.add(seat(1)).await.unwrap();
    let innermost = inner.begin().await.unwrap();
    innermost.add(seat(2)).await.unwrap();
    innermost.commit().await.unwrap();
    inner.rollback().await.unwrap();
    for id in [1, 2] {
        let inner = tx.begin().await.unwrap();
        inner.add(seat(id)).await.unwrap();
        inner.commit().await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(ids(db).await, [1, 2]);
    schema.end().await;
}

#[tokio::test]
async fn what_was_kept_stays_when_the_next_one_fails() {
    let schema = Schema::with_seats().await;
    let db = &schema.db;
    let mut tx = db.begin().await.unwrap();
    for id in [1, 3, 5] {
        let inner = tx.begin().await.unwrap();
        inner.add(seat(id)).await.unwrap();
        inner.commit().await.unwrap();
        tx.add(seat(id + 1)).await.unwrap();
        let inner = tx.begin().await.unwrap();
        inner.add(seat(100)).await.unwrap();
        let refused = inner.add(seat(id)).await.unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::Constraint(_)), "{refused:?}");
        match id {
            1 => inner.rollback().await.unwrap(),
            _ => drop(inner),
        }
    }
    tx.commit().await.unwrap();
    assert_eq!(ids(db).await, [1, 2, 3, 4, 5, 6]);
    schema.end().await;
}

/// Each transaction that is open and has written, within another or not, holds the lock of its own number (PostgreSQL's manual, chapter 54.12).
const OPEN: &str = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'transactionid' AND granted \
    AND application_name = current_setting('application_name')";

#[tokio::test]
async fn savepoints_that_were_kept_do_not_pile_up() {
    let schema = Schema::with_seats().await;
    let db = &schema.db;
    let mut tx = db.begin().await.unwrap();
    for id in 0..200 {
        let mut inner = tx.begin().await.unwrap();
        inner.add(seat(id)).await.unwrap();
        let innermost = inner.begin().await.unwrap();
        innermost.add(seat(1_000 + id)).await.unwrap();
        innermost.commit().await.unwrap();
        inner.commit().await.unwrap();
    }
    // The last two, and the transaction itself.
    assert_eq!(schema.number(OPEN).await, 3);
    tx.commit().await.unwrap();
    assert_eq!(db.find_all::<Seat>().count().await.unwrap(), 400);
    schema.end().await;
}
