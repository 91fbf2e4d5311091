//! Rollbacks on MongoDB that nobody waits for. The client library would leave one unsent that is given up at the wrong moment.

use std::time::Duration;

use ommi::mongo::MongoDriver;
use ommi::prelude::*;

#[derive(Debug, Clone, PartialEq, Model)]
struct Seat {
    id: i64,
}

#[tokio::test]
async fn a_rollback_that_is_given_up_half_way_takes_place() -> DBResult<()> {
    let (driver, url) = super::mongo::connect(|options| options).await?;
    let db = Ommi::new(driver);
    db.create_tables::<Seat>().await?;
    // Programs of their own: they share no session of the client library, whose next use would end the transaction too.
    let others = [Ommi::new(MongoDriver::connect(&url).await?), Ommi::new(MongoDriver::connect(&url).await?)];
    for (polls, other) in (1..).zip(&others) {
        let id = polls;
        let tx = db.begin().await?;
        tx.add(Seat { id }).await?;
        let mut rollback = tx.rollback().boxed();
        for _ in 0..polls {
            assert!(futures::poll!(rollback.as_mut()).is_pending(), "it waits for the server");
        }
        drop(rollback);
        // It waits for whoever holds the key: the server would end the transaction after a minute.
        assert_eq!(other.add(Seat { id }).timeout(Duration::from_secs(30)).await?, Seat { id });
    }
    assert_eq!(db.find_all::<Seat>().count().await?, 2);
    super::mongo::drop_database(&url).await;
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Page {
    id: i64,
    text: String,
    #[ommi(default = 0)]
    edits: i64,
}

/// What a transaction within another changes is kept so that it can be put back, which has its limit.
#[tokio::test]
async fn more_than_can_be_undone_is_refused_before_it_is_written() -> DBResult<()> {
    let (driver, url) = super::mongo::connect(|options| options).await?;
    let db = Ommi::new(driver);
    db.create_tables::<Page>().await?;
    for id in 1..=4 {
        db.add(new!(Page { id, text: "x".repeat(9_000_000) })).await?;
    }
    let mut tx = db.begin().await?;
    tx.find(Page::id.eq(1)).update(Page::edits.set(1)).await?;
    let inner = tx.begin().await?;
    let mut refused = None;
    for id in 1..=4 {
        if let Err(error) = inner.find(Page::id.eq(id)).update(Page::edits.increment(10)).await {
            refused = Some((id, error));
            break;
        }
    }
    let (id, error) = refused.expect("four pages are more than 32 MB");
    assert_eq!(id, 4);
    assert!(matches!(error.kind(), ErrorKind::TooLarge) && error.to_string().contains("32 MB"), "{error}");
    inner.rollback().await?;
    let edits = async |db: &Transaction<'_>| -> DBResult<u64> { db.find(Page::edits.eq(1)).count().await };
    assert_eq!((edits(&tx).await?, tx.find(Page::edits.eq(0)).count().await?), (1, 3));
    tx.commit().await?;
    assert_eq!(db.find(Page::edits.eq(1)).count().await?, 1);
    super::mongo::drop_database(&url).await;
    Ok(())
}
