//! Programs of up to three handles that begin, nest, write, commit, roll back, drop, forget and fail in any order, against a model of what must be
//! seen.
//!
//! Each handle has rows of its own, so that nobody waits for another, and reads all of its own rows after every step; in between a bystander
//! reads what is committed. Steps of two handles may be taken at once, statements are dropped in their midst, and some come too late. Where
//! writers take turns, a step that would wait for another handle's transaction is left out.

mod model;
mod player;

use std::collections::BTreeMap;

use ommi::prelude::*;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::Database;
use crate::run::{chain, open, runtime};
use model::{Action, End, HANDLES, Model, Outcome, Rows, Step, Traffic, Turn, program};
use player::{Player, Reply};

#[derive(Debug, Clone, PartialEq, Model)]
struct Cell {
    id: i64,
    owner: i64,
    #[ommi(unique)]
    slot: Option<i64>,
    value: i64,
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

fn told(error: DBError) -> TestCaseError {
    TestCaseError::fail(chain(&error))
}

async fn holds(db: &Ommi, program: &[Turn], one_connection: bool) -> Result<(), TestCaseError> {
    let capabilities = db.driver().capabilities();
    let traffic = Traffic { single_writer: capabilities.single_writer, one_connection, nests: capabilities.savepoints };
    db.find_all::<Cell>().delete().await.map_err(told)?;
    let mut game = Game {
        model: Model::default(),
        seats: (0..HANDLES).map(|owner| Seat::new(db, owner)).collect(),
        keeps_outer: capabilities.dropped_level_keeps_outer,
    };
    for (number, (first, second)) in program.iter().enumerate() {
        let steps: Vec<Step> = [Some(*first), *second].into_iter().flatten().collect();
        let together = second.is_some_and(|second| {
            !game.model.blocks(*first, traffic) && game.model.lets_overlap(*first, second, traffic)
        });
        for steps in steps.chunks(if together { 2 } else { 1 }) {
            if steps.iter().all(|step| !game.model.blocks(*step, traffic)) {
                game.take(number, steps).await?;
                if !one_connection || game.model.open.iter().all(Vec::is_empty) {
                    let seen = committed(db).await.map_err(told)?;
                    prop_assert_eq!(&seen, &game.model.committed, "outside, after step {}, {:?}", number, steps);
                }
            }
        }
    }
    // What is open is dropped.
    for seat in game.seats {
        drop((seat.steps, seat.replies));
        seat.task.await.map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    prop_assert_eq!(&committed(db).await.map_err(told)?, &game.model.committed, "in the end");
    Ok(())
}

/// The rows of each handle, as a bystander sees them.
async fn committed(db: &Ommi) -> DBResult<[Rows; HANDLES]> {
    let mut rows = std::array::from_fn(|_| BTreeMap::new());
    for cell in db.find_all::<Cell>().all().await? {
        let owner = cell.owner as usize;
        rows[owner].extend([player::entry(cell)]);
    }
    Ok(rows)
}

/// A handle, as those see it who say what it is to do.
struct Seat {
    steps: mpsc::Sender<Action>,
    replies: mpsc::Receiver<Reply>,
    task: JoinHandle<()>,
}

impl Seat {
    fn new(db: &Ommi, owner: usize) -> Seat {
        let (step, steps) = mpsc::channel(1);
        let (reply, replies) = mpsc::channel(1);
        let player = Player { owner: owner as i64, steps, replies: reply };
        Seat { steps: step, replies, task: tokio::spawn(player.play(db.clone())) }
    }
}

struct Game {
    model: Model,
    seats: Vec<Seat>,
    /// Whether a statement that is dropped takes no more with it than its level.
    keeps_outer: bool,
}

impl Game {
    /// Takes steps of different handles at once.
    async fn take(&mut self, number: usize, steps: &[Step]) -> Result<(), TestCaseError> {
        for step in steps {
            // Who has ended does not answer either.
            let _ = self.seats[step.handle].steps.send(step.action).await;
        }
        for step in steps {
            let Some(reply) = self.seats[step.handle].replies.recv().await else {
                return Err(TestCaseError::fail(format!("the handle ended before step {number}, {step:?}")));
            };
            self.compare(number, *step, reply)?;
        }
        Ok(())
    }

    fn compare(&mut self, number: usize, step: Step, reply: Reply) -> Result<(), TestCaseError> {
        let lost = self.model.is_lost_within(step.handle);
        let expected = self.model.step(step, reply.cut);
        let got = match &reply.result {
            Ok(count) => Outcome::Done(*count),
            Err(error) if error.is_not_found() => Outcome::NotFound,
            Err(error) if error.is_unique_violation() => Outcome::Violation,
            Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => Outcome::TooLate,
            Err(error) if matches!(error.kind(), ErrorKind::TransactionAborted) => Outcome::Aborted,
            Err(error) => return Err(TestCaseError::fail(format!("step {number}, {step:?}: {}", chain(error)))),
        };
        let aborted = |result: &DBResult<Rows>| matches!(result, Err(error) if matches!(error.kind(), ErrorKind::TransactionAborted));
        // With a statement that was under way some databases may give up the transactions around it, and say so.
        let given_up =
            reply.cut && !self.keeps_outer && (got == Outcome::Aborted || reply.rows.as_ref().is_some_and(aborted));
        // A rollback tells that it was so already, and that those around it are undone too.
        let undone_before = lost && matches!(step.action, Action::End(End::RollBack)) && got == Outcome::Aborted;
        if given_up && !self.model.open[step.handle].is_empty() {
            self.model.fail_all(step.handle);
        } else if !undone_before {
            prop_assert_eq!(got, expected, "step {}, {:?}: {:?}", number, step, reply.result);
        }
        let failed = self.model.has_failed(step.handle);
        match reply.rows {
            Some(Ok(rows)) if !failed => {
                prop_assert_eq!(&rows, self.model.rows(step.handle), "after step {}, {:?}", number, step)
            }
            Some(Ok(_)) => return Err(TestCaseError::fail(format!("step {number}: read after a failure"))),
            Some(Err(error)) => prop_assert!(
                failed && matches!(error.kind(), ErrorKind::TransactionAborted),
                "step {}, {:?}: {}",
                number,
                step,
                chain(&error)
            ),
            None => {}
        }
        Ok(())
    }
}
