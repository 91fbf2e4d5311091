//! What is stored, and what of it is read.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use ommi::postgres::sqlx;
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
async fn keys_that_are_given_at_once_are_all_counted_past() {
    let schema = Schema::with(|options| options.max_connections(8)).await;
    let db = &schema.db;
    db.create_tables::<Counted>().await.unwrap();
    let mut last = 0;
    for round in 0..60 {
        // Eight at a time, the greatest among the first or the last.
        let keys = (1..=8).map(|n| last + 10 * if round % 2 == 0 { n } else { 9 - n });
        let adds = keys.map(|id| async move { db.add(Counted { id, name: "given".to_owned() }).await });
        futures::future::try_join_all(adds).await.unwrap();
        let counted = db.add(new!(Counted { name: "counted" })).await.unwrap();
        assert_eq!(counted.id, last + 81, "round {round}");
        last = counted.id;
    }
    schema.end().await;
}

/// In the order that loses a key where nobody waits: one finds the counter behind, another moves it further, the first one moves it back.
#[tokio::test]
async fn a_counter_that_another_moves_meanwhile_is_not_moved_back() {
    let schema = Schema::new().await;
    let db = &schema.db;
    db.create_tables::<Counted>().await.unwrap();
    let mut other = schema.pool.begin().await.unwrap();
    let locked =
        "SELECT pg_advisory_xact_lock(1869442409, pg_get_serial_sequence('counteds', 'id')::regclass::oid::int4)";
    sqlx::query(locked).execute(&mut *other).await.unwrap();
    let waits = async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND classid = 1869442409 \
            AND objid = pg_get_serial_sequence('counteds', 'id')::regclass::oid";
        let started = std::time::Instant::now();
        while schema.number(waiting).await == 0 {
            assert!(started.elapsed() < std::time::Duration::from_secs(30), "it does not wait");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        sqlx::query("SELECT setval(pg_get_serial_sequence('counteds', 'id'), 10)").execute(&mut *other).await.unwrap();
        other.commit().await.unwrap();
    };
    let adds = db.add(Counted { id: 5, name: "given".to_owned() });
    let ((), added) = futures::join!(waits, adds);
    assert_eq!(added.unwrap().id, 5);
    assert_eq!(db.add(new!(Counted { name: "counted" })).await.unwrap().id, 11);
    schema.end().await;
}

/// Whoever moves the counter in a transaction holds nobody up: not those who count, and not those who move it too.
#[tokio::test]
async fn the_counter_is_moved_in_a_transaction_and_others_go_on() {
    let schema = Schema::new().await;
    let db = &schema.db;
    db.create_tables::<Counted>().await.unwrap();
    let named = |id: i32| Counted { id, name: "given".to_owned() };
    let tx = db.begin().await.unwrap();
    tx.add(named(50)).await.unwrap();
    let second = std::time::Duration::from_secs(10);
    assert_eq!(db.add(new!(Counted { name: "a" })).timeout(second).await.unwrap().id, 51);
    db.add(named(7)).timeout(second).await.unwrap();
    db.add(named(60)).timeout(second).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(db.add(new!(Counted { name: "b" })).await.unwrap().id, 61);
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
#[ommi(table = r#"it's "counted" \ here"#)]
struct Quoted {
    #[ommi(auto, column = r#"the 'id' \"#)]
    id: i64,
}

#[tokio::test]
async fn the_counter_is_moved_whatever_the_names() {
    for strings in ["on", "off"] {
        let schema = Schema::with(|options| options.setting("standard_conforming_strings", strings)).await;
        let db = &schema.db;
        db.create_tables::<Quoted>().await.unwrap();
        db.add(Quoted { id: 7 }).await.unwrap();
        db.transaction(async |tx| tx.add(Quoted { id: 50 }).await).await.unwrap();
        assert_eq!(db.add(new!(Quoted {})).await.unwrap().id, 51, "{strings}");
        schema.end().await;
    }
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

/// Whoever cannot tell which rows there are now has half of an operation.
#[tokio::test]
async fn after_rows_that_a_trigger_left_out_only_a_rollback_is_left() {
    let schema = Schema::new().await;
    let db = &schema.db;
    db.create_tables::<Counted>().await.unwrap();
    schema
        .run(
            "CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
            CREATE TRIGGER left_out BEFORE INSERT ON counteds FOR EACH ROW WHEN (NEW.name = 'out') EXECUTE FUNCTION leave_out();",
        )
        .await;
    let named = |name: &str| new!(Counted { name: name });
    assert!(matches!(db.add(named("out")).await.unwrap_err().kind(), ErrorKind::Database));
    for several in [false, true] {
        let tx = db.begin().await.unwrap();
        tx.add(named("a")).await.unwrap();
        let failed = match several {
            true => tx.add_all([named("b"), named("out")]).await.unwrap_err(),
            false => tx.add(named("out")).await.unwrap_err(),
        };
        assert!(matches!(failed.kind(), ErrorKind::Database), "{failed:?}");
        assert!(matches!(tx.add(named("c")).await.unwrap_err().kind(), ErrorKind::TransactionAborted));
        assert!(matches!(tx.commit().await.unwrap_err().kind(), ErrorKind::TransactionAborted));
        assert_eq!(db.find_all::<Counted>().count().await.unwrap(), 0);
    }
    schema.end().await;
}
