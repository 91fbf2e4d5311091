//! Opening a database, dropped at every await: nothing of it stays open, and the next one opens.

use std::time::Duration;

use ommi::mongo::MongoOptions;
use ommi::postgres::{PostgresOptions, sqlx};
use ommi::prelude::*;
use ommi::sqlite::{Mode, SqliteOptions};
use ommi_conformance::drop_after;

#[derive(Debug, Clone, PartialEq, Model)]
struct Line {
    id: i64,
}

/// Opens and uses a database, dropped after each number of polls until one comes to its end.
async fn drop_everywhere(open: impl AsyncFn() -> DBResult<Ommi>) -> DBResult<()> {
    let use_it = async || {
        let db = open().await?;
        assert_eq!(db.find_all::<Line>().count().await?, 1);
        DBResult::Ok(db)
    };
    for polls in 0..1_000 {
        if let Some(db) = drop_after(polls, use_it()).await.transpose()? {
            db.close().await;
            return Ok(());
        }
    }
    panic!("it has not come to its end");
}

async fn fill(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Line>().await?;
    db.add(Line { id: 1 }).await.map(drop)
}

#[tokio::test]
async fn on_sqlite() -> DBResult<()> {
    let folder = tempfile::tempdir().map_err(|error| DBError::new(ErrorKind::Database).with_source(error))?;
    let options = SqliteOptions::file(folder.path().join("opened.db")).mode(Mode::ReadWriteCreate);
    let db = Ommi::new(options.clone().connect().await?);
    fill(&db).await?;
    drop_everywhere(async || Ok(Ommi::new(options.clone().connect().await?))).await?;
    assert_eq!(db.find_all::<Line>().delete().await?, 1);
    db.close().await;
    Ok(())
}

#[tokio::test]
async fn on_postgres() -> DBResult<()> {
    crate::postgres::in_a_schema(async |url| {
        let name = url.rsplit_once("search_path=").map(|(_, schema)| schema.to_owned()).unwrap_or_default();
        let options = PostgresOptions::parse(&url)?;
        let side = options.clone().connect().await?;
        let pool = side.pool().clone();
        let db = Ommi::new(side);
        fill(&db).await?;
        let named = options.application_name(&name);
        drop_everywhere(async || Ok(Ommi::new(named.clone().connect().await?))).await?;
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        let gone = async {
            while sqlx::query_scalar::<_, i64>(sessions).bind(&name).fetch_one(&pool).await.unwrap() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(60), gone).await.is_ok(), "sessions are left");
        db.close().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn on_mongo() -> DBResult<()> {
    let (driver, url) = crate::mongo::connect(|options| options).await?;
    let db = Ommi::new(driver);
    fill(&db).await?;
    drop_everywhere(async || Ok(Ommi::new(MongoOptions::parse(&url).await?.connect().await?))).await?;
    assert_eq!(db.find_all::<Line>().delete().await?, 1);
    db.close().await;
    crate::mongo::drop_database(&url).await;
    Ok(())
}
