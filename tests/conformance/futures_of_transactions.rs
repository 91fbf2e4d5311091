//! Futures stay small, those of transactions however they are nested: they are moved, and boxed by those who name them.

use std::mem::size_of_val;

use ommi::{Retry, prelude::*};

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    #[ommi(auto)]
    id: i64,
    name: String,
}

#[tokio::test]
async fn a_nested_transaction_takes_a_bounded_number_of_bytes() -> DBResult<()> {
    let db = Ommi::connect("sqlite::memory:").await?;
    db.create_tables::<Item>().await?;
    let item = || new!(Item { name: "x" });

    let add = size_of_val(&db.add(item()));
    let all = size_of_val(&db.find_all::<Item>().limit(3).all());
    let one = db.transaction(async |tx| tx.add(item()).await);
    let two = db.transaction(async |tx| tx.transaction(async |inner| inner.add(item()).await).await);
    let three = db.transaction(async |tx| {
        tx.transaction(async |inner| inner.transaction(async |innermost| innermost.add(item()).await).await).await
    });
    let sizes = [size_of_val(&one), size_of_val(&two), size_of_val(&three)];
    println!("an add {add} bytes; in a transaction, and in one and two within another {sizes:?}");
    assert!(sizes[0] <= add + 4_096, "{add}, {sizes:?}");
    // Each level adds what it needs itself, and does not double what is within.
    assert!(sizes[1] - sizes[0] <= 4_096 && sizes[2] - sizes[1] <= 4_096, "{sizes:?}");

    // Nor does trying again, or a guard, or what is loaded with a read in it.
    let again = db.retry(Retry::default()).transaction(async |tx| tx.add(item()).await);
    let guard = async {
        let tx = db.begin().await?;
        let row = tx.add(item()).await?;
        tx.commit().await?;
        DBResult::Ok(row)
    };
    let read = db.transaction(async |tx| tx.find_all::<Item>().limit(3).all().await);
    let sizes = [size_of_val(&again), size_of_val(&guard), size_of_val(&read)];
    println!("a read {all} bytes; tried again, with a guard, and a read {sizes:?}");
    let within = [add, add, all];
    assert!(sizes.iter().zip(within).all(|(size, within)| *size <= within + 4_096), "{add}, {all}, {sizes:?}");
    drop((again, guard, read));

    let rows = [one.await?, two.await?, three.await?];
    assert_eq!(rows.map(|row| row.id), [1, 2, 3]);
    Ok(())
}

#[tokio::test]
async fn a_read_of_one_row_takes_a_bounded_number_of_bytes() -> DBResult<()> {
    let db = Ommi::connect("sqlite::memory:").await?;
    db.create_tables::<Item>().await?;

    let get = db.get::<Item>(1).optional();
    let one = db.find(Item::name.eq("x")).one();
    let first = db.find(Item::name.eq("x")).first();
    let sizes = [size_of_val(&db.get::<Item>(1)), size_of_val(&one), size_of_val(&first)];
    println!("get, one and first {sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 1_024), "{sizes:?}");

    assert_eq!(get.await?, None);
    assert!(matches!(one.await.unwrap_err().kind(), ErrorKind::NotFound { .. }));
    assert_eq!(first.await?, None);
    Ok(())
}
