//! The one error type, and the verbs on a result.
//!
//! [`DBError`] is opaque and small (one pointer). What happened is its
//! [`kind`](DBError::kind), to be matched on; the text is for people. The cause, as the
//! database's client reported it, stays reachable through `source()`.

mod constraint;
mod display;
mod missing;
mod result;
mod stale;

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use crate::schema::ModelSchema;
use crate::value::InvalidValue;
pub use constraint::{Constraint, ConstraintKind};
pub use missing::MissingRow;
pub use result::{DBResult, DBResultExt};
pub use stale::StaleRow;

/// Why an operation failed.
///
/// Cloning is cheap and keeps the cause. There is no comparing by text: match on [`DBError::kind`].
#[derive(Clone)]
pub struct DBError(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    detail: Option<Cow<'static, str>>,
    retryable: bool,
    outcome_unknown: bool,
    unsent: bool,
    stale: Option<Box<StaleRow>>,
    missing: Option<Box<MissingRow>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure a [`DBError`] is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The row that was asked for, or was to be written, is not there: of `one`, `get`, `save`, `delete` of a row, a relation to one required row,
    /// `link` and the like.
    #[non_exhaustive]
    NotFound {
        /// The model's name.
        model: String,
    },
    /// The database refused a row because of a constraint.
    Constraint(Constraint),
    /// The driver cannot do this. Nothing was sent.
    #[non_exhaustive]
    Unsupported {
        /// The driver's name.
        driver: &'static str,
        /// What it cannot do.
        feature: Cow<'static, str>,
    },
    /// A stored value is not of the field's type.
    #[non_exhaustive]
    Decode {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What the field takes.
        expected: Cow<'static, str>,
        /// What the column held: the kind of the value, never its content.
        found: Cow<'static, str>,
    },
    /// A value that cannot be stored or compared, found before anything was sent: NaN, NUL in text or a `u64` above `i64::MAX`, which no store
    /// takes; a time that is finer than the store or the column keeps, or outside its years; or a new row that lacks a required column.
    #[non_exhaustive]
    InvalidValue {
        /// The model's name, where it is known.
        model: Option<String>,
        /// The column, where the value was meant for one.
        column: Option<String>,
    },
    /// A number left the range of its column, by an increment for instance.
    #[non_exhaustive]
    OutOfRange {
        /// The table.
        table: String,
        /// The column, where the database tells.
        column: Option<String>,
    },
    /// The query contradicts the model or itself: a column that the model lacks, an update
    /// without assignments, an update of every row that was not asked for.
    Query,
    /// The tables in the database do not fit the models.
    #[non_exhaustive]
    Schema {
        /// Each misfit, naming table and column.
        mismatches: Vec<String>,
    },
    /// Somebody else was in the way: another transaction, and then the same work may succeed when run again; or whoever changed a row since
    /// it was read, which [`DBError::stale_row`] then names, and which has to be read again first.
    Conflict,
    /// The transaction has failed or ended; only a rollback is left of it.
    TransactionAborted,
    /// The database cannot be reached, or the connection was lost.
    Connection,
    /// The operation took longer than it may.
    #[non_exhaustive]
    Timeout {
        /// The limit that was exceeded.
        after: Duration,
    },
    /// A URL or option is wrong.
    #[non_exhaustive]
    Configuration {
        /// The option, where one is at fault.
        option: Option<String>,
    },
    /// The statement or a row is larger than the store takes.
    TooLarge,
    /// Any other failure that the database reported.
    Database,
}

impl DBError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind) -> DBError {
        let retryable = matches!(kind, ErrorKind::Conflict);
        let (outcome_unknown, unsent) = (false, false);
        let (stale, missing) = (None, None);
        DBError(Arc::new(Inner {
            kind,
            detail: None,
            retryable,
            outcome_unknown,
            unsent,
            stale,
            missing,
            source: None,
        }))
    }

    /// What happened, to match on.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whether running the same operation again may succeed.
    ///
    /// True for conflicts with other transactions, for connections that were lost, and for the `Timeout` of a lock of SQLite's that another process
    /// kept. Whether a write that lost its connection took place is not known. Not for the write of a [stale row](DBError::stale_row), which is as
    /// stale the next time.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Whether it is not known if the commit took place that gave this error: the connection was lost, or the time was up, before the
    /// database answered, or the disk failed SQLite while it was written. Such an error is not [retryable](DBError::is_retryable), since running the work again could do it twice. Any
    /// other error of a commit says that nothing of the transaction has happened.
    pub fn is_outcome_unknown(&self) -> bool {
        self.0.outcome_unknown
    }

    /// The row that was to be written and was changed by somebody else since it was read, where that is the
    /// [`Conflict`](ErrorKind::Conflict). Nothing was written. Running the same operation again would fail again, so it is not
    /// [retryable](DBError::is_retryable); work that reads the row anew may succeed.
    pub fn stale_row(&self) -> Option<&StaleRow> {
        self.0.stale.as_deref()
    }

    /// The row that another one must refer to and that is not there, where that is the [`NotFound`](ErrorKind::NotFound): which relation leads to
    /// it, and what was looked for.
    pub fn missing_row(&self) -> Option<&MissingRow> {
        self.0.missing.as_deref()
    }

    /// Whether this is [`ErrorKind::NotFound`].
    pub fn is_not_found(&self) -> bool {
        matches!(self.0.kind, ErrorKind::NotFound { .. })
    }

    /// The constraint that was violated, if that is what happened.
    pub fn constraint(&self) -> Option<&Constraint> {
        match &self.0.kind {
            ErrorKind::Constraint(constraint) => Some(constraint),
            _ => None,
        }
    }

    /// Whether a unique constraint or the key was violated.
    pub fn is_unique_violation(&self) -> bool {
        self.constraint().is_some_and(|c| c.kind() == ConstraintKind::Unique)
    }

    /// [`ErrorKind::Conflict`] about a row that was changed since it was read.
    pub(crate) fn stale(row: StaleRow) -> DBError {
        DBError::new(ErrorKind::Conflict).change(|inner| {
            inner.retryable = false;
            inner.stale = Some(Box::new(row));
        })
    }

    /// [`ErrorKind::NotFound`] of a row that another one refers to.
    pub(crate) fn missing(row: MissingRow) -> DBError {
        DBError::not_found(row.model()).change(|inner| inner.missing = Some(Box::new(row)))
    }

    // ---- for drivers --------------------------------------------------------------

    /// Whether it is of a kind that is found before anything is sent, or in what was read, or [said to be](DBError::unsent): the database met no
    /// error, so that a transaction can go on after it.
    pub fn is_found_by_client(&self) -> bool {
        self.0.unsent
            || matches!(
                self.0.kind,
                ErrorKind::InvalidValue { .. }
                    | ErrorKind::Query
                    | ErrorKind::Unsupported { .. }
                    | ErrorKind::Decode { .. }
            )
    }

    /// Says that nothing of the operation was sent, where the kind alone does not: of a statement that is too large to be sent, say.
    pub fn unsent(self) -> DBError {
        self.change(|inner| inner.unsent = true)
    }

    /// Adds a sentence that says more than the kind does. It must hold no user data.
    pub fn with_detail(self, detail: impl Into<Cow<'static, str>>) -> DBError {
        self.change(|inner| inner.detail = Some(detail.into()))
    }

    /// Adds the cause.
    pub fn with_source(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> DBError {
        self.change(|inner| inner.source = Some(source.into()))
    }

    /// Says that running the operation again may succeed.
    pub fn retryable(self) -> DBError {
        self.change(|inner| inner.retryable = true)
    }

    /// Says that the commit that gave it may or may not have taken place.
    pub fn with_unknown_outcome(self) -> DBError {
        self.change(|inner| {
            inner.outcome_unknown = true;
            inner.retryable = false;
            inner.detail = Some("whether the transaction was committed is not known".into());
        })
    }

    /// Changes an error that was just made; one that is shared already becomes the cause of a new one.
    fn change(self, change: impl FnOnce(&mut Inner)) -> DBError {
        let mut inner = match Arc::try_unwrap(self.0) {
            Ok(inner) => inner,
            Err(shared) => Inner {
                kind: shared.kind.clone(),
                detail: shared.detail.clone(),
                retryable: shared.retryable,
                outcome_unknown: shared.outcome_unknown,
                unsent: shared.unsent,
                stale: shared.stale.clone(),
                missing: shared.missing.clone(),
                source: Some(Box::new(DBError(shared))),
            },
        };
        change(&mut inner);
        DBError(Arc::new(inner))
    }

    /// [`ErrorKind::NotFound`] for a model.
    pub fn not_found(model: impl Into<String>) -> DBError {
        DBError::new(ErrorKind::NotFound { model: model.into() })
    }

    /// [`ErrorKind::Unsupported`]; `feature` reads after "does not support".
    pub fn unsupported(driver: &'static str, feature: impl Into<Cow<'static, str>>) -> DBError {
        DBError::new(ErrorKind::Unsupported { driver, feature: feature.into() })
    }

    /// [`ErrorKind::Decode`].
    pub fn decode(
        table: impl Into<String>,
        column: impl Into<String>,
        expected: impl Into<Cow<'static, str>>,
        found: impl Into<Cow<'static, str>>,
    ) -> DBError {
        DBError::new(ErrorKind::Decode {
            table: table.into(),
            column: column.into(),
            expected: expected.into(),
            found: found.into(),
        })
    }

    /// [`ErrorKind::InvalidValue`].
    pub fn invalid_value(model: Option<&str>, column: Option<&str>) -> DBError {
        DBError::new(ErrorKind::InvalidValue { model: model.map(str::to_owned), column: column.map(str::to_owned) })
    }

    /// [`ErrorKind::InvalidValue`] for a value that somebody put into a query.
    pub(crate) fn invalid_query(model: &ModelSchema, invalid: &InvalidValue) -> DBError {
        let column = invalid.column.and_then(|column| model.column(column)).map(|column| &*column.field);
        DBError::invalid_value(Some(&model.name), column).with_detail(invalid.to_string())
    }

    /// Names the column of a model that the value was for, where this is [`ErrorKind::InvalidValue`] and names none.
    pub fn for_column(self, model: &ModelSchema, column: u16) -> DBError {
        match (&self.0.kind, model.column(column)) {
            (ErrorKind::InvalidValue { column: None, .. }, Some(column)) => {
                let (model, column) = (Some(model.name.to_string()), Some(column.field.to_string()));
                self.change(|inner| inner.kind = ErrorKind::InvalidValue { model, column })
            }
            _ => self,
        }
    }

    /// [`ErrorKind::OutOfRange`].
    pub fn out_of_range(table: impl Into<String>, column: Option<String>) -> DBError {
        DBError::new(ErrorKind::OutOfRange { table: table.into(), column })
    }

    /// [`ErrorKind::Query`]; `detail` says what is wrong with it.
    pub fn query(detail: impl Into<Cow<'static, str>>) -> DBError {
        DBError::new(ErrorKind::Query).with_detail(detail)
    }

    /// [`ErrorKind::Schema`].
    pub fn schema(mismatches: Vec<String>) -> DBError {
        DBError::new(ErrorKind::Schema { mismatches })
    }

    /// [`ErrorKind::Timeout`].
    pub fn timeout(after: Duration) -> DBError {
        DBError::new(ErrorKind::Timeout { after })
    }

    /// [`ErrorKind::Configuration`]; `detail` says what is wrong and what to write.
    pub fn configuration(option: Option<&str>, detail: impl Into<Cow<'static, str>>) -> DBError {
        DBError::new(ErrorKind::Configuration { option: option.map(str::to_owned) }).with_detail(detail)
    }
}

impl Error for DBError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
