//! Statements without any Rust type: from a schema that was built at run time, as a driver meets every statement.

use std::sync::Arc;

use ommi::ast::{Assignment, Change, CompareOp, Condition, Delete, Expr, Insert, Output, Select, TextOp, Update};
use ommi::driver::Context;
use ommi::prelude::*;
use ommi::schema::{ColumnBuilder, ColumnList, ModelSchema, SchemaRef};
use ommi::value::{ColumnType, Value};

use crate::expect::assert_kind;
use crate::rows::Rows;

/// id (counted), name, size (optional)
fn schema() -> DBResult<SchemaRef> {
    let schema = ModelSchema::builder("Widget", "widgets")
        .column(ColumnBuilder::new("id", ColumnType::I64).key().auto_increment())
        .column(ColumnBuilder::new("name", ColumnType::Text).unique())
        .column(ColumnBuilder::new("size", ColumnType::I32).stored_as("width").nullable())
        .build()?;
    Ok(SchemaRef::from(Arc::new(schema)))
}

fn text(text: &str) -> Value<'static> {
    Value::Text(text.to_owned().into())
}

fn size_is(op: CompareOp, size: i64) -> Condition {
    Condition::compare(op, Expr::Column(2), Expr::Value(Value::Int(size)))
}

/// Makes the table with three rows: (1, "a", 1), (2, "b", NULL), (3, "c", 3), whatever the keys are.
async fn widgets(db: &Ommi) -> DBResult<SchemaRef> {
    let schema = schema()?;
    db.create_schemas(vec![schema.clone()]).await?;
    let columns = ColumnList::without_generated(&schema);
    let values = vec![text("a"), Value::Int(1), text("b"), Value::Null, text("c"), Value::Int(3)];
    let mut insert = Insert::new(schema.clone(), columns, values.clone(), 3);
    insert.returning = ColumnList::generated(&schema);
    let mut keys = Rows::new(1);
    let written = db.driver().insert(&mut insert, &mut keys, &Context::new()).await?;
    assert_eq!((written, keys.rows.len()), (3, 3));
    assert!(insert.values == values, "the values are there again, for the rows that the user gets");
    let keys: Vec<_> = keys.rows.iter().flatten().collect();
    let ints: Vec<i64> =
        keys.iter().filter_map(|key| if let Value::Int(key) = key { Some(*key) } else { None }).collect();
    assert!(ints.len() == 3 && ints.is_sorted_by(|a, b| a < b));
    Ok(schema)
}

async fn names(db: &Ommi, schema: &SchemaRef, filter: Condition) -> DBResult<Vec<Value<'static>>> {
    let mut select = Select::new(schema.clone());
    select.filter = filter;
    select.sort.push(ommi::ast::Sort::new(Expr::Column(1), ommi::ast::Direction::Ascending));
    let mut rows = Rows::new(3);
    db.driver().fetch(&select, &mut rows, &Context::new()).await?;
    Ok(rows.rows.into_iter().filter_map(|row| row.into_iter().nth(1)).collect())
}

pub(crate) async fn rows_are_written_and_read(db: &Ommi) -> DBResult<()> {
    let schema = widgets(db).await?;
    assert!(names(db, &schema, Condition::True).await? == [text("a"), text("b"), text("c")]);
    assert!(names(db, &schema, size_is(CompareOp::Ne, 1)).await? == [text("c")]);
    assert!(names(db, &schema, Condition::False).await?.is_empty());
    Ok(())
}

pub(crate) async fn count_and_exists_are_one_value(db: &Ommi) -> DBResult<()> {
    let schema = widgets(db).await?;
    for (output, expected) in [(Output::Count, Value::Int(2)), (Output::Exists, Value::Bool(true))] {
        let mut select = Select::new(schema.clone());
        select.filter = size_is(CompareOp::Gt, 0);
        select.output = output;
        let mut answer = Rows::new(1);
        db.driver().fetch(&select, &mut answer, &Context::new()).await?;
        assert!(answer.rows == [[expected]], "{output:?}");
    }
    Ok(())
}

pub(crate) async fn updates_and_deletes_count_their_rows(db: &Ommi) -> DBResult<()> {
    let schema = widgets(db).await?;
    let change = Assignment::new(2, Change::Add(Value::Int(10)));
    let update = Update::new(schema.clone(), vec![change], Condition::True);
    assert_eq!(db.driver().update(&update, &Context::new()).await?, 3);
    assert!(names(db, &schema, size_is(CompareOp::Ge, 11)).await? == [text("a"), text("c")]);
    let delete = Delete::new(schema.clone(), size_is(CompareOp::Eq, 13));
    assert_eq!(db.driver().delete(&delete, &Context::new()).await?, 1);
    assert!(names(db, &schema, Condition::True).await? == [text("a"), text("b")]);
    Ok(())
}

/// Empty lists of conditions, and constants among them, as the typed edge never builds them.
pub(crate) async fn constants_and_empty_lists_of_conditions(db: &Ommi) -> DBResult<()> {
    let schema = widgets(db).await?;
    let all = 3;
    for (filter, expected) in [
        (Condition::And(vec![]), all),
        (Condition::Or(vec![]), 0),
        (Condition::Not(Box::new(Condition::Or(vec![]))), all),
        (Condition::And(vec![Condition::True, size_is(CompareOp::Eq, 1)]), 1),
        (Condition::Or(vec![Condition::False, size_is(CompareOp::Eq, 1)]), 1),
        (Condition::Or(vec![size_is(CompareOp::Eq, 1), Condition::True]), all),
        (Condition::And(vec![Condition::Or(vec![]), Condition::True]), 0),
        (Condition::Not(Box::new(Condition::Not(Box::new(size_is(CompareOp::Lt, 9))))), 2),
        (Condition::And(vec![Condition::And(vec![Condition::And(vec![])])]), all),
    ] {
        let found = names(db, &schema, filter.clone()).await?.len();
        assert_eq!(found, expected, "{filter:?}");
    }
    Ok(())
}

/// Values on the left side, and on both.
pub(crate) async fn values_on_either_side(db: &Ommi) -> DBResult<()> {
    let schema = widgets(db).await?;
    let value = |n| Expr::Value(Value::Int(n));
    let null = || Expr::Value(Value::Null);
    for (filter, expected) in [
        (Condition::compare(CompareOp::Lt, value(1), Expr::Column(2)), 1),
        (Condition::compare(CompareOp::Eq, value(1), value(1)), 3),
        (Condition::compare(CompareOp::Eq, value(1), value(2)), 0),
        (Condition::compare(CompareOp::Eq, null(), null()), 0),
        (Condition::compare(CompareOp::Ne, Expr::Column(2), null()), 0),
        (Condition::Between { expr: value(2), low: Expr::Column(2), high: value(5) }, 1),
        (Condition::IsNull { expr: null(), negated: false }, 3),
        (Condition::IsNull { expr: value(1), negated: true }, 3),
    ] {
        let found = names(db, &schema, filter.clone()).await?.len();
        assert_eq!(found, expected, "{filter:?}");
    }
    Ok(())
}

/// A number beyond the column's range compares as the number that it is.
pub(crate) async fn numbers_beyond_the_columns_range_compare(db: &Ommi) -> DBResult<()> {
    let schema = widgets(db).await?;
    assert_eq!(names(db, &schema, size_is(CompareOp::Lt, i64::MAX)).await?.len(), 2);
    assert_eq!(names(db, &schema, size_is(CompareOp::Eq, 1 << 40)).await?.len(), 0);
    assert_eq!(names(db, &schema, size_is(CompareOp::Ne, i64::MIN)).await?.len(), 2);
    Ok(())
}

/// Found before anything is sent: there is no table.
pub(crate) async fn what_does_not_fit_the_schema_is_an_error(db: &Ommi) -> DBResult<()> {
    let schema = schema()?;
    let compare = |column, value| Condition::compare(CompareOp::Eq, Expr::Column(column), Expr::Value(value));
    let contains =
        |expr| Condition::Text { op: TextOp::Contains, ignore_case: false, expr, needle: Expr::Value(text("a")) };
    for filter in [
        compare(7, Value::Int(1)),
        compare(1, Value::Int(1)),
        compare(2, text("1")),
        compare(2, Value::Float(1.0)),
        Condition::compare(CompareOp::Eq, Expr::Column(0), Expr::Column(1)),
        Condition::compare(CompareOp::Lt, Expr::Column(0), Expr::Column(2)),
        contains(Expr::Column(2)),
        Condition::Not(Box::new(Condition::And(vec![compare(1, Value::Bool(true)), Condition::False]))),
    ] {
        assert_kind!(names(db, &schema, filter).await, ErrorKind::Query);
    }
    let change = |column, value| {
        let change = Assignment::new(column, Change::Set(Expr::Value(value)));
        Update::new(schema.clone(), vec![change], Condition::True)
    };
    for update in [
        change(9, Value::Int(1)),
        change(1, Value::Int(1)),
        change(2, Value::Int(1 << 40)),
        Update::new(schema.clone(), vec![], Condition::True),
    ] {
        assert_kind!(db.driver().update(&update, &Context::new()).await, ErrorKind::Query);
    }
    Ok(())
}

/// A driver keeps what it compiled by the schema's address; another schema may come to lie there.
pub(crate) async fn schemas_that_come_and_go(db: &Ommi) -> DBResult<()> {
    for n in 0..50 {
        let table = format!("table_{n}");
        let schema = ModelSchema::builder("Fleeting", table)
            .column(ColumnBuilder::new("id", ColumnType::I64).key())
            .column(ColumnBuilder::new(format!("column_{n}"), ColumnType::Text))
            .build()?;
        let schema = SchemaRef::from(Arc::new(schema));
        db.create_schemas(vec![schema.clone()]).await?;
        let columns = ColumnList::all(&schema);
        let mut insert = Insert::new(schema.clone(), columns, vec![Value::Int(n), text("x")], 1);
        db.driver().insert(&mut insert, &mut Rows::new(0), &Context::new()).await?;
        let mut rows = Rows::new(2);
        db.driver().fetch(&Select::new(schema), &mut rows, &Context::new()).await?;
        assert!(rows.rows == [[Value::Int(n), text("x")]], "table {n}");
    }
    Ok(())
}
