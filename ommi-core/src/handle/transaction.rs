//! A transaction.

use std::fmt;

use super::guarded::Guarded;
use super::{At, Handle, traced};
use crate::driver::{Driver, DriverTransaction};
use crate::error::DBResult;

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
}

impl<'h> Transaction<'h> {
    pub(crate) fn new(driver: &'h dyn Driver, inner: Box<dyn DriverTransaction>) -> Transaction<'h> {
        Transaction { driver, inner: Guarded::new(inner) }
    }

    /// Makes everything done in it last.
    ///
    /// # Errors
    /// `TransactionAborted` when a statement in it failed; it is rolled back then. Otherwise what the database reports; nothing of it has
    /// happened, unless the connection was lost meanwhile, when that is not known.
    pub async fn commit(self) -> DBResult<()> {
        traced("commit", "", self.inner.commit(), |()| 0).await
    }

    /// Undoes everything done in it.
    ///
    /// # Errors
    /// That the connection was lost, which undoes it too.
    pub async fn rollback(self) -> DBResult<()> {
        traced("rollback", "", self.inner.rollback(), |()| 0).await
    }
}

impl Handle for Transaction<'_> {
    fn at(&self) -> At<'_> {
        At { executor: &self.inner, driver: self.driver, in_transaction: true }
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("driver", &self.driver.capabilities().driver).finish_non_exhaustive()
    }
}
