//! A handle's side of a program: a task that takes its steps, whose transactions are its stack.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use ommi::pending::Operation;
use ommi::prelude::*;
use ommi::{Nested, Pending};
use tokio::sync::mpsc;

use super::Cell;
use super::model::{Action, End, Rows, Write};
use crate::dropped::drop_after;

/// What a handle answers to a step.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) result: DBResult<u64>,
    /// The handle's rows after it, where it looked.
    pub(super) rows: Option<DBResult<Rows>>,
    /// A statement was dropped before its end, and its transaction with it.
    pub(super) cut: bool,
}

/// A row of a handle: its numbers are nobody else's.
fn cell(owner: i64, id: i64, slot: Option<i64>, value: i64) -> Cell {
    Cell { id: owner * 100 + id, owner, slot: slot.map(|slot| owner * 100 + slot), value }
}

/// A row as the model has it.
pub(super) fn entry(cell: Cell) -> (i64, (Option<i64>, i64)) {
    let own = |number: i64| number - cell.owner * 100;
    (own(cell.id), (cell.slot.map(own), cell.value))
}

/// Does to the database what a write does.
async fn write(db: &impl Handle, owner: i64, write: Write, limit: Option<Duration>) -> DBResult<u64> {
    fn within<O: Operation>(operation: Pending<O>, limit: Option<Duration>) -> Pending<O> {
        match limit {
            Some(limit) => operation.timeout(limit),
            None => operation,
        }
    }
    let own = || Cell::owner.eq(owner);
    let at = |id: i64| owner * 100 + id;
    match write {
        Write::Add { id, slot, value } => within(db.add(cell(owner, id, slot, value)), limit).await.map(|_| 1),
        Write::AddTwo { id, other } => {
            let rows = within(db.add_all([cell(owner, id, None, 1), cell(owner, other, None, 2)]), limit).await?;
            Ok(rows.len() as u64)
        }
        Write::Put { id, slot, value } => {
            let put = db.upsert(cell(owner, id, slot, value)).on(Cell::id).update(Cell::value.increment(1));
            within(put, limit).await.map(|_| 1)
        }
        Write::Raise { from, by } => {
            within(db.find(own() & Cell::id.ge(at(from))).update(Cell::value.increment(by)), limit).await
        }
        Write::Move { id, slot } => {
            within(db.find(own() & Cell::id.eq(at(id))).update(Cell::slot.set(slot.map(at))), limit).await
        }
        Write::Save { id, slot, value } => within(db.save(&mut cell(owner, id, slot, value)), limit).await.map(|()| 1),
        Write::Delete { from, to } => within(db.find(own() & Cell::id.between(at(from), at(to))).delete(), limit).await,
    }
}

async fn rows(db: &impl Handle, owner: i64) -> DBResult<Rows> {
    let cells = db.find(Cell::owner.eq(owner)).all().await?;
    Ok(cells.into_iter().map(entry).collect())
}

/// Three reads, polled together.
async fn look(db: &impl Handle, owner: i64) -> DBResult<u64> {
    let count = || async { db.find(Cell::owner.eq(owner)).count().await };
    let (first, all, last) = futures::join!(count(), rows(db, owner), count());
    let (first, all, last) = (first?, all?.len() as u64, last?);
    match (first, last) == (all, all) {
        true => Ok(all),
        false => Err(DBError::query(format!("{first}, {all} and {last} rows, of a handle that does nothing else"))),
    }
}

pub(super) struct Player {
    pub(super) owner: i64,
    pub(super) steps: mpsc::Receiver<Action>,
    pub(super) replies: mpsc::Sender<Reply>,
}

/// How a transaction comes to its end.
struct Ends {
    end: End,
    cut: bool,
}

impl Player {
    async fn reply(&self, result: DBResult<u64>, rows: Option<DBResult<Rows>>, cut: bool) {
        // Nobody listens any more when a step before it was wrong.
        let _ = self.replies.send(Reply { result, rows, cut }).await;
    }

    /// Plays outside of any transaction.
    pub(super) async fn play(mut self, db: Ommi) {
        while let Some(action) = self.steps.recv().await {
            match action {
                Action::Begin { abort_outer } => {
                    let mut begin = db.build_transaction();
                    if abort_outer {
                        begin = begin.nested(Nested::AbortOuter);
                    }
                    match begin.begin().await {
                        Err(error) => self.reply(Err(error), None, false).await,
                        Ok(mut tx) => {
                            self.reply(Ok(0), None, false).await;
                            let Ends { end, cut } = self.within(&mut tx).await;
                            let result = finish(tx, end).await;
                            let seen = rows(&db, self.owner).await;
                            self.reply(result, Some(seen), cut).await;
                        }
                    }
                }
                action => {
                    let result = self.take(&db, action).await;
                    let seen = rows(&db, self.owner).await;
                    self.reply(result.unwrap_or(Ok(0)), Some(seen), false).await;
                }
            }
        }
    }

    /// Plays in a transaction, until one of its ends.
    fn within<'a>(&'a mut self, tx: &'a mut Transaction<'_>) -> BoxFuture<'a, Ends> {
        async move {
            while let Some(action) = self.steps.recv().await {
                match action {
                    Action::End(end) => return Ends { end, cut: false },
                    Action::Begin { .. } => {
                        let (result, cut) = {
                            let begun = tx.begin().await;
                            match begun {
                                Err(error) => {
                                    self.reply(Err(error), None, false).await;
                                    continue;
                                }
                                Ok(mut inner) => {
                                    self.reply(Ok(0), None, false).await;
                                    let Ends { end, cut } = self.within(&mut inner).await;
                                    (finish(inner, end).await, cut)
                                }
                            }
                        };
                        let seen = rows(tx, self.owner).await;
                        self.reply(result, Some(seen), cut).await;
                    }
                    action => match self.take(tx, action).await {
                        Some(result) => {
                            let seen = rows(tx, self.owner).await;
                            self.reply(result, Some(seen), false).await;
                        }
                        None => {
                            let drops = matches!(action, Action::Cut { drops: true, .. });
                            return Ends { end: if drops { End::Drop } else { End::RollBack }, cut: true };
                        }
                    },
                }
            }
            Ends { end: End::Drop, cut: false }
        }
        .boxed()
    }

    /// Takes a step that begins and ends nothing. Gives nothing where it was dropped before its end.
    async fn take(&self, db: &impl Handle, action: Action) -> Option<DBResult<u64>> {
        match action {
            Action::Write(what) => Some(write(db, self.owner, what, None).await),
            Action::Late(what) => Some(write(db, self.owner, what, Some(Duration::ZERO)).await),
            Action::Cut { write: what, polls, .. } => drop_after(polls, write(db, self.owner, what, None)).await,
            Action::Look => Some(look(db, self.owner).await),
            Action::Begin { .. } | Action::End(_) => Some(Ok(0)),
        }
    }
}

async fn finish(tx: Transaction<'_>, end: End) -> DBResult<u64> {
    match end {
        End::Commit => tx.commit().await?,
        End::RollBack => tx.rollback().await?,
        End::Drop => drop(tx),
        End::Forget => std::mem::forget(tx),
    }
    Ok(0)
}
