//! The text of each verb on SQLite, as a program gets it, without its values.

use ommi::prelude::*;

#[derive(Debug, Clone, Model)]
#[allow(dead_code)]
struct User {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    name: String,
    nick: Option<String>,
}

#[tokio::test]
async fn every_verb() -> DBResult<()> {
    let db = Ommi::connect("sqlite::memory:").await?;
    let ann = || db.find(User::name.eq("Ann"));
    let row = || new!(User { name: "Ann" });
    let upsert = || db.upsert(row()).on(User::name);
    let insert = r#"INSERT INTO "users" ("name", "nick") VALUES (?, ?)"#;
    for (explanation, expected, values) in [
        (ann().explain()?, r#"SELECT "id", "name", "nick" FROM "users" WHERE "name" = ?"#, r#"1 = "Ann""#),
        (ann().sort(User::nick).explain_count()?, r#"SELECT count(*) FROM "users" WHERE "name" = ?"#, r#"1 = "Ann""#),
        (
            ann().limit(3).explain_count()?,
            r#"SELECT count(*) FROM (SELECT 1 FROM "users" WHERE "name" = ? LIMIT ?) AS "counted""#,
            r#"1 = "Ann", 2 = 3"#,
        ),
        (ann().explain_exists()?, r#"SELECT EXISTS(SELECT 1 FROM "users" WHERE "name" = ?)"#, r#"1 = "Ann""#),
        (
            ann().explain_update(User::nick.set("A"))?,
            r#"UPDATE "users" SET "nick" = ? WHERE "name" = ?"#,
            r#"1 = "A", 2 = "Ann""#,
        ),
        (ann().explain_delete()?, r#"DELETE FROM "users" WHERE "name" = ?"#, r#"1 = "Ann""#),
        (db.explain_add(row())?, &format!(r#"{insert} RETURNING "id""#), r#"1 = "Ann", 2 = NULL"#),
        (
            upsert().explain_update(User::nick.set("A"))?,
            &format!(r#"{insert} ON CONFLICT ("name") DO UPDATE SET "nick" = ? RETURNING "id", "name", "nick""#),
            r#"1 = "Ann", 2 = NULL, 3 = "A""#,
        ),
        (
            upsert().explain_ignore()?,
            &format!(r#"{insert} ON CONFLICT ("name") DO NOTHING RETURNING "id", "name", "nick""#),
            r#"1 = "Ann", 2 = NULL"#,
        ),
    ] {
        assert_eq!(explanation.to_string(), expected);
        assert_eq!(explanation.values().to_string(), values);
    }
    Ok(())
}
