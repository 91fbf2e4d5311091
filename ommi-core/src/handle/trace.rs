//! A tracing span around every operation.

use std::time::Instant;

use tracing::{Instrument, Level, Span, field};

use crate::error::{DBError, DBResult};

/// The span of an operation: `ommi.operation` at debug level of the target `ommi`, with the fields `operation`, `model`, `statement` (filled in by
/// the driver), `rows`, `duration_us` and `error`. Values never appear.
pub(crate) fn span(operation: &'static str, model: &str) -> Span {
    tracing::debug_span!(
        target: "ommi",
        "ommi.operation",
        operation,
        model,
        statement = field::Empty,
        rows = field::Empty,
        duration_us = field::Empty,
        error = field::Empty,
    )
}

/// Whether anybody listens to what operations do.
#[inline]
pub(super) fn is_traced() -> bool {
    tracing::enabled!(target: "ommi", Level::DEBUG)
}

/// Runs an operation in its span.
pub(crate) async fn traced<T>(
    operation: &'static str,
    model: &str,
    work: impl Future<Output = DBResult<T>>,
    rows: impl FnOnce(&T) -> u64,
) -> DBResult<T> {
    // In one place for both ways, or the future would have room for it in each, and be copied with that.
    let work = std::pin::pin!(work);
    if !is_traced() {
        return work.await;
    }
    let span = span(operation, model);
    let started = Instant::now();
    let result = work.instrument(span.clone()).await;
    record(&span, started, result.as_ref().map(rows));
    result
}

/// Notes in an operation's span how long it took, and its rows or its error.
pub(crate) fn record(span: &Span, started: Instant, rows: Result<u64, &DBError>) {
    span.record("duration_us", started.elapsed().as_micros() as u64);
    match rows {
        Ok(rows) => span.record("rows", rows),
        Err(error) => span.record("error", field::display(error)),
    };
}
