//! The driver: its pool, and the traits that the core calls.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::TryFutureExt;
use ommi_core::ast::{Delete, Insert, Select, Statement, Update};
use ommi_core::driver::{
    Answer, Begin, Capabilities, Context, DatePrecision, Driver, DriverTransaction, Executor, Explanation, Isolation,
    RowSink, RowStream, SchemaDriver,
};
use ommi_core::{DBError, DBResult};
use ommi_sql::Explained;
use sqlx::PgPool;

use crate::compiled::Cache;
use crate::dialect::NAME;
use crate::insert;
use crate::lease::{Lease, Work};
use crate::options::PostgresOptions;
use crate::run::{self, Job, Run};
use crate::stream;
use crate::transaction::PostgresTransaction;
use crate::warm::Warm;
use crate::wire;

/// What PostgreSQL, driven by this crate, can do.
pub(crate) static CAPABILITIES: LazyLock<Capabilities> = LazyLock::new(|| {
    let mut capabilities = Capabilities::none(NAME);
    capabilities.transactions = true;
    capabilities.savepoints = true;
    capabilities.dropped_level_keeps_outer = true;
    capabilities.schema_in_transactions = true;
    capabilities.isolation = Isolation::Serializable;
    capabilities.deferrable = true;
    capabilities.atomic_statements = true;
    capabilities.foreign_keys = true;
    capabilities.on_delete = true;
    capabilities.checks = true;
    capabilities.key_update = true;
    capabilities.related_rows = true;
    capabilities.row_locks = true;
    capabilities.bytes_order = true;
    capabilities.schemas = true;
    capabilities.date_precision = DatePrecision::Microseconds;
    // One array for each column, whatever the number of rows; this many keep a message at some megabytes.
    capabilities.max_insert_rows = 16_384;
    // A message takes 1 GB, and so does an array on the server. What is sent at once is held in memory more than once, here and there.
    capabilities.max_insert_bytes = 16 * 1024 * 1024;
    capabilities
});

/// What PostgreSQL, driven by this crate, can do. It is the same for every database.
pub fn capabilities() -> &'static Capabilities {
    &CAPABILITIES
}

/// A PostgreSQL database, through a pool of connections.
pub struct PostgresDriver {
    pub(crate) inner: Arc<Inner>,
}

/// What everything that runs shares.
pub(crate) struct Inner {
    pub(crate) pool: PgPool,
    pub(crate) cache: Cache,
    /// Whether statements are prepared once and kept.
    pub(crate) prepared: bool,
    /// The server's own limit for a statement, where the options set it.
    pub(crate) statement_timeout: Option<Duration>,
    /// Connections that were just used; none for a pool of the user's own, which may do something with each that it lends.
    pub(crate) warm: Option<Arc<Warm>>,
    pub(crate) losses: Arc<Losses>,
    /// Whether the database's encoding was found to be UTF-8.
    pub(crate) encoding_is_known: AtomicBool,
}

/// When a connection was lost: those that were open then are not to be trusted.
#[derive(Debug, Default)]
pub(crate) struct Losses(Mutex<Option<Instant>>);

impl Losses {
    /// Whether one was lost within this time.
    pub(crate) fn within(&self, time: Duration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|last| last.elapsed() <= time)
    }
}

impl Inner {
    /// A connection was lost. The others that are at hand go back to the pool, which asks each whether it still lives.
    pub(crate) fn lost(&self) {
        *self.losses.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        if let Some(warm) = &self.warm {
            warm.clear();
        }
    }

    /// The limit that ended what ran out of time: the operation's, else the server's.
    pub(crate) fn limit(&self, context: &Context) -> Option<Duration> {
        context.limit.map(|(_, given)| given).or(self.statement_timeout)
    }
}

impl fmt::Debug for PostgresDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresDriver").field("connections", &self.inner.pool.size()).finish_non_exhaustive()
    }
}

impl PostgresDriver {
    /// Connects to the database that a URL names; see [`PostgresOptions::parse`] for what it may say.
    ///
    /// # Errors
    /// As [`PostgresOptions::parse`] and [`PostgresOptions::connect`].
    pub async fn connect(url: &str) -> DBResult<PostgresDriver> {
        PostgresOptions::parse(url)?.connect().await
    }

    /// Uses a pool that is there already. Its own options hold, and every connection is taken from it and given back to it for each statement or
    /// transaction. Statements are prepared and kept; behind a pooler that does not know prepared ones use
    /// [`from_pool_unprepared`](PostgresDriver::from_pool_unprepared).
    ///
    /// The first statement asks for the database's encoding, and is a `Configuration` error where that is not UTF-8.
    pub fn from_pool(pool: PgPool) -> PostgresDriver {
        PostgresDriver::over(pool, true)
    }

    /// The same for a pool behind a pooler that lends another connection for each transaction: as with [`PostgresOptions::prepared`] off.
    pub fn from_pool_unprepared(pool: PgPool) -> PostgresDriver {
        PostgresDriver::over(pool, false)
    }

    fn over(pool: PgPool, prepared: bool) -> PostgresDriver {
        PostgresDriver::with(Inner {
            pool,
            cache: Cache::default(),
            prepared,
            statement_timeout: None,
            warm: None,
            losses: Arc::default(),
            encoding_is_known: AtomicBool::new(false),
        })
    }

    pub(crate) fn with(inner: Inner) -> PostgresDriver {
        PostgresDriver { inner: Arc::new(inner) }
    }

    /// The pool of the client library: the way down to what Ommi lacks.
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// Runs something on a connection of the pool.
    pub(crate) async fn run<T>(&self, context: &Context, work: impl Work<T>) -> DBResult<T> {
        let mut lease = Lease::acquire(&self.inner, context).await?;
        match context.limit {
            None => work.run(&mut lease).await,
            Some(_) => Box::pin(lease.within(context, work)).await,
        }
    }
}

impl Executor for PostgresDriver {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        match run::prepare(&self.inner, Job::Select(select)) {
            Ok(ready) => Answer::later(self.run(context, Run { ready, sink: Some(sink), context }).map_ok(drop)),
            Err(error) => Answer::ready(Err(error)),
        }
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        Answer::ready(stream::on_driver(self, select, sink, context))
    }

    fn insert<'a>(
        &'a self,
        insert: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        match insert::ready(&self.inner, insert, sink, context) {
            Ok(add) => Answer::later(self.run(context, add.alone())),
            Err(error) => Answer::ready(Err(error)),
        }
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        match run::prepare(&self.inner, Job::Update(update)) {
            Ok(ready) => Answer::later(self.run(context, Run { ready, sink: None, context })),
            Err(error) => Answer::ready(Err(error)),
        }
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        match run::prepare(&self.inner, Job::Delete(delete)) {
            Ok(ready) => Answer::later(self.run(context, Run { ready, sink: None, context })),
            Err(error) => Answer::ready(Err(error)),
        }
    }
}

#[async_trait]
impl Driver for PostgresDriver {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn begin(&self, begin: &Begin, context: &Context) -> DBResult<Box<dyn DriverTransaction>> {
        let lease = Lease::acquire(&self.inner, context).await?;
        Ok(Box::new(PostgresTransaction::new(lease, begin)))
    }

    fn schema(&self) -> &dyn SchemaDriver {
        self
    }

    fn explain(&self, statement: &Statement) -> DBResult<Explanation> {
        run::check(statement)?;
        let mut explained = Explained::new();
        match statement {
            Statement::Select(select) => Job::Select(select).write(&mut explained)?,
            Statement::Insert(insert) => Job::Insert(insert).write(&mut explained)?,
            Statement::Update(update) => Job::Update(update).write(&mut explained)?,
            Statement::Delete(delete) => Job::Delete(delete).write(&mut explained)?,
            _ => return Err(DBError::unsupported(NAME, "this statement")),
        }
        let explanation = explained.finish();
        for value in explanation.binds() {
            wire::check(value).map_err(|invalid| {
                DBError::invalid_value(Some(&statement.model().name), None).with_detail(invalid.to_string())
            })?;
        }
        Ok(explanation)
    }

    async fn close(&self) {
        let closing = self.inner.pool.close();
        if let Some(warm) = &self.inner.warm {
            warm.close();
        }
        closing.await;
    }
}

#[cfg(test)]
mod tests {
    use ommi_core::ast::{Assignment, Change, Condition};
    use ommi_core::schema::{ColumnBuilder, ModelSchema, SchemaRef};
    use ommi_core::value::{ColumnType, Value};

    use super::*;

    /// In bytes. A future is moved into its box as a whole, for each statement: with the opening of a connection in it, it was of 55 000.
    const SMALL: usize = 2_000;

    /// Takes no rows.
    struct Nothing;

    impl RowSink for Nothing {
        fn row(&mut self, _: &mut dyn ommi_core::driver::Row) -> DBResult<()> {
            Ok(())
        }

        fn clear(&mut self) {}

        fn len(&self) -> usize {
            0
        }

        fn fork(&self) -> Box<dyn RowSink> {
            Box::new(Nothing)
        }

        fn absorb(&mut self, _: Box<dyn RowSink>) {}

        fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
            self
        }
    }

    fn size<T>(answer: &Answer<'_, T>) -> usize {
        match answer {
            Answer::Later(future) => size_of_val(&**future),
            Answer::Ready(_) => panic!("the answer was there at once"),
        }
    }

    #[tokio::test]
    async fn the_future_of_a_statement_is_small() {
        let driver = PostgresDriver::from_pool(PgPool::connect_lazy("postgres://ann@db.invalid/shop").unwrap());
        let id = ColumnBuilder::new("id", ColumnType::I64).key();
        let model = SchemaRef::from(Arc::new(ModelSchema::builder("User", "users").column(id).build().unwrap()));
        let context = Context::new();
        let mut insert = Insert::new(model.clone(), [0], vec![Value::Int(1)], 1);
        let update = Update::new(model.clone(), vec![Assignment::new(0, Change::Add(Value::Int(1)))], Condition::True);
        let delete = Delete::new(model.clone(), Condition::True);
        let (mut rows, mut keys) = (Nothing, Nothing);
        let sizes = [
            size(&driver.fetch(&Select::new(model), &mut rows, &context)),
            size(&driver.insert(&mut insert, &mut keys, &context)),
            size(&driver.update(&update, &context)),
            size(&driver.delete(&delete, &context)),
        ];
        assert!(sizes.iter().all(|size| *size <= SMALL), "{sizes:?}");
    }
}
