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

pub(crate) fn begin(table: &str, writer: &mut Writer) {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mongodb::bson::{Bson, Document, doc};
    use ommi_core::ast::{CompareOp, Condition};
    use ommi_core::schema::{ColumnBuilder, SchemaRef};
    use ommi_core::value::{ColumnType, Moment};
    use ommi_core::{DBResult, ErrorKind};

    use super::*;
    use crate::condition::Truth;

    /// 0 a, 1 b, together the key; 2 n, 3 m (optional), 4 f, 5 s and 6 t (optional), 7 at
    fn model() -> SchemaRef {
        let column = ColumnBuilder::new;
        let model = ModelSchema::builder("T", "t")
            .column(column("a", ColumnType::I64).key())
            .column(column("b", ColumnType::I64).key())
            .column(column("n", ColumnType::I64))
            .column(column("m", ColumnType::I64).nullable())
            .column(column("f", ColumnType::F64))
            .column(column("s", ColumnType::Text).nullable())
            .column(column("t", ColumnType::Text).nullable())
            .column(column("at", ColumnType::Timestamp));
        SchemaRef::from(Arc::new(model.build().unwrap()))
    }

    fn written(filter: Condition, changes: Vec<(u16, Change)>) -> DBResult<Document> {
        let changes = changes.into_iter().map(|(column, change)| Assignment::new(column, change)).collect();
        let statement = Update::new(model(), changes, filter);
        let mut writer = Writer::new();
        update(&statement, &Truth::new(&statement.model).filter(&statement.filter)?, &mut writer)?;
        let command = Document::try_from(writer.finish()?.0.as_ref()).unwrap();
        Ok(command.get_array("updates").unwrap()[0].as_document().unwrap().clone())
    }

    fn change(changes: Vec<(u16, Change)>) -> Bson {
        written(Condition::True, changes).unwrap().get("u").unwrap().clone()
    }

    fn set(value: Value<'static>) -> Change {
        Change::Set(Expr::Value(value))
    }

    #[test]
    fn operators_say_what_they_can_and_a_pipeline_the_rest() {
        let text = || set(Value::Text("$t".into()));
        assert_eq!(
            change(vec![(5, text()), (2, Change::Subtract(Value::Int(3)))]),
            Bson::Document(doc! { "$set": { "s": "$t" }, "$inc": { "n": -3i64 } })
        );
        // NULL is no number to an operator, infinity no error, and the least integer has no negative.
        for (column, step) in [
            (3, Change::Add(Value::Int(1))),
            (3, Change::Subtract(Value::Int(1))),
            (2, Change::Add(Value::Null)),
            (2, Change::Subtract(Value::Int(i64::MIN))),
            (4, Change::Add(Value::Float(1.0))),
        ] {
            let change = change(vec![(column, step.clone())]);
            let name = ["a", "b", "n", "m", "f"][usize::from(column)];
            let stage = change.as_array().map(|stages| stages[0].as_document().unwrap().get_document("$set").unwrap());
            assert!(stage.is_some_and(|set| set.keys().eq([name])), "{step:?}: {change}");
        }
        // In a pipeline, a value is no path; and what is missing becomes NULL instead of taking the field away.
        let stage = doc! { "$set": { "s": { "$literal": "$t" }, "t": { "$ifNull": ["$s", Bson::Null] } } };
        assert_eq!(change(vec![(5, text()), (6, Change::Set(Expr::Column(5)))]), Bson::Array(vec![stage.into()]));
    }

    #[test]
    fn one_document_is_meant_where_the_whole_key_is_given() {
        let equal = |column| Condition::compare(CompareOp::Eq, Expr::Column(column), Expr::Value(Value::Int(1)));
        for (filter, multi) in [(equal(0).and(equal(1)), false), (equal(0), true), (equal(1).and(equal(2)), true)] {
            let found = written(filter.clone(), vec![(2, set(Value::Int(1)))]).unwrap();
            assert_eq!(found.get_bool("multi").unwrap(), multi, "{filter:?}");
        }
    }

    #[test]
    fn what_would_be_cut_is_refused() {
        let fine = || set(Value::Timestamp(Moment::new(0, 1).unwrap()));
        // Of an operator, and of a pipeline.
        for changes in [vec![(7, fine())], vec![(7, fine()), (5, Change::Set(Expr::Column(6)))]] {
            let error = written(Condition::True, changes).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::InvalidValue { .. }), "{error}");
        }
    }
}
