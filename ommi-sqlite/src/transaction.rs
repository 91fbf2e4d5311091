//! A transaction: the writing connection, kept until commit or rollback.
//!
//! `BEGIN IMMEDIATE` is sent with the first statement. A deferred transaction that reads and then writes would fail at once when
//! somebody else has written in between, whatever the timeout. Statements of one transaction take turns; one that runs on a blocking
//! thread takes the turn along. The last holder to go rolls back what was not committed, and gives the connection back.
//!
//! One that only reads has a connection that reads, and `BEGIN DEFERRED`: it sees one moment, waits for nobody, and keeps nobody waiting.
//! Levels within a transaction are savepoints.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ommi_core::ast::{Delete, Insert, Select, Update};
use ommi_core::driver::{
    Abandoned, Answer, Begin, Context, DriverTransaction, Executor, LevelEnd, RowSink, RowStream, SchemaDriver,
};
use ommi_core::{DBError, DBResult, ErrorKind};
use tokio::runtime::Handle;

use crate::connection::Connection;
use crate::control::{Control, Level};
use crate::insert;
use crate::pool::{Lease, closed, no_runtime};
use crate::run::{self, Halt, Task};
use crate::stream;
use crate::turns::{Turn, Turns};
use crate::work::{self, Add, Fetch, Hold, Patience, Source};

/// A transaction.
#[derive(Debug)]
pub(crate) struct SqliteTransaction {
    state: Arc<Turns<Box<State>>>,
    busy_timeout: Duration,
    abandoned: Abandoned,
}

#[derive(Debug)]
struct State {
    lease: Lease,
    read_only: bool,
    begun: bool,
    /// How many savepoints are open.
    savepoints: u32,
    abandoned: Abandoned,
    /// What made SQLite roll back by itself: an interrupted write, or a full disk.
    first_error: Option<DBError>,
    /// Something of it ran on a blocking thread, so that committing it may take long too.
    heavy: bool,
}

/// A statement's turn in a transaction.
pub(crate) struct Guard(Turn<Box<State>>);

impl SqliteTransaction {
    pub(crate) fn try_lock(&self) -> Option<Guard> {
        self.state.try_take().map(Guard)
    }

    /// Runs something in place, if nobody has the turn.
    pub(crate) fn try_run<T>(
        &self,
        task: &Task,
        run: impl FnOnce(&mut Connection) -> Result<T, Halt>,
    ) -> Option<Result<T, Halt>> {
        self.state.try_use(|state| state.run(task, run))
    }

    pub(crate) async fn lock(&self, context: &Context) -> DBResult<Guard> {
        // Where nobody has the turn there is nothing to wait for, and so no need of a runtime.
        if let Some(guard) = self.try_lock() {
            return Ok(guard);
        }
        let turn = self.state.take();
        let turn = match context.limit {
            None => turn.await,
            Some((deadline, given)) => {
                Handle::try_current().map_err(no_runtime)?;
                tokio::time::timeout_at(deadline.into(), turn).await.map_err(|_| {
                    DBError::timeout(given).with_detail("another statement of the transaction was still running")
                })?
            }
        };
        turn.map(Guard).ok_or_else(closed)
    }

    pub(crate) fn busy_timeout(&self) -> Duration {
        self.busy_timeout
    }
}

impl Guard {
    /// Runs something in the transaction, and begins it before that where it has not begun.
    pub(crate) fn run<T>(
        &mut self,
        task: &Task,
        run: impl FnOnce(&mut Connection) -> Result<T, Halt>,
    ) -> Result<T, Halt> {
        self.state()?.run(task, run)
    }

    fn state(&mut self) -> DBResult<&mut State> {
        self.0.get().map(|state| &mut **state).ok_or_else(closed)
    }

    pub(crate) fn connection(&mut self) -> DBResult<&mut Connection> {
        self.state()?.lease.connection()
    }

    /// Does something about the transaction itself.
    fn act(&mut self, act: Act, task: &Task) -> Result<(), Halt> {
        let state = self.state()?;
        state.usable()?;
        state.act(act, task).map_err(|halt| state.failed(halt))
    }
}

/// What is done about a transaction itself.
#[derive(Debug, Clone, Copy)]
enum Act {
    Begin,
    Leave(u32, LevelEnd),
    Commit,
}

impl State {
    #[inline]
    fn run<T>(&mut self, task: &Task, run: impl FnOnce(&mut Connection) -> Result<T, Halt>) -> Result<T, Halt> {
        self.usable()?;
        self.heavy |= !task.here;
        let result = match self.align(task) {
            Ok(()) => run(self.lease.connection()?),
            Err(halt) => Err(halt),
        };
        result.map_err(|halt| self.failed(halt))
    }

    fn usable(&self) -> Result<(), Halt> {
        match &self.first_error {
            Some(first) => Err(Halt::Failed(DBError::new(ErrorKind::TransactionAborted).with_source(first.clone()))),
            None => Ok(()),
        }
    }

    /// Looks whether SQLite has rolled back by itself, after something failed: what came next would not be in a transaction.
    #[cold]
    fn failed(&mut self, halt: Halt) -> Halt {
        let connection = match self.lease.connection() {
            Ok(connection) => connection,
            Err(closed) => return Halt::Failed(closed),
        };
        if self.begun && self.first_error.is_none() && connection.sqlite.is_autocommit() {
            self.first_error = Some(match &halt {
                Halt::Failed(error) => error.clone(),
                _ => DBError::new(ErrorKind::Database).with_detail("SQLite has ended the transaction"),
            });
        }
        halt
    }

    fn act(&mut self, act: Act, task: &Task) -> Result<(), Halt> {
        match act {
            Act::Begin => self.begin(task),
            _ if !self.begun => Ok(()),
            Act::Leave(level, _) if self.savepoints < level => Ok(()),
            _ if task.here && self.heavy => Err(Halt::Move),
            Act::Leave(level, LevelEnd::Undo) => self.undo(level, task),
            Act::Leave(level, LevelEnd::Keep) => {
                self.align(&Task { level, ..*task })?;
                self.release(level, task)
            }
            Act::Commit => {
                self.align(&Task { level: 0, ..*task })?;
                let connection = self.lease.connection()?;
                if task.here && connection.commits_wait {
                    return Err(Halt::Move);
                }
                control(connection, Control::Commit, task)
            }
        }
    }

    fn begin(&mut self, task: &Task) -> Result<(), Halt> {
        if !self.begun {
            let begin = if self.read_only { Control::BeginReading } else { Control::BeginWriting };
            control(self.lease.connection()?, begin, task)?;
            self.begun = true;
        }
        Ok(())
    }

    /// Begins where it has not begun, undoes the levels beyond the task's, which were abandoned, and opens those up to it.
    fn align(&mut self, task: &Task) -> Result<(), Halt> {
        let kept = self.abandoned.keep(task.level);
        // What was dropped before it began to run here may belong to a level that has been abandoned since.
        if !task.here && self.lease.connection()?.watch.is_cancelled() {
            return Err(Halt::Failed(DBError::timeout(Duration::ZERO).with_detail("it was cancelled")));
        }
        self.begin(task)?;
        if self.savepoints > kept.level {
            self.undo(kept.level + 1, task)?;
        }
        self.abandoned.settle(kept);
        while self.savepoints < task.level {
            let level = Level::Transaction(self.savepoints + 1);
            control(self.lease.connection()?, Control::Open(level), task)?;
            self.savepoints += 1;
        }
        Ok(())
    }

    /// Undoes a level and those in it.
    fn undo(&mut self, level: u32, task: &Task) -> Result<(), Halt> {
        control(self.lease.connection()?, Control::Undo(Level::Transaction(level)), task)?;
        self.release(level, task)
    }

    /// Makes a level, and those in it, part of the one around it.
    fn release(&mut self, level: u32, task: &Task) -> Result<(), Halt> {
        control(self.lease.connection()?, Control::Release(Level::Transaction(level)), task)?;
        self.savepoints = level.saturating_sub(1);
        Ok(())
    }
}

/// Runs a statement about the transaction itself.
fn control(connection: &mut Connection, control: Control, task: &Task) -> Result<(), Halt> {
    run::start(&connection.watch, task, false)?;
    connection.control(control)
}

impl SqliteTransaction {
    /// On this connection. It begins when something is first done in it, unless that is asked for at once.
    pub(crate) async fn begin(
        lease: Lease,
        busy_timeout: Duration,
        begin: &Begin,
        context: &Context,
    ) -> DBResult<SqliteTransaction> {
        let abandoned = Abandoned::default();
        let state = State {
            lease,
            read_only: begin.options.read_only,
            begun: false,
            savepoints: 0,
            abandoned: abandoned.clone(),
            first_error: None,
            heavy: false,
        };
        let transaction = SqliteTransaction { state: Arc::new(Turns::new(Box::new(state))), busy_timeout, abandoned };
        if begin.options.immediate {
            Box::pin(transaction.act(Act::Begin, context)).await?;
        }
        Ok(transaction)
    }

    /// Does something about the transaction itself: in place, or on a thread where it may take long.
    async fn act(&self, act: Act, context: &Context) -> DBResult<()> {
        let mut guard = self.lock(context).await?;
        let task = Task::here(context);
        match guard.act(act, &task) {
            Ok(()) => Ok(()),
            // What could not be committed is rolled back with the guard's last holder.
            Err(Halt::Failed(error)) => Err(error),
            // Boxed: it happens seldom, and the future that would have room for it is moved about with every transaction.
            Err(halt) => Box::pin(self.act_on(act, guard, halt, task, context)).await,
        }
    }

    /// Goes on with what could not be done at once.
    async fn act_on(
        &self,
        act: Act,
        mut guard: Guard,
        mut halt: Halt,
        mut task: Task,
        context: &Context,
    ) -> DBResult<()> {
        let mut patience = Patience::new(context, self.busy_timeout);
        loop {
            match halt {
                Halt::Failed(error) => return Err(error),
                Halt::Move => task = task.on_thread(),
                Halt::Busy(error) => patience.wait(*error).await?,
            }
            // Outside of a runtime there is no other thread, and nobody else to keep waiting.
            let result = if task.here || Handle::try_current().is_err() {
                guard.connection()?.watch.next_run();
                guard.act(act, &task)
            } else {
                let hold = Hold::Transaction(guard);
                let (back, (), result) = work::on_thread(hold, (), move |hold, ()| match hold {
                    Hold::Transaction(guard) => guard.act(act, &task),
                    Hold::Lease(_) => Ok(()),
                })
                .await?;
                match back {
                    Hold::Transaction(back) => guard = back,
                    Hold::Lease(_) => return result.map_err(|_| DBError::new(ErrorKind::TransactionAborted)),
                }
                result
            };
            match result {
                Ok(()) => return Ok(()),
                Err(other) => halt = other,
            }
        }
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source::Transaction(self)
    }
}

impl Executor for SqliteTransaction {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        work::start(self.source(), Fetch { select, sink }, context)
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        stream::start(self.source(), select, sink, context)
    }

    fn insert<'a>(
        &'a self,
        insert: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        work::start(self.source(), Add { insert, sink }, context)
    }

    fn insert_now(&self, insert: &Insert, context: &Context) -> Option<DBResult<i64>> {
        work::now(self.source(), context, |connection, task| insert::one_row(connection, insert, task, false))
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        work::start(self.source(), update, context)
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        work::start(self.source(), delete, context)
    }
}

#[async_trait]
impl DriverTransaction for SqliteTransaction {
    fn enter(&self, level: u32) {
        self.abandoned.enter(level);
    }

    fn schema(&self) -> Option<&dyn SchemaDriver> {
        Some(self)
    }

    async fn leave(&self, level: u32, end: LevelEnd, context: &Context) -> DBResult<()> {
        self.act(Act::Leave(level, end), context).await
    }

    async fn commit(self: Box<Self>, context: &Context) -> DBResult<()> {
        self.act(Act::Commit, context).await
    }

    async fn rollback(self: Box<Self>, context: &Context) -> DBResult<()> {
        // The turn is waited for, so that the connection is free when this returns. Past the limit, whoever has the turn rolls back.
        let mut guard = self.lock(context).await?;
        guard.connection()?.roll_back();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ommi_core::driver::Driver;
    use ommi_core::schema::{ColumnBuilder, ColumnList, ModelSchema, SchemaRef};
    use ommi_core::value::{ColumnType, Value};

    use super::*;
    use crate::{SqliteDriver, SqliteOptions};

    struct Nobody;

    impl RowSink for Nobody {
        fn row(&mut self, _: &mut dyn ommi_core::driver::Row) -> DBResult<()> {
            Ok(())
        }

        fn clear(&mut self) {}

        fn len(&self) -> usize {
            0
        }

        fn fork(&self) -> Box<dyn RowSink> {
            Box::new(Nobody)
        }

        fn absorb(&mut self, _: Box<dyn RowSink>) {}

        fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
            self
        }
    }

    /// What was run since this was asked for last: statements of the application, and of the transaction itself.
    struct Count<'d>(&'d SqliteDriver, (i32, i32));

    impl Count<'_> {
        fn since(&mut self) -> (i32, i32) {
            let now = self.0.writer.try_take().unwrap().connection().unwrap().sqlite.runs();
            let before = std::mem::replace(&mut self.1, now);
            (now.0 - before.0, now.1 - before.1)
        }
    }

    async fn write(tx: &dyn DriverTransaction, model: &SchemaRef, level: u32) {
        let mut context = Context::new();
        context.level = level;
        let columns = ColumnList::all(model);
        // SQLite counts the key then.
        let values = vec![Value::Null];
        tx.insert(&mut Insert::new(model.clone(), columns, values, 1), &mut Nobody, &context).await.unwrap();
    }

    #[tokio::test]
    async fn what_a_transaction_costs_beside_its_statements() {
        let driver = SqliteOptions::memory().connect().await.unwrap();
        let id = ColumnBuilder::new("id", ColumnType::I64).key();
        let model = SchemaRef::from(Arc::new(ModelSchema::builder("T", "t").column(id).build().unwrap()));
        driver.schema().create(std::slice::from_ref(&model), &Context::new()).await.unwrap();
        let (context, mut inner) = (Context::new(), Context::new());
        inner.level = 1;
        let mut count = Count(&driver, (0, 0));
        count.since();
        let begin = || async { driver.begin(&Begin::default(), &Context::new()).await.unwrap() };

        // Nothing is sent before the first statement, and nothing without one.
        begin().await.commit(&context).await.unwrap();
        begin().await.rollback(&context).await.unwrap();
        drop(begin().await);
        let tx = begin().await;
        tx.enter(1);
        tx.leave(1, LevelEnd::Keep, &inner).await.unwrap();
        tx.commit(&context).await.unwrap();
        assert_eq!(count.since(), (0, 0));

        let tx = begin().await;
        write(&*tx, &model, 0).await;
        tx.commit(&context).await.unwrap();
        assert_eq!(count.since(), (1, 2), "begin and commit");

        for (end, expected) in [(LevelEnd::Keep, 4), (LevelEnd::Undo, 5)] {
            let tx = begin().await;
            write(&*tx, &model, 0).await;
            tx.enter(1);
            write(&*tx, &model, 1).await;
            write(&*tx, &model, 1).await;
            tx.leave(1, end, &inner).await.unwrap();
            write(&*tx, &model, 0).await;
            tx.commit(&context).await.unwrap();
            assert_eq!(count.since(), (4, expected), "a savepoint, and what ends it: {end:?}");
        }
    }
}
