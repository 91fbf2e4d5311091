//! Running an insert, with the keys that SQLite counted.

use ommi_core::ast::{Insert, related_models};
use ommi_core::driver::{RowSink, Values, record_statement};
use ommi_core::schema::ColumnList;
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult, ErrorKind};
use ommi_sql::SqlText;
use rusqlite::ffi;

use crate::bind::Binder;
use crate::cache::Entry;
use crate::compiled::{Columns, Compiled};
use crate::connection::{Connection, execute, was_written};
use crate::control::{Control, Level};
use crate::dialect::Sqlite;
use crate::error;
use crate::row::SqliteRow;
use crate::run::{Doing, Halt, Task, bind, check, halt, learn, start, stays_here};
use crate::watch::Watch;

/// The values that SQLite binds to one statement.
pub(crate) const MAX_BINDS: usize = 32_766;

/// The rows of one statement. Each number of rows is a text of its own to prepare.
const ROWS: usize = 128;

/// After how many rows, one by one, it is looked whether to stop: SQLite itself asks only within a statement that runs long.
const LOOK: usize = 64;

/// Whether all that is to be given back is the key of one row that SQLite counts: the row's own number, which it keeps anyway. RETURNING would cost as much as a
/// third of the insert.
fn counts_key(insert: &Insert, rows: usize) -> bool {
    let generated = insert.model.generated_column();
    let alone = match *insert.returning {
        [one] => generated == Some(one) && !insert.columns.contains(&one),
        _ => false,
    };
    alone && rows == 1 && insert.on_conflict.is_none()
}

/// Inserts, all rows or none.
///
/// Few rows are one statement. Many are one statement for each, in a transaction: SQLite keeps a journal for every statement of several
/// rows, so that it can fail alone, and for a large one, on a table with indexes, that costs more than all else. (336 776 rows of 19
/// columns and five indexes took 2.2 times as long as a hand-written loop in statements of 64 rows, and 1.4 times one by one.)
pub(crate) fn insert(
    connection: &mut Connection,
    insert: &mut Insert,
    sink: &mut dyn RowSink,
    task: &Task,
) -> Result<u64, Halt> {
    let few = insert.rows <= 1 || insert.rows <= ROWS && insert.rows * insert.columns.len() <= MAX_BINDS;
    let rows = if few { insert.rows } else { 1 };
    if few || task.here {
        return one_statement(connection, insert, rows, sink, task);
    }
    let alone = connection.sqlite.is_autocommit();
    let (begin, end) = match alone {
        true => (Control::BeginWriting, Control::Commit),
        false => (Control::Open(Level::Insert), Control::Release(Level::Insert)),
    };
    start(&connection.watch, task, false)?;
    connection.control(begin)?;
    let result = one_statement(connection, insert, rows, sink, task).and_then(|written| {
        connection.control(end)?;
        Ok(written)
    });
    if result.is_err() {
        // An interrupt or a full disk may have ended the transaction already.
        if alone {
            connection.roll_back();
        } else {
            connection.watch.start(false, None);
            let undone = connection.control(Control::Undo(Level::Insert));
            let _ = undone.and_then(|()| connection.control(Control::Release(Level::Insert)));
        }
        // It may run again.
        sink.clear();
    }
    result
}

/// Inserts with one statement, that takes so many rows at a time.
fn one_statement(
    connection: &mut Connection,
    insert: &mut Insert,
    rows: usize,
    sink: &mut dyn RowSink,
    task: &Task,
) -> Result<u64, Halt> {
    let commits_wait = connection.commits_wait && connection.sqlite.is_autocommit();
    let before = connection.writes_alone();
    let Connection { sqlite, cache, shape, watch, .. } = connection;
    let all = std::mem::replace(&mut insert.rows, rows);
    shape.write_insert(insert);
    insert.rows = all;
    let Entry { compiled, place, .. } = cache.get(shape, || compile(insert, rows))?;
    if task.here {
        record_statement(&compiled.text);
        if all > rows || commits_wait || !stays_here(compiled.pace(), true) {
            return Err(Halt::Move);
        }
    }
    start(watch, task, false)?;
    let doing = Doing { model: &insert.model, inserts: true, commits: before.is_some() };
    let failed = |error| failed(error, watch, task, doing);
    sqlite.with(*place, &compiled.text, |sqlite, statement| {
        let statement = statement.map_err(failed)?;
        let mut written = 0;
        let mut first = 0;
        while first < all {
            if first % LOOK == LOOK - 1 && watch.look() {
                return Err(failed(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_INTERRUPT), None)));
            }
            bind(statement, &insert.model, watch, task, |binder| values(insert, first, rows, binder))?;
            if compiled.columns.indexes.is_empty() {
                let added = execute(statement, sqlite, before).map_err(failed)?;
                if compiled.counts_key {
                    sink.row(&mut Values::new(&mut [Value::Int(counted_key(sqlite, added)?)]))?;
                }
                written += added;
            } else {
                let mut result = statement.query();
                loop {
                    match result.next() {
                        Ok(Some(row)) => sink.row(&mut SqliteRow { row, columns: &compiled.columns })?,
                        Ok(None) => break,
                        Err(failure) if was_written(sqlite, before, &failure) => break,
                        Err(failure) => return Err(failed(failure)),
                    }
                }
                written += sqlite.changes();
            }
            first += rows.max(1);
        }
        // The time of many rows says nothing of the shape, which is that of one.
        if all == rows {
            learn(compiled, watch, task);
        }
        Ok(written)
    })
}

/// Inserts one row in place, and gives its key where SQLite counts it. What this is not for has to [move](Halt::Move).
pub(crate) fn one_row(connection: &mut Connection, insert: &Insert, task: &Task, alone: bool) -> Result<i64, Halt> {
    let is_one = insert.rows == 1 && insert.values.len() == insert.columns.len() && insert.on_conflict.is_none();
    if !is_one || alone && connection.commits_wait {
        return Err(Halt::Move);
    }
    let before = alone.then(|| connection.sqlite.total_changes());
    let Connection { sqlite, cache, shape, watch, .. } = connection;
    shape.write_insert(insert);
    let Entry { compiled, place, .. } = cache.get(shape, || compile(insert, 1))?;
    if !compiled.columns.indexes.is_empty() || !stays_here(compiled.pace(), true) {
        return Err(Halt::Move);
    }
    start(watch, task, false)?;
    let doing = Doing { model: &insert.model, inserts: true, commits: alone };
    let failed = |error| failed(error, watch, task, doing);
    sqlite.with(*place, &compiled.text, |sqlite, statement| {
        let statement = statement.map_err(failed)?;
        bind(statement, &insert.model, watch, task, |binder| row(insert, &insert.values, binder))?;
        let added = execute(statement, sqlite, before).map_err(failed)?;
        learn(compiled, watch, task);
        if compiled.counts_key { counted_key(sqlite, added) } else { Ok(0) }
    })
}

/// The key that SQLite counted for the one row that was added. Where none was, the number is that of another row.
#[inline]
fn counted_key(sqlite: &rusqlite::Connection, added: u64) -> Result<i64, Halt> {
    if added == 1 { Ok(sqlite.last_insert_rowid()) } else { Err(left_out()) }
}

#[cold]
fn left_out() -> Halt {
    let error = DBError::new(ErrorKind::Database);
    Halt::Failed(error.with_detail("the new row was left out, by a trigger or by what the table does about conflicts"))
}

/// What becomes of an insert that failed.
#[cold]
fn failed(error: rusqlite::Error, watch: &Watch, task: &Task, doing: Doing<'_>) -> Halt {
    // A number that is no float any more has a column; a key that SQLite cannot count up has one too.
    if error::code(&error).is_some_and(|code| code & 0xFF == ffi::SQLITE_MISMATCH) {
        return Halt::Failed(error::general(error));
    }
    halt(error, watch, task, doing)
}

/// Binds so many rows, from this one on.
fn values(insert: &Insert, first: usize, rows: usize, binder: &mut Binder<'_, '_, '_>) -> DBResult<()> {
    if insert.on_conflict.is_some() {
        return ommi_sql::insert(insert, first, rows, &Sqlite, binder);
    }
    // Nothing but the rows is bound, in their order: the text need not be gone through for that.
    let (values, columns) = (ommi_sql::inserted_values(insert, first, rows)?, &insert.columns);
    for values in values.chunks(columns.len().max(1)) {
        row(insert, values, binder)?;
    }
    Ok(())
}

/// Binds one row.
fn row(insert: &Insert, values: &[Value<'static>], binder: &mut Binder<'_, '_, '_>) -> DBResult<()> {
    for (value, &column) in values.iter().zip(&*insert.columns) {
        binder.value(value).map_err(|error| error.for_column(&insert.model, column))?;
    }
    Ok(())
}

fn compile(insert: &Insert, rows: usize) -> DBResult<Compiled> {
    let width = insert.columns.len();
    let values = insert.values.get(..rows.saturating_mul(width)).unwrap_or(&insert.values).to_vec();
    let mut one = Insert::new(insert.model.clone(), insert.columns.clone(), values, rows);
    one.returning = insert.returning.clone();
    one.on_conflict = insert.on_conflict.clone();
    check(&one)?;
    let counts_key = counts_key(insert, rows);
    if counts_key {
        one.returning = ColumnList::NONE;
    }
    let mut text = SqlText::new();
    ommi_sql::insert(&one, 0, rows, &Sqlite, &mut text)?;
    let columns = Columns::of(&insert.model, &one.returning);
    Ok(Compiled::new(text.into_string(), columns, related_models(insert)).with_counts_key(counts_key))
}
