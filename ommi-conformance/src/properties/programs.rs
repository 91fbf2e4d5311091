//! Programs of up to three handles that begin, nest, write, commit, roll back, drop and fail in any order, against a model of what must be
//! seen.
//!
//! Each handle has rows of its own, so that nobody waits for another, and reads all of its own rows after every step; in between a bystander
//! reads what is committed. Where writers take turns, a step that would wait for another handle's transaction is left out.

use std::collections::BTreeMap;

use futures::future::{BoxFuture, FutureExt};
use ommi::prelude::*;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tokio::sync::mpsc;

use crate::Database;
use crate::run::{open, runtime};

#[derive(Debug, Clone, PartialEq, Model)]
struct Cell {
    id: i64,
    owner: i64,
    #[ommi(unique)]
    slot: Option<i64>,
    value: i64,
}

const HANDLES: i64 = 3;
const IDS: i64 = 6;
const SLOTS: i64 = 4;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Action {
    /// A transaction, or one within the innermost.
    Begin,
    Add {
        id: i64,
        slot: Option<i64>,
        value: i64,
    },
    AddTwo {
        id: i64,
        other: i64,
    },
    Put {
        id: i64,
        slot: Option<i64>,
        value: i64,
    },
    Raise {
        from: i64,
        by: i64,
    },
    Move {
        id: i64,
        slot: Option<i64>,
    },
    Save {
        id: i64,
        slot: Option<i64>,
        value: i64,
    },
    Delete {
        from: i64,
        to: i64,
    },
    /// The ends of the innermost transaction.
    Commit,
    RollBack,
    Drop,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    handle: i64,
    action: Action,
}

fn action() -> impl Strategy<Value = Action> {
    let id = || 0..IDS;
    let slot = || proptest::option::weighted(0.7, 0..SLOTS);
    prop_oneof![
        5 => Just(Action::Begin),
        4 => (id(), slot(), 0..100i64).prop_map(|(id, slot, value)| Action::Add { id, slot, value }),
        2 => (id(), id()).prop_map(|(id, other)| Action::AddTwo { id, other }),
        2 => (id(), slot(), 0..100i64).prop_map(|(id, slot, value)| Action::Put { id, slot, value }),
        2 => (id(), 1..10i64).prop_map(|(from, by)| Action::Raise { from, by }),
        3 => (id(), slot()).prop_map(|(id, slot)| Action::Move { id, slot }),
        2 => (id(), slot(), 0..100i64).prop_map(|(id, slot, value)| Action::Save { id, slot, value }),
        2 => (id(), id()).prop_map(|(from, to)| Action::Delete { from, to }),
        3 => Just(Action::Commit),
        2 => Just(Action::RollBack),
        1 => Just(Action::Drop),
    ]
}

fn program() -> impl Strategy<Value = Vec<Step>> {
    // Mostly the first handle, so that it gets somewhere.
    let handle = prop_oneof![6 => Just(0), 2 => Just(1), 1 => Just(2)];
    proptest::collection::vec((handle, action()).prop_map(|(handle, action)| Step { handle, action }), 1..28)
}

/// The rows of one handle: by id, the slot and the value.
type Rows = BTreeMap<i64, (Option<i64>, i64)>;

/// What a step must give.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Done(u64),
    NotFound,
    Violation,
    Aborted,
}

/// A transaction as it should be.
#[derive(Debug, Clone)]
struct Level {
    rows: Rows,
    failed: bool,
}

/// What should be there.
#[derive(Debug, Default)]
struct Model {
    committed: [Rows; HANDLES as usize],
    open: [Vec<Level>; HANDLES as usize],
}

impl Model {
    fn rows(&self, handle: usize) -> &Rows {
        self.open[handle].last().map_or(&self.committed[handle], |level| &level.rows)
    }

    fn step(&mut self, handle: usize, action: Action) -> Outcome {
        if self.open[handle].last().is_some_and(|level| level.failed)
            && !matches!(action, Action::Commit | Action::RollBack | Action::Drop)
        {
            return Outcome::Aborted;
        }
        match action {
            Action::Begin => {
                let rows = self.rows(handle).clone();
                self.open[handle].push(Level { rows, failed: false });
                Outcome::Done(0)
            }
            Action::Commit => match self.open[handle].pop() {
                Some(level) if level.failed => Outcome::Aborted,
                Some(level) => {
                    match self.open[handle].last_mut() {
                        Some(outer) => outer.rows = level.rows,
                        None => self.committed[handle] = level.rows,
                    }
                    Outcome::Done(0)
                }
                None => Outcome::Done(0),
            },
            Action::RollBack | Action::Drop => {
                self.open[handle].pop();
                Outcome::Done(0)
            }
            write => {
                let mut rows = self.rows(handle).clone();
                let outcome = apply(&mut rows, write);
                match (self.open[handle].last_mut(), outcome) {
                    (Some(level), Outcome::Violation) => level.failed = true,
                    (None, Outcome::Violation) => {}
                    (Some(level), _) => level.rows = rows,
                    (None, _) => self.committed[handle] = rows,
                }
                outcome
            }
        }
    }
}

/// Does to rows what a write does.
fn apply(rows: &mut Rows, write: Action) -> Outcome {
    let taken = |rows: &Rows, id: i64, slot: Option<i64>| {
        slot.is_some() && rows.iter().any(|(other, row)| *other != id && row.0 == slot)
    };
    let set = |rows: &mut Rows, id: i64, slot: Option<i64>, value: Option<i64>, missing: Outcome| match rows
        .get(&id)
        .copied()
    {
        None => missing,
        Some(_) if taken(rows, id, slot) => Outcome::Violation,
        Some((_, old)) => {
            rows.insert(id, (slot, value.unwrap_or(old)));
            Outcome::Done(1)
        }
    };
    match write {
        Action::Add { id, slot, value } => {
            if rows.contains_key(&id) || taken(rows, id, slot) {
                return Outcome::Violation;
            }
            rows.insert(id, (slot, value));
            Outcome::Done(1)
        }
        Action::AddTwo { id, other } => {
            if id == other || rows.contains_key(&id) || rows.contains_key(&other) {
                return Outcome::Violation;
            }
            rows.insert(id, (None, 1));
            rows.insert(other, (None, 2));
            Outcome::Done(2)
        }
        Action::Put { id, slot, value } => {
            if !rows.contains_key(&id) && taken(rows, id, slot) {
                return Outcome::Violation;
            }
            rows.entry(id).and_modify(|row| row.1 += 1).or_insert((slot, value));
            Outcome::Done(1)
        }
        Action::Raise { from, by } => {
            let reached = rows.range_mut(from..).map(|(_, row)| row.1 += by).count();
            Outcome::Done(reached as u64)
        }
        Action::Move { id, slot } => set(rows, id, slot, None, Outcome::Done(0)),
        Action::Save { id, slot, value } => set(rows, id, slot, Some(value), Outcome::NotFound),
        Action::Delete { from, to } => {
            let before = rows.len();
            rows.retain(|id, _| !(from..=to).contains(id));
            Outcome::Done((before - rows.len()) as u64)
        }
        Action::Begin | Action::Commit | Action::RollBack | Action::Drop => Outcome::Done(0),
    }
}

/// A row of a handle: its numbers are nobody else's.
fn cell(owner: i64, id: i64, slot: Option<i64>, value: i64) -> Cell {
    Cell { id: owner * 100 + id, owner, slot: slot.map(|slot| owner * 100 + slot), value }
}

/// Does to the database what a write does.
async fn write(db: &impl Handle, owner: i64, action: Action) -> DBResult<u64> {
    let own = || Cell::owner.eq(owner);
    let at = |id: i64| owner * 100 + id;
    match action {
        Action::Add { id, slot, value } => db.add(cell(owner, id, slot, value)).await.map(|_| 1),
        Action::AddTwo { id, other } => {
            let rows = db.add_all([cell(owner, id, None, 1), cell(owner, other, None, 2)]).await?;
            Ok(rows.len() as u64)
        }
        Action::Put { id, slot, value } => {
            let draft = cell(owner, id, slot, value);
            db.upsert(draft).on(Cell::id).update(Cell::value.increment(1)).await.map(|_| 1)
        }
        Action::Raise { from, by } => db.find(own() & Cell::id.ge(at(from))).update(Cell::value.increment(by)).await,
        Action::Move { id, slot } => db.find(own() & Cell::id.eq(at(id))).update(Cell::slot.set(slot.map(at))).await,
        Action::Save { id, slot, value } => db.save(&mut cell(owner, id, slot, value)).await.map(|()| 1),
        Action::Delete { from, to } => db.find(own() & Cell::id.between(at(from), at(to))).delete().await,
        Action::Begin | Action::Commit | Action::RollBack | Action::Drop => Ok(0),
    }
}

async fn rows(db: &impl Handle, owner: i64) -> DBResult<Rows> {
    let cells = db.find(Cell::owner.eq(owner)).all().await?;
    Ok(cells
        .into_iter()
        .map(|cell| (cell.id - owner * 100, (cell.slot.map(|slot| slot - owner * 100), cell.value)))
        .collect())
}

/// What a handle answers to a step: what it gave, and the handle's rows then.
type Reply = (DBResult<u64>, Option<DBResult<Rows>>);

/// A handle's side of the program: its transactions are its stack.
struct Player {
    owner: i64,
    steps: mpsc::Receiver<Action>,
    replies: mpsc::Sender<Reply>,
}

impl Player {
    async fn reply(&self, result: DBResult<u64>, rows: Option<DBResult<Rows>>) {
        // Nobody listens any more when a step before it was wrong.
        let _ = self.replies.send((result, rows)).await;
    }

    async fn play(mut self, db: Ommi) {
        while let Some(action) = self.steps.recv().await {
            if action != Action::Begin {
                let result = write(&db, self.owner, action).await;
                let seen = rows(&db, self.owner).await;
                self.reply(result, Some(seen)).await;
                continue;
            }
            match db.begin().await {
                Err(error) => self.reply(Err(error), None).await,
                Ok(mut tx) => {
                    self.reply(Ok(0), None).await;
                    let end = self.within(&mut tx).await;
                    let result = finish(tx, end).await;
                    let seen = rows(&db, self.owner).await;
                    self.reply(result, Some(seen)).await;
                }
            }
        }
    }

    /// Plays in a transaction, until one of its ends.
    fn within<'a>(&'a mut self, tx: &'a mut Transaction<'_>) -> BoxFuture<'a, Action> {
        async move {
            while let Some(action) = self.steps.recv().await {
                match action {
                    Action::Commit | Action::RollBack | Action::Drop => return action,
                    Action::Begin => {
                        let result = {
                            let begun = tx.begin().await;
                            match begun {
                                Err(error) => {
                                    self.reply(Err(error), None).await;
                                    continue;
                                }
                                Ok(mut inner) => {
                                    self.reply(Ok(0), None).await;
                                    let end = self.within(&mut inner).await;
                                    finish(inner, end).await
                                }
                            }
                        };
                        let seen = rows(tx, self.owner).await;
                        self.reply(result, Some(seen)).await;
                    }
                    action => {
                        let result = write(tx, self.owner, action).await;
                        let seen = rows(tx, self.owner).await;
                        self.reply(result, Some(seen)).await;
                    }
                }
            }
            Action::Drop
        }
        .boxed()
    }
}

async fn finish(tx: Transaction<'_>, end: Action) -> DBResult<u64> {
    match end {
        Action::Commit => tx.commit().await?,
        Action::RollBack => tx.rollback().await?,
        _ => drop(tx),
    }
    Ok(0)
}

/// How handles get in each other's way.
#[derive(Debug, Clone, Copy)]
struct Traffic {
    /// Writers take turns.
    single_writer: bool,
    /// Readers too.
    one_connection: bool,
    /// A transaction can hold others.
    nests: bool,
}

/// Runs the property with so many programs, on one database.
///
/// # Panics
/// When the driver does not have it.
pub fn programs(setup: impl AsyncFn() -> DBResult<Database>, programs: u32) {
    let one_connection = runtime().block_on(async {
        let database = open(&setup).await;
        let one_connection = database.one_connection;
        let transactions = database.ommi.driver().capabilities().transactions;
        database.end().await;
        transactions.then_some(one_connection)
    });
    // Without transactions there is no program; `coverage` names the capability.
    let Some(one_connection) = one_connection else { return };
    super::check(
        setup,
        programs,
        |_| program(),
        async |db| db.create_tables::<Cell>().await,
        async |db, program| holds(db, &program, one_connection).await,
    );
}

async fn holds(db: &Ommi, program: &[Step], one_connection: bool) -> Result<(), TestCaseError> {
    let told = |error: DBError| TestCaseError::fail(crate::run::chain(&error));
    let capabilities = db.driver().capabilities();
    let traffic = Traffic { single_writer: capabilities.single_writer, one_connection, nests: capabilities.savepoints };
    db.find_all::<Cell>().delete().await.map_err(told)?;

    let mut seats = Vec::new();
    for owner in 0..HANDLES {
        let (step, steps) = mpsc::channel(1);
        let (replies, reply) = mpsc::channel(1);
        let task = tokio::spawn(Player { owner, steps, replies }.play(db.clone()));
        seats.push((step, reply, task));
    }
    let mut model = Model::default();
    for (number, step) in program.iter().enumerate() {
        let handle = step.handle as usize;
        if is_blocked(&model, handle, step.action, traffic) {
            continue;
        }
        let expected = model.step(handle, step.action);
        let (steps, replies, _) = &mut seats[handle];
        let sent = steps.send(step.action).await.is_ok();
        let Some((result, seen)) = replies.recv().await.filter(|_| sent) else {
            return Err(TestCaseError::fail(format!("the handle ended before step {number}, {step:?}")));
        };
        let got = match &result {
            Ok(count) => Outcome::Done(*count),
            Err(error) if error.is_not_found() => Outcome::NotFound,
            Err(error) if error.is_unique_violation() => Outcome::Violation,
            Err(error) if matches!(error.kind(), ErrorKind::TransactionAborted) => Outcome::Aborted,
            Err(error) => {
                return Err(TestCaseError::fail(format!("step {number}, {step:?}: {}", crate::run::chain(error))));
            }
        };
        prop_assert_eq!(got, expected, "step {}, {:?}", number, step);
        let failed = model.open[handle].last().is_some_and(|level| level.failed);
        match seen {
            Some(Ok(rows)) if !failed => {
                prop_assert_eq!(&rows, model.rows(handle), "after step {}, {:?}", number, step)
            }
            Some(Ok(_)) => return Err(TestCaseError::fail(format!("step {number}: read after a failure"))),
            Some(Err(error)) => prop_assert!(
                failed && matches!(error.kind(), ErrorKind::TransactionAborted),
                "step {}, {:?}: {}",
                number,
                step,
                crate::run::chain(&error)
            ),
            None => {}
        }
        if !traffic.one_connection || model.open.iter().all(Vec::is_empty) {
            for owner in 0..HANDLES {
                let committed = rows(db, owner).await.map_err(told)?;
                prop_assert_eq!(
                    &committed,
                    &model.committed[owner as usize],
                    "outside, after step {}, {:?}",
                    number,
                    step
                );
            }
        }
    }
    // What is open is dropped.
    for (steps, replies, task) in seats {
        drop((steps, replies));
        task.await.map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    for owner in 0..HANDLES {
        prop_assert_eq!(&rows(db, owner).await.map_err(told)?, &model.committed[owner as usize], "in the end");
    }
    Ok(())
}

/// Whether a step has no meaning where the program stands, or would wait for a transaction of another handle.
fn is_blocked(model: &Model, handle: usize, action: Action, traffic: Traffic) -> bool {
    let depth = model.open[handle].len();
    let others = model.open.iter().enumerate().any(|(other, levels)| other != handle && !levels.is_empty());
    match action {
        Action::Commit | Action::RollBack | Action::Drop => depth == 0,
        Action::Begin if depth > 0 => !traffic.nests,
        _ => depth == 0 && others && (traffic.single_writer || traffic.one_connection),
    }
}
