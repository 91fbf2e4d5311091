//! What begins and ends transactions, and the levels within one.

use std::fmt;

use crate::connection::Connection;
use crate::error;

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
            Level::Transaction(number) if number <= KEPT_LEVELS => usize::try_from(number).ok(),
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
    pub(crate) fn control(&mut self, control: Control) -> rusqlite::Result<()> {
        match control {
            Control::Commit => self.commit(),
            other => self.sqlite.run(other),
        }
    }

    /// SQLite asks whether to stop once more when a statement has done all its work, at every thousandth step of all runs of a statement that is kept: that
    /// can be when the transaction has just been committed.
    fn commit(&mut self) -> rusqlite::Result<()> {
        let was_open = !self.sqlite.is_autocommit();
        match self.sqlite.run(Control::Commit) {
            Err(failure) if error::is_interrupt(&failure) && was_open && self.sqlite.is_autocommit() => Ok(()),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn no_two_have_one_place() {
        let levels = (1..=KEPT_LEVELS + 2).map(Level::Transaction).chain([Level::Insert]);
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
}
