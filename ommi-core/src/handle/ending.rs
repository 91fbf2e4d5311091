//! How a transaction ended, for those who hold on to what was read in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

const OPEN: u8 = 0;
const COMMITTED: u8 = 1;
const UNDONE: u8 = 2;

/// How a transaction ended, or that it has not yet.
#[derive(Debug, Default)]
pub struct Ending {
    state: AtomicU8,
    /// It holds half of an operation.
    spoilt: AtomicBool,
    /// That of the transaction around it.
    outer: Option<Arc<Ending>>,
}

impl Ending {
    /// This one, and those of the transactions around it.
    fn and_outer(self: &Arc<Ending>) -> impl Iterator<Item = &Arc<Ending>> {
        std::iter::successors(Some(self), |ending| ending.outer.as_ref())
    }

    /// Whether what was read in it may be used by who stands at this other one, or in none: it has become part of the other, or the other of
    /// it, or of the database.
    pub(crate) fn is_seen_from(self: &Arc<Ending>, at: Option<&Arc<Ending>>) -> bool {
        for ending in self.and_outer() {
            if at.is_some_and(|at| at.and_outer().any(|at| Arc::ptr_eq(at, ending))) {
                return true;
            }
            if ending.state.load(Ordering::Acquire) != COMMITTED {
                return false;
            }
        }
        true
    }

    /// Whether it, or one around it, was rolled back.
    pub(crate) fn undone(self: &Arc<Ending>) -> bool {
        self.and_outer().any(|ending| ending.state.load(Ordering::Acquire) == UNDONE)
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
    /// For a transaction within that of this ending.
    pub(super) fn within(outer: &Arc<Ending>) -> Teller {
        Teller(Arc::new(Ending { outer: Some(outer.clone()), ..Ending::default() }))
    }

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
