//! A closure that runs in a transaction.

use std::fmt;
use std::ops::AsyncFnOnce;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::pin_project;

use super::guarded::reason;
use super::inside::inside;
use super::{Ommi, Transaction};
use crate::driver::{self, Begin};
use crate::error::{DBError, ErrorKind};

/// The limit that is set on a transaction before it begins.
///
/// It is shared with the future that will read it, which exists already: starting that later, as [`Pending`](crate::Pending) does, would hide from
/// the compiler whether it is `Send`, which depends on the closure.
pub(super) type Limit = Arc<OnceLock<Duration>>;

/// A closure that runs in a transaction when this is awaited: what [`Ommi::transaction`](crate::Ommi::transaction) gives.
#[pin_project]
#[must_use = "a transaction does nothing unless it is awaited"]
pub struct InTransaction<F> {
    limit: Limit,
    #[pin]
    running: F,
}

impl<F> InTransaction<F> {
    pub(super) fn new(run: impl FnOnce(Limit) -> F) -> InTransaction<F> {
        let limit = Limit::default();
        InTransaction { running: run(limit.clone()), limit }
    }

    /// Everything in the transaction, its commit included, must end within this time of its beginning: what is sent to the database
    /// later fails with `Timeout`, and the transaction is rolled back. What else the closure waits for is not interrupted. Under
    /// [`retry`](crate::Ommi::retry) each attempt has this time.
    ///
    /// The first limit that is set holds.
    pub fn timeout(self, timeout: Duration) -> InTransaction<F> {
        // Whoever set it before has said it closer to the transaction.
        let _ = self.limit.set(timeout);
        self
    }
}

impl<F: Future> Future for InTransaction<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.project().running.poll(context)
    }
}

impl<F> fmt::Debug for InTransaction<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InTransaction").field("timeout", &self.limit.get()).finish_non_exhaustive()
    }
}

/// Why a transaction did not come to its good end.
pub(super) struct Failure<E> {
    /// What the caller gets.
    pub(super) error: E,
    /// The database's word on it, if it had one.
    pub(super) reason: Option<DBError>,
}

impl<E: From<DBError>> From<DBError> for Failure<E> {
    fn from(reason: DBError) -> Failure<E> {
        Failure { error: reason.clone().into(), reason: Some(reason) }
    }
}

/// Runs a closure in a transaction of its own.
pub(super) async fn run<T, E, F>(db: &Ommi, begin: Begin, attempt: u32, work: F, limit: &Limit) -> Result<T, Failure<E>>
where
    F: AsyncFnOnce(&mut Transaction<'_>) -> Result<T, E>,
    E: From<DBError>,
{
    let mut context = driver::Context::new().with_timeout(limit.get().copied());
    context.inside = super::inside::of(db.driver());
    let limit = context.limit;
    let transaction = Transaction::start(db, &begin, &context).await?;
    finish(transaction.within(limit).on_attempt(attempt), work).await
}

/// Runs a closure in a transaction within another.
pub(super) async fn run_within<T, E, F>(outer: &Transaction<'_>, work: F, limit: Limit) -> Result<T, E>
where
    F: AsyncFnOnce(&mut Transaction<'_>) -> Result<T, E>,
    E: From<DBError>,
{
    let limit = driver::Context::new().with_timeout(limit.get().copied()).limit;
    finish(outer.nested(limit)?, work).await.map_err(|failure| failure.error)
}

/// How long the rollback of a closure may take: as long as the transaction was given, within bounds. What is given up then ends with its
/// connection. Nobody can set a time for it, and on a network that is dead the answer never comes.
fn patience(given: Option<Duration>) -> Duration {
    const LEAST: Duration = Duration::from_secs(5);
    const MOST: Duration = Duration::from_secs(30);
    given.map_or(MOST, |given| given.clamp(LEAST, MOST))
}

async fn finish<T, E, F>(mut transaction: Transaction<'_>, work: F) -> Result<T, Failure<E>>
where
    F: AsyncFnOnce(&mut Transaction<'_>) -> Result<T, E>,
    E: From<DBError>,
{
    let (driver, read_only) = (transaction.driver(), transaction.is_read_only());
    match inside(driver, read_only, work(&mut transaction)).await {
        Ok(value) => {
            // Where the closure swallowed what the database said, that is the reason.
            let swallowed = transaction.reason();
            transaction.commit().await.map_err(|error| match error.kind() {
                ErrorKind::TransactionAborted => {
                    let reason = swallowed.unwrap_or_else(|| reason(error.clone()));
                    Failure { error: error.into(), reason: Some(reason) }
                }
                _ => error.into(),
            })?;
            Ok(value)
        }
        Err(error) => {
            let reason = transaction.reason();
            // The closure's error says more than a rollback that failed, which undoes everything too.
            let patience = patience(transaction.time_given());
            if let Err(rollback) = transaction.rollback().timeout(patience).await {
                tracing::warn!(target: "ommi", error = %rollback, "a rollback failed");
            }
            Err(Failure { error, reason })
        }
    }
}
