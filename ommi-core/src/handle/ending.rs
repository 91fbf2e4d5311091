//! How a transaction ended, for those who hold on to what was read in it.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use futures::lock::Mutex;

use crate::error::DBError;

const OPEN: u8 = 0;
const COMMITTED: u8 = 1;
const UNDONE: u8 = 2;

/// How a transaction ended, or that it has not yet.
#[derive(Debug, Default)]
pub struct Ending {
    state: AtomicU8,
    /// It holds half of an operation, whose error this is if it had one.
    spoilt: OnceLock<Option<DBError>>,
    /// How many statements were given to the driver in it, give or take those that run at the same time.
    statements: AtomicU32,
    /// Held by who loads related rows in it, so that others in it wait for that instead of doing the same.
    loading: Mutex<()>,
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

    /// Whether it, and those around it, were committed.
    pub(crate) fn is_committed(self: &Arc<Ending>) -> bool {
        self.and_outer().all(|ending| ending.state.load(Ordering::Acquire) == COMMITTED)
    }

    /// Whether it, or one around it, was rolled back.
    pub(crate) fn undone(self: &Arc<Ending>) -> bool {
        self.and_outer().any(|ending| ending.state.load(Ordering::Acquire) == UNDONE)
    }

    /// The right to load related rows in it. Its statements take turns anyway, so one right for all relations keeps nobody waiting who would not
    /// wait without it; nor does who holds it wait for anything but those statements.
    pub(crate) fn loading(&self) -> &Mutex<()> {
        &self.loading
    }

    /// Only a rollback is left of it, because an operation of several statements did not come to its end.
    pub(super) fn spoil(&self, error: Option<DBError>) {
        // The first reason is the one that is told.
        let _ = self.spoilt.set(error);
    }

    pub(super) fn is_spoilt(&self) -> bool {
        self.spoilt.get().is_some()
    }

    /// The error of the operation that it holds half of.
    pub(super) fn spoilt_by(&self) -> Option<&DBError> {
        self.spoilt.get()?.as_ref()
    }

    /// A statement is given to the driver.
    pub(super) fn count_statement(&self) {
        // Two at once may count as one; nobody asks for more than whether there was any.
        self.statements.store(self.statements().wrapping_add(1), Ordering::Release);
    }

    pub(super) fn statements(&self) -> u32 {
        self.statements.load(Ordering::Acquire)
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
    pub(super) fn committed(&self) {
        self.0.state.store(COMMITTED, Ordering::Release);
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let _ = self.0.state.compare_exchange(OPEN, UNDONE, Ordering::AcqRel, Ordering::Acquire);
    }
}
