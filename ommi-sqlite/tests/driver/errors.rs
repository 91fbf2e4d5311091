//! What the database refuses, as the error that says so.

use std::sync::Arc;

use ommi_core::ast::{Assignment, Change, Condition, Expr, Insert, Update};
use ommi_core::schema::{ColumnList, ModelSchema, ReferenceSchema, ReferentialAction, SchemaRef, Target};
use ommi_core::value::{ColumnType, Value};
use ommi_core::{ConstraintKind, DBError, ErrorKind};

use crate::support::*;

fn of(error: &DBError) -> (ConstraintKind, Option<&str>, Vec<&str>) {
    let constraint = error.constraint().unwrap_or_else(|| panic!("{error:?}"));
    assert!(std::error::Error::source(error).is_some());
    (constraint.kind(), constraint.table(), constraint.columns().iter().map(String::as_str).collect())
}

/// `teams(id)` and `members(id, team_id null -> teams, a, b, unique (a, b))`
fn teams(on_delete: ReferentialAction) -> (SchemaRef, SchemaRef) {
    let team = ModelSchema::builder("Team", "teams").column(column("id", ColumnType::I64).key()).build().unwrap();
    let team = Arc::new(team);
    let reference = ReferenceSchema::new(vec![1], Target::Schema(team.clone()), vec![0]).on_delete(on_delete);
    let members = ModelSchema::builder("Member", "members")
        .column(column("id", ColumnType::I64).key())
        .column(column("team_id", ColumnType::I64).nullable())
        .column(column("a", ColumnType::Text))
        .column(column("b", ColumnType::Text))
        .unique(&[2, 3])
        .reference(reference);
    (SchemaRef::from(team), build(members))
}

fn member(model: &SchemaRef, id: i64, team: Value<'static>, a: &'static str, b: Value<'static>) -> Insert {
    Insert::new(model.clone(), ColumnList::all(model), vec![Value::Int(id), team, text(a), b], 1)
}

#[tokio::test]
async fn constraints_are_named_with_table_and_columns() {
    let (team, members) = teams(ReferentialAction::NoAction);
    let driver = memory(&[&team, &members]).await;
    let add = async |mut new: Insert| insert(&driver, &mut new).await;
    add(Insert::new(team.clone(), [0], vec![Value::Int(1)], 1)).await.unwrap();
    add(member(&members, 1, Value::Int(1), "a", text("b"))).await.unwrap();

    let error = add(member(&members, 1, Value::Null, "x", text("y"))).await.unwrap_err();
    assert_eq!(of(&error), (ConstraintKind::Unique, Some("members"), vec!["id"]));
    let error = add(member(&members, 2, Value::Null, "a", text("b"))).await.unwrap_err();
    assert_eq!(of(&error), (ConstraintKind::Unique, Some("members"), vec!["a", "b"]));
    let error = add(member(&members, 2, Value::Null, "a", Value::Null)).await.unwrap_err();
    assert_eq!(of(&error), (ConstraintKind::NotNull, Some("members"), vec!["b"]));
    let error = add(member(&members, 2, Value::Int(9), "x", text("y"))).await.unwrap_err();
    assert_eq!(of(&error), (ConstraintKind::ForeignKey, Some("members"), vec!["team_id"]));
    let error = delete(&driver, &team, Condition::True).await.unwrap_err();
    assert_eq!(of(&error), (ConstraintKind::ForeignKey, None, vec![]));
    let change = Update::new(members.clone(), vec![set(1, Value::Int(9))], eq(0, Value::Int(1)));
    assert_eq!(of(&update(&driver, &change).await.unwrap_err()).0, ConstraintKind::ForeignKey);
    assert_eq!(count(&driver, &members).await, 1);
}

#[tokio::test]
async fn references_act_as_they_say() {
    for (action, left) in [(ReferentialAction::Cascade, vec![]), (ReferentialAction::SetNull, vec![Value::Null])] {
        let (team, members) = teams(action);
        let driver = memory(&[&team, &members]).await;
        insert(&driver, &mut Insert::new(team.clone(), [0], vec![Value::Int(1)], 1)).await.unwrap();
        insert(&driver, &mut member(&members, 1, Value::Int(1), "a", text("b"))).await.unwrap();
        // The rows that went along are not counted.
        assert_eq!(delete(&driver, &team, eq(0, Value::Int(1))).await.unwrap(), 1);
        let rows = fetch(&driver, &select(&members, Condition::True)).await.unwrap();
        assert_eq!(rows.iter().map(|row| row[1].clone()).collect::<Vec<_>>(), left);
    }
}

#[tokio::test]
async fn checks_of_the_database_are_named() {
    let dir = TempDir::new();
    other_process(&dir.path("db"))
        .execute_batch("CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, visits INTEGER NOT NULL CONSTRAINT few CHECK (visits < 100), note TEXT) STRICT")
        .unwrap();
    let model = users();
    let driver = file(&dir, &[&model]).await;
    let error = insert(&driver, &mut new_users(&model, 100..101)).await.unwrap_err();
    let constraint = error.constraint().unwrap();
    assert_eq!((constraint.kind(), constraint.name()), (ConstraintKind::Check, Some("few")));
}

#[tokio::test]
async fn what_the_model_does_not_have_is_refused_before_it_is_sent() {
    let model = users();
    let driver = memory(&[&model]).await;
    let error = fetch(&driver, &select(&model, eq(9, Value::Int(1)))).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Query));
    let error = fetch(&driver, &select(&model, eq(0, text("x")))).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Query));
    let error = update(&driver, &Update::new(model.clone(), vec![], Condition::True)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Query));
    let twice = Assignment::new(2, Change::Set(Expr::Value(Value::Int(1))));
    let error =
        update(&driver, &Update::new(model.clone(), vec![twice.clone(), twice], Condition::True)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Query));
    let mut short = new_users(&model, 0..2);
    short.values.pop();
    assert!(matches!(insert(&driver, &mut short).await.unwrap_err().kind(), ErrorKind::Query));
    // When the shape is known, too.
    insert(&driver, &mut new_users(&model, 0..2)).await.unwrap();
    assert!(matches!(insert(&driver, &mut short).await.unwrap_err().kind(), ErrorKind::Query));
}

#[tokio::test]
async fn a_missing_table_is_named() {
    let driver = memory(&[]).await;
    let error = fetch(&driver, &select(&users(), Condition::True)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Database));
    assert!(error.to_string().contains("no such table: users"), "{error}");
}

#[tokio::test]
async fn no_value_appears_in_an_error() {
    let model = users();
    let driver = memory(&[&model]).await;
    let secret = "s3cr3t";
    let mut new = new_users(&model, 0..1);
    new.values[0] = text(secret);
    insert(&driver, &mut new).await.unwrap();
    let unique = insert(&driver, &mut new).await.unwrap_err();
    let missing = fetch(
        &driver,
        &select(
            &build(ModelSchema::builder("X", "x").column(column("id", ColumnType::Text).key())),
            eq(0, text(secret)),
        ),
    )
    .await
    .unwrap_err();
    for error in [unique, missing] {
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
}
