//! Where a transaction stands: whether it has begun, and which savepoints are open in it.

use ommi_core::driver::{Abandoned, Isolation, LevelEnd, TransactionOptions};
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::lease::Lease;

/// The levels of a transaction on the server.
#[derive(Debug)]
pub(crate) struct Levels {
    begin: String,
    /// How many savepoints are open.
    open: u32,
    abandoned: Abandoned,
    /// The level in which a statement failed: PostgreSQL takes no other until it is undone.
    failed: Option<u32>,
    /// A savepoint is being ended. When the next statement finds it so, nobody waited for the answer, and what is open is not known.
    ending: bool,
}

impl Levels {
    pub(crate) fn new(options: &TransactionOptions) -> Levels {
        Levels { begin: begin(options), open: 0, abandoned: Abandoned::default(), failed: None, ending: false }
    }

    pub(crate) fn abandoned(&self) -> Abandoned {
        self.abandoned.clone()
    }

    /// A statement of this level failed.
    pub(crate) fn fail(&mut self, level: u32) {
        self.failed = Some(self.failed.map_or(level, |failed| failed.min(level)));
    }

    fn check(&self, level: u32) -> DBResult<()> {
        let detail = match self.failed {
            _ if self.ending => "the end of a transaction within it was given up half-way",
            Some(failed) if failed <= level => "an earlier statement in it failed",
            _ => return Ok(()),
        };
        Err(DBError::new(ErrorKind::TransactionAborted).with_detail(detail))
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
            self.fail(0);
            return Err(error);
        }
        if self.open > kept.level {
            Box::pin(self.undo(kept.level + 1, lease)).await?;
        }
        // One that failed before it was opened is over too.
        self.failed = self.failed.filter(|failed| *failed <= kept.level);
        self.abandoned.settle(kept);
        self.check(level)?;
        while self.open < level {
            // Open from here on, also when the answer is not waited for.
            self.open += 1;
            let text = format!("SAVEPOINT ommi_{}", self.open);
            Box::pin(lease.simple(&text)).await?;
        }
        Ok(())
    }

    /// Ends a level.
    pub(crate) async fn leave(&mut self, level: u32, end: LevelEnd, lease: &mut Lease) -> DBResult<()> {
        if self.open < level {
            self.failed = self.failed.filter(|failed| *failed < level);
            return Ok(());
        }
        match end {
            LevelEnd::Undo => {
                self.check(level.saturating_sub(1))?;
                self.undo(level, lease).await
            }
            LevelEnd::Keep => {
                self.align(level, lease).await?;
                self.end(level, &format!("RELEASE SAVEPOINT ommi_{level}"), lease).await
            }
        }
    }

    async fn undo(&mut self, level: u32, lease: &mut Lease) -> DBResult<()> {
        // The first answer may be that of a statement that nobody waited for.
        lease.drain().await?;
        let text = format!("ROLLBACK TO SAVEPOINT ommi_{level}; RELEASE SAVEPOINT ommi_{level}");
        self.end(level, &text, lease).await?;
        self.failed = self.failed.filter(|failed| *failed < level);
        lease.forget_statements().await
    }

    async fn end(&mut self, level: u32, text: &str, lease: &mut Lease) -> DBResult<()> {
        self.ending = true;
        let result = lease.simple(text).await;
        self.ending = false;
        match result {
            Ok(_) => self.open = level.saturating_sub(1),
            Err(_) => self.fail(0),
        }
        result.map(drop)
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
