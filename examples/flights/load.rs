//! Loading: everything in one transaction, so that a store has all of the data or none.

use ommi::NewRow;
use ommi::prelude::*;

use crate::data::{FromLine, Source};
use crate::error::{Error, Result};
use crate::model::{Airline, Airport, Flight, Plane, Weather};
use crate::progress::Progress;

/// The models, for creating and dropping their tables.
pub(crate) type Everything = (Airline, Airport, Plane, Weather, Flight);

/// How many rows are held in memory at a time. The store's driver makes statements of the size that suits it.
pub(crate) const CHUNK: usize = 8192;

/// Makes the tables, which must not hold anything yet.
pub(crate) async fn create(db: &Ommi, replace: bool) -> Result<()> {
    if replace {
        db.drop_tables::<Everything>().await?;
    }
    db.create_tables::<Everything>().await?;
    if db.find_all::<Airline>().exists().await? || db.find_all::<Flight>().exists().await? {
        return Err(Error::Stopped(
            "the store has data of this example already; --replace drops its tables first".to_owned(),
        ));
    }
    Ok(())
}

/// Loads the five files.
pub(crate) async fn load(db: &Ommi, source: &Source) -> Result<()> {
    db.transaction(async |tx| {
        load_file::<Airline>(tx, source).await?;
        load_file::<Airport>(tx, source).await?;
        load_file::<Plane>(tx, source).await?;
        load_file::<Weather>(tx, source).await?;
        load_file::<Flight>(tx, source).await
    })
    .await
}

async fn load_file<M>(db: &impl Handle, source: &Source) -> Result<()>
where
    M: FromLine,
    M::Draft: NewRow<Model = M>,
{
    let mut lines = source.lines::<M>()?;
    let mut progress = Progress::new(M::FILE.trim_end_matches(".csv"));
    loop {
        let rows = lines.chunk(CHUNK)?;
        let count = rows.len();
        if count == 0 {
            progress.finish();
            return Ok(());
        }
        db.add_all(rows).await?;
        progress.add(count, lines.part());
    }
}
