//! A transaction: a connection that is kept until commit or rollback.
//!
//! BEGIN is sent with the first statement. The statements of one transaction take turns. One that is dropped is rolled back by a task,
//! at once, since its locks are held on the server; what it was doing is stopped before that. The connection counts as in use until
//! then, so that closing the pool waits for it.

use async_trait::async_trait;
use futures::TryFutureExt;
use ommi_core::ast::{Delete, Insert, Select, Update};
use ommi_core::driver::{
    Abandoned, Answer, Begin, Context, DriverTransaction, Executor, LevelEnd, RowSink, RowStream, SchemaDriver,
};
use ommi_core::{DBResult, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout_at;

use crate::error;
use crate::insert;
use crate::lease::{Lease, Work};
use crate::levels::Levels;
use crate::run::{Job, Run, prepare};
use crate::stream;

/// A transaction.
pub(crate) struct PostgresTransaction {
    state: Mutex<State>,
    abandoned: Abandoned,
    inner: std::sync::Arc<crate::driver::Inner>,
}

/// What the statements of a transaction share.
pub(crate) struct State {
    lease: Lease,
    levels: Levels,
}

impl PostgresTransaction {
    pub(crate) fn new(lease: Lease, begin: &Begin) -> PostgresTransaction {
        let inner = lease.inner.clone();
        let levels = Levels::new(&begin.options);
        let abandoned = levels.abandoned();
        PostgresTransaction { state: Mutex::new(State { lease, levels }), abandoned, inner }
    }

    /// The turn of a statement.
    pub(crate) async fn lock(&self, context: &Context) -> DBResult<MutexGuard<'_, State>> {
        let Some((deadline, given)) = context.limit else {
            return Ok(self.state.lock().await);
        };
        Handle::try_current().map_err(error::no_runtime)?;
        timeout_at(deadline.into(), self.state.lock())
            .await
            .map_err(|_| error::timed_out(given).with_detail("another statement of the transaction was still running"))
    }

    pub(crate) async fn run<T>(&self, context: &Context, work: impl Work<T>) -> DBResult<T> {
        self.lock(context).await?.run(context, work).await
    }
}

impl State {
    /// Runs something in the transaction, and begins it before that where it has not begun.
    pub(crate) async fn run<T>(&mut self, context: &Context, work: impl Work<T>) -> DBResult<T> {
        let State { lease, levels } = self;
        let level = context.level;
        let result = match context.limit {
            None => match levels.align(level, lease).await {
                Ok(()) => work.run(lease).await,
                Err(error) => Err(error),
            },
            Some(_) => Box::pin(lease.within(context, Aligned { levels: &mut *levels, level, work })).await,
        };
        // A row that could not be read is no failure of the database's.
        if let Err(error) = &result
            && !matches!(error.kind(), ErrorKind::Decode { .. })
        {
            levels.fail(level, error);
        }
        result
    }
}

/// Ends a level.
struct Leave<'l> {
    levels: &'l mut Levels,
    level: u32,
    end: LevelEnd,
}

impl Work<()> for Leave<'_> {
    async fn run(self, lease: &mut Lease) -> DBResult<()> {
        self.levels.leave(self.level, self.end, lease).await
    }
}

/// The end of a transaction. Once it is sent, only the server's answer tells what became of it.
struct Commit<'l>(&'l mut Levels);

impl Work<()> for Commit<'_> {
    async fn run(self, lease: &mut Lease) -> DBResult<()> {
        self.0.align(0, lease).await?;
        lease.commit().await.map_err(|error| match error.kind() {
            ErrorKind::Connection => error.with_unknown_outcome(),
            ErrorKind::TransactionAborted => error.with_detail("a statement in it failed whose answer nobody took"),
            _ => error,
        })
    }
}

/// Work that needs the transaction to have begun, and to stand at a level.
struct Aligned<'l, W> {
    levels: &'l mut Levels,
    level: u32,
    work: W,
}

impl<T, W: Work<T>> Work<T> for Aligned<'_, W> {
    async fn run(self, lease: &mut Lease) -> DBResult<T> {
        self.levels.align(self.level, lease).await?;
        self.work.run(lease).await
    }
}

impl Executor for PostgresTransaction {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        match prepare(&self.inner, Job::Select(select)) {
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
        Answer::ready(stream::on_transaction(self, &self.inner, select, sink, context))
    }

    fn insert<'a>(
        &'a self,
        insert: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        match insert::ready(&self.inner, insert, sink, context) {
            Ok(add) => Answer::later(self.run(context, add)),
            Err(error) => Answer::ready(Err(error)),
        }
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        match prepare(&self.inner, Job::Update(update)) {
            Ok(ready) => Answer::later(self.run(context, Run { ready, sink: None, context })),
            Err(error) => Answer::ready(Err(error)),
        }
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        match prepare(&self.inner, Job::Delete(delete)) {
            Ok(ready) => Answer::later(self.run(context, Run { ready, sink: None, context })),
            Err(error) => Answer::ready(Err(error)),
        }
    }
}

#[async_trait]
impl DriverTransaction for PostgresTransaction {
    fn enter(&self, level: u32) {
        self.abandoned.enter(level);
    }

    fn schema(&self) -> Option<&dyn SchemaDriver> {
        Some(self)
    }

    async fn leave(&self, level: u32, end: LevelEnd, context: &Context) -> DBResult<()> {
        let mut state = self.lock(context).await?;
        let State { lease, levels } = &mut *state;
        lease.within(context, Leave { levels, level, end }).await
    }

    async fn commit(self: Box<Self>, context: &Context) -> DBResult<()> {
        let State { mut lease, mut levels } = self.state.into_inner();
        if !lease.begun {
            return Ok(());
        }
        let result = lease.within(context, Commit(&mut levels)).await;
        match result {
            Err(error) if lease.waits() => Err(error.with_unknown_outcome()),
            result => result,
        }
    }

    async fn rollback(self: Box<Self>, context: &Context) -> DBResult<()> {
        let mut lease = self.state.into_inner().lease;
        match context.limit {
            None => lease.roll_back().await,
            // What is given up here is rolled back with the lease.
            Some((deadline, given)) => {
                Handle::try_current().map_err(error::no_runtime)?;
                timeout_at(deadline.into(), lease.roll_back()).await.unwrap_or_else(|_| Err(error::timed_out(given)))
            }
        }
    }
}
