//! Connections, and whose turn it is to have one.
//!
//! A database in a file has two pools: the connection that writes, and those that read. A database in memory has one pool of one
//! connection. Who finds no connection free waits in line, and gets the next one that comes back handed over, so that nobody
//! overtakes.

use std::collections::VecDeque;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ommi_core::driver::{Context, Inside};
use ommi_core::{DBError, DBResult, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use crate::checkpoint::Checkpointer;
use crate::connection::Connection;

/// Connections of one kind.
#[derive(Debug)]
pub(crate) struct Pool {
    /// What is waited for, for messages.
    name: &'static str,
    serves: Serves,
    acquire_timeout: Duration,
    checkpointer: Option<Arc<Checkpointer>>,
    state: Mutex<State>,
    /// Notified when it may have come to a stream to give way.
    crowded: Notify,
    /// Notified when a connection comes back to a pool that closes.
    returned: Notify,
}

/// What the connections of a pool are for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Serves {
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

#[derive(Debug)]
struct State {
    /// Boxed, because leases and futures carry them about.
    #[allow(clippy::vec_box)]
    idle: Vec<Box<Connection>>,
    waiting: VecDeque<oneshot::Sender<Lease>>,
    size: usize,
    /// What has the connection, where there is but one: a transaction that began there, or that of an operation.
    holder: Option<Option<&'static Location<'static>>>,
    /// How many connections are those of streams.
    streams: usize,
    /// One of the streams was told to give way, and has its connection still.
    giving_way: bool,
    closed: bool,
}

impl State {
    /// Whether streams have all connections and somebody waits: it may be those who read the streams, and then none of them would ever go on.
    fn is_stuck(&self) -> bool {
        self.streams >= self.size && self.waiting.iter().any(|waiting| !waiting.is_closed())
    }
}

/// A connection that is in use. Dropped, it rolls back what is open and goes back to its pool.
#[derive(Debug)]
pub(crate) struct Lease {
    /// None only while it is dropped.
    connection: Option<Box<Connection>>,
    pool: Arc<Pool>,
    /// A stream has it.
    streams: bool,
}

impl Pool {
    pub(crate) fn new(
        name: &'static str,
        serves: Serves,
        acquire_timeout: Duration,
        connections: Vec<Connection>,
        checkpointer: Option<Arc<Checkpointer>>,
    ) -> Arc<Pool> {
        let idle: Vec<_> = connections.into_iter().map(Box::new).collect();
        let state = State {
            size: idle.len(),
            idle,
            waiting: VecDeque::new(),
            holder: None,
            streams: 0,
            giving_way: false,
            closed: false,
        };
        Arc::new(Pool {
            name,
            serves,
            acquire_timeout,
            checkpointer,
            state: Mutex::new(state),
            crowded: Notify::new(),
            returned: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that panics runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease(self: &Arc<Pool>, connection: Box<Connection>) -> Lease {
        Lease { connection: Some(connection), pool: self.clone(), streams: false }
    }

    /// A connection, if one is free and nobody waits for it.
    pub(crate) fn try_take(self: &Arc<Pool>) -> Option<Lease> {
        let connection = {
            let mut state = self.lock();
            if state.closed || !state.waiting.is_empty() {
                return None;
            }
            state.idle.pop()?
        };
        Some(self.lease(connection))
    }

    /// A connection, when it is this caller's turn.
    pub(crate) async fn take(self: &Arc<Pool>, context: &Context) -> DBResult<Lease> {
        let receiver = {
            let mut state = self.lock();
            if state.closed {
                return Err(closed());
            }
            let free = if state.waiting.is_empty() { state.idle.pop() } else { None };
            if let Some(connection) = free {
                return Ok(self.lease(connection));
            }
            if self.is_held_from(context.inside, state.size) {
                return Err(DBError::query(
                    "this would wait for the transaction in whose closure it is awaited; run it on the transaction",
                ));
            }
            let (sender, receiver) = oneshot::channel();
            // Those who gave up would be in the way of `try_take`.
            state.waiting.retain(|waiting| !waiting.is_closed());
            state.waiting.push_back(sender);
            receiver
        };
        self.crowded.notify_waiters();
        Handle::try_current().map_err(no_runtime)?;
        let (until, limit) = sooner(context, self.acquire_timeout);
        match tokio::time::timeout_at(until.into(), receiver).await {
            Ok(Ok(lease)) => Ok(lease),
            // The sender is dropped with the pool only.
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(DBError::timeout(limit).with_detail(self.exhausted())),
        }
    }

    /// Why nobody got a connection.
    fn exhausted(&self) -> String {
        let (holder, size) = {
            let state = self.lock();
            (state.holder, state.size)
        };
        let name = self.name;
        match (holder, size) {
            (Some(Some(place)), _) => {
                format!(
                    "{name} of the database, 1 in all, was in use all the time, by the transaction that began at {place}"
                )
            }
            (Some(None), _) => {
                format!(
                    "{name} of the database, 1 in all, was in use all the time, by an operation of several statements"
                )
            }
            (None, 0 | 1) => {
                format!(
                    "{name} of the database, 1 in all, was in use all the time; a transaction or a stream that stays open keeps it"
                )
            }
            (None, size) => format!(
                "{name} of the database, {size} in all, was in use all the time; a transaction or a stream that stays open keeps its own"
            ),
        }
    }

    /// Whether the only connection is that of a transaction in whose closure somebody waits for it.
    fn is_held_from(&self, inside: Inside, size: usize) -> bool {
        size == 1 && (inside.writes && self.serves.writes || inside.reads && self.serves.reads)
    }

    /// The connection was taken for a transaction that began here, or for that of an operation.
    pub(crate) fn held_by(&self, place: Option<&'static Location<'static>>) {
        let mut state = self.lock();
        if state.size == 1 {
            state.holder = Some(place);
        }
    }

    /// Comes back when the stream that asks is to give way: streams have all connections, and somebody waits for one. It is told to one of them
    /// at a time.
    pub(crate) async fn give_way(&self) {
        loop {
            let notified = self.crowded.notified();
            let mut notified = std::pin::pin!(notified);
            // Enabled before the look at the line, so that nothing is missed in between.
            notified.as_mut().enable();
            if self.must_give_way() {
                return;
            }
            notified.await;
        }
    }

    fn must_give_way(&self) -> bool {
        let mut state = self.lock();
        let must = state.is_stuck() && !state.giving_way;
        state.giving_way |= must;
        must
    }

    /// One stream more has its connection, or one less.
    fn count_stream(&self, begins: bool) {
        let is_stuck = {
            let mut state = self.lock();
            match begins {
                true => state.streams += 1,
                false => {
                    state.streams = state.streams.saturating_sub(1);
                    state.giving_way = false;
                }
            }
            state.is_stuck()
        };
        if is_stuck {
            self.crowded.notify_waiters();
        }
    }

    fn put_back(self: &Arc<Pool>, mut connection: Box<Connection>) {
        loop {
            let next = {
                let mut state = self.lock();
                state.holder = None;
                match state.waiting.pop_front() {
                    Some(next) => next,
                    // Nobody waits while a connection is idle: who comes then takes it.
                    None => {
                        state.idle.push(connection);
                        if state.closed {
                            self.returned.notify_one();
                        }
                        return;
                    }
                }
            };
            // Sent without the lock: a lease that is not taken comes back here.
            match next.send(self.lease(connection)) {
                Ok(()) => return,
                Err(mut refused) => match refused.connection.take() {
                    Some(kept) => connection = kept,
                    None => return,
                },
            }
        }
    }

    /// Lets nobody in any more.
    pub(crate) fn shut(&self) {
        self.lock().closed = true;
    }

    /// Gives the connections of a pool that is shut, when all have come back.
    #[allow(clippy::vec_box)]
    pub(crate) async fn close(&self) -> Vec<Box<Connection>> {
        loop {
            let returned = self.returned.notified();
            {
                let mut state = self.lock();
                if state.idle.len() == state.size {
                    state.size = 0;
                    // Somebody else may be closing it too.
                    self.returned.notify_one();
                    return std::mem::take(&mut state.idle);
                }
            }
            returned.await;
        }
    }
}

impl Lease {
    /// The connection.
    pub(crate) fn connection(&mut self) -> DBResult<&mut Connection> {
        self.connection.as_deref_mut().ok_or_else(closed)
    }

    /// A stream has it from now on. Gives the pool, which says when the stream is to give way.
    pub(crate) fn for_stream(&mut self) -> Arc<Pool> {
        if !std::mem::replace(&mut self.streams, true) {
            self.pool.count_stream(true);
        }
        self.pool.clone()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        connection.roll_back();
        if self.streams {
            self.pool.count_stream(false);
        }
        if let Some(checkpointer) = &self.pool.checkpointer
            && checkpointer.consider(&connection.wal_pages)
        {
            // Dropped again in any case, also where the closure is dropped without having run.
            let lease = self.pool.lease(connection);
            let checkpointer = checkpointer.clone();
            let end = move || {
                checkpointer.run();
                drop(lease);
            };
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(end)),
                Err(_) => end(),
            }
            return;
        }
        self.pool.put_back(connection);
    }
}

/// The sooner end of an operation's own time and a limit that begins now, and how long that was.
pub(crate) fn sooner(context: &Context, limit: Duration) -> (Instant, Duration) {
    let now = Instant::now();
    // A limit too far away to be counted is cut to a year.
    let end = now.checked_add(limit).unwrap_or(now + Duration::from_secs(31_536_000));
    match context.limit {
        Some((deadline, given)) if deadline < end => (deadline, given),
        _ => (end, limit),
    }
}

pub(crate) fn closed() -> DBError {
    DBError::new(ErrorKind::Connection).with_detail("it has been closed")
}

/// There is no Tokio runtime where one is needed.
pub(crate) fn no_runtime(error: tokio::runtime::TryCurrentError) -> DBError {
    DBError::configuration(
        None,
        "this operation has to wait or to use a blocking thread, and that takes a Tokio runtime",
    )
    .with_source(error)
}
