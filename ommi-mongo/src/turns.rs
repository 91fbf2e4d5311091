//! Who may use a connection: as many at a time as the client's pool opens, the others in order.
//!
//! The client itself waits for a free connection for ever; its `waitQueueTimeoutMS` is read and not kept. What it does by itself, to roll back what was
//! dropped, say, takes no turn here and waits there.

use std::sync::Arc;
use std::time::Duration;

use ommi_core::{DBError, DBResult};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turns of a driver. None where its pool belongs to others too, or where it has one for each of several servers.
#[derive(Debug, Clone)]
pub(crate) struct Turns(Option<Arc<Limited>>);

#[derive(Debug)]
struct Limited {
    free: Arc<Semaphore>,
    size: u32,
    patience: Duration,
}

/// Dropped, it is somebody else's turn.
pub(crate) type Turn = Option<OwnedSemaphorePermit>;

impl Turns {
    pub(crate) fn new(size: u32, patience: Duration) -> Turns {
        let permits = usize::try_from(size).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        Turns(Some(Arc::new(Limited { free: Arc::new(Semaphore::new(permits)), size, patience })))
    }

    pub(crate) fn unlimited() -> Turns {
        Turns(None)
    }

    /// Waits for a connection to be free.
    pub(crate) async fn take(&self) -> DBResult<Turn> {
        let Some(limited) = &self.0 else { return Ok(None) };
        if let Ok(turn) = limited.free.clone().try_acquire_owned() {
            return Ok(Some(turn));
        }
        match tokio::time::timeout(limited.patience, limited.free.clone().acquire_owned()).await {
            // It is never closed.
            Ok(turn) => Ok(turn.ok()),
            Err(_) => Err(DBError::timeout(limited.patience)
                .with_detail(format!("none of the pool's connections ({} at most) became free", limited.size))),
        }
    }
}
