//! How a transaction ended, for those who hold on to what was read in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

const OPEN: u8 = 0;
const COMMITTED: u8 = 1;
const UNDONE: u8 = 2;

/// How a transaction ended, or that it has not yet.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    state: AtomicU8,
    /// It holds half of an operation.
    spoilt: AtomicBool,
}

impl Ending {
    pub(crate) fn committed(&self) -> bool {
        self.state.load(Ordering::Acquire) == COMMITTED
    }

    pub(crate) fn undone(&self) -> bool {
        self.state.load(Ordering::Acquire) == UNDONE
    }

    /// Only a rollback is left of it, because an operation of several statements did not come to its end.
    pub(super) fn spoil(&self) {
        self.spoilt.store(true, Ordering::Release);
    }

    pub(super) fn is_spoilt(&self) -> bool {
        self.spoilt.load(Ordering::Acquire)
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
        self.0.state.store(COMMITTED, Ordering::Release);
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let _ = self.0.state.compare_exchange(OPEN, UNDONE, Ordering::AcqRel, Ordering::Acquire);
    }
}
