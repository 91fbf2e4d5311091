//! Many tasks on one database.

use std::collections::HashSet;

use ommi::prelude::*;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, PartialEq, Model)]
struct Counter {
    #[ommi(auto)]
    id: i64,
    name: String,
    #[ommi(default = 0)]
    count: i64,
}

/// What a task gives, its panic included.
pub(crate) async fn joined<T>(task: JoinHandle<DBResult<T>>) -> DBResult<T> {
    match task.await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// More tasks than connections, each with its own rows.
pub(crate) async fn sixty_four_tasks_read_and_write(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Counter>().await?;
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                let own = db.add(new!(Counter { name: n.to_string() })).await?;
                for round in 1..=5 {
                    db.find(Counter::id.eq(own.id)).update(Counter::count.increment(1)).await?;
                    assert_eq!(db.get::<Counter>(own.id).await?.count, round);
                    assert_eq!(db.find(Counter::name.eq(n.to_string())).count().await?, 1);
                }
                Ok(own.id)
            })
        })
        .collect();
    let mut ids = HashSet::new();
    for task in tasks {
        ids.insert(joined(task).await?);
    }
    assert_eq!(ids.len(), 64, "a key was given twice");
    assert_eq!(db.find(Counter::count.eq(5)).count().await?, 64);
    Ok(())
}

pub(crate) async fn increments_of_one_row_are_not_lost(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Counter>().await?;
    let row = db.add(new!(Counter { name: "shared" })).await?;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..5 {
                    db.find(Counter::id.eq(row.id)).update(Counter::count.increment(1)).await?;
                }
                Ok(())
            })
        })
        .collect();
    for task in tasks {
        joined(task).await?;
    }
    assert_eq!(db.get::<Counter>(row.id).await?.count, 320);
    Ok(())
}

pub(crate) async fn bulk_adds_from_many_tasks(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Counter>().await?;
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                let added = db.add_all((0..500).map(|m| new!(Counter { name: format!("{n}.{m}") }))).await?;
                assert!(added.is_sorted_by(|a, b| a.id < b.id));
                assert!(added.iter().enumerate().all(|(m, row)| row.name == format!("{n}.{m}")));
                // The keys given back are those under which the rows lie.
                assert_eq!(db.get::<Counter>(added[250].id).await?, added[250]);
                Ok(added.iter().map(|row| row.id).collect::<Vec<_>>())
            })
        })
        .collect();
    let mut ids = HashSet::new();
    for task in tasks {
        ids.extend(joined(task).await?);
    }
    assert_eq!(ids.len(), 8_000);
    assert_eq!(db.find_all::<Counter>().count().await?, 8_000);
    Ok(())
}

/// Readers while somebody writes: each sees all of a change or nothing of it.
pub(crate) async fn a_statement_is_seen_whole(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Counter>().await?;
    db.add_all((0..200).map(|n| new!(Counter { name: n.to_string() }))).await?;
    let writer = {
        let db = db.clone();
        tokio::spawn(async move {
            for _ in 0..30 {
                db.find_all::<Counter>().update(Counter::count.increment(1)).await?;
            }
            Ok(())
        })
    };
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..30 {
                    let rows = db.find_all::<Counter>().all().await?;
                    let counts: HashSet<i64> = rows.iter().map(|row| row.count).collect();
                    assert_eq!((rows.len(), counts.len()), (200, 1), "{counts:?}");
                }
                Ok(())
            })
        })
        .collect();
    joined(writer).await?;
    for reader in readers {
        joined(reader).await?;
    }
    assert_eq!(db.find(Counter::count.eq(30)).count().await?, 200);
    Ok(())
}

/// A clone shares the pool, and a database outlives the value that opened it.
pub(crate) async fn a_clone_is_the_same_database(db: &Ommi) -> DBResult<()> {
    let clone = db.clone();
    clone.create_tables::<Counter>().await?;
    db.add(new!(Counter { name: "a" })).await?;
    assert_eq!(clone.find_all::<Counter>().count().await?, 1);
    drop(clone);
    assert_eq!(db.find_all::<Counter>().count().await?, 1);
    Ok(())
}

/// Several operations in one task, under way at the same time.
pub(crate) async fn operations_joined_in_one_task(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Counter>().await?;
    let adds = (0..50).map(|n| db.add(new!(Counter { name: n.to_string() })));
    let added = futures::future::try_join_all(adds).await?;
    let (count, all, first) = futures::try_join!(
        db.find_all::<Counter>().count(),
        db.find_all::<Counter>().all(),
        db.get::<Counter>(added[0].id),
    )?;
    assert_eq!((count, all.len(), first), (50, 50, added[0].clone()));
    Ok(())
}
