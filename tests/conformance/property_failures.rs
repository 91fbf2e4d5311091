//! What a property says when it fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ommi::prelude::*;
use ommi_conformance::{Database, properties};

/// A database on which nothing works.
async fn closed() -> DBResult<Database> {
    let db = Ommi::connect("sqlite::memory:").await?;
    db.close().await;
    Ok(Database::new(db))
}

#[test]
fn a_failure_is_run_again_with_as_many_cases_as_were_asked_for() {
    // A share of them, as a driver with several suites gives.
    let share = properties::cases().div_ceil(3);
    let failure = catch_unwind(AssertUnwindSafe(|| properties::queries(closed, share))).unwrap_err();
    let text = failure.downcast_ref::<String>().unwrap();
    assert!(text.ends_with(&format!(" OMMI_PROPERTY_CASES={}", properties::cases())), "{text}");
}
