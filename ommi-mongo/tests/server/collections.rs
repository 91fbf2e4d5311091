//! Collections that were there already, or are made by several at once.

use std::sync::Arc;

use mongodb::bson::{Document, doc};
use ommi_core::driver::{Context, Driver};
use ommi_core::schema::{ColumnBuilder, ModelSchema, SchemaRef};
use ommi_core::value::ColumnType;
use ommi_mongo::MongoDriver;

use super::connect;

/// A model of this table: a key, and these columns.
fn model(table: &str, columns: impl IntoIterator<Item = ColumnBuilder>) -> SchemaRef {
    let id = ColumnBuilder::new("id", ColumnType::I64).key();
    let builder = ModelSchema::builder("Thing", table.to_owned()).column(id);
    let builder = columns.into_iter().fold(builder, |builder, column| builder.column(column));
    SchemaRef::from(Arc::new(builder.build().unwrap()))
}

fn optional(name: &'static str) -> ColumnBuilder {
    ColumnBuilder::new(name, ColumnType::Text).nullable()
}

async fn create(driver: &MongoDriver, model: &SchemaRef) {
    driver.schema().create(std::slice::from_ref(model), &Context::new()).await.unwrap();
}

/// The options of a collection.
async fn options(driver: &MongoDriver, table: &str) -> Document {
    let list = doc! { "listCollections": 1, "filter": { "name": table } };
    let reply = driver.database().run_command(list).await.unwrap();
    let first = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap()[0].as_document().unwrap();
    first.get_document("options").unwrap().clone()
}

/// The names of a collection's indexes, sorted.
async fn indexes(driver: &MongoDriver, table: &str) -> Vec<String> {
    let mut names = driver.database().collection::<Document>(table).list_index_names().await.unwrap();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_makes_meanwhile_gets_what_it_lacks() {
    let driver = connect(|options| options).await;
    let about = driver.database().run_command(doc! { "buildInfo": 1 }).await.unwrap();
    // The server that stands in for MongoDB looks for the collection and makes it in two steps: when two programs ask at once, the one that is told
    // that it made it may find another's rules there. MongoDB refuses the second.
    let excused = if about.contains_key("secantusVersion") { 4 } else { 0 };
    let mut lacking = Vec::new();
    for round in 0..20 {
        let table = format!("things_{round}");
        let older = model(&table, [optional("a")]);
        let newer = model(&table, [optional("a"), optional("b").index()]);
        // Either may be the one that comes too late to make it.
        if round % 2 == 0 {
            tokio::join!(create(&driver, &older), create(&driver, &newer));
        } else {
            tokio::join!(create(&driver, &newer), create(&driver, &older));
        }
        let options = options(&driver, &table).await;
        let rules = options.get_document("validator").unwrap().get_document("$jsonSchema").unwrap();
        let properties = rules.get_document("properties").unwrap();
        if !(properties.contains_key("a") && properties.contains_key("b")) {
            lacking.push(format!("round {round}: {properties}"));
        }
        assert_eq!(indexes(&driver, &table).await, ["_id_".to_owned(), format!("ommi_{table}_b")]);
    }
    assert!(lacking.len() <= excused, "{lacking:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_only_warn_become_rules() {
    let driver = connect(|options| options).await;
    let model = model("things", [optional("a")]);
    create(&driver, &model).await;
    let things = driver.database().collection::<Document>("things");
    for lax in [doc! { "validationAction": "warn" }, doc! { "validationLevel": "off" }] {
        let mut modify = doc! { "collMod": "things" };
        modify.extend(lax.clone());
        driver.database().run_command(modify).await.unwrap();
        create(&driver, &model).await;
        let options = options(&driver, "things").await;
        let said = |option: &str| options.get_str(option).unwrap_or_default().to_owned();
        assert_eq!(
            (said("validationLevel"), said("validationAction")),
            ("strict".to_owned(), "error".to_owned()),
            "{lax}"
        );
        assert!(things.insert_one(doc! { "_id": 1i64, "a": 7 }).await.is_err(), "{lax}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unique_column_that_may_be_null_gets_a_second_index_where_one_is_wanted() {
    let driver = connect(|options| options).await;
    let unique = model("things", [optional("nick").unique()]);
    create(&driver, &unique).await;
    assert_eq!(indexes(&driver, "things").await, ["_id_", "ommi_things_nick"]);
    let both = model("things", [optional("nick").unique().index()]);
    for _ in 0..2 {
        create(&driver, &both).await;
        assert_eq!(indexes(&driver, "things").await, ["_id_", "ommi_things_nick", "ommi_things_nick_"]);
    }
    // Whoever does not want it leaves it.
    create(&driver, &unique).await;
    let things = driver.database().collection::<Document>("things");
    things.insert_many([doc! { "_id": 1i64, "nick": null }, doc! { "_id": 2i64, "nick": null }]).await.unwrap();
    things.insert_one(doc! { "_id": 3i64, "nick": "x" }).await.unwrap();
    assert!(things.insert_one(doc! { "_id": 4i64, "nick": "x" }).await.is_err());
}
