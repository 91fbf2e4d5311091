//! Documents that lack fields: others write them, and tables that got a column hold them.

use std::future::IntoFuture;
use std::sync::Arc;

use mongodb::bson::{Bson, Document, doc};
use ommi_core::ast::{
    Assignment, Change, CompareOp, Condition, Direction, Expr, List, Nulls, PerGroup, Related, Sort, TextOp, Update,
};
use ommi_core::driver::{Context, Driver, Executor};
use ommi_core::schema::{ColumnBuilder, ModelSchema, SchemaRef};
use ommi_core::value::{ColumnType, Value};

use super::{cmp, connect, ids, select, text, wait};

/// Whatever is asked or done, in a collection without rules, which others have made.
#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_is_missing_is_null() {
    let driver = connect(|options| options).await;
    // 0 id, 1 n (i8), 2 m (i64), 3 f (f32), 4 s, 5 t; 6 up, a reference to m, which is unique
    let model = ModelSchema::builder("Loose", "loose")
        .column(ColumnBuilder::new("id", ColumnType::I64).key())
        .column(ColumnBuilder::new("n", ColumnType::I8).nullable())
        .column(ColumnBuilder::new("m", ColumnType::I64).nullable().unique())
        .column(ColumnBuilder::new("f", ColumnType::F32).nullable())
        .column(ColumnBuilder::new("s", ColumnType::Text).nullable())
        .column(ColumnBuilder::new("t", ColumnType::Text).nullable())
        .column(ColumnBuilder::new("up", ColumnType::I64).nullable())
        .build()
        .unwrap();
    let model = SchemaRef::from(Arc::new(model));
    driver.database().create_collection("loose").await.unwrap();
    driver.schema().create(std::slice::from_ref(&model), &Context::new()).await.unwrap();
    let documents = driver.database().collection::<Document>("loose");
    let null = Bson::Null;
    let nulls = doc! { "_id": 2i64, "n": &null, "m": &null, "f": &null, "s": &null, "t": &null, "up": &null };
    let full = doc! { "_id": 3i64, "n": 1, "m": 7i64, "f": 0.5, "s": "ab", "t": "b", "up": 7i64 };
    documents.insert_many([doc! { "_id": 1i64 }, nulls.clone(), full.clone()]).await.unwrap();

    let not = |condition: Condition| Condition::Not(Box::new(condition));
    let up = |filter: Condition| Related::new(model.clone(), vec![(6, 2)]).filter(filter);
    let exists = |related: Related, negated| Condition::Exists { related: Box::new(related), negated };
    let first_and_third = List::new([Value::Int(1), Value::Int(3)]);
    let first_and_third = Condition::In { expr: Expr::Column(0), list: first_and_third, negated: false };
    let of_first_and_third = || Related::new(model.clone(), vec![(0, 6)]).filter(first_and_third.clone());
    let list = || List::new([Value::Int(8), Value::Int(9)]);
    let text_in = |op, ignore_case, expr, needle| Condition::Text { op, ignore_case, expr, needle };
    let columns = |op, left, right| Condition::compare(op, Expr::Column(left), Expr::Column(right));
    let s_in_t = |op| text_in(op, true, Expr::Column(4), Expr::Column(5));
    for (number, (condition, found)) in [
        (cmp(CompareOp::Ne, 2, Value::Int(8)), &[3][..]),
        (not(cmp(CompareOp::Eq, 2, Value::Int(8))), &[3]),
        (Condition::In { expr: Expr::Column(2), list: list(), negated: true }, &[3]),
        (Condition::IsNull { expr: Expr::Column(2), negated: false }, &[1, 2]),
        (columns(CompareOp::Eq, 2, 6), &[3]),
        (not(columns(CompareOp::Lt, 2, 6)), &[3]),
        (columns(CompareOp::Le, 2, 6), &[3]),
        (columns(CompareOp::Ne, 0, 2), &[3]),
        (columns(CompareOp::Lt, 2, 0), &[]),
        (s_in_t(TextOp::Contains), &[3]),
        (not(s_in_t(TextOp::StartsWith)), &[3]),
        (s_in_t(TextOp::EndsWith), &[3]),
        (not(s_in_t(TextOp::Equals)), &[3]),
        (not(text_in(TextOp::EndsWith, false, Expr::Column(4), Expr::Value(text("x")))), &[3]),
        // NULL refers to nothing, although there are rows with NULL.
        (exists(up(Condition::True), false), &[3]),
        (exists(up(Condition::True), true), &[1, 2]),
        (exists(up(cmp(CompareOp::Eq, 2, Value::Int(7))), true), &[1, 2]),
        // A row that is named, and that refers to nothing, is no reason to leave out others.
        (exists(of_first_and_third(), true), &[1, 2, 3]),
        (exists(up(Condition::True).not_true(cmp(CompareOp::Gt, 1, Value::Int(5))), false), &[3]),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(ids(&driver, &select(&model, condition.clone())).await, found, "{number}: {condition:?}");
    }
    for (direction, nulls, order) in [
        (Direction::Ascending, Nulls::First, [1, 2, 3]),
        (Direction::Ascending, Nulls::Last, [3, 1, 2]),
        (Direction::Descending, Nulls::First, [1, 2, 3]),
        (Direction::Descending, Nulls::Last, [3, 1, 2]),
    ] {
        let mut sorted = select(&model, Condition::True);
        let mut by = Sort::new(Expr::Column(1), direction);
        by.nulls = nulls;
        sorted.sort.insert(0, by);
        assert_eq!(ids(&driver, &sorted).await, order, "{direction:?} {nulls:?}");
    }
    // All that have NULL in both columns are one group.
    let mut first = select(&model, Condition::True);
    first.per_group = Some(PerGroup::new(vec![1, 2], Some(1), None));
    assert_eq!(ids(&driver, &first).await, [1, 3]);

    // Sums with NULL are NULL, and so is what NULL is given to; the document has the field then.
    let change = |column, change| Assignment::new(column, change);
    let sums = vec![
        change(1, Change::Add(Value::Int(1))),
        change(2, Change::Subtract(Value::Int(1))),
        change(3, Change::Add(Value::Float(0.25))),
        change(4, Change::Set(Expr::Column(5))),
    ];
    let update = Update::new(model.clone(), sums, Condition::True);
    assert_eq!(wait(driver.update(&update, &Context::new())).await.unwrap(), 3);
    let stored = |id: i64| documents.find_one(doc! { "_id": id }).into_future();
    let changed = doc! { "_id": 1i64, "n": &null, "m": &null, "f": &null, "s": &null };
    assert_eq!(stored(1).await.unwrap().unwrap(), changed);
    assert_eq!(stored(2).await.unwrap().unwrap(), nulls);
    let changed = doc! { "_id": 3i64, "n": 2, "m": 6i64, "f": 0.75, "s": "b", "t": "b", "up": 7i64 };
    assert_eq!(stored(3).await.unwrap().unwrap(), changed);
}

/// A table that gets columns: what rows lack is filled in, NULL that somebody wrote stays where it may, and many rows may have it in a unique
/// column.
#[tokio::test(flavor = "multi_thread")]
async fn what_rows_of_an_older_table_lack_is_filled_in() {
    let driver = connect(|options| options).await;
    let table = || ModelSchema::builder("Old", "old").column(ColumnBuilder::new("id", ColumnType::I64).key());
    let create = |model: ModelSchema| {
        let (driver, model) = (&driver, SchemaRef::from(Arc::new(model)));
        async move { driver.schema().create(&[model], &Context::new()).await }
    };
    create(table().build().unwrap()).await.unwrap();
    let documents = driver.database().collection::<Document>("old");
    let null = Bson::Null;
    let nulls = doc! { "_id": 2i64, "note": &null, "must": &null, "code": &null };
    // Twice NULL and twice nothing in what is to be unique.
    let others = [doc! { "_id": 3i64 }, doc! { "_id": 4i64, "code": &null }];
    documents.insert_many([doc! { "_id": 1i64 }, nulls].into_iter().chain(others)).await.unwrap();
    let grown = table()
        .column(ColumnBuilder::new("note", ColumnType::Text).nullable().default_value("new".to_owned()))
        .column(ColumnBuilder::new("must", ColumnType::I64).default_value(5i64))
        .column(ColumnBuilder::new("code", ColumnType::Text).nullable().unique());
    create(grown.build().unwrap()).await.unwrap();
    let stored = |id: i64| documents.find_one(doc! { "_id": id }).into_future();
    assert_eq!(stored(1).await.unwrap().unwrap(), doc! { "_id": 1i64, "note": "new", "must": 5i64 });
    let kept = doc! { "_id": 2i64, "note": &null, "must": 5i64, "code": &null };
    assert_eq!(stored(2).await.unwrap().unwrap(), kept);
}
