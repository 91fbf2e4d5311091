//! The driver: its pools, and the traits that the core calls.

use std::fmt;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use ommi_core::ast::{Delete, Insert, Select, Statement, StatementRef, Update};
use ommi_core::driver::{
    Answer, Begin, Capabilities, Context, DatePrecision, Driver, DriverTransaction, Executor, Explanation, Isolation,
    RowSink, RowStream, SchemaDriver,
};
use ommi_core::{DBError, DBResult, ErrorKind};
use ommi_sql::Explained;
use tokio::runtime::Handle;

use crate::bind::Stored;
use crate::cache::SharedCache;
use crate::checkpoint::Checkpointer;
use crate::connection::Connection;
use crate::dialect::{NAME, Sqlite};
use crate::insert;
use crate::insert::MAX_BINDS;
use crate::options::SqliteOptions;
use crate::pool::{Pool, Serves, no_runtime};
use crate::run;
use crate::stream;
use crate::transaction::SqliteTransaction;
use crate::work::{self, Add, Fetch, Source};

/// What SQLite, driven by this crate, can do.
pub(crate) static CAPABILITIES: LazyLock<Capabilities> = LazyLock::new(|| {
    let mut capabilities = Capabilities::none(NAME);
    capabilities.transactions = true;
    capabilities.savepoints = true;
    capabilities.dropped_level_keeps_outer = true;
    capabilities.schema_in_transactions = true;
    capabilities.single_writer = true;
    capabilities.snapshot_includes = true;
    capabilities.isolation = Isolation::Serializable;
    capabilities.immediate = true;
    capabilities.atomic_statements = true;
    capabilities.statement_error_keeps_transaction = true;
    capabilities.foreign_keys = true;
    capabilities.on_delete = true;
    capabilities.checks = true;
    capabilities.key_update = true;
    capabilities.related_rows = true;
    capabilities.bytes_order = true;
    capabilities.date_precision = DatePrecision::Nanoseconds;
    capabilities.max_binds = MAX_BINDS;
    capabilities.max_insert_rows = 16_384;
    capabilities
});

/// What SQLite, driven by this crate, can do. It is the same for every database.
pub fn capabilities() -> &'static Capabilities {
    &CAPABILITIES
}

/// An SQLite database.
///
/// Dropping it closes its connections, and the last one to go writes the log back into the file, on the thread that drops it;
/// [`Driver::close`] does it on a blocking thread.
pub struct SqliteDriver {
    pub(crate) options: SqliteOptions,
    pub(crate) writer: Arc<Pool>,
    /// The same as the writer's for a database in memory.
    readers: Arc<Pool>,
    checkpointer: Option<Arc<Checkpointer>>,
}

impl fmt::Debug for SqliteDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteDriver").field("path", &self.options.path).finish_non_exhaustive()
    }
}

impl SqliteDriver {
    /// Opens the database that a URL names; see [`SqliteOptions::parse`] for what it may say.
    ///
    /// # Errors
    /// As [`SqliteOptions::parse`] and [`SqliteOptions::connect`].
    pub async fn connect(url: &str) -> DBResult<SqliteDriver> {
        SqliteOptions::parse(url)?.connect().await
    }

    pub(crate) async fn open(options: SqliteOptions) -> DBResult<SqliteDriver> {
        options.check()?;
        if options.is_memory() {
            // It has nothing to wait for, and so needs no runtime.
            return SqliteDriver::open_blocking(options);
        }
        let runtime = Handle::try_current().map_err(no_runtime)?;
        let opened = runtime.spawn_blocking(move || SqliteDriver::open_blocking(options)).await;
        opened.map_err(|error| DBError::new(ErrorKind::Connection).with_source(error))?
    }

    fn open_blocking(options: SqliteOptions) -> DBResult<SqliteDriver> {
        let shared = Arc::new(SharedCache::default());
        let open = || Connection::open(&options, &shared);
        let writer = open()?;
        if options.is_memory() {
            let name = "the one connection";
            let serves = Serves { reads: true, writes: true };
            let pool = Pool::new(name, serves, options.acquire_timeout, vec![writer], None);
            return Ok(SqliteDriver { options, writer: pool.clone(), readers: pool, checkpointer: None });
        }
        let readers = (0..options.readers).map(|_| open()).collect::<DBResult<Vec<_>>>()?;
        let checkpointer = Arc::new(Checkpointer::new(open()?));
        let timeout = options.acquire_timeout;
        Ok(SqliteDriver {
            writer: Pool::new(
                "the connection that writes",
                Serves { reads: false, writes: true },
                timeout,
                vec![writer],
                Some(checkpointer.clone()),
            ),
            readers: Pool::new(
                "every connection that reads",
                Serves { reads: true, writes: false },
                timeout,
                readers,
                None,
            ),
            checkpointer: Some(checkpointer),
            options,
        })
    }

    fn reads(&self) -> Source<'_> {
        Source::Pool(&self.readers, self.options.busy_timeout)
    }

    pub(crate) fn writes(&self) -> Source<'_> {
        Source::Pool(&self.writer, self.options.busy_timeout)
    }
}

impl Executor for SqliteDriver {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        work::start(self.reads(), Fetch { select, sink }, context)
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        stream::start(self.reads(), select, sink, context)
    }

    fn insert<'a>(
        &'a self,
        insert: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        work::start(self.writes(), Add { insert, sink }, context)
    }

    fn insert_now(&self, insert: &Insert, context: &Context) -> Option<DBResult<i64>> {
        work::now(self.writes(), context, |connection, task| insert::one_row(connection, insert, task, true))
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        work::start(self.writes(), update, context)
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        work::start(self.writes(), delete, context)
    }
}

#[async_trait]
impl Driver for SqliteDriver {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    async fn begin(&self, begin: &Begin, context: &Context) -> DBResult<Box<dyn DriverTransaction>> {
        let pool = if begin.options.read_only { &self.readers } else { &self.writer };
        let lease = match pool.try_take() {
            Some(lease) => lease,
            // Boxed, as the wait is seldom and its future large.
            None => Box::pin(pool.take(context)).await?,
        };
        pool.held_by(begin.place);
        Ok(Box::new(SqliteTransaction::begin(lease, self.options.busy_timeout, begin, context).await?))
    }

    fn schema(&self) -> &dyn SchemaDriver {
        self
    }

    fn explain(&self, statement: &Statement) -> DBResult<Explanation> {
        run::check(statement)?;
        let mut explained = Explained::new();
        match statement {
            Statement::Select(select) => ommi_sql::select(select, &Sqlite, &mut explained)?,
            Statement::Insert(insert) => ommi_sql::insert(insert, 0, insert.rows, &Sqlite, &mut explained)?,
            Statement::Update(update) => ommi_sql::update(update, &Sqlite, &mut explained)?,
            Statement::Delete(delete) => ommi_sql::delete(delete, &Sqlite, &mut explained)?,
            _ => return Err(DBError::unsupported(NAME, "this statement")),
        }
        let explanation = explained.finish();
        for value in explanation.binds() {
            Stored::of(value).map_err(|invalid| {
                DBError::invalid_value(Some(&StatementRef::from(statement).model().name), None)
                    .with_detail(invalid.to_string())
            })?;
        }
        Ok(explanation)
    }

    async fn close(&self) {
        self.readers.shut();
        self.writer.shut();
        let mut connections = self.readers.close().await;
        connections.extend(self.writer.close().await);
        let checkpointer = self.checkpointer.clone();
        let end = move || {
            drop(connections);
            // The last one to go writes the log back and removes it.
            drop(checkpointer.and_then(|checkpointer| checkpointer.close()));
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(end).await),
            Err(_) => end(),
        }
    }
}
