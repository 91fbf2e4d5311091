//! How an upsert tells a document that it makes from one that was there.

use std::sync::Arc;

use mongodb::bson::{Bson, Document, doc};
use ommi_core::DBResult;
use ommi_core::ErrorKind;
use ommi_core::ast::{Assignment, Change, Expr, Insert, OnConflict};
use ommi_core::driver::{Begin, Context, Driver, Executor, LevelEnd};
use ommi_core::schema::{ColumnBuilder, ColumnList, ModelBuilder, ModelSchema, SchemaRef};
use ommi_core::value::{ColumnType, Moment, Value};
use ommi_mongo::MongoDriver;

use super::{Rows, connect, text, wait};

fn integer(name: &'static str) -> ColumnBuilder {
    ColumnBuilder::new(name, ColumnType::I64)
}

/// Makes the collection without rules, and gives what is stored in it.
async fn create(driver: &MongoDriver, model: ModelBuilder) -> SchemaRef {
    let model = SchemaRef::from(Arc::new(model.build().unwrap()));
    driver.database().create_collection(model.table.to_string()).await.unwrap();
    driver.schema().create(std::slice::from_ref(&model), &Context::new()).await.unwrap();
    model
}

async fn upsert(
    driver: &MongoDriver,
    model: &SchemaRef,
    target: &[u16],
    row: Vec<Value<'static>>,
    changes: Vec<(u16, Change)>,
) -> DBResult<u64> {
    let changes = changes.into_iter().map(|(column, change)| Assignment::new(column, change)).collect();
    let mut insert = Insert::new(model.clone(), ColumnList::all(model), row, 1);
    insert.on_conflict = Some(OnConflict::new(target.to_vec(), changes));
    wait(driver.insert(&mut insert, &mut Rows(0, Vec::new()), &Context::new())).await
}

/// Whatever its columns hold, and whichever it lacks that it may lack: a document that is there is changed, and starts from no draft.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_changed() {
    let driver = connect(|options| options).await;
    let null = Bson::Null;
    // 0 id, 1 must, 2 may: the key is looked for, and every document has `must`.
    let model = ModelSchema::builder("Must", "must").column(integer("id").key());
    let model = create(&driver, model.column(integer("must")).column(integer("may").nullable())).await;
    let documents = driver.database().collection::<Document>("must");
    documents.insert_one(doc! { "_id": 1i64, "must": 1i64 }).await.unwrap();
    for id in [1, 2] {
        let row = [id, 5, 6].map(Value::Int).to_vec();
        upsert(&driver, &model, &[0], row, vec![(1, Change::Add(Value::Int(1)))]).await.unwrap();
    }
    let found = documents.find_one(doc! { "_id": 1i64 }).await.unwrap().unwrap();
    assert_eq!((found.get_i64("must").unwrap(), found.get("may").unwrap_or(&null)), (2, &null));
    let added = doc! { "_id": 2i64, "must": 5i64, "may": 6i64 };
    assert_eq!(documents.find_one(doc! { "_id": 2i64 }).await.unwrap().unwrap(), added);

    // 0 id, 1 a, 2 b: any of them may be NULL, or missing.
    let model = ModelSchema::builder("May", "may").column(integer("id").key());
    let model = create(&driver, model.column(integer("a").nullable()).column(integer("b").nullable())).await;
    let documents = driver.database().collection::<Document>("may");
    let nulls = doc! { "_id": 1i64, "a": &null, "b": &null };
    documents.insert_many([nulls, doc! { "_id": 2i64, "a": 1i64 }, doc! { "_id": 3i64, "b": 1i64 }]).await.unwrap();
    for (id, a, b) in [(1, None, None), (2, Some(1), None), (3, None, Some(1))] {
        let row = [id, 5, 6].map(Value::Int).to_vec();
        let set = |column| Change::Set(Expr::Column(column));
        upsert(&driver, &model, &[0], row, vec![(1, set(1)), (2, set(2))]).await.unwrap();
        let found = documents.find_one(doc! { "_id": id }).await.unwrap().unwrap();
        assert_eq!((found.get_i64("a").ok(), found.get_i64("b").ok()), (a, b), "{id}");
    }
}

/// What others have noted as defaults is given to a new document, and left alone in one that is there.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_model_does_not_know_is_left_as_it_is() {
    let driver = connect(|options| options).await;
    let key = || ModelSchema::builder("Only", "only").column(integer("id").key());
    create(&driver, key().column(integer("beside").default_value(7i64))).await;
    let old = SchemaRef::from(Arc::new(key().build().unwrap()));
    let documents = driver.database().collection::<Document>("only");
    documents.insert_one(doc! { "_id": 1i64, "beside": 1i64 }).await.unwrap();
    for (id, beside, written) in [(1, 1i64, 0), (2, 7, 1), (2, 7, 0)] {
        assert_eq!(upsert(&driver, &old, &[0], vec![Value::Int(id)], Vec::new()).await.unwrap(), written);
        let found = documents.find_one(doc! { "_id": id }).await.unwrap().unwrap();
        assert_eq!(found, doc! { "_id": id, "beside": beside });
    }
}

/// By a unique set with a part of the key in it, and with all of it: what is looked for makes no half of a key.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_holds_parts_of_the_key() {
    let driver = connect(|options| options).await;
    for (table, target) in [("part", vec![0, 2]), ("whole", vec![0, 1, 2])] {
        // 0 a, 1 b, together the key; 2 c, 3 n
        let model = ModelSchema::builder("Seat", table).column(integer("a").key()).column(integer("b").key());
        let model = create(&driver, model.column(integer("c")).column(integer("n")).unique(&target)).await;
        let documents = driver.database().collection::<Document>(table);
        for n in [5i64, 6] {
            let row = [1, 2, 3, 5].map(Value::Int).to_vec();
            upsert(&driver, &model, &target, row, vec![(3, Change::Add(Value::Int(1)))]).await.unwrap();
            let stored = documents.find_one(doc! {}).await.unwrap().unwrap();
            assert_eq!(stored, doc! { "_id": { "a": 1i64, "b": 2i64 }, "c": 3i64, "n": n }, "{table}");
        }
    }
}

/// NULL equals nothing; text is text in a new document too, and a time that BSON would cut is refused wherever it stands.
#[tokio::test(flavor = "multi_thread")]
async fn values_that_are_no_values_to_a_server() {
    let driver = connect(|options| options).await;
    // 0 id, 1 s (unique), 2 t, 3 at (unique)
    let model = ModelSchema::builder("Text", "texts").column(integer("id").key());
    let model = model.column(ColumnBuilder::new("s", ColumnType::Text).nullable().unique());
    let model = model.column(ColumnBuilder::new("t", ColumnType::Text).nullable());
    let model = create(&driver, model.column(ColumnBuilder::new("at", ColumnType::Timestamp).unique())).await;
    let documents = driver.database().collection::<Document>("texts");
    let change = || vec![(2, Change::Set(Expr::Value(text("changed"))))];
    let at = |nanos| Value::Timestamp(Moment::new(0, nanos).unwrap());
    let millis = |millis: u32| at(millis * 1_000_000);
    for id in [1, 2] {
        let row = vec![Value::Int(id.into()), Value::Null, Value::Null, millis(id)];
        assert_eq!(upsert(&driver, &model, &[1], row, change()).await.unwrap(), 1);
    }
    assert_eq!(documents.count_documents(doc! { "t": null }).await.unwrap(), 2);
    let row = vec![Value::Int(3), text("$t"), text("$s"), millis(3)];
    upsert(&driver, &model, &[1], row, change()).await.unwrap();
    let stored = documents.find_one(doc! { "_id": 3i64 }).await.unwrap().unwrap();
    assert_eq!((stored.get_str("s").unwrap(), stored.get_str("t").unwrap()), ("$t", "$s"));
    for target in [1, 3] {
        let row = vec![Value::Int(4), text("new"), Value::Null, at(1)];
        let refused = upsert(&driver, &model, &[target], row, change()).await.unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::InvalidValue { .. }), "{target}: {refused}");
    }
    assert_eq!(documents.count_documents(doc! {}).await.unwrap(), 3);
}

/// A column that the row leaves out has its default, by which the row may meet one that is there: alone, and where a part of a transaction is undone.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_left_out_is_its_default() {
    let driver = connect(|options| options).await;
    // 0 id, 1 code (unique), 2 n
    let model = ModelSchema::builder("Code", "codes").column(integer("id").key());
    let model = model.column(integer("code").default_value(7i64).unique());
    let model = create(&driver, model.column(integer("n").default_value(5i64))).await;
    let documents = driver.database().collection::<Document>("codes");
    let stored = |n: i64| doc! { "_id": 1i64, "code": 7i64, "n": n };
    let row = |id: i64| {
        let mut insert = Insert::new(model.clone(), [0], vec![Value::Int(id)], 1);
        insert.on_conflict = Some(OnConflict::new(vec![1], vec![Assignment::new(2, Change::Add(Value::Int(1)))]));
        insert
    };
    for (id, n) in [(1, 5), (2, 6)] {
        wait(driver.insert(&mut row(id), &mut Rows(0, Vec::new()), &Context::new())).await.unwrap();
        assert_eq!(documents.find_one(doc! {}).await.unwrap().unwrap(), stored(n));
    }
    let mut context = Context::new();
    let tx = driver.begin(&Begin::default(), &context).await.unwrap();
    tx.enter(1);
    context.level = 1;
    wait(tx.insert(&mut row(3), &mut Rows(0, Vec::new()), &context)).await.unwrap();
    tx.leave(1, LevelEnd::Undo, &Context::new()).await.unwrap();
    tx.commit(&Context::new()).await.unwrap();
    assert_eq!(documents.find_one(doc! {}).await.unwrap().unwrap(), stored(6));
    assert_eq!(documents.count_documents(doc! {}).await.unwrap(), 1);
}

/// Two rows of one statement that meet the same one, of which the first changes what they meet it by: the second is added, and goes again where that
/// part of a transaction is undone.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_no_longer_meets_another_is_added_and_undone() {
    let driver = connect(|options| options).await;
    // 0 id, 1 code (unique)
    let model = ModelSchema::builder("Moved", "moved").column(integer("id").key());
    let model = create(&driver, model.column(integer("code").unique())).await;
    let documents = driver.database().collection::<Document>("moved");
    let before = doc! { "_id": 1i64, "code": 7i64 };
    documents.insert_one(&before).await.unwrap();
    let values = [2, 7, 3, 7].map(Value::Int).to_vec();
    let mut insert = Insert::new(model.clone(), ColumnList::all(&model), values, 2);
    insert.on_conflict =
        Some(OnConflict::new(vec![1], vec![Assignment::new(1, Change::Set(Expr::Value(Value::Int(8))))]));
    let mut context = Context::new();
    let tx = driver.begin(&Begin::default(), &context).await.unwrap();
    tx.enter(1);
    context.level = 1;
    assert_eq!(wait(tx.insert(&mut insert, &mut Rows(0, Vec::new()), &context)).await.unwrap(), 2);
    tx.leave(1, LevelEnd::Undo, &Context::new()).await.unwrap();
    tx.commit(&Context::new()).await.unwrap();
    assert_eq!(documents.find_one(doc! {}).await.unwrap().unwrap(), before);
    assert_eq!(documents.count_documents(doc! {}).await.unwrap(), 1);
}
