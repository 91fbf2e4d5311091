//! SQLite's connection, with the statements that are kept prepared beside it.
//!
//! rusqlite's own cache looks a statement up by its text, takes it out and puts it back: a seventh of an insert within a transaction. Here a statement is
//! known by its number. It borrows the connection, and goes with it from thread to thread, which takes the one `unsafe` of this crate.

use std::fmt;
use std::ops::Deref;

use rusqlite::{Connection, PrepFlags, Statement};
use self_cell::self_cell;

use crate::control::Control;

self_cell!(
    struct Cell {
        owner: Connection,
        #[not_covariant]
        dependent: Statements,
    }
);

/// Statements by their numbers, as far as they are prepared.
#[derive(Default)]
struct Statements<'c> {
    compiled: Vec<Option<Statement<'c>>>,
    /// To which numbers they belong: see [`Place`].
    generation: u32,
    controls: Vec<Option<Statement<'c>>>,
}

/// The number of a compiled statement. Of another generation it is that of another statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) generation: u32,
    pub(crate) number: usize,
}

/// A connection of SQLite, and the statements that it keeps.
pub(crate) struct RawConnection(Cell);

// SAFETY: what is not `Send` are the statements, since each has a reference to the connection, which must not be used by two threads at once
// (<https://sqlite.org/threadsafe.html>, multi-thread mode). Connection and statements are in one cell and go to another thread together. None leaves
// it: `with` and `control` lend them for the time of a call, and the lifetime they have there belongs to nobody else. The type is not `Sync`, so no two threads use it at once.
// What statements hold of Rust's that must stay on its thread are lists that are bound as `Rc`; nobody else has a part in those, and they are unbound after each use.
#[allow(unsafe_code)]
unsafe impl Send for RawConnection {}

impl fmt::Debug for RawConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.borrow_owner().fmt(f)
    }
}

impl Deref for RawConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0.borrow_owner()
    }
}

impl RawConnection {
    pub(crate) fn new(connection: Connection) -> RawConnection {
        RawConnection(Cell::new(connection, |_| Statements::default()))
    }

    /// Uses the statement of this number, whose text is this. It is prepared where it is not yet, which can fail; what was bound is forgotten afterwards.
    pub(crate) fn with<T>(
        &mut self,
        place: Place,
        text: &str,
        work: impl FnOnce(&Connection, rusqlite::Result<&mut Statement<'_>>) -> T,
    ) -> T {
        self.0.with_dependent_mut(|connection, statements| {
            if statements.generation != place.generation {
                statements.compiled.clear();
                statements.generation = place.generation;
            }
            match kept(&mut statements.compiled, place.number, || prepare(connection, text)) {
                Ok(statement) => {
                    let bound = Bound(statement);
                    work(connection, Ok(&mut *bound.0))
                }
                Err(error) => work(connection, Err(error)),
            }
        })
    }

    /// Runs what begins or ends a transaction, or a level of one.
    pub(crate) fn run(&mut self, control: Control) -> rusqlite::Result<()> {
        self.0.with_dependent_mut(|connection, statements| {
            let new = || prepare(connection, &control.to_string());
            let done = match control.number() {
                Some(number) => kept(&mut statements.controls, number, new)?.raw_execute(),
                None => new()?.raw_execute(),
            };
            done.map(drop)
        })
    }
}

/// A statement in use. What is bound may be large, and may be of this thread: it is let go also where a panic ends the use.
struct Bound<'s, 'c>(&'s mut Statement<'c>);

impl Drop for Bound<'_, '_> {
    fn drop(&mut self) {
        self.0.clear_bindings();
    }
}

/// The statement of this number.
fn kept<'s, 'c>(
    statements: &'s mut Vec<Option<Statement<'c>>>,
    number: usize,
    new: impl FnOnce() -> rusqlite::Result<Statement<'c>>,
) -> rusqlite::Result<&'s mut Statement<'c>> {
    while statements.len() <= number {
        statements.push(None);
    }
    match statements.get_mut(number) {
        Some(Some(statement)) => Ok(statement),
        Some(place) => Ok(place.insert(new()?)),
        // There are so many now: this is for the compiler.
        None => Err(rusqlite::Error::InvalidQuery),
    }
}

fn prepare<'c>(connection: &'c Connection, text: &str) -> rusqlite::Result<Statement<'c>> {
    connection.prepare_with_flags(text, PrepFlags::SQLITE_PREPARE_PERSISTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: &str = "SELECT ?1";
    const FIRST: Place = Place { generation: 0, number: 0 };

    fn connection() -> RawConnection {
        RawConnection::new(Connection::open_in_memory().unwrap())
    }

    fn echo(connection: &mut RawConnection, place: Place, value: &str) -> String {
        connection.with(place, ECHO, |_, statement| {
            let statement = statement.unwrap();
            statement.raw_bind_parameter(1, value).unwrap();
            statement.raw_query().next().unwrap().unwrap().get(0).unwrap()
        })
    }

    /// What is bound to the statement of a place.
    fn bound(connection: &mut RawConnection, place: Place) -> String {
        connection.with(place, ECHO, |_, statement| statement.unwrap().expanded_sql().unwrap())
    }

    fn prepared(connection: &RawConnection) -> usize {
        connection.0.with_dependent(|_, statements| statements.compiled.iter().flatten().count())
    }

    #[test]
    fn a_statement_is_kept_without_what_was_bound_and_goes_along_to_another_thread() {
        let mut here = connection();
        for value in ["a", "b"] {
            assert_eq!(echo(&mut here, FIRST, value), value);
            assert_eq!(bound(&mut here, FIRST), "SELECT NULL");
            assert_eq!(prepared(&here), 1);
        }
        let there = std::thread::spawn(move || {
            assert_eq!(echo(&mut here, FIRST, "c"), "c");
            here
        });
        let mut back = there.join().unwrap();
        let second = Place { number: 3, ..FIRST };
        assert_eq!(echo(&mut back, second, "d"), "d");
        assert_eq!(prepared(&back), 2);
    }

    #[test]
    fn numbers_of_another_generation_are_those_of_other_statements() {
        let mut connection = connection();
        echo(&mut connection, FIRST, "a");
        let place = Place { generation: 1, number: 0 };
        let other = connection.with(place, "SELECT 7", |_, statement| {
            statement.unwrap().query_row([], |row| row.get::<_, i64>(0)).unwrap()
        });
        assert_eq!((other, prepared(&connection)), (7, 1));
    }

    #[test]
    fn what_cannot_be_prepared_is_not_kept() {
        let mut connection = connection();
        let text = "SELECT a FROM t";
        assert!(connection.with(FIRST, text, |_, statement| statement.is_err()));
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        assert!(connection.with(FIRST, text, |_, statement| statement.is_ok()));
    }

    #[test]
    fn a_panic_leaves_nothing_bound() {
        let mut connection = connection();
        let panicking = std::panic::AssertUnwindSafe(|| {
            connection.with(FIRST, ECHO, |_, statement| {
                statement.unwrap().raw_bind_parameter(1, "large").unwrap();
                panic!("of the application");
            })
        });
        assert!(std::panic::catch_unwind(panicking).is_err());
        assert_eq!(bound(&mut connection, FIRST), "SELECT NULL");
    }

    #[test]
    fn transactions_begin_and_end_on_kept_statements() {
        let mut connection = connection();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        use crate::control::Level::Transaction;
        for round in 1..3 {
            connection.run(Control::BeginWriting).unwrap();
            for level in [1, 2, 40] {
                connection.run(Control::Open(Transaction(level))).unwrap();
            }
            connection.execute("INSERT INTO t VALUES (1)", []).unwrap();
            connection.run(Control::Undo(Transaction(2))).unwrap();
            connection.execute("INSERT INTO t VALUES (2)", []).unwrap();
            connection.run(Control::Release(Transaction(1))).unwrap();
            connection.run(Control::Commit).unwrap();
            let rows: i64 = connection.query_row("SELECT sum(a) FROM t", [], |row| row.get(0)).unwrap();
            assert_eq!(rows, 2 * round);
        }
    }
}
