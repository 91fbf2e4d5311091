//! Connections that were just used, kept at hand for a moment.
//!
//! The library's pool sends a message over a connection that comes back to it and waits for the answer, and starts a task to do so: that is a
//! second round trip for each statement. Connections of statements that ended well are kept here instead, and lent again at once. They go
//! back to the pool when nobody wanted them for a moment, and also while everybody does: the pool has users of its own
//! ([`pool`](crate::PostgresDriver::pool)), limits to how long a connection lives, and looks after its health.
//!
//! Whoever wants a connection waits here, in order, so that one that was just used goes to who is next.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a connection is kept from the pool, in use and not; and one that is not used, half of that. So long somebody who shares the
/// pool waits for it at most, beside the statement that is running.
pub(crate) const MOMENT: Duration = Duration::from_millis(100);

/// The connections at hand.
#[derive(Debug)]
pub(crate) struct Warm {
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    /// Whether a task looks after them.
    watched: AtomicBool,
}

/// A connection that nobody uses.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) connection: PoolConnection<Postgres>,
    /// The number of the server's process, where it is known.
    pub(crate) pid: Option<i32>,
    /// When the pool gave it.
    pub(crate) lent: Instant,
    /// Where it was opened.
    pub(crate) runtime: Handle,
    pub(crate) since: Instant,
}

impl Drop for Warm {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut *self.idle()));
    }
}

impl Warm {
    pub(crate) fn new(pool: &PgPool) -> Arc<Warm> {
        let connections = usize::try_from(pool.options().get_max_connections()).unwrap_or(usize::MAX);
        let turns = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        Arc::new(Warm { turns, idle: Mutex::default(), watched: AtomicBool::new(false) })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn of who wants a connection, where nobody has to be waited for.
    pub(crate) fn try_turn(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().try_acquire_owned().ok()
    }

    /// The turn of who wants a connection.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().acquire_owned().await.ok()
    }

    /// The connection that was used last, which was opened in this runtime: another one could not wait for it.
    pub(crate) fn take(&self, runtime: &Handle) -> Option<Idle> {
        let mut idle = self.idle();
        match idle.iter().rposition(|idle| idle.runtime.id() == runtime.id()) {
            Some(place) => Some(idle.remove(place)),
            None => {
                // Those of other runtimes must not keep the pool from opening one in this.
                let others = std::mem::take(&mut *idle);
                drop(idle);
                give_back(others);
                None
            }
        }
    }

    /// Keeps a connection whose last statement ended well, or gives it back to the pool.
    pub(crate) fn keep(self: &Arc<Warm>, pool: &PgPool, connection: Idle) {
        let mut idle = self.idle();
        // Asked in the lock: what is kept before the pool is closed is cleared after.
        if pool.is_closed() || connection.since.duration_since(connection.lent) >= MOMENT {
            drop(idle);
            return give_back(vec![connection]);
        }
        // In the lock too, where it is taken back.
        let watcher = (!self.watched.swap(true, Ordering::AcqRel)).then(|| connection.runtime.clone());
        idle.push(connection);
        drop(idle);
        if let Some(runtime) = watcher {
            // The runtime may end before the task does.
            let watch = Watch(self.clone());
            drop(runtime.spawn(async move {
                // First a pause: who runs one statement after the other has just taken the connection again, and would start a task for each.
                tokio::time::sleep(MOMENT / 2).await;
                while watch.0.cool() {
                    tokio::time::sleep(MOMENT / 2).await;
                }
            }));
        }
    }

    /// Gives what was not used for a moment back to the pool; whether anything is left to look after.
    fn cool(&self) -> bool {
        let mut idle = self.idle();
        let (cold, warm): (Vec<Idle>, Vec<Idle>) =
            std::mem::take(&mut *idle).into_iter().partition(|idle| idle.since.elapsed() >= MOMENT / 2);
        let left = !warm.is_empty();
        *idle = warm;
        if !left {
            // In the lock: what comes now is looked after by a task of its own.
            self.watched.store(false, Ordering::Release);
        }
        drop(idle);
        give_back(cold);
        left
    }

    /// Gives everything back to the pool, which finds out what is still good.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.idle());
        give_back(all);
    }

    /// Ends all waiting, and gives everything back.
    pub(crate) fn close(&self) {
        self.turns.close();
        self.clear();
    }
}

/// Notes the end of the task that looks after the connections. When the next one has begun meanwhile, there will be one too many, which
/// harms nothing.
struct Watch(Arc<Warm>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.watched.store(false, Ordering::Release);
    }
}

/// The library starts a task for each, which needs a runtime.
fn give_back(idle: Vec<Idle>) {
    for Idle { connection, runtime, .. } in idle {
        let _runtime = runtime.enter();
        drop(connection);
    }
}
