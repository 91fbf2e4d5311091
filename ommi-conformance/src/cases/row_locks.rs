//! Locks on rows that are read, held until the end of the transaction.

use std::time::Duration;

use ommi::Find;
use ommi::ast::{LockStrength, LockWait, RowLock, Select};
use ommi::driver::Context;
use ommi::prelude::*;
use ommi::testing::assert_queries;

use super::concurrency::joined;
use crate::expect::{assert_kind, error};
use crate::rows::Rows;

#[derive(Debug, Clone, PartialEq, Model)]
struct Job {
    id: i64,
    #[ommi(default = 0)]
    done_by: i64,
    steps: HasMany<Step>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Step {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Job::id)]
    job_id: i64,
}

/// Far less than what holds a lock in these cases, and far more than a statement takes.
const BRIEF: Duration = Duration::from_millis(400);

async fn jobs(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Job, Step)>().await?;
    db.add_all((1..=4).map(|id| new!(Job { id }))).await?;
    Ok(())
}

fn ids(jobs: &[Job]) -> Vec<i64> {
    jobs.iter().map(|job| job.id).collect()
}

/// Tries something in a transaction of its own.
async fn try_in<T>(db: &Ommi, work: impl AsyncFnOnce(&Transaction<'_>) -> DBResult<T>) -> DBResult<T> {
    let tx = db.begin().await?;
    let result = work(&tx).await;
    tx.rollback().await?;
    result
}

async fn update(db: &impl Handle, id: i64) -> DBResult<u64> {
    db.find(Job::id.eq(id)).update(Job::done_by.increment(1)).timeout(BRIEF).await
}

pub(crate) async fn a_locked_row_is_waited_for(db: &Ommi) -> DBResult<()> {
    jobs(db).await?;
    let tx = db.begin().await?;
    assert_eq!(tx.find(Job::id.eq(1)).for_update().one().await?.id, 1);
    let locked = try_in(db, async |tx| tx.find(Job::id.eq(1)).for_update().one().timeout(BRIEF).await);
    assert_kind!(locked.await, ErrorKind::Timeout { .. });
    let locked = try_in(db, async |tx| tx.find_all::<Job>().for_share().all().timeout(BRIEF).await);
    assert_kind!(locked.await, ErrorKind::Timeout { .. });
    assert_kind!(update(db, 1).await, ErrorKind::Timeout { .. });
    assert_kind!(db.find(Job::id.eq(1)).delete().timeout(BRIEF).await, ErrorKind::Timeout { .. });
    // Other rows are free, and whoever only reads is not kept from it.
    assert_eq!(update(db, 2).await?, 1);
    assert_eq!(db.find_all::<Job>().all().await?.len(), 4);
    assert_eq!(try_in(db, async |tx| tx.find(Job::id.gt(1)).for_update().all().await).await?.len(), 3);
    // Its own transaction writes it.
    assert_eq!(update(&tx, 1).await?, 1);
    tx.commit().await?;
    assert_eq!(try_in(db, async |tx| tx.find(Job::id.eq(1)).for_update().one().await).await?.done_by, 1);
    Ok(())
}

pub(crate) async fn they_are_released_at_the_end(db: &Ommi) -> DBResult<()> {
    jobs(db).await?;
    for end in 0..3 {
        let tx = db.begin().await?;
        tx.find_all::<Job>().for_update().all().await?;
        assert_kind!(update(db, 1).await, ErrorKind::Timeout { .. });
        match end {
            0 => tx.commit().await?,
            1 => tx.rollback().await?,
            _ => drop(tx),
        }
        let freed = db.find(Job::id.eq(1)).update(Job::done_by.increment(1)).timeout(Duration::from_secs(20));
        assert_eq!(freed.await?, 1, "end {end}");
    }
    // Who waits gets the row as it is then.
    let tx = db.begin().await?;
    let mut held = tx.find(Job::id.eq(2)).for_update().one().await?;
    let waiting = {
        let db = db.clone();
        tokio::spawn(async move { try_in(&db, async |tx| tx.find(Job::id.eq(2)).for_update().one().await).await })
    };
    tokio::time::sleep(BRIEF / 4).await;
    assert!(!waiting.is_finished());
    held.done_by = 77;
    tx.save(&mut held).await?;
    tx.commit().await?;
    let seen = joined(waiting).await?;
    assert_eq!(seen.done_by, 77);
    Ok(())
}

pub(crate) async fn locked_rows_are_skipped(db: &Ommi) -> DBResult<()> {
    jobs(db).await?;
    let tx = db.begin().await?;
    tx.find(Job::id.in_([1, 3])).for_update().all().await?;
    try_in(db, async |other| {
        let free = other.find_all::<Job>().sort(Job::id).for_update().skip_locked().all().await?;
        assert_eq!(ids(&free), [2, 4]);
        let first = other.find_all::<Job>().sort(Job::id).limit(1).for_share().skip_locked().all().await?;
        assert_eq!(ids(&first), [2], "the limit counts what is given");
        assert_eq!(other.find(Job::id.eq(3)).for_update().skip_locked().first().await?, None);
        Ok(())
    })
    .await?;
    tx.rollback().await
}

pub(crate) async fn locked_rows_are_refused_at_once(db: &Ommi) -> DBResult<()> {
    jobs(db).await?;
    let tx = db.begin().await?;
    tx.find(Job::id.eq(3)).for_update().one().await?;
    for refused in [
        try_in(db, async |tx| tx.find_all::<Job>().for_update().nowait().all().await).await,
        try_in(db, async |tx| tx.find(Job::id.eq(3)).for_share().nowait().all().await).await,
    ] {
        let error = assert_kind!(refused, ErrorKind::Conflict);
        assert!(error.is_retryable() && error.stale_row().is_none(), "{error:?}");
    }
    let free = try_in(db, async |tx| tx.find(Job::id.ne(3)).sort(Job::id).for_update().nowait().all().await).await?;
    assert_eq!(ids(&free), [1, 2, 4]);
    tx.rollback().await
}

pub(crate) async fn shared_locks_keep_writers_out_and_each_other_not(db: &Ommi) -> DBResult<()> {
    jobs(db).await?;
    let (one, two) = (db.begin().await?, db.begin().await?);
    assert_eq!(one.find_all::<Job>().for_share().all().await?.len(), 4);
    assert_eq!(two.find_all::<Job>().for_share().nowait().all().await?.len(), 4);
    assert_kind!(update(db, 1).await, ErrorKind::Timeout { .. });
    let exclusive = try_in(db, async |tx| tx.find_all::<Job>().for_update().skip_locked().all().await);
    assert_eq!(exclusive.await?, []);
    one.commit().await?;
    assert_kind!(update(db, 1).await, ErrorKind::Timeout { .. });
    two.commit().await?;
    assert_eq!(update(db, 1).await?, 1);
    Ok(())
}

/// What one found locked, the next leaves to it.
pub(crate) async fn each_task_is_taken_by_one_worker(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Job, Step)>().await?;
    db.add_all((1..=30).map(|id| new!(Job { id }))).await?;
    let workers: Vec<_> = (1..=5)
        .map(|worker| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut taken = 0;
                loop {
                    let done = db
                        .transaction(async |tx| {
                            let open = tx.find(Job::done_by.eq(0)).sort(Job::id).for_update().skip_locked();
                            let Some(mut job) = open.first().await? else { return DBResult::Ok(true) };
                            assert_eq!(job.done_by, 0);
                            job.done_by = worker;
                            tx.save(&mut job).await?;
                            Ok(false)
                        })
                        .await?;
                    if done {
                        return DBResult::Ok(taken);
                    }
                    taken += 1;
                }
            })
        })
        .collect();
    let mut taken = 0;
    for worker in workers {
        taken += joined(worker).await?;
    }
    assert_eq!((taken, db.find(Job::done_by.eq(0)).count().await?), (30, 0));
    Ok(())
}

pub(crate) async fn with_every_verb_that_gives_rows(db: &Ommi) -> DBResult<()> {
    jobs(db).await?;
    db.add_all([new!(Step { job_id: 1 }), new!(Step { job_id: 1 })]).await?;
    type Read = for<'t> fn(&'t Transaction<'t>) -> futures::future::BoxFuture<'t, DBResult<Vec<i64>>>;
    let verbs: [(&str, Read); 5] = [
        ("all", |tx| Box::pin(async { Ok(ids(&tx.find(Job::id.eq(1)).for_update().all().await?)) })),
        ("one", |tx| Box::pin(async { Ok(vec![tx.find(Job::id.eq(1)).for_update().one().await?.id]) })),
        ("first", |tx| {
            Box::pin(async { Ok(ids(tx.find_all::<Job>().sort(Job::id).for_update().first().await?.as_slice())) })
        }),
        ("stream", |tx| {
            Box::pin(async {
                let mut read = Vec::new();
                let mut rows = tx.find(Job::id.eq(1)).for_update().stream();
                while let Some(row) = rows.try_next().await? {
                    read.push(row.id);
                }
                Ok(read)
            })
        }),
        ("include", |tx| {
            Box::pin(async {
                let rows = tx.find(Job::id.eq(1)).include(Job::steps).for_update().all().await?;
                assert_eq!(rows.iter().filter_map(|row| row.steps.get()).map(<[Step]>::len).sum::<usize>(), 2);
                Ok(ids(&rows))
            })
        }),
    ];
    for (verb, read) in verbs {
        let tx = db.begin().await?;
        assert_eq!(read(&tx).await?, [1], "{verb}");
        assert_kind!(update(db, 1).await, ErrorKind::Timeout { .. });
        // What is included is not locked.
        assert_eq!(db.find(Step::job_id.eq(1)).update(Step::job_id.set(1)).await?, 2, "{verb}");
        tx.rollback().await?;
    }
    Ok(())
}

/// A lock, a way to wait for others, and none at all are different statements, also where all else is the same.
pub(crate) async fn beside_the_same_query_without_one(db: &Ommi) -> DBResult<()> {
    jobs(db).await?;
    let tx = db.begin().await?;
    let find = || tx.find(Job::id.eq(1));
    let texts: Vec<String> = [
        find(),
        find().for_update(),
        find().for_update().skip_locked(),
        find().for_update().nowait(),
        find().for_share(),
        find().for_share().skip_locked(),
        find().for_share().nowait(),
    ]
    .into_iter()
    .map(|find| find.explain().map(|explanation| explanation.to_string()))
    .collect::<DBResult<_>>()?;
    for (place, text) in texts.iter().enumerate() {
        assert!(texts.iter().skip(place + 1).all(|other| other != text), "{text}");
    }
    tx.rollback().await?;
    for _ in 0..2 {
        let tx = db.begin().await?;
        tx.find(Job::id.eq(1)).all().await?;
        assert_eq!(update(db, 1).await?, 1, "it was read without a lock");
        tx.find(Job::id.eq(1)).for_update().all().await?;
        assert_kind!(update(db, 1).await, ErrorKind::Timeout { .. });
        tx.rollback().await?;
    }
    Ok(())
}

fn locks<'h>(find: impl Fn() -> Find<'h, Job>) -> [Find<'h, Job>; 6] {
    [
        find().for_update(),
        find().for_update().skip_locked(),
        find().for_update().nowait(),
        find().for_share(),
        find().for_share().skip_locked(),
        find().for_share().nowait(),
    ]
}

pub(crate) async fn outside_of_a_transaction_they_are_an_error(db: &Ommi) -> DBResult<()> {
    jobs(db).await?;
    assert_queries(0, db, async |db| {
        for find in locks(|| db.find(Job::id.eq(1))) {
            let refused = assert_kind!(find.clone().all().await, ErrorKind::Query);
            assert!(refused.to_string().contains("transaction"), "{refused}");
            assert_kind!(find.clone().one().await, ErrorKind::Query);
            assert_kind!(find.clone().first().await, ErrorKind::Query);
            assert_kind!(find.clone().stream().try_next().await, ErrorKind::Query);
            assert_kind!(find.explain(), ErrorKind::Query);
        }
    })
    .await;
    Ok(())
}

/// Nothing is sent, so the transaction is as good as before.
pub(crate) async fn what_gives_no_rows_takes_no_lock(db: &Ommi) -> DBResult<()> {
    jobs(db).await?;
    let tx = db.begin().await?;
    let find = || tx.find(Job::id.eq(1)).for_update();
    let refused = assert_kind!(find().count().await, ErrorKind::Query);
    assert!(refused.to_string().contains("`count` of Job"), "{refused}");
    assert_kind!(find().exists().await, ErrorKind::Query);
    assert_kind!(find().update(Job::done_by.set(1)).await, ErrorKind::Query);
    assert_kind!(find().delete().await, ErrorKind::Query);
    assert_kind!(find().explain_count(), ErrorKind::Query);
    assert_kind!(find().explain_exists(), ErrorKind::Query);
    assert_eq!(find().one().await?.done_by, 0);
    tx.commit().await
}

pub(crate) async fn contradictions_are_an_error(db: &Ommi) -> DBResult<()> {
    jobs(db).await?;
    let tx = db.begin().await?;
    let find = || tx.find(Job::id.eq(1));
    for find in [
        find().skip_locked(),
        find().nowait(),
        find().skip_locked().for_update(),
        find().for_update().skip_locked().nowait(),
        find().for_update().nowait().nowait(),
        find().for_update().for_share(),
    ] {
        assert_kind!(find.all().await, ErrorKind::Query);
    }
    assert_eq!(find().for_update().one().await?.id, 1);
    tx.commit().await
}

/// Before anything is sent, whether or not it is in a transaction.
pub(crate) async fn a_store_without_them_says_so(db: &Ommi) -> DBResult<()> {
    jobs(db).await?;
    let capabilities = db.driver().capabilities();
    let (has, driver) = (capabilities.row_locks, capabilities.driver);
    let unsupported =
        |error: &DBError| matches!(error.kind(), ErrorKind::Unsupported { driver: of, .. } if *of == driver);
    assert_queries(0, db, async |db| {
        for find in locks(|| db.find_all::<Job>()) {
            let refused = error(find.clone().all().await);
            assert!(unsupported(&refused) != has, "{refused:?}");
            let refused = error(find.stream().try_next().await);
            assert!(unsupported(&refused) != has, "{refused:?}");
        }
    })
    .await;
    // A statement that was put together by hand is looked at by the driver.
    let mut select = Select::new(Job::schema());
    let mut lock = RowLock::new(LockStrength::Update);
    lock.wait = LockWait::SkipLocked;
    select.lock = Some(lock);
    let mut rows = Rows::new(2);
    let read = db.driver().fetch(&select, &mut rows, &Context::new()).await;
    match read {
        Ok(()) => assert!(has && rows.rows.len() == 4),
        Err(refused) => assert!(!has && unsupported(&refused), "{refused:?}"),
    }
    if capabilities.transactions && !has {
        let tx = db.begin().await?;
        let refused = error(tx.find_all::<Job>().for_update().all().await);
        assert!(unsupported(&refused), "{refused:?}");
        assert_eq!(tx.find_all::<Job>().count().await?, 4, "the transaction is as good as before");
        tx.commit().await?;
    }
    Ok(())
}
