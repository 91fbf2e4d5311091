//! Transactions that are to run in another way than the store's own.

use std::ops::AsyncFnOnce;

use super::closure::{self, InTransaction};
use super::{Ommi, Retry, Retrying, Transaction};
use crate::driver::{Begin, Context, Isolation, Nested, TransactionOptions};
use crate::error::{DBError, DBResult};
use crate::pending::{Operation, Pending};

/// A transaction that has yet to begin: what [`Ommi::build_transaction`] gives.
///
/// ```text
/// let report = db.build_transaction().isolation(Isolation::Snapshot).read_only().transaction(async |tx| { .. }).await?;
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "nothing begins before `begin` or `transaction`"]
pub struct TransactionBuilder<'h> {
    db: &'h Ommi,
    options: TransactionOptions,
}

impl<'h> TransactionBuilder<'h> {
    pub(super) fn new(db: &'h Ommi) -> TransactionBuilder<'h> {
        TransactionBuilder { db, options: TransactionOptions::default() }
    }

    /// At least this isolation. Without it, the store's default holds.
    ///
    /// A level that the store cannot give is `Unsupported` when the transaction begins.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.options.isolation = Some(isolation);
        self
    }

    /// Nothing is written in it: whatever would write is a `Query` error, and nothing is sent. On SQLite it does not wait for who
    /// writes, nor keep anybody from it.
    pub fn read_only(mut self) -> Self {
        self.options.read_only = true;
        self
    }

    /// It may wait when it begins, and then neither fails nor makes others fail for the sake of isolation: PostgreSQL's `DEFERRABLE`, which
    /// matters where it is serializable and read-only. `Unsupported` elsewhere.
    pub fn deferrable(mut self) -> Self {
        self.options.deferrable = true;
        self
    }

    /// It begins at once, with the right to write: SQLite's `BEGIN IMMEDIATE`, which is sent with the first statement otherwise.
    /// `Unsupported` elsewhere.
    pub fn immediate(mut self) -> Self {
        self.options.immediate = true;
        self
    }

    /// What becomes of it when a transaction within it does not commit.
    pub fn nested(mut self, nested: Nested) -> Self {
        self.options.nested = nested;
        self
    }

    /// Runs the closure again when others were in the way: see [`Ommi::retry`].
    pub fn retry(self, policy: Retry) -> Retrying<'h> {
        Retrying::new(self.db, self.options, policy)
    }

    /// Begins it. It is rolled back when it is dropped without [`commit`](Transaction::commit).
    ///
    /// # Errors
    /// `Unsupported` where the store lacks something that was asked for; `Query` for one that is both read-only and immediate.
    #[track_caller]
    pub fn begin(self) -> Pending<impl Operation<Output = DBResult<Transaction<'h>>, Future: Send> + Send + 'h> {
        let begin = Begin::new(self.options);
        Pending::new(move |options| async move {
            let mut context = Context::new().with_timeout(options.timeout);
            context.inside = super::inside::of(self.db.driver());
            Transaction::start(self.db, &begin, &context).await
        })
    }

    /// Runs a closure in it: commits on `Ok`, rolls back on `Err` or when the future is dropped.
    ///
    /// # Errors
    /// The closure's own error, or what beginning and committing give, through `From`.
    #[track_caller]
    pub fn transaction<T, E, F>(self, work: F) -> InTransaction<impl Future<Output = Result<T, E>> + use<'h, T, E, F>>
    where
        F: AsyncFnOnce(&mut Transaction<'_>) -> Result<T, E>,
        E: From<DBError>,
    {
        let begin = Begin::new(self.options);
        let db = self.db;
        InTransaction::new(move |limit| async move {
            closure::run(db, begin, 1, work, &limit).await.map_err(|failure| failure.error)
        })
    }
}
