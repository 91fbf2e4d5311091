//! Generated keys of MongoDB: several programs count on one counter.

use ommi::mongo::MongoDriver;
use ommi::mongo::mongodb::bson::Document;
use ommi::prelude::*;

#[derive(Debug, Clone, PartialEq, Model)]
struct Ticket {
    #[ommi(auto)]
    id: i64,
    buyer: i64,
}

/// Whoever finds no counter begins it, and so may all of them at once.
#[tokio::test(flavor = "multi_thread")]
async fn programs_that_begin_a_counter_at_once_never_take_the_same_key() -> DBResult<()> {
    let (driver, url) = super::mongo::connect(|options| options).await?;
    let counters = driver.database().collection::<Document>("ommi_counters");
    let db = Ommi::new(driver);
    db.create_tables::<Ticket>().await?;
    let mut programs = Vec::new();
    for _ in 0..12 {
        let program = Ommi::new(MongoDriver::connect(&url).await?);
        // It looks at the collection now, so that a key is the next thing that it asks for.
        assert_eq!(program.find_all::<Ticket>().count().await?, 0);
        programs.push(program);
    }
    for round in 0..4 {
        db.find_all::<Ticket>().delete().await?;
        assert!(counters.drop().await.is_ok());
        // Three at a time, so that each asks the server again.
        let tasks: Vec<_> = programs
            .iter()
            .map(|db| {
                let db = db.clone();
                tokio::spawn(async move { db.add_all((0..3).map(|buyer| new!(Ticket { buyer }))).await })
            })
            .collect();
        let mut keys = Vec::new();
        for task in tasks {
            let added = task.await.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
            assert!(added.windows(2).all(|pair| pair[0].id + 1 == pair[1].id), "round {round}: {added:?}");
            keys.extend(added.iter().map(|ticket| ticket.id));
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 36, "round {round}");
        assert_eq!(db.find_all::<Ticket>().count().await?, 36, "round {round}");
    }
    super::mongo::drop_database(&url).await;
    Ok(())
}
