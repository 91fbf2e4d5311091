//! Transactions that are to run in a certain way, and those that are run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ommi::{Isolation, Retry, prelude::*};

use crate::expect::{assert_kind, error};

#[derive(Debug, Clone, PartialEq, Model)]
struct Stock {
    id: i64,
    #[ommi(unique)]
    name: String,
    amount: i64,
}

fn stock(id: i64, amount: i64) -> Stock {
    Stock { id, name: format!("item {id}"), amount }
}

async fn stocked(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Stock>().await?;
    db.add_all([stock(1, 10), stock(2, 20)]).await?;
    Ok(())
}

async fn amounts(db: &impl Handle) -> DBResult<Vec<i64>> {
    Ok(db.find_all::<Stock>().sort(Stock::id).all().await?.iter().map(|row| row.amount).collect())
}

const LEVELS: [Isolation; 4] =
    [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Snapshot, Isolation::Serializable];

/// Each level up to the strongest works; those above are refused before anything is sent.
pub(crate) async fn every_isolation_that_is_declared(db: &Ommi) -> DBResult<()> {
    stocked(db).await?;
    let strongest = db.driver().capabilities().isolation;
    for isolation in LEVELS {
        let builder = db.build_transaction().isolation(isolation);
        if isolation > strongest {
            assert_kind!(builder.begin().await, ErrorKind::Unsupported { .. });
            continue;
        }
        let tx = builder.begin().await?;
        tx.find(Stock::id.eq(1)).update(Stock::amount.increment(1)).await?;
        assert_eq!(tx.get::<Stock>(2).await?.amount, 20);
        tx.commit().await?;
    }
    let levels = LEVELS.iter().filter(|level| **level <= strongest).count() as i64;
    assert_eq!(amounts(db).await?, [10 + levels, 20]);
    Ok(())
}

/// What was read once is read again, though another has committed meanwhile.
pub(crate) async fn a_snapshot_stays_as_it_is(db: &Ommi) -> DBResult<()> {
    stocked(db).await?;
    if db.driver().capabilities().isolation < Isolation::Snapshot {
        return Ok(());
    }
    let tx = db.build_transaction().isolation(Isolation::Snapshot).read_only().begin().await?;
    assert_eq!(amounts(&tx).await?, [10, 20]);
    db.add(stock(3, 30)).await?;
    db.find(Stock::id.eq(1)).update(Stock::amount.set(11)).await?;
    assert_eq!(amounts(&tx).await?, [10, 20]);
    assert_eq!(tx.find_all::<Stock>().count().await?, 2);
    tx.commit().await?;
    assert_eq!(amounts(db).await?, [11, 20, 30]);
    Ok(())
}

/// At snapshot and above, the one who comes second is told so, and may try again.
pub(crate) async fn a_lost_update_is_a_conflict(db: &Ommi) -> DBResult<()> {
    stocked(db).await?;
    let isolation = db.driver().capabilities().isolation;
    if isolation < Isolation::Snapshot {
        return Ok(());
    }
    let first = db.build_transaction().isolation(Isolation::Snapshot).begin().await?;
    let read = first.get::<Stock>(1).await?.amount;
    // Where transactions that write take turns, the second cannot begin, and there is nothing to lose.
    let change = async || db.find(Stock::id.eq(1)).update(Stock::amount.increment(1)).await;
    match tokio::time::timeout(Duration::from_secs(1), change()).await {
        Ok(changed) => {
            assert_eq!(changed?, 1);
            let lost = async {
                first.find(Stock::id.eq(1)).update(Stock::amount.set(read + 1)).await?;
                first.commit().await
            };
            assert!(error(lost.await).is_retryable());
            assert_eq!(amounts(db).await?, [11, 20]);
        }
        Err(_) => {
            first.find(Stock::id.eq(1)).update(Stock::amount.set(read + 1)).await?;
            first.commit().await?;
            assert_eq!(amounts(db).await?, [11, 20]);
        }
    }
    Ok(())
}

pub(crate) async fn read_only_reads_and_writes_nothing(db: &Ommi) -> DBResult<()> {
    stocked(db).await?;
    let tx = db.build_transaction().read_only().begin().await?;
    assert_eq!(amounts(&tx).await?, [10, 20]);
    assert_kind!(tx.add(stock(3, 1)).await, ErrorKind::Query);
    assert_kind!(tx.find(Stock::id.eq(1)).update(Stock::amount.set(0)).await, ErrorKind::Query);
    assert_kind!(tx.find_all::<Stock>().delete().await, ErrorKind::Query);
    assert_kind!(tx.upsert(stock(1, 0)).on(Stock::id).ignore().await, ErrorKind::Query);
    assert_eq!(tx.find_all::<Stock>().count().await?, 2, "it is usable still");
    tx.commit().await?;
    let result = db.build_transaction().read_only().transaction(async |tx| tx.add(stock(3, 1)).await).await;
    assert_kind!(result, ErrorKind::Query);
    assert_eq!(amounts(db).await?, [10, 20]);
    Ok(())
}

/// Several at once, beside one that writes.
pub(crate) async fn read_only_waits_for_nobody(db: &Ommi) -> DBResult<()> {
    stocked(db).await?;
    let writing = db.begin().await?;
    writing.find(Stock::id.eq(1)).update(Stock::amount.set(0)).await?;
    let first = db.build_transaction().read_only().begin().await?;
    let second = db.build_transaction().read_only().begin().await?;
    assert_eq!(amounts(&first).await?, [10, 20]);
    assert_eq!(amounts(&second).await?, [10, 20]);
    writing.commit().await?;
    first.commit().await?;
    second.commit().await?;
    assert_eq!(amounts(db).await?, [0, 20]);
    Ok(())
}

/// What a store lacks is refused before anything is sent.
pub(crate) async fn what_is_lacking_is_unsupported(db: &Ommi) -> DBResult<()> {
    stocked(db).await?;
    let capabilities = db.driver().capabilities();
    for (has, builder) in [
        (capabilities.deferrable, db.build_transaction().isolation(capabilities.isolation).read_only().deferrable()),
        (capabilities.immediate, db.build_transaction().immediate()),
    ] {
        match (has, builder.begin().await) {
            (true, Ok(tx)) => {
                assert_eq!(amounts(&tx).await?, [10, 20]);
                tx.commit().await?;
            }
            (true, Err(error)) => return Err(error),
            (false, refused) => drop(assert_kind!(refused, ErrorKind::Unsupported { .. })),
        }
    }
    Ok(())
}

/// It would wait for a transaction that waits for it.
pub(crate) async fn a_write_beside_its_own_closure_never_hangs(db: &Ommi) -> DBResult<()> {
    stocked(db).await?;
    db.transaction(async |tx| -> DBResult<()> {
        tx.find(Stock::id.eq(1)).update(Stock::amount.set(0)).await?;
        match db.add(stock(3, 30)).timeout(Duration::from_secs(20)).await {
            Ok(_) => {}
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Query), "{error:?}"),
        }
        tx.find(Stock::id.eq(2)).update(Stock::amount.set(0)).await?;
        Ok(())
    })
    .await?;
    let left = amounts(db).await?;
    assert!(left == [0, 0] || left == [0, 0, 30], "{left:?}");
    Ok(())
}

/// Another task may wait for it, and does.
pub(crate) async fn a_write_of_another_task_waits_for_its_turn(db: &Ommi) -> DBResult<()> {
    stocked(db).await?;
    let other = db.clone();
    let task = db
        .transaction(async |tx| -> DBResult<_> {
            tx.find(Stock::id.eq(1)).update(Stock::amount.set(0)).await?;
            let task = tokio::spawn(async move { other.add(stock(3, 30)).await });
            tokio::time::sleep(Duration::from_millis(20)).await;
            tx.find(Stock::id.eq(2)).update(Stock::amount.set(0)).await?;
            Ok(task)
        })
        .await?;
    task.await.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
    assert_eq!(amounts(db).await?, [0, 0, 30]);
    Ok(())
}

fn quickly() -> Retry {
    Retry::default().attempts(200).delay(Duration::from_millis(1)).max_delay(Duration::from_millis(50))
}

/// Read, then write what was read plus one: correct only if whoever comes second is told, and tries again.
pub(crate) async fn retried_increments_are_not_lost(db: &Ommi) -> DBResult<()> {
    stocked(db).await?;
    let isolation = db.driver().capabilities().isolation;
    if isolation < Isolation::Snapshot {
        return Ok(());
    }
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                let builder = db.build_transaction().isolation(Isolation::Snapshot);
                builder
                    .retry(quickly())
                    .transaction(async |tx| -> DBResult<()> {
                        let read = tx.get::<Stock>(1).await?.amount;
                        tokio::task::yield_now().await;
                        tx.find(Stock::id.eq(1)).update(Stock::amount.set(read + 1)).await?;
                        Ok(())
                    })
                    .await
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
    }
    assert_eq!(amounts(db).await?, [18, 20]);
    Ok(())
}

/// An error that would come again comes once.
pub(crate) async fn what_would_fail_again_is_not_retried(db: &Ommi) -> DBResult<()> {
    stocked(db).await?;
    let attempts = Arc::new(AtomicU32::new(0));
    let count = attempts.clone();
    let result = db
        .retry(quickly())
        .transaction(async move |tx| -> DBResult<()> {
            assert_eq!(count.fetch_add(1, Ordering::Relaxed) + 1, tx.attempt());
            tx.find(Stock::id.eq(2)).update(Stock::amount.set(0)).await?;
            tx.add(stock(1, 0)).await.map(drop)
        })
        .await;
    assert!(error(result).is_unique_violation());
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
    let result = db.retry(quickly()).transaction(async |_| Err::<(), _>(DBError::new(ErrorKind::Conflict))).await;
    assert_kind!(result, ErrorKind::Conflict);
    assert_eq!(amounts(db).await?, [10, 20]);
    Ok(())
}

/// What the application makes of the error does not matter; what the database said does.
pub(crate) async fn a_conflict_that_the_closure_swallows_is_retried(db: &Ommi) -> DBResult<()> {
    #[derive(Debug)]
    struct Own;
    impl From<DBError> for Own {
        fn from(_: DBError) -> Own {
            Own
        }
    }
    stocked(db).await?;
    if db.driver().capabilities().isolation < Isolation::Snapshot {
        return Ok(());
    }
    let (attempts, other) = (Arc::new(AtomicU32::new(0)), db.clone());
    let count = attempts.clone();
    let result = db
        .build_transaction()
        .isolation(Isolation::Snapshot)
        .retry(quickly())
        .transaction(async move |tx| -> Result<(), Own> {
            count.store(tx.attempt(), Ordering::Relaxed);
            let read = tx.get::<Stock>(1).await?.amount;
            if tx.attempt() == 1 {
                // Another is faster, where it can be: a store whose writers take turns refuses it here.
                let change = other.find(Stock::id.eq(1)).update(Stock::amount.set(100));
                if change.timeout(Duration::from_secs(5)).await.is_err() {
                    return Ok(());
                }
            }
            // Neither told nor mapped: the commit says that there was something.
            let _ = tx.find(Stock::id.eq(1)).update(Stock::amount.set(read + 1)).await;
            Ok(())
        })
        .await;
    assert!(result.is_ok());
    match attempts.load(Ordering::Relaxed) {
        1 => assert_eq!(amounts(db).await?, [10, 20]),
        2 => assert_eq!(amounts(db).await?, [101, 20]),
        more => panic!("{more} attempts"),
    }
    Ok(())
}

/// A conflict that another way was found around is not why the closure gives up in the end.
pub(crate) async fn an_error_after_a_conflict_that_was_got_over_is_not_retried(db: &Ommi) -> DBResult<()> {
    stocked(db).await?;
    let attempts = Arc::new(AtomicU32::new(0));
    let count = attempts.clone();
    let result = db
        .retry(quickly())
        .transaction(async move |tx| -> DBResult<()> {
            count.fetch_add(1, Ordering::Relaxed);
            let refused = tx.transaction(async |inner| inner.add(stock(1, 0)).await).await;
            assert!(error(refused).is_unique_violation());
            tx.transaction(async |inner| inner.add(stock(3, 0)).await).await?;
            Err(DBError::new(ErrorKind::Conflict))
        })
        .await;
    assert_kind!(result, ErrorKind::Conflict);
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
    assert_eq!(amounts(db).await?, [10, 20]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Order {
    id: i64,
    state: i64,
    lines: HasMany<Line>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Line {
    id: i64,
    state: i64,
    #[ommi(references = Order::id)]
    order_id: i64,
}

/// An order and its lines are always changed together, and seen so: by themselves where the store gives that, else in a transaction.
pub(crate) async fn what_is_included_is_of_the_same_moment(db: &Ommi) -> DBResult<()> {
    let capabilities = db.driver().capabilities();
    db.create_tables::<(Order, Line)>().await?;
    db.add(Order { id: 1, state: 0, lines: HasMany::default() }).await?;
    db.add_all((0..3).map(|id| Line { id, state: 0, order_id: 1 })).await?;
    let (writing, done, written) = (db.clone(), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (stop, count) = (done.clone(), written.clone());
    let writer = tokio::spawn(async move {
        let mut state = 0;
        while stop.load(Ordering::Relaxed) == 0 {
            state += 1;
            writing
                .retry(quickly())
                .transaction(async move |tx| -> DBResult<()> {
                    tx.find_all::<Order>().update(Order::state.set(state)).await?;
                    tx.find_all::<Line>().update(Line::state.set(state)).await?;
                    Ok(())
                })
                .await?;
            count.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
        Ok::<_, DBError>(())
    });
    // On a machine that is busy the writer may be late.
    let mut reads = 0;
    while reads < 100 || written.load(Ordering::Relaxed) < 2 && !writer.is_finished() {
        reads += 1;
        let order = if capabilities.snapshot_includes {
            db.find_all::<Order>().include(Order::lines).one().await?
        } else {
            let builder = db.build_transaction().isolation(Isolation::Snapshot).read_only();
            builder.transaction(async |tx| tx.find_all::<Order>().include(Order::lines).one().await).await?
        };
        let lines = order.lines.get().unwrap_or_default();
        assert_eq!(lines.iter().map(|line| line.state).collect::<Vec<_>>(), [order.state; 3]);
        tokio::task::yield_now().await;
    }
    done.store(1, Ordering::Relaxed);
    writer.await.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
    assert!(written.load(Ordering::Relaxed) > 1, "nothing was written meanwhile");
    Ok(())
}
