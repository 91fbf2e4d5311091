//! Names and texts that mean something to SQL.

use ommi_core::ast::{Condition, Direction, Insert, Sort, TextOp, Update};
use ommi_core::driver::{Context, Driver};
use ommi_core::schema::{ModelSchema, ReferenceSchema, SchemaRef, Target};
use ommi_core::value::{ColumnType, Value};

use crate::support::*;

const NAMES: [&str; 12] = [
    "select",
    "order",
    "table",
    "a\"b",
    "a'b",
    "a`b]",
    "x; DROP TABLE users; --",
    "with space, comma",
    "ünïcode✓",
    "true",
    "rowid",
    "?1 :a @b",
];

#[tokio::test]
async fn tables_and_columns_can_have_any_name() {
    for (i, table) in NAMES.iter().enumerate() {
        let mut builder =
            ModelSchema::builder("Hostile", *table).column(column("null", ColumnType::I64).key().auto_increment());
        for name in NAMES {
            builder = builder
                .column(column(name, ColumnType::Text).nullable().unique().default_value("it's \"quoted\"".to_owned()));
        }
        let all: Vec<u16> = (1..=NAMES.len() as u16).collect();
        let itself = ReferenceSchema::new(vec![1], Target::Itself, vec![2]);
        let model = build(builder.unique(&all[..3]).index(&all[3..6]).reference(itself));
        let driver = memory(&[&model]).await;
        create(&driver, &[&model]).await.unwrap();
        let row: Vec<Value<'static>> = NAMES.iter().map(|_| text(*table)).collect();
        let mut new = Insert::new(model.clone(), all.clone(), row, 1);
        new.returning = [0].into();
        insert(&driver, &mut new).await.unwrap();
        let error = insert(&driver, &mut new).await.unwrap_err();
        let constraint = error.constraint().unwrap();
        assert_eq!(constraint.table(), Some(*table), "{error}");
        assert_eq!(constraint.columns(), &NAMES[..3], "{error}");
        for column in &all {
            let mut found = select(&model, eq(*column, text(*table)));
            found.sort = vec![Sort::new(col(*column), Direction::Descending)];
            assert_eq!(fetch(&driver, &found).await.unwrap().len(), 1);
        }
        // Not one of the two that the reference is about.
        let column = all[i.max(2)];
        let change = Update::new(model.clone(), vec![set(column, Value::Null)], eq(column, text(*table)));
        assert_eq!(update(&driver, &change).await.unwrap(), 1);
        driver.schema().drop(std::slice::from_ref(&model), &Context::new()).await.unwrap();
        create(&driver, &[&model]).await.unwrap();
    }
}

#[tokio::test]
async fn texts_are_only_texts() {
    let model = build(
        ModelSchema::builder("Text", "texts")
            .column(column("id", ColumnType::I64).key())
            .column(column("text", ColumnType::Text)),
    );
    let driver = memory(&[&model]).await;
    let large = "ä".repeat(600_000);
    let texts = [
        "",
        "'",
        "''",
        "\"",
        "\\",
        "%",
        "_",
        "NULL",
        "null",
        "0",
        "1e5",
        " 1 ",
        "'; DROP TABLE texts; --",
        "?1",
        "\u{1F600}",
        "\u{FEFF}",
        "\n\r\t",
        "\u{FFFF}",
        "e\u{301}",
        "é",
        &large,
    ];
    let values = texts.iter().enumerate().flat_map(|(i, value)| [Value::Int(i as i64), text(*value)]).collect();
    insert(&driver, &mut Insert::new(model.clone(), [0, 1], values, texts.len())).await.unwrap();
    let id = |rows: Vec<Vec<Value<'static>>>| rows.iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    for (i, value) in texts.iter().enumerate() {
        let rows = fetch(&driver, &select(&model, eq(1, text(*value)))).await.unwrap();
        assert_eq!(rows, [[Value::Int(i as i64), text(*value)]]);
        let found = |op| Condition::Text { op, ignore_case: false, expr: col(1), needle: val(text(*value)) };
        for op in [TextOp::Contains, TextOp::StartsWith, TextOp::EndsWith] {
            assert!(id(fetch(&driver, &select(&model, found(op))).await.unwrap()).contains(&Value::Int(i as i64)));
        }
    }
    let mut sorted = select(&model, Condition::True);
    sorted.sort = vec![Sort::new(col(1), Direction::Ascending)];
    let rows = fetch(&driver, &sorted).await.unwrap();
    let mut expected = texts.to_vec();
    expected.sort_unstable();
    assert!(rows.iter().map(|row| row[1].clone()).eq(expected.into_iter().map(text)));
}

#[tokio::test]
async fn tables_whose_indexes_would_have_one_name() {
    let model = |table: &'static str, name: &'static str| {
        build(
            ModelSchema::builder("M", table)
                .column(column("id", ColumnType::I64).key())
                .column(column(name, ColumnType::Text).unique()),
        )
    };
    let models: Vec<SchemaRef> = vec![model("a_b", "c"), model("a", "b_c"), model("a_b_c_unique", "x")];
    let driver = memory(&models.iter().collect::<Vec<_>>()).await;
    create(&driver, &models.iter().collect::<Vec<_>>()).await.unwrap();
    for model in &models {
        let mut new = Insert::new(model.clone(), [0, 1], vec![Value::Int(1), text("x"), Value::Int(2), text("x")], 2);
        assert!(insert(&driver, &mut new).await.unwrap_err().is_unique_violation());
    }
}
