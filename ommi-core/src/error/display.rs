//! Errors as sentences.

use std::fmt;

use super::{Constraint, ConstraintKind, DBError, ErrorKind};

impl fmt::Display for DBError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = self.0.detail.as_deref();
        match &self.0.kind {
            ErrorKind::NotFound { model } => {
                write!(f, "no {model} was found")?;
                if let Some(row) = self.missing_row() {
                    write!(f, ": {row}")?;
                }
            }
            ErrorKind::Constraint(constraint) => write!(f, "{constraint}")?,
            ErrorKind::Unsupported { driver, feature } => write!(f, "the {driver} driver does not support {feature}")?,
            ErrorKind::Decode { table, column, expected, found } => {
                write!(
                    f,
                    "column `{column}` of table `{table}` could not be read: expected {expected}, found {found}"
                )?;
            }
            ErrorKind::InvalidValue { model, column } => {
                f.write_str("invalid value")?;
                match (model, column) {
                    (Some(model), Some(column)) => write!(f, " for column `{column}` of {model}")?,
                    (Some(model), None) => write!(f, " in a query for {model}")?,
                    (None, Some(column)) => write!(f, " for column `{column}`")?,
                    (None, None) => {}
                }
            }
            ErrorKind::OutOfRange { table, column: Some(column) } => {
                write!(f, "a number is out of the range of column `{column}` of table `{table}`")?;
            }
            ErrorKind::OutOfRange { table, column: None } => {
                write!(f, "a number is out of the range of its column in table `{table}`")?;
            }
            ErrorKind::Query => f.write_str("the query is not valid")?,
            ErrorKind::Schema { mismatches } => {
                f.write_str("the database does not fit the models: ")?;
                for (i, mismatch) in mismatches.iter().enumerate() {
                    if i > 0 {
                        f.write_str("; ")?;
                    }
                    f.write_str(mismatch)?;
                }
            }
            ErrorKind::Conflict => match self.stale_row() {
                Some(row) => write!(f, "{row}")?,
                None => f.write_str("a concurrent transaction was in the way")?,
            },
            ErrorKind::TransactionAborted => f.write_str("the transaction can only be rolled back")?,
            ErrorKind::Connection => f.write_str("the database cannot be reached")?,
            ErrorKind::Timeout { after } => write!(f, "the operation took longer than {after:?}")?,
            ErrorKind::Configuration { option: Some(option) } => write!(f, "option `{option}` is wrong")?,
            ErrorKind::Configuration { option: None } => f.write_str("the configuration is wrong")?,
            ErrorKind::TooLarge => f.write_str("the statement or a row is larger than the store takes")?,
            ErrorKind::Database => f.write_str("the database reported an error")?,
        }
        match detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns().join("`, `");
        let table = self.table().unwrap_or("?");
        match self.kind() {
            ConstraintKind::Unique if columns.is_empty() => {
                write!(f, "table `{table}` has such a row already")
            }
            ConstraintKind::Unique => write!(f, "table `{table}` has a row with the same `{columns}` already"),
            ConstraintKind::ForeignKey if self.table().is_none() => {
                f.write_str("a row is still referred to, or would refer to one that does not exist")
            }
            ConstraintKind::ForeignKey => {
                write!(f, "a reference of table `{table}` would lead to a row that does not exist")
            }
            ConstraintKind::NotNull => {
                write!(f, "column `{columns}` of table `{table}` cannot be NULL")
            }
            ConstraintKind::Check => write!(f, "a check of table `{table}` refused the row"),
            ConstraintKind::Other => write!(f, "a constraint of table `{table}` refused the row"),
        }?;
        match self.name() {
            Some(name) => write!(f, " (constraint `{name}`)"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for DBError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("DBError");
        out.field("kind", &self.0.kind);
        if let Some(detail) = &self.0.detail {
            out.field("detail", detail);
        }
        if self.0.retryable {
            out.field("retryable", &true);
        }
        if let Some(row) = &self.0.stale {
            out.field("stale_row", row);
        }
        if let Some(row) = &self.0.missing {
            out.field("missing_row", row);
        }
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}
