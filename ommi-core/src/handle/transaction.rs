//! A transaction.

use std::fmt;
use std::ops::AsyncFnOnce;
use std::time::{Duration, Instant};

use super::closure::{self, InTransaction};
use super::guarded::Guarded;
use super::tables::Tables;
use super::{At, Handle, Ommi, traced};
use crate::driver::{Begin, Context, Driver};
use crate::error::{DBError, DBResult};
use crate::pending::{Operation, Pending};
use crate::relation::Strict;

/// A transaction. Use it as a [`Handle`]; end it with [`commit`](Transaction::commit) or [`rollback`](Transaction::rollback).
/// Dropping it rolls it back.
///
/// After a statement that the database refused, only a rollback is left: every later use gives
/// [`TransactionAborted`](crate::ErrorKind::TransactionAborted) with the first error as its source. That is so on every store, also where
/// one would go on by itself.
///
/// # Transactions within it
///
/// [`begin`](Transaction::begin) and [`transaction`](Transaction::transaction) give one that is undone by itself, to any depth, and during
/// which this one cannot be used. Undone, it leaves this one as it was, also after a statement that the database refused; committed, it is
/// undone with this one. What a store cannot do of that is said in its chapter.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<'h> {
    driver: &'h dyn Driver,
    inner: Guarded<'h>,
    strict: Option<&'h Strict>,
    limit: Option<(Instant, Duration)>,
    attempt: u32,
}

impl<'h> Transaction<'h> {
    /// Begins one.
    pub(super) async fn start(db: &'h Ommi, begin: &Begin, context: &Context) -> DBResult<Transaction<'h>> {
        let At { driver, strict, .. } = db.at();
        let work = async { Guarded::begin(driver, begin, context).await };
        let inner = traced("begin", "", work, |_| 0).await?;
        Ok(Transaction { driver, inner, strict, limit: None, attempt: 1 })
    }

    /// Everything in it, its end included, must be over by then.
    pub(super) fn within(mut self, limit: Option<(Instant, Duration)>) -> Transaction<'h> {
        self.limit = limit;
        self
    }

    /// It is not the first one that is tried.
    pub(super) fn on_attempt(mut self, attempt: u32) -> Transaction<'h> {
        self.attempt = attempt;
        self
    }

    /// How often its work has been begun, this time included: 1, and more only under [`retry`](crate::Ommi::retry).
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// What the database said of why it did not succeed.
    pub(super) fn reason(&self) -> Option<DBError> {
        self.inner.reason()
    }

    /// How long it may take, where that was said.
    pub(super) fn time_given(&self) -> Option<Duration> {
        self.limit.map(|(_, given)| given)
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.inner.is_read_only()
    }

    /// Whose transaction it is.
    pub(super) fn driver(&self) -> &'h dyn Driver {
        self.driver
    }

    /// Makes everything done in it last; within another transaction, as part of that.
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
    /// That the connection was lost, or that the time was up. It is undone nevertheless. Within another transaction on MongoDB,
    /// `TransactionAborted` where the server has undone that as well.
    pub fn rollback(self) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send + 'h> {
        Pending::new(move |options| async move {
            let mut context = Context::new().with_timeout(options.timeout);
            context.level = self.inner.level();
            traced("rollback", "", self.inner.rollback(&context), |()| 0).await
        })
    }

    /// Begins a transaction within this one, which is rolled back by itself when it is dropped without
    /// [`commit`](Transaction::commit). Nothing is sent before its first statement.
    ///
    /// # Errors
    /// `Unsupported` where the store cannot undo a part of a transaction, unless
    /// [`Nested::AbortOuter`](crate::Nested::AbortOuter) was asked for; `TransactionAborted` after a failed statement.
    pub fn begin(&mut self) -> Pending<impl Operation<Output = DBResult<Transaction<'_>>, Future: Send> + Send + '_> {
        let outer: &Transaction<'_> = self;
        Pending::new(move |_| async move { outer.nested(None) })
    }

    /// One within this, which has to be over by a time of its own if it has one.
    pub(super) fn nested(&self, own: Option<(Instant, Duration)>) -> DBResult<Transaction<'_>> {
        let inner = self.inner.nested(self.driver)?;
        let limit = Context { limit: own, ..Context::new() }.within(self.limit).limit;
        Ok(Transaction { driver: self.driver, inner, strict: self.strict, limit, attempt: self.attempt })
    }

    /// Runs a closure in a transaction within this one: commits on `Ok`; on `Err`, or when the future is dropped, what it did is undone and
    /// this one goes on.
    ///
    /// # Errors
    /// The closure's own error, or what beginning and committing give, through `From`.
    pub fn transaction<'a, T, E, F>(
        &'a mut self,
        work: F,
    ) -> InTransaction<impl Future<Output = Result<T, E>> + use<'a, 'h, T, E, F>>
    where
        F: AsyncFnOnce(&mut Transaction<'_>) -> Result<T, E>,
        E: From<DBError>,
    {
        let outer: &'a Transaction<'h> = self;
        InTransaction::new(move |limit| closure::run_within(outer, work, limit))
    }
}

impl Handle for Transaction<'_> {
    fn at(&self) -> At<'_> {
        At {
            executor: &self.inner,
            driver: self.driver,
            ending: Some(self.inner.ending()),
            strict: self.strict,
            limit: self.limit.as_ref(),
            level: self.inner.level(),
        }
    }

    fn tables(&self) -> Tables<'_> {
        Tables { at: self.at(), transaction: Some(&self.inner) }
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("driver", &self.driver.capabilities().driver).finish_non_exhaustive()
    }
}
