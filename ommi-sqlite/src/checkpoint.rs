//! Checkpoints: moving what was committed from the write-ahead log into the database's file.
//!
//! SQLite would do it within a commit, on the thread of whichever task committed, and wait for the disk there. So its own checkpoints
//! are off, and a connection that does nothing else makes them on a blocking thread. They are passive: they keep nobody waiting.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;

use crate::connection::Connection;

/// How many pages the log may gain between two checkpoints, as by SQLite's default.
const PAGES: u32 = 1_000;

/// Makes checkpoints.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    /// None when the database is closed.
    connection: Mutex<Option<Connection>>,
    running: AtomicBool,
    /// How long the log was after the last checkpoint. It begins anew only when no reader needs its content.
    last: AtomicU32,
}

impl Checkpointer {
    pub(crate) fn new(connection: Connection) -> Checkpointer {
        Checkpointer { connection: Mutex::new(Some(connection)), running: AtomicBool::new(false), last: AtomicU32::new(0) }
    }

    /// Makes a checkpoint if the log has grown enough, given its length after a connection's last commit.
    pub(crate) fn consider(self: &Arc<Checkpointer>, pages: &AtomicU32) {
        if pages.load(Ordering::Relaxed) == 0 {
            return;
        }
        let length = pages.swap(0, Ordering::Relaxed);
        let last = self.last.load(Ordering::Relaxed);
        if length < last {
            self.last.store(0, Ordering::Relaxed);
        }
        let grown = length.checked_sub(last).unwrap_or(length);
        if grown < PAGES || self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        self.last.store(length, Ordering::Relaxed);
        let this = self.clone();
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || this.run())),
            // Without a runtime everything blocks; so it does here, as in SQLite itself.
            Err(_) => this.run(),
        }
    }

    fn run(&self) {
        if let Some(connection) = &*self.connection.lock().unwrap_or_else(PoisonError::into_inner) {
            // The default mode is the passive one. What it could not do, the next one does.
            let _ = connection.sqlite.wal_checkpoint_v2(Some(rusqlite::MAIN_DB), Default::default());
        }
        self.running.store(false, Ordering::Release);
    }

    /// Gives the connection away, after a checkpoint that is under way. Blocks.
    pub(crate) fn close(&self) -> Option<Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
