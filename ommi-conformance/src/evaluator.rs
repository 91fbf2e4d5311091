//! What a query means, in the fewest words: the naive reference that drivers are compared with.
//!
//! It walks the tree ([`ommi::ast`]) over rows of values, one value per column of the model. It knows no index, no
//! cache and no trick; where a driver and this file disagree, one of them is wrong. A store that keeps rows as values can run
//! statements with it, as the example `memory-driver` does.

use std::borrow::Cow;
use std::cmp::Ordering;

use ommi::ast::{
    Assignment, Change, CompareOp, Condition, Direction, Expr, List, Nulls, PerGroup, Related, Select, Sort, TextOp,
    Truth,
};
use ommi::schema::{ModelSchema, SchemaRef};
use ommi::value::{ColumnType, Value};
use ommi::{DBError, DBResult};

/// A row: the values of the model's columns, in their order.
pub type Row = Vec<Value<'static>>;

/// Where the rows of other models are, for conditions and orders that speak of related rows.
pub trait Tables {
    /// All rows of a model, in any order.
    ///
    /// # Errors
    /// Where there is no table for the model, or it does not fit.
    fn rows(&self, model: &ModelSchema) -> DBResult<Cow<'_, [Row]>>;
}

/// No tables: for conditions that speak of no other model.
impl Tables for () {
    fn rows(&self, model: &ModelSchema) -> DBResult<Cow<'_, [Row]>> {
        Err(DBError::query(format!("there are no rows of {}", model.name)))
    }
}

/// The rows of these models.
impl Tables for Vec<(SchemaRef, Vec<Row>)> {
    fn rows(&self, model: &ModelSchema) -> DBResult<Cow<'_, [Row]>> {
        match self.iter().find(|(other, _)| other.table == model.table) {
            Some((_, rows)) => Ok(Cow::Borrowed(rows)),
            None => ().rows(model),
        }
    }
}

/// Whether a condition is true of a row, false, or unknown.
///
/// # Errors
/// `Unsupported` for a form that this file does not know, `Query` for columns that do not exist and values that do not
/// compare.
pub fn truth(condition: &Condition, row: &Row, tables: &dyn Tables) -> DBResult<Option<bool>> {
    // Conditions nest deep, so that what takes room on the stack is elsewhere.
    match condition {
        Condition::And(parts) => {
            let mut result = Some(true);
            for part in parts {
                result = both(result, truth(part, row, tables)?);
            }
            Ok(result)
        }
        Condition::Or(parts) => {
            let mut result = Some(false);
            for part in parts {
                result = not(both(not(result), not(truth(part, row, tables)?)));
            }
            Ok(result)
        }
        Condition::Not(inner) => Ok(not(truth(inner, row, tables)?)),
        Condition::Exists { related, negated } => Ok(Some((count(related, row, tables)? > 0) != *negated)),
        Condition::Count(counted) => {
            let number = count(&counted.related, row, tables)?;
            is_such(counted.op, number.cmp(&counted.number)).map(Some)
        }
        simple => statement(simple, row, tables),
    }
}

/// The truth of a condition that has no others in it.
fn statement(condition: &Condition, row: &Row, tables: &dyn Tables) -> DBResult<Option<bool>> {
    let value = |expr| value(expr, row, tables);
    match condition {
        Condition::True => Ok(Some(true)),
        Condition::False => Ok(Some(false)),
        Condition::Compare { op, left, right } => compared(*op, &*value(left)?, &*value(right)?),
        Condition::IsNull { expr, negated } => Ok(Some(value(expr)?.is_null() != *negated)),
        Condition::Between { expr, low, high } => {
            let (value, low, high) = (value(expr)?, value(low)?, value(high)?);
            Ok(both(compared(CompareOp::Ge, &value, &low)?, compared(CompareOp::Le, &value, &high)?))
        }
        Condition::In { expr, list, negated } => {
            let found = within(&*value(expr)?, list)?;
            Ok(if *negated { not(found) } else { found })
        }
        Condition::Text { op, ignore_case, expr, needle } => text(*op, *ignore_case, &*value(expr)?, &*value(needle)?),
        _ => Err(DBError::unsupported("evaluator", "this condition")),
    }
}

/// How many related rows a row has.
fn count(related: &Related, row: &Row, tables: &dyn Tables) -> DBResult<u64> {
    let mut count = 0;
    for other in tables.rows(&related.model)?.iter() {
        if !relates(&related.on, row, other)? {
            continue;
        }
        let is_true = truth(&related.filter, other, tables)? == Some(true);
        count += u64::from(match related.wanted {
            Truth::True => is_true,
            Truth::NotTrue => !is_true,
            _ => return Err(DBError::unsupported("evaluator", "this condition on related rows")),
        });
    }
    Ok(count)
}

/// Whether a row is related to another. NULL relates to nothing.
fn relates(on: &[(u16, u16)], row: &Row, other: &Row) -> DBResult<bool> {
    for &(own, far) in on {
        if compare(column(own, row)?, column(far, other)?)? != Some(Ordering::Equal) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The rows that a select gives, in its order; rows that its sort leaves equal stay in the order in which they came.
///
/// # Errors
/// As [`truth`].
pub fn select(select: &Select, rows: &[Row], tables: &dyn Tables) -> DBResult<Vec<Row>> {
    let mut found = Vec::new();
    for row in rows {
        if truth(&select.filter, row, tables)? == Some(true) {
            found.push(row.clone());
        }
    }
    arrange(select, found, tables)
}

/// Of the rows that meet a select's filter, those that it gives, in its order; rows that its sort leaves equal stay in the order in which
/// they came.
///
/// # Errors
/// As [`truth`].
pub fn arrange(select: &Select, mut found: Vec<Row>, tables: &dyn Tables) -> DBResult<Vec<Row>> {
    // A sort cannot fail, so what could is tried before.
    for pair in found.windows(2) {
        if let [left, right] = pair {
            order(&select.sort, left, right, tables)?;
        }
    }
    found.sort_by(|left, right| order(&select.sort, left, right, tables).unwrap_or(Ordering::Equal));
    if let Some(groups) = &select.per_group {
        found = some_of_each(groups, found)?;
    }
    let offset = usize::try_from(select.offset.unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = usize::try_from(select.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    Ok(found.into_iter().skip(offset).take(limit).collect())
}

/// Of rows in their order, some of each group. The order stays.
fn some_of_each(groups: &PerGroup, rows: Vec<Row>) -> DBResult<Vec<Row>> {
    let mut seen: Vec<(Row, u64)> = Vec::new();
    let mut kept = Vec::new();
    for row in rows {
        let group: Row = groups.columns.iter().map(|&of| column(of, &row).cloned()).collect::<DBResult<_>>()?;
        let place = match seen.iter_mut().find(|(other, _)| *other == group) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                seen.push((group, 0));
                0
            }
        };
        let offset = groups.offset.unwrap_or(0);
        if place >= offset && groups.limit.is_none_or(|limit| place - offset < limit) {
            kept.push(row);
        }
    }
    Ok(kept)
}

/// The value that an assignment gives to its column, of a row as it was before all assignments of the statement.
///
/// # Errors
/// As [`truth`], and `OutOfRange` for a number that leaves its column's range.
pub fn assigned(assignment: &Assignment, model: &ModelSchema, row: &Row) -> DBResult<Value<'static>> {
    let column = model.column(assignment.column).ok_or_else(|| DBError::query("there is no such column"))?;
    let (step, subtract) = match &assignment.change {
        Change::Set(expr) => return Ok(value(expr, row, &())?.into_owned()),
        Change::Add(step) => (step, false),
        Change::Subtract(step) => (step, true),
        _ => return Err(DBError::unsupported("evaluator", "this change")),
    };
    let out_of_range = || DBError::out_of_range(model.table.clone(), Some(column.name.to_string()));
    match (self::column(assignment.column, row)?, step) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::Int(old), Value::Int(step)) => {
            let new = if subtract { old.checked_sub(*step) } else { old.checked_add(*step) };
            let new = new.map(Value::Int).filter(|new| column.ty.accepts(new));
            new.ok_or_else(out_of_range)
        }
        (Value::Float(old), Value::Float(step)) => {
            let new = if subtract { old - step } else { old + step };
            let new = if column.ty == ColumnType::F32 { f64::from(new as f32) } else { new };
            // Infinity is reached by a step to it, not by one that goes too far.
            let overflows = new.is_infinite() && old.is_finite() && step.is_finite();
            if overflows || new.is_nan() { Err(out_of_range()) } else { Ok(Value::Float(new)) }
        }
        _ => Err(DBError::query("values of different types are added")),
    }
}

/// Which of two rows comes first.
///
/// # Errors
/// As [`truth`].
pub fn order(sorts: &[Sort], left: &Row, right: &Row, tables: &dyn Tables) -> DBResult<Ordering> {
    for Sort { expr, direction, nulls, .. } in sorts {
        let (left, right) = (value(expr, left, tables)?, value(expr, right, tables)?);
        let null = if *nulls == Nulls::First { Ordering::Less } else { Ordering::Greater };
        let order = match (left.is_null(), right.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => null,
            (false, true) => null.reverse(),
            (false, false) => {
                let order = compare(&left, &right)?.unwrap_or(Ordering::Equal);
                if *direction == Direction::Ascending { order } else { order.reverse() }
            }
        };
        if order != Ordering::Equal {
            return Ok(order);
        }
    }
    Ok(Ordering::Equal)
}

/// Whether both are true: false wins over unknown, unknown over true.
fn both(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, _) | (_, None) => None,
        (Some(true), Some(true)) => Some(true),
    }
}

fn not(truth: Option<bool>) -> Option<bool> {
    truth.map(|truth| !truth)
}

fn column(index: u16, row: &Row) -> DBResult<&Value<'static>> {
    row.get(usize::from(index)).ok_or_else(|| DBError::query("there is no such column"))
}

fn value<'a>(expr: &'a Expr, row: &'a Row, tables: &dyn Tables) -> DBResult<Cow<'a, Value<'static>>> {
    match expr {
        Expr::Column(index) => column(*index, row).map(Cow::Borrowed),
        Expr::Value(value) => Ok(Cow::Borrowed(value)),
        Expr::Related(related) => {
            for other in tables.rows(&related.model)?.iter() {
                if relates(&related.on, row, other)? {
                    return Ok(Cow::Owned(value(&related.expr, other, tables)?.into_owned()));
                }
            }
            Ok(Cow::Owned(Value::Null))
        }
        _ => Err(DBError::unsupported("evaluator", "this expression")),
    }
}

fn compared(op: CompareOp, left: &Value<'_>, right: &Value<'_>) -> DBResult<Option<bool>> {
    let Some(order) = compare(left, right)? else { return Ok(None) };
    is_such(op, order).map(Some)
}

fn is_such(op: CompareOp, order: Ordering) -> DBResult<bool> {
    Ok(match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
        _ => return Err(DBError::unsupported("evaluator", "this comparison")),
    })
}

/// Nothing where either is NULL.
fn compare(left: &Value<'_>, right: &Value<'_>) -> DBResult<Option<Ordering>> {
    Ok(match (left, right) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Uuid(a), Value::Uuid(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        (Value::DateTime(a), Value::DateTime(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        _ => return Err(DBError::query("values of different types are compared")),
    })
}

fn within(value: &Value<'_>, list: &List) -> DBResult<Option<bool>> {
    let mut unknown = list.has_null();
    for one in list.values() {
        match compared(CompareOp::Eq, value, one)? {
            Some(true) => return Ok(Some(true)),
            Some(false) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { None } else { Some(false) })
}

fn text(op: TextOp, ignore_case: bool, text: &Value<'_>, needle: &Value<'_>) -> DBResult<Option<bool>> {
    let (text, needle) = match (text, needle) {
        (Value::Text(text), Value::Text(needle)) => (text, needle),
        (Value::Null, Value::Null | Value::Text(_)) | (Value::Text(_), Value::Null) => return Ok(None),
        _ => return Err(DBError::query("a text predicate on what is no text")),
    };
    let fold = |text: &str| if ignore_case { text.to_ascii_lowercase() } else { text.to_owned() };
    let (text, needle) = (fold(text), fold(needle));
    Ok(Some(match op {
        TextOp::Contains => text.contains(&needle),
        TextOp::StartsWith => text.starts_with(&needle),
        TextOp::EndsWith => text.ends_with(&needle),
        TextOp::Equals => text == needle,
        _ => return Err(DBError::unsupported("evaluator", "this text predicate")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NULL: Expr = Expr::Value(Value::Null);

    fn int(n: i64) -> Expr {
        Expr::Value(Value::Int(n))
    }

    fn of(condition: Condition) -> Option<bool> {
        truth(&condition, &vec![Value::Int(1), Value::Null], &()).unwrap()
    }

    #[test]
    fn three_values() {
        let unknown = || Condition::compare(CompareOp::Eq, Expr::Column(1), int(1));
        assert_eq!(of(unknown()), None);
        assert_eq!(of(Condition::Not(Box::new(unknown()))), None);
        assert_eq!(of(Condition::And(vec![unknown(), Condition::True])), None);
        assert_eq!(of(Condition::And(vec![unknown(), Condition::False])), Some(false));
        assert_eq!(of(Condition::Or(vec![unknown(), Condition::True])), Some(true));
        assert_eq!(of(Condition::Or(vec![unknown(), Condition::False])), None);
        assert_eq!(of(Condition::And(vec![])), Some(true));
        assert_eq!(of(Condition::Or(vec![])), Some(false));
    }

    #[test]
    fn lists() {
        let within = |expr: &Expr, values: Vec<Value<'static>>, negated| {
            of(Condition::In { expr: expr.clone(), list: List::new(values), negated })
        };
        let one = Expr::Column(0);
        assert_eq!(within(&one, vec![Value::Int(1), Value::Null], false), Some(true));
        assert_eq!(within(&one, vec![Value::Int(2), Value::Null], false), None);
        assert_eq!(within(&one, vec![Value::Int(2), Value::Null], true), None);
        assert_eq!(within(&one, vec![Value::Int(2)], true), Some(true));
        assert_eq!(within(&NULL, vec![Value::Int(2)], true), None);
        assert_eq!(within(&NULL, vec![], false), Some(false));
        assert_eq!(within(&NULL, vec![], true), Some(true));
    }

    #[test]
    fn an_unknown_end_leaves_the_other() {
        let between = |low, high| of(Condition::Between { expr: Expr::Column(0), low, high });
        assert_eq!(between(NULL, int(0)), Some(false));
        assert_eq!(between(NULL, int(1)), None);
        assert_eq!(between(int(0), int(1)), Some(true));
    }

    #[test]
    fn what_does_not_compare_is_an_error() {
        let condition = Condition::compare(CompareOp::Eq, int(1), Expr::Value(Value::Bool(true)));
        assert!(truth(&condition, &vec![], &()).is_err());
        assert!(truth(&Condition::compare(CompareOp::Eq, int(1), Expr::Column(5)), &vec![], &()).is_err());
    }
}
