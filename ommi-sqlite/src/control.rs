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

impl Connection {
    /// Begins or ends a transaction or a level of one.
    pub(crate) fn control(&self, control: Control) -> rusqlite::Result<()> {
        match control {
            Control::BeginWriting => self.execute("BEGIN IMMEDIATE"),
            Control::BeginReading => self.execute("BEGIN DEFERRED"),
            Control::Commit => self.commit(),
            Control::Open(level) => self.execute(&format!("SAVEPOINT {level}")),
            Control::Undo(level) => self.execute(&format!("ROLLBACK TO {level}")),
            Control::Release(level) => self.execute(&format!("RELEASE {level}")),
        }
    }

    /// SQLite asks whether to stop once more when a statement has done all its work, at every thousandth step of all runs of a statement that is kept: that
    /// can be when the transaction has just been committed.
    fn commit(&self) -> rusqlite::Result<()> {
        let was_open = !self.sqlite.is_autocommit();
        match self.execute("COMMIT") {
            Err(failure) if error::is_interrupt(&failure) && was_open && self.sqlite.is_autocommit() => Ok(()),
            result => result,
        }
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.sqlite.prepare_cached(sql)?.raw_execute().map(drop)
    }
}
