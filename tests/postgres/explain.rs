//! The text of each form.

use ommi::ast::{LockStrength, LockWait, RowLock, Select, Statement};
use ommi::postgres::{PostgresDriver, sqlx::PgPool};
use ommi::prelude::*;
use ommi::schema::ColumnList;

#[derive(Debug, Clone, Model)]
#[allow(dead_code)]
struct User {
    #[ommi(auto)]
    id: i64,
    name: String,
    nick: Option<String>,
    age: u8,
    score: Option<f32>,
}

fn db() -> Ommi {
    Ommi::new(PostgresDriver::from_pool(PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap()))
}

#[track_caller]
fn condition(db: &Ommi, predicate: Predicate<User>, expected: &str) {
    let text = db.find(predicate).explain().unwrap().to_string();
    assert_eq!(text, format!(r#"SELECT "id", "name", "nick", "age", "score" FROM "users" WHERE {expected}"#));
}

#[tokio::test]
async fn conditions() {
    let db = db();
    condition(&db, User::name.eq("x"), r#""name" = $1::text"#);
    condition(&db, User::age.ne(3), r#""age" <> $1::int8"#);
    condition(&db, User::name.lt("x"), r#""name" COLLATE "C" < $1::text"#);
    condition(&db, User::name.between("a", "b"), r#""name" COLLATE "C" BETWEEN $1::text AND $2::text"#);
    condition(&db, User::score.ge(1.5), r#""score" >= $1::float8"#);
    condition(&db, User::nick.is_null(), r#""nick" IS NULL"#);
    condition(&db, User::id.in_([1, 2, 3]), r#""id" = ANY($1::int8[])"#);
    condition(&db, User::id.in_(0..1_000), r#""id" = ANY($1::int8[])"#);
    condition(&db, User::name.not_in(["a"]), r#"NOT ("name" = ANY($1::text[]))"#);
    condition(&db, User::name.contains("x"), r#"strpos("name", $1::text) > 0"#);
    condition(&db, User::name.ends_with("x"), r#"right("name", length($1::text)) = $2::text"#);
    condition(&db, User::name.starts_with("x"), r#""name" COLLATE "C" >= $1::text AND "name" COLLATE "C" < $2::text"#);
    condition(&db, User::name.istarts_with("x"), r#"starts_with(lower("name" COLLATE "C"), $1::text)"#);
    condition(&db, !(User::age.eq(1) | User::age.eq(2)), r#"NOT ("age" = $1::int8 OR "age" = $2::int8)"#);
}

#[tokio::test]
async fn sorts_and_pages() {
    let db = db();
    let tail = |find: ommi::Find<'_, User>| {
        let text = find.explain().unwrap().to_string();
        text.split_once(r#" FROM "users""#).unwrap().1.to_owned()
    };
    let all = || db.find_all::<User>();
    assert_eq!(tail(all().sort(User::name)), r#" ORDER BY "name" COLLATE "C""#);
    assert_eq!(tail(all().sort(User::nick)), r#" ORDER BY "nick" COLLATE "C" NULLS FIRST"#);
    assert_eq!(tail(all().sort(User::score.desc())), r#" ORDER BY "score" DESC NULLS LAST"#);
    assert_eq!(tail(all().sort(User::id.desc())), r#" ORDER BY "id" DESC"#);
    assert_eq!(tail(all().sort(User::id).limit(2).offset(1)), r#" ORDER BY "id" LIMIT $1::int8 OFFSET $2::int8"#);
}

#[tokio::test]
async fn changes() {
    let db = db();
    let update = db.find(User::id.eq(1)).explain_update((User::age.increment(1), User::nick.set(None))).unwrap();
    assert_eq!(
        update.to_string(),
        r#"UPDATE "users" SET "age" = "age" + $1::int8, "nick" = $2::text WHERE "id" = $3::int8"#
    );
    let delete = db.find(User::age.gt(9)).explain_delete().unwrap();
    assert_eq!(delete.to_string(), r#"DELETE FROM "users" WHERE "age" > $1::int8"#);
}

#[tokio::test]
async fn inserts() {
    use ommi::ast::{Assignment, Change, Insert, OnConflict, Statement};
    use ommi::value::Value;

    let db = db();
    let text = |rows: usize, conflict: Option<OnConflict>| {
        let values = (0..rows).flat_map(|_| [Value::Text("x".into()), Value::Int(1)]).collect();
        let schema = User::schema();
        let mut insert = Insert::new(schema.clone(), [1, 3], values, rows);
        insert.returning = ColumnList::generated(&schema);
        insert.on_conflict = conflict;
        db.driver().explain(&Statement::Insert(insert)).unwrap().to_string()
    };
    assert_eq!(text(1, None), r#"INSERT INTO "users" ("name", "age") VALUES ($1::text, $2::int8) RETURNING "id""#);
    assert_eq!(
        text(3, None),
        r#"INSERT INTO "users" ("name", "age") SELECT r.c0, r.c1 FROM unnest($1::text[], $2::int8[]) WITH ORDINALITY AS r(c0, c1, n) ORDER BY r.n RETURNING "id""#
    );
    let conflict = OnConflict::new(vec![0], vec![Assignment::new(3, Change::Add(Value::Int(2)))]);
    assert_eq!(
        text(1, Some(conflict)),
        r#"INSERT INTO "users" ("name", "age") VALUES ($1::text, $2::int8) ON CONFLICT ("id") DO UPDATE SET "age" = "users"."age" + $3::int8 RETURNING "id""#
    );
}

#[tokio::test]
async fn counts_adds_and_upserts() {
    let db = db();
    let ann = || db.find(User::name.eq("Ann"));
    let row = || new!(User { id: 7, name: "Ann", age: 3 });
    let upsert = || db.upsert(row()).on(User::id);
    let columns = r#""id", "name", "nick", "age", "score""#;
    let insert = format!(
        r#"INSERT INTO "users" ({columns}) VALUES ($1::int8, $2::text, $3::text, $4::int8, $5::float8) ON CONFLICT ("id") DO"#
    );
    for (explanation, expected) in [
        (ann().sort(User::nick).explain_count(), r#"SELECT count(*) FROM "users" WHERE "name" = $1::text"#),
        (
            ann().limit(3).explain_count(),
            r#"SELECT count(*) FROM (SELECT 1 FROM "users" WHERE "name" = $1::text LIMIT $2::int8) AS "counted""#,
        ),
        (ann().explain_exists(), r#"SELECT EXISTS(SELECT 1 FROM "users" WHERE "name" = $1::text)"#),
        (
            db.explain_add(new!(User { name: "Ann", age: 3 })),
            r#"INSERT INTO "users" ("name", "nick", "age", "score") VALUES ($1::text, $2::text, $3::int8, $4::float8) RETURNING "id""#,
        ),
        (
            upsert().explain_update(User::nick.set("A")),
            &format!(r#"{insert} UPDATE SET "nick" = $6::text RETURNING {columns}"#),
        ),
        (upsert().explain_ignore(), &format!("{insert} NOTHING RETURNING {columns}")),
    ] {
        assert_eq!(explanation.unwrap().to_string(), expected);
    }
}

#[tokio::test]
async fn row_locks() {
    let db = db();
    let mut select = Select::new(User::schema());
    select.limit = Some(1);
    for (strength, wait, expected) in [
        (LockStrength::Update, LockWait::Wait, "FOR UPDATE"),
        (LockStrength::Update, LockWait::SkipLocked, "FOR UPDATE SKIP LOCKED"),
        (LockStrength::Update, LockWait::NoWait, "FOR UPDATE NOWAIT"),
        (LockStrength::Share, LockWait::Wait, "FOR SHARE"),
        (LockStrength::Share, LockWait::SkipLocked, "FOR SHARE SKIP LOCKED"),
        (LockStrength::Share, LockWait::NoWait, "FOR SHARE NOWAIT"),
    ] {
        let mut lock = RowLock::new(strength);
        lock.wait = wait;
        select.lock = Some(lock);
        let text = db.driver().explain(&Statement::Select(select.clone())).unwrap().to_string();
        let (_, tail) = text.split_once(r#" FROM "users""#).unwrap();
        assert_eq!(tail, format!(" LIMIT $1::int8 {expected}"));
    }
}
