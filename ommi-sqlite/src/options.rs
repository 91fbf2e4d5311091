//! How to open a database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ommi_core::{DBError, DBResult};

use crate::SqliteDriver;

/// How to open a database, as a value. A URL says the same with the names of these methods as parameters, in which times are milliseconds and
/// switches `on` or `off`.
///
/// ```no_run
/// # async fn example() -> ommi_core::DBResult<()> {
/// use std::time::Duration;
/// use ommi_sqlite::{Mode, SqliteOptions};
///
/// let driver = SqliteOptions::file("shop.db").mode(Mode::ReadWriteCreate).busy_timeout(Duration::from_secs(1)).connect().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct SqliteOptions {
    /// None: in memory.
    pub(crate) path: Option<PathBuf>,
    pub(crate) mode: Mode,
    pub(crate) busy_timeout: Duration,
    pub(crate) acquire_timeout: Duration,
    pub(crate) synchronous: Synchronous,
    pub(crate) readers: usize,
    pub(crate) foreign_keys: bool,
    pub(crate) qpsg: bool,
    pub(crate) statement_cache: usize,
    pub(crate) cache_size: Option<i64>,
}

/// What may be done to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Reading. `mode=ro`
    ReadOnly,
    /// Reading and writing; a missing file is an error. `mode=rw`, the default.
    ReadWrite,
    /// Reading and writing; a missing file is created. `mode=rwc`
    ReadWriteCreate,
    /// No file: a database in memory, gone with the connection. `mode=memory`
    Memory,
}

/// When SQLite waits for the disk. It decides what a loss of power may take; the file stays whole with each but `Off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Synchronous {
    /// Never. A loss of power may corrupt the file. `synchronous=off`
    Off,
    /// At checkpoints. Every commit survives a crash of the process; a loss of power may take the last ones. `synchronous=normal`
    #[default]
    Normal,
    /// At every commit, which survives a loss of power; commits then run on a blocking thread. `synchronous=full`
    Full,
    /// As `Full`, and the directory too. `synchronous=extra`
    Extra,
}

impl SqliteOptions {
    /// A database in memory. It has one connection, which everything shares.
    pub fn memory() -> SqliteOptions {
        SqliteOptions {
            path: None,
            mode: Mode::Memory,
            busy_timeout: Duration::from_secs(5),
            acquire_timeout: Duration::from_secs(30),
            synchronous: Synchronous::Normal,
            readers: 4,
            foreign_keys: true,
            qpsg: true,
            statement_cache: 256,
            cache_size: None,
        }
    }

    /// A database in a file, for reading and writing, that exists.
    pub fn file(path: impl AsRef<Path>) -> SqliteOptions {
        SqliteOptions { path: Some(path.as_ref().to_owned()), mode: Mode::ReadWrite, ..SqliteOptions::memory() }
    }

    /// Reads a URL: `sqlite::memory:`, `sqlite://path?option=value&..` or `sqlite:path`. A path is relative unless a third slash
    /// begins it, and `%` with two hexadecimal digits stands for a byte of it.
    ///
    /// # Errors
    /// `Configuration` for an option that does not exist, one that is given twice, or a value that it does not take.
    pub fn parse(url: &str) -> DBResult<SqliteOptions> {
        crate::url::parse(url)
    }

    /// What may be done to the file. `mode`
    pub fn mode(mut self, mode: Mode) -> SqliteOptions {
        self.mode = mode;
        self
    }

    /// How long a statement waits while another process holds the database's lock; then it is a `Timeout`. 5 seconds by default.
    /// `busy_timeout`, in milliseconds
    pub fn busy_timeout(mut self, timeout: Duration) -> SqliteOptions {
        self.busy_timeout = timeout;
        self
    }

    /// How long a statement waits for a connection that others of this process use; then it is a `Timeout`. 30 seconds by default.
    /// `acquire_timeout`, in milliseconds
    pub fn acquire_timeout(mut self, timeout: Duration) -> SqliteOptions {
        self.acquire_timeout = timeout;
        self
    }

    /// When SQLite waits for the disk. `synchronous`
    pub fn synchronous(mut self, synchronous: Synchronous) -> SqliteOptions {
        self.synchronous = synchronous;
        self
    }

    /// How many connections read beside the one that writes: 1 to 64, 4 by default. A database in memory has one connection for all.
    /// `readers`
    pub fn readers(mut self, readers: usize) -> SqliteOptions {
        self.readers = readers;
        self
    }

    /// Whether references are held to be true; they are by default. `foreign_keys`
    pub fn foreign_keys(mut self, on: bool) -> SqliteOptions {
        self.foreign_keys = on;
        self
    }

    /// Whether a statement keeps its plan whatever values are bound (SQLite's query planner stability guarantee); it does by default.
    /// Without it SQLite plans again on every run, which costs more than most statements. `qpsg`
    pub fn qpsg(mut self, on: bool) -> SqliteOptions {
        self.qpsg = on;
        self
    }

    /// How many statements each connection keeps prepared: 1 to 65 536, 256 by default. Beside them are those that begin and end transactions.
    /// `statement_cache`
    pub fn statement_cache(mut self, statements: usize) -> SqliteOptions {
        self.statement_cache = statements;
        self
    }

    /// SQLite's page cache of each connection: pages, or KiB where it is negative. SQLite's own default is -2000. `cache_size`
    pub fn cache_size(mut self, size: i64) -> SqliteOptions {
        self.cache_size = Some(size);
        self
    }

    /// Opens the database.
    ///
    /// # Errors
    /// `Configuration` for an option out of its range, a database whose text is not UTF-8, and for a file outside of a Tokio runtime. `Connection`
    /// for a file that is missing, is a directory or cannot be opened. `Database` for a file that is no SQLite database, or a
    /// damaged one. `Timeout` where another process keeps it locked.
    pub async fn connect(&self) -> DBResult<SqliteDriver> {
        SqliteDriver::open(self.clone()).await
    }

    /// Whether there is no file.
    pub(crate) fn is_memory(&self) -> bool {
        self.path.is_none() || self.mode == Mode::Memory
    }

    /// Whether a commit waits for the disk.
    pub(crate) fn commits_wait(&self) -> bool {
        !self.is_memory() && matches!(self.synchronous, Synchronous::Full | Synchronous::Extra)
    }

    pub(crate) fn check(&self) -> DBResult<()> {
        let wrong = |option, detail| Err(DBError::configuration(Some(option), detail));
        if self.path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            return Err(DBError::configuration(None, "the path of the database is empty"));
        }
        if self.path.is_none() && self.mode != Mode::Memory {
            return wrong("mode", "a database in memory can only have the mode `memory`");
        }
        if !(1..=64).contains(&self.readers) {
            return wrong("readers", "it takes a number from 1 to 64");
        }
        if !(1..=65_536).contains(&self.statement_cache) {
            return wrong("statement_cache", "it takes a number from 1 to 65536");
        }
        Ok(())
    }
}

impl Synchronous {
    /// The value of SQLite's pragma.
    pub(crate) fn pragma(self) -> &'static str {
        match self {
            Synchronous::Off => "OFF",
            Synchronous::Normal => "NORMAL",
            Synchronous::Full => "FULL",
            Synchronous::Extra => "EXTRA",
        }
    }
}
