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
