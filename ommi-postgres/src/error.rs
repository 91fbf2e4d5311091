//! PostgreSQL's errors as Ommi's.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use ommi_core::schema::{ColumnSchema, ModelSchema};
use ommi_core::{Constraint, ConstraintKind, DBError, DBResult, ErrorKind};
use ommi_sql::ddl::{self, RANGE_CHECK_PREFIX};
use sqlx::postgres::PgDatabaseError;

use crate::detail;
use crate::dialect::{LONGEST_NAME, Postgres};

/// The client library's error: the source of an Ommi error.
///
/// Its `Debug` shows the state and the message, and not the detail that PostgreSQL gives, which holds values. [`sqlx`](PostgresError::sqlx)
/// gives it all.
pub struct PostgresError(sqlx::Error);

impl PostgresError {
    /// The error as the client library gave it. It may show values.
    pub fn sqlx(&self) -> &sqlx::Error {
        &self.0
    }

    /// The five characters by which PostgreSQL tells its errors apart.
    pub fn sqlstate(&self) -> Option<&str> {
        report(&self.0).map(PgDatabaseError::code)
    }
}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match report(&self.0) {
            Some(report) => write!(f, "{} (SQLSTATE {})", report.message(), report.code()),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match report(&self.0) {
            Some(report) => f
                .debug_struct("PostgresError")
                .field("sqlstate", &report.code())
                .field("message", &report.message())
                .finish_non_exhaustive(),
            None => f.debug_tuple("PostgresError").field(&self.0).finish(),
        }
    }
}

impl Error for PostgresError {}

fn report(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()
}

/// The state that PostgreSQL reported.
pub(crate) fn state(error: &sqlx::Error) -> Option<&str> {
    report(error).map(PgDatabaseError::code)
}

/// What was violated, if it is none of the constraints that have codes of their own. From PostgreSQL 18 on a deletion that RESTRICT forbids is
/// told from a reference without its row.
fn of_reference(code: &str) -> ConstraintKind {
    match code {
        "23503" | "23001" => ConstraintKind::ForeignKey,
        _ => ConstraintKind::Other,
    }
}

/// What PostgreSQL says is wrong. It names things, and holds no values where a statement itself is refused.
pub(crate) fn message(error: &sqlx::Error) -> &str {
    report(error).map_or("", PgDatabaseError::message)
}

/// Whether this is the end of a connection.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        error => state(error).is_some_and(|state| state.starts_with("08") || state.starts_with("57P")),
    }
}

/// Whether a kept statement no longer fits its table.
pub(crate) fn is_stale_plan(error: &sqlx::Error) -> bool {
    report(error).is_some_and(|report| {
        report.code() == "0A000" && report.routine() == Some("RevalidateCachedQuery") || report.code() == "26000"
    })
}

/// What a statement does to a model, as far as its errors depend on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doing<'a> {
    pub(crate) model: &'a ModelSchema,
    /// Whether the rows that are written are the model's own, so that its references are those that can dangle.
    pub(crate) writes: bool,
    /// The only column whose number changes, where there is one.
    pub(crate) counted: Option<&'a str>,
    /// The time that was given.
    pub(crate) limit: Option<Duration>,
}

impl<'a> Doing<'a> {
    pub(crate) fn reading(model: &'a ModelSchema, limit: Option<Duration>) -> Doing<'a> {
        Doing { model, writes: false, counted: None, limit }
    }
}

/// A failure to run a statement.
pub(crate) fn on_statement(error: sqlx::Error, doing: Doing<'_>) -> DBError {
    match report(&error).and_then(|report| of_rows(report, doing)) {
        Some(made) => made.with_source(PostgresError(error)),
        None => general(error, doing.limit),
    }
}

fn of_rows(report: &PgDatabaseError, doing: Doing<'_>) -> Option<DBError> {
    let model = doing.model;
    let kind = match report.code() {
        "23505" => ConstraintKind::Unique,
        "23502" => ConstraintKind::NotNull,
        "23514" => ConstraintKind::Check,
        "23503" | "23001" | "23P01" | "23000" => of_reference(report.code()),
        "22003" => return Some(DBError::out_of_range(model.qualified_table(), doing.counted.map(str::to_owned))),
        // Text too long for a `varchar(n)` that Ommi did not make. Which column's it is, PostgreSQL does not say.
        "22001" => {
            let constraint = Constraint::new(ConstraintKind::Check).on_table(model.qualified_table().into_owned());
            return Some(DBError::new(ErrorKind::Constraint(constraint)));
        }
        _ => return None,
    };
    let own = report.table().is_none_or(|table| *table == *model.table)
        && model.schema.as_deref().is_none_or(|schema| report.schema().is_none_or(|reported| reported == schema));
    let mut constraint = Constraint::new(kind);
    if let Some(table) = report.table() {
        constraint = constraint.on_table(if own { model.qualified_table().into_owned() } else { table.to_owned() });
    }
    let name = report.constraint();
    if let Some(name) = name {
        constraint = constraint.named(name);
    }
    let columns: Vec<String> = match kind {
        ConstraintKind::Check => {
            let named = |column: &&ColumnSchema| name == Some(&*ddl::range_check_name(column, &Postgres));
            // Tables of older versions have names that PostgreSQL itself has cut.
            let was_cut = |column: &&ColumnSchema| name == Some(cut(&format!("{RANGE_CHECK_PREFIX}{}", column.name)));
            let columns = &model.columns;
            let column = columns.iter().find(named).or_else(|| columns.iter().find(was_cut));
            if let Some(column) = column.filter(|_| own) {
                return Some(DBError::out_of_range(model.qualified_table(), Some(column.name.to_string())));
            }
            Vec::new()
        }
        ConstraintKind::NotNull => report.column().map(str::to_owned).into_iter().collect(),
        ConstraintKind::Unique => report.detail().map(detail::columns).unwrap_or_default(),
        ConstraintKind::ForeignKey => name.map(|name| referring(name, report, doing, own)).unwrap_or_default(),
        _ => Vec::new(),
    };
    Some(DBError::new(ErrorKind::Constraint(constraint.on_columns(columns))))
}

/// The columns of a reference, by its name; or by the report, where it was a row of the model that would have dangled.
fn referring(name: &str, report: &PgDatabaseError, doing: Doing<'_>, own: bool) -> Vec<String> {
    if !own {
        return Vec::new();
    }
    let model = doing.model;
    let named = model.references.iter().find(|reference| ddl::reference_name(model, reference, 0, &Postgres) == name);
    match named {
        Some(reference) => model.names(&reference.columns).map(str::to_owned).collect(),
        None if doing.writes => report.detail().map(detail::columns).unwrap_or_default(),
        None => Vec::new(),
    }
}

/// A name as PostgreSQL keeps it.
pub(crate) fn cut(name: &str) -> &str {
    let end = (0..=LONGEST_NAME.min(name.len())).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
    name.get(..end).unwrap_or(name)
}

/// No connection was to be had.
pub(crate) fn exhausted(size: u32, limit: Duration) -> DBError {
    let detail = format!("none of the pool's connections ({size} at most) became free, or none could be opened");
    DBError::timeout(limit).with_detail(detail).with_source(sqlx::Error::PoolTimedOut)
}

/// A failure that has nothing to do with the rows of one model.
pub(crate) fn general(error: sqlx::Error, limit: Option<Duration>) -> DBError {
    let made = match &error {
        sqlx::Error::Database(_) => return reported(error, limit),
        sqlx::Error::PoolTimedOut => DBError::timeout(limit.unwrap_or_default())
            .with_detail("no connection of the pool became free, or none could be opened"),
        sqlx::Error::PoolClosed => DBError::new(ErrorKind::Connection).with_detail("it was closed"),
        // So the encryption says that it does not trust the server, among other things that do not pass.
        sqlx::Error::Io(failure) if failure.kind() == std::io::ErrorKind::InvalidData => {
            DBError::new(ErrorKind::Connection).with_detail("no TLS connection could be made")
        }
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => DBError::new(ErrorKind::Connection).retryable(),
        sqlx::Error::Tls(_) => DBError::new(ErrorKind::Connection).with_detail("no TLS connection could be made"),
        sqlx::Error::Configuration(_) => DBError::configuration(None, "the client library refuses it"),
        // What is read after a connection was lost makes no sense.
        sqlx::Error::Protocol(_) => DBError::new(ErrorKind::Connection).retryable(),
        _ => DBError::new(ErrorKind::Database),
    };
    made.with_source(PostgresError(error))
}

fn reported(error: sqlx::Error, limit: Option<Duration>) -> DBError {
    let state = state(&error).unwrap_or_default().to_owned();
    let lost = || DBError::new(ErrorKind::Connection).retryable();
    let made = match state.as_str() {
        "40001" | "40P01" => DBError::new(ErrorKind::Conflict),
        "55P03" => DBError::new(ErrorKind::Conflict).with_detail("a lock could not be had"),
        "57014" => DBError::timeout(limit.unwrap_or_default()).with_detail("the database ended the statement"),
        "25P02" => DBError::new(ErrorKind::TransactionAborted),
        "25P03" | "57P05" => lost().with_detail("the server ended a connection that was idle for too long"),
        "57P01" | "57P02" | "57P03" => lost().with_detail("the server is shutting down or starting"),
        "53300" => lost().with_detail("the server has no connection left"),
        "53400" | "53200" | "53100" => {
            DBError::new(ErrorKind::Database).with_detail("the server has run out of a resource")
        }
        "54000" | "54001" | "54011" | "54023" => DBError::new(ErrorKind::TooLarge),
        "22021" | "22P05" => {
            DBError::invalid_value(None, None).with_detail("text that the database's encoding does not have")
        }
        "22008" => DBError::invalid_value(None, None).with_detail("a date that PostgreSQL does not store"),
        "22003" => DBError::out_of_range("?", None),
        "28000" | "28P01" => {
            DBError::new(ErrorKind::Connection).with_detail("the server refused the user or its password")
        }
        "3D000" => DBError::new(ErrorKind::Connection).with_detail("there is no such database"),
        code if code.starts_with("08") => lost(),
        code if code.starts_with("23") => DBError::new(ErrorKind::Constraint(Constraint::new(of_reference(code)))),
        // What is wrong with a statement: a table that does not exist, say. It names things, and holds no values.
        code if code.starts_with("42") => DBError::new(ErrorKind::Database).with_detail(message(&error).to_owned()),
        _ => DBError::new(ErrorKind::Database),
    };
    made.with_source(PostgresError(error))
}

/// A row came with a key where the database counts, and its counter could not be moved.
pub(crate) fn no_right_to_count(error: sqlx::Error) -> DBError {
    let detail = format!(
        "{}: rows that come with a key where the database counts need the rights USAGE and UPDATE on its sequence",
        message(&error)
    );
    DBError::new(ErrorKind::Database).with_detail(detail).with_source(PostgresError(error))
}

/// Text is compared and sorted by its bytes, which are UTF-8.
pub(crate) fn check_encoding(found: Option<String>) -> DBResult<()> {
    let found = found.unwrap_or_default();
    if found == "UTF8" {
        return Ok(());
    }
    Err(DBError::configuration(None, format!("the database's encoding is {found}, and Ommi needs UTF8")))
}

/// The operation took longer than it may.
pub(crate) fn timed_out(limit: Duration) -> DBError {
    DBError::timeout(limit)
}

/// No runtime to wait in.
pub(crate) fn no_runtime(error: tokio::runtime::TryCurrentError) -> DBError {
    DBError::new(ErrorKind::Connection)
        .with_detail("the PostgreSQL driver needs a Tokio runtime with its timer and I/O enabled")
        .with_source(error)
}
