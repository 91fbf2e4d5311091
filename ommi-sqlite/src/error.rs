//! SQLite's errors as Ommi's.

use ommi_core::schema::{ColumnSchema, ModelSchema};
use ommi_core::{Constraint, ConstraintKind, DBError, ErrorKind};
use ommi_sql::ddl::RANGE_CHECK_PREFIX;
use rusqlite::ffi;

use crate::options::SqliteOptions;

/// What SQLite says of a failure.
struct Report<'e> {
    /// The extended result code.
    code: i32,
    message: &'e str,
}

fn report(error: &rusqlite::Error) -> Option<Report<'_>> {
    match error {
        rusqlite::Error::SqliteFailure(failure, message) => {
            Some(Report { code: failure.extended_code, message: message.as_deref().unwrap_or_default() })
        }
        rusqlite::Error::SqlInputError { error, msg, .. } => Some(Report { code: error.extended_code, message: msg }),
        _ => None,
    }
}

/// The extended result code, where SQLite itself failed.
pub(crate) fn code(error: &rusqlite::Error) -> Option<i32> {
    report(error).map(|report| report.code)
}

/// What SQLite says of it. Not for messages about rows: those of triggers can hold anything.
pub(crate) fn message(error: &rusqlite::Error) -> &str {
    report(error).map_or("", |report| report.message)
}

/// Whether another process or connection holds a lock that waiting may get.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    code(error).is_some_and(|code| {
        code != ffi::SQLITE_BUSY_SNAPSHOT && matches!(code & 0xFF, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED)
    })
}

/// Whether the progress handler stopped the statement.
pub(crate) fn is_interrupt(error: &rusqlite::Error) -> bool {
    code(error).is_some_and(|code| code & 0xFF == ffi::SQLITE_INTERRUPT)
}

/// A failure to run a statement for this model. `inserts` says that only its own table can have dangling references.
pub(crate) fn on_statement(error: rusqlite::Error, model: &ModelSchema, inserts: bool) -> DBError {
    let kind = report(&error).map(|report| constraint(&report, model, inserts));
    match kind {
        Some(Some(kind)) => DBError::new(kind).with_source(error),
        _ => general(error),
    }
}

fn constraint(report: &Report<'_>, model: &ModelSchema, inserts: bool) -> Option<ErrorKind> {
    let (_, subject) = report.message.split_once(": ").unwrap_or_default();
    let constraint = match report.code {
        // As the dialect has it fail, SQLite does not say where.
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY if subject.is_empty() => {
            Constraint::new(ConstraintKind::Unique).on_table(&*model.table).on_columns(model.names(&model.key))
        }
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            on_columns(Constraint::new(ConstraintKind::Unique), subject, model)
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => on_columns(Constraint::new(ConstraintKind::NotNull), subject, model),
        // RESTRICT is a trigger within SQLite, and reported as one.
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY | ffi::SQLITE_CONSTRAINT_TRIGGER
            if report.message.ends_with("FOREIGN KEY constraint failed") =>
        {
            let constraint = Constraint::new(ConstraintKind::ForeignKey);
            let mut references = model.references.iter().filter(|reference| reference.enforced);
            match (inserts, references.next(), references.next()) {
                // SQLite does not say which reference it is; here there is but one.
                (true, Some(one), None) => constraint.on_table(&*model.table).on_columns(model.names(&one.columns)),
                (true, ..) => constraint.on_table(&*model.table),
                _ => constraint,
            }
        }
        ffi::SQLITE_CONSTRAINT_CHECK => {
            let of_range = |column: &&ColumnSchema| subject.strip_prefix(RANGE_CHECK_PREFIX) == Some(&*column.name);
            if let Some(column) = model.columns.iter().find(of_range) {
                return Some(out_of_range(model, column));
            }
            Constraint::new(ConstraintKind::Check).on_table(&*model.table).named(subject)
        }
        // A STRICT table: the only way from a checked statement to there is a sum that became a float.
        ffi::SQLITE_CONSTRAINT_DATATYPE => {
            let column = model.columns.iter().find(|column| {
                report
                    .message
                    .strip_suffix(&*column.name)
                    .is_some_and(|before| before.ends_with(&format!("{}.", model.table)))
            });
            match column {
                Some(column) if report.message.contains("REAL value in INTEGER") => {
                    return Some(out_of_range(model, column));
                }
                Some(column) => {
                    Constraint::new(ConstraintKind::Check).on_table(&*model.table).on_columns([&*column.name])
                }
                None => Constraint::new(ConstraintKind::Check).on_table(&*model.table),
            }
        }
        // What the dialect has a float do that leaves its range.
        ffi::SQLITE_ERROR if report.message.ends_with("integer overflow") => {
            return Some(DBError::out_of_range(&*model.table, None).kind().clone());
        }
        code if code & 0xFF == ffi::SQLITE_CONSTRAINT => Constraint::new(ConstraintKind::Other).on_table(&*model.table),
        _ => return None,
    };
    Some(ErrorKind::Constraint(constraint))
}

/// The error has no public constructor with fields, so that it can grow; the kind is taken from one that is made.
fn out_of_range(model: &ModelSchema, column: &ColumnSchema) -> ErrorKind {
    DBError::out_of_range(&*model.table, Some(column.name.to_string())).kind().clone()
}

/// Reads `table.column, table.column`. Names may hold commas, spaces and dots, so the model's own names are looked for.
fn on_columns(constraint: Constraint, subject: &str, model: &ModelSchema) -> Constraint {
    if let Some(index) = subject.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\'')) {
        return constraint.on_table(&*model.table).named(index);
    }
    let spelled = |columns: &[u16]| {
        let names: Vec<String> = model.names(columns).map(|name| format!("{}.{name}", model.table)).collect();
        names.join(", ") == subject
    };
    let sets = std::iter::once(&model.key).chain(model.uniques.iter().map(|unique| &unique.columns));
    for set in sets {
        if spelled(set) {
            return constraint.on_table(&*model.table).on_columns(model.names(set));
        }
    }
    if let Some(columns) = read_columns(subject, model) {
        return constraint.on_table(&*model.table).on_columns(columns);
    }
    // Another table: an action of a reference, or a trigger, wrote to it.
    match subject.split_once('.') {
        Some((table, column)) if !subject.contains(", ") => constraint.on_table(table).on_columns([column]),
        Some((table, _)) => constraint.on_table(table),
        None => constraint,
    }
}

/// The columns of an index that the model does not know, each the longest name that fits.
fn read_columns<'m>(mut rest: &str, model: &'m ModelSchema) -> Option<Vec<&'m str>> {
    let mut columns = Vec::new();
    loop {
        rest = rest.strip_prefix(&*model.table)?.strip_prefix('.')?;
        let fits = |column: &&ColumnSchema| {
            rest.strip_prefix(&*column.name).is_some_and(|after| after.is_empty() || after.starts_with(", "))
        };
        let column = model.columns.iter().filter(fits).max_by_key(|column| column.name.len())?;
        columns.push(&*column.name);
        rest = rest.strip_prefix(&*column.name)?;
        if rest.is_empty() {
            return Some(columns);
        }
        rest = rest.strip_prefix(", ")?;
    }
}

/// A failure that has nothing to do with the rows of one model.
pub(crate) fn general(error: rusqlite::Error) -> DBError {
    let Some(report) = report(&error) else {
        return DBError::new(ErrorKind::Database).with_source(error);
    };
    if report.code == ffi::SQLITE_RANGE || report.message == "too many SQL variables" {
        // Found when the statement is prepared, or its values bound.
        let detail = "it binds more values than SQLite takes, which are 32 766";
        return DBError::new(ErrorKind::TooLarge).with_source(error).with_detail(detail).unsent();
    }
    let (kind, detail) = match (report.code, report.code & 0xFF) {
        (ffi::SQLITE_BUSY_SNAPSHOT, _) => (ErrorKind::Conflict, None),
        (_, ffi::SQLITE_CONSTRAINT) => {
            let kind = match report.code {
                ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ConstraintKind::ForeignKey,
                _ => ConstraintKind::Other,
            };
            (ErrorKind::Constraint(Constraint::new(kind)), None)
        }
        (_, ffi::SQLITE_TOOBIG) => (ErrorKind::TooLarge, None),
        (_, ffi::SQLITE_FULL) => (ErrorKind::Database, Some("the disk is full, or no number is left for a key")),
        (_, ffi::SQLITE_IOERR) => (ErrorKind::Database, Some("the disk reported an error")),
        (_, ffi::SQLITE_CORRUPT) => (ErrorKind::Database, Some("the database file is damaged")),
        (_, ffi::SQLITE_NOTADB) => (ErrorKind::Database, Some("the file is no SQLite database")),
        (_, ffi::SQLITE_READONLY) => (
            ErrorKind::Database,
            Some("the database can only be read: the file, its directory or the mode do not let it be written"),
        ),
        (_, ffi::SQLITE_CANTOPEN) => (ErrorKind::Connection, Some("the database file cannot be opened")),
        (_, ffi::SQLITE_PERM | ffi::SQLITE_AUTH) => {
            (ErrorKind::Connection, Some("access to the database file was denied"))
        }
        (_, ffi::SQLITE_NOMEM) => (ErrorKind::Database, Some("there is not enough memory")),
        _ => {
            // What is wrong with a statement: a table that does not exist, say. It names things, and holds no values.
            let message = report.message.to_owned();
            let error = DBError::new(ErrorKind::Database).with_source(error);
            return if message.is_empty() { error } else { error.with_detail(message) };
        }
    };
    let converted = DBError::new(kind).with_source(error);
    match detail {
        Some(detail) => converted.with_detail(detail),
        None => converted,
    }
}

/// A failure of what may have committed. What was written may be in the file where the disk then reported an error, as when it could not be
/// flushed: who opens the file next finds it, or does not (<https://sqlite.org/lang_transaction.html>, "Response To Errors Within A Transaction", leaves it open).
pub(crate) fn in_doubt(
    failure: rusqlite::Error,
    commits: bool,
    convert: impl FnOnce(rusqlite::Error) -> DBError,
) -> DBError {
    let is_open = commits && code(&failure).is_some_and(|code| code & 0xFF == ffi::SQLITE_IOERR);
    let error = convert(failure);
    if is_open { error.with_unknown_outcome() } else { error }
}

/// A failure to open a database.
pub(crate) fn on_open(error: rusqlite::Error, options: &SqliteOptions) -> DBError {
    if is_busy(&error) {
        return locked(error, options.busy_timeout);
    }
    general(error)
}

/// The wait for a lock is over without success.
pub(crate) fn locked(error: rusqlite::Error, after: std::time::Duration) -> DBError {
    DBError::timeout(after).with_detail("another process or connection holds the database's lock").with_source(error)
}

#[cfg(test)]
mod tests {
    use ommi_core::schema::ColumnBuilder;
    use ommi_core::value::ColumnType;

    use super::*;

    fn model() -> ModelSchema {
        let text = |name: &'static str| ColumnBuilder::new(name, ColumnType::Text);
        ModelSchema::builder("T", "a t, \"x\"")
            .column(ColumnBuilder::new("id", ColumnType::I64).key())
            .column(text("b"))
            .column(text("b, c"))
            .column(ColumnBuilder::new("n", ColumnType::I8))
            .unique(&[1, 2])
            .build()
            .unwrap()
    }

    fn mapped(code: i32, message: &str) -> DBError {
        on_statement(rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(message.to_owned())), &model(), false)
    }

    fn columns(error: &DBError) -> (&str, Vec<&str>) {
        let constraint = error.constraint().unwrap();
        (constraint.table().unwrap_or("?"), constraint.columns().iter().map(String::as_str).collect())
    }

    #[test]
    fn names_with_commas_and_quotes_are_told_apart() {
        let unique = |message| mapped(ffi::SQLITE_CONSTRAINT_UNIQUE, message);
        let error = unique("UNIQUE constraint failed: a t, \"x\".b, a t, \"x\".b, c");
        assert_eq!(columns(&error), ("a t, \"x\"", vec!["b", "b, c"]));
        let error = unique("UNIQUE constraint failed: a t, \"x\".b, c, a t, \"x\".id");
        assert_eq!(columns(&error), ("a t, \"x\"", vec!["b, c", "id"]));
        let error = unique("UNIQUE constraint failed: other.z");
        assert_eq!(columns(&error), ("other", vec!["z"]));
        let error = unique("UNIQUE constraint failed: index 'folded'");
        assert_eq!(error.constraint().unwrap().name(), Some("folded"));
    }

    #[test]
    fn a_range_that_was_left_is_no_constraint() {
        for (code, message) in [
            (ffi::SQLITE_CONSTRAINT_CHECK, "CHECK constraint failed: ommi_range_n"),
            (ffi::SQLITE_CONSTRAINT_DATATYPE, "cannot store REAL value in INTEGER column a t, \"x\".n"),
        ] {
            let error = mapped(code, message);
            assert!(
                matches!(error.kind(), ErrorKind::OutOfRange { column: Some(column), .. } if column == "n"),
                "{error:?}"
            );
        }
        let error = mapped(ffi::SQLITE_CONSTRAINT_CHECK, "CHECK constraint failed: positive");
        assert_eq!(error.constraint().unwrap().name(), Some("positive"));
    }

    #[test]
    fn the_cause_is_kept() {
        for code in [ffi::SQLITE_CONSTRAINT_FOREIGNKEY, ffi::SQLITE_CORRUPT, ffi::SQLITE_ERROR, ffi::SQLITE_TOOBIG] {
            let error = mapped(code, "why");
            assert!(std::error::Error::source(&error).unwrap().is::<rusqlite::Error>());
        }
        assert!(mapped(ffi::SQLITE_BUSY_SNAPSHOT, "").is_retryable());
        assert!(matches!(mapped(ffi::SQLITE_TOOBIG, "").kind(), ErrorKind::TooLarge));
    }
}
