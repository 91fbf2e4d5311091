//! A transaction: the writing connection, kept until commit or rollback.
//!
//! `BEGIN IMMEDIATE` is sent with the first statement. A deferred transaction that reads and then writes would fail at once when
//! somebody else has written in between, whatever the timeout. Statements of one transaction take turns; one that runs on a blocking
//! thread takes the turn along. The last holder to go rolls back what was not committed, and gives the connection back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ommi_core::ast::{Delete, Insert, Select, Update};
use ommi_core::driver::{Answer, Context, DriverTransaction, Executor, RowSink, RowStream};
use ommi_core::{DBError, DBResult, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::connection::Connection;
use crate::error;
use crate::pool::{Lease, no_runtime};
use crate::run::{self, Halt, Task};
use crate::stream;
use crate::work::{self, Add, Fetch, Hold, Patience, Source};

/// A transaction.
#[derive(Debug)]
pub(crate) struct SqliteTransaction {
    shared: Arc<Shared>,
}

/// What the statements of a transaction share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Arc<Mutex<State>>,
    busy_timeout: Duration,
}

#[derive(Debug)]
struct State {
    lease: Lease,
    begun: bool,
    /// SQLite has rolled back by itself: after an interrupted write, or when the disk is full.
    aborted: bool,
    /// Something of it ran on a blocking thread, so that committing it may take long too.
    heavy: bool,
}

/// A statement's turn in a transaction.
pub(crate) struct Guard(OwnedMutexGuard<State>);

impl Shared {
    pub(crate) fn try_lock(&self) -> Option<Guard> {
        self.state.clone().try_lock_owned().ok().map(Guard)
    }

    pub(crate) async fn lock(&self, context: &Context) -> DBResult<Guard> {
        let lock = self.state.clone().lock_owned();
        match context.limit {
            None => Ok(Guard(lock.await)),
            Some((deadline, given)) => {
                Handle::try_current().map_err(no_runtime)?;
                match tokio::time::timeout_at(deadline.into(), lock).await {
                    Ok(guard) => Ok(Guard(guard)),
                    Err(_) => {
                        Err(DBError::timeout(given)
                            .with_detail("another statement of the transaction was still running"))
                    }
                }
            }
        }
    }

    pub(crate) fn busy_timeout(&self) -> Duration {
        self.busy_timeout
    }
}

impl Guard {
    /// Runs something in the transaction, and begins it before that where it has not begun.
    pub(crate) fn run<T>(
        &mut self,
        task: Task,
        run: impl FnOnce(&mut Connection) -> Result<T, Halt>,
    ) -> Result<T, Halt> {
        let state = &mut *self.0;
        if state.aborted {
            return Err(Halt::Failed(DBError::new(ErrorKind::TransactionAborted)));
        }
        state.heavy |= !task.here;
        let connection = state.lease.connection()?;
        if !state.begun {
            control(connection, "BEGIN IMMEDIATE", task)?;
            state.begun = true;
        }
        let result = run(connection);
        state.aborted = connection.sqlite.is_autocommit();
        result
    }

    pub(crate) fn connection(&mut self) -> DBResult<&mut Connection> {
        self.0.lease.connection()
    }

    fn end(&mut self, sql: &str, task: Task) -> Result<(), Halt> {
        let state = &mut *self.0;
        if state.aborted {
            return Err(Halt::Failed(DBError::new(ErrorKind::TransactionAborted)));
        }
        if !state.begun {
            return Ok(());
        }
        let connection = state.lease.connection()?;
        if task.here && (state.heavy || connection.commits_wait) {
            return Err(Halt::Move);
        }
        control(connection, sql, task)
    }
}

/// Runs BEGIN, COMMIT or ROLLBACK.
fn control(connection: &Connection, sql: &str, task: Task) -> Result<(), Halt> {
    run::start(&connection.watch, task, false)?;
    // SQLite looks whether it is to stop before it commits, not after.
    let failed = |failure| match task.limit {
        _ if error::is_busy(&failure) => Halt::Busy(failure),
        Some((_, given)) if error::is_interrupt(&failure) => Halt::Failed(DBError::timeout(given).with_source(failure)),
        _ => Halt::Failed(error::general(failure)),
    };
    let mut statement = connection.sqlite.prepare_cached(sql).map_err(failed)?;
    statement.raw_execute().map(drop).map_err(failed)
}

impl SqliteTransaction {
    pub(crate) fn new(lease: Lease, busy_timeout: Duration) -> SqliteTransaction {
        let state = State { lease, begun: false, aborted: false, heavy: false };
        SqliteTransaction { shared: Arc::new(Shared { state: Arc::new(Mutex::new(state)), busy_timeout }) }
    }

    fn source(&self) -> Source<'_> {
        Source::Transaction(&self.shared)
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

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        work::start(self.source(), update, context)
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        work::start(self.source(), delete, context)
    }
}

#[async_trait]
impl DriverTransaction for SqliteTransaction {
    async fn commit(self: Box<Self>, context: &Context) -> DBResult<()> {
        let mut guard = self.shared.lock(context).await?;
        let mut task = Task::here(context);
        let mut patience = Patience::new(context, self.shared.busy_timeout);
        loop {
            let result = if task.here {
                guard.end("COMMIT", task)
            } else {
                let hold = Hold::Transaction(guard);
                let (back, (), result) = work::on_thread(hold, (), move |hold, ()| match hold {
                    Hold::Transaction(guard) => guard.end("COMMIT", task),
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
                // What could not be committed is rolled back with the guard's last holder.
                Ok(()) => return Ok(()),
                Err(Halt::Failed(error)) => return Err(error),
                Err(Halt::Move) => task = task.on_thread(),
                Err(Halt::Busy(error)) => patience.wait(error).await?,
            }
        }
    }

    async fn rollback(self: Box<Self>, context: &Context) -> DBResult<()> {
        // The turn is waited for, so that the connection is free when this returns. Past the limit, whoever has the turn rolls back.
        let mut guard = self.shared.lock(context).await?;
        guard.0.lease.connection()?.roll_back();
        Ok(())
    }
}
