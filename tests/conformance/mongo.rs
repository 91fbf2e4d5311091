//! The suite on MongoDB. Each test has a database of its own on one server.

use std::env;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use ommi::mongo::mongodb::bson::doc;
use ommi::mongo::{MongoDriver, MongoOptions};
use ommi::prelude::*;
use ommi_conformance::Database;
use tokio::sync::Mutex;

use crate::own_server::OwnServer;

/// What SecantusDB, which stands in where there is no `mongod`, does otherwise than MongoDB.
const EXCUSES: &[(&str, &str)] = &[
    ("times::a_date_beyond_year_9999_comes_back_or_is_refused", "a date beyond year 9999 is malformed BSON"),
    ("forgetting::a_transaction_is_never_seen", "a transaction keeps out all other writers until it ends"),
];

/// How long dropping a database may take: minutes where others write much at the same time. Less than the suite gives to all of cleaning up, or that
/// would end it before it is noted.
const DROPPING: Duration = Duration::from_secs(150);

/// Whether the server did not do the last test's cleaning up. Where it hangs, each of the tests that are left would wait as long.
static GONE: AtomicBool = AtomicBool::new(false);

/// Whose turn it is at SecantusDB. It does one thing at a time, whatever the database: beside a test that writes much, another's transaction can outlive
/// the minute that the server gives it, and what is measured in time waits for what takes long.
static SECANTUS: Mutex<()> = Mutex::const_new(());

/// The URL of a database on the server to use; `cargo xtask test` starts one and sets the variable.
fn url(database: &str) -> DBResult<String> {
    let Ok(url) = env::var("OMMI_TEST_MONGO_URL") else {
        return Err(DBError::configuration(
            None,
            "there is no MongoDB server to test with: run `cargo xtask test`, or set OMMI_TEST_MONGO_URL",
        ));
    };
    Ok(of_database(&url, database))
}

/// The URL of a database on the server that a URL names.
fn of_database(url: &str, database: &str) -> String {
    let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = address.split_once("://").unwrap_or(("mongodb", address));
    let hosts = rest.split('/').next().unwrap_or(rest);
    format!("{scheme}://{hosts}/{database}?{parameters}")
}

fn check_that_it_answers() -> DBResult<()> {
    match GONE.load(Ordering::Relaxed) {
        true => Err(DBError::configuration(None, "the server did not drop the database of a test before this one")),
        false => Ok(()),
    }
}

/// An empty database, named for the process and a count, and its URL.
pub(crate) async fn connect(change: impl FnOnce(MongoOptions) -> MongoOptions) -> DBResult<(MongoDriver, String)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    check_that_it_answers()?;
    let url = url(&format!("ommi_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))?;
    Ok((change(MongoOptions::parse(&url).await?).connect().await?, url))
}

/// For a test whose clients are lost with transactions open. MongoDB ends those after a minute, and they are in the way of nobody else until then. SecantusDB keeps
/// them, and every other test waiting: there the test gets a server of its own, which ends with what is given beside the URL.
pub(crate) async fn connect_to_lose_clients() -> DBResult<(MongoDriver, String, Option<OwnServer>)> {
    let (driver, url) = connect(|options| options).await?;
    if !is_secantus(&driver).await {
        return Ok((driver, url, None));
    }
    let server = OwnServer::mongo();
    let url = of_database(&server.url, "lost_clients");
    Ok((MongoDriver::connect(&url).await?, url, Some(server)))
}

/// Ends what [`connect_to_lose_clients`] began: drops the database, unless its server goes with it.
pub(crate) async fn end_without_clients(url: &str, server: Option<OwnServer>) {
    if server.is_none() {
        drop_database(url).await;
    }
}

/// Drops a database, with a connection of its own.
pub(crate) async fn drop_database(url: &str) {
    let dropped = tokio::time::timeout(DROPPING, async {
        let driver = MongoDriver::connect(url).await.map_err(|error| error.to_string())?;
        driver.database().drop().await.map_err(|error| error.to_string())
    });
    let dropped = dropped.await.unwrap_or_else(|_| Err(format!("not within {DROPPING:?}")));
    GONE.store(dropped.is_err(), Ordering::Relaxed);
    assert!(dropped.is_ok(), "a database was not dropped: {dropped:?}");
}

/// Whether the server is the one that stands in for MongoDB.
pub(crate) async fn is_secantus(driver: &MongoDriver) -> bool {
    let about = driver.database().run_command(doc! { "buildInfo": 1 }).await;
    about.is_ok_and(|about| about.contains_key("secantusVersion"))
}

async fn database(change: impl FnOnce(MongoOptions) -> MongoOptions) -> DBResult<Database> {
    // A test may ask for more than what stands in for MongoDB does at a time. How long is waited for a connection is not the server's to say.
    let patient = |options| change(options).acquire_timeout(Duration::from_secs(600));
    let (driver, url) = connect(patient).await?;
    let is_secantus = is_secantus(&driver).await;
    let turn = if is_secantus { Some(SECANTUS.lock().await) } else { None };
    // The test before this one may have found that it does not.
    check_that_it_answers()?;
    let mut database = Database::new(Ommi::new(driver)).afterwards(async move {
        drop_database(&url).await;
        drop(turn);
    });
    for (behaviour, reason) in EXCUSES.iter().filter(|_| is_secantus) {
        database = database.excuse(behaviour, reason);
    }
    Ok(database)
}

/// With as few connections as the other stores have. The suites have the client's ten: where the server does one thing at a time, waiting for connections makes transactions
/// long, and so more of them meet.
#[test]
fn more_tasks_than_connections() {
    ommi_conformance::run("concurrency", "sixty_four_tasks_read_and_write", async || {
        database(|options| options.max_pool_size(4)).await
    });
}

/// A member of a replica set, with transactions.
mod replica_set {
    use super::*;

    async fn empty() -> DBResult<Database> {
        database(|options| options).await
    }

    ommi_conformance::suite!(empty, 1 / 2);
}

/// As a server that is no replica set: no transactions, so statements of several documents are not atomic.
mod standalone {
    use super::*;

    async fn empty() -> DBResult<Database> {
        database(|options| options.transactions(false)).await
    }

    ommi_conformance::suite!(empty, 1 / 2);
}
