//! Making tables, finding what does not fit, dropping.

use std::sync::Arc;

use ommi_core::ast::{Condition, Insert, Select};
use ommi_core::driver::{Context, Driver};
use ommi_core::schema::{
    ColumnBuilder, ModelBuilder, ModelSchema, ReferenceSchema, ReferentialAction, SchemaRef, Target,
};
use ommi_core::value::{ColumnType, Date, Moment, Value};
use ommi_core::{DBError, ErrorKind};
use ommi_sqlite::SqliteOptions;

use crate::support::*;

fn misfits(error: &DBError) -> &[String] {
    match error.kind() {
        ErrorKind::Schema { mismatches, .. } => mismatches,
        other => panic!("{other:?}"),
    }
}

fn schema_of(path: &std::path::Path) -> Vec<String> {
    let other = other_process(path);
    let mut statement = other
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn the_statements_that_make_tables() {
    let dir = TempDir::new();
    let team =
        Arc::new(ModelSchema::builder("Team", "teams").column(column("id", ColumnType::I64).key()).build().unwrap());
    let pair = build(
        ModelSchema::builder("Pair", "pairs")
            .column(column("a", ColumnType::Uuid).key())
            .column(column("b", ColumnType::I64).key())
            .column(column("n", ColumnType::U64).default_value(5_u64))
            .column(column("small", ColumnType::I16).nullable().default_value(-3_i16).index())
            .column(column("ok", ColumnType::Bool).default_value(true))
            .column(column("f", ColumnType::F64).default_value(f64::INFINITY))
            .column(column("t", ColumnType::Text).default_value("it's".to_owned()).unique())
            .reference(
                ReferenceSchema::new(vec![1], Target::Schema(team.clone()), vec![0])
                    .on_delete(ReferentialAction::Cascade)
                    .on_update(ReferentialAction::SetNull),
            )
            .reference(ReferenceSchema::new(vec![0, 1], Target::Itself, vec![0, 1])),
    );
    let driver = file(&dir, &[&SchemaRef::from(team), &users(), &pair]).await;
    driver.close().await;
    assert_eq!(
        schema_of(&dir.path("db")),
        [
            r#"CREATE TABLE "teams" ("id" INTEGER NOT NULL PRIMARY KEY) STRICT"#,
            concat!(
                r#"CREATE TABLE "users" ("id" INTEGER PRIMARY KEY AUTOINCREMENT, "name" TEXT NOT NULL, "#,
                r#""visits" INTEGER NOT NULL CONSTRAINT "ommi_range_visits" CHECK ("visits" BETWEEN -2147483648 AND 2147483647), "#,
                r#""note" TEXT) STRICT"#
            ),
            concat!(
                r#"CREATE TABLE "pairs" ("a" BLOB NOT NULL, "b" INTEGER NOT NULL, "#,
                r#""n" INTEGER NOT NULL DEFAULT 5 CONSTRAINT "ommi_range_n" CHECK ("n" >= 0), "#,
                r#""small" INTEGER DEFAULT -3 CONSTRAINT "ommi_range_small" CHECK ("small" BETWEEN -32768 AND 32767), "#,
                r#""ok" INTEGER NOT NULL DEFAULT 1 CONSTRAINT "ommi_range_ok" CHECK ("ok" BETWEEN 0 AND 1), "#,
                r#""f" REAL NOT NULL DEFAULT 9e999, "t" TEXT NOT NULL DEFAULT 'it''s', PRIMARY KEY ("a", "b"), "#,
                r#"FOREIGN KEY ("b") REFERENCES "teams" ("id") ON DELETE CASCADE ON UPDATE SET NULL, "#,
                r#"FOREIGN KEY ("a", "b") REFERENCES "pairs" ("a", "b")) STRICT"#
            ),
            r#"CREATE UNIQUE INDEX "users_name_unique" ON "users" ("name")"#,
            r#"CREATE UNIQUE INDEX "pairs_t_unique" ON "pairs" ("t")"#,
            r#"CREATE INDEX "pairs_small_index" ON "pairs" ("small")"#,
            r#"CREATE INDEX "pairs_b_index" ON "pairs" ("b")"#,
        ]
    );
}

#[tokio::test]
async fn again_changes_nothing_and_more_is_added() {
    let dir = TempDir::new();
    let base = || ModelSchema::builder("User", "users").column(column("id", ColumnType::I64).key().auto_increment());
    let team = build(ModelSchema::builder("Team", "teams").column(column("id", ColumnType::I64).key()));
    let first = build(base().column(column("name", ColumnType::Text)));
    let driver = file(&dir, &[&first, &team]).await;
    insert(&driver, &mut Insert::new(first.clone(), [1], vec![text("a"), text("b")], 2)).await.unwrap();
    create(&driver, &[&first, &team]).await.unwrap();
    let to_team = Target::Model(|| {
        static TEAM: std::sync::OnceLock<Arc<ModelSchema>> = std::sync::OnceLock::new();
        let make =
            || ModelSchema::builder("Team", "teams").column(column("id", ColumnType::I64).key()).build().unwrap();
        SchemaRef::from(TEAM.get_or_init(|| Arc::new(make())).clone())
    });
    let second = build(
        base()
            .column(column("note", ColumnType::Text).nullable().unique())
            .column(column("name", ColumnType::Text).index())
            .column(column("n", ColumnType::I8).default_value(7_i8))
            .column(column("team_id", ColumnType::I64).nullable())
            .reference(ReferenceSchema::new(vec![4], to_team, vec![0]).on_delete(ReferentialAction::SetNull)),
    );
    for _ in 0..2 {
        create(&driver, &[&second]).await.unwrap();
        let rows = fetch(&driver, &Select::new(second.clone())).await.unwrap();
        assert_eq!(rows[1], [Value::Int(2), Value::Null, text("b"), Value::Int(7), Value::Null]);
    }
    // The older model still fits: what it does not know is optional.
    create(&driver, &[&first]).await.unwrap();
    let mut dangling = Insert::new(second.clone(), [2, 4], vec![text("c"), Value::Int(9)], 1);
    assert!(insert(&driver, &mut dangling).await.unwrap_err().constraint().is_some());
    driver.close().await;
    assert_eq!(schema_of(&dir.path("db")).len(), 5);
}

#[tokio::test]
async fn every_misfit_is_named_and_nothing_is_changed() {
    let dir = TempDir::new();
    let path = dir.path("db");
    other_process(&path)
        .execute_batch(
            "CREATE TABLE users (id TEXT PRIMARY KEY, name INTEGER, visits INTEGER NOT NULL, note TEXT NOT NULL, more TEXT NOT NULL, doubled INTEGER NOT NULL AS (visits * 2)) STRICT;
             CREATE VIEW seen AS SELECT 1 AS id;
             CREATE TABLE dup (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
             INSERT INTO dup (name) VALUES ('same'), ('same');
             CREATE TABLE other (id INTEGER PRIMARY KEY, to_dup INTEGER REFERENCES dup ON DELETE CASCADE, free INTEGER) STRICT;",
        )
        .unwrap();
    let before = schema_of(&path);
    let driver = SqliteOptions::file(&path).connect().await.unwrap();
    let id = || column("id", ColumnType::I64).key();
    let wrong = build(
        ModelSchema::builder("User", "users")
            .column(id().auto_increment())
            .column(column("name", ColumnType::Text))
            .column(column("visits", ColumnType::I64).nullable())
            .column(column("note", ColumnType::Text))
            .column(column("doubled", ColumnType::I64))
            .column(column("needed", ColumnType::I64)),
    );
    let seen = build(ModelSchema::builder("Seen", "seen").column(id()));
    let dup = Arc::new(
        ModelSchema::builder("Dup", "dup")
            .column(id())
            .column(column("name", ColumnType::Text).unique())
            .build()
            .unwrap(),
    );
    let other = build(
        ModelSchema::builder("Other", "other")
            .column(id())
            .column(column("to_dup", ColumnType::I64).nullable())
            .column(column("free", ColumnType::I64).nullable())
            .reference(ReferenceSchema::new(vec![1], Target::Schema(dup.clone()), vec![0]))
            .reference(ReferenceSchema::new(vec![2], Target::Schema(dup.clone()), vec![0])),
    );
    let fine = build(ModelSchema::builder("Fine", "fine").column(id()));
    let error = create(&driver, &[&fine, &wrong, &seen, &SchemaRef::from(dup), &other]).await.unwrap_err();
    let found = misfits(&error);
    for expected in [
        "column `id` of table `users` is declared TEXT, and a field of type i64 needs INTEGER",
        "column `id` of table `users` does not count by itself",
        "column `name` of table `users` is declared INTEGER, and a field of type text needs TEXT",
        "column `name` of table `users` can be NULL, and the field cannot",
        "column `visits` of table `users` cannot be NULL, and the field can",
        "column `doubled` of table `users` is computed",
        "column `needed` of table `users` is missing",
        "column `more` of table `users` needs a value in new rows, and the model User does not have it",
        "`seen` is a view, not a table",
        "`name` of table `dup` cannot be made unique",
        "has ON DELETE CASCADE, and the model Other has NO ACTION",
        "table `other` has no foreign key from `free` to table `dup`",
    ] {
        assert!(found.iter().any(|misfit| misfit.contains(expected)), "{expected}: {found:#?}");
    }
    assert_eq!(found.len(), 12, "{found:#?}");
    assert!(error.to_string().contains("column `name` of table `users`"));
    driver.close().await;
    assert_eq!(schema_of(&path), before);
}

#[tokio::test]
async fn references_that_lead_nowhere() {
    let driver = memory(&[]).await;
    let target = Arc::new(
        ModelSchema::builder("T", "t")
            .column(column("id", ColumnType::I64).key())
            .column(column("x", ColumnType::Text))
            .build()
            .unwrap(),
    );
    let referring =
        |column_of_target| {
            build(
                ModelSchema::builder("S", "s")
                    .column(column("id", ColumnType::I64).key())
                    .reference(ReferenceSchema::new(vec![0], Target::Schema(target.clone()), vec![column_of_target])),
            )
        };
    let error = create(&driver, &[&referring(0)]).await.unwrap_err();
    assert!(misfits(&error)[0].contains("`t`, which does not exist"), "{error}");
    let error = create(&driver, &[&SchemaRef::from(target.clone()), &referring(1)]).await.unwrap_err();
    assert!(misfits(&error)[0].contains("neither the key nor unique"), "{error}");
    let error = fetch(&driver, &Select::new(referring(0))).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Database));
    create(&driver, &[&SchemaRef::from(target.clone()), &referring(0)]).await.unwrap();
    // What is reserved is refused with SQLite's reason.
    let reserved = build(ModelSchema::builder("R", "sqlite_r").column(column("id", ColumnType::I64).key()));
    let error = create(&driver, &[&reserved]).await.unwrap_err();
    assert!(misfits(&error)[0].contains("reserved"), "{error}");
}

fn circle() -> (SchemaRef, SchemaRef) {
    fn side(name: &'static str, table: &'static str, target: fn() -> SchemaRef) -> ModelBuilder {
        ModelSchema::builder(name, table)
            .column(ColumnBuilder::new("id", ColumnType::I64).key())
            .column(ColumnBuilder::new("other_id", ColumnType::I64).nullable())
            .reference(ReferenceSchema::new(vec![1], Target::Model(target), vec![0]))
    }
    fn left() -> SchemaRef {
        static LEFT: std::sync::OnceLock<ModelSchema> = std::sync::OnceLock::new();
        SchemaRef::from_static(LEFT.get_or_init(|| side("Left", "left", right).build().unwrap()))
    }
    fn right() -> SchemaRef {
        static RIGHT: std::sync::OnceLock<ModelSchema> = std::sync::OnceLock::new();
        SchemaRef::from_static(RIGHT.get_or_init(|| side("Right", "right", left).build().unwrap()))
    }
    (left(), right())
}

#[tokio::test]
async fn tables_that_refer_to_each_other_are_made_and_dropped_with_what_they_hold() {
    let (left, right) = circle();
    let driver = memory(&[&left, &right]).await;
    for (model, other) in [(&left, Value::Null), (&right, Value::Int(1))] {
        insert(&driver, &mut Insert::new((*model).clone(), [0, 1], vec![Value::Int(1), other], 1)).await.unwrap();
    }
    let change = ommi_core::ast::Update::new(left.clone(), vec![set(1, Value::Int(1))], Condition::True);
    update(&driver, &change).await.unwrap();
    let context = Context::new();
    let error = driver.schema().drop(std::slice::from_ref(&left), &context).await.unwrap_err();
    assert!(misfits(&error)[0].contains("table `right` refers to table `left`"), "{error}");
    assert_eq!(count(&driver, &left).await, 1);
    driver.schema().drop(&[left.clone(), right.clone()], &context).await.unwrap();
    driver.schema().drop(&[left.clone(), right.clone()], &context).await.unwrap();
    assert!(fetch(&driver, &Select::new(left.clone())).await.is_err());
    create(&driver, &[&left, &right]).await.unwrap();
    assert_eq!(count(&driver, &left).await, 0);
}

#[tokio::test]
async fn a_table_of_somebody_else_that_behaves_alike_is_accepted() {
    let dir = TempDir::new();
    let path = dir.path("db");
    other_process(&path)
        .execute_batch(
            r#"CREATE TABLE Users (ID integer primary key, "name" VARCHAR(80) NOT NULL UNIQUE, visits BIGINT NOT NULL, note CLOB, born DATE, seen DATETIME, ok BOOLEAN NOT NULL, price DECIMAL(8, 2), extra TEXT);
               INSERT INTO users VALUES (1, 'a', 2, 'n', '2013-01-02', '2013-01-02 03:04:05', 1, 2, NULL)"#,
        )
        .unwrap();
    let model = build(
        ModelSchema::builder("User", "users")
            .column(column("id", ColumnType::I64).key().auto_increment())
            .column(column("name", ColumnType::Text).unique())
            .column(column("visits", ColumnType::I32))
            .column(column("note", ColumnType::Text).nullable())
            .column(column("born", ColumnType::Date).nullable())
            .column(column("seen", ColumnType::Timestamp).nullable())
            .column(column("ok", ColumnType::Bool))
            .column(column("price", ColumnType::F64).nullable()),
    );
    let before = schema_of(&path);
    let driver = file(&dir, &[&model]).await;
    let row = fetch(&driver, &Select::new(model.clone())).await.unwrap().remove(0);
    assert_eq!(row[4], Value::Date(Date::from_ymd(2013, 1, 2).unwrap()));
    assert_eq!(row[5], Value::Timestamp(Moment::parse("2013-01-02 03:04:05").unwrap()));
    assert_eq!(row[6..], [Value::Bool(true), Value::Float(2.0)]);
    let found = Condition::compare(ommi_core::ast::CompareOp::Ge, col(4), val(Value::Date(Date { days: 0 })));
    assert_eq!(fetch(&driver, &select(&model, found)).await.unwrap().len(), 1);
    driver.close().await;
    assert_eq!(schema_of(&path), before);
}

#[tokio::test]
async fn a_default_that_cannot_be_stored() {
    let driver = memory(&[]).await;
    #[derive(Clone)]
    struct Late;
    impl ommi_core::value::FieldType for Late {
        const TYPE: ColumnType = ColumnType::Date;
        fn encode(&self) -> Result<Value<'_>, ommi_core::value::InvalidValue> {
            Ok(Value::Date(Date { days: i32::MAX }))
        }
        fn decode(_: Value<'_>) -> Result<Self, ommi_core::value::DecodeFailure> {
            Ok(Late)
        }
    }
    let model = build(
        ModelSchema::builder("D", "d")
            .column(column("id", ColumnType::I64).key().default_value(i64::MIN))
            .column(column("at", ColumnType::Date).default_value(Late)),
    );
    let error = create(&driver, &[&model]).await.unwrap_err();
    assert!(misfits(&error)[0].contains("a default that cannot be stored"), "{error}");
    let model = build(
        ModelSchema::builder("D", "d")
            .column(column("id", ColumnType::Text).key())
            .column(column("n", ColumnType::I64).default_value(i64::MIN)),
    );
    create(&driver, &[&model]).await.unwrap();
    insert(&driver, &mut Insert::new(model.clone(), [0], vec![text("x")], 1)).await.unwrap();
    assert_eq!(fetch(&driver, &Select::new(model)).await.unwrap()[0][1], Value::Int(i64::MIN));
}
