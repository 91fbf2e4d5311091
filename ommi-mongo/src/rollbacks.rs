//! Rollbacks under way: of transactions that were dropped. What they held is free before anybody else runs a statement.

use std::sync::Arc;

use tokio::sync::watch;

/// Counts the rollbacks under way.
#[derive(Debug, Clone)]
pub(crate) struct Rollbacks(Arc<watch::Sender<usize>>);

impl Default for Rollbacks {
    fn default() -> Rollbacks {
        Rollbacks(Arc::new(watch::Sender::new(0)))
    }
}

impl Rollbacks {
    /// Counts one, until what it gives is dropped.
    pub(crate) fn begin(&self) -> Pending {
        self.0.send_modify(|count| *count += 1);
        Pending(self.clone())
    }

    /// Waits until none is under way.
    pub(crate) async fn settled(&self) {
        if *self.0.borrow() == 0 {
            return;
        }
        let mut changes = self.0.subscribe();
        // It fails when there is no sender left, and this is one.
        let _ = changes.wait_for(|count| *count == 0).await;
    }
}

/// One rollback.
#[derive(Debug)]
pub(crate) struct Pending(Rollbacks);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
