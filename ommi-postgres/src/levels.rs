//! Where a transaction stands: whether it has begun, and which savepoints are open in it.
//!
//! A level that is kept needs no answer of the server's, unless a statement was dropped half-way or failed, and none went well since: its savepoint is left
//! where it is, for COMMIT to end, or the message that sets the next one. Until then it changes nothing but what a rollback to it would undo, and nobody asks for that.

use std::fmt::{self, Write as _};

use ommi_core::driver::{Abandoned, Isolation, LevelEnd, TransactionOptions};
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::lease::Lease;

/// The levels of a transaction on the server.
#[derive(Debug)]
pub(crate) struct Levels {
    begin: String,
    /// The savepoints of the levels that are open, the outermost first.
    open: Vec<Savepoint>,
    /// The savepoint of a level that was kept, within those that are open. It stands on the server, and others may within it.
    kept: Option<Savepoint>,
    abandoned: Abandoned,
    /// The level in which a statement failed, and how: PostgreSQL takes no other until it is undone.
    failed: Option<(u32, DBError)>,
    /// A level is being ended. When the next statement finds it so, nobody waited for the answer, and what is open is not known.
    ending: bool,
}

/// A savepoint by its name. Names are few, since PostgreSQL's statistics know each text by itself; but the one after a savepoint that was kept has another,
/// so that a level whose savepoint could not be set is never undone to the one before it.
#[derive(Debug, Clone, Copy)]
struct Savepoint {
    level: u32,
    other: bool,
}

impl fmt::Display for Savepoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SAVEPOINT ommi_{}{}", self.level, if self.other { "b" } else { "" })
    }
}

impl Levels {
    pub(crate) fn new(options: &TransactionOptions) -> Levels {
        Levels {
            begin: begin(options),
            open: Vec::new(),
            kept: None,
            abandoned: Abandoned::default(),
            failed: None,
            ending: false,
        }
    }

    pub(crate) fn abandoned(&self) -> Abandoned {
        self.abandoned.clone()
    }

    /// A statement of this level failed.
    pub(crate) fn fail(&mut self, level: u32, error: &DBError) {
        if self.failed.as_ref().is_none_or(|(failed, _)| level < *failed) {
            self.failed = Some((level, error.clone()));
        }
    }

    /// This level was undone, and those within it.
    fn forgive(&mut self, level: u32) {
        self.failed = self.failed.take().filter(|(failed, _)| *failed < level);
    }

    fn check(&self, level: u32) -> DBResult<()> {
        let aborted = DBError::new(ErrorKind::TransactionAborted);
        match &self.failed {
            _ if self.ending => Err(aborted.with_detail("the end of a transaction within it was given up half-way")),
            Some((failed, error)) if *failed <= level => {
                Err(aborted.with_detail("an earlier statement in it failed").with_source(error.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Begins where it has not begun, undoes the levels beyond this one, which were abandoned, and opens those up to it.
    pub(crate) async fn align(&mut self, level: u32, lease: &mut Lease) -> DBResult<()> {
        let kept = self.abandoned.keep(level);
        self.check(kept.level)?;
        // What most statements do not need is boxed, to be no part of their futures.
        if !lease.begun
            && let Err(error) = Box::pin(lease.begin_as(&self.begin)).await
        {
            // Without it the next statement would be one by itself.
            self.fail(0, &error);
            return Err(error);
        }
        if self.depth() > kept.level {
            Box::pin(self.undo(kept.level + 1, lease)).await?;
        }
        // One that failed before it was opened is over too.
        self.forgive(kept.level + 1);
        self.abandoned.settle(kept);
        self.check(level)?;
        if self.depth() < level {
            Box::pin(self.open(level, lease)).await?;
        }
        Ok(())
    }

    /// Opens the levels up to this one.
    async fn open(&mut self, level: u32, lease: &mut Lease) -> DBResult<()> {
        // The message waits for answers that nobody took. Given up meanwhile, it would not be sent, and the levels be taken for open.
        if let Err(error) = lease.settle().await {
            self.fail(self.depth(), &error);
            return Err(error);
        }
        let text = self.opening(level);
        lease.simple(&text).await.map(drop)
    }

    fn depth(&self) -> u32 {
        self.open.len() as u32
    }

    /// What opens the levels up to this one, in one message. They count as open from here on, also when the answer is not waited for.
    fn opening(&mut self, level: u32) -> String {
        let mut text = String::new();
        let mut other = false;
        if let Some(kept) = self.kept.take() {
            // A string takes all that is written.
            let _ = write!(text, "RELEASE {kept}; ");
            other = !kept.other;
        }
        while self.depth() < level {
            let next = Savepoint { level: self.depth() + 1, other };
            self.open.push(next);
            let _ = write!(text, "{next}; ");
            other = false;
        }
        text
    }

    /// Ends a level.
    pub(crate) async fn leave(&mut self, level: u32, end: LevelEnd, lease: &mut Lease) -> DBResult<()> {
        if self.depth() < level {
            self.forgive(level);
            return Ok(());
        }
        match end {
            LevelEnd::Undo => {
                self.check(level.saturating_sub(1))?;
                self.undo(level, lease).await
            }
            LevelEnd::Keep => {
                // What was abandoned within it is undone.
                self.align(level, lease).await?;
                self.keep(level, lease).await
            }
        }
    }

    /// Keeps the innermost level.
    async fn keep(&mut self, level: u32, lease: &mut Lease) -> DBResult<()> {
        let Some(savepoint) = self.open.last().copied() else { return Ok(()) };
        if lease.is_doubtful() {
            // A statement may have failed in it without anybody's hearing of it. Then it can still be undone.
            self.end(&format!("RELEASE {savepoint}"), level, lease).await?;
            self.open.pop();
        } else {
            self.kept = self.open.pop();
        }
        Ok(())
    }

    /// Undoes a level that is open, and all within it.
    async fn undo(&mut self, level: u32, lease: &mut Lease) -> DBResult<()> {
        let outer = level.saturating_sub(1);
        let Some(savepoint) = self.open.get(outer as usize).copied() else { return Ok(()) };
        // The first answer may be that of a statement that nobody waited for.
        lease.drain().await?;
        self.end(&format!("ROLLBACK TO {savepoint}; RELEASE {savepoint}"), 0, lease).await?;
        self.open.truncate(outer as usize);
        self.forgive(level);
        lease.forget_statements().await
    }

    /// Ends a level on the server, and with it what was kept within. When that fails, this level has failed.
    async fn end(&mut self, text: &str, failing: u32, lease: &mut Lease) -> DBResult<()> {
        self.ending = true;
        let ended = lease.simple(text).await;
        self.ending = false;
        match &ended {
            Ok(_) => self.kept = None,
            Err(error) => self.fail(failing, error),
        }
        ended.map(drop)
    }
}

/// The statement that begins a transaction. PostgreSQL's REPEATABLE READ is snapshot isolation (its manual, chapter 13.2.2).
fn begin(options: &TransactionOptions) -> String {
    let mut text = "BEGIN".to_owned();
    text += match options.isolation {
        None => "",
        Some(Isolation::ReadCommitted) => " ISOLATION LEVEL READ COMMITTED",
        Some(Isolation::RepeatableRead | Isolation::Snapshot) => " ISOLATION LEVEL REPEATABLE READ",
        Some(_) => " ISOLATION LEVEL SERIALIZABLE",
    };
    if options.read_only {
        text += " READ ONLY";
    }
    if options.deferrable {
        text += " DEFERRABLE";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_opened_in_one_message() {
        let mut levels = Levels::new(&TransactionOptions::default());
        assert_eq!(levels.opening(2), "SAVEPOINT ommi_1; SAVEPOINT ommi_2; ");
        assert_eq!(levels.opening(2), "");
        // What was kept goes with the message that sets the next one, which has another name.
        levels.kept = levels.open.pop();
        assert_eq!(levels.opening(3), "RELEASE SAVEPOINT ommi_2; SAVEPOINT ommi_2b; SAVEPOINT ommi_3; ");
        assert!(levels.kept.is_none() && levels.depth() == 3);
        levels.open.truncate(2);
        levels.kept = levels.open.pop();
        assert_eq!(levels.opening(2), "RELEASE SAVEPOINT ommi_2b; SAVEPOINT ommi_2; ");
        levels.open.truncate(1);
        levels.kept = levels.open.pop();
        assert_eq!(levels.opening(1), "RELEASE SAVEPOINT ommi_1; SAVEPOINT ommi_1b; ");
    }

    #[test]
    fn a_transaction_begins_as_it_was_asked_to() {
        let mut options = TransactionOptions::default();
        assert_eq!(begin(&options), "BEGIN");
        options.isolation = Some(Isolation::Snapshot);
        assert_eq!(begin(&options), "BEGIN ISOLATION LEVEL REPEATABLE READ");
        options.isolation = Some(Isolation::ReadCommitted);
        options.read_only = true;
        assert_eq!(begin(&options), "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY");
        options.isolation = Some(Isolation::Serializable);
        options.deferrable = true;
        assert_eq!(begin(&options), "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE");
    }
}
