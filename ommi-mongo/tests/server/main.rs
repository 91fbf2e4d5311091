//! What the conformance suite does not see of the driver: commands and documents as they are on a server.
//!
//! `cargo xtask test` starts a server and names it in `OMMI_TEST_MONGO_URL`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod collections;
mod levels;
mod missing;
mod on_delete;
mod sums;
mod upserts;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mongodb::bson::{Bson, Document, doc};
use ommi_core::ast::{
    Assignment, Change, CompareOp, Condition, Delete, Direction, Expr, Insert, Nulls, OnConflict, Output, Select, Sort,
    TextOp, Update,
};
use ommi_core::driver::{Answer, Begin, Context, Driver, Executor, LevelEnd, Row, RowSink};
use ommi_core::schema::{ColumnBuilder, ColumnList, ModelSchema, SchemaRef};
use ommi_core::value::{ColumnType, Moment, Value};
use ommi_core::{ConstraintKind, DBError, DBResult, ErrorKind};
use ommi_mongo::{LargeRow, MongoDriver, MongoOptions};

/// Collects rows of so many columns.
struct Rows(usize, Vec<Vec<Value<'static>>>);

impl RowSink for Rows {
    fn row(&mut self, row: &mut dyn Row) -> DBResult<()> {
        let values: DBResult<Vec<_>> = (0..self.0).map(|i| Ok(row.value(i)?.into_owned())).collect();
        self.1.push(values?);
        Ok(())
    }
    fn clear(&mut self) {
        self.1.clear();
    }
    fn len(&self) -> usize {
        self.1.len()
    }
    fn fork(&self) -> Box<dyn RowSink> {
        Box::new(Rows(self.0, Vec::new()))
    }
    fn absorb(&mut self, fork: Box<dyn RowSink>) {
        if let Ok(fork) = fork.into_any().downcast::<Rows>() {
            self.1.extend(fork.1);
        }
    }
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

async fn connect(change: impl FnOnce(MongoOptions) -> MongoOptions) -> MongoDriver {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let url = std::env::var("OMMI_TEST_MONGO_URL").expect("no MongoDB server; `cargo xtask test` starts one");
    let (address, parameters) = url.split_once('?').unwrap_or((&url, ""));
    let (scheme, rest) = address.split_once("://").unwrap_or(("mongodb", address));
    let hosts = rest.split('/').next().unwrap_or(rest);
    let name = format!("ommi_server_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let options = MongoOptions::parse(&format!("{scheme}://{hosts}/{name}?{parameters}")).await.unwrap();
    change(options).connect().await.unwrap()
}

/// id (generated), email (unique), n (i32), m (i64, optional), s (text, optional), at (optional)
fn people() -> SchemaRef {
    let schema = ModelSchema::builder("Person", "people")
        .column(ColumnBuilder::new("id", ColumnType::I64).key().auto_increment())
        .column(ColumnBuilder::new("email", ColumnType::Text).unique())
        .column(ColumnBuilder::new("n", ColumnType::I32))
        .column(ColumnBuilder::new("m", ColumnType::I64).nullable())
        .column(ColumnBuilder::new("s", ColumnType::Text).nullable().unique())
        .column(ColumnBuilder::new("at", ColumnType::Timestamp).nullable())
        .build()
        .unwrap();
    SchemaRef::from(Arc::new(schema))
}

fn text(text: &str) -> Value<'static> {
    Value::Text(text.to_owned().into())
}

fn values(email: &str, n: i64, m: Option<i64>, s: Option<&str>) -> Vec<Value<'static>> {
    vec![text(email), Value::Int(n), m.map_or(Value::Null, Value::Int), s.map_or(Value::Null, text), Value::Null]
}

async fn wait<T>(answer: Answer<'_, T>) -> DBResult<T> {
    answer.await
}

async fn add(on: &dyn Executor, model: &SchemaRef, rows: Vec<Vec<Value<'static>>>) -> DBResult<Vec<i64>> {
    let count = rows.len();
    let mut insert =
        Insert::new(model.clone(), ColumnList::without_generated(model), rows.into_iter().flatten().collect(), count);
    insert.returning = ColumnList::generated(model);
    let mut keys = Rows(1, Vec::new());
    wait(on.insert(&mut insert, &mut keys, &Context::new())).await?;
    Ok(keys.1.iter().map(|row| if let Value::Int(key) = row[0] { key } else { panic!("no key") }).collect())
}

fn select(model: &SchemaRef, filter: Condition) -> Select {
    let mut select = Select::new(model.clone());
    select.filter = filter;
    select.sort = vec![Sort::new(Expr::Column(0), Direction::Ascending)];
    select
}

async fn rows(on: &dyn Executor, select: &Select) -> Vec<Vec<Value<'static>>> {
    let mut sink = Rows(if select.output == Output::Model { select.model.columns.len() } else { 1 }, Vec::new());
    wait(on.fetch(select, &mut sink, &Context::new())).await.unwrap();
    sink.1
}

async fn ids(on: &dyn Executor, select: &Select) -> Vec<i64> {
    let key = |row: &Vec<Value<'static>>| if let Value::Int(key) = row[0] { key } else { panic!("no key") };
    rows(on, select).await.iter().map(key).collect()
}

fn cmp(op: CompareOp, column: u16, value: Value<'static>) -> Condition {
    Condition::compare(op, Expr::Column(column), Expr::Value(value))
}

async fn filled(driver: &MongoDriver) -> SchemaRef {
    let model = people();
    driver.schema().create(std::slice::from_ref(&model), &Context::new()).await.unwrap();
    driver.schema().create(std::slice::from_ref(&model), &Context::new()).await.unwrap();
    let rows = vec![
        values("a", 1, None, None),
        values("b", 2, Some(5), Some("Beta\n")),
        values("c", 3, Some(2), None),
        values("d", 4, None, Some("$beta")),
    ];
    assert_eq!(add(driver, &model, rows).await.unwrap(), [1, 2, 3, 4]);
    model
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_as_conditions_and_orders_say() {
    let driver = connect(|options| options).await;
    let model = filled(&driver).await;
    let not = |condition: Condition| Condition::Not(Box::new(condition));
    let like = |op, ignore_case, needle: &str| Condition::Text {
        op,
        ignore_case,
        expr: Expr::Column(4),
        needle: Expr::Value(text(needle)),
    };
    let long = "x".repeat(2_000);
    for (condition, expected) in [
        (Condition::True, vec![1, 2, 3, 4]),
        (cmp(CompareOp::Gt, 2, Value::Int(2)), vec![3, 4]),
        (not(cmp(CompareOp::Eq, 3, Value::Int(5))), vec![3]),
        (Condition::compare(CompareOp::Lt, Expr::Column(0), Expr::Column(3)), vec![2]),
        (Condition::compare(CompareOp::Gt, Expr::Column(0), Expr::Column(3)), vec![3]),
        (like(TextOp::EndsWith, false, "Beta"), vec![]),
        (like(TextOp::Contains, true, "BETA"), vec![2, 4]),
        (not(like(TextOp::StartsWith, false, "$")), vec![2]),
        (not(like(TextOp::Contains, true, &long)), vec![2, 4]),
        (like(TextOp::EndsWith, true, &long), vec![]),
        (
            Condition::Text {
                op: TextOp::EndsWith,
                ignore_case: false,
                expr: Expr::Value(text("x$beta")),
                needle: Expr::Column(4),
            },
            vec![4],
        ),
    ] {
        assert_eq!(ids(&driver, &select(&model, condition.clone())).await, expected, "{condition:?}");
    }
    let mut sorted = select(&model, Condition::True);
    let mut last = Sort::new(Expr::Column(3), Direction::Ascending);
    last.nulls = Nulls::Last;
    sorted.sort.insert(0, last);
    assert_eq!(ids(&driver, &sorted).await, [3, 2, 1, 4]);
    (sorted.limit, sorted.offset) = (Some(2), Some(1));
    assert_eq!(ids(&driver, &sorted).await, [2, 1]);
    sorted.output = Output::Count;
    assert_eq!(rows(&driver, &sorted).await, [[Value::Int(2)]]);
    sorted.output = Output::Exists;
    assert_eq!(rows(&driver, &sorted).await, [[Value::Bool(true)]]);
    let mut stream =
        wait(driver.stream(select(&model, Condition::True), Box::new(Rows(6, Vec::new())), Context::new()))
            .await
            .unwrap();
    assert_eq!(wait(stream.next()).await.unwrap().unwrap().len(), 4);
    assert!(wait(stream.next()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_hold_every_column_and_changes_keep_their_ranges() {
    let driver = connect(|options| options).await;
    let model = filled(&driver).await;
    let stored = driver.database().collection::<Document>("people").find_one(doc! { "_id": 1 }).await.unwrap().unwrap();
    let null = Bson::Null;
    assert_eq!(stored, doc! { "_id": 1i64, "email": "a", "n": 1, "m": &null, "s": &null, "at": &null });
    let update = |column, change, filter| Update::new(model.clone(), vec![Assignment::new(column, change)], filter);
    let run = |update: Update| {
        let driver = &driver;
        async move { wait(driver.update(&update, &Context::new())).await }
    };
    // NULL stays NULL, and still counts.
    assert_eq!(run(update(3, Change::Add(Value::Int(1)), Condition::True)).await.unwrap(), 4);
    let after: Vec<Value<'static>> =
        rows(&driver, &select(&model, Condition::True)).await.into_iter().map(|row| row[3].clone()).collect();
    assert_eq!(after, [Value::Null, Value::Int(6), Value::Int(3), Value::Null]);
    for (column, step) in [(2, i64::from(i32::MAX)), (3, i64::MAX)] {
        let result = run(update(column, Change::Add(Value::Int(step)), Condition::True)).await;
        assert!(matches!(result.unwrap_err().kind(), ErrorKind::OutOfRange { .. }), "{column}");
    }
    // All or nothing: the second row would be a duplicate.
    let result = run(update(1, Change::Set(Expr::Value(text("same"))), Condition::True)).await;
    let error = result.unwrap_err();
    let constraint = error.constraint().unwrap();
    assert_eq!((constraint.kind(), constraint.columns()), (ConstraintKind::Unique, &["email".to_owned()][..]));
    assert!(ids(&driver, &select(&model, cmp(CompareOp::Eq, 1, text("same")))).await.is_empty());
    let fine = Value::Timestamp(Moment::new(0, 1).unwrap());
    let result = run(update(5, Change::Set(Expr::Value(fine)), Condition::True)).await;
    assert!(matches!(result.unwrap_err().kind(), ErrorKind::InvalidValue { .. }));
    let delete = Delete::new(model.clone(), cmp(CompareOp::Ge, 2, Value::Int(3)));
    assert_eq!(wait(driver.delete(&delete, &Context::new())).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upsert_starts_from_its_draft_or_changes_what_is_there() {
    let driver = connect(|options| options).await;
    let model = filled(&driver).await;
    let upsert = |email: &str, assignments: Vec<Assignment>| {
        let mut insert =
            Insert::new(model.clone(), ColumnList::without_generated(&model), values(email, 10, None, None), 1);
        insert.on_conflict = Some(OnConflict::new(vec![1], assignments));
        insert.returning = ColumnList::all(&model);
        let driver = &driver;
        async move {
            let mut sink = Rows(6, Vec::new());
            wait(driver.insert(&mut insert, &mut sink, &Context::new())).await.map(|written| (written, sink.1))
        }
    };
    let add = || vec![Assignment::new(2, Change::Add(Value::Int(1)))];
    let (written, new) = upsert("new", add()).await.unwrap();
    assert_eq!((written, new[0][1].clone(), new[0][2].clone()), (1, text("new"), Value::Int(10)));
    let (written, changed) = upsert("b", add()).await.unwrap();
    assert_eq!((written, changed[0][0].clone(), changed[0][2].clone()), (1, Value::Int(2), Value::Int(3)));
    assert_eq!(upsert("b", Vec::new()).await.unwrap(), (0, Vec::new()));
    assert_eq!(upsert("newer", Vec::new()).await.unwrap().0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_all_or_nothing_and_a_dropped_one_is_gone() {
    let driver = connect(|options| options).await;
    let model = filled(&driver).await;
    let all = select(&model, Condition::True);
    let kept = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    add(&*kept, &model, vec![values("e", 5, None, None)]).await.unwrap();
    assert_eq!(ids(&driver, &all).await.len(), 4);
    assert_eq!(ids(&*kept, &all).await.len(), 5);
    kept.commit(&Context::new()).await.unwrap();
    assert_eq!(ids(&driver, &all).await.len(), 5);
    let dropped = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    add(&*dropped, &model, vec![values("f", 6, None, None)]).await.unwrap();
    drop(dropped);
    assert_eq!(add(&driver, &model, vec![values("f", 6, None, None)]).await.unwrap().len(), 1);
    let failed = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    add(&*failed, &model, vec![values("g", 7, None, None)]).await.unwrap();
    assert!(add(&*failed, &model, vec![values("a", 8, None, None)]).await.unwrap_err().is_unique_violation());
    let later = add(&*failed, &model, vec![values("h", 8, None, None)]).await.unwrap_err();
    assert!(matches!(later.kind(), ErrorKind::TransactionAborted));
    assert!(failed.commit(&Context::new()).await.is_err());
    assert_eq!(ids(&driver, &all).await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_transactions_none_begins_and_rows_are_still_added() {
    let driver = connect(|options| options.transactions(false)).await;
    let model = filled(&driver).await;
    let refused = driver.begin(&Begin::default(), &Context::new()).await.err().unwrap();
    assert!(matches!(refused.kind(), ErrorKind::Unsupported { .. }));
    assert_eq!(ids(&driver, &select(&model, Condition::True)).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_that_do_not_fit_are_refused_whole() {
    let driver = connect(|options| options).await;
    filled(&driver).await;
    let other = ModelSchema::builder("Person", "people")
        .column(ColumnBuilder::new("id", ColumnType::I64).key().auto_increment())
        .column(ColumnBuilder::new("email", ColumnType::I64))
        .column(ColumnBuilder::new("n", ColumnType::I32))
        .column(ColumnBuilder::new("required", ColumnType::I32))
        .build()
        .unwrap();
    let fresh = ModelSchema::builder("Fresh", "fresh").column(ColumnBuilder::new("id", ColumnType::I64).key());
    let schemas = [SchemaRef::from(Arc::new(fresh.build().unwrap())), SchemaRef::from(Arc::new(other))];
    let error = driver.schema().create(&schemas, &Context::new()).await.unwrap_err();
    let ErrorKind::Schema { mismatches, .. } = error.kind() else { panic!("{error}") };
    assert!(mismatches.iter().any(|m| m.contains("`email`")) && mismatches.iter().any(|m| m.contains("`required`")));
    let names = driver.database().list_collection_names().await.unwrap();
    assert!(!names.contains(&"fresh".to_owned()));
    let missing = select(&schemas[0], Condition::True);
    let mut sink = Rows(1, Vec::new());
    let error = wait(driver.fetch(&missing, &mut sink, &Context::new())).await.unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(matches!(error.kind(), ErrorKind::Database) && cause.contains("fresh"), "{error}: {cause}");
}

/// Whatever the verb: text that looks like an operator, a path or a document is text.
#[tokio::test(flavor = "multi_thread")]
async fn text_that_looks_like_an_operator_is_text() {
    let driver = connect(|options| options).await;
    let model = filled(&driver).await;
    for hostile in ["$email", "$$ROOT", "{ \"$gt\": \"\" }", "$where", "\u{24}{n}"] {
        let of_text = || cmp(CompareOp::Eq, 4, text(hostile));
        assert!(ids(&driver, &select(&model, of_text())).await.is_empty(), "{hostile}");
        let email = format!("{hostile}@x");
        let [key] = add(&driver, &model, vec![values(&email, 1, None, Some(hostile))]).await.unwrap()[..] else {
            panic!()
        };
        assert_eq!(ids(&driver, &select(&model, of_text())).await, [key]);
        let by_key = || cmp(CompareOp::Eq, 0, Value::Int(key));
        // An operator, and a stage of a pipeline, since the other change reads a column.
        for other in [Change::Set(Expr::Value(Value::Int(7))), Change::Add(Value::Int(1))] {
            let changes = vec![Assignment::new(4, Change::Set(Expr::Value(text(hostile)))), Assignment::new(3, other)];
            assert_eq!(
                wait(driver.update(&Update::new(model.clone(), changes, by_key()), &Context::new())).await.unwrap(),
                1
            );
            assert_eq!(rows(&driver, &select(&model, by_key())).await[0][4], text(hostile));
        }
        let changes = vec![Assignment::new(4, Change::Set(Expr::Value(text(hostile))))];
        let columns = ColumnList::without_generated(&model);
        let mut upsert = Insert::new(model.clone(), columns, values(&email, 1, None, Some("other")), 1);
        upsert.on_conflict = Some(OnConflict::new(vec![1], changes));
        wait(driver.insert(&mut upsert, &mut Rows(0, Vec::new()), &Context::new())).await.unwrap();
        assert_eq!(rows(&driver, &select(&model, by_key())).await[0][4], text(hostile));
        let delete = Delete::new(model.clone(), of_text());
        assert_eq!(wait(driver.delete(&delete, &Context::new())).await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_for_a_server_is_not_sent() {
    let driver = connect(|options| options).await;
    let model = filled(&driver).await;
    let list = ommi_core::ast::List::new((0..1_200_000).map(|number| text(&format!("value {number}"))));
    let long = select(&model, Condition::In { expr: Expr::Column(1), list, negated: false });
    let error = wait(driver.fetch(&long, &mut Rows(6, Vec::new()), &Context::new())).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge), "{error}");

    // Which row is too large is said, and its key is to be had.
    let huge = "x".repeat(17 * 1024 * 1024);
    let key_of = |error: &DBError| {
        assert!(matches!(error.kind(), ErrorKind::TooLarge) && error.to_string().contains("Person"), "{error}");
        let row = std::error::Error::source(error).and_then(|source| source.downcast_ref::<LargeRow>()).unwrap();
        let key: Vec<_> = row.key().map(|(column, value)| (column.to_owned(), value.clone())).collect();
        (row.model().to_owned(), key)
    };
    let id = |id: i64| ("Person".to_owned(), vec![("id".to_owned(), Value::Int(id))]);
    let two = vec![values("small", 1, None, None), values("huge", 1, None, Some(&huge))];
    let error = add(&driver, &model, two).await.unwrap_err();
    assert_eq!(key_of(&error), id(6), "the second of those that follow the four that are there");
    assert!(error.to_string().contains("row 2 of these"), "{error}");
    let changes = vec![Assignment::new(4, Change::Set(Expr::Value(text(&huge))))];
    let update = Update::new(model.clone(), changes, cmp(CompareOp::Eq, 0, Value::Int(3)));
    let error = wait(driver.update(&update, &Context::new())).await.unwrap_err();
    assert_eq!(key_of(&error), id(3));
    assert_eq!(ids(&driver, &select(&model, Condition::True)).await.len(), 4);
}

/// A program with an older model writes documents as whole as one with the newer.
#[tokio::test(flavor = "multi_thread")]
async fn defaults_that_another_program_made_are_found_out() {
    let old_program = connect(|options| options).await;
    let model = filled(&old_program).await;
    let newer = ModelSchema::builder("Person", "people")
        .column(ColumnBuilder::new("id", ColumnType::I64).key().auto_increment())
        .column(ColumnBuilder::new("email", ColumnType::Text).unique())
        .column(ColumnBuilder::new("n", ColumnType::I32))
        .column(ColumnBuilder::new("rank", ColumnType::I32).default_value(7i32))
        .build()
        .unwrap();
    let newer = SchemaRef::from(Arc::new(newer));
    let name = old_program.database().name().to_owned();
    let new_program = MongoDriver::with_client(old_program.client().clone(), &name).await.unwrap();
    new_program.schema().create(std::slice::from_ref(&newer), &Context::new()).await.unwrap();
    add(&old_program, &model, vec![values("late", 1, None, None)]).await.unwrap();
    let ranks: Vec<_> =
        rows(&new_program, &select(&newer, Condition::True)).await.into_iter().map(|row| row[3].clone()).collect();
    assert_eq!(ranks, vec![Value::Int(7); 5]);
}

/// To restore a document past the validator takes a right that a program need not have. What does not pass is not lost.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_validator_refuses_to_restore_rolls_everything_back() {
    let driver = connect(|options| options).await;
    let model = filled(&driver).await;
    let people = driver.database().collection::<Document>("people");
    // Without `n`, by somebody who may.
    let odd = doc! { "_id": 9_i64, "email": "odd" };
    people.insert_one(odd.clone()).bypass_document_validation(true).await.unwrap();
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    let mut context = Context::new();
    let by_key = |key| Delete::new(model.clone(), cmp(CompareOp::Eq, 0, Value::Int(key)));
    assert_eq!(wait(tx.delete(&by_key(1), &context)).await.unwrap(), 1);
    for (key, undone) in [(2, true), (9, false)] {
        tx.enter(1);
        context.level = 1;
        assert_eq!(wait(tx.delete(&by_key(key), &context)).await.unwrap(), 1);
        let result = tx.leave(1, LevelEnd::Undo, &Context::new()).await;
        assert_eq!(result.is_ok(), undone, "{result:?}");
        if let Err(error) = result {
            assert!(matches!(error.kind(), ErrorKind::TransactionAborted), "{error}");
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains("validator"), "{cause}");
        }
    }
    tx.commit(&Context::new()).await.unwrap_err();
    assert_eq!(people.find_one(doc! { "_id": 9_i64 }).await.unwrap(), Some(odd));
    assert_eq!(people.count_documents(doc! {}).await.unwrap(), 5);
}

/// A shell stores numbers as doubles unless it is told otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_counted_on_from_doubles() {
    let driver = connect(|options| options).await;
    let model = people();
    let people = driver.database().collection::<Document>("people");
    for (key, email) in [(Bson::Double(1.0), "first"), (Bson::Double(f64::INFINITY), "odd")] {
        people.insert_one(doc! { "_id": key, "email": email, "n": 1 }).await.unwrap();
    }
    driver.schema().create(std::slice::from_ref(&model), &Context::new()).await.unwrap();
    assert_eq!(add(&driver, &model, vec![values("second", 1, None, None)]).await.unwrap(), [2]);
}
