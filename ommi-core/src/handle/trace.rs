//! A tracing span around every operation.

use std::time::Instant;

use tracing::{Instrument, Level, field};

use crate::error::DBResult;

/// Runs an operation in a span `ommi.operation` at debug level of the target `ommi`, with the fields `operation`, `model`, `statement` (filled in by the
/// driver), `rows` and `duration_us`. Values never appear.
pub(crate) async fn traced<T>(
    operation: &'static str,
    model: &str,
    work: impl Future<Output = DBResult<T>>,
    rows: impl FnOnce(&T) -> u64,
) -> DBResult<T> {
    if !tracing::enabled!(target: "ommi", Level::DEBUG) {
        return work.await;
    }
    let span = tracing::debug_span!(
        target: "ommi",
        "ommi.operation",
        operation,
        model,
        statement = field::Empty,
        rows = field::Empty,
        duration_us = field::Empty,
        error = field::Empty,
    );
    let started = Instant::now();
    let result = work.instrument(span.clone()).await;
    span.record("duration_us", started.elapsed().as_micros() as u64);
    match &result {
        Ok(value) => span.record("rows", rows(value)),
        Err(error) => span.record("error", field::display(error)),
    };
    result
}
