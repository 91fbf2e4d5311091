//! The suite that defines an Ommi driver.
//!
//! A driver is right when this suite passes. What it must do is written as *behaviours*: small cases, named for what
//! they show, each with an empty database and tables of its own. [`suite!`] makes a test of each:
//!
//! ```ignore
//! use ommi::prelude::*;
//! use ommi_conformance::Database;
//!
//! /// An empty database; called once for each test, which runs beside others.
//! async fn empty() -> DBResult<Database> {
//!     Ok(Database::new(Ommi::new(MyDriver::connect("…").await?)))
//! }
//!
//! ommi_conformance::suite!(empty);
//! ```
//!
//! It goes among the driver's tests, with `ommi` (without default features) and this crate as dev-dependencies. A store that has a single connection says
//! so by [`Database::one_connection`], and what is to be cleaned up is said by [`Database::afterwards`].
//!
//! The tests are grouped by topic: `round_trips::…`, `sorting::…`, `transactions::…`. What a driver cannot do it says in
//! its [`Capabilities`](ommi::driver::Capabilities). A behaviour that needs a capability that is not there prints
//! `skipped: <driver> lacks <capability>` and passes; the test `coverage` prints how many behaviours run, and which are
//! skipped for what.
//!
//! Five more tests compare random data: `properties::round_trip` for the values of every type, `properties::queries` for
//! conditions, orders and pages against [`evaluator`], `properties::shapes` for tables of random shapes, with updates and deletes,
//! `properties::graphs` for relations between random rows, and `properties::programs` for transactions of several handles against a model.
//! They are controlled by two environment variables:
//!
//! - `OMMI_PROPERTY_CASES`: how many cases; 2 000 unless said otherwise. A driver that has several suites may share them out
//!   (`suite!(empty, 1 / 2)`), all but the programs, which not every suite has
//! - `PROPTEST_RNG_SEED`: the seed; another one in each run unless said otherwise. A failure prints its seed.

mod behaviours;
mod cases;
mod database;
mod dropped;
mod expect;
mod in_flight;
mod requirement;
mod rows;
mod run;
mod samples;

pub mod evaluator;
pub mod properties;

pub use behaviours::{BEHAVIOURS, Behaviour};
pub use database::Database;
pub use dropped::drop_after;
pub use ommi::DBResult;
pub use requirement::Requirement;
pub use run::{coverage, run};

/// Makes a test of each behaviour, for the driver of the databases that `setup` gives: an async function without
/// parameters to a [`DBResult`] of an empty [`Database`].
///
/// The tests go where the macro is called, so a module of its own for each driver, or each way to open it, keeps them
/// apart.
#[macro_export]
macro_rules! suite {
    ($setup:expr $(,)?) => {
        $crate::suite!($setup, 1 / 1);
    };
    ($setup:expr, 1 / $suites:literal $(,)?) => {
        /// How many cases of a property are run here, of so many in all.
        fn conformance_share(cases: u32) -> u32 {
            cases.div_ceil($suites)
        }

        fn conformance_setup() -> impl AsyncFn() -> $crate::DBResult<$crate::Database> {
            $setup
        }

        $crate::__behaviours! { ($crate::__tests) }

        /// Prints what runs and what is skipped.
        #[test]
        fn coverage() {
            $crate::coverage(module_path!(), conformance_setup());
        }

        /// Random data, against what must come of it.
        mod properties {
            #[test]
            fn round_trip() {
                let cases = super::conformance_share($crate::properties::cases());
                $crate::properties::round_trip(super::conformance_setup(), cases);
            }

            #[test]
            fn queries() {
                let cases = super::conformance_share($crate::properties::cases());
                $crate::properties::queries(super::conformance_setup(), cases);
            }

            #[test]
            fn graphs() {
                let cases = super::conformance_share($crate::properties::cases());
                $crate::properties::graphs(super::conformance_setup(), cases);
            }

            #[test]
            fn shapes() {
                let cases = super::conformance_share($crate::properties::cases());
                $crate::properties::shapes(super::conformance_setup(), cases);
            }

            #[test]
            fn programs() {
                // A program is some twenty statements, so a quarter of them will do. Without transactions there are none, so they are not shared.
                $crate::properties::programs(super::conformance_setup(), $crate::properties::cases().div_ceil(4));
            }
        }
    };
}

/// One test for each behaviour of the list.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($($topic:ident { $($name:ident $(needs $($requirement:ident)+)?,)* })*) => {$(
        mod $topic {$(
            #[test]
            fn $name() {
                $crate::run(stringify!($topic), stringify!($name), super::conformance_setup());
            }
        )*}
    )*};
}
