//! What a part of a transaction keeps, and brings back when it is undone.

use std::sync::Arc;

use mongodb::bson::{Bson, Document, doc};
use ommi_core::ast::{Assignment, Change, CompareOp, Condition, Delete, Expr, Insert, OnConflict, Related, Update};
use ommi_core::driver::{Begin, Context, Driver, DriverTransaction, LevelEnd};
use ommi_core::schema::{
    ColumnBuilder, ColumnList, ModelBuilder, ModelSchema, ReferenceSchema, ReferentialAction, SchemaRef, Target,
};
use ommi_core::value::{ColumnType, Moment, Value};
use ommi_core::{DBResult, ErrorKind};
use ommi_mongo::MongoDriver;

use super::{Rows, cmp, connect, filled, text, values, wait};

/// A transaction with a part open in it, and the context of that part's statements.
async fn in_a_level(driver: &MongoDriver) -> (Box<dyn DriverTransaction>, Context) {
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    tx.enter(1);
    let mut context = Context::new();
    context.level = 1;
    (tx, context)
}

async fn undo(tx: &dyn DriverTransaction) -> DBResult<()> {
    tx.leave(1, LevelEnd::Undo, &Context::new()).await
}

fn set(column: u16, value: Value<'static>) -> Assignment {
    Assignment::new(column, Change::Set(Expr::Value(value)))
}

fn is(column: u16, value: i64) -> Condition {
    cmp(CompareOp::Eq, column, Value::Int(value))
}

/// Makes the collection of a model.
async fn made(driver: &MongoDriver, model: ModelBuilder) -> SchemaRef {
    let model = SchemaRef::from(Arc::new(model.build().unwrap()));
    driver.schema().create(std::slice::from_ref(&model), &Context::new()).await.unwrap();
    model
}

/// A model of rows that refer to those of another by a column that may be NULL.
fn referring(table: &str, to: &SchemaRef, action: ReferentialAction) -> ModelBuilder {
    let model = ModelSchema::builder("Leaf", table.to_owned()).column(ColumnBuilder::new("id", ColumnType::I64).key());
    let model = model.column(ColumnBuilder::new("to", ColumnType::I64).nullable());
    let target = Target::Schema(Arc::new((**to).clone()));
    model.reference(ReferenceSchema::new(vec![1], target, vec![0]).on_delete(action))
}

/// A model of rows that others refer to: 0 id, 1 n
fn roots() -> ModelBuilder {
    let model = ModelSchema::builder("Root", "roots").column(ColumnBuilder::new("id", ColumnType::I64).key());
    model.column(ColumnBuilder::new("n", ColumnType::I64).nullable())
}

/// What a refused write would have changed is not brought back: another program may have changed it since.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_written_is_not_brought_back() {
    let driver = connect(|options| options).await;
    let model = filled(&driver).await;
    let people = driver.database().collection::<Document>("people");
    let fine = || Value::Timestamp(Moment::new(0, 1).unwrap());
    let is_refused = |result: DBResult<u64>| matches!(result.unwrap_err().kind(), ErrorKind::InvalidValue { .. });

    let (tx, context) = in_a_level(&driver).await;
    let update = |key, value| Update::new(model.clone(), vec![set(5, value)], is(0, key));
    assert!(is_refused(wait(tx.update(&update(1, fine()), &context)).await));
    let mut upsert = Insert::new(model.clone(), ColumnList::without_generated(&model), values("b", 9, None, None), 1);
    upsert.on_conflict = Some(OnConflict::new(vec![1], vec![set(5, fine())]));
    assert!(is_refused(wait(tx.insert(&mut upsert, &mut Rows(0, Vec::new()), &context)).await));
    // This one is changed, and is brought back.
    let now = Value::Timestamp(Moment::new(7, 0).unwrap());
    assert_eq!(wait(tx.update(&update(3, now), &context)).await.unwrap(), 1);
    people.update_many(doc! { "_id": { "$in": [1, 2] } }, doc! { "$set": { "m": 70i64 } }).await.unwrap();
    undo(&*tx).await.unwrap();
    tx.commit(&Context::new()).await.unwrap();
    assert_eq!(people.count_documents(doc! { "m": 70i64 }).await.unwrap(), 2);
    assert_eq!(people.count_documents(doc! { "at": null }).await.unwrap(), 4);
}

/// The rows of one collection would have fit, those of the next do not: neither are touched.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_is_too_large_touches_nothing() {
    let driver = connect(|options| options).await;
    let root = made(&driver, roots()).await;
    made(&driver, referring("leaves", &root, ReferentialAction::Cascade)).await;
    let roots = driver.database().collection::<Document>("roots");
    let leaves = driver.database().collection::<Document>("leaves");
    roots.insert_many([doc! { "_id": 1i64 }, doc! { "_id": 2i64 }]).await.unwrap();
    let beside = "x".repeat(12_000_000);
    for id in 1..=3i64 {
        leaves.insert_one(doc! { "_id": id, "to": 1i64, "beside": &beside }).await.unwrap();
    }
    let (tx, context) = in_a_level(&driver).await;
    let delete = |key| Delete::new(root.clone(), is(0, key));
    let error = wait(tx.delete(&delete(1), &context)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge), "{error}");
    assert_eq!(wait(tx.delete(&delete(2), &context)).await.unwrap(), 1);
    roots.update_one(doc! { "_id": 1 }, doc! { "$set": { "n": 7i64 } }).await.unwrap();
    undo(&*tx).await.unwrap();
    tx.commit(&Context::new()).await.unwrap();
    assert_eq!(roots.count_documents(doc! { "n": 7i64 }).await.unwrap(), 1);
    assert_eq!(roots.count_documents(doc! {}).await.unwrap(), 2);
    assert_eq!(leaves.count_documents(doc! {}).await.unwrap(), 3);
}

/// A write by keys is sent in parts: that one of them would be too large is found before any is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_in_parts_is_refused_whole() {
    let driver = connect(|options| options).await;
    let root = made(&driver, roots()).await;
    // 0 id, 1 to, 2 s
    let leaf = ModelSchema::builder("Leaf", "leaves").column(ColumnBuilder::new("id", ColumnType::Text).key());
    let leaf = leaf.column(ColumnBuilder::new("to", ColumnType::I64));
    let leaf = made(&driver, leaf.column(ColumnBuilder::new("s", ColumnType::Text).nullable())).await;
    driver.database().collection::<Document>("roots").insert_one(doc! { "_id": 1i64, "n": 1i64 }).await.unwrap();
    let leaves = driver.database().collection::<Document>("leaves");
    // Two keys go into the first part, and the third would be too large with the value.
    for key in ["a".to_owned(), "b".to_owned(), "c".repeat(3_999_990)] {
        leaves.insert_one(doc! { "_id": key, "to": 1i64, "s": Bson::Null }).await.unwrap();
    }
    let related = Related::new(root, vec![(1, 0)]).filter(is(1, 1));
    let filter = Condition::Exists { related: Box::new(related), negated: false };
    let change = Update::new(leaf, vec![set(2, text(&"x".repeat(13_000_000)))], filter);
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    let error = wait(tx.update(&change, &Context::new())).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge) && error.is_found_by_client(), "{error}");
    tx.commit(&Context::new()).await.unwrap();
    assert_eq!(leaves.count_documents(doc! { "s": null }).await.unwrap(), 3);
}
