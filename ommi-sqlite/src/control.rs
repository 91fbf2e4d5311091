//! What begins and ends transactions, and the levels within one.

use std::fmt;

use crate::connection::Connection;
use crate::error;
use crate::run::Halt;

/// What begins or ends a transaction, or a level of one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Control {
    /// Begins a transaction that writes, as nobody else does meanwhile.
    BeginWriting,
    /// Begins a transaction that only reads.
    BeginReading,
    /// Makes a transaction last.
    Commit,
    /// Begins a level.
    Open(Level),
    /// Undoes what was done in a level, which stays open.
    Undo(Level),
    /// Makes a level, and those in it, part of the one around it.
    Release(Level),
}

/// A savepoint.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Level {
    /// That of a transaction within another, by its number.
    Transaction(u32),
    /// That which holds the pieces of one insert together.
    Insert,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::Transaction(number) => write!(f, "ommi_{number}"),
            Level::Insert => f.write_str("ommi_insert"),
        }
    }
}

/// Of so many levels the statements are kept. Few programs have more.
const KEPT_LEVELS: u32 = 16;

impl Level {
    /// Its place among those whose statements are kept.
    fn number(self) -> Option<usize> {
        match self {
            Level::Insert => Some(0),
            Level::Transaction(number @ 1..=KEPT_LEVELS) => usize::try_from(number).ok(),
            Level::Transaction(_) => None,
        }
    }
}

impl Control {
    /// Its place among the statements that are kept; none where it is not.
    pub(crate) fn number(self) -> Option<usize> {
        let of = |level: Level, which: usize| Some(3 + 3 * level.number()? + which);
        match self {
            Control::BeginWriting => Some(0),
            Control::BeginReading => Some(1),
            Control::Commit => Some(2),
            Control::Open(level) => of(level, 0),
            Control::Undo(level) => of(level, 1),
            Control::Release(level) => of(level, 2),
        }
    }
}

/// As SQL.
impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Control::BeginWriting => f.write_str("BEGIN IMMEDIATE"),
            Control::BeginReading => f.write_str("BEGIN DEFERRED"),
            Control::Commit => f.write_str("COMMIT"),
            Control::Open(level) => write!(f, "SAVEPOINT {level}"),
            Control::Undo(level) => write!(f, "ROLLBACK TO {level}"),
            Control::Release(level) => write!(f, "RELEASE {level}"),
        }
    }
}

impl Connection {
    /// Begins or ends a transaction or a level of one.
    ///
    /// Nothing stops it. SQLite asks whether to stop at every thousandth step of all runs of a statement that is kept, and once more when the statement has done
    /// all its work: what was reported as failed would have happened. It takes one step, so there is nothing to gain either.
    pub(crate) fn control(&mut self, control: Control) -> Result<(), Halt> {
        self.watch.set_firm(true);
        let done = self.sqlite.run(control);
        self.watch.set_firm(false);
        done.map_err(|failure| failed(failure, control))
    }
}

/// What becomes of a failure to begin or to end.
fn failed(failure: rusqlite::Error, control: Control) -> Halt {
    match error::is_busy(&failure) {
        true => Halt::Busy(Box::new(failure)),
        false => Halt::Failed(error::in_doubt(failure, matches!(control, Control::Commit), error::general)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rusqlite::ffi;

    use super::*;

    #[test]
    fn no_two_have_one_place() {
        let levels = (0..=KEPT_LEVELS + 2).map(Level::Transaction).chain([Level::Insert]);
        let of_levels = levels.flat_map(|level| [Control::Open(level), Control::Undo(level), Control::Release(level)]);
        let mut places = HashMap::new();
        for control in of_levels.chain([Control::BeginReading, Control::BeginWriting, Control::Commit]) {
            if let Some(place) = control.number() {
                let text = control.to_string();
                assert_eq!(*places.entry(place).or_insert_with(|| text.clone()), text);
            }
        }
        assert_eq!(places.len(), 3 * (KEPT_LEVELS as usize + 1) + 3);
    }

    #[test]
    fn what_became_of_a_commit_is_not_known_where_the_disk_failed() {
        let is_open = |code, control| {
            let failure = rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("why".to_owned()));
            match failed(failure, control) {
                Halt::Failed(error) => error.is_outcome_unknown() && !error.is_retryable(),
                _ => false,
            }
        };
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE] {
            assert!(is_open(code, Control::Commit));
            assert!(!is_open(code, Control::BeginWriting));
            assert!(!is_open(code, Control::Release(Level::Insert)));
        }
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_CONSTRAINT_FOREIGNKEY, ffi::SQLITE_BUSY] {
            assert!(!is_open(code, Control::Commit));
        }
    }
}
