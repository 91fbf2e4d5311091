//! A stream on SQLite that was forgotten, and the runtime that is dropped afterwards: it waits for its threads, and no thread waits for the stream.

use std::sync::mpsc;
use std::time::Duration;

use ommi::prelude::*;
use tokio::runtime::{Builder, Runtime};

#[derive(Debug, Clone, PartialEq, Model)]
struct Line {
    id: i64,
}

/// Far more than a runtime takes to shut down.
const LIMIT: Duration = Duration::from_secs(60);

fn runtimes() -> [Runtime; 2] {
    let one_thread = Builder::new_current_thread().enable_all().build().unwrap();
    [Runtime::new().unwrap(), one_thread]
}

async fn forget_a_stream(db: &impl Handle) -> DBResult<()> {
    let mut rows = db.find_all::<Line>().sort(Line::id).batch(1).stream();
    assert_eq!(rows.try_next().await?, Some(Line { id: 0 }));
    std::mem::forget(rows);
    // The thread comes to where it has no room.
    tokio::time::sleep(Duration::from_millis(50)).await;
    Ok(())
}

/// Forgets a stream in a runtime of each kind, and drops that.
fn forgotten(url: &str, forget: impl AsyncFn(Ommi) -> DBResult<()>) {
    for runtime in runtimes() {
        runtime
            .block_on(async {
                let db = Ommi::connect(url).await?;
                db.create_tables::<Line>().await?;
                db.add_all((0..1_000).map(|id| Line { id })).await?;
                forget(db).await
            })
            .unwrap();
        let (tell, ended) = mpsc::channel();
        std::thread::spawn(move || {
            drop(runtime);
            let _ = tell.send(());
        });
        assert!(ended.recv_timeout(LIMIT).is_ok(), "the runtime does not shut down");
    }
}

#[test]
fn a_stream_that_was_forgotten() {
    forgotten("sqlite::memory:", async |db| forget_a_stream(&db).await);
}

#[test]
fn one_in_a_transaction() {
    forgotten("sqlite::memory:", async |db| {
        let tx = db.begin().await?;
        forget_a_stream(&tx).await
    });
}

/// It has read its result to the end, for others to go on, and waits with what it has read.
#[test]
fn one_that_gave_way() {
    forgotten("sqlite::memory:", async |db| {
        forget_a_stream(&db).await?;
        assert_eq!(db.find_all::<Line>().count().await?, 1_000);
        Ok(())
    });
}
