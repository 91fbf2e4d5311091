//! A client that is killed while sixteen of its tasks write: what it was told to be committed is there, and nothing by halves.
//!
//! The client is this test binary once more, with the database's address in its environment. It prints each transfer that was
//! acknowledged, and goes on until it is killed.

use std::env;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use ommi::{Retry, prelude::*};

#[derive(Debug, Clone, PartialEq, Model)]
struct Purse {
    id: i64,
    coins: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Payment {
    #[ommi(auto)]
    id: i64,
    writer: i64,
    number: i64,
    source: i64,
    target: i64,
}

const ADDRESS: &str = "OMMI_TEST_KILLED_CLIENT";
const PURSES: i64 = 32;
const WRITERS: i64 = 16;
const COINS: i64 = 1_000;

/// The client. Without an address there is nothing to do: it is only run by the tests below.
#[tokio::test(flavor = "multi_thread")]
async fn writes_until_it_is_killed() -> DBResult<()> {
    let Ok(url) = env::var(ADDRESS) else { return Ok(()) };
    let db = Ommi::connect(&url).await?;
    let tasks = (0..WRITERS).map(|writer| {
        let db = db.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let (source, target) = ((writer * 5 + number) % PURSES, (writer * 3 + number * 7 + 1) % PURSES);
                let retry =
                    Retry::default().attempts(1_000).delay(Duration::from_millis(2)).within(Duration::from_secs(60));
                let paid = db.retry(retry).transaction(async move |tx| -> DBResult<()> {
                    tx.find(Purse::id.eq(source)).update(Purse::coins.decrement(1)).await?;
                    tx.add(new!(Payment { writer, number, source, target })).await?;
                    tx.find(Purse::id.eq(target)).update(Purse::coins.increment(1)).await.map(drop)
                });
                paid.await?;
                // One write, so that lines stay whole.
                let _ = std::io::stdout().write_all(format!("\npaid {writer} {number}\n").as_bytes());
            }
            Ok::<_, DBError>(())
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
    }
    Ok(())
}

/// Lets a client write, kills it in the midst, and counts.
async fn kill_in_the_midst(db: &Ommi, url: &str) -> DBResult<()> {
    let failed = |error: std::io::Error| DBError::new(ErrorKind::Database).with_source(error);
    db.create_tables::<(Purse, Payment)>().await?;
    db.add_all((0..PURSES).map(|id| Purse { id, coins: COINS })).await?;

    let program = env::current_exe().map_err(failed)?;
    let mut client = Command::new(program)
        .args(["--exact", "killed_client::writes_until_it_is_killed", "--nocapture", "--test-threads=1"])
        .env(ADDRESS, url)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let output = client.stdout.take();
    let (sender, paid) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in output.into_iter().flat_map(|output| BufReader::new(output).lines()).map_while(Result::ok) {
            let mut words = line.split(' ');
            if words.next() == Some("paid") {
                let mut numbers = words.filter_map(|word| word.parse::<i64>().ok());
                if let (Some(writer), Some(number)) = (numbers.next(), numbers.next()) {
                    let _ = sender.send((writer, number));
                }
            }
        }
    });
    let mut acknowledged = Vec::new();
    let started = std::time::Instant::now();
    while acknowledged.len() < 60 {
        acknowledged.extend(paid.try_iter());
        assert!(started.elapsed() < Duration::from_secs(150), "{} payments so far", acknowledged.len());
        assert!(client.try_wait().map_err(failed)?.is_none(), "the client ended by itself");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // SIGKILL, where there are signals.
    client.kill().and_then(|()| client.wait()).map_err(failed)?;
    assert!(reader.join().is_ok());
    acknowledged.extend(paid.try_iter());

    // What the client held is let go by the server when it notices, and counts as undone until then.
    let payments = db.find_all::<Payment>().all().await?;
    let purses = db.find_all::<Purse>().sort(Purse::id).all().await?;
    for (writer, number) in &acknowledged {
        let found = payments.iter().filter(|payment| (payment.writer, payment.number) == (*writer, *number)).count();
        assert_eq!(found, 1, "payment {number} of writer {writer}, which was acknowledged");
    }
    assert_eq!(purses.iter().map(|purse| purse.coins).sum::<i64>(), PURSES * COINS);
    for purse in &purses {
        let count = |of: fn(&Payment) -> i64| payments.iter().filter(|payment| of(payment) == purse.id).count() as i64;
        assert_eq!(purse.coins, COINS - count(|p| p.source) + count(|p| p.target), "purse {}", purse.id);
    }
    // Sixteen were under way at most.
    assert!(payments.len() <= acknowledged.len() + WRITERS as usize, "{} of {}", payments.len(), acknowledged.len());
    Ok(())
}

#[tokio::test]
async fn on_sqlite() -> DBResult<()> {
    let folder = tempfile::tempdir().map_err(|error| DBError::new(ErrorKind::Database).with_source(error))?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("killed.db").display());
    let db = Ommi::connect(&url).await?;
    kill_in_the_midst(&db, &url).await?;
    // And it can be written to.
    db.find_all::<Payment>().delete().await?;
    db.close().await;
    Ok(())
}

#[tokio::test]
async fn on_postgres() -> DBResult<()> {
    crate::postgres::in_a_schema(async |url| {
        let db = Ommi::connect(&url).await?;
        kill_in_the_midst(&db, &url).await?;
        db.find_all::<Payment>().delete().await?;
        db.close().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn on_mongo() -> DBResult<()> {
    let (driver, url, server) = crate::mongo::connect_to_lose_clients().await?;
    let db = Ommi::new(driver);
    let result = kill_in_the_midst(&db, &url).await;
    crate::mongo::end_without_clients(&url, server).await;
    result
}
