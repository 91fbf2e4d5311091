//! Changing rows: update operators where the new values are given, one `$set` stage where they come from the row.
//!
//! The right-hand sides of one stage all see the old document, as those of SQL's UPDATE do; two stages would not.

use ommi_core::ast::{Assignment, Change, Expr, Update};
use ommi_core::schema::ModelSchema;
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult};

use crate::bson::Writer;
use crate::condition::Filter;
use crate::names::{ID, path, reference, type_of, unsupported};
use crate::sum::sum;
use crate::value::{TOO_FINE, rounded_down};

/// How far a write reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// No document: nothing need be sent.
    Nothing,
    /// One document at most, which the server writes whole or not at all.
    One,
    /// Any number; all or none only within a transaction.
    Many,
}

/// Whether the filter gives the whole key.
pub(crate) fn reach(model: &ModelSchema, filter: &ommi_core::ast::Condition) -> Reach {
    if model.key.iter().all(|key| filter.pinned_columns().any(|column| column == *key)) {
        Reach::One
    } else {
        Reach::Many
    }
}

/// Writes the command for the rows that a filter selects.
pub(crate) fn update(update: &Update, filter: &Filter<'_>, writer: &mut Writer) -> DBResult<Reach> {
    let model = &update.model;
    let reach = if filter.is_nothing() { Reach::Nothing } else { reach(model, &update.filter) };
    begin(&model.table, writer);
    filter.write(writer, "q", model)?;
    change(update, writer)?;
    writer.bool("multi", reach != Reach::One);
    writer.end();
    writer.end();
    Ok(reach)
}

/// Begins the command for rows whose keys are given, and leaves the list of the keys open.
pub(crate) fn of_keys(update: &Update, writer: &mut Writer) -> DBResult<()> {
    begin(&update.model.table, writer);
    change(update, writer)?;
    writer.bool("multi", true);
    writer.begin_document("q");
    writer.begin_document(ID);
    writer.begin_array("$in");
    Ok(())
}

fn begin(table: &str, writer: &mut Writer) {
    writer.string("update", table);
    writer.begin_array("updates");
    writer.item_document();
}

/// Writes the new values.
fn change(update: &Update, writer: &mut Writer) -> DBResult<()> {
    let model = &update.model;
    if update.assignments.iter().all(|assignment| is_operator(model, assignment)) {
        writer.begin_document("u");
        operators(model, &update.assignments, writer)?;
        writer.end();
        return Ok(());
    }
    writer.begin_array("u");
    writer.item_document();
    writer.begin_document("$set");
    for assignment in &update.assignments {
        computed(model, assignment, &path(model, assignment.column)?, writer)?;
    }
    writer.end();
    writer.end();
    writer.end();
    Ok(())
}

/// Whether an operator says the same as the assignment. `$inc` fails on NULL, where the sum is to be NULL, cannot take the negative of the
/// least integer, and makes infinities of great doubles.
fn is_operator(model: &ModelSchema, assignment: &Assignment) -> bool {
    let is_sum =
        || model.column(assignment.column).is_none_or(|column| column.nullable || column.ty.integer_range().is_none());
    match &assignment.change {
        Change::Set(Expr::Value(_)) => true,
        Change::Add(value) => !value.is_null() && !is_sum(),
        Change::Subtract(value) => negative(value).is_some() && !is_sum(),
        _ => false,
    }
}

fn negative(value: &Value<'_>) -> Option<Value<'static>> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int),
        _ => None,
    }
}

fn operators(model: &ModelSchema, assignments: &[Assignment], writer: &mut Writer) -> DBResult<()> {
    let sets = |assignment: &&Assignment| matches!(assignment.change, Change::Set(_));
    if assignments.iter().any(|assignment| sets(&assignment)) {
        writer.begin_document("$set");
        for assignment in assignments.iter().filter(sets) {
            if let Change::Set(Expr::Value(value)) = &assignment.change {
                storable(model, assignment.column, value)?;
                writer.value(&path(model, assignment.column)?, type_of(model, assignment.column), value);
            }
        }
        writer.end();
    }
    if !assignments.iter().all(|assignment| sets(&assignment)) {
        writer.begin_document("$inc");
        for assignment in assignments {
            let step = match &assignment.change {
                Change::Add(value) => Some(value.clone()),
                Change::Subtract(value) => negative(value),
                _ => None,
            };
            if let Some(step) = step {
                writer.value(&path(model, assignment.column)?, type_of(model, assignment.column), &step);
            }
        }
        writer.end();
    }
    Ok(())
}

/// Checks that a column can hold a value as it is.
pub(crate) fn storable(model: &ModelSchema, column: u16, value: &Value<'_>) -> DBResult<()> {
    if rounded_down(value).is_some() {
        let field = model.column(column).map(|column| &*column.field);
        return Err(DBError::invalid_value(Some(&model.name), field).with_detail(TOO_FINE));
    }
    Ok(())
}

/// The new value of a column as an expression over the old document.
pub(crate) fn computed(model: &ModelSchema, assignment: &Assignment, key: &str, writer: &mut Writer) -> DBResult<()> {
    let column = assignment.column;
    let ty = type_of(model, column);
    match &assignment.change {
        Change::Set(Expr::Value(value)) => {
            storable(model, column, value)?;
            writer.literal(key, ty, value);
        }
        Change::Set(Expr::Column(other)) => {
            // A missing field would take this one away instead of making it NULL.
            writer.begin_document(key);
            writer.begin_array("$ifNull");
            writer.item_string(&reference(model, *other)?);
            writer.item_null();
            writer.end();
            writer.end();
        }
        Change::Add(value) => sum(model, column, "$add", value, key, writer)?,
        Change::Subtract(value) => sum(model, column, "$subtract", value, key, writer)?,
        _ => return Err(unsupported("this change of a column")),
    }
    Ok(())
}
