//! Running one behaviour.

use std::error::Error;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures::FutureExt;
use ommi::{DBError, DBResult};
use tokio::runtime::Runtime;

use crate::{BEHAVIOURS, Behaviour, Database};

/// Far more than any behaviour takes: what runs longer hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// Runs one behaviour on an empty database.
///
/// # Panics
/// When the driver does not behave so.
pub fn run(topic: &str, name: &str, setup: impl AsyncFn() -> DBResult<Database>) {
    let found = BEHAVIOURS.iter().find(|behaviour| behaviour.topic == topic && behaviour.name == name);
    let Some(behaviour) = found else { panic!("there is no behaviour {topic}::{name}") };
    runtime().block_on(async {
        let database = open(setup).await;
        let driver = database.ommi.driver().capabilities().driver;
        if let Some(missing) = behaviour.missing(&database) {
            println!("skipped: {driver} lacks {missing}");
            return database.end().await;
        }
        if let Some(reason) = database.excuse_for(topic, name) {
            println!("skipped: on this server {reason}");
            return database.end().await;
        }
        let case = tokio::time::timeout(LIMIT, (behaviour.case)(&database.ommi));
        let outcome = AssertUnwindSafe(case).catch_unwind().await;
        if let Err(panic) = outcome {
            // The assertion says more than a database that then does not close.
            let _ = AssertUnwindSafe(database.end()).catch_unwind().await;
            resume_unwind(panic);
        }
        database.end().await;
        match outcome {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => panic!("{topic}::{name} on {driver}: {}", chain(&error)),
            Ok(Err(_)) => panic!("{topic}::{name} on {driver}: still running after {LIMIT:?}"),
            Err(panic) => resume_unwind(panic),
        }
    });
}

/// Prints how many behaviours run, and which are skipped for what.
///
/// # Panics
/// When the setup fails.
pub fn coverage(setup: impl AsyncFn() -> DBResult<Database>) {
    runtime().block_on(async {
        let database = open(setup).await;
        let driver = database.ommi.driver().capabilities().driver;
        database.check_excuses();
        let why = |behaviour: &Behaviour| match behaviour.missing(&database) {
            Some(missing) => Some(format!("{driver} lacks {missing}")),
            None => {
                database.excuse_for(behaviour.topic, behaviour.name).map(|reason| format!("on this server {reason}"))
            }
        };
        let skipped: Vec<(&Behaviour, String)> = BEHAVIOURS.iter().filter_map(|b| Some((b, why(b)?))).collect();
        let running = BEHAVIOURS.len() - skipped.len();
        println!("{driver}: {running} of {} behaviours run, {} are skipped", BEHAVIOURS.len(), skipped.len());
        for (behaviour, why) in skipped {
            println!("skipped: {}::{}: {why}", behaviour.topic, behaviour.name);
        }
        database.end().await;
    });
}

pub(crate) async fn open(setup: impl AsyncFn() -> DBResult<Database>) -> Database {
    match setup().await {
        Ok(database) => database,
        Err(error) => panic!("the setup gave no database: {}", chain(&error)),
    }
}

/// A runtime as an application has it: several threads, and time.
pub(crate) fn runtime() -> Runtime {
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime: {error}"),
    }
}

/// An error with all its causes.
pub(crate) fn chain(error: &DBError) -> String {
    let mut text = format!("{error} [{:?}]", error.kind());
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a `String` does not fail.
        let _ = write!(text, "\n  because {error}");
        cause = error.source();
    }
    text
}
