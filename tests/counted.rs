//! `assert_queries` fails where it should.

use ommi::prelude::*;
use ommi::testing::assert_queries;

#[derive(Debug, Clone, Model)]
struct Note {
    #[ommi(auto)]
    id: i64,
}

/// Asserts so many statements of work that sends two: a read, and a write in a transaction.
async fn assert_of_two(expected: usize) -> DBResult<()> {
    let db = Ommi::connect("sqlite::memory:").await?;
    db.create_tables::<Note>().await?;
    assert_queries(expected, &db, async |db| {
        db.find_all::<Note>().all().await?;
        db.transaction(async |tx| tx.add(new!(Note { .. })).await).await?;
        DBResult::Ok(())
    })
    .await
}

#[tokio::test]
async fn as_many_as_were_expected() -> DBResult<()> {
    assert_of_two(2).await
}

#[tokio::test]
#[should_panic(expected = "tests/counted.rs:16:5: 2 statements were sent instead of 1")]
async fn more_than_were_expected() {
    let _ = assert_of_two(1).await;
}

#[tokio::test]
#[should_panic(expected = "2 statements were sent instead of 3")]
async fn fewer_than_were_expected() {
    let _ = assert_of_two(3).await;
}

/// What another handle sends meanwhile is no part of it.
#[tokio::test]
#[should_panic(expected = "0 statements were sent instead of 1")]
async fn of_another_handle() {
    let db = Ommi::connect("sqlite::memory:").await.expect("it connects");
    db.create_tables::<Note>().await.expect("the table is made");
    assert_queries(1, &db, async |_| db.find_all::<Note>().count().await.expect("they are counted")).await;
}
