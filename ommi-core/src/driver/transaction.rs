//! How a transaction is to run, and how deep in it a statement stands.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a transaction may see of others, as a promise that the store keeps or exceeds.
///
/// The names are those of the SQL standard (ISO/IEC 9075-2, 4.41) and of Berenson et al., *A Critique of ANSI SQL Isolation Levels* (1995),
/// where snapshot isolation comes from. Each level promises what those before it do. A driver declares the strongest that it has
/// ([`Capabilities::isolation`](super::Capabilities::isolation)) and gives every weaker one by the weakest that suffices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Isolation {
    /// Each statement sees what was committed when it began.
    ReadCommitted,
    /// A row that was read stays as it was read.
    RepeatableRead,
    /// All statements see what was committed at one moment; who changes what another has changed since then fails with `Conflict`.
    Snapshot,
    /// As if transactions ran one after the other.
    Serializable,
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Snapshot => "snapshot",
            Isolation::Serializable => "serializable",
        })
    }
}

/// What becomes of a transaction when one within it does not commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Nested {
    /// The inner one is undone by itself, and the outer one goes on.
    #[default]
    Independent,
    /// The outer one can only be rolled back then too. This costs nothing, and works where the store cannot undo a part.
    AbortOuter,
}

/// How a transaction is to run. Where nothing is said, the store's own default holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct TransactionOptions {
    /// At least this isolation.
    pub isolation: Option<Isolation>,
    /// Nothing is written in it; the core sees to that. The driver may use it for a cheaper transaction.
    pub read_only: bool,
    /// It may wait at its beginning so as not to fail later: PostgreSQL's `DEFERRABLE`, for serializable ones that only read.
    pub deferrable: bool,
    /// It begins at once, and takes the right to write then, rather than with its first statement.
    pub immediate: bool,
    /// What a transaction within it means. The core's to see to.
    pub nested: Nested,
}

/// The beginning of a transaction.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Begin {
    /// How it is to run.
    pub options: TransactionOptions,
    /// Where in the application, for messages to those who wait for it; none for the transaction that an operation of several statements has
    /// for itself.
    pub place: Option<&'static Location<'static>>,
}

impl Begin {
    /// A transaction that begins where this is called.
    #[track_caller]
    pub fn new(options: TransactionOptions) -> Begin {
        Begin { options, place: Some(Location::caller()) }
    }

    /// The transaction of an operation of several statements.
    pub(crate) fn of_operation() -> Begin {
        Begin { options: TransactionOptions::default(), place: None }
    }
}

impl Default for Begin {
    /// A transaction of the store's own kind, that begins where this is called.
    #[track_caller]
    fn default() -> Begin {
        Begin::new(TransactionOptions::default())
    }
}

/// What becomes of a level of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LevelEnd {
    /// It becomes part of the level around it.
    Keep,
    /// It is undone.
    Undo,
}

/// Which transactions of the same driver an operation would wait for in vain: it is awaited in their closure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Inside {
    /// One that may write.
    pub writes: bool,
    /// One that only reads.
    pub reads: bool,
}

/// Remembers, for a driver, which levels of a transaction were abandoned: those that [`DriverTransaction::enter`] announced again.
///
/// [`DriverTransaction::enter`]: super::DriverTransaction::enter
#[derive(Debug, Clone)]
pub struct Abandoned(Arc<AtomicU64>);

/// No level was abandoned.
const NONE: u32 = u32::MAX;

/// The first level that was abandoned, and how many levels have begun: the same level that begins again is something else to settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    first: u32,
    begun: u32,
}

impl Mark {
    #[inline]
    fn of(word: u64) -> Mark {
        Mark { first: word as u32, begun: (word >> 32) as u32 }
    }

    fn word(self) -> u64 {
        u64::from(self.begun) << 32 | u64::from(self.first)
    }
}

impl Default for Abandoned {
    fn default() -> Abandoned {
        Abandoned(Arc::new(AtomicU64::new(Mark { first: NONE, begun: 0 }.word())))
    }
}

impl Abandoned {
    /// A level begins: what is open of the same number or beyond was abandoned.
    pub fn enter(&self, level: u32) {
        let begin = |word| {
            let Mark { first, begun } = Mark::of(word);
            Some(Mark { first: first.min(level), begun: begun.wrapping_add(1) }.word())
        };
        // It never refuses.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, begin);
    }

    /// What stays open for a statement of this level. What is open beyond it is to be undone first.
    #[inline]
    pub fn keep(&self, level: u32) -> Kept {
        let mark = Mark::of(self.0.load(Ordering::Acquire));
        Kept { level: mark.first.saturating_sub(1).min(level), mark }
    }

    /// All that were abandoned when this was asked for have been undone. What was since is remembered.
    #[inline]
    pub fn settle(&self, kept: Kept) {
        if kept.mark.first != NONE {
            let settled = Mark { first: NONE, ..kept.mark };
            let (kept, settled) = (kept.mark.word(), settled.word());
            let _ = self.0.compare_exchange(kept, settled, Ordering::AcqRel, Ordering::Acquire);
        }
    }
}

/// What stays open of a transaction.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Kept {
    /// The last level that stays open.
    pub level: u32,
    /// What was known of abandoned ones when this was asked for.
    mark: Mark,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_abandoned_stays_known_until_it_is_undone() {
        let abandoned = Abandoned::default();
        let keep = |level| abandoned.keep(level).level;
        assert_eq!((keep(0), keep(7)), (0, 7));
        abandoned.enter(3);
        abandoned.enter(2);
        abandoned.enter(5);
        assert_eq!((keep(0), keep(1), keep(7)), (0, 1, 1));
        abandoned.settle(abandoned.keep(7));
        assert_eq!(keep(7), 7);
    }

    /// A statement that was dropped may still run on a thread of its own.
    #[test]
    fn what_is_abandoned_while_a_statement_begins_stays_known() {
        let abandoned = Abandoned::default();
        let kept = abandoned.keep(1);
        abandoned.enter(1);
        abandoned.settle(kept);
        assert_eq!(abandoned.keep(1).level, 0);
        // Its own level, begun again by the next one: what it writes still is to be undone.
        let kept = abandoned.keep(1);
        abandoned.enter(1);
        abandoned.settle(kept);
        assert_eq!(abandoned.keep(1).level, 0);
        abandoned.settle(abandoned.keep(1));
        assert_eq!(abandoned.keep(1).level, 1);
    }
}
