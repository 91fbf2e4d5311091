//! The database.

use std::fmt;
use std::ops::AsyncFnOnce;
use std::sync::Arc;

use super::tables::Tables;
use super::{At, Handle, InTransaction, Retry, Retrying, Transaction, TransactionBuilder};
use crate::driver::Driver;
use crate::error::{DBError, DBResult};
use crate::pending::{Operation, Pending};
use crate::relation::Strict;

/// A database: a driver and its pool of connections.
///
/// Cloning is cheap and shares the pool. All verbs on rows come from [`Handle`].
#[derive(Clone)]
pub struct Ommi {
    driver: Arc<dyn Driver>,
    /// On a strict handle.
    strict: Option<Arc<Strict>>,
}

impl Ommi {
    /// A database that this driver serves. Where a URL says it all, the `ommi` crate's `Ommi::connect` is shorter.
    pub fn new(driver: impl Driver + 'static) -> Ommi {
        Ommi { driver: Arc::new(driver), strict: None }
    }

    /// The same database, on which loading a relation for one row after another is an error, of kind `Query`, that says what to include instead.
    ///
    /// Rows that came from one query load together, whichever handle they are loaded with. A row that came by itself (by `get`, `one`, `first`,
    /// or another query that can give one row only) loads for itself; here that may be done once for each relation, and a second row
    /// is refused. What no statement is sent for does not count, nor what failed or was rolled back. `load_alone` and `refresh` say in so many
    /// words that one row is meant, and are never refused.
    ///
    /// What was loaded is remembered by this handle, its clones and the transactions that are begun from it: make one for each piece of work, a
    /// request or a test. That costs an allocation.
    pub fn strict(&self) -> Ommi {
        Ommi { driver: self.driver.clone(), strict: Some(Arc::default()) }
    }

    /// What this is for another driver, which stands in front of its own.
    pub(crate) fn served_by(&self, driver: impl Driver + 'static) -> Ommi {
        Ommi { driver: Arc::new(driver), strict: self.strict.clone() }
    }

    /// The driver, for what Ommi itself does not offer.
    pub fn driver(&self) -> &dyn Driver {
        &*self.driver
    }

    pub(crate) fn shared_driver(&self) -> Arc<dyn Driver> {
        self.driver.clone()
    }

    /// Begins a transaction. It is rolled back when it is dropped without [`commit`](Transaction::commit).
    #[track_caller]
    pub fn begin(&self) -> Pending<impl Operation<Output = DBResult<Transaction<'_>>, Future: Send> + Send + '_> {
        self.build_transaction().begin()
    }

    /// Runs a closure in a transaction: commits on `Ok`, rolls back on `Err` or when the future is dropped.
    ///
    /// # Errors
    /// The closure's own error, or what beginning and committing give, through `From`.
    #[track_caller]
    pub fn transaction<'a, T, E, F>(
        &'a self,
        work: F,
    ) -> InTransaction<impl Future<Output = Result<T, E>> + use<'a, T, E, F>>
    where
        F: AsyncFnOnce(&mut Transaction<'_>) -> Result<T, E>,
        E: From<DBError>,
    {
        self.build_transaction().transaction(work)
    }

    /// Transactions with another isolation than the store's own, that only read, and so on.
    pub fn build_transaction(&self) -> TransactionBuilder<'_> {
        TransactionBuilder::new(self)
    }

    /// Transactions that are run again when others were in the way: `db.retry(Retry::default()).transaction(async |tx| ..)`.
    pub fn retry(&self, policy: Retry) -> Retrying<'_> {
        self.build_transaction().retry(policy)
    }

    /// Ends every connection once the work under way is done. Whoever uses the database afterwards gets a `Connection` error.
    pub async fn close(&self) {
        self.driver.close().await;
    }
}

impl Handle for Ommi {
    fn at(&self) -> At<'_> {
        At {
            executor: &*self.driver,
            driver: &*self.driver,
            ending: None,
            strict: self.strict.as_deref(),
            limit: None,
            level: 0,
        }
    }

    fn tables(&self) -> Tables<'_> {
        Tables { at: self.at(), transaction: None }
    }
}

impl fmt::Debug for Ommi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ommi").field("driver", &self.driver.capabilities().driver).finish_non_exhaustive()
    }
}
