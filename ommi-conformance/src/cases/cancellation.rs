//! Futures that are dropped half-way: nothing half-done remains, and the pool stays whole.

use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use ommi::prelude::*;

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    #[ommi(auto)]
    id: i64,
    text: String,
    #[ommi(default = 0)]
    count: i64,
}

fn rows(count: usize) -> Vec<ItemDraft> {
    (0..count).map(|n| new!(Item { text: n.to_string() })).collect()
}

/// Polls a future so many times, and drops it. Gives its output if it came to its end.
async fn drop_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    for _ in 0..polls {
        if let Some(output) = future.as_mut().now_or_never() {
            return Some(output);
        }
        // Others may do what it waits for.
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    None
}

pub(crate) async fn of_reads(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    db.add_all(rows(3_000)).await?;
    for polls in 0..20 {
        drop_after(polls, db.find(Item::text.contains("1")).all()).await.transpose()?;
        drop_after(polls, db.find_all::<Item>().sort(Item::text.desc()).first()).await.transpose()?;
        let mut stream = db.find_all::<Item>().batch(100).stream();
        drop_after(polls, stream.try_next()).await.transpose()?;
        drop(stream);
    }
    assert_eq!(db.find_all::<Item>().count().await?, 3_000);
    Ok(())
}

/// As `now_or_never` polls with a waker that does nothing, a driver must not rely on having woken anybody.
pub(crate) async fn of_a_bulk_add_adds_all_or_none(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    for polls in 0..12 {
        let before = db.find_all::<Item>().count().await?;
        let finished = drop_after(polls, db.add_all(rows(20_000))).await.transpose()?.is_some();
        let added = db.find_all::<Item>().count().await? - before;
        assert!(added == 20_000 || (added == 0 && !finished), "{added} rows after {polls} polls");
    }
    Ok(())
}

pub(crate) async fn of_writes_does_all_or_nothing(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    db.add_all(rows(5_000)).await?;
    for polls in 0..12 {
        let total =
            async || -> DBResult<i64> { Ok(db.find_all::<Item>().all().await?.iter().map(|row| row.count).sum()) };
        let before = total().await?;
        let update = db.find(Item::text.contains("")).update(Item::count.increment(1));
        let finished = drop_after(polls, update).await.transpose()?.is_some();
        let change = total().await? - before;
        // One that was given up before may have come through only now: what a server was sent takes place there, wholly.
        let whole = change >= 0 && change % 5_000 == 0;
        assert!(whole && (change > 0 || !finished), "{change} rows after {polls} polls");
    }
    Ok(())
}

pub(crate) async fn of_a_transaction_rolls_it_back(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    for polls in 0..25 {
        let before = db.find_all::<Item>().count().await?;
        let work = db.transaction(async |tx| -> DBResult<()> {
            for _ in 0..5 {
                tx.add(new!(Item { text: "in a transaction" })).await?;
                tokio::task::yield_now().await;
            }
            Ok(())
        });
        let finished = drop_after(polls, work).await.transpose()?.is_some();
        let added = db.find_all::<Item>().count().await? - before;
        assert!(added == 5 || (added == 0 && !finished), "{added} rows after {polls} polls");
    }
    Ok(())
}

/// What it held is free at once.
pub(crate) async fn of_a_statement_in_a_transaction_leaves_the_rest(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    for polls in 0..10 {
        let tx = db.begin().await?;
        tx.add(new!(Item { text: "first" })).await?;
        let dropped = drop_after(polls, tx.add_all(rows(2_000))).await;
        if dropped.is_some_and(|result| result.is_err()) {
            panic!("adding failed");
        }
        tx.rollback().await?;
        assert_eq!(db.find_all::<Item>().count().await?, 0, "after {polls} polls");
    }
    Ok(())
}

/// Those who waited behind it get their turn.
pub(crate) async fn of_those_who_wait_for_a_connection(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    let tx = db.begin().await?;
    tx.add(new!(Item { text: "held" })).await?;
    let mut waiting = Vec::new();
    for n in 0..30 {
        let db = db.clone();
        let task = tokio::spawn(async move { db.add(new!(Item { text: n.to_string() })).await });
        waiting.push(task);
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    for task in waiting.iter().step_by(2) {
        task.abort();
    }
    tx.commit().await?;
    let mut added = 0;
    for task in waiting {
        match task.await {
            Ok(result) => added += u64::from(result.map(|_| true)?),
            Err(error) => assert!(error.is_cancelled(), "{error}"),
        }
    }
    assert!(added >= 15, "{added}");
    // One that was dropped while it ran may have happened on a server all the same: wholly, like any statement.
    let rows = db.find_all::<Item>().count().await?;
    assert!((added + 1..=31).contains(&rows), "{rows} rows, {added} added");
    Ok(())
}

pub(crate) async fn of_begin(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    for polls in 0..40 {
        drop_after(polls % 4, db.begin()).await.transpose()?;
        db.add(new!(Item { text: "after" })).await?;
    }
    assert_eq!(db.find_all::<Item>().count().await?, 40);
    Ok(())
}

pub(crate) async fn of_creating_tables(db: &Ommi) -> DBResult<()> {
    for polls in 0..20 {
        drop_after(polls, db.create_tables::<Item>()).await.transpose()?;
        db.create_tables::<Item>().await?;
        db.add(new!(Item { text: "x" })).await?;
        drop_after(polls, db.drop_tables::<Item>()).await.transpose()?;
        db.drop_tables::<Item>().await?;
    }
    Ok(())
}
