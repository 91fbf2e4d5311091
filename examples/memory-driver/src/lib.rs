//! An example of a driver: a store in memory.
//!
//! It is written with nothing but what [`ommi_core::driver`] says, and passes [`ommi_conformance`]. It is made to be read, not to be
//! fast: tables have no index, every statement that writes copies its table, and one task writes at a time. What conditions, orders and
//! changes mean it asks of [`ommi_conformance::evaluator`].
//!
//! | file | what it is |
//! |---|---|
//! | this one | the driver, its transactions and its streams |
//! | `store.rs` | tables, and what each statement does to them |
//! | `schema.rs` | making tables, and finding those that do not fit |
//! | `explain.rs` | what would be done |

mod explain;
mod schema;
mod store;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ommi_core::ast::{Delete, Insert, Select, Statement, Update};
use ommi_core::driver::{
    Answer, Begin, Capabilities, Context, DatePrecision, Driver, DriverTransaction, Executor, Explanation, Isolation,
    LevelEnd, RowSink, RowStream, SchemaDriver, Values,
};
use ommi_core::schema::SchemaRef;
use ommi_core::{DBError, DBResult, ErrorKind};
use tokio::sync::OwnedMutexGuard;

use store::{Row, State};

pub(crate) const NAME: &str = "memory";

/// Left out, to keep the example short, are foreign keys with what becomes of referring rows, locks on rows, named schemas and ObjectIds.
pub fn capabilities() -> Capabilities {
    let mut capabilities = Capabilities::none(NAME);
    capabilities.transactions = true;
    capabilities.savepoints = true;
    capabilities.dropped_level_keeps_outer = true;
    capabilities.schema_in_transactions = true;
    capabilities.single_writer = true;
    capabilities.snapshot_includes = true;
    capabilities.isolation = Isolation::Serializable;
    capabilities.atomic_statements = true;
    capabilities.statement_error_keeps_transaction = true;
    capabilities.checks = true;
    capabilities.key_update = true;
    capabilities.related_rows = true;
    capabilities.bytes_order = true;
    capabilities.date_precision = DatePrecision::Nanoseconds;
    capabilities
}

/// A database in memory. It is empty at first, and gone when it is dropped.
#[derive(Debug)]
pub struct MemoryDriver {
    capabilities: Capabilities,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// What everybody sees. Whoever writes changes a copy and puts it here when it is done, so readers never wait.
    committed: Mutex<Arc<State>>,
    /// Held by whoever writes: a statement, or a transaction until its end.
    writing: Arc<tokio::sync::Mutex<()>>,
    closed: AtomicBool,
}

impl Shared {
    fn committed(&self) -> Arc<State> {
        lock(&self.committed).clone()
    }

    fn open(&self) -> DBResult<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(DBError::new(ErrorKind::Connection).with_detail("the database was closed"));
        }
        Ok(())
    }

    /// The turn to write, which is waited for no longer than the operation may take.
    async fn turn(&self, context: &Context) -> DBResult<OwnedMutexGuard<()>> {
        self.open()?;
        context.check_time()?;
        if context.inside.writes {
            return Err(DBError::query("this would wait for the transaction in whose closure it is awaited"));
        }
        let turn = self.writing.clone().lock_owned();
        match context.limit {
            None => Ok(turn.await),
            Some((deadline, given)) => {
                tokio::time::timeout_at(deadline.into(), turn).await.map_err(|_| DBError::timeout(given))
            }
        }
    }

    /// Changes what everybody sees, if all of the work succeeds.
    async fn write<T>(&self, context: &Context, work: impl FnOnce(&mut State) -> DBResult<T>) -> DBResult<T> {
        let _turn = self.turn(context).await?;
        let mut state = State::clone(&self.committed());
        let result = work(&mut state)?;
        *lock(&self.committed) = Arc::new(state);
        Ok(result)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryDriver {
    /// An empty database.
    pub fn new() -> MemoryDriver {
        MemoryDriver { capabilities: capabilities(), shared: Arc::default() }
    }
}

impl Default for MemoryDriver {
    fn default() -> MemoryDriver {
        MemoryDriver::new()
    }
}

/// Gives rows to a sink.
fn give(rows: Vec<Row>, sink: &mut dyn RowSink) -> DBResult<()> {
    rows.into_iter().try_for_each(|mut row| sink.row(&mut Values::new(&mut row)))
}

fn fetch(state: &State, select: &Select, sink: &mut dyn RowSink, context: &Context) -> DBResult<()> {
    give(state.select(select, context)?, sink)
}

fn insert(state: &mut State, insert: &Insert, sink: &mut dyn RowSink, context: &Context) -> DBResult<u64> {
    let (written, returned) = state.insert(insert, context)?;
    give(returned, sink)?;
    Ok(written)
}

/// The rows of a stream: read at once, and handed out piece by piece.
struct Pieces {
    rows: std::vec::IntoIter<Row>,
    sink: Box<dyn RowSink>,
    context: Context,
}

impl Pieces {
    fn open<'a>(
        state: &State,
        select: &Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> DBResult<Box<dyn RowStream + 'a>> {
        let rows = state.select(select, &context)?.into_iter();
        Ok(Box::new(Pieces { rows, sink, context }))
    }

    fn piece(&mut self) -> DBResult<Option<Box<dyn RowSink>>> {
        self.context.check_time()?;
        let rows: Vec<Row> = self.rows.by_ref().take(self.context.batch.max(1)).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let mut piece = self.sink.fork();
        give(rows, &mut *piece)?;
        Ok(Some(piece))
    }
}

impl RowStream for Pieces {
    fn next<'a>(&'a mut self) -> Answer<'a, Option<Box<dyn RowSink>>> {
        Answer::ready(self.piece())
    }
}

impl Executor for MemoryDriver {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        Answer::ready(self.shared.open().and_then(|()| fetch(&self.shared.committed(), select, sink, context)))
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        let open = self.shared.open();
        Answer::ready(open.and_then(|()| Pieces::open(&self.shared.committed(), &select, sink, context)))
    }

    fn insert<'a>(
        &'a self,
        statement: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        Answer::later(self.shared.write(context, |state| insert(state, statement, sink, context)))
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        Answer::later(self.shared.write(context, |state| state.update(update, context)))
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        Answer::later(self.shared.write(context, |state| state.delete(delete, context)))
    }
}

#[async_trait]
impl Driver for MemoryDriver {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn begin(&self, begin: &Begin, context: &Context) -> DBResult<Box<dyn DriverTransaction>> {
        let turn = match begin.options.read_only {
            true => None,
            false => Some(self.shared.turn(context).await?),
        };
        let levels = Mutex::new(vec![State::clone(&self.shared.committed())]);
        Ok(Box::new(MemoryTransaction { shared: self.shared.clone(), levels, turn }))
    }

    fn schema(&self) -> &dyn SchemaDriver {
        self
    }

    fn explain(&self, statement: &Statement) -> DBResult<Explanation> {
        explain::explain(statement)
    }

    async fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        // Whoever writes comes to an end first.
        drop(self.shared.writing.lock().await);
    }
}

#[async_trait]
impl SchemaDriver for MemoryDriver {
    async fn create(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        self.shared.write(context, |state| state.create(schemas)).await
    }

    async fn drop(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        self.shared.write(context, |state| state.drop_tables(schemas)).await
    }
}

/// A transaction: the turn to write, and a state of its own that becomes everybody's by the commit.
struct MemoryTransaction {
    shared: Arc<Shared>,
    /// The state as each level sees it; never empty.
    levels: Mutex<Vec<State>>,
    /// None for one that only reads.
    turn: Option<OwnedMutexGuard<()>>,
}

impl MemoryTransaction {
    /// Runs something in the level that it belongs to. Levels beyond it were abandoned; those up to it begin with what is around them.
    fn run<T>(&self, context: &Context, work: impl FnOnce(&mut State) -> T) -> T {
        let mut levels = lock(&self.levels);
        let depth = context.level as usize + 1;
        levels.truncate(depth);
        let mut state = levels.pop().unwrap_or_default();
        while levels.len() + 1 < depth {
            levels.push(state.clone());
        }
        let result = work(&mut state);
        levels.push(state);
        result
    }

    fn write<'a, T>(&self, context: &Context, work: impl FnOnce(&mut State) -> DBResult<T>) -> Answer<'a, T> {
        Answer::ready(self.run(context, |state| {
            let mut changed = state.clone();
            let result = work(&mut changed);
            if result.is_ok() {
                *state = changed;
            }
            result
        }))
    }
}

impl Executor for MemoryTransaction {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        Answer::ready(self.run(context, |state| fetch(state, select, sink, context)))
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        let opened = self.run(&context.clone(), |state| Pieces::open(state, &select, sink, context));
        Answer::ready(opened)
    }

    fn insert<'a>(
        &'a self,
        statement: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        self.write(context, |state| insert(state, statement, sink, context))
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        self.write(context, |state| state.update(update, context))
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        self.write(context, |state| state.delete(delete, context))
    }
}

#[async_trait]
impl SchemaDriver for MemoryTransaction {
    async fn create(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        context.check_time()?;
        self.write(context, |state| state.create(schemas)).await
    }

    async fn drop(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        context.check_time()?;
        self.write(context, |state| state.drop_tables(schemas)).await
    }
}

#[async_trait]
impl DriverTransaction for MemoryTransaction {
    fn enter(&self, level: u32) {
        lock(&self.levels).truncate(level as usize);
    }

    fn schema(&self) -> Option<&dyn SchemaDriver> {
        Some(self)
    }

    async fn leave(&self, level: u32, end: LevelEnd, context: &Context) -> DBResult<()> {
        if end == LevelEnd::Keep {
            context.check_time()?;
        }
        let (mut levels, level) = (lock(&self.levels), level as usize);
        levels.truncate(level + 1);
        if levels.len() > level
            && let Some(state) = levels.pop()
            && end == LevelEnd::Keep
        {
            levels.pop();
            levels.push(state);
        }
        Ok(())
    }

    async fn commit(self: Box<Self>, context: &Context) -> DBResult<()> {
        context.check_time()?;
        if self.turn.is_some() {
            let committed = self.run(&Context::new(), |state| state.clone());
            *lock(&self.shared.committed) = Arc::new(committed);
        }
        Ok(())
    }

    async fn rollback(self: Box<Self>, _: &Context) -> DBResult<()> {
        Ok(())
    }
}
