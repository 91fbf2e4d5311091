//! Rollbacks under way: of transactions that were dropped. What they held is free before anybody else runs a statement.

use std::sync::Arc;

use mongodb::Database;
use tokio::sync::watch;

/// Counts the rollbacks under way on a database.
#[derive(Debug, Clone)]
pub(crate) struct Rollbacks {
    count: Arc<watch::Sender<usize>>,
    database: Database,
}

impl Rollbacks {
    pub(crate) fn new(database: Database) -> Rollbacks {
        Rollbacks { count: Arc::new(watch::Sender::new(0)), database }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Counts one, until what it gives is dropped.
    pub(crate) fn begin(&self) -> Pending {
        self.count.send_modify(|count| *count += 1);
        Pending(self.clone())
    }

    /// Waits until none is under way.
    pub(crate) async fn settled(&self) {
        if *self.count.borrow() == 0 {
            return;
        }
        let mut changes = self.count.subscribe();
        // It fails when there is no sender left, and this is one. Apart, so that the future of a statement is small.
        let _ = Box::pin(changes.wait_for(|count| *count == 0)).await;
    }
}

/// One rollback.
#[derive(Debug)]
pub(crate) struct Pending(Rollbacks);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.count.send_modify(|count| *count = count.saturating_sub(1));
    }
}
