//! Transactions that are used when they have ended, while one within them is open, or longer than their database lives.

use ommi::prelude::*;

#[derive(Model)]
struct Note {
    #[ommi(auto)]
    id: i64,
}

async fn after_its_end(db: &Ommi) -> DBResult<()> {
    let tx = db.begin().await?;
    tx.commit().await?;
    tx.find_all::<Note>().count().await?;
    let tx = db.begin().await?;
    tx.rollback().await?;
    tx.commit().await
}

async fn beside_one_within_it(db: &Ommi) -> DBResult<()> {
    let mut tx = db.begin().await?;
    let inner = tx.begin().await?;
    tx.add(new!(Note { .. })).await?;
    inner.commit().await?;
    tx.transaction(async |_| tx.find_all::<Note>().count().await).await?;
    let inner = tx.begin().await?;
    tx.commit().await?;
    inner.commit().await
}

async fn while_it_streams(db: &Ommi) -> DBResult<()> {
    let mut tx = db.begin().await?;
    let mut rows = tx.find_all::<Note>().stream();
    let inner = tx.begin().await?;
    rows.try_next().await?;
    inner.commit().await
}

async fn without_its_database() -> DBResult<()> {
    let tx = {
        let db = Ommi::connect("sqlite::memory:").await?;
        db.begin().await?
    };
    tx.commit().await
}

async fn out_of_its_closure(db: &Ommi) -> DBResult<()> {
    let mut kept = None;
    db.transaction(async |tx| {
        kept = Some(tx);
        DBResult::Ok(())
    })
    .await?;
    drop(kept);
    Ok(())
}

fn main() {}
