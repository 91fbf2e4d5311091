//! How a transaction ended, for those who hold on to what was read in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const OPEN: u8 = 0;
const COMMITTED: u8 = 1;
const UNDONE: u8 = 2;

/// How a transaction ended, or that it has not yet.
#[derive(Debug, Default)]
pub(crate) struct Ending(AtomicU8);

impl Ending {
    pub(crate) fn committed(&self) -> bool {
        self.0.load(Ordering::Acquire) == COMMITTED
    }

    pub(crate) fn undone(&self) -> bool {
        self.0.load(Ordering::Acquire) == UNDONE
    }
}

/// Sees to it that a transaction's ending is told, whatever becomes of it.
#[derive(Debug, Default)]
pub(super) struct Teller(Arc<Ending>);

impl Teller {
    pub(super) fn ending(&self) -> &Arc<Ending> {
        &self.0
    }

    /// It was committed.
    pub(super) fn committed(self) {
        self.0.0.store(COMMITTED, Ordering::Release);
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let _ = self.0.0.compare_exchange(OPEN, UNDONE, Ordering::AcqRel, Ordering::Acquire);
    }
}
