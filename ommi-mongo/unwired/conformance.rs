//! MongoDB: a server for the whole run, which `OMMI_TEST_MONGO_URL` names, and a database for each test.
//!
//! `cargo xtask test` starts one and sets the variable.

use std::sync::atomic::{AtomicU32, Ordering};

use ommi::mongo::{MongoDriver, MongoOptions};
use ommi::prelude::*;
use ommi_conformance::Database;

const VARIABLE: &str = "OMMI_TEST_MONGO_URL";

/// An empty database, named for the process and a count.
async fn database(change: impl FnOnce(MongoOptions) -> MongoOptions) -> DBResult<Database> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Ok(url) = std::env::var(VARIABLE) else {
        panic!("{VARIABLE} names no MongoDB server; `cargo xtask test` starts one")
    };
    let name = format!("ommi_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let options = MongoOptions::parse(&with_database(&url, &name)).await?;
    let driver: MongoDriver = change(options).connect().await?;
    let scratch = driver.database().clone();
    // The driver's own client is closed before this runs.
    let url = with_database(&url, &name);
    drop(scratch);
    Ok(Database::new(Ommi::new(driver)).afterwards(async move {
        if let Ok(driver) = MongoDriver::connect(&url).await {
            let _ = driver.database().drop().await;
        }
    }))
}

/// The URL of another database on the same servers.
fn with_database(url: &str, name: &str) -> String {
    let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = address.split_once("://").unwrap_or(("mongodb", address));
    let hosts = rest.split('/').next().unwrap_or(rest);
    match parameters {
        "" => format!("{scheme}://{hosts}/{name}"),
        parameters => format!("{scheme}://{hosts}/{name}?{parameters}"),
    }
}

mod replica_set {
    use super::*;

    async fn empty() -> DBResult<Database> {
        database(|options| options).await
    }

    ommi_conformance::suite!(empty);
}

/// As a server that is no replica set: no transactions, so statements of several documents are not atomic.
mod standalone {
    use super::*;

    async fn empty() -> DBResult<Database> {
        database(|options| options.transactions(false)).await
    }

    ommi_conformance::suite!(empty);
}
