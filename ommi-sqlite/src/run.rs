//! Running one statement on one connection, here or on a blocking thread.
//!
//! Everything in this file blocks and knows nothing of tasks. What cannot or should not go on where it runs ends with a [`Halt`];
//! [`crate::work`] decides what then.

use std::time::{Duration, Instant};

use ommi_core::ast::{Delete, Output, Select, Shape, StatementRef, Update, related_models};
use ommi_core::driver::{Context, RowSink, record_statement};
use ommi_core::schema::ModelSchema;
use ommi_core::value::ColumnType;
use ommi_core::{DBError, DBResult};
use ommi_sql::SqlText;

use crate::bind::{Binder, Ended, LIGHT};
use crate::cache::Entry;
use crate::compiled::{Columns, Compiled, Pace};
use crate::connection::{Connection, execute};
use crate::dialect::Sqlite;
use crate::error;
use crate::kept::Lent;
use crate::row::SqliteRow;
use crate::watch::{BUDGET, Stopped, Watch};

/// Why a statement ended without a result.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It takes too long for this place. Nothing of it has happened.
    Move,
    /// Another process holds a lock. Nothing of it has happened.
    // Boxed: this goes through many hands, mostly without any of it.
    Busy(Box<rusqlite::Error>),
    /// It failed.
    Failed(DBError),
}

impl From<DBError> for Halt {
    fn from(error: DBError) -> Halt {
        Halt::Failed(error)
    }
}

/// Where and how long a statement may run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    /// On the thread of the task that asked for it, where nothing may take long.
    pub(crate) here: bool,
    pub(crate) limit: Option<(Instant, Duration)>,
    /// The level of the transaction that it belongs to.
    pub(crate) level: u32,
}

impl Task {
    pub(crate) fn here(context: &Context) -> Task {
        Task { here: true, limit: context.limit, level: context.level }
    }

    pub(crate) fn on_thread(self) -> Task {
        Task { here: false, ..self }
    }
}

/// Begins a statement: sets what may stop it.
#[inline(always)]
pub(crate) fn start(watch: &Watch, task: &Task, limited: bool) -> Result<(), Halt> {
    if task.here {
        watch.next_run();
    }
    match task.limit {
        None => watch.start(limited, None),
        Some((deadline, given)) if is_over(deadline) => return Err(Halt::Failed(DBError::timeout(given))),
        Some((deadline, _)) => watch.start(limited, Some(deadline)),
    }
    Ok(())
}

// The clock is asked apart from the road that most statements take.
#[inline(never)]
fn is_over(deadline: Instant) -> bool {
    Instant::now() >= deadline
}

/// What a statement does, as far as its failure is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doing<'m> {
    pub(crate) model: &'m ModelSchema,
    pub(crate) inserts: bool,
    /// It is a transaction of its own.
    pub(crate) commits: bool,
}

impl<'m> Doing<'m> {
    /// What writes nothing.
    fn read(model: &'m ModelSchema) -> Doing<'m> {
        Doing { model, inserts: false, commits: false }
    }
}

/// What becomes of an error of SQLite.
pub(crate) fn halt(failure: rusqlite::Error, watch: &Watch, task: &Task, doing: Doing<'_>) -> Halt {
    if error::is_busy(&failure) {
        return Halt::Busy(Box::new(failure));
    }
    if error::is_interrupt(&failure) {
        return match watch.stopped() {
            Some(Stopped::Budget) => Halt::Move,
            Some(Stopped::Deadline) => {
                let given = task.limit.map_or(Duration::ZERO, |(_, given)| given);
                Halt::Failed(DBError::timeout(given).with_source(failure))
            }
            // Nobody reads it.
            _ => Halt::Failed(DBError::timeout(Duration::ZERO).with_detail("it was cancelled").with_source(failure)),
        };
    }
    let Doing { model, inserts, commits } = doing;
    Halt::Failed(error::in_doubt(failure, commits, |failure| error::on_statement(failure, model, inserts)))
}

/// Why binding ended before SQLite saw all values.
fn unbound(failure: DBError, ended: Option<Ended>, watch: &Watch, task: &Task, model: &ModelSchema) -> Halt {
    match ended {
        Some(Ended::Heavy) => Halt::Move,
        Some(Ended::Refused(error)) => halt(error, watch, task, Doing::read(model)),
        None => Halt::Failed(failure),
    }
}

/// Binds the values that a traversal of the statement gives.
#[inline]
pub(crate) fn bind(
    statement: &mut Lent<'_, '_>,
    model: &ModelSchema,
    watch: &Watch,
    task: &Task,
    traverse: impl FnOnce(&mut Binder<'_, '_, '_>) -> DBResult<()>,
) -> Result<(), Halt> {
    let room = if task.here { LIGHT } else { usize::MAX };
    let mut binder = Binder::new(statement, &model.name, room);
    match traverse(&mut binder) {
        Ok(()) => {
            binder.finish();
            Ok(())
        }
        Err(failure) => {
            let ended = binder.ended.take();
            Err(unbound(failure, ended, watch, task, model))
        }
    }
}

/// Compiles a select.
pub(crate) fn compile_select(select: &Select) -> DBResult<Compiled> {
    check(select)?;
    let mut text = SqlText::new();
    ommi_sql::select(select, &Sqlite, &mut text)?;
    let columns = match select.output {
        Output::Count => Columns::single(&select.model, ColumnType::I64),
        Output::Exists => Columns::single(&select.model, ColumnType::Bool),
        _ => Columns::of(&select.model, select.model.all_columns()),
    };
    let single = select.is_point() || select.output != Output::Model;
    Ok(Compiled::new(text.into_string(), columns, related_models(select)).with_single(single))
}

/// Refuses what the model or the driver does not have.
pub(crate) fn check<'a>(statement: impl Into<StatementRef<'a>>) -> DBResult<()> {
    let statement = statement.into();
    statement.model().usable()?;
    ommi_core::ast::check(statement, &crate::driver::CAPABILITIES)
}

/// A read under way: what its rows go to.
pub(crate) trait Rows {
    /// Takes a row; false ends the read.
    fn row(&mut self, row: &mut SqliteRow<'_, '_>) -> DBResult<bool>;

    /// Forgets the rows that were taken, because the read begins again.
    fn clear(&mut self);
}

impl Rows for &mut (dyn RowSink + '_) {
    fn row(&mut self, row: &mut SqliteRow<'_, '_>) -> DBResult<bool> {
        RowSink::row(*self, row)?;
        Ok(true)
    }

    fn clear(&mut self) {
        RowSink::clear(*self);
    }
}

/// Compiles a select without running it, and notes its text in the span.
pub(crate) fn prepare(connection: &mut Connection, select: &Select) -> DBResult<()> {
    let Connection { cache, shape, .. } = connection;
    shape.write_select(select)?;
    record_statement(&cache.get(shape, || compile_select(select))?.compiled.text);
    Ok(())
}

/// Reads.
pub(crate) fn fetch(
    connection: &mut Connection,
    select: &Select,
    mut rows: impl Rows,
    task: &Task,
) -> Result<(), Halt> {
    let Connection { sqlite, cache, shape, watch, .. } = connection;
    shape.write_select(select)?;
    let Entry { compiled, place, .. } = cache.get(shape, || compile_select(select))?;
    if task.here {
        record_statement(&compiled.text);
        if compiled.pace() == Pace::Long {
            return Err(Halt::Move);
        }
    }
    start(watch, task, task.here)?;
    let failed = |error| halt(error, watch, task, Doing::read(&select.model));
    sqlite.with(*place, &compiled.text, |_, statement| {
        let statement = statement.map_err(failed)?;
        bind(statement, &select.model, watch, task, |binder| ommi_sql::select(select, &Sqlite, binder))?;
        let mut result = statement.query();
        loop {
            match result.next() {
                Ok(Some(row)) => {
                    if !rows.row(&mut SqliteRow { row, columns: &compiled.columns })? {
                        return Ok(());
                    }
                    if compiled.single {
                        finish(compiled, watch, task);
                        return Ok(());
                    }
                }
                Ok(None) => {
                    finish(compiled, watch, task);
                    return Ok(());
                }
                Err(error) => {
                    let halt = failed(error);
                    if let Halt::Move = halt {
                        compiled.set_pace(Pace::Long);
                    }
                    rows.clear();
                    return Err(halt);
                }
            }
        }
    })
}

/// Notes how long a read took. Here it was short enough, however long the thread was kept from running.
fn finish(compiled: &Compiled, watch: &Watch, task: &Task) {
    match task.here {
        true => compiled.set_pace(Pace::Short),
        false => learn(compiled, watch, task),
    }
}

/// Notes how long a statement took.
///
/// It is long above [`BUDGET`], and short again below three quarters of that: the same read takes a little longer on another thread, and one that is
/// held up once by something else must not stay there for good. Shorter ones than the progress handler's interval took no time.
#[inline]
pub(crate) fn learn(compiled: &Compiled, watch: &Watch, task: &Task) {
    let time = watch.run_time();
    if time > BUDGET {
        compiled.set_pace(Pace::Long);
    } else if task.here || time < BUDGET * 3 / 4 {
        compiled.set_pace(Pace::Short);
    }
}

/// Whether a write may run here. A write is never run twice, so this is decided before, by its shape: one that was short the last time
/// may change the whole table with other values.
pub(crate) fn stays_here(pace: Pace, is_short: bool) -> bool {
    is_short && pace != Pace::Long
}

/// Runs a write that gives back nothing but the number of its rows.
fn write(
    connection: &mut Connection,
    task: &Task,
    model: &ModelSchema,
    write_shape: impl FnOnce(&mut Shape) -> DBResult<()>,
    compile: impl FnOnce() -> DBResult<Compiled>,
    is_short: bool,
    traverse: impl FnOnce(&mut Binder<'_, '_, '_>) -> DBResult<()>,
) -> Result<u64, Halt> {
    let commits_wait = connection.commits_wait && connection.sqlite.is_autocommit();
    let before = connection.writes_alone();
    let Connection { sqlite, cache, shape, watch, .. } = connection;
    write_shape(shape)?;
    let Entry { compiled, place, .. } = cache.get(shape, compile)?;
    if task.here {
        record_statement(&compiled.text);
        if commits_wait || !stays_here(compiled.pace(), is_short) {
            return Err(Halt::Move);
        }
    }
    start(watch, task, false)?;
    let doing = Doing { model, inserts: false, commits: before.is_some() };
    let failed = |error| halt(error, watch, task, doing);
    sqlite.with(*place, &compiled.text, |sqlite, statement| {
        let statement = statement.map_err(failed)?;
        bind(statement, model, watch, task, traverse)?;
        let rows = execute(statement, sqlite, before).map_err(failed)?;
        learn(compiled, watch, task);
        Ok(rows)
    })
}

/// Updates.
pub(crate) fn update(connection: &mut Connection, update: &Update, task: &Task) -> Result<u64, Halt> {
    write(
        connection,
        task,
        &update.model,
        |shape| shape.write_update(update),
        || {
            check(update)?;
            let mut text = SqlText::new();
            ommi_sql::update(update, &Sqlite, &mut text)?;
            Ok(Compiled::new(text.into_string(), Columns::none(&update.model), related_models(update)))
        },
        update.is_point(),
        |binder| ommi_sql::update(update, &Sqlite, binder),
    )
}

/// Deletes.
pub(crate) fn delete(connection: &mut Connection, delete: &Delete, task: &Task) -> Result<u64, Halt> {
    write(
        connection,
        task,
        &delete.model,
        |shape| shape.write_delete(delete),
        || {
            check(delete)?;
            let mut text = SqlText::new();
            ommi_sql::delete(delete, &Sqlite, &mut text)?;
            Ok(Compiled::new(text.into_string(), Columns::none(&delete.model), related_models(delete)))
        },
        delete.is_point(),
        |binder| ommi_sql::delete(delete, &Sqlite, binder),
    )
}
