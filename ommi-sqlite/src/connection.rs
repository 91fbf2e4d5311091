//! A connection: opened, set up, and what Ommi keeps beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use ommi_core::ast::Shape;
use ommi_core::{DBError, DBResult, ErrorKind};
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::{OpenFlags, ffi};

use crate::cache::{Cache, SharedCache};
use crate::dialect::{SINGLE, TAKEN};
use crate::error;
use crate::kept::{Lent, RawConnection};
use crate::options::{Mode, SqliteOptions};
use crate::watch::{STEPS, Watch};

/// A connection to the database.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) sqlite: RawConnection,
    pub(crate) cache: Cache,
    /// Written anew for each statement, to look up without an allocation.
    pub(crate) shape: Shape,
    pub(crate) watch: Arc<Watch>,
    /// Whether a commit waits for the disk, and so belongs on a blocking thread.
    pub(crate) commits_wait: bool,
    /// The pages in the write-ahead log after the last commit here, for the checkpoints.
    pub(crate) wal_pages: Arc<AtomicU32>,
}

impl Connection {
    /// Opens and sets up a connection. Blocks.
    pub(crate) fn open(options: &SqliteOptions, shared: &Arc<SharedCache>) -> DBResult<Connection> {
        let mut sqlite = open_file(options)?;
        let watch = Arc::new(Watch::default());
        let wal_pages = Arc::new(AtomicU32::new(0));
        let refused = |error| error::on_open(error, options);
        set_up(&mut sqlite, options, &watch, &wal_pages).map_err(refused)?;
        expect_utf8(&sqlite).map_err(refused)??;
        Ok(Connection {
            sqlite: RawConnection::new(sqlite),
            cache: Cache::new(options.statement_cache, shared.clone()),
            shape: Shape::new(),
            watch,
            commits_wait: options.commits_wait(),
            wal_pages,
        })
    }

    /// How many rows were written so far, where a statement would be a transaction of its own: see [`was_written`].
    pub(crate) fn writes_alone(&self) -> Option<u64> {
        self.sqlite.is_autocommit().then(|| self.sqlite.total_changes())
    }

    /// Ends whatever transaction is open.
    pub(crate) fn roll_back(&mut self) {
        if !self.sqlite.is_autocommit() {
            self.watch.next_run();
            self.watch.start(false, None);
            // It fails only where SQLite has rolled back by itself.
            let _ = self.sqlite.execute_batch("ROLLBACK");
        }
    }
}

/// Sets up a connection that was just opened.
fn set_up(
    sqlite: &mut rusqlite::Connection,
    options: &SqliteOptions,
    watch: &Arc<Watch>,
    wal_pages: &Arc<AtomicU32>,
) -> rusqlite::Result<()> {
    // Only while it opens; after that a statement must not sleep on the thread of a task.
    sqlite.busy_timeout(options.busy_timeout)?;
    // Reads the file's first page, and so finds out what it is.
    sqlite.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
    sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, options.qpsg)?;
    // A name in double quotes that is no column is an error, not a text.
    sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    sqlite.pragma_update(None, "foreign_keys", options.foreign_keys)?;
    sqlite.pragma_update(None, "synchronous", options.synchronous.pragma())?;
    if let Some(size) = options.cache_size {
        sqlite.pragma_update(None, "cache_size", size)?;
    }
    if !options.is_memory() && !sqlite.is_readonly("main")? {
        sqlite.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // Checkpoints wait for the disk; the pool runs them apart.
        sqlite.pragma_update(None, "wal_autocheckpoint", 0)?;
        let pages = wal_pages.clone();
        sqlite.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count: i32| {
            pages.store(u32::try_from(count).unwrap_or(0), Relaxed);
            Ok(())
        }))?;
    }
    rusqlite::vtab::array::load_module(sqlite)?;
    // Rounded where it is summed up, so that an `f32` is found by the value that it is read as.
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    sqlite.create_scalar_function(SINGLE, 1, flags, |context| {
        let sum: Option<f64> = context.get(0)?;
        Ok(sum.map(|sum| f64::from(sum as f32)))
    })?;
    // Not deterministic, or it would be called in advance.
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    sqlite.create_scalar_function(TAKEN, 0, flags, |_| -> rusqlite::Result<i64> {
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CONSTRAINT_PRIMARYKEY), None))
    })?;
    let watch = watch.clone();
    sqlite.progress_handler(STEPS, Some(move || watch.look()))?;
    sqlite.busy_timeout(std::time::Duration::ZERO)
}

fn expect_utf8(sqlite: &rusqlite::Connection) -> rusqlite::Result<DBResult<()>> {
    let encoding: String = sqlite.pragma_query_value(None, "encoding", |row| row.get(0))?;
    Ok(if encoding == "UTF-8" {
        Ok(())
    } else {
        Err(DBError::configuration(
            None,
            format!(
                "the database stores text as {encoding}, which does not sort as UTF-8 does; only UTF-8 is supported"
            ),
        ))
    })
}

/// Whether a statement by itself was stopped only after it had been committed: SQLite asks once more when all is done. What is undone does not count as a change.
#[cold]
pub(crate) fn was_written(sqlite: &rusqlite::Connection, before: Option<u64>, failure: &rusqlite::Error) -> bool {
    error::is_interrupt(failure) && before.is_some_and(|before| sqlite.total_changes() != before)
}

/// Runs a statement that gives back no rows, and tells how many it changed. `before` is what there was of changes, if it is a transaction of its own.
#[inline(always)]
pub(crate) fn execute(
    statement: &mut Lent<'_, '_>,
    sqlite: &rusqlite::Connection,
    before: Option<u64>,
) -> rusqlite::Result<u64> {
    match statement.execute() {
        Ok(rows) => Ok(rows as u64),
        Err(failure) if was_written(sqlite, before, &failure) => Ok(sqlite.changes()),
        Err(failure) => Err(failure),
    }
}

/// Opens the file, with an error that says what to do about it.
fn open_file(options: &SqliteOptions) -> DBResult<rusqlite::Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Some(path) = options.path.as_ref().filter(|_| !options.is_memory()) else {
        flags |= OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_MEMORY;
        return rusqlite::Connection::open_in_memory_with_flags(flags).map_err(|error| error::on_open(error, options));
    };
    let unreachable = |detail: String| Err(DBError::new(ErrorKind::Connection).with_detail(detail));
    let shown = path.display();
    if path.is_dir() {
        return unreachable(format!("`{shown}` is a directory, not a file"));
    }
    flags |= match options.mode {
        Mode::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Mode::ReadWriteCreate => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        _ => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    if let Ok(false) = path.try_exists() {
        if options.mode != Mode::ReadWriteCreate {
            return unreachable(format!("there is no file `{shown}`; with `?mode=rwc` it is created"));
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|parent| !parent.is_dir()) {
            return unreachable(format!("there is no directory `{}` to create the file in", parent.display()));
        }
    }
    rusqlite::Connection::open_with_flags(literal(path), flags).map_err(|error| error::on_open(error, options))
}

/// The path as one that SQLite takes literally: it gives a meaning to names that begin with a colon or with `file:`.
fn literal(path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::control::{Control, Level};
    use crate::kept::Place;

    #[test]
    fn what_is_stopped_after_it_was_written_is_no_failure_and_nothing_stops_a_commit() {
        let mut connection = Connection::open(&SqliteOptions::memory(), &Arc::default()).unwrap();
        connection.sqlite.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY)").unwrap();
        let insert = |connection: &mut Connection, id: i64| {
            let place = Place { stamp: 1, number: 0 };
            connection.sqlite.with(place, "INSERT INTO t VALUES (?1)", |_, statement| {
                let statement = statement.unwrap();
                statement.bind(1, id).unwrap();
                statement.execute()
            })
        };
        let watch = connection.watch.clone();
        let limited = |is: bool| watch.start(false, is.then(Instant::now));
        let mut writes = 0;
        for id in 0..3_000 {
            let is_stored = |connection: &Connection| -> bool {
                let text = "SELECT EXISTS (SELECT 1 FROM t WHERE id = ?1)";
                connection.sqlite.query_row(text, [id], |row| row.get(0)).unwrap()
            };
            let level = Level::Transaction(1);
            for control in [Control::BeginWriting, Control::Open(level), Control::Undo(level), Control::Release(level)]
            {
                limited(true);
                connection.control(control).unwrap();
                assert!(watch.stopped().is_none() && !connection.sqlite.is_autocommit(), "{id}");
            }
            limited(false);
            insert(&mut connection, id).unwrap();
            limited(true);
            connection.control(Control::Commit).unwrap();
            limited(false);
            assert!(is_stored(&connection) && connection.sqlite.is_autocommit(), "{id}");

            connection.sqlite.execute("DELETE FROM t WHERE id = ?1", [id]).unwrap();
            let before = connection.writes_alone();
            limited(true);
            let written = match insert(&mut connection, id) {
                Ok(_) => true,
                Err(failure) => was_written(&connection.sqlite, before, &failure),
            };
            let stopped = watch.stopped().is_some();
            limited(false);
            writes += u32::from(stopped && is_stored(&connection));
            assert_eq!(written, is_stored(&connection), "{id}");
        }
        assert!(writes > 0, "none was stopped too late");
    }
}
