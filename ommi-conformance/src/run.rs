//! Running one behaviour.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures::FutureExt;
use ommi::{DBError, DBResult};
use tokio::runtime::Runtime;

use crate::{BEHAVIOURS, Behaviour, Database};

/// Far more than any behaviour takes: what runs longer hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// The topic whose behaviours leave connections in use for good. To close the database would wait for them.
const LEAKING: &str = "forgetting";

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
            tell(&format!("{topic}::{name} ... skipped: {driver} lacks {missing}"));
            return database.end().await;
        }
        if let Some(reason) = database.excuse_for(topic, name) {
            tell(&format!("{topic}::{name} ... skipped: on this server {reason}"));
            return database.end().await;
        }
        let end = |database: Database| async {
            match behaviour.topic {
                LEAKING => database.leave().await,
                _ => database.end().await,
            }
        };
        let case = tokio::time::timeout(LIMIT, (behaviour.case)(&database.ommi));
        let outcome = AssertUnwindSafe(case).catch_unwind().await;
        let ended = AssertUnwindSafe(end(database)).catch_unwind().await;
        // First why the behaviour failed, which says more than a database that then does not close.
        match outcome {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => panic!("{topic}::{name} on {driver}: {}", chain(&error)),
            Ok(Err(_)) => panic!("{topic}::{name} on {driver}: still running after {LIMIT:?}"),
            Err(panic) => resume_unwind(panic),
        }
        if let Err(panic) = ended {
            resume_unwind(panic);
        }
    });
}

/// Where [`coverage`] notes what it prints, for whoever runs several suites: the name of a file.
const REPORT: &str = "OMMI_CONFORMANCE_REPORT";

/// Prints how many behaviours run in the suite of this name, and how many are skipped for what. What is printed goes past the capture of
/// test harnesses, and to the end of the file that `OMMI_CONFORMANCE_REPORT` names.
///
/// # Panics
/// When the setup fails, or the file cannot be written.
pub fn coverage(suite: &str, setup: impl AsyncFn() -> DBResult<Database>) {
    runtime().block_on(async {
        let database = open(setup).await;
        let driver = database.ommi.driver().capabilities().driver;
        database.check_excuses();
        let why = |behaviour: &Behaviour| match behaviour.missing(&database) {
            Some(missing) => Some(format!("for want of {missing}")),
            None => database.excuse_for(behaviour.topic, behaviour.name).map(|reason| format!("because {reason}")),
        };
        let skipped: Vec<String> = BEHAVIOURS.iter().filter_map(why).collect();
        let line = format!("{suite}: {}", summary(driver, BEHAVIOURS.len(), &skipped));
        tell(&line);
        if let Some(path) = env::var_os(REPORT) {
            let written =
                File::options().append(true).create(true).open(&path).and_then(|mut file| writeln!(file, "{line}"));
            assert!(written.is_ok(), "{} cannot be written: {written:?}", path.display());
        }
        database.end().await;
    });
}

/// How many behaviours of so many run, and what is missing for those that do not.
fn summary(driver: &str, all: usize, skipped: &[String]) -> String {
    let mut text = format!("{} of {all} behaviours run on {driver}", all - skipped.len());
    if skipped.is_empty() {
        return text;
    }
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for missing in skipped {
        match reasons.iter_mut().find(|(reason, _)| reason == missing) {
            Some((_, count)) => *count += 1,
            None => reasons.push((missing, 1)),
        }
    }
    let reasons: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    // Writing to a `String` does not fail.
    let _ = write!(text, ", {} are skipped: {}", skipped.len(), reasons.join(", "));
    text
}

/// Prints a line where a test that passes is heard too: harnesses capture what `println!` prints, and not this.
fn tell(line: &str) {
    // A line in one piece: other tests print at the same time. Nobody is there to be told that it failed.
    let _ = std::io::stderr().write_all(format!("test {line}\n").as_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_the_reasons() {
        assert_eq!(summary("x", 5, &[]), "5 of 5 behaviours run on x");
        let skipped = ["for want of checks", "because it is a toy", "for want of checks"].map(str::to_owned);
        assert_eq!(
            summary("x", 5, &skipped),
            "2 of 5 behaviours run on x, 3 are skipped: 2 for want of checks, 1 because it is a toy"
        );
    }
}
