//! Random data, against what must come of it.
//!
//! Each property takes a setup, as [`suite!`](crate::suite!) does, and a number of cases, all of which run on one
//! database. What fails is made smaller first, and printed with its seed.

mod generate;
mod graphs;
mod programs;
mod queries;
mod round_trip;
mod shapes;
mod show;

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use ommi::driver::Capabilities;
use ommi::{DBResult, Ommi};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use crate::Database;
use crate::run::{open, runtime};

pub use graphs::graphs;
pub use programs::programs;
pub use queries::queries;
pub use round_trip::round_trip;
pub use shapes::shapes;

const CASES: &str = "OMMI_PROPERTY_CASES";
const SEED: &str = "PROPTEST_RNG_SEED";

/// How many cases to run: what `OMMI_PROPERTY_CASES` says, or 2 000.
///
/// # Panics
/// When the variable is no number.
pub fn cases() -> u32 {
    variable(CASES).unwrap_or(2_000)
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    match text.parse() {
        Ok(value) => Some(value),
        Err(_) => panic!("{name} is `{text}`, which is no number in its range"),
    }
}

fn seed() -> u64 {
    variable(SEED).unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.as_nanos() as u64
    })
}

/// Runs a property: `prepare` once, then `test` for each case.
fn check<S: Strategy>(
    setup: impl AsyncFn() -> DBResult<Database>,
    cases: u32,
    strategy: impl FnOnce(&Capabilities) -> S,
    prepare: impl AsyncFn(&Ommi) -> DBResult<()>,
    test: impl AsyncFn(&Ommi, S::Value) -> Result<(), TestCaseError>,
) {
    let seed = seed();
    let runtime = runtime();
    let database = runtime.block_on(open(setup));
    let db = &database.ommi;
    let outcome = match runtime.block_on(prepare(db)) {
        Ok(()) => {
            let config = Config {
                cases,
                rng_seed: RngSeed::Fixed(seed),
                failure_persistence: None,
                max_shrink_iters: 4_096,
                ..Config::default()
            };
            let strategy = strategy(db.driver().capabilities());
            let run = |case| runtime.block_on(test(db, case));
            TestRunner::new(config).run(&strategy, run).map_err(|error| error.to_string())
        }
        Err(error) => Err(crate::run::chain(&error)),
    };
    runtime.block_on(database.end());
    if let Err(failure) = outcome {
        // As many as were asked for: this property may have been given a share of them, and made several of one of its own.
        panic!("{failure}\nrun it again with {SEED}={seed} {CASES}={}", self::cases());
    }
}
