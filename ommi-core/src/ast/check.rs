//! What is checked of a statement before a driver compiles it.
//!
//! The typed edge builds nothing that fails here, but for what only the driver's capabilities decide.
//! Statements from schemas known at run time can be wrong in every way.

use super::condition::{CompareOp, Condition, Expr, TextOp};
use super::depth;
use super::statement::{Assignment, Change, Output, PerGroup, Select, StatementRef};
use crate::driver::Capabilities;
use crate::error::{DBError, DBResult};
use crate::schema::{ColumnSchema, SchemaRef};
use crate::value::{ColumnType, Value};

/// Checks a statement against its model and against what the driver can do. A driver calls it when it compiles
/// a shape that it has not seen.
///
/// # Errors
/// [`ErrorKind::Query`](crate::ErrorKind::Query) for columns that do not exist or do not compare,
/// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) for conditions that nest deeper than [`MAX_DEPTH`](super::MAX_DEPTH),
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for what the capabilities exclude.
pub fn check<'a>(statement: impl Into<StatementRef<'a>>, capabilities: &Capabilities) -> DBResult<()> {
    let statement = statement.into();
    let model = statement.model();
    let checker = Checker { model, capabilities };
    capabilities.can_hold(model)?;
    match statement {
        StatementRef::Select(select) => {
            for sort in &select.sort {
                checker.sorted(&sort.expr)?;
            }
            if let Some(group) = &select.per_group {
                checker.per_group(select, group)?;
            }
            if select.lock.is_some() {
                checker.lock(select)?;
            }
            checker.filter(&select.filter)
        }
        StatementRef::Insert(insert) => {
            for &column in insert.columns.iter().chain(insert.returning.iter()) {
                checker.column(column)?;
            }
            if insert.rows == 0 || insert.columns.len().checked_mul(insert.rows) != Some(insert.values.len()) {
                return Err(DBError::query("an insert whose values do not make up its rows"));
            }
            if let Some(conflict) = &insert.on_conflict {
                if !model.is_unique(&conflict.target) {
                    return Err(DBError::query(format!(
                        "an upsert of {} needs the key or a unique set of columns to find the row by",
                        model.name
                    )));
                }
                checker.assignments(&conflict.assignments)?;
                if let Some((column, value)) = &conflict.expected {
                    if value.is_null() {
                        return Err(DBError::query(format!(
                            "an upsert of {} that expects NULL, which nothing equals",
                            model.name
                        )));
                    }
                    let unchanged = Expr::Column(*column);
                    checker.filter(&Condition::compare(CompareOp::Eq, unchanged, Expr::Value(value.clone())))?;
                }
            }
            Ok(())
        }
        StatementRef::Update(update) => {
            if update.assignments.is_empty() {
                return Err(DBError::query(format!("an update of {} that changes nothing", model.name)));
            }
            checker.assignments(&update.assignments)?;
            checker.filter(&update.filter)
        }
        StatementRef::Delete(delete) => checker.filter(&delete.filter),
    }
}

struct Checker<'a> {
    model: &'a SchemaRef,
    capabilities: &'a Capabilities,
}

impl Checker<'_> {
    fn column(&self, index: u16) -> DBResult<&ColumnSchema> {
        self.model
            .column(index)
            .ok_or_else(|| DBError::query(format!("{} has no column number {index}", self.model.name)))
    }

    /// The type of an expression; none for a value, which takes that of what it meets.
    fn ty(&self, expr: &Expr) -> DBResult<Option<ColumnType>> {
        match expr {
            Expr::Column(index) => Ok(Some(self.column(*index)?.ty)),
            Expr::Value(_) => Ok(None),
            Expr::Related(_) => Err(DBError::query(format!(
                "in a query for {} a column of a related row is compared; such columns are only sorted by",
                self.model.name
            ))),
        }
    }

    /// The checker of what is said of a related row.
    fn related<'s>(&'s self, model: &'s SchemaRef, on: &[(u16, u16)]) -> DBResult<Checker<'s>> {
        if !self.capabilities.related_rows {
            return Err(DBError::unsupported(
                self.capabilities.driver,
                "conditions on related rows, and orders by them",
            ));
        }
        model.usable()?;
        self.capabilities.can_hold(model)?;
        let other = Checker { model, capabilities: self.capabilities };
        if on.is_empty() {
            return Err(DBError::query(format!("nothing relates {} to {}", model.name, self.model.name)));
        }
        for &(own, far) in on {
            if self.column(own)?.ty != other.column(far)?.ty {
                return Err(self.mismatch());
            }
        }
        Ok(other)
    }

    fn sorted(&self, expr: &Expr) -> DBResult<()> {
        match expr {
            Expr::Related(related) => {
                let far: Vec<u16> = related.on.iter().map(|&(_, far)| far).collect();
                let other = self.related(&related.model, &related.on)?;
                if !other.model.is_unique(&far) {
                    return Err(DBError::query(format!(
                        "{} is sorted by a column of {}, of which several rows may belong to it",
                        self.model.name, other.model.name
                    )));
                }
                other.sorted(&related.expr)
            }
            expr => self.ordered(expr, "sorting by bytes"),
        }
    }

    fn per_group(&self, select: &Select, group: &PerGroup) -> DBResult<()> {
        if !self.capabilities.related_rows {
            return Err(DBError::unsupported(self.capabilities.driver, "a number of rows of each group"));
        }
        group.columns.iter().try_for_each(|&column| self.column(column).map(drop))?;
        let sorted: Vec<u16> = select
            .sort
            .iter()
            .filter_map(|sort| match sort.expr {
                Expr::Column(column) => Some(column),
                _ => None,
            })
            .collect();
        if group.columns.is_empty()
            || select.limit.is_some()
            || select.offset.is_some()
            || select.output != Output::Model
        {
            return Err(DBError::query("rows are taken by groups only without a limit of their own, and as rows"));
        }
        if !self.model.key.iter().all(|column| sorted.contains(column) || group.columns.contains(column)) {
            return Err(DBError::query(format!(
                "the order of {} in a group is not decided: sort by the key too",
                self.model.name
            )));
        }
        Ok(())
    }

    fn lock(&self, select: &Select) -> DBResult<()> {
        self.capabilities.can_lock_rows()?;
        if select.output != Output::Model || select.per_group.is_some() {
            return Err(DBError::query(format!(
                "rows of {} are locked where they are read, and not where they are counted, looked for or grouped",
                self.model.name
            )));
        }
        Ok(())
    }

    fn comparable(&self, left: &Expr, right: &Expr) -> DBResult<()> {
        let fits = match (self.ty(left)?, self.ty(right)?) {
            (Some(left), Some(right)) => left == right,
            (Some(ty), None) => self.value_fits(ty, right),
            (None, Some(ty)) => self.value_fits(ty, left),
            (None, None) => true,
        };
        if fits { Ok(()) } else { Err(self.mismatch()) }
    }

    fn value_fits(&self, ty: ColumnType, expr: &Expr) -> bool {
        match expr {
            // A number beyond the column's range compares all right; it is only never equal.
            Expr::Value(Value::Int(_)) => ty.integer_range().is_some(),
            Expr::Value(value) => ty.accepts(value),
            _ => true,
        }
    }

    fn mismatch(&self) -> DBError {
        DBError::query(format!(
            "in a query for {} two things are compared that are of different types",
            self.model.name
        ))
    }

    fn ordered(&self, expr: &Expr, feature: &'static str) -> DBResult<()> {
        if self.ty(expr)? == Some(ColumnType::Bytes) && !self.capabilities.bytes_order {
            return Err(DBError::unsupported(self.capabilities.driver, feature));
        }
        Ok(())
    }

    fn assignments(&self, assignments: &[Assignment]) -> DBResult<()> {
        for (i, Assignment { column: index, change }) in assignments.iter().enumerate() {
            let column = self.column(*index)?;
            if assignments.iter().take(i).any(|earlier| earlier.column == *index) {
                return Err(DBError::query(format!("column `{}` of {} is set twice", column.field, self.model.name)));
            }
            if self.model.key.contains(index) && !self.capabilities.key_update {
                return Err(DBError::unsupported(self.capabilities.driver, "changing a key"));
            }
            match change {
                Change::Set(expr @ Expr::Related(_)) => self.comparable(&Expr::Column(*index), expr)?,
                Change::Set(expr @ Expr::Column(other)) => {
                    self.comparable(&Expr::Column(*index), expr)?;
                    if !self.model.is_as_fine(self.column(*other)?, column) {
                        return Err(DBError::query(format!(
                            "`{}` of {} is set to a column that keeps finer times",
                            column.field, self.model.name
                        )));
                    }
                }
                Change::Set(Expr::Value(value)) => {
                    if !column.ty.accepts(value) {
                        return Err(self.mismatch());
                    }
                }
                Change::Add(value) | Change::Subtract(value) => {
                    let number =
                        column.ty.integer_range().is_some() || matches!(column.ty, ColumnType::F32 | ColumnType::F64);
                    if !number || !self.value_fits(column.ty, &Expr::Value(value.clone())) {
                        return Err(self.mismatch());
                    }
                }
            }
        }
        Ok(())
    }

    fn filter(&self, condition: &Condition) -> DBResult<()> {
        depth::check(condition, self.model)?;
        self.condition(condition)
    }

    fn condition(&self, condition: &Condition) -> DBResult<()> {
        match condition {
            Condition::True | Condition::False => Ok(()),
            Condition::And(parts) | Condition::Or(parts) => parts.iter().try_for_each(|part| self.condition(part)),
            Condition::Not(inner) => self.condition(inner),
            Condition::Compare { op, left, right } => {
                self.comparable(left, right)?;
                if !matches!(op, CompareOp::Eq | CompareOp::Ne) {
                    self.ordered(left, "ordering bytes")?;
                    self.ordered(right, "ordering bytes")?;
                }
                Ok(())
            }
            Condition::IsNull { expr, .. } => self.ty(expr).map(drop),
            Condition::Between { expr, low, high } => {
                self.comparable(expr, low)?;
                self.comparable(expr, high)?;
                self.ordered(expr, "ordering bytes")
            }
            Condition::In { expr, list, .. } => {
                let ty = self.ty(expr)?;
                let fits = |value: &Value<'static>| match (ty, value) {
                    (Some(ty), Value::Int(_)) => ty.integer_range().is_some(),
                    (Some(ty), value) => ty.accepts(value),
                    (None, _) => true,
                };
                if list.values().iter().all(fits) { Ok(()) } else { Err(self.mismatch()) }
            }
            Condition::Text { op, ignore_case, expr, needle } => {
                let text = |expr: &Expr| match expr {
                    Expr::Column(index) => self.column(*index).map(|c| c.ty == ColumnType::Text),
                    Expr::Value(value) => Ok(matches!(value, Value::Text(_) | Value::Null)),
                    Expr::Related(_) => self.ty(expr).map(|_| false),
                };
                if !text(expr)? || !text(needle)? {
                    return Err(self.mismatch());
                }
                if *op == TextOp::Equals && !ignore_case {
                    return Err(DBError::query("equality of text that minds the case is a comparison"));
                }
                Ok(())
            }
            Condition::Exists { related, .. } => self.related(&related.model, &related.on)?.condition(&related.filter),
            Condition::Count(count) => {
                let related = &count.related;
                self.related(&related.model, &related.on)?.condition(&related.filter)
            }
        }
    }
}
