//! A transaction.

use std::fmt;
use std::time::{Duration, Instant};

use super::guarded::Guarded;
use super::{At, Handle, traced};
use crate::driver::{Context, Driver, DriverTransaction};
use crate::error::DBResult;
use crate::pending::{Operation, Pending};
use crate::relation::Strict;

/// A transaction. Use it as a [`Handle`]; end it with [`commit`](Transaction::commit) or [`rollback`](Transaction::rollback).
/// Dropping it rolls it back.
///
/// After a statement that the database refused, only a rollback is left: every later use gives
/// [`TransactionAborted`](crate::ErrorKind::TransactionAborted) with the first error as its source. That is so on every store, also where
/// one would go on by itself.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<'h> {
    driver: &'h dyn Driver,
    inner: Guarded,
    strict: Option<&'h Strict>,
    limit: Option<(Instant, Duration)>,
}

impl<'h> Transaction<'h> {
    /// One that was begun there.
    pub(crate) fn new(at: At<'h>, inner: Box<dyn DriverTransaction>) -> Transaction<'h> {
        Transaction { driver: at.driver, inner: Guarded::new(inner), strict: at.strict, limit: None }
    }

    /// Everything in it, its end included, must be over by then.
    pub(crate) fn within(mut self, limit: Option<(Instant, Duration)>) -> Transaction<'h> {
        self.limit = limit;
        self
    }

    /// Makes everything done in it last.
    ///
    /// # Errors
    /// `TransactionAborted` when a statement in it failed; it is rolled back then. Otherwise what the database reports; nothing of it has
    /// happened, unless no answer came, as when the connection was lost meanwhile: then
    /// [`is_outcome_unknown`](crate::DBError::is_outcome_unknown) says so.
    pub fn commit(self) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send + 'h> {
        Pending::new(move |options| async move {
            let context = self.at().context(options);
            traced("commit", "", self.inner.commit(&context), |()| 0).await
        })
    }

    /// Undoes everything done in it.
    ///
    /// # Errors
    /// That the connection was lost, or that the time was up. It is undone nevertheless.
    pub fn rollback(self) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send + 'h> {
        Pending::new(move |options| async move {
            let context = Context::new().with_timeout(options.timeout);
            traced("rollback", "", self.inner.rollback(&context), |()| 0).await
        })
    }
}

impl Handle for Transaction<'_> {
    fn at(&self) -> At<'_> {
        At {
            executor: &self.inner,
            driver: self.driver,
            ending: Some(self.inner.ending()),
            strict: self.strict,
            limit: self.limit,
        }
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("driver", &self.driver.capabilities().driver).finish_non_exhaustive()
    }
}
