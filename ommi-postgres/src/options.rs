//! How to connect.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ommi_core::{DBError, DBResult};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::timeout;

pub use sqlx::postgres::PgSslMode as SslMode;

use crate::PostgresDriver;
use crate::compiled::Cache;
use crate::driver::{Inner, Losses};
use crate::error;
use crate::lease::{SHOW_ENCODING, simple};
use crate::warm::Warm;

/// A connection that was not used for so long is asked whether it still lives before it is used again: servers restart.
const PROBE_AFTER: Duration = Duration::from_secs(1);

/// How to connect to a database, as a value. A URL says the same with the names of these methods as parameters, but for
/// [`setting`](PostgresOptions::setting).
///
/// What neither says comes from where PostgreSQL's own tools take it: the variables `PGHOST`, `PGUSER` and so on, and the password file.
///
/// ```no_run
/// # async fn example() -> ommi_core::DBResult<()> {
/// use ommi_postgres::{PostgresOptions, SslMode};
///
/// let options = PostgresOptions::parse("postgres://ann@db.example.org/shop")?;
/// let driver = options.sslmode(SslMode::VerifyFull).max_connections(20).connect().await?;
/// # Ok(()) }
/// ```
///
/// `Debug` prints neither the server nor the credentials.
#[derive(Clone)]
#[must_use]
pub struct PostgresOptions {
    pub(crate) connect: PgConnectOptions,
    pub(crate) settings: Vec<(String, String)>,
    /// The files that options name.
    files: Vec<(&'static str, PathBuf)>,
    pub(crate) max_connections: u32,
    pub(crate) min_connections: u32,
    pub(crate) acquire_timeout: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) statement_cache: usize,
    pub(crate) prepared: bool,
    pub(crate) statement_timeout: Option<Duration>,
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions").field("database", &self.connect.get_database()).finish_non_exhaustive()
    }
}

impl PostgresOptions {
    /// The database that the environment names, or that of the user on this machine.
    pub fn new() -> PostgresOptions {
        PostgresOptions::with(PgConnectOptions::new())
    }

    fn with(connect: PgConnectOptions) -> PostgresOptions {
        PostgresOptions {
            connect,
            settings: Vec::new(),
            files: Vec::new(),
            max_connections: 10,
            min_connections: 0,
            acquire_timeout: Duration::from_secs(30),
            idle_timeout: Some(Duration::from_secs(600)),
            max_lifetime: Some(Duration::from_secs(1_800)),
            statement_cache: 256,
            prepared: true,
            statement_timeout: None,
        }
    }

    /// Reads a URL: `postgres://user:password@host:port/database?option=value&..`; `postgresql:` is the same.
    ///
    /// # Errors
    /// `Configuration` for an option that does not exist, one that is given twice, or a value that it does not take.
    pub fn parse(url: &str) -> DBResult<PostgresOptions> {
        crate::url::parse(url)
    }

    /// From a URL without parameters.
    pub(crate) fn base(url: &str) -> DBResult<PostgresOptions> {
        match PgConnectOptions::from_str(url) {
            Ok(connect) => Ok(PostgresOptions::with(connect)),
            // Neither the URL nor a part of it: it may hold a password.
            Err(_) => Err(DBError::configuration(
                None,
                "the URL is not of the form `postgres://user:password@host:port/database`",
            )),
        }
    }

    /// The server's name or address, or the folder of its socket. `host`
    pub fn host(mut self, host: &str) -> PostgresOptions {
        self.connect = match host.starts_with('/') {
            true => self.connect.socket(host),
            false => self.connect.host(host),
        };
        self
    }

    /// The server's port; 5432 by default. `port`
    pub fn port(mut self, port: u16) -> PostgresOptions {
        self.connect = self.connect.port(port);
        self
    }

    /// The user. `user`
    pub fn user(mut self, user: &str) -> PostgresOptions {
        self.connect = self.connect.username(user);
        self
    }

    /// The password. `password`
    pub fn password(mut self, password: &str) -> PostgresOptions {
        self.connect = self.connect.password(password);
        self
    }

    /// The database. `dbname`
    pub fn database(mut self, database: &str) -> PostgresOptions {
        self.connect = self.connect.database(database);
        self
    }

    /// Whether the connection is encrypted, and what is checked of the server; `prefer` by default. `sslmode`
    pub fn sslmode(mut self, mode: SslMode) -> PostgresOptions {
        self.connect = self.connect.ssl_mode(mode);
        self
    }

    /// A file with the certificates that servers are checked against. `sslrootcert`
    pub fn sslrootcert(mut self, file: impl Into<PathBuf>) -> PostgresOptions {
        let file = file.into();
        self.connect = self.connect.ssl_root_cert(&file);
        self.files.push(("sslrootcert", file));
        self
    }

    /// A file with the client's certificate. `sslcert`
    pub fn sslcert(mut self, file: impl Into<PathBuf>) -> PostgresOptions {
        let file = file.into();
        self.connect = self.connect.ssl_client_cert(&file);
        self.files.push(("sslcert", file));
        self
    }

    /// A file with the client's key. `sslkey`
    pub fn sslkey(mut self, file: impl Into<PathBuf>) -> PostgresOptions {
        let file = file.into();
        self.connect = self.connect.ssl_client_key(&file);
        self.files.push(("sslkey", file));
        self
    }

    /// The name by which the server's lists show the connections. `application_name`
    pub fn application_name(mut self, name: &str) -> PostgresOptions {
        self.connect = self.connect.application_name(name);
        self
    }

    /// The schemas in which tables are looked for, and in the first of which they are made, as PostgreSQL writes such a list.
    /// `search_path`
    pub fn search_path(self, schemas: &str) -> PostgresOptions {
        self.setting("search_path", schemas)
    }

    /// The longest time that the server works on any statement; then it is a `Timeout`. No time at all is no limit, as for PostgreSQL itself, whatever the
    /// server's own settings say. `statement_timeout`, in milliseconds, 0 for no limit
    pub fn statement_timeout(mut self, timeout: Duration) -> PostgresOptions {
        let milliseconds = match timeout.is_zero() {
            true => 0,
            // Less than a millisecond is still a limit.
            false => timeout.as_millis().clamp(1, i32::MAX as u128),
        };
        self.statement_timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
        self.setting("statement_timeout", &milliseconds.to_string())
    }

    /// Any setting of the server, for every connection.
    pub fn setting(mut self, name: &str, value: &str) -> PostgresOptions {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How many statements each connection keeps prepared: 1 to 65 536, 256 by default. `statement_cache`
    pub fn statement_cache(mut self, statements: usize) -> PostgresOptions {
        self.statement_cache = statements;
        self
    }

    /// Whether statements are prepared once and kept; they are by default. Off, for poolers that lend another connection for each
    /// transaction and do not know prepared statements: every statement then is sent whole, in a transaction that holds its parts
    /// together, which takes three more hops. `prepared`
    pub fn prepared(mut self, on: bool) -> PostgresOptions {
        self.prepared = on;
        self
    }

    /// The most connections that the pool opens: 1 to 10 000, 10 by default. `max_connections`
    pub fn max_connections(mut self, connections: u32) -> PostgresOptions {
        self.max_connections = connections;
        self
    }

    /// How many connections the pool keeps open when there is nothing to do; none by default. `min_connections`
    pub fn min_connections(mut self, connections: u32) -> PostgresOptions {
        self.min_connections = connections;
        self
    }

    /// How long a statement waits for a connection, and for one to be opened; then it is a `Timeout`. 30 seconds by default.
    /// `acquire_timeout`, in milliseconds
    pub fn acquire_timeout(mut self, timeout: Duration) -> PostgresOptions {
        self.acquire_timeout = timeout;
        self
    }

    /// How long a connection stays open unused; 10 minutes by default, `None` for ever. `idle_timeout`, in milliseconds, 0 for ever
    pub fn idle_timeout(mut self, timeout: Option<Duration>) -> PostgresOptions {
        self.idle_timeout = timeout;
        self
    }

    /// How long a connection is used before another takes its place; 30 minutes by default, `None` for ever. `max_lifetime`, in
    /// milliseconds, 0 for ever
    pub fn max_lifetime(mut self, lifetime: Option<Duration>) -> PostgresOptions {
        self.max_lifetime = lifetime;
        self
    }

    /// Connects, and makes sure that the database answers.
    ///
    /// # Errors
    /// `Configuration` for an option out of its range, a file that cannot be read, and for a database whose encoding is not UTF-8. `Connection` where the server
    /// cannot be reached or refuses the user, and outside of a Tokio runtime. `Timeout` where it does not answer.
    pub async fn connect(&self) -> DBResult<PostgresDriver> {
        self.check()?;
        tokio::runtime::Handle::try_current().map_err(error::no_runtime)?;
        for (option, file) in &self.files {
            let opened = tokio::fs::File::open(file).await;
            opened
                .map_err(|error| DBError::configuration(Some(option), format!("the file cannot be read: {error}")))?;
        }
        let options = self.connect_options();
        // The pool would try for as long as `acquire_timeout`; here a wrong address is better told at once.
        let probe = async {
            let mut connection = PgConnection::connect_with(&options).await?;
            let encoding = simple(&mut connection, SHOW_ENCODING).await?;
            // It answered, which is all that was asked.
            let _ = connection.close().await;
            Ok::<_, sqlx::Error>(encoding)
        };
        let probed = timeout(self.acquire_timeout, probe).await;
        let encoding =
            probed.map_err(|_| error::timed_out(self.acquire_timeout))?.map_err(|error| error::general(error, None))?;
        error::check_encoding(encoding)?;
        let losses = Arc::default();
        let pool = self.pool_options(&losses).connect_lazy_with(options);
        let warm = Some(Warm::new(&pool));
        let (prepared, statement_timeout) = (self.prepared, self.statement_timeout);
        let (cache, encoding_is_known) = (Cache::default(), AtomicBool::new(true));
        Ok(PostgresDriver::with(Inner { pool, cache, prepared, statement_timeout, warm, losses, encoding_is_known }))
    }

    fn connect_options(&self) -> PgConnectOptions {
        let capacity = if self.prepared { self.statement_cache } else { 0 };
        let mut options = self.connect.clone().statement_cache_capacity(capacity).disable_statement_logging();
        if !self.settings.is_empty() {
            options = options.options(self.settings.iter().map(|(name, value)| (name, value)));
        }
        options
    }

    fn pool_options(&self, losses: &Arc<Losses>) -> PgPoolOptions {
        let losses = losses.clone();
        PgPoolOptions::new()
            .max_connections(self.max_connections)
            .min_connections(self.min_connections)
            .acquire_timeout(self.acquire_timeout)
            .idle_timeout(self.idle_timeout)
            .max_lifetime(self.max_lifetime)
            .test_before_acquire(false)
            .before_acquire(move |connection, metadata| {
                let doubtful = metadata.idle_for >= PROBE_AFTER || losses.within(metadata.idle_for);
                Box::pin(async move {
                    if doubtful {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
    }

    pub(crate) fn check(&self) -> DBResult<()> {
        let wrong = |option, detail| Err(DBError::configuration(Some(option), detail));
        if !(1..=10_000).contains(&self.max_connections) {
            return wrong("max_connections", "it takes a number from 1 to 10000");
        }
        if self.min_connections > self.max_connections {
            return wrong("min_connections", "it cannot be greater than `max_connections`");
        }
        if !(1..=65_536).contains(&self.statement_cache) {
            return wrong("statement_cache", "it takes a number from 1 to 65536");
        }
        if self.acquire_timeout.is_zero() {
            return wrong("acquire_timeout", "it must be longer than nothing");
        }
        Ok(())
    }
}

impl Default for PostgresOptions {
    fn default() -> PostgresOptions {
        PostgresOptions::new()
    }
}
