//! A model's version: the column by which a write that comes too late is found out.
//!
//! Everything here is done to the statement, so that no driver knows of versions: an upsert has [a part](crate::ast::OnConflict::expected) for what must be as
//! it was read, and all else can be said anyway.

use super::{ColumnSchema, ModelSchema};
use crate::ast::{Assignment, Change, CompareOp, Condition, Expr};
use crate::error::{DBError, DBResult, StaleRow};
use crate::value::{DecodeFailure, Value};

/// The version of a new row.
pub(super) const FIRST_VERSION: i64 = 1;

impl ModelSchema {
    /// Why the version cannot be one.
    pub(super) fn unfit_version(&self) -> Option<String> {
        let index = self.version?;
        let column = self.column(index)?;
        let reason = if column.ty.integer_range().is_none() {
            format!("is of type {}, and only an integer can count", column.ty)
        } else if column.nullable {
            "cannot be optional".to_owned()
        } else if self.key.contains(&index) {
            "cannot be part of the key".to_owned()
        } else if self.references.iter().any(|reference| reference.columns.contains(&index)) {
            "cannot be part of a reference".to_owned()
        } else if self.uniques.iter().any(|unique| unique.columns == [index]) {
            "cannot be unique: rows have the same versions".to_owned()
        } else {
            return None;
        };
        Some(format!("the version `{}` {reason}", column.field))
    }

    /// Adds to the changes of an update that the version is raised, where the model has one.
    ///
    /// # Errors
    /// `Query` where the changes name the version themselves.
    pub(crate) fn raise_version(&self, assignments: &mut Vec<Assignment>) -> DBResult<()> {
        let Some(version) = self.version else { return Ok(()) };
        if assignments.iter().any(|assignment| assignment.column == version) {
            return Err(DBError::query(format!(
                "the version of {} is raised by every update, and cannot be set by one",
                self.name
            )));
        }
        assignments.push(Assignment::new(version, Change::Add(Value::Int(1))));
        Ok(())
    }

    /// The version among a row's values, where the model has one.
    pub(crate) fn version_of(&self, values: &[Value<'static>]) -> DBResult<Option<Version<'_>>> {
        let Some(index) = self.version else { return Ok(None) };
        let Some(column) = self.column(index) else { return Ok(None) };
        match values.get(usize::from(index)) {
            Some(Value::Int(read)) => Ok(Some(Version { model: self, column, index, read: *read })),
            _ => {
                Err(DBError::invalid_value(Some(&self.name), Some(&column.field)).with_detail("a version is a number"))
            }
        }
    }
}

/// The version with which a row was read.
#[derive(Clone, Copy)]
pub(crate) struct Version<'s> {
    model: &'s ModelSchema,
    column: &'s ColumnSchema,
    index: u16,
    read: i64,
}

impl Version<'_> {
    /// Its column.
    pub(crate) fn index(self) -> u16 {
        self.index
    }

    /// The condition that the row still has it.
    pub(crate) fn unchanged(self) -> Condition {
        Condition::compare(CompareOp::Eq, Expr::Column(self.index), Expr::Value(Value::Int(self.read)))
    }

    /// The one after it.
    ///
    /// # Errors
    /// `OutOfRange` where the column's type ends.
    pub(crate) fn next(self) -> DBResult<i64> {
        let last = self.column.ty.integer_range().map_or(i64::MAX, |(_, last)| last);
        let next = self.read.checked_add(1).filter(|next| *next <= last);
        let column = || Some(self.column.name.to_string());
        next.ok_or_else(|| DBError::out_of_range(self.model.qualified_table(), column()))
    }

    /// What is wrong where the field does not take the version that is now stored.
    pub(crate) fn not_taken(self, failure: DecodeFailure) -> DBError {
        let error = DBError::decode(self.model.qualified_table(), &*self.column.name, failure.expected, failure.found);
        match failure.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

impl StaleRow {
    /// The row of this model whose key is among these values.
    pub(crate) fn of(model: &ModelSchema, values: &[Value<'static>]) -> StaleRow {
        let part = |&index: &u16| {
            let value = values.get(usize::from(index)).cloned().unwrap_or_default();
            Some((model.column(index)?.field.clone(), value))
        };
        StaleRow::new(model.name.clone(), model.key.iter().filter_map(part).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ColumnBuilder, ModelBuilder, ReferenceSchema, Target};
    use crate::value::ColumnType;

    fn model() -> ModelBuilder {
        ModelSchema::builder("Page", "pages").column(ColumnBuilder::new("id", ColumnType::I64).key())
    }

    fn version(ty: ColumnType) -> ColumnBuilder {
        ColumnBuilder::new("revision", ty).stored_as("rev").version()
    }

    #[test]
    fn a_version_is_optional_in_new_rows_and_begins_at_1() {
        let schema = model().column(version(ColumnType::U16)).build().unwrap();
        assert_eq!(schema.version, Some(1));
        assert_eq!(schema.column(1).and_then(ColumnSchema::value_for_new_row), Some(Value::Int(1)));
        assert_eq!(model().build().unwrap().version, None);
    }

    #[test]
    fn what_cannot_be_a_version_is_refused() {
        let reference = ReferenceSchema::new(vec![1], Target::Itself, vec![0]);
        for (builder, expected) in [
            (model().column(version(ColumnType::Text)), "only an integer"),
            (model().column(version(ColumnType::F64)), "only an integer"),
            (model().column(version(ColumnType::I64).nullable()), "optional"),
            (model().column(version(ColumnType::I64).key()), "part of the key"),
            (model().column(version(ColumnType::I64).unique()), "unique"),
            (model().column(version(ColumnType::I64)).reference(reference), "part of a reference"),
            (
                model().column(version(ColumnType::I64)).column(ColumnBuilder::new("b", ColumnType::I64).version()),
                "`b` is a second version",
            ),
        ] {
            let text = builder.build().unwrap_err().to_string();
            assert!(text.contains(expected) && text.contains("Page"), "{text}");
        }
    }

    #[test]
    fn the_last_version_has_no_next() {
        for ty in [ColumnType::I8, ColumnType::U32, ColumnType::I64, ColumnType::U64] {
            let schema = model().column(version(ty)).build().unwrap();
            let (_, last) = ty.integer_range().unwrap();
            let next = |read| schema.version_of(&[Value::Int(7), Value::Int(read)]).unwrap().unwrap().next();
            assert_eq!(next(last - 1).unwrap(), last);
            let error = next(last).unwrap_err();
            assert!(error.to_string().contains("`rev` of table `pages`"), "{error}");
        }
    }

    #[test]
    fn an_update_raises_the_version_and_does_not_set_it() {
        let schema = model().column(version(ColumnType::I32)).build().unwrap();
        let mut assignments = Vec::new();
        schema.raise_version(&mut assignments).unwrap();
        assert_eq!(assignments, [Assignment::new(1, Change::Add(Value::Int(1)))]);
        assert!(schema.raise_version(&mut assignments).unwrap_err().to_string().contains("version of Page"));
        let mut none = Vec::new();
        model().build().unwrap().raise_version(&mut none).unwrap();
        assert!(none.is_empty());
    }
}
