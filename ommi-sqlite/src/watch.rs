//! What may stop a statement while it runs.
//!
//! SQLite calls a progress handler every [`STEPS`] instructions; the handler of a connection asks its [`Watch`]. So a statement ends
//! when its time is over, when nobody waits for it any more, or when it takes too long for the place it runs in. A point
//! read is over long before the first call and pays nothing.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How many instructions lie between two looks at the clock: 10 to 50 us of them.
pub(crate) const STEPS: i32 = 1_000;

/// How long a read may keep the thread of the task that asked for it, from the first look at the clock on.
///
/// Some ten thousand short rows. To read those on another thread takes half as long again: what is allocated there is freed here.
pub(crate) const BUDGET: Duration = Duration::from_millis(4);

/// The clock's zero.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

const NEVER: u64 = u64::MAX;

/// The state of the statement that a connection runs, seen by the progress handler and by whoever cancels it.
///
/// Only the holder of the connection changes it, but for `cancelled`. That is why single loads and stores without order will do.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Counts the runs, so that a late cancellation cannot hit the next one.
    run: AtomicU64,
    /// The last run that was cancelled.
    cancelled: AtomicU64,
    limited: AtomicBool,
    deadline: AtomicU64,
    /// When the handler was called first in this run; zero before that.
    first_look: AtomicU64,
    reason: AtomicU8,
    /// What runs is not stopped, whatever else holds.
    firm: AtomicBool,
}

/// Why a statement was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// It runs long and must go on elsewhere.
    Budget,
    /// Its time is over.
    Deadline,
    /// Nobody waits for it.
    Cancelled,
}

fn now() -> u64 {
    nanos(Instant::now())
}

fn nanos(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(*START).as_nanos()).unwrap_or(NEVER).max(1)
}

impl Default for Watch {
    /// Nothing is stopped.
    fn default() -> Watch {
        Watch {
            run: AtomicU64::new(1),
            cancelled: AtomicU64::new(0),
            limited: AtomicBool::new(false),
            deadline: AtomicU64::new(NEVER),
            first_look: AtomicU64::new(0),
            reason: AtomicU8::new(0),
            firm: AtomicBool::new(false),
        }
    }
}

impl Watch {
    /// Begins a run on the task's own thread.
    pub(crate) fn next_run(&self) -> u64 {
        let run = self.run.load(Relaxed) + 1;
        self.run.store(run, Relaxed);
        run
    }

    /// Begins a statement of the run: `limited` ones stop after [`BUDGET`].
    pub(crate) fn start(&self, limited: bool, deadline: Option<Instant>) {
        self.limited.store(limited, Relaxed);
        self.deadline.store(deadline.map_or(NEVER, nanos), Relaxed);
        self.first_look.store(0, Relaxed);
        self.reason.store(0, Relaxed);
    }

    /// Ends a run from elsewhere.
    pub(crate) fn cancel(&self, run: u64) {
        self.cancelled.fetch_max(run, Relaxed);
    }

    /// Whether this run was cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed) == self.run.load(Relaxed)
    }

    /// Says whether what runs next may be stopped.
    pub(crate) fn set_firm(&self, firm: bool) {
        self.firm.store(firm, Relaxed);
    }

    /// The progress handler: whether to stop.
    pub(crate) fn look(&self) -> bool {
        if self.firm.load(Relaxed) {
            return false;
        }
        if self.is_cancelled() {
            return self.stop(Stopped::Cancelled);
        }
        let now = now();
        if now >= self.deadline.load(Relaxed) {
            return self.stop(Stopped::Deadline);
        }
        match self.first_look.load(Relaxed) {
            0 => self.first_look.store(now, Relaxed),
            first if self.limited.load(Relaxed) && now - first > BUDGET.as_nanos() as u64 => {
                return self.stop(Stopped::Budget);
            }
            _ => {}
        }
        false
    }

    fn stop(&self, reason: Stopped) -> bool {
        self.reason.store(reason as u8 + 1, Relaxed);
        true
    }

    /// Why the statement was stopped, if the handler did it.
    pub(crate) fn stopped(&self) -> Option<Stopped> {
        match self.reason.load(Relaxed) {
            1 => Some(Stopped::Budget),
            2 => Some(Stopped::Deadline),
            3 => Some(Stopped::Cancelled),
            _ => None,
        }
    }

    /// How long the statement has run since the handler was called first; zero where it was not called.
    pub(crate) fn run_time(&self) -> Duration {
        match self.first_look.load(Relaxed) {
            0 => Duration::ZERO,
            first => Duration::from_nanos(now().saturating_sub(first)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancellation_hits_its_own_run_only() {
        let watch = Watch::default();
        let run = watch.next_run();
        watch.start(false, None);
        assert!(!watch.look());
        watch.next_run();
        watch.start(false, None);
        watch.cancel(run);
        assert!(!watch.look());
        watch.cancel(run + 1);
        assert!(watch.look());
        assert_eq!(watch.stopped(), Some(Stopped::Cancelled));
    }

    #[test]
    fn what_is_firm_is_not_stopped() {
        let watch = Watch::default();
        let run = watch.next_run();
        watch.start(true, Some(Instant::now()));
        watch.cancel(run);
        watch.set_firm(true);
        assert!(!watch.look());
        watch.set_firm(false);
        assert!(watch.look());
    }

    #[test]
    fn only_a_limited_statement_runs_out_of_its_budget() {
        let watch = Watch::default();
        watch.next_run();
        for limited in [false, true] {
            watch.start(limited, None);
            assert!(!watch.look());
            std::thread::sleep(BUDGET * 2);
            assert_eq!(watch.look(), limited);
            assert!(watch.run_time() > BUDGET);
        }
        assert_eq!(watch.stopped(), Some(Stopped::Budget));
        watch.start(false, Some(Instant::now()));
        assert!(watch.look());
        assert_eq!(watch.stopped(), Some(Stopped::Deadline));
    }
}
