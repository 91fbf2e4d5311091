//! What runs queries: a database, or a transaction on it.
//!
//! [`Handle`] is the one trait for both, so that `async fn f(db: &impl Handle)` works with each.

mod add;
mod builder;
mod closure;
mod ending;
mod guarded;
mod inside;
mod ommi;
mod retry;
mod tables;
mod trace;
mod transacted;
mod transaction;
mod upsert;
mod write;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ast::Condition;
use crate::driver::{Context, Driver, Executor, Explanation, Inside};
use crate::error::DBResult;
use crate::key::IntoKey;
use crate::model::{Model, Models};
use crate::new_row::NewRow;
use crate::pending::{Operation, Options, Pending};
use crate::query::{Find, IntoPredicate};
use crate::relation::Strict;
use crate::schema::SchemaRef;
use tables::{Tables, schemas};

pub(crate) use add::{add_rows, add_trees, one_row};
pub use builder::TransactionBuilder;
pub use closure::InTransaction;
pub(crate) use ending::Ending;
pub use ommi::Ommi;
pub use retry::{Retry, Retrying};
use trace::is_traced;
pub(crate) use trace::{record, span, traced};
pub(crate) use transacted::Transacted;
pub use transaction::Transaction;
pub use upsert::{Upsert, UpsertOn};
pub(crate) use write::delete;

/// Where statements run: cheap to copy, and the same type for a database and a transaction.
#[derive(Clone, Copy)]
pub struct At<'h> {
    pub(crate) executor: &'h dyn Executor,
    pub(crate) driver: &'h dyn Driver,
    /// Of the transaction, inside of one.
    pub(crate) ending: Option<&'h Arc<Ending>>,
    /// What a strict handle remembers.
    pub(crate) strict: Option<&'h Strict>,
    /// When the transaction must have ended.
    pub(crate) limit: Option<&'h (Instant, Duration)>,
    /// How deep in a transaction.
    pub(crate) level: u32,
}

impl At<'_> {
    #[inline]
    pub(crate) fn context(self, options: Options) -> Context {
        let outer = self.limit.copied();
        let limit = match options.timeout {
            None => outer,
            timeout => Context::new().with_timeout(timeout).within(outer).limit,
        };
        let inside = match self.ending {
            None => inside::of(self.driver),
            Some(_) => Inside::default(),
        };
        Context { limit, batch: Context::DEFAULT_BATCH, level: self.level, inside }
    }
}

/// A database or a transaction: what `find`, `add` and the other verbs are called on.
///
/// ```text
/// async fn greet(db: &impl Handle, id: i64) -> DBResult<String> {
///     Ok(format!("Hello, {}", db.get::<User>(id).await?.name))
/// }
/// ```
pub trait Handle: Send + Sync {
    /// Where statements run.
    #[doc(hidden)]
    fn at(&self) -> At<'_>;

    /// Where tables are made and dropped.
    #[doc(hidden)]
    fn tables(&self) -> Tables<'_>;

    /// The rows that meet a condition. Nothing is sent until a verb of [`Find`] is awaited.
    fn find<M: Model>(&self, predicate: impl IntoPredicate<M>) -> Find<'_, M> {
        Find::new(self.at(), predicate.into_predicate())
    }

    /// All rows of a model. This is also how an update or delete of the whole table is said.
    fn find_all<M: Model>(&self) -> Find<'_, M> {
        Find::whole(self.at())
    }

    /// The row with this key, or `NotFound`. A composite key is given as a tuple.
    fn get<M: Model>(
        &self,
        key: impl IntoKey<M::Key>,
    ) -> Pending<impl Operation<Output = DBResult<M>, Future: Send> + Send> {
        Find::by_key(self.at(), key).one()
    }

    /// Adds one row and gives it back with its key, defaults and optional columns filled in.
    fn add<N: NewRow>(&self, row: N) -> Pending<impl Operation<Output = DBResult<N::Model>, Future: Send> + Send> {
        Pending::at_once(row, move |row, options, later| {
            add::add(&self.at(), row, options, |rest| *later = Some(add::later(self.at(), rest)))
        })
    }

    /// What would be sent for [`add`](Handle::add), without sending it. Values are not shown unless asked for.
    ///
    /// # Errors
    /// What is found wrong with the row before anything is sent.
    fn explain_add<N: NewRow>(&self, row: N) -> DBResult<Explanation> {
        add::explain(self.at(), row)
    }

    /// Adds many rows, all or none, and gives them back in their order. They go in as few statements as the store's limits allow.
    fn add_all<N, I>(&self, rows: I) -> Pending<impl Operation<Output = DBResult<Vec<N::Model>>, Future: Send> + Send>
    where
        N: NewRow,
        I: IntoIterator<Item = N> + Send,
    {
        let at = self.at();
        Pending::new(move |options| add::add_all(at, rows, options))
    }

    /// Adds a row, or does something about the one that is there already: `db.upsert(row).on(User::email).update(..)`.
    fn upsert<N: NewRow>(&self, row: N) -> Upsert<'_, N> {
        Upsert::new(self.at(), row)
    }

    /// Writes every column of a row to the row with its key; `NotFound` when that has gone.
    ///
    /// Where the model has a version, it is raised by one, in the row that is given too; and where the row was changed since it was read, it
    /// is a `Conflict` about a [stale row](crate::DBError::stale_row), and nothing is written. `OutOfRange` where the version is the last of
    /// its type.
    fn save<M: Model>(&self, row: &mut M) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        let at = self.at();
        Pending::new(move |options| write::save(at, row, options))
    }

    /// Deletes the row with this row's key; `NotFound` when it has gone, and a `Conflict` about a [stale row](crate::DBError::stale_row) where
    /// the model has a version and the row was changed since it was read.
    fn delete<M: Model>(&self, row: &M) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        let at = self.at();
        Pending::new(move |options| write::delete(at, row, Condition::True, options))
    }

    /// Creates the tables of these models where they are missing, with keys, references, indexes and defaults, and adds what
    /// existing tables lack and can be given: columns that are optional in new rows, and indexes. It never drops or changes anything.
    ///
    /// In a transaction it is a part of that: seen by nobody else before the commit, and undone with the transaction, or with one within it in
    /// which it stands. That is `Unsupported` where the store cannot do so
    /// ([`schema_in_transactions`](crate::driver::Capabilities::schema_in_transactions)), and nothing is sent. After an error of the
    /// database's, a misfit among them, only the rollback is left of it; so too when this is dropped before its end.
    ///
    /// # Errors
    /// `Schema` for a table that does not fit its model, naming every misfit; nothing is changed.
    fn create_tables<T: Models>(&self) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        self.create_schemas(schemas::<T>())
    }

    /// As [`create_tables`](Handle::create_tables), for schemas that are known at run time.
    fn create_schemas(
        &self,
        schemas: Vec<SchemaRef>,
    ) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        let tables = self.tables();
        Pending::new(move |options| tables.create(schemas, options))
    }

    /// Drops the tables of these models where they exist, **with everything in them**. In a transaction it is a part of that, as
    /// [`create_tables`](Handle::create_tables) is.
    ///
    /// # Errors
    /// `Schema` where a table that is not among them refers to one of them; nothing is changed.
    fn drop_tables<T: Models>(&self) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        let (tables, schemas) = (self.tables(), schemas::<T>());
        Pending::new(move |options| tables.drop(schemas, options))
    }
}

impl<H: Handle + ?Sized> Handle for &H {
    fn at(&self) -> At<'_> {
        H::at(self)
    }

    fn tables(&self) -> Tables<'_> {
        H::tables(self)
    }
}

impl<H: Handle + ?Sized> Handle for &mut H {
    fn at(&self) -> At<'_> {
        H::at(self)
    }

    fn tables(&self) -> Tables<'_> {
        H::tables(self)
    }
}
