//! `mem::forget` of a transaction or of a stream: it costs a connection at most, and nobody ever sees what it did. Who is told so is told at
//! once.
//!
//! What is forgotten here may have a store's only connection, or its only writer, so each case has one.

use std::mem;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use ommi::prelude::*;
use tokio::sync::Notify;

use crate::expect::assert_kind;

#[derive(Debug, Clone, PartialEq, Model)]
struct Seat {
    id: i64,
    visits: i64,
}

fn seat(id: i64) -> Seat {
    Seat { id, visits: 0 }
}

async fn seats(db: &Ommi, count: i64) -> DBResult<()> {
    db.create_tables::<Seat>().await?;
    db.add_all((1..=count).map(seat)).await?;
    Ok(())
}

/// Far more than an answer takes that comes at once, and less than any wait here.
const AT_ONCE: Duration = Duration::from_secs(10);

async fn at_once<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(AT_ONCE, work).await.unwrap_or_else(|_| panic!("it hangs"))
}

/// Opens a stream, reads a row of it and forgets the rest.
async fn forget_a_stream(db: &impl Handle) -> DBResult<()> {
    let mut rows = db.find_all::<Seat>().sort(Seat::id).batch(1).stream();
    assert_eq!(rows.try_next().await?.map(|row| row.id), Some(1));
    mem::forget(rows);
    Ok(())
}

/// Nobody sees it, and others go on: on a store of one writer those who read, and who writes is told in time.
pub(crate) async fn a_transaction_is_never_seen(db: &Ommi) -> DBResult<()> {
    seats(db, 2).await?;
    let tx = db.begin().await?;
    tx.add(seat(3)).await?;
    tx.find(Seat::id.eq(1)).update(Seat::visits.set(9)).await?;
    mem::forget(tx);
    for _ in 0..3 {
        assert_eq!(db.find_all::<Seat>().sort(Seat::id).all().await?, [seat(1), seat(2)]);
    }
    let write = db.find(Seat::id.eq(2)).update(Seat::visits.increment(1));
    if db.driver().capabilities().single_writer {
        assert_kind!(write.timeout(Duration::from_millis(200)).await, ErrorKind::Timeout { .. });
    } else {
        assert_eq!(write.await?, 1);
    }
    Ok(())
}

/// It costs a connection at most, and where there is but one, not even that.
pub(crate) async fn a_stream_keeps_nobody_waiting(db: &Ommi) -> DBResult<()> {
    seats(db, 2_000).await?;
    forget_a_stream(db).await?;
    at_once(async {
        assert_eq!(db.find_all::<Seat>().count().await?, 2_000);
        if db.driver().capabilities().transactions {
            db.transaction(async |tx| tx.add(seat(3_000)).await).await?;
        } else {
            db.add(seat(3_000)).await?;
        }
        assert_eq!(db.find(Seat::id.eq(1)).update(Seat::visits.set(1)).await?, 1);
        assert_eq!(db.find_all::<Seat>().batch(100).all().await?.len(), 2_001);
        Ok(())
    })
    .await
}

/// A transaction with a write of its own and a stream that was forgotten.
async fn with_a_forgotten_stream(db: &Ommi) -> DBResult<Transaction<'_>> {
    seats(db, 2_000).await?;
    let tx = db.begin().await?;
    tx.find(Seat::id.eq(1)).update(Seat::visits.set(9)).await?;
    forget_a_stream(&tx).await?;
    at_once(async {
        assert_kind!(tx.find_all::<Seat>().count().await, ErrorKind::Query);
    })
    .await;
    Ok(tx)
}

/// What became of it can be seen where somebody can still look.
async fn is_undone(db: &Ommi) -> DBResult<()> {
    let seen = db.get::<Seat>(1).timeout(Duration::from_secs(1)).await;
    match seen {
        Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => Ok(()),
        seen => {
            assert_eq!(seen?, seat(1));
            Ok(())
        }
    }
}

pub(crate) async fn a_stream_in_a_transaction_that_commits(db: &Ommi) -> DBResult<()> {
    let tx = with_a_forgotten_stream(db).await?;
    assert_kind!(at_once(tx.commit()).await, ErrorKind::TransactionAborted);
    is_undone(db).await
}

pub(crate) async fn a_stream_in_a_transaction_that_rolls_back(db: &Ommi) -> DBResult<()> {
    let tx = with_a_forgotten_stream(db).await?;
    assert_kind!(at_once(tx.rollback()).await, ErrorKind::TransactionAborted);
    is_undone(db).await
}

pub(crate) async fn a_stream_in_a_transaction_that_is_dropped(db: &Ommi) -> DBResult<()> {
    let tx = with_a_forgotten_stream(db).await?;
    drop(tx);
    is_undone(db).await
}

/// A stream that was forgotten in a transaction within this one has the connection of this one.
async fn says_so(db: &Ommi, mut tx: Transaction<'_>, commit: bool) -> DBResult<()> {
    at_once(async {
        assert_kind!(tx.add(seat(5_000)).await, ErrorKind::TransactionAborted);
        assert_kind!(tx.find_all::<Seat>().count().await, ErrorKind::TransactionAborted);
        assert_kind!(tx.find_all::<Seat>().stream().try_next().await, ErrorKind::TransactionAborted);
        assert_kind!(tx.begin().await, ErrorKind::TransactionAborted);
        let end = if commit { tx.commit().await } else { tx.rollback().await };
        assert_kind!(end, ErrorKind::TransactionAborted);
    })
    .await;
    is_undone(db).await
}

async fn begin(db: &Ommi) -> DBResult<Transaction<'_>> {
    seats(db, 2_000).await?;
    let tx = db.begin().await?;
    tx.find(Seat::id.eq(1)).update(Seat::visits.set(9)).await?;
    Ok(tx)
}

pub(crate) async fn a_stream_in_one_within_another_that_is_dropped(db: &Ommi) -> DBResult<()> {
    let mut tx = begin(db).await?;
    let inner = tx.begin().await?;
    forget_a_stream(&inner).await?;
    drop(inner);
    says_so(db, tx, true).await
}

pub(crate) async fn a_stream_in_one_within_another_that_is_rolled_back(db: &Ommi) -> DBResult<()> {
    let mut tx = begin(db).await?;
    let inner = tx.begin().await?;
    forget_a_stream(&inner).await?;
    assert_kind!(at_once(inner.rollback()).await, ErrorKind::TransactionAborted);
    says_so(db, tx, false).await
}

/// With the stream, and one level further in.
pub(crate) async fn a_stream_in_one_within_another_that_is_forgotten(db: &Ommi) -> DBResult<()> {
    let mut tx = begin(db).await?;
    let mut inner = tx.begin().await?;
    let innermost = inner.begin().await?;
    forget_a_stream(&innermost).await?;
    mem::forget(innermost);
    at_once(async {
        assert_kind!(inner.find_all::<Seat>().count().await, ErrorKind::TransactionAborted);
    })
    .await;
    mem::forget(inner);
    says_so(db, tx, true).await
}

pub(crate) async fn a_stream_in_a_closure_that_is_dropped(db: &Ommi) -> DBResult<()> {
    let mut tx = begin(db).await?;
    let forgotten = Notify::new();
    let work = tx.transaction(async |inner| -> DBResult<()> {
        forget_a_stream(inner).await?;
        forgotten.notify_one();
        std::future::pending().await
    });
    match select(pin!(work), pin!(forgotten.notified())).await {
        Either::Left(_) => panic!("it has no end"),
        Either::Right(_) => {}
    }
    says_so(db, tx, false).await
}
