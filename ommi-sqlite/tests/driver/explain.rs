//! The exact text and binds of each form, as SQLite gets them.

use ommi_core::ast::{
    Assignment, Change, CompareOp, Condition, Delete, Direction, Expr, List, Nulls, OnConflict, Output, Select, Sort,
    Statement, TextOp, Update,
};
use ommi_core::driver::Driver;
use ommi_core::value::Value;

use crate::support::*;

async fn explained(statement: Statement) -> String {
    let driver = memory(&[]).await;
    driver.explain(&statement).unwrap().with_values().to_string()
}

async fn filter(condition: Condition) -> String {
    let mut select = select(&users(), condition);
    select.output = Output::Count;
    let text = explained(Statement::Select(select)).await;
    text.strip_prefix(r#"SELECT count(*) FROM "users""#).unwrap().trim_start().to_owned()
}

#[tokio::test]
async fn selects() {
    let mut all = Select::new(users());
    assert_eq!(
        explained(Statement::Select(all.clone())).await,
        r#"SELECT "id", "name", "visits", "note" FROM "users""#
    );
    all.filter = eq(0, Value::Int(7));
    let mut last = Sort::new(col(3), Direction::Ascending);
    last.nulls = Nulls::Last;
    let mut first = Sort::new(col(3), Direction::Descending);
    first.nulls = Nulls::First;
    all.sort = vec![Sort::new(col(3), Direction::Descending), last, first, Sort::new(col(0), Direction::Ascending)];
    all.limit = Some(20);
    all.offset = Some(u64::MAX);
    assert_eq!(
        explained(Statement::Select(all.clone())).await,
        r#"SELECT "id", "name", "visits", "note" FROM "users" WHERE "id" = ? ORDER BY "note" DESC, "note" NULLS LAST, "note" DESC NULLS FIRST, "id" LIMIT ? OFFSET ? -- 1 = 7, 2 = 20, 3 = 9223372036854775807"#
    );
    all.limit = None;
    all.offset = Some(3);
    all.output = Output::Count;
    assert_eq!(
        explained(Statement::Select(all.clone())).await,
        r#"SELECT count(*) FROM (SELECT 1 FROM "users" WHERE "id" = ? LIMIT -1 OFFSET ?) AS "counted" -- 1 = 7, 2 = 3"#
    );
    all.output = Output::Exists;
    assert_eq!(
        explained(Statement::Select(all)).await,
        r#"SELECT EXISTS(SELECT 1 FROM "users" WHERE "id" = ? LIMIT -1 OFFSET ?) -- 1 = 7, 2 = 3"#
    );
}

#[tokio::test]
async fn conditions() {
    let text_is = |op, ignore_case, needle| Condition::Text { op, ignore_case, expr: col(1), needle };
    let needle = |needle: &'static str| Expr::Value(text(needle));
    let list = |values: Vec<Value<'static>>, negated| Condition::In { expr: col(2), list: List::new(values), negated };
    let ints = |count: i64| (0..count).map(Value::Int).collect::<Vec<_>>();
    for (condition, expected) in [
        (Condition::True, ""),
        (Condition::False, "WHERE 0"),
        (Condition::Or(vec![]), "WHERE 0"),
        (Condition::And(vec![]), "WHERE 1"),
        (Condition::compare(CompareOp::Ne, col(1), col(3)), r#"WHERE "name" <> "note""#),
        (Condition::IsNull { expr: col(3), negated: true }, r#"WHERE "note" IS NOT NULL"#),
        (
            Condition::Between { expr: col(2), low: int(1), high: col(2) },
            r#"WHERE "visits" BETWEEN ? AND "visits" -- 1 = 1"#,
        ),
        (list(ints(0), false), "WHERE 0"),
        (list(ints(0), true), "WHERE 1"),
        (list(vec![Value::Null], true), "WHERE NULL"),
        (list(ints(3), false), r#"WHERE "visits" IN (?, ?, ?, ?) -- 1 = 0, 2 = 1, 3 = 2, 4 = 2"#),
        (list(vec![Value::Int(1), Value::Null], true), r#"WHERE "visits" NOT IN (?, NULL) -- 1 = 1"#),
        (text_is(TextOp::StartsWith, false, needle("an")), r#"WHERE "name" >= ? AND "name" < ? -- 1 = "an", 2 = "ao""#),
        (text_is(TextOp::StartsWith, false, needle("")), r#"WHERE "name" >= ? -- 1 = """#),
        (
            !text_is(TextOp::StartsWith, false, needle("an")),
            r#"WHERE NOT ("name" >= ? AND "name" < ?) -- 1 = "an", 2 = "ao""#,
        ),
        (
            text_is(TextOp::StartsWith, true, needle("An")),
            r#"WHERE substr(lower("name"), 1, length(?)) = ? -- 1 = "an", 2 = "an""#,
        ),
        (text_is(TextOp::StartsWith, false, col(3)), r#"WHERE substr("name", 1, length("note")) = "note""#),
        (text_is(TextOp::Contains, false, needle("%")), r#"WHERE instr("name", ?) > 0 -- 1 = "%""#),
        (text_is(TextOp::Contains, true, col(3)), r#"WHERE instr(lower("name"), lower("note")) > 0"#),
        (
            text_is(TextOp::EndsWith, false, needle("É")),
            r#"WHERE substr("name", length("name") - length(?) + 1) = ? -- 1 = "É", 2 = "É""#,
        ),
        (text_is(TextOp::Equals, true, needle("É A")), r#"WHERE lower("name") = ? -- 1 = "É a""#),
        (
            Condition::Or(vec![
                Condition::And(vec![
                    eq(0, Value::Int(1)),
                    Condition::Or(vec![eq(0, Value::Int(2)), eq(0, Value::Int(3))]),
                ]),
                Condition::Not(Box::new(eq(0, Value::Int(4)))),
                text_is(TextOp::StartsWith, false, needle("a")),
            ]),
            r#"WHERE "id" = ? AND ("id" = ? OR "id" = ?) OR NOT ("id" = ?) OR "name" >= ? AND "name" < ? -- 1 = 1, 2 = 2, 3 = 3, 4 = 4, 5 = "a", 6 = "b""#,
        ),
    ] {
        assert_eq!(filter(condition).await, expected);
    }
    let long = filter(list(ints(33), false)).await;
    assert!(long.starts_with(r#"WHERE "visits" IN rarray(?) -- 1 = 0, 2 = 1"#), "{long}");
    let mut with_null = ints(33);
    with_null.push(Value::Null);
    let long = filter(list(with_null, true)).await;
    assert!(long.starts_with(r#"WHERE NOT ("visits" IN rarray(?) OR NULL) -- "#), "{long}");
}

#[tokio::test]
async fn writes() {
    let model = users();
    let mut new = new_users(&model, 1..3);
    assert_eq!(
        explained(Statement::Insert(new.clone())).await,
        r#"INSERT INTO "users" ("name", "visits", "note") VALUES (?, ?, ?), (?, ?, ?) RETURNING "id" -- 1 = "user 000001", 2 = 1, 3 = "odd", 4 = "user 000002", 5 = 2, 6 = NULL"#
    );
    new = new_users(&model, 1..2);
    new.returning = [].into();
    new.on_conflict = Some(OnConflict::new(
        vec![1],
        vec![Assignment::new(2, Change::Add(Value::Int(1))), Assignment::new(3, Change::Set(col(1)))],
    ));
    assert_eq!(
        explained(Statement::Insert(new.clone())).await,
        r#"INSERT INTO "users" ("name", "visits", "note") VALUES (?, ?, ?) ON CONFLICT ("name") DO UPDATE SET "visits" = "users"."visits" + ?, "note" = "users"."name" -- 1 = "user 000001", 2 = 1, 3 = "odd", 4 = 1"#
    );
    new.on_conflict = Some(OnConflict::new(vec![1], vec![]));
    assert!(explained(Statement::Insert(new)).await.contains(r#"ON CONFLICT ("name") DO NOTHING -- "#));
    let change = Update::new(
        model.clone(),
        vec![set(1, text("x")), Assignment::new(2, Change::Subtract(Value::Int(2)))],
        eq(0, Value::Int(1)),
    );
    assert_eq!(
        explained(Statement::Update(change)).await,
        r#"UPDATE "users" SET "name" = ?, "visits" = "visits" - ? WHERE "id" = ? -- 1 = "x", 2 = 2, 3 = 1"#
    );
    assert_eq!(explained(Statement::Delete(Delete::new(model, Condition::True))).await, r#"DELETE FROM "users""#);
}

#[tokio::test]
async fn values_show_only_when_they_are_asked_for() {
    let driver = memory(&[]).await;
    let explanation = driver.explain(&Statement::Select(select(&users(), eq(1, text("secret"))))).unwrap();
    assert!(!format!("{explanation} {explanation:?}").contains("secret"));
    let late = ommi_core::value::Date { days: i32::MAX };
    let dates = build(
        ommi_core::schema::ModelSchema::builder("D", "d")
            .column(column("id", ommi_core::value::ColumnType::Date).key()),
    );
    assert!(driver.explain(&Statement::Select(select(&dates, eq(0, Value::Date(late))))).is_err());
}
