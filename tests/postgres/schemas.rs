//! Tables in schemas that their models name.

use std::sync::Arc;

use ommi::prelude::*;
use ommi::schema::{ColumnBuilder, ModelSchema, SchemaRef};
use ommi::value::ColumnType;

use crate::support::Schema;

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(schema = "ommi_test_crm", table = "people")]
struct Person {
    #[ommi(auto)]
    id: i64,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(schema = "ommi_test_sales", table = "orders")]
struct Order {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    number: i32,
    #[ommi(default = 0)]
    items: u8,
    #[ommi(references = Person::id)]
    person_id: Option<i64>,
}

/// A table of the same name where tables are when nothing is said.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "orders")]
struct OtherOrder {
    id: i64,
    text: String,
}

/// The same table as [`Order`]'s, and another opinion of it.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(schema = "ommi_test_sales", table = "orders")]
struct WrongOrder {
    #[ommi(auto)]
    id: i64,
    number: String,
}

fn table(error: &DBError) -> (Option<&str>, Vec<&str>) {
    let constraint = error.constraint().unwrap();
    (constraint.table(), constraint.columns().iter().map(String::as_str).collect())
}

#[tokio::test]
async fn a_model_names_the_schema_of_its_table() {
    let schema = Schema::new().await;
    let db = &schema.db;
    schema.run("DROP SCHEMA IF EXISTS ommi_test_crm CASCADE; DROP SCHEMA IF EXISTS ommi_test_sales CASCADE").await;
    db.create_tables::<(Order, Person, OtherOrder)>().await.unwrap();
    // What is there is found again, and nothing is made twice.
    db.create_tables::<(Order, Person, OtherOrder)>().await.unwrap();
    let indexes = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'ommi_test_sales'";
    assert_eq!(schema.number(indexes).await, 3, "the key, the unique number, the reference");

    db.add(OtherOrder { id: 1, text: "other".to_owned() }).await.unwrap();
    let ann = db.add(new!(Person { name: "Ann" })).await.unwrap();
    db.add(Order { id: 7, number: 1, items: 1, person_id: Some(ann.id) }).await.unwrap();
    let added = db.add_all((2..5).map(|number| new!(Order { number }))).await.unwrap();
    assert_eq!(added.iter().map(|order| order.id).collect::<Vec<_>>(), [8, 9, 10]);
    let again = new!(Order { number: 4 });
    let changed = db.upsert(again).on(Order::number).update(Order::items.increment(250)).await.unwrap();
    assert_eq!(changed.items, 250);
    assert_eq!(db.find(Order::number.ge(3)).update(Order::items.increment(1)).await.unwrap(), 2);
    assert_eq!(db.find(Order::items.eq(251)).delete().await.unwrap(), 1);
    assert_eq!(db.find_all::<Order>().count().await.unwrap(), 3);
    assert_eq!(schema.number("SELECT count(*) FROM ommi_test_sales.orders").await, 3);
    assert_eq!(schema.number("SELECT count(*) FROM orders").await, 1);

    let twice = db.add(new!(Order { number: 1 })).await.unwrap_err();
    assert_eq!(table(&twice), (Some("ommi_test_sales.orders"), vec!["number"]));
    let dangling = db.add(new!(Order { number: 9, person_id: 99 })).await.unwrap_err();
    assert_eq!(table(&dangling), (Some("ommi_test_sales.orders"), vec!["person_id"]));
    let much = db.find(Order::number.eq(1)).update(Order::items.increment(255)).await.unwrap_err();
    assert!(matches!(much.kind(), ErrorKind::OutOfRange { table, .. } if table == "ommi_test_sales.orders"), "{much}");
    let misfit = db.create_tables::<WrongOrder>().await.unwrap_err();
    assert!(misfit.to_string().contains("`ommi_test_sales.orders`"), "{misfit}");
    let referred = db.drop_tables::<Person>().await.unwrap_err();
    assert!(matches!(referred.kind(), ErrorKind::Schema { .. }), "{referred}");

    db.drop_tables::<(Person, Order)>().await.unwrap();
    assert_eq!(db.find_all::<OtherOrder>().count().await.unwrap(), 1);
    db.drop_tables::<(Person, Order)>().await.unwrap();
    schema.run("DROP SCHEMA ommi_test_crm; DROP SCHEMA ommi_test_sales").await;
    db.drop_tables::<Order>().await.unwrap();
    schema.end().await;
}

fn in_schema(name: &str) -> SchemaRef {
    let model = ModelSchema::builder("Thing", "things").in_schema(name.to_owned());
    let model = model.column(ColumnBuilder::new("id", ColumnType::I64).key().auto_increment());
    Arc::new(model.column(ColumnBuilder::new("rank", ColumnType::I32).index()).build().unwrap()).into()
}

#[tokio::test]
async fn the_name_of_a_schema_is_only_a_name() {
    let schema = Schema::new().await;
    let hostile = in_schema(r#"ommi "test'; --"#);
    for _ in 0..2 {
        schema.db.create_schemas(vec![hostile.clone()]).await.unwrap();
    }
    let made = r#"SELECT count(*) FROM pg_indexes WHERE schemaname = 'ommi "test''; --'"#;
    assert_eq!(schema.number(made).await, 2);
    schema.run(r#"DROP SCHEMA "ommi ""test'; --" CASCADE"#).await;
    let long = schema.db.create_schemas(vec![in_schema(&"x".repeat(64))]).await.unwrap_err();
    assert!(matches!(long.kind(), ErrorKind::Schema { .. }), "{long}");
    schema.end().await;
}

#[tokio::test]
async fn who_may_make_no_schema_is_told_which_is_missing() {
    let schema = Schema::new().await;
    schema.run("DROP ROLE IF EXISTS ommi_test_guest; CREATE ROLE ommi_test_guest").await;
    let driver = crate::support::options().setting("role", "ommi_test_guest").connect().await.unwrap();
    let db = Ommi::new(driver);
    let refused = db.create_schemas(vec![in_schema("ommi_test_nowhere")]).await.unwrap_err();
    let told = refused.to_string().contains("there is no schema `ommi_test_nowhere`");
    assert!(matches!(refused.kind(), ErrorKind::Schema { .. }) && told, "{refused}");
    db.close().await;
    schema.run("DROP ROLE ommi_test_guest").await;
    schema.end().await;
}
