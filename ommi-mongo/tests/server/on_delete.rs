//! Which rows hold up a deletion of rows that they refer to.

use std::sync::Arc;

use mongodb::bson::{Bson, Document, doc};
use ommi_core::ast::{Condition, Delete, Expr, List};
use ommi_core::driver::{Context, Driver, Executor};
use ommi_core::schema::{ColumnBuilder, ModelSchema, ReferenceSchema, ReferentialAction, SchemaRef, Target};
use ommi_core::value::{ColumnType, Value};
use ommi_core::{ConstraintKind, DBResult};
use ommi_mongo::MongoDriver;

use super::{connect, wait};

fn integer(name: &'static str) -> ColumnBuilder {
    ColumnBuilder::new(name, ColumnType::I64)
}

async fn delete(driver: &MongoDriver, model: &SchemaRef, ids: &[i64]) -> DBResult<u64> {
    let list = List::new(ids.iter().copied().map(Value::Int));
    let delete = Delete::new(model.clone(), Condition::In { expr: Expr::Column(0), list, negated: false });
    wait(driver.delete(&delete, &Context::new())).await
}

fn is_held(deleted: DBResult<u64>) -> bool {
    let refused = deleted.err();
    refused.is_some_and(|error| error.constraint().is_some_and(|held| held.kind() == ConstraintKind::ForeignKey))
}

/// A row that goes with the statement is in nobody's way; each that stays is, the first that is found or not. NULL refers to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_too_holds_up_nothing() {
    let driver = connect(|options| options).await;
    for (table, action) in [("kept", ReferentialAction::NoAction), ("held", ReferentialAction::Restrict)] {
        // 0 id, 1 code (unique); 2 up, by the code
        let model = ModelSchema::builder("Node", table).column(integer("id").key());
        let model = model.column(integer("code").nullable().unique()).column(integer("up").nullable());
        let model = model.reference(ReferenceSchema::new(vec![2], Target::Itself, vec![1]).on_delete(action));
        let model = SchemaRef::from(Arc::new(model.build().unwrap()));
        driver.schema().create(std::slice::from_ref(&model), &Context::new()).await.unwrap();
        let documents = driver.database().collection::<Document>(table);
        let node = |id: i64, code: Bson, up: Bson| doc! { "_id": id, "code": code, "up": up };
        let (null, code) = (Bson::Null, Bson::Int64(7));
        let nodes = [
            node(1, code.clone(), null.clone()),
            node(2, null.clone(), code.clone()),
            node(3, null.clone(), code),
            node(4, null.clone(), null),
            doc! { "_id": 5i64 },
        ];
        documents.insert_many(nodes).await.unwrap();
        assert!(is_held(delete(&driver, &model, &[1]).await), "{table}");
        assert!(is_held(delete(&driver, &model, &[1, 2]).await), "{table}");
        assert_eq!(documents.count_documents(doc! {}).await.unwrap(), 5);
        assert_eq!(delete(&driver, &model, &[4]).await.unwrap(), 1, "{table}");
        assert_eq!(delete(&driver, &model, &[1, 2, 3]).await.unwrap(), 3, "{table}");
        assert_eq!(delete(&driver, &model, &[5]).await.unwrap(), 1, "{table}");
    }
}

/// *Restrict* asks what the statement itself deletes, *no action* what is left when all is done.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_by_a_cascade_is_still_restricted() {
    let driver = connect(|options| options).await;
    for (action, held) in [(ReferentialAction::Restrict, true), (ReferentialAction::NoAction, false)] {
        let name = if held { "restrict" } else { "no_action" };
        let node = ModelSchema::builder("Node", format!("{name}_nodes")).column(integer("id").key());
        let node = SchemaRef::from(Arc::new(node.build().unwrap()));
        let to = |column| ReferenceSchema::new(vec![column], Target::Schema(Arc::new((*node).clone())), vec![0]);
        let leaf = ModelSchema::builder("Leaf", format!("{name}_leaves")).column(integer("id").key());
        let leaf = leaf.column(integer("a").nullable()).column(integer("b").nullable());
        let leaf = leaf.reference(to(1).on_delete(ReferentialAction::Cascade)).reference(to(2).on_delete(action));
        let leaf = SchemaRef::from(Arc::new(leaf.build().unwrap()));
        driver.schema().create(&[node.clone(), leaf], &Context::new()).await.unwrap();
        let leaves = driver.database().collection::<Document>(&format!("{name}_leaves"));
        driver.database().collection(&format!("{name}_nodes")).insert_one(doc! { "_id": 1i64 }).await.unwrap();
        leaves.insert_one(doc! { "_id": 1i64, "a": 1i64, "b": 1i64 }).await.unwrap();
        assert_eq!(is_held(delete(&driver, &node, &[1]).await), held, "{name}");
        assert_eq!(leaves.count_documents(doc! {}).await.unwrap(), u64::from(held), "{name}");
    }
}
