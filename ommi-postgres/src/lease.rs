//! A connection of the pool while it is in use: what must happen to it whatever becomes of its user, and how its work is stopped.
//!
//! A statement is stopped with a cancel request from a second connection, by the number of the server's process. It costs nothing as
//! long as nobody runs out of time, leaves no setting behind, and a statement that ended first is not harmed; `SET statement_timeout`
//! would be two round trips for each statement. The number comes with BEGIN in a transaction, and is asked for where a statement of
//! its own has a deadline, and before a stream; it is remembered while the connection is kept at hand, but for one behind a pooler.
//!
//! Whatever every statement may come to is a part of its future, and a future is moved as a whole when it is put into its box. So what happens
//! seldom and is large, above all opening a connection, is boxed where it happens.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use ommi_core::driver::Context;
use ommi_core::{DBError, DBResult, ErrorKind};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection as _, Either, Executor as _, PgConnection, PgPool, Postgres, Row as _};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{timeout, timeout_at};

use crate::driver::Inner;
use crate::error;
use crate::warm::{Idle, MOMENT, Warm};

/// How long a cancel request may take to arrive.
const GRACE: Duration = Duration::from_secs(5);

/// How long a cancelled statement may take to end, in milliseconds, until it is cancelled once more: a request that overtakes its
/// statement finds the server idle, and is ignored. What takes longer in the end loses its connection.
const PATIENCE: [u64; 6] = [100, 200, 400, 800, 1_600, 3_200];

/// What tells the encoding of the database. One message: a pooler may lend another connection for each.
pub(crate) const SHOW_ENCODING: &str = "SHOW server_encoding";

/// A connection in use.
pub(crate) struct Lease {
    pub(crate) inner: Arc<Inner>,
    connection: Option<PoolConnection<Postgres>>,
    /// Its place among those that may use one at a time, where they take turns.
    turn: Option<OwnedSemaphorePermit>,
    /// When the pool lent it.
    lent: Instant,
    /// Where the connection goes back to the pool: the library starts a task for that, which needs a runtime.
    runtime: Handle,
    /// The number of the server's process, where it is known.
    pid: Option<i32>,
    /// The same for whoever may have to stop what runs behind a pooler: the process of the transaction that is open, or zero.
    told: Option<Arc<AtomicI32>>,
    /// Something was sent, and its end was not seen.
    busy: bool,
    /// Something failed: whether the connection is good for more is to be found out.
    failed: bool,
    /// Something failed, or was found unfinished, and no statement came to a good end since. Whoever was to hear of it may have been dropped, so a
    /// transaction that is open may be one that PostgreSQL only rolls back, and COMMIT would be answered as if it had been done.
    doubtful: bool,
    /// A transaction may be open.
    pub(crate) begun: bool,
    /// Tables were changed in it. When that is undone, statements that were prepared meanwhile may not fit them.
    tables_changed: bool,
}

impl Lease {
    /// Waits for a connection.
    pub(crate) async fn acquire(inner: &Arc<Inner>, context: &Context) -> DBResult<Lease> {
        let runtime = Handle::try_current().map_err(error::no_runtime)?;
        let mut turn = None;
        if let Some(warm) = inner.warm.as_ref().filter(|_| !inner.pool.is_closed()) {
            turn = warm.try_turn();
            if turn.is_some()
                && let Some(idle) = warm.take(&runtime)
            {
                return Ok(Lease::of(inner, turn, idle));
            }
        }
        let limit = inner.pool.options().get_acquire_timeout();
        let now = Instant::now();
        // One timer will do: the sooner of the two.
        let own = context.limit.filter(|(deadline, _)| deadline.saturating_duration_since(now) <= limit);
        let deadline = own.map_or_else(|| now.checked_add(limit), |(deadline, _)| Some(deadline));
        let failed = |error| match (error, own) {
            (sqlx::Error::PoolTimedOut, Some((_, given))) => error::timed_out(given),
            (sqlx::Error::PoolTimedOut, None) => error::exhausted(inner.pool.options().get_max_connections(), limit),
            (error, _) => error::general(error, Some(limit)),
        };
        let mut lease = Lease::wait(inner, turn, runtime, deadline).await.map_err(failed)?;
        if !inner.encoding_is_known.load(Ordering::Acquire) {
            until(deadline, Box::pin(lease.learn_encoding())).await.map_err(failed)??;
        }
        Ok(lease)
    }

    /// Makes sure, once, that the database of a pool that was there already holds UTF-8.
    async fn learn_encoding(&mut self) -> DBResult<()> {
        let encoding = self.simple(SHOW_ENCODING).await?;
        error::check_encoding(encoding)?;
        self.inner.encoding_is_known.store(true, Ordering::Release);
        Ok(())
    }

    /// Waits until then; for ever, where that is too far away to be counted.
    async fn wait(
        inner: &Arc<Inner>,
        mut turn: Option<OwnedSemaphorePermit>,
        runtime: Handle,
        deadline: Option<Instant>,
    ) -> Result<Lease, sqlx::Error> {
        if let Some(warm) = &inner.warm {
            if turn.is_none() {
                turn = wait_for_turn(&inner.pool, warm, deadline).await?;
            }
            if turn.is_none() || inner.pool.is_closed() {
                return Err(sqlx::Error::PoolClosed);
            }
            if let Some(idle) = warm.take(&runtime) {
                return Ok(Lease::of(inner, turn, idle));
            }
        }
        // Boxed, since it may open a connection.
        let connection = until(deadline, Box::pin(inner.pool.acquire())).await??;
        let now = Instant::now();
        Ok(Lease::of(inner, turn, Idle { connection, pid: None, lent: now, runtime, since: now }))
    }

    fn of(inner: &Arc<Inner>, turn: Option<OwnedSemaphorePermit>, idle: Idle) -> Lease {
        let Idle { connection, pid, lent, runtime, .. } = idle;
        Lease {
            inner: inner.clone(),
            connection: Some(connection),
            turn,
            lent,
            runtime,
            pid,
            told: None,
            busy: false,
            failed: false,
            doubtful: false,
            begun: false,
            tables_changed: false,
        }
    }

    /// The connection, for something that is sent now. [`Lease::done`] says that its end was seen.
    pub(crate) fn start(&mut self) -> DBResult<&mut PgConnection> {
        self.doubtful |= self.busy;
        self.busy = true;
        match &mut self.connection {
            Some(connection) => Ok(connection),
            None => Err(DBError::new(ErrorKind::TransactionAborted)),
        }
    }

    /// Whether something was sent whose end was not seen.
    pub(crate) fn waits(&self) -> bool {
        self.busy
    }

    /// Whether something may have failed in the transaction that nobody heard of.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.busy || self.doubtful
    }

    /// The end of a statement was seen; it may have been this failure. A good one says that the transaction was sound.
    pub(crate) fn done(&mut self, failure: Option<&sqlx::Error>) {
        self.doubtful = false;
        self.settled(failure);
    }

    /// The end was seen of something that a transaction takes in any state.
    fn settled(&mut self, failure: Option<&sqlx::Error>) {
        self.busy = false;
        if let Some(failure) = failure {
            self.failed = true;
            self.doubtful = true;
            if error::is_lost(failure) {
                self.inner.lost();
            }
        }
    }

    /// Sends statements without parameters, and gives the first value of their first row.
    pub(crate) async fn simple(&mut self, text: &str) -> DBResult<Option<String>> {
        let connection = self.start()?;
        let result = simple(connection, text).await;
        self.done(result.as_ref().err());
        result.map_err(|error| error::general(error, None))
    }

    /// Takes in the answers to what was sent and not waited for, and gives the error that is among them.
    pub(crate) async fn settle(&mut self) -> DBResult<()> {
        if !self.busy {
            return Ok(());
        }
        let connection = self.start()?;
        let settled = connection.ping().await;
        self.settled(settled.as_ref().err());
        settled.map_err(|error| error::general(error, None))
    }

    /// The same, where it is nobody's business any more that it failed.
    pub(crate) async fn drain(&mut self) -> DBResult<()> {
        if !self.busy {
            return Ok(());
        }
        let connection = self.start()?;
        let mut drained = connection.ping().await;
        if matches!(&drained, Err(sqlx::Error::Database(_))) {
            drained = connection.ping().await;
        }
        self.settled(drained.as_ref().err());
        drained.map_err(|error| error::general(error, None))
    }

    /// Begins a transaction, where none is open.
    pub(crate) async fn begin(&mut self) -> DBResult<()> {
        self.begin_as("BEGIN").await
    }

    /// Begins a transaction by this statement, where none is open.
    pub(crate) async fn begin_as(&mut self, begin: &str) -> DBResult<()> {
        if !self.begun {
            // From here on it is rolled back, also when the answer is not waited for.
            self.begun = true;
            if self.pid.is_some() && self.inner.prepared {
                return self.simple(begin).await.map(drop);
            }
            // Behind a pooler it may be another process than last time.
            let pid = self.simple(&format!("{begin}; SELECT pg_backend_pid()")).await?;
            self.pid = pid.and_then(|pid| pid.parse().ok());
            self.tell(self.pid);
        }
        Ok(())
    }

    /// Tables are about to be changed in the transaction, or have been by others meanwhile.
    pub(crate) fn changes_tables(&mut self) {
        self.tables_changed = true;
    }

    /// Forgets the statements that were prepared, where tables have been changed since, or changed back: one that does not fit its table any more
    /// would fail in a transaction, and end it.
    pub(crate) async fn forget_statements(&mut self) -> DBResult<()> {
        if !self.tables_changed {
            return Ok(());
        }
        self.clear_statements().await
    }

    /// Forgets the statements that were prepared.
    pub(crate) async fn clear_statements(&mut self) -> DBResult<()> {
        let connection = self.start()?;
        let cleared = connection.clear_cached_statements().await;
        self.settled(cleared.as_ref().err());
        cleared.map_err(|error| error::general(error, None))
    }

    /// Commits what was begun. What fails is rolled back with the lease.
    pub(crate) async fn commit(&mut self) -> DBResult<()> {
        if self.begun {
            // In a transaction that failed, the first statement of a message is refused, and the rest of it not run.
            let text = if self.is_doubtful() { "SELECT; COMMIT" } else { "COMMIT" };
            self.simple(text).await?;
            self.begun = false;
            self.tell(None);
            self.tables_changed = false;
        }
        Ok(())
    }

    /// Undoes what was begun.
    pub(crate) async fn roll_back(&mut self) -> DBResult<()> {
        if !self.begun {
            return Ok(());
        }
        self.undo().await?;
        self.forget_statements().await?;
        self.tables_changed = false;
        Ok(())
    }

    async fn undo(&mut self) -> DBResult<()> {
        if !self.busy {
            self.simple("ROLLBACK").await?;
            self.begun = false;
            return Ok(());
        }
        let (inner, pid) = (self.inner.clone(), self.pid);
        let mut undo = pin!(async {
            let mut result = self.simple("ROLLBACK").await;
            if matches!(&result, Err(error) if !matches!(error.kind(), ErrorKind::Connection)) {
                // The first answer may be the end of a statement that nobody waited for.
                result = self.simple("ROLLBACK").await;
            }
            self.begun = result.is_err();
            result.map(drop)
        });
        match stop(&inner, || pid, undo.as_mut()).await {
            Some(result) => result,
            // Whoever rolls back waits for it: until then its locks are held.
            None => undo.await,
        }
    }

    /// Tells the process that works, to whoever may have to stop it.
    fn tell(&self, pid: Option<i32>) {
        if let Some(told) = &self.told {
            told.store(pid.unwrap_or_default(), Ordering::Release);
        }
    }

    /// Learns what it takes to stop what comes.
    pub(crate) async fn learn_pid(&mut self) -> DBResult<()> {
        if self.pid.is_none() {
            let pid = self.simple("SELECT pg_backend_pid()").await?;
            self.pid = pid.and_then(|pid| pid.parse().ok());
        }
        Ok(())
    }

    /// Runs something on this lease for as long as it may take. Past the deadline the database's work is stopped, and its end
    /// waited for; what then still does not answer loses its connection.
    pub(crate) async fn within<T>(&mut self, context: &Context, work: impl Work<T>) -> DBResult<T> {
        let Some((deadline, given)) = context.limit else {
            return work.run(self).await;
        };
        // A future that is ready at once would win over a time that has passed.
        if deadline <= Instant::now() {
            return Err(error::timed_out(given));
        }
        // Behind a pooler it is known only once the transaction has begun that the work makes of it.
        let later = !self.inner.prepared && !self.begun;
        if later {
            self.told = Some(Arc::default());
        } else {
            match timeout_at(deadline.into(), self.learn_pid()).await {
                Ok(learned) => learned?,
                Err(_) => return Err(error::timed_out(given)),
            }
        }
        let (inner, told) = (self.inner.clone(), self.told.clone());
        let known = self.pid.filter(|_| !later);
        let pid = || match (&told, known) {
            (Some(told), None) => Some(told.load(Ordering::Acquire)).filter(|pid| *pid != 0),
            (_, known) => known,
        };
        let mut work = pin!(work.run(self));
        if let Ok(result) = timeout_at(deadline.into(), work.as_mut()).await {
            return result;
        }
        match stop(&inner, pid, work).await {
            // It ended before the request arrived.
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) if matches!(error.kind(), ErrorKind::Timeout { .. }) || error.is_outcome_unknown() => {
                Err(error)
            }
            Some(Err(error)) => Err(error::timed_out(given).with_source(error)),
            None => Err(error::timed_out(given).with_detail("the database did not stop in time")),
        }
    }
}

/// Waits for something until then.
async fn until<F: Future>(deadline: Option<Instant>, work: F) -> Result<F::Output, sqlx::Error> {
    match deadline {
        Some(deadline) => timeout_at(deadline.into(), work).await.map_err(|_| sqlx::Error::PoolTimedOut),
        None => Ok(work.await),
    }
}

/// Waits for a turn; none where there will be no more of them.
///
/// That the driver was closed ends it at once. That somebody closed its [pool](crate::PostgresDriver::pool) has to be listened for, which in a
/// crowd costs more than the wait: so that begins with the second moment.
async fn wait_for_turn(
    pool: &PgPool,
    warm: &Warm,
    deadline: Option<Instant>,
) -> Result<Option<OwnedSemaphorePermit>, sqlx::Error> {
    let mut turn = pin!(warm.turn());
    let soon = Instant::now() + MOMENT;
    if let Ok(turn) = until(Some(deadline.map_or(soon, |deadline| deadline.min(soon))), turn.as_mut()).await {
        return Ok(turn);
    }
    Box::pin(until(deadline, async { pool.close_event().do_until(turn).await })).await?
}

/// A piece of work on a lease. What an async closure would be, if the future of one that is called once could be asked to be `Send`.
pub(crate) trait Work<T>: Send {
    fn run(self, lease: &mut Lease) -> impl Future<Output = DBResult<T>> + Send;
}

/// Sends statements without parameters, and gives the first value of their first row.
pub(crate) async fn simple(connection: &mut PgConnection, text: &str) -> Result<Option<String>, sqlx::Error> {
    let mut first = None;
    let mut results = connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(text)));
    while let Some(result) = results.try_next().await? {
        if let (Either::Right(row), None) = (result, &first) {
            first = row.try_get_raw(0).ok().and_then(|value| Some(value.as_str().ok()?.to_owned()));
        }
    }
    Ok(first)
}

/// Stops what a process of the server is doing for this piece of work, and waits for its end; nothing where it does not come, or where the request
/// does not arrive: on a network that carries nothing, another would not either.
async fn stop<T>(inner: &Inner, pid: impl Fn() -> Option<i32>, mut work: impl Future<Output = T> + Unpin) -> Option<T> {
    for patience in PATIENCE {
        let arrived = match pid() {
            Some(pid) => cancel(inner, pid).await,
            None => true,
        };
        if let Ok(result) = timeout(Duration::from_millis(patience), &mut work).await {
            return Some(result);
        }
        if !arrived {
            return None;
        }
    }
    None
}

/// Asks to stop what a process of the server is doing. It waits until the request was handed to the process, so that it cannot hit what the
/// connection does afterwards. A server that refuses it has nothing to stop; whether it answered at all is told.
async fn cancel(inner: &Inner, pid: i32) -> bool {
    // Boxed, since it opens a connection.
    let request = Box::pin(async {
        let mut side = PgConnection::connect_with(&inner.pool.connect_options()).await?;
        simple(&mut side, &format!("SELECT pg_cancel_backend({pid})")).await?;
        side.close().await
    });
    let answer = timeout(GRACE, request).await;
    match &answer {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(target: "ommi", %error, "a statement could not be cancelled"),
        Err(_) => tracing::debug!(target: "ommi", "a request to cancel a statement took too long"),
    }
    answer.is_ok()
}

/// Reads what is left of answers, and ends the transaction.
async fn clean(connection: &mut PgConnection, begun: bool, tables_changed: bool) -> Result<(), sqlx::Error> {
    // The first answer may be that of what was cancelled.
    if connection.ping().await.is_err() {
        connection.ping().await?;
    }
    if begun {
        simple(connection, "ROLLBACK").await?;
    }
    match tables_changed {
        true => connection.clear_cached_statements().await,
        false => Ok(()),
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let stops = self.busy && self.pid.is_some();
        if !(self.begun || self.tables_changed || stops) {
            match &self.inner.warm {
                Some(warm) if !(self.busy || self.failed) => {
                    // Behind a pooler it may be another process next time.
                    let pid = self.pid.filter(|_| self.inner.prepared);
                    let (lent, runtime) = (self.lent, self.runtime.clone());
                    warm.keep(&self.inner.pool, Idle { connection, pid, lent, runtime, since: Instant::now() });
                }
                // The library reads to the end what is left of an answer before it lends the connection again.
                _ => {
                    let _runtime = self.runtime.enter();
                    drop(connection);
                }
            }
            return;
        }
        let (inner, pid, busy) = (self.inner.clone(), self.pid, self.busy);
        let (begun, tables_changed) = (self.begun, self.tables_changed);
        let turn = self.turn.take();
        // The pool counts the connection until this is done, and waits for it when it is closed.
        drop(self.runtime.spawn(async move {
            let cleaned = {
                let clean = pin!(clean(&mut connection, begun, tables_changed));
                match busy {
                    true => stop(&inner, || pid, clean).await,
                    false => timeout(GRACE, clean).await.ok(),
                }
            };
            if !matches!(cleaned, Some(Ok(()))) {
                connection.close_on_drop();
            }
            drop(connection);
            drop(turn);
        }));
    }
}
