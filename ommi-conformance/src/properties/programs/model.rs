//! What a program is, and what must come of each of its steps.

use std::collections::BTreeMap;

use proptest::prelude::*;

pub(super) const HANDLES: usize = 3;
const IDS: i64 = 6;
const SLOTS: i64 = 4;

/// A statement that writes rows of the handle's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Write {
    Add { id: i64, slot: Option<i64>, value: i64 },
    AddTwo { id: i64, other: i64 },
    Put { id: i64, slot: Option<i64>, value: i64 },
    Raise { from: i64, by: i64 },
    Move { id: i64, slot: Option<i64> },
    Save { id: i64, slot: Option<i64>, value: i64 },
    Delete { from: i64, to: i64 },
}

/// How the innermost transaction ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    Commit,
    RollBack,
    Drop,
    /// It is never dropped. Only of one within another: the outermost would keep its connection for good.
    Forget,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Action {
    /// A transaction, or one within the innermost. The outermost says what those within it mean.
    Begin {
        abort_outer: bool,
    },
    Write(Write),
    /// With a limit of time that has passed.
    Late(Write),
    /// Polled so many times and dropped. When it has not come to its end by then, the innermost transaction is rolled back, or dropped.
    Cut {
        write: Write,
        polls: usize,
        drops: bool,
    },
    /// Several reads at once.
    Look,
    End(End),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) handle: usize,
    pub(super) action: Action,
}

/// A step, and maybe one of another handle at the same time.
pub(super) type Turn = (Step, Option<Step>);

fn write() -> impl Strategy<Value = Write> {
    let id = || 0..IDS;
    let slot = || proptest::option::weighted(0.7, 0..SLOTS);
    prop_oneof![
        4 => (id(), slot(), 0..100i64).prop_map(|(id, slot, value)| Write::Add { id, slot, value }),
        2 => (id(), id()).prop_map(|(id, other)| Write::AddTwo { id, other }),
        2 => (id(), slot(), 0..100i64).prop_map(|(id, slot, value)| Write::Put { id, slot, value }),
        2 => (id(), 1..10i64).prop_map(|(from, by)| Write::Raise { from, by }),
        3 => (id(), slot()).prop_map(|(id, slot)| Write::Move { id, slot }),
        2 => (id(), slot(), 0..100i64).prop_map(|(id, slot, value)| Write::Save { id, slot, value }),
        2 => (id(), id()).prop_map(|(from, to)| Write::Delete { from, to }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        20 => proptest::bool::weighted(0.2).prop_map(|abort_outer| Action::Begin { abort_outer }),
        64 => write().prop_map(Action::Write),
        3 => write().prop_map(Action::Late),
        8 => (write(), 1..6usize, any::<bool>()).prop_map(|(write, polls, drops)| Action::Cut { write, polls, drops }),
        3 => Just(Action::Look),
        12 => Just(Action::End(End::Commit)),
        8 => Just(Action::End(End::RollBack)),
        4 => Just(Action::End(End::Drop)),
        3 => Just(Action::End(End::Forget)),
    ]
}

pub(super) fn program() -> impl Strategy<Value = Vec<Turn>> {
    let step = || {
        // Mostly the first handle, so that it gets somewhere.
        let handle = prop_oneof![6 => Just(0), 2 => Just(1), 1 => Just(2)];
        (handle, action()).prop_map(|(handle, action)| Step { handle, action })
    };
    proptest::collection::vec((step(), proptest::option::weighted(0.2, step())), 1..24)
}

/// The rows of one handle: by id, the slot and the value.
pub(super) type Rows = BTreeMap<i64, (Option<i64>, i64)>;

/// What a step must give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Outcome {
    Done(u64),
    NotFound,
    Violation,
    TooLate,
    Aborted,
}

/// A transaction as it should be.
#[derive(Debug, Clone)]
pub(super) struct Level {
    pub(super) rows: Rows,
    pub(super) failed: bool,
    /// One within it that does not commit takes it along.
    abort_outer: bool,
    /// The database gave it up, with those around it.
    lost: bool,
}

/// What should be there.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) committed: [Rows; HANDLES],
    pub(super) open: [Vec<Level>; HANDLES],
}

/// How handles get in each other's way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic {
    /// Writers take turns.
    pub(super) single_writer: bool,
    /// Readers too.
    pub(super) one_connection: bool,
    /// A transaction can hold others that are undone by themselves.
    pub(super) nests: bool,
}

impl Model {
    pub(super) fn rows(&self, handle: usize) -> &Rows {
        self.open[handle].last().map_or(&self.committed[handle], |level| &level.rows)
    }

    pub(super) fn has_failed(&self, handle: usize) -> bool {
        self.open[handle].last().is_some_and(|level| level.failed)
    }

    /// The database gave up all transactions of a handle.
    pub(super) fn fail_all(&mut self, handle: usize) {
        for level in &mut self.open[handle] {
            (level.failed, level.lost) = (true, true);
        }
    }

    /// Whether the innermost transaction of a handle has others around it and was given up with them.
    pub(super) fn is_lost_within(&self, handle: usize) -> bool {
        matches!(self.open[handle].as_slice(), [_, .., innermost] if innermost.lost)
    }

    /// What a step does and must give. `cut` says of a [`Action::Cut`] that it did not come to its end.
    pub(super) fn step(&mut self, Step { handle, action }: Step, cut: bool) -> Outcome {
        if self.has_failed(handle) && !matches!(action, Action::End(_)) {
            return Outcome::Aborted;
        }
        match action {
            Action::Begin { abort_outer } => {
                let abort_outer = self.open[handle].last().map_or(abort_outer, |outer| outer.abort_outer);
                let rows = self.rows(handle).clone();
                self.open[handle].push(Level { rows, failed: false, abort_outer, lost: false });
                Outcome::Done(0)
            }
            Action::End(end) => self.end(handle, end),
            Action::Cut { .. } if cut => self.end(handle, End::Drop),
            Action::Late(_) => {
                self.open[handle].last_mut().into_iter().for_each(|level| level.failed = true);
                Outcome::TooLate
            }
            Action::Look => Outcome::Done(self.rows(handle).len() as u64),
            Action::Write(write) | Action::Cut { write, .. } => {
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

    fn end(&mut self, handle: usize, end: End) -> Outcome {
        let Some(level) = self.open[handle].pop() else { return Outcome::Done(0) };
        let commits = end == End::Commit && !level.failed;
        match self.open[handle].last_mut() {
            Some(outer) if commits => outer.rows = level.rows,
            Some(outer) => outer.failed |= level.abort_outer,
            None if commits => self.committed[handle] = level.rows,
            None => {}
        }
        if end == End::Commit && !commits { Outcome::Aborted } else { Outcome::Done(0) }
    }

    /// Whether a step has no meaning where the program stands, or would wait for a transaction of another handle.
    pub(super) fn blocks(&self, Step { handle, action }: Step, traffic: Traffic) -> bool {
        let depth = self.open[handle].len();
        let others = self.open.iter().enumerate().any(|(other, levels)| other != handle && !levels.is_empty());
        match action {
            Action::End(End::Forget) => depth < 2,
            Action::End(_) | Action::Cut { .. } => depth == 0,
            Action::Begin { .. } if depth > 0 => {
                !traffic.nests && !self.open[handle].last().is_some_and(|level| level.abort_outer)
            }
            _ => depth == 0 && others && (traffic.single_writer || traffic.one_connection),
        }
    }

    /// Whether two steps can be taken at once: none waits for the other, whichever comes first.
    pub(super) fn lets_overlap(&self, first: Step, second: Step, traffic: Traffic) -> bool {
        let after = |step| {
            let mut model = self.clone();
            model.step(step, false);
            model
        };
        first.handle != second.handle
            && !self.blocks(second, traffic)
            && !after(first).blocks(second, traffic)
            && !after(second).blocks(first, traffic)
    }
}

/// Does to rows what a write does.
fn apply(rows: &mut Rows, write: Write) -> Outcome {
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
        Write::Add { id, slot, value } => {
            if rows.contains_key(&id) || taken(rows, id, slot) {
                return Outcome::Violation;
            }
            rows.insert(id, (slot, value));
            Outcome::Done(1)
        }
        Write::AddTwo { id, other } => {
            if id == other || rows.contains_key(&id) || rows.contains_key(&other) {
                return Outcome::Violation;
            }
            rows.insert(id, (None, 1));
            rows.insert(other, (None, 2));
            Outcome::Done(2)
        }
        Write::Put { id, slot, value } => {
            if !rows.contains_key(&id) && taken(rows, id, slot) {
                return Outcome::Violation;
            }
            rows.entry(id).and_modify(|row| row.1 += 1).or_insert((slot, value));
            Outcome::Done(1)
        }
        Write::Raise { from, by } => {
            let reached = rows.range_mut(from..).map(|(_, row)| row.1 += by).count();
            Outcome::Done(reached as u64)
        }
        Write::Move { id, slot } => set(rows, id, slot, None, Outcome::Done(0)),
        Write::Save { id, slot, value } => set(rows, id, slot, Some(value), Outcome::NotFound),
        Write::Delete { from, to } => {
            let before = rows.len();
            rows.retain(|id, _| !(from..=to).contains(id));
            Outcome::Done((before - rows.len()) as u64)
        }
    }
}
