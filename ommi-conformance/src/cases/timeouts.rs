//! A limit of time reaches the database, and leaves it usable.

use std::error::Error as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ommi::prelude::*;
use ommi::testing::counting;

use crate::expect::assert_kind;

#[derive(Debug, Clone, PartialEq, Model)]
struct Page {
    #[ommi(auto)]
    id: i64,
    text: String,
    #[ommi(default = 0)]
    seen: i64,
}

async fn pages(db: &Ommi, count: usize) -> DBResult<()> {
    db.create_tables::<Page>().await?;
    let text = "a long text in which a needle is looked for, ".repeat(20);
    db.add_all((0..count).map(|_| new!(Page { text: &text }))).await?;
    Ok(())
}

/// A condition that takes half a second and more on a few thousand pages. One page is quickly done, for stores that look at the time between rows.
fn slow() -> Predicate<Page> {
    any_of((0..300).map(|n| Page::text.icontains(format!("needle {n}"))))
}

pub(crate) async fn a_time_that_has_passed_is_a_timeout(db: &Ommi) -> DBResult<()> {
    pages(db, 10).await?;
    let zero = Duration::ZERO;
    let find = || db.find(Page::id.ge(0));
    assert_kind!(find().all().timeout(zero).await, ErrorKind::Timeout { .. });
    assert_kind!(find().one().timeout(zero).await, ErrorKind::Timeout { .. });
    assert_kind!(find().first().timeout(zero).await, ErrorKind::Timeout { .. });
    assert_kind!(find().count().timeout(zero).await, ErrorKind::Timeout { .. });
    assert_kind!(find().exists().timeout(zero).await, ErrorKind::Timeout { .. });
    assert_kind!(find().stream().timeout(zero).try_next().await, ErrorKind::Timeout { .. });
    assert_kind!(db.get::<Page>(1).timeout(zero).await, ErrorKind::Timeout { .. });
    assert_eq!(find().count().await?, 10, "the pool is usable");
    Ok(())
}

pub(crate) async fn a_write_whose_time_has_passed_does_nothing(db: &Ommi) -> DBResult<()> {
    pages(db, 10).await?;
    let zero = Duration::ZERO;
    let before = db.find_all::<Page>().sort(Page::id).all().await?;
    let row = || new!(Page { text: "late" });
    assert_kind!(db.add(row()).timeout(zero).await, ErrorKind::Timeout { .. });
    assert_kind!(db.add_all([row(), row()]).timeout(zero).await, ErrorKind::Timeout { .. });
    assert_kind!(db.find(Page::id.gt(0)).update(Page::seen.set(1)).timeout(zero).await, ErrorKind::Timeout { .. });
    assert_kind!(db.find_all::<Page>().delete().timeout(zero).await, ErrorKind::Timeout { .. });
    assert_kind!(db.upsert(row()).on(Page::id).ignore().timeout(zero).await, ErrorKind::Timeout { .. });
    let mut first = before[0].clone();
    first.seen = 9;
    assert_kind!(db.save(&mut first).timeout(zero).await, ErrorKind::Timeout { .. });
    assert_kind!(db.delete(&first).timeout(zero).await, ErrorKind::Timeout { .. });
    assert_eq!(db.find_all::<Page>().sort(Page::id).all().await?, before);
    Ok(())
}

pub(crate) async fn the_error_says_how_long_it_was(db: &Ommi) -> DBResult<()> {
    pages(db, 1).await?;
    let error = assert_kind!(
        db.find_all::<Page>().all().timeout(Duration::ZERO).await,
        ErrorKind::Timeout { after, .. } if *after == Duration::ZERO
    );
    assert!(!error.to_string().is_empty());
    Ok(())
}

pub(crate) async fn enough_time_changes_nothing(db: &Ommi) -> DBResult<()> {
    pages(db, 10).await?;
    for time in [Duration::from_secs(60), Duration::from_secs(1 << 40), Duration::MAX] {
        assert_eq!(db.find_all::<Page>().all().timeout(time).await?.len(), 10, "{time:?}");
        assert_eq!(db.get::<Page>(-1).timeout(time).optional().await?, None);
        let mut rows = db.find_all::<Page>().stream().timeout(time);
        assert!(rows.try_next().await?.is_some());
    }
    Ok(())
}

/// The database's work ends, not just the wait for it.
pub(crate) async fn a_long_read_is_stopped(db: &Ommi) -> DBResult<()> {
    pages(db, 3_000).await?;
    let started = Instant::now();
    let error = db.find(slow()).count().timeout(Duration::from_millis(50)).await;
    assert_kind!(error, ErrorKind::Timeout { .. });
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    for _ in 0..10 {
        assert_kind!(db.find(slow()).all().timeout(Duration::from_millis(20)).await, ErrorKind::Timeout { .. });
    }
    assert_eq!(db.find(Page::id.le(0)).count().await?, 0, "the pool is usable");
    db.add(new!(Page { text: "after" })).await?;
    Ok(())
}

pub(crate) async fn a_long_write_is_stopped_and_changes_nothing(db: &Ommi) -> DBResult<()> {
    pages(db, 3_000).await?;
    let update = db.find(!slow()).update(Page::seen.set(1)).timeout(Duration::from_millis(50));
    assert_kind!(update.await, ErrorKind::Timeout { .. });
    let delete = db.find(!slow()).delete().timeout(Duration::from_millis(50));
    assert_kind!(delete.await, ErrorKind::Timeout { .. });
    assert_eq!(db.find(Page::seen.eq(0)).count().await?, 3_000);
    Ok(())
}

pub(crate) async fn a_long_stream_is_stopped(db: &Ommi) -> DBResult<()> {
    pages(db, 3_000).await?;
    let mut rows = db.find(slow()).stream().timeout(Duration::from_millis(50));
    assert_kind!(rows.try_next().await, ErrorKind::Timeout { .. });
    assert_eq!(rows.try_next().await?, None);
    drop(rows);
    assert_eq!(db.find_all::<Page>().count().await?, 3_000);
    Ok(())
}

/// The limit is set before the verbs of the result, or after them.
pub(crate) async fn with_the_verbs_of_a_result(db: &Ommi) -> DBResult<()> {
    pages(db, 3).await?;
    let count = || db.find_all::<Page>().count();
    assert_eq!(count().timeout(Duration::ZERO).or_use(99).await, 99);
    assert_eq!(count().or_use(99).timeout(Duration::ZERO).await, 99);
    let optional = db.find_all::<Page>().one().optional().timeout(Duration::ZERO);
    assert_kind!(optional.await, ErrorKind::Timeout { .. });
    Ok(())
}

/// As after any other failed statement.
pub(crate) async fn in_a_transaction_leaves_only_a_rollback(db: &Ommi) -> DBResult<()> {
    pages(db, 3_000).await?;
    let tx = db.begin().await?;
    tx.find(Page::id.gt(0)).update(Page::seen.set(1)).await?;
    assert_kind!(tx.find(slow()).count().timeout(Duration::from_millis(30)).await, ErrorKind::Timeout { .. });
    assert_kind!(tx.find_all::<Page>().count().await, ErrorKind::TransactionAborted);
    tx.rollback().await?;
    assert_eq!(db.find(Page::seen.eq(0)).count().await?, 3_000);
    Ok(())
}

/// Also where the database had begun the transaction with it.
pub(crate) async fn a_first_statement_that_is_given_up_leaves_nothing_locked(db: &Ommi) -> DBResult<()> {
    pages(db, 3_000).await?;
    for (round, ends) in [true, false].into_iter().enumerate() {
        let tx = db.begin().await?;
        // Not a limit that the database knows of, so that it goes on.
        let first = tx.find(Page::id.gt(0)).update(Page::seen.set(1));
        let _ = tokio::time::timeout(Duration::from_millis(20), first).await;
        match ends {
            true => tx.rollback().await?,
            false => drop(tx),
        }
        let after = db.find(Page::id.gt(0)).update(Page::seen.increment(2)).timeout(Duration::from_secs(30));
        assert_eq!(after.await?, 3_000, "round {round}");
        let seen = 2 * (round as i64 + 1);
        assert_eq!(db.find(Page::seen.eq(seen)).count().await?, 3_000, "round {round}");
    }
    Ok(())
}

/// Waiting for a connection or a lock is part of the time.
pub(crate) async fn waiting_for_a_transaction_to_end(db: &Ommi) -> DBResult<()> {
    pages(db, 3).await?;
    let tx = db.begin().await?;
    tx.find(Page::id.gt(0)).update(Page::seen.set(1)).await?;
    let waiting = db.find(Page::id.gt(0)).update(Page::seen.set(2)).timeout(Duration::from_millis(50));
    assert_kind!(waiting.await, ErrorKind::Timeout { .. });
    tx.commit().await?;
    assert_eq!(db.find(Page::seen.eq(1)).count().await?, 3);
    assert_eq!(db.find(Page::id.gt(0)).update(Page::seen.set(3)).await?, 3);
    Ok(())
}

/// Nothing of it happens, and the connection is free for the next.
pub(crate) async fn a_commit_whose_time_has_passed_undoes(db: &Ommi) -> DBResult<()> {
    pages(db, 3).await?;
    let tx = db.begin().await?;
    tx.find(Page::id.gt(0)).update(Page::seen.set(1)).await?;
    let error = assert_kind!(tx.commit().timeout(Duration::ZERO).await, ErrorKind::Timeout { .. });
    assert!(!error.is_outcome_unknown(), "nothing was sent: {error:?}");
    assert_eq!(db.find(Page::seen.eq(0)).count().await?, 3);
    let tx = db.begin().await?;
    tx.find(Page::id.gt(0)).update(Page::seen.set(2)).await?;
    tx.commit().timeout(Duration::from_secs(60)).await?;
    assert_eq!(db.find(Page::seen.eq(2)).count().await?, 3);
    Ok(())
}

/// However little time it has, it undoes.
pub(crate) async fn a_rollback_whose_time_has_passed_undoes(db: &Ommi) -> DBResult<()> {
    pages(db, 3).await?;
    for time in [Duration::ZERO, Duration::from_secs(60)] {
        let tx = db.begin().await?;
        tx.find(Page::id.gt(0)).update(Page::seen.set(1)).await?;
        match tx.rollback().timeout(time).await {
            Ok(()) => {}
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error:?}"),
        }
        assert_eq!(db.find(Page::seen.eq(0)).count().await?, 3, "{time:?}");
        assert_eq!(db.find(Page::id.gt(0)).update(Page::seen.set(0)).await?, 3, "nothing is locked");
    }
    Ok(())
}

/// The limit of a transaction is that of every statement in it.
pub(crate) async fn the_limit_of_a_transaction_holds_for_its_statements(db: &Ommi) -> DBResult<()> {
    pages(db, 12_000).await?;
    let started = Instant::now();
    let result = db
        .transaction(async |tx| {
            tx.find(Page::id.le(100)).update(Page::seen.set(1)).await?;
            tx.find(slow()).count().timeout(Duration::from_secs(60)).await
        })
        .timeout(Duration::from_millis(800));
    assert_kind!(result.await, ErrorKind::Timeout { .. });
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(db.find(Page::seen.eq(0)).count().await?, 12_000);
    Ok(())
}

/// The time is over, whatever it was spent on.
pub(crate) async fn the_limit_of_a_transaction_holds_for_its_commit(db: &Ommi) -> DBResult<()> {
    pages(db, 3).await?;
    let time = Duration::from_millis(200);
    let transaction = |pause: Duration| {
        db.transaction(async move |tx| {
            tx.find(Page::id.gt(0)).update(Page::seen.set(1)).await?;
            tokio::time::sleep(pause).await;
            DBResult::Ok(())
        })
    };
    assert_kind!(transaction(time * 2).timeout(time).await, ErrorKind::Timeout { .. });
    assert_eq!(db.find(Page::seen.eq(0)).count().await?, 3);
    transaction(Duration::ZERO).timeout(Duration::from_secs(60)).await?;
    assert_eq!(db.find(Page::seen.eq(1)).count().await?, 3);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "timeout_volumes")]
struct Volume {
    #[ommi(auto)]
    id: i64,
    #[ommi(default = 0)]
    lent: i64,
    leaves: HasMany<Leaf>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "timeout_leaves")]
struct Leaf {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Volume::id)]
    volume_id: i64,
    text: String,
}

/// One volume, with so many leaves that what is asked of them in [`slow_leaves`] takes long.
async fn volume(db: &Ommi) -> DBResult<Volume> {
    db.create_tables::<(Volume, Leaf)>().await?;
    let volume = db.add(new!(Volume { .. })).await?;
    let text = "a long text in which a needle is looked for, ".repeat(20);
    db.add_all((0..2_000).map(|_| new!(Leaf { volume_id: volume.id, text: &text }))).await?;
    Ok(volume)
}

fn slow_leaves() -> Predicate<Leaf> {
    any_of((0..300).map(|n| Leaf::text.icontains(format!("needle {n}"))))
}

/// The second statement is given what the first has left of the time.
pub(crate) async fn one_that_passes_in_an_include(db: &Ommi) -> DBResult<()> {
    let volume = volume(db).await?;
    let (counted, sent) = counting(db);
    // On a machine that is busy the volume alone may take longer, and for a while.
    let mut limits = [100, 400].map(Duration::from_millis).into_iter().cycle().take(60);
    let mut both_were_sent = async || {
        let Some(limit) = limits.next() else { panic!("the first statement took all of the time, again and again") };
        sent.store(0, Ordering::Relaxed);
        let started = Instant::now();
        let find = counted.find_all::<Volume>().include(Volume::leaves.filter(slow_leaves()));
        assert_kind!(find.all().timeout(limit).await, ErrorKind::Timeout { after, .. } if *after == limit);
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        sent.load(Ordering::Relaxed) == 2
    };
    while !both_were_sent().await {}
    // Each connection of a pool is as it was.
    for _ in 0..5 {
        let find = db.find_all::<Volume>().include(Volume::leaves.filter(Leaf::id.le(0)));
        let found = find.all().timeout(Duration::from_secs(60)).await?;
        assert_eq!(found.iter().map(|volume| volume.leaves.get().map(<[_]>::len)).collect::<Vec<_>>(), [Some(0)]);
    }
    assert_eq!(db.find(Volume::id.eq(volume.id)).update(Volume::lent.increment(1)).await?, 1);
    db.find(Leaf::volume_id.eq(volume.id)).delete().timeout(Duration::from_secs(60)).await.map(drop)
}

/// Only the rollback is left, and it leaves nothing locked.
pub(crate) async fn one_that_passes_in_an_include_in_a_transaction(db: &Ommi) -> DBResult<()> {
    let volume = volume(db).await?;
    for limit in [100, 400].map(Duration::from_millis) {
        let tx = db.begin().await?;
        assert_eq!(tx.find(Volume::id.eq(volume.id)).update(Volume::lent.set(1)).await?, 1);
        let find = tx.find_all::<Volume>().include(Volume::leaves.filter(slow_leaves()));
        assert_kind!(find.all().timeout(limit).await, ErrorKind::Timeout { after, .. } if *after == limit);
        let error = assert_kind!(tx.find_all::<Volume>().count().await, ErrorKind::TransactionAborted);
        let first = error.source().and_then(|source| source.downcast_ref::<DBError>());
        assert!(first.is_some_and(|first| matches!(first.kind(), ErrorKind::Timeout { .. })), "{first:?}");
        tx.rollback().await?;
        let after = db.find(Volume::lent.eq(0)).update(Volume::lent.increment(0)).timeout(Duration::from_secs(30));
        assert_eq!(after.await?, 1, "it was undone, and is not locked");
    }
    Ok(())
}

/// Where a store gives up everything with it, the outer one says so, and why; else it goes on.
pub(crate) async fn a_write_stopped_within_says_why_the_outer_one_is_lost(db: &Ommi) -> DBResult<()> {
    pages(db, 3_000).await?;
    for rolls_back in [true, false] {
        let mut tx = db.begin().await?;
        tx.add(new!(Page { text: "outer" })).await?;
        let inner = tx.begin().await?;
        let write = inner.find(!slow()).update(Page::seen.set(1)).timeout(Duration::from_millis(50));
        assert_kind!(write.await, ErrorKind::Timeout { .. });
        match rolls_back {
            // Where nothing is left to be rolled back this may be said here already.
            true => drop(inner.rollback().await),
            false => drop(inner),
        }
        for _ in 0..2 {
            match tx.find_all::<Page>().count().await {
                Ok(count) => assert_eq!(count, 3_001),
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::TransactionAborted), "{error:?}");
                    let first = error.source().and_then(|source| source.downcast_ref::<DBError>());
                    let is_first = first.is_some_and(|first| matches!(first.kind(), ErrorKind::Timeout { .. }));
                    assert!(is_first, "rolled back: {rolls_back}; {error:?} by {first:?}");
                }
            }
        }
        tx.rollback().await?;
        assert_eq!(db.find(Page::seen.eq(0)).count().await?, 3_000);
    }
    Ok(())
}
