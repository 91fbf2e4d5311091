//! SQLite's connection, with the statements that are kept prepared beside it.
//!
//! rusqlite's own cache looks a statement up by its text, takes it out and puts it back: a seventh of an insert within a transaction. Here a statement is
//! known by its number. It borrows the connection, and goes with it from thread to thread, which takes the one `unsafe` of this crate.

use std::fmt;
use std::ops::Deref;

use rusqlite::{Connection, PrepFlags, Rows, Statement, ToSql};
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
    /// Each with the stamp of what it was prepared of.
    compiled: Vec<Option<(u64, Statement<'c>)>>,
    controls: Vec<Option<Statement<'c>>>,
}

/// The number of a compiled statement. Numbers are given again; no two statements of a connection have the same stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) stamp: u64,
    pub(crate) number: usize,
}

/// A connection of SQLite, and the statements that it keeps.
pub(crate) struct RawConnection(Cell);

// SAFETY: what is not `Send` are the statements, since each has a reference to the connection, which must not be used by two threads at once
// (<https://sqlite.org/threadsafe.html>, multi-thread mode). Connection and statements are in one cell and go to another thread together. None leaves
// it: `with` lends one for the time of a call, and the lifetime that it has there belongs to nobody else. Nor does one of another connection come in: all are made by
// `prepare`, of the connection of the cell, and `Lent` gives no access to the statement's place. The type is not `Sync`, so no two threads use it at once.
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

    /// Uses the statement of this number, whose text is this. It is prepared where it is not yet, which can fail; what was bound is forgotten afterwards, unless it was said that it may stay.
    #[inline]
    pub(crate) fn with<T>(
        &mut self,
        place: Place,
        text: &str,
        work: impl FnOnce(&Connection, rusqlite::Result<&mut Lent<'_, '_>>) -> T,
    ) -> T {
        self.0.with_dependent_mut(|connection, statements| {
            let new = || Ok((place.stamp, prepare(connection, text)?));
            let is_it = |(stamp, _): &(u64, _)| *stamp == place.stamp;
            match kept(&mut statements.compiled, place.number, is_it, new) {
                Ok((_, statement)) => work(connection, Ok(&mut Lent { statement, stays_bound: false })),
                Err(error) => work(connection, Err(error)),
            }
        })
    }

    /// Runs what begins or ends a transaction, or a level of one.
    pub(crate) fn run(&mut self, control: Control) -> rusqlite::Result<()> {
        self.0.with_dependent_mut(|connection, statements| {
            let new = || prepare(connection, &control.to_string());
            let done = match control.number() {
                Some(number) => kept(&mut statements.controls, number, |_| true, new)?.raw_execute(),
                None => new()?.raw_execute(),
            };
            done.map(drop)
        })
    }
}

#[cfg(test)]
impl RawConnection {
    /// How often the statements that are kept were run: those that were compiled, and those that begin and end.
    pub(crate) fn runs(&self) -> (i32, i32) {
        let run = |statement: &Statement<'_>| statement.get_status(rusqlite::StatementStatus::Run);
        self.0.with_dependent(|_, statements| {
            let compiled = statements.compiled.iter().flatten().map(|(_, statement)| run(statement)).sum();
            (compiled, statements.controls.iter().flatten().map(run).sum())
        })
    }
}

/// A statement in use, which cannot be exchanged for another.
pub(crate) struct Lent<'s, 'c> {
    statement: &'s mut Statement<'c>,
    stays_bound: bool,
}

impl Lent<'_, '_> {
    /// Binds a parameter, which count from one.
    pub(crate) fn bind(&mut self, parameter: usize, value: impl ToSql) -> rusqlite::Result<()> {
        self.statement.raw_bind_parameter(parameter, value)
    }

    /// Leaves what is bound where it is until the next use, which binds all of it anew. For what is small: a call to SQLite is saved.
    pub(crate) fn stay_bound(&mut self) {
        self.stays_bound = true;
    }

    /// Runs it, and gives the number of rows that it changed.
    pub(crate) fn execute(&mut self) -> rusqlite::Result<usize> {
        self.statement.raw_execute()
    }

    /// Runs it, and gives its rows.
    pub(crate) fn query(&mut self) -> Rows<'_> {
        self.statement.raw_query()
    }
}

/// What is bound may be large, and may be of this thread: it is let go unless that was ruled out, also where a panic ends the use.
impl Drop for Lent<'_, '_> {
    fn drop(&mut self) {
        if !self.stays_bound {
            self.statement.clear_bindings();
        }
    }
}

/// What is kept under this number if it is what is looked for, else a new one in its place.
fn kept<S>(
    statements: &mut Vec<Option<S>>,
    number: usize,
    is_it: impl FnOnce(&S) -> bool,
    new: impl FnOnce() -> rusqlite::Result<S>,
) -> rusqlite::Result<&mut S> {
    while statements.len() <= number {
        statements.push(None);
    }
    match statements.get_mut(number) {
        Some(place) => {
            if !place.as_ref().is_some_and(is_it) {
                // Nothing is kept where the new one cannot be prepared.
                *place = None;
                *place = Some(new()?);
            }
            place.as_mut().ok_or(rusqlite::Error::InvalidQuery)
        }
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
    const FIRST: Place = Place { stamp: 1, number: 0 };

    fn connection() -> RawConnection {
        RawConnection::new(Connection::open_in_memory().unwrap())
    }

    fn echo(connection: &mut RawConnection, place: Place, value: &str) -> String {
        connection.with(place, ECHO, |_, statement| {
            let statement = statement.unwrap();
            statement.bind(1, value).unwrap();
            statement.query().next().unwrap().unwrap().get(0).unwrap()
        })
    }

    /// What is bound to the statement of a place.
    fn bound(connection: &mut RawConnection, place: Place) -> String {
        connection.with(place, ECHO, |_, statement| statement.unwrap().statement.expanded_sql().unwrap())
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
        let second = Place { stamp: 2, number: 3 };
        assert_eq!(echo(&mut back, second, "d"), "d");
        assert_eq!(prepared(&back), 2);
    }

    #[test]
    fn a_number_with_another_stamp_is_that_of_another_statement() {
        let mut connection = connection();
        echo(&mut connection, FIRST, "a");
        let place = Place { stamp: 2, ..FIRST };
        let other = connection.with(place, "SELECT 7", |_, statement| {
            statement.unwrap().query().next().unwrap().unwrap().get::<_, i64>(0).unwrap()
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
                let statement = statement.unwrap();
                statement.bind(1, "large").unwrap();
                let mut rows = statement.query();
                rows.next().unwrap();
                panic!("of the application");
            })
        });
        assert!(std::panic::catch_unwind(panicking).is_err());
        assert_eq!(bound(&mut connection, FIRST), "SELECT NULL");
    }

    #[test]
    fn only_what_is_small_stays_bound() {
        use ommi_core::value::Value;
        use ommi_sql::{Bind, Out};

        use crate::bind::Binder;

        let mut connection = connection();
        let list = [Value::Int(1)];
        let long = "a".repeat(1_025);
        let values = [
            (Bind::Value(Value::Text("a".into())), "SELECT 'a'"),
            (Bind::Value(Value::Int(7)), "SELECT 7"),
            (Bind::Value(Value::Text(long.into())), "SELECT NULL"),
            (Bind::List(&list), "SELECT NULL"),
        ];
        for (value, expected) in values {
            connection.with(FIRST, ECHO, |_, statement| {
                let statement = statement.unwrap();
                let mut binder = Binder::new(statement, "Model", usize::MAX);
                binder.bind(value, None).unwrap();
                binder.finish();
                statement.query().next().unwrap().unwrap();
            });
            assert_eq!(bound(&mut connection, FIRST), expected);
        }
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
