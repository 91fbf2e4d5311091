//! Rows one after the other.

use futures::stream::{FusedStream, StreamExt, TryStreamExt};
use ommi::prelude::*;

use crate::expect::assert_kind;

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    id: i64,
    index: i64,
    text: String,
}

async fn items(db: &Ommi, count: i64) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    db.add_all((0..count).map(|id| Item { id, index: count - id, text: format!("item {id}") })).await?;
    Ok(())
}

pub(crate) async fn every_row_in_order(db: &Ommi) -> DBResult<()> {
    items(db, 2_000).await?;
    let mut rows = db.find_all::<Item>().sort(Item::index).stream();
    let mut expected = 2_000;
    while let Some(row) = rows.try_next().await? {
        expected -= 1;
        assert_eq!((row.id, row.text), (expected, format!("item {expected}")));
    }
    assert_eq!(expected, 0);
    assert_eq!(rows.try_next().await?, None, "and stays at its end");
    Ok(())
}

pub(crate) async fn pieces_of_any_size(db: &Ommi) -> DBResult<()> {
    items(db, 1_000).await?;
    for batch in [0, 1, 2, 7, 256, 999, 1_000, 1_001, usize::MAX] {
        let rows: Vec<Item> = db.find_all::<Item>().sort(Item::id).batch(batch).stream().try_collect().await?;
        assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), (0..1_000).collect::<Vec<_>>(), "batch {batch}");
    }
    Ok(())
}

pub(crate) async fn of_no_rows(db: &Ommi) -> DBResult<()> {
    items(db, 3).await?;
    let mut rows = db.find(Item::id.gt(5)).stream();
    assert_eq!(rows.try_next().await?, None);
    assert_eq!(rows.try_next().await?, None);
    assert!(rows.is_terminated());
    Ok(())
}

pub(crate) async fn with_a_condition_and_a_page(db: &Ommi) -> DBResult<()> {
    items(db, 100).await?;
    let rows: Vec<Item> =
        db.find(Item::id.ge(50)).sort(Item::id.desc()).offset(10).limit(20).batch(3).stream().try_collect().await?;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), (70..90).rev().collect::<Vec<_>>());
    Ok(())
}

/// More of them than any pool has connections.
pub(crate) async fn dropped_early_the_pool_is_usable(db: &Ommi) -> DBResult<()> {
    items(db, 3_000).await?;
    for n in 0..40 {
        let mut rows = db.find_all::<Item>().sort(Item::id).batch(10).stream();
        for id in 0..n {
            assert_eq!(rows.try_next().await?.map(|row| row.id), Some(id));
        }
        drop(rows);
        assert_eq!(db.find(Item::id.lt(5)).count().await?, 5);
    }
    db.add(Item { id: -1, index: 0, text: String::new() }).await?;
    assert_eq!(db.find_all::<Item>().count().await?, 3_001);
    Ok(())
}

pub(crate) async fn never_read_it_sends_nothing(db: &Ommi) -> DBResult<()> {
    // There is no table.
    for _ in 0..40 {
        drop(db.find_all::<Item>().stream());
    }
    Ok(())
}

pub(crate) async fn a_missing_table_is_the_first_item(db: &Ommi) -> DBResult<()> {
    let mut rows = db.find_all::<Item>().stream();
    assert_kind!(rows.try_next().await, ErrorKind::Database);
    assert_eq!(rows.try_next().await?, None, "it has ended");
    Ok(())
}

/// The same table, read with a narrower column.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "items")]
struct NarrowItem {
    id: i64,
    index: u8,
}

/// The rows before the one that cannot be read still come.
pub(crate) async fn an_error_in_the_middle_ends_it(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    db.add_all((0..600).map(|id| Item { id, index: if id == 500 { 1_000 } else { 1 }, text: String::new() })).await?;
    let mut rows = db.find_all::<NarrowItem>().sort(NarrowItem::id).batch(100).stream();
    let mut read = 0;
    let error = loop {
        match rows.try_next().await {
            Ok(Some(row)) => {
                assert_eq!(row.id, read);
                read += 1;
            }
            Ok(None) => panic!("the stream ended after {read} rows without an error"),
            Err(error) => break error,
        }
    };
    assert!((400..=500).contains(&read), "{read}");
    assert_kind!(Err::<(), _>(error), ErrorKind::Decode { .. });
    assert_eq!(rows.try_next().await?, None);
    assert!(rows.is_terminated());
    drop(rows);
    assert_eq!(db.find_all::<Item>().count().await?, 600, "the pool is usable");
    Ok(())
}

pub(crate) async fn two_at_once(db: &Ommi) -> DBResult<()> {
    items(db, 500).await?;
    let upwards = db.find_all::<Item>().sort(Item::id).batch(10).stream();
    let downwards = db.find_all::<Item>().sort(Item::id.desc()).batch(7).stream();
    let pairs: Vec<_> = upwards.zip(downwards).collect().await;
    assert_eq!(pairs.len(), 500);
    for (up, down) in pairs {
        assert_eq!(up?.id + down?.id, 499);
    }
    Ok(())
}

/// Reading one query while others run, as a loop over a stream does.
pub(crate) async fn other_statements_run_meanwhile(db: &Ommi) -> DBResult<()> {
    items(db, 300).await?;
    let mut rows = db.find_all::<Item>().sort(Item::id).batch(20).stream();
    let mut read = 0;
    while let Some(row) = rows.try_next().await? {
        if row.id % 50 == 0 {
            assert_eq!(db.get::<Item>(row.id).await?, row);
        }
        read += 1;
    }
    assert_eq!(read, 300);
    Ok(())
}
