//! A closure that runs in a transaction.

use std::fmt;
use std::ops::AsyncFnOnce;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::pin_project;

use super::{Ommi, Transaction};
use crate::driver;
use crate::error::DBError;

/// The limit that is set on a transaction before it begins.
///
/// It is shared with the future that will read it, which exists already: starting that later, as [`Pending`](crate::Pending) does, would hide from
/// the compiler whether it is `Send`, which depends on the closure.
type Limit = Arc<OnceLock<Duration>>;

/// A closure that runs in a transaction when this is awaited: what [`Ommi::transaction`] gives.
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
    /// later fails with `Timeout`, and the transaction is rolled back. What else the closure waits for is not interrupted.
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

pub(super) async fn run<T, E, F>(db: &Ommi, work: F, limit: Limit) -> Result<T, E>
where
    F: AsyncFnOnce(&mut Transaction<'_>) -> Result<T, E>,
    E: From<DBError>,
{
    let context = driver::Context::new().with_timeout(limit.get().copied());
    let mut transaction = db.begin_within(context).await?;
    match work(&mut transaction).await {
        Ok(value) => {
            transaction.commit().await?;
            Ok(value)
        }
        Err(error) => {
            // The closure's error says more than a rollback that failed, which undoes everything too.
            if let Err(rollback) = transaction.rollback().await {
                tracing::warn!(target: "ommi", error = %rollback, "a rollback failed");
            }
            Err(error)
        }
    }
}
