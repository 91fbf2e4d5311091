//! Checkpoints: moving what was committed from the write-ahead log into the database's file.
//!
//! SQLite would do it within a commit, on the thread of whichever task committed, and wait for the disk there. So its own checkpoints
//! are off, and a connection that does nothing else makes them on a blocking thread. Readers never wait for one; a writer does when the log
//! has grown so long that it must begin anew.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;

use crate::connection::Connection;

/// How many pages the log may gain between two checkpoints, as by SQLite's default.
const PAGES: u32 = 1_000;

/// How long the log may be before the next writer has to wait for a checkpoint.
const MANY_PAGES: u32 = 3 * PAGES;

/// Makes checkpoints.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    /// None when the database is closed.
    connection: Mutex<Option<Connection>>,
    /// How long the log was after the last checkpoint. It begins anew only when no reader needs its content.
    last: AtomicU32,
}

impl Checkpointer {
    pub(crate) fn new(connection: Connection) -> Checkpointer {
        Checkpointer { connection: Mutex::new(Some(connection)), last: AtomicU32::new(0) }
    }

    /// Makes a checkpoint if the log has grown enough, given its length after the last commit of a connection that writes.
    ///
    /// True says that the checkpoint is the caller's to make, with [`run`](Checkpointer::run) and while nobody writes: one beside
    /// a busy writer never comes to the end of the log, and the log begins anew only when it did.
    pub(crate) fn consider(self: &Arc<Checkpointer>, pages: &AtomicU32) -> bool {
        if pages.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let length = pages.swap(0, Ordering::Relaxed);
        let last = self.last.load(Ordering::Relaxed);
        if length < last {
            self.last.store(0, Ordering::Relaxed);
        }
        let grown = length.checked_sub(last).unwrap_or(length);
        if grown < PAGES {
            return false;
        }
        self.last.store(length, Ordering::Relaxed);
        if length >= MANY_PAGES {
            return true;
        }
        match Handle::try_current() {
            Ok(runtime) => {
                let this = self.clone();
                drop(runtime.spawn_blocking(move || this.run()));
                false
            }
            // Without a runtime everything blocks; so it does here, as in SQLite itself.
            Err(_) => true,
        }
    }

    /// Makes a checkpoint. Blocks.
    pub(crate) fn run(&self) {
        if let Some(connection) = &*self.connection.lock().unwrap_or_else(PoisonError::into_inner) {
            // The default mode is the passive one. What it could not do, the next one does.
            let _ = connection.sqlite.wal_checkpoint_v2(Some(rusqlite::MAIN_DB), Default::default());
        }
    }

    /// Gives the connection away, after a checkpoint that is under way. Blocks.
    pub(crate) fn close(&self) -> Option<Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
