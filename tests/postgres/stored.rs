//! What is stored, and what of it is read.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use ommi::prelude::*;

use crate::support::Schema;

#[derive(Debug, Clone, PartialEq, Model)]
struct Counted {
    #[ommi(auto)]
    id: i32,
    name: String,
}

#[tokio::test]
async fn keys_are_counted_past_those_that_were_given() {
    let schema = Schema::new().await;
    let db = &schema.db;
    db.create_tables::<Counted>().await.unwrap();
    let named = |id: i32| Counted { id, name: "given".to_owned() };
    db.add(named(1)).await.unwrap();
    assert_eq!(db.add(new!(Counted { name: "a" })).await.unwrap().id, 2);
    db.add_all([named(50), named(10)]).await.unwrap();
    assert_eq!(db.add(new!(Counted { name: "b" })).await.unwrap().id, 51);
    db.add_all([named(-7), named(20), named(0)]).await.unwrap();
    assert_eq!(db.add(new!(Counted { name: "c" })).await.unwrap().id, 52);
    db.add(named(50)).await.unwrap_err();
    assert_eq!(db.add(new!(Counted { name: "d" })).await.unwrap().id, 53);
    schema.end().await;
}

#[tokio::test]
async fn generated_keys_are_in_the_order_of_the_rows() {
    let schema = Schema::new().await;
    let db = &schema.db;
    db.create_tables::<Counted>().await.unwrap();
    let rows = (0..5_000).map(|n| new!(Counted { name: format!("{}", (n * 7_919) % 5_000) }));
    let added = db.add_all(rows).await.unwrap();
    assert!(added.iter().zip(1..).all(|(row, id)| row.id == id));
    assert_eq!(db.find_all::<Counted>().sort(Counted::id).all().await.unwrap(), added);
    schema.end().await;
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "dated")]
struct Dated {
    id: i64,
    day: Option<NaiveDate>,
    local: Option<NaiveDateTime>,
    instant: Option<DateTime<Utc>>,
}

#[tokio::test]
async fn infinity_is_a_decode_error_that_names_the_column() {
    let schema = Schema::new().await;
    let db = &schema.db;
    db.create_tables::<Dated>().await.unwrap();
    schema.run("INSERT INTO dated VALUES (1, 'infinity', NULL, NULL), (2, NULL, '-infinity', NULL), (3, NULL, NULL, 'infinity')").await;
    for (id, expected) in [(1, "day"), (2, "local"), (3, "instant")] {
        let error = db.get::<Dated>(id).await.unwrap_err();
        let ErrorKind::Decode { column, found, .. } = error.kind() else { panic!("{error:?}") };
        assert_eq!((column.as_str(), &**found), (expected, "infinity"));
    }
    schema.end().await;
}

#[tokio::test]
async fn dates_that_postgres_does_not_have_are_refused_before_sending() {
    let schema = Schema::new().await;
    let db = &schema.db;
    // There is no table: what was sent would be another error.
    let day = NaiveDate::from_ymd_opt(-10_000, 1, 1);
    let error = db.add(new!(Dated { id: 1, day })).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidValue { .. }), "{error}");
    let instant = DateTime::<Utc>::from_timestamp(0, 1).unwrap();
    let error = db.find(Dated::instant.lt(instant)).all().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidValue { .. }), "{error}");
    schema.end().await;
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "foreign_words")]
struct Word {
    id: i64,
    text: String,
    note: Option<String>,
}

#[tokio::test]
async fn a_table_of_another_collation_sorts_by_bytes_all_the_same() {
    let schema = Schema::new().await;
    let db = &schema.db;
    schema
        .run(r#"CREATE TABLE foreign_words (id bigint PRIMARY KEY, text varchar(40) COLLATE "en-US-x-icu" NOT NULL, note text)"#)
        .await;
    db.create_tables::<Word>().await.unwrap();
    for (id, text) in ["b", "B", "a", "\u{e4}", "Z"].into_iter().enumerate() {
        db.add(new!(Word { id: id as i64, text })).await.unwrap();
    }
    let sorted = db.find_all::<Word>().sort(Word::text).all().await.unwrap();
    let texts: Vec<&str> = sorted.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(texts, ["B", "Z", "a", "b", "\u{e4}"]);
    assert_eq!(db.find(Word::text.lt("a")).count().await.unwrap(), 2);
    assert_eq!(db.find(Word::text.starts_with("a")).count().await.unwrap(), 1);
    assert_eq!(db.find(Word::text.ieq("z")).count().await.unwrap(), 1);
    schema.end().await;
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "indexed")]
struct Indexed {
    #[ommi(auto)]
    id: i64,
    #[ommi(index)]
    text: String,
    #[ommi(index)]
    rank: Option<i32>,
}

/// The collation in the text, the order of NULLs, the wide numbers: an index serves each.
#[tokio::test]
async fn indexes_serve_what_is_asked() {
    let schema = Schema::new().await;
    let db = &schema.db;
    db.create_tables::<Indexed>().await.unwrap();
    db.add_all((0..5_000).map(|n| new!(Indexed { text: format!("t{n:05}"), rank: n % 1_000 }))).await.unwrap();
    schema.run("ANALYZE indexed").await;
    for find in [
        db.find(Indexed::text.starts_with("t0123")),
        db.find(Indexed::text.between("t00100", "t00200")),
        db.find(Indexed::text.eq("t00100")),
        db.find(Indexed::rank.in_([5, 7])),
        db.find(Indexed::rank.eq(5)),
        db.find_all::<Indexed>().sort(Indexed::text).limit(5),
        db.find_all::<Indexed>().sort(Indexed::text.desc()).limit(5),
        db.find_all::<Indexed>().sort(Indexed::rank).limit(5),
        db.find_all::<Indexed>().sort(Indexed::rank.desc()).limit(5),
    ] {
        let explanation = find.explain().unwrap();
        let mut text = format!("EXPLAIN {}", explanation.statement());
        for (i, value) in explanation.binds().iter().enumerate().rev() {
            let literal = match value {
                ommi::value::Value::Text(text) => format!("'{text}'"),
                other => other.reveal().to_string(),
            };
            let literal = if text.contains("ANY(") { "'{5,7}'".to_owned() } else { literal };
            text = text.replace(&format!("${}", i + 1), &literal);
        }
        let plan: Vec<String> = ommi::postgres::sqlx::query_scalar(ommi::postgres::sqlx::AssertSqlSafe(text.clone()))
            .fetch_all(&schema.pool)
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("Index") && !plan.contains("Seq Scan"), "{text}\n{plan}");
    }
    schema.end().await;
}
