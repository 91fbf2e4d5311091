//! Where a statement runs, and what it waits for.
//!
//! A statement takes less time than a hop to another thread and back, mostly. So it runs in place, on the thread of the
//! task that asked for it, when a connection is free and the task has not used up its turn; the answer is ready then, without a box.
//! Else a future takes it through what is missing:
//!
//! ```text
//!   turn over ──▶ yields          no connection ──▶ waits in line        takes long ──▶ a blocking thread
//!                                 locked by another process ──▶ tries again, at growing intervals
//! ```

use std::sync::Arc;
use std::task::{self, Poll};
use std::time::{Duration, Instant};

use ommi_core::ast::{Delete, Insert, Select, Update};
use ommi_core::driver::{Answer, Context, RowSink};
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult, ErrorKind};
use tokio::runtime::Handle;
use tokio::task::coop;

use crate::connection::Connection;
use crate::error;
use crate::insert;
use crate::pool::{Lease, Pool, no_runtime, sooner};
use crate::run::{self, Halt, Task};
use crate::transaction::{Guard, SqliteTransaction};
use crate::watch::Watch;

/// A statement on its way.
pub(crate) trait Work: Send {
    type Output: Send + 'static;
    /// What of it goes to another thread.
    type Cargo: Cargo<Output = Self::Output>;

    /// Runs in place.
    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<Self::Output, Halt>;

    /// What is carried away.
    fn pack(&mut self) -> Self::Cargo;

    /// Takes back what was carried away.
    fn unpack(&mut self, cargo: Self::Cargo);
}

/// What of a statement goes to another thread.
pub(crate) trait Cargo: Send + 'static {
    type Output;

    /// Runs there.
    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<Self::Output, Halt>;
}

/// Where connections come from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Pool(&'a Arc<Pool>, Duration),
    Transaction(&'a SqliteTransaction),
}

/// A connection to run on: any one of a pool, or that of a transaction.
pub(crate) enum Hold {
    Lease(Lease),
    Transaction(Guard),
}

impl Source<'_> {
    pub(crate) async fn hold(self, context: &Context) -> DBResult<Hold> {
        match self {
            Source::Pool(pool, _) => pool.take(context).await.map(Hold::Lease),
            Source::Transaction(transaction) => transaction.lock(context).await.map(Hold::Transaction),
        }
    }

    pub(crate) fn busy_timeout(self) -> Duration {
        match self {
            Source::Pool(_, busy_timeout) => busy_timeout,
            Source::Transaction(transaction) => transaction.busy_timeout(),
        }
    }
}

impl Hold {
    /// Runs something on the connection.
    pub(crate) fn with<T>(
        &mut self,
        task: &Task,
        run: impl FnOnce(&mut Connection) -> Result<T, Halt>,
    ) -> Result<T, Halt> {
        match self {
            Hold::Lease(lease) => run(lease.connection()?),
            Hold::Transaction(guard) => guard.run(task, run),
        }
    }

    /// The connection, as it is.
    pub(crate) fn connection(&mut self) -> DBResult<&mut Connection> {
        match self {
            Hold::Lease(lease) => lease.connection(),
            Hold::Transaction(guard) => guard.connection(),
        }
    }
}

/// Runs a statement: at once and in place where that is possible, else in the future it gives.
pub(crate) fn start<'a, W: Work + 'a>(source: Source<'a>, mut work: W, context: &'a Context) -> Answer<'a, W::Output> {
    if !has_turn() {
        return Answer::later(async move {
            coop::consume_budget().await;
            let hold = source.hold(context).await?;
            drive(source, hold, None, work, context).await
        });
    }
    let task = Task::here(context);
    let run = |connection: &mut Connection| work.run(connection, &task);
    let (hold, result) = match source {
        Source::Pool(pool, _) => {
            let mut hold = pool.try_take().map(Hold::Lease);
            let result = hold.as_mut().map(|hold| hold.with(&task, run));
            (hold, result)
        }
        // Lent: only what goes on elsewhere takes the turn along.
        Source::Transaction(transaction) => (None, transaction.try_run(&task, run)),
    };
    let halt = match result {
        Some(Ok(output)) => return Answer::ready(Ok(output)),
        Some(Err(Halt::Failed(error))) => return Answer::ready(Err(error)),
        Some(Err(halt)) => Some(halt),
        None => None,
    };
    Answer::later(async move {
        let hold = match hold {
            Some(hold) => hold,
            None => source.hold(context).await?,
        };
        drive(source, hold, halt, work, context).await
    })
}

/// Runs something at once and in place, if that is possible.
pub(crate) fn now<T>(
    source: Source<'_>,
    context: &Context,
    run: impl FnOnce(&mut Connection, &Task) -> Result<T, Halt>,
) -> Option<DBResult<T>> {
    if !has_turn() {
        return None;
    }
    let task = Task::here(context);
    let run = |connection: &mut Connection| run(connection, &task);
    let result = match source {
        Source::Pool(pool, _) => Hold::Lease(pool.try_take()?).with(&task, run),
        Source::Transaction(transaction) => transaction.try_run(&task, run)?,
    };
    match result {
        Ok(output) => Some(Ok(output)),
        Err(Halt::Failed(error)) => Some(Err(error)),
        Err(Halt::Move | Halt::Busy(_)) => None,
    }
}

/// Whether the task may go on in place. It is asked to yield after so many operations, as with any of Tokio's own, so that a loop of
/// short statements lets others run. Outside of a runtime nobody asks.
fn has_turn() -> bool {
    let mut context = task::Context::from_waker(task::Waker::noop());
    match coop::poll_proceed(&mut context) {
        Poll::Ready(turn) => {
            turn.made_progress();
            true
        }
        Poll::Pending => false,
    }
}

/// Takes a statement to its end.
async fn drive<W: Work>(
    source: Source<'_>,
    mut hold: Hold,
    mut halt: Option<Halt>,
    mut work: W,
    context: &Context,
) -> DBResult<W::Output> {
    let mut task = Task::here(context);
    let mut patience = Patience::new(context, source.busy_timeout());
    loop {
        match halt.take() {
            None => {}
            Some(Halt::Move) => task = task.on_thread(),
            Some(Halt::Busy(error)) => patience.wait(*error).await?,
            Some(Halt::Failed(error)) => return Err(error),
        }
        // Outside of a runtime there is no other thread, and nobody else to keep waiting.
        let result = if task.here || Handle::try_current().is_err() {
            hold.connection()?.watch.next_run();
            hold.with(&task, |connection| work.run(connection, &task))
        } else {
            let cargo = work.pack();
            let (back, cargo, result) =
                on_thread(hold, cargo, move |hold, cargo| hold.with(&task, |connection| cargo.run(connection, &task)))
                    .await?;
            hold = back;
            work.unpack(cargo);
            result
        };
        match result {
            Ok(output) => return Ok(output),
            // On a thread nothing asks to move; taken as a failure so that it cannot go round.
            Err(Halt::Move) if !task.here => {
                return Err(DBError::new(ErrorKind::Database).with_detail("a statement found no place to run"));
            }
            Err(other) => halt = Some(other),
        }
    }
}

/// Runs something on a blocking thread, which has the connection meanwhile. When this future is dropped, the statement is
/// stopped soon, and the connection goes back from there.
pub(crate) async fn on_thread<C: Send + 'static, T: Send + 'static>(
    mut hold: Hold,
    mut cargo: C,
    run: impl FnOnce(&mut Hold, &mut C) -> Result<T, Halt> + Send + 'static,
) -> DBResult<(Hold, C, Result<T, Halt>)> {
    let runtime = Handle::try_current().map_err(no_runtime)?;
    let mut ticket = Ticket::new(hold.connection()?.watch.clone());
    let joined = runtime
        .spawn_blocking(move || {
            let result = run(&mut hold, &mut cargo);
            (hold, cargo, result)
        })
        .await;
    ticket.done();
    match joined {
        Ok(back) => Ok(back),
        // A panic in the decoding of a field is the application's own: it goes on where it would have been raised.
        Err(failure) if failure.is_panic() => std::panic::resume_unwind(failure.into_panic()),
        Err(failure) => Err(DBError::new(ErrorKind::Connection)
            .with_detail("the runtime shut down while the statement ran")
            .with_source(failure)),
    }
}

/// Stops a statement when nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct Ticket {
    watch: Arc<Watch>,
    run: Option<u64>,
}

impl Ticket {
    pub(crate) fn new(watch: Arc<Watch>) -> Ticket {
        let run = Some(watch.next_run());
        Ticket { watch, run }
    }

    /// It has ended by itself.
    pub(crate) fn done(&mut self) {
        self.run = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(run) = self.run {
            self.watch.cancel(run);
        }
    }
}

/// The wait for a lock that another process holds: at growing intervals, as SQLite's own, but not on a thread.
pub(crate) struct Patience {
    context: Context,
    limit: Duration,
    /// When the wait began to be too long, known once it has begun.
    until: Option<(Instant, Duration)>,
    tries: usize,
}

const INTERVALS: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];

impl Patience {
    pub(crate) fn new(context: &Context, limit: Duration) -> Patience {
        Patience { context: context.clone(), limit, until: None, tries: 0 }
    }

    /// How long to wait before the next try.
    pub(crate) fn next(&mut self, error: rusqlite::Error) -> DBResult<Duration> {
        let (until, limit) = *self.until.get_or_insert_with(|| sooner(&self.context, self.limit));
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let locked = error::locked(error, limit);
            // Whoever gave the operation its time does not want it to begin anew.
            let gave_up = self.context.limit.is_some_and(|(deadline, _)| deadline <= until);
            return Err(if gave_up { locked } else { locked.retryable() });
        }
        let interval = INTERVALS.get(self.tries).or(INTERVALS.last()).copied().unwrap_or(100);
        self.tries += 1;
        Ok(Duration::from_millis(interval).min(left))
    }

    pub(crate) async fn wait(&mut self, error: rusqlite::Error) -> DBResult<()> {
        Handle::try_current().map_err(no_runtime)?;
        let interval = self.next(error)?;
        tokio::time::sleep(interval).await;
        Ok(())
    }
}

pub(crate) struct Fetch<'a> {
    pub(crate) select: &'a Select,
    pub(crate) sink: &'a mut dyn RowSink,
}

impl Work for Fetch<'_> {
    type Output = ();
    type Cargo = (Select, Box<dyn RowSink>);

    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<(), Halt> {
        run::fetch(connection, self.select, &mut *self.sink, task)
    }

    fn pack(&mut self) -> Self::Cargo {
        (self.select.clone(), self.sink.fork())
    }

    fn unpack(&mut self, (_, rows): Self::Cargo) {
        self.sink.absorb(rows);
    }
}

impl Cargo for (Select, Box<dyn RowSink>) {
    type Output = ();

    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<(), Halt> {
        run::fetch(connection, &self.0, &mut *self.1, task)
    }
}

pub(crate) struct Add<'a> {
    pub(crate) insert: &'a mut Insert,
    pub(crate) sink: &'a mut dyn RowSink,
}

impl Work for Add<'_> {
    type Output = u64;
    type Cargo = (Insert, Box<dyn RowSink>);

    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<u64, Halt> {
        insert::insert(connection, self.insert, self.sink, task)
    }

    /// The values are taken along, not copied.
    fn pack(&mut self) -> Self::Cargo {
        let values: Vec<Value<'static>> = std::mem::take(&mut self.insert.values);
        let mut insert = self.insert.clone();
        insert.values = values;
        (insert, self.sink.fork())
    }

    fn unpack(&mut self, (insert, rows): Self::Cargo) {
        self.insert.values = insert.values;
        self.sink.absorb(rows);
    }
}

impl Cargo for (Insert, Box<dyn RowSink>) {
    type Output = u64;

    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<u64, Halt> {
        insert::insert(connection, &mut self.0, &mut *self.1, task)
    }
}

impl Work for &Update {
    type Output = u64;
    type Cargo = Update;

    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<u64, Halt> {
        run::update(connection, self, task)
    }

    fn pack(&mut self) -> Update {
        self.clone()
    }

    fn unpack(&mut self, _: Update) {}
}

impl Cargo for Update {
    type Output = u64;

    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<u64, Halt> {
        run::update(connection, self, task)
    }
}

impl Work for &Delete {
    type Output = u64;
    type Cargo = Delete;

    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<u64, Halt> {
        run::delete(connection, self, task)
    }

    fn pack(&mut self) -> Delete {
        self.clone()
    }

    fn unpack(&mut self, _: Delete) {}
}

impl Cargo for Delete {
    type Output = u64;

    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<u64, Halt> {
        run::delete(connection, self, task)
    }
}
