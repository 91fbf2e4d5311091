//! What errors must be, for the cases to say in one line.

use std::fmt::Debug;

use ommi::value::Value;
use ommi::{ConstraintKind, DBError, DBResult, ErrorKind};

/// The error of an operation that must fail.
#[track_caller]
pub(crate) fn error<T: Debug>(result: DBResult<T>) -> DBError {
    match result {
        Ok(value) => panic!("expected an error, got {value:?}"),
        Err(error) => error,
    }
}

/// Asserts that an operation fails with an error of a kind: a pattern of [`ErrorKind`].
macro_rules! assert_kind {
    ($result:expr, $kind:pat $(if $guard:expr)? $(,)?) => {{
        let error = $crate::expect::error($result);
        assert!(
            matches!(error.kind(), $kind $(if $guard)?),
            "expected {}, got {:?}: {error}",
            stringify!($kind),
            error.kind()
        );
        error
    }};
}
pub(crate) use assert_kind;

/// `InvalidValue` for a column of a new or saved row.
#[track_caller]
pub(crate) fn invalid_column<T: Debug>(result: DBResult<T>, model: &str, column: &str) {
    let error = error(result);
    let ErrorKind::InvalidValue { model: Some(of), column: Some(found), .. } = error.kind() else {
        panic!("expected InvalidValue of {model}.{column}, got {:?}: {error}", error.kind());
    };
    assert_eq!((of.as_str(), found.as_str()), (model, column));
    let text = error.to_string();
    assert!(text.contains(model) && text.contains(column), "{text}");
}

/// `InvalidValue` in a query for a model.
#[track_caller]
pub(crate) fn invalid_in_query<T: Debug>(result: DBResult<T>, model: &str) {
    let error = error(result);
    let ErrorKind::InvalidValue { model: Some(of), .. } = error.kind() else {
        panic!("expected InvalidValue in a query for {model}, got {:?}: {error}", error.kind());
    };
    assert_eq!(of, model);
    assert!(error.to_string().contains(model), "{error}");
}

/// A constraint violation with its table and columns, the latter in any order.
#[track_caller]
pub(crate) fn violation<T: Debug>(result: DBResult<T>, kind: ConstraintKind, table: &str, columns: &[&str]) -> DBError {
    let error = error(result);
    let Some(constraint) = error.constraint() else {
        panic!("expected a violation of {kind:?}, got {:?}: {error}", error.kind());
    };
    assert_eq!(constraint.kind(), kind, "{error}");
    assert_eq!(constraint.table(), Some(table), "the table of: {error}");
    let mut found: Vec<&str> = constraint.columns().iter().map(String::as_str).collect();
    let mut expected = columns.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "the columns of: {error}");
    error
}

/// `OutOfRange` in a table.
#[track_caller]
pub(crate) fn out_of_range<T: Debug>(result: DBResult<T>, table: &str) -> DBError {
    let error = error(result);
    let ErrorKind::OutOfRange { table: found, .. } = error.kind() else {
        panic!("expected OutOfRange in {table}, got {:?}: {error}", error.kind());
    };
    assert_eq!(found, table);
    error
}

/// `NotFound` of a model.
#[track_caller]
pub(crate) fn not_found<T: Debug>(result: DBResult<T>, model: &str) {
    let error = error(result);
    let ErrorKind::NotFound { model: found, .. } = error.kind() else {
        panic!("expected NotFound of {model}, got {:?}: {error}", error.kind());
    };
    assert_eq!(found, model);
    assert!(error.is_not_found() && error.to_string().contains(model), "{error}");
}

/// A `Conflict` about this row, which shows no values and is not to be tried again as it is.
#[track_caller]
pub(crate) fn stale<T: Debug>(result: DBResult<T>, model: &str, key: &[(&str, Value<'static>)]) {
    let error = error(result);
    assert!(matches!(error.kind(), ErrorKind::Conflict), "{error:?}");
    let Some(row) = error.stale_row() else { panic!("no stale row: {error:?}") };
    assert_eq!(row.model(), model);
    let found: Vec<_> = row.key().map(|(field, value)| (field, value.clone())).collect();
    assert_eq!(found, key);
    assert!(!error.is_retryable() && !error.is_outcome_unknown(), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(model) && text.contains("was changed since it was read"), "{text}");
    for (field, value) in key {
        assert!(text.contains(&format!("`{field}`")), "{text}");
        let shown = format!("{error:?} {error:#?} {text}");
        assert!(!shown.contains(&value.reveal().to_string()), "{shown}");
    }
}
