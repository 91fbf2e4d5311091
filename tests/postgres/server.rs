//! What the server is left with.

use std::time::{Duration, Instant};

use futures::FutureExt;
use ommi::postgres::{PostgresDriver, PostgresOptions, sqlx};
use ommi::prelude::*;

use crate::support::{Schema, options};

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    #[ommi(auto)]
    id: i64,
    text: String,
    #[ommi(default = 0)]
    count: i64,
}

async fn items(schema: &Schema, count: usize) {
    schema.db.create_tables::<Item>().await.unwrap();
    let text = "a long text in which something is looked for ".repeat(20);
    schema.db.add_all((0..count).map(|_| new!(Item { text: &text }))).await.unwrap();
}

/// A condition that takes minutes.
fn slow() -> Predicate<Item> {
    ommi::any_of((0..3_000).map(|n| Item::text.icontains(format!("nothing {n}"))))
}

async fn soon_idle(schema: &Schema) {
    let started = Instant::now();
    while schema.at_work().await > 0 {
        assert!(started.elapsed() < Duration::from_secs(10), "something is still at work");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_timeout_ends_the_work_and_keeps_the_connection() {
    let schema = Schema::with(|options| options.max_connections(1)).await;
    items(&schema, 3_000).await;
    let pid = schema.number("SELECT pg_backend_pid()::int8").await;
    let started = Instant::now();
    let error = schema.db.find(slow()).count().timeout(Duration::from_millis(100)).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == Duration::from_millis(100)),
        "{error:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(schema.number("SELECT pg_backend_pid()::int8").await, pid);
    schema.end().await;
}

#[tokio::test]
async fn a_dropped_stream_ends_its_statement() {
    let schema = Schema::new().await;
    items(&schema, 20_000).await;
    let mut rows = schema.db.find_all::<Item>().batch(10).stream();
    for _ in 0..25 {
        assert!(rows.try_next().await.unwrap().is_some());
    }
    assert!(schema.at_work().await > 0, "the server waits for the reader");
    drop(rows);
    soon_idle(&schema).await;
    schema.end().await;
}

#[tokio::test]
async fn a_dropped_transaction_frees_its_locks_at_once() {
    let schema = Schema::new().await;
    items(&schema, 3_000).await;
    let db = &schema.db;
    let update = || db.find(Item::id.eq(1)).update(Item::count.increment(1)).timeout(Duration::from_secs(10));
    let tx = db.begin().await.unwrap();
    tx.find(Item::id.eq(1)).update(Item::count.set(7)).await.unwrap();
    drop(tx);
    assert_eq!(update().await.unwrap(), 1);
    // In the middle of a statement, too.
    let tx = db.begin().await.unwrap();
    tx.find(Item::id.eq(1)).update(Item::count.set(7)).await.unwrap();
    let long = tx.find(slow()).count();
    assert!(tokio::time::timeout(Duration::from_millis(100), long).await.is_err());
    let started = Instant::now();
    drop(tx);
    assert_eq!(update().await.unwrap(), 1);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(db.get::<Item>(1).await.unwrap().count, 2);
    soon_idle(&schema).await;
    schema.end().await;
}

#[tokio::test]
async fn closing_waits_for_what_was_dropped() {
    let schema = Schema::new().await;
    items(&schema, 3).await;
    let tx = schema.db.begin().await.unwrap();
    tx.find(Item::id.eq(1)).update(Item::count.set(7)).await.unwrap();
    drop(tx);
    schema.db.close().await;
    let again = Schema::new().await;
    assert!(schema.db.find_all::<Item>().count().await.is_err());
    again.drop_other(&schema).await;
    again.end().await;
}

#[tokio::test]
async fn after_the_server_ended_the_connections_the_pool_recovers() {
    let schema = Schema::new().await;
    items(&schema, 3_000).await;
    let db = schema.db.clone();
    let in_flight = tokio::spawn(async move { db.find(slow()).count().await });
    let tx = schema.db.begin().await.unwrap();
    tx.find(Item::id.eq(1)).update(Item::count.set(7)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(schema.kill_connections().await >= 2);
    let error = in_flight.await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Connection) && error.is_retryable(), "{error:?}");
    let error = tx.find(Item::id.eq(1)).count().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Connection) && error.is_retryable(), "{error:?}");
    drop(tx);
    // Connections that were idle for less than a second are not asked whether they live.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    for _ in 0..10 {
        assert_eq!(schema.db.find(Item::count.eq(7)).count().await.unwrap(), 0);
    }
    schema.end().await;
}

#[tokio::test]
async fn what_cannot_be_connected_to_is_a_connection_error_at_once() {
    let started = Instant::now();
    let kind = async |options: PostgresOptions| options.connect().await.unwrap_err();
    let refused = kind(PostgresOptions::parse("postgres://u@127.0.0.1:1/db?sslmode=disable").unwrap()).await;
    assert!(matches!(refused.kind(), ErrorKind::Connection) && refused.is_retryable(), "{refused:?}");
    let unknown = kind(options().database("there_is_no_such_database")).await;
    assert!(matches!(unknown.kind(), ErrorKind::Connection) && !unknown.is_retryable(), "{unknown:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_pool_of_ones_own_serves() {
    let schema = Schema::new().await;
    items(&schema, 2).await;
    let db = Ommi::new(PostgresDriver::from_pool(schema.pool.clone()));
    assert_eq!(db.find_all::<Item>().count().await.unwrap(), 2);
    schema.end().await;
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused_however_it_is_opened() {
    let schema = Schema::new().await;
    let name = format!("latin_{}", uuid::Uuid::new_v4().simple());
    let run = async |text: String| sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&schema.pool).await.unwrap();
    // Its collation has to go with the encoding, which ICU's do not.
    let version = schema.number("SELECT current_setting('server_version_num')::int8").await;
    let provider = if version >= 150_000 { "LOCALE_PROVIDER libc" } else { "" };
    run(format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' {provider} LC_COLLATE 'C' LC_CTYPE 'C'"))
        .await;
    let refused = |error: DBError| {
        assert!(matches!(error.kind(), ErrorKind::Configuration { .. }), "{error:?}");
        assert!(error.to_string().contains("LATIN1"), "{error}");
    };
    refused(options().database(&name).connect().await.unwrap_err());
    let settings = (*schema.pool.connect_options()).clone().database(&name);
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_with(settings).await.unwrap();
    let db = Ommi::new(PostgresDriver::from_pool(pool));
    for _ in 0..2 {
        refused(db.create_tables::<Item>().await.unwrap_err());
        refused(db.find_all::<Item>().count().await.unwrap_err());
    }
    db.close().await;
    run(format!("DROP DATABASE {name}")).await;
    schema.end().await;
}

#[tokio::test]
async fn the_servers_own_limit_is_a_timeout() {
    let schema = Schema::with(|options| options.statement_timeout(Duration::from_millis(300))).await;
    items(&schema, 2_000).await;
    let error = schema.db.find(slow()).count().await.unwrap_err();
    let told = matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == Duration::from_millis(300));
    assert!(told, "{error:?}");
    assert_eq!(schema.db.find_all::<Item>().count().await.unwrap(), 2_000);
    schema.end().await;
}

/// The pool's connections are dropped where there is no runtime, and nothing panics.
#[test]
fn a_transaction_that_outlives_its_runtime_is_dropped_in_peace() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let schema = runtime.block_on(Schema::new());
    let tx = runtime.block_on(async {
        items(&schema, 1).await;
        let tx = schema.db.begin().await.unwrap();
        tx.add(new!(Item { text: "x" })).await.unwrap();
        tx
    });
    drop(tx);
    let outside = schema.db.find_all::<Item>().count().now_or_never().unwrap().unwrap_err();
    assert!(matches!(outside.kind(), ErrorKind::Connection), "{outside:?}");
    let (tx, mut rows) = runtime.block_on(async {
        let tx = schema.db.begin().await.unwrap();
        tx.add(new!(Item { text: "y" })).await.unwrap();
        let mut rows = schema.db.find_all::<Item>().stream();
        rows.try_next().await.unwrap();
        (tx, rows)
    });
    drop(runtime);
    drop(tx);
    assert!(rows.try_next().now_or_never().is_none_or(|row| row.is_ok_and(|row| row.is_none())));
    drop(rows);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let again = Schema::new().await;
        again.drop_other(&schema).await;
        again.end().await;
    });
}

/// Concurrent serialization failures and deadlocks may be run again.
#[tokio::test]
async fn a_deadlock_is_a_retryable_conflict() {
    let schema = Schema::new().await;
    items(&schema, 2).await;
    let (one, two) = (schema.db.begin().await.unwrap(), schema.db.begin().await.unwrap());
    one.find(Item::id.eq(1)).update(Item::count.set(1)).await.unwrap();
    two.find(Item::id.eq(2)).update(Item::count.set(1)).await.unwrap();
    let first = async move {
        let result = one.find(Item::id.eq(2)).update(Item::count.set(2)).await;
        one.rollback().await.unwrap();
        result
    };
    let second = async move {
        let result = two.find(Item::id.eq(1)).update(Item::count.set(2)).await;
        two.rollback().await.unwrap();
        result
    };
    let both = futures::future::join(first, second);
    let (first, second) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    let failed = first.err().or(second.err()).unwrap();
    assert!(matches!(failed.kind(), ErrorKind::Conflict) && failed.is_retryable(), "{failed:?}");
    schema.end().await;
}

/// Their number has 16 bits in the protocol.
#[tokio::test]
async fn more_values_than_a_statement_binds_are_not_sent() {
    let schema = Schema::with(|options| options.max_connections(1)).await;
    items(&schema, 3).await;
    let pid = schema.number("SELECT pg_backend_pid()::int8").await;
    let any_of = |count: i64| ommi::any_of((1..=count).map(|id| Item::id.eq(id)));
    let refused = |error: DBError| {
        assert!(matches!(error.kind(), ErrorKind::TooLarge) && !error.is_retryable(), "{error:?}");
        assert!(error.to_string().contains("65535"), "{error}");
    };
    refused(schema.db.find(any_of(70_000)).all().await.unwrap_err());
    let mut tx = schema.db.begin().await.unwrap();
    tx.add(new!(Item { text: "kept" })).await.unwrap();
    refused(tx.find(any_of(70_000)).count().await.unwrap_err());
    refused(tx.find(any_of(70_000)).delete().await.unwrap_err());
    refused(tx.find(any_of(70_000)).stream().try_next().await.unwrap_err());
    let inner = tx.begin().await.unwrap();
    refused(inner.find(any_of(70_000)).update(Item::count.set(1)).await.unwrap_err());
    inner.add(new!(Item { text: "kept" })).await.unwrap();
    inner.commit().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(schema.db.find(Item::id.in_(1..=70_000)).count().await.unwrap(), 5);
    assert_eq!(schema.number("SELECT pg_backend_pid()::int8").await, pid, "the connection is as good as before");
    schema.end().await;
}

/// Added without it, a key would be counted to later, and somebody else's row refused.
#[tokio::test]
async fn a_key_that_the_counter_cannot_pass_is_refused() {
    let schema = Schema::with(|options| options.max_connections(1)).await;
    items(&schema, 1).await;
    schema.run("DO $$ BEGIN CREATE ROLE ommi_test_writer; EXCEPTION WHEN duplicate_object THEN NULL; END $$").await;
    let grants = "DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO ommi_test_writer', current_schema()); END $$;
        GRANT SELECT, INSERT ON items TO ommi_test_writer; SET ROLE ommi_test_writer";
    schema.run(grants).await;
    let with_key = || new!(Item { id: 5, text: "with a key" });
    let refused = |error: DBError| {
        assert!(matches!(error.kind(), ErrorKind::Database) && !error.is_retryable(), "{error:?}");
        assert!(error.to_string().contains("items_id_seq") && error.to_string().contains("UPDATE"), "{error}");
    };
    refused(schema.db.add(with_key()).await.unwrap_err());
    let tx = schema.db.begin().await.unwrap();
    refused(tx.add(with_key()).await.unwrap_err());
    tx.rollback().await.unwrap();
    schema
        .run("RESET ROLE; GRANT USAGE, UPDATE ON SEQUENCE items_id_seq TO ommi_test_writer; SET ROLE ommi_test_writer")
        .await;
    schema.db.add(with_key()).await.unwrap();
    assert_eq!(schema.db.add(new!(Item { text: "counted" })).await.unwrap().id, 6);
    schema.run("RESET ROLE; DROP OWNED BY ommi_test_writer; DROP ROLE ommi_test_writer").await;
    schema.end().await;
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "foreign_texts")]
struct ForeignText {
    id: i64,
    text: String,
}

#[tokio::test]
async fn text_too_long_for_a_foreign_column_violates_it() {
    let schema = Schema::new().await;
    schema.run("CREATE TABLE foreign_texts (id bigint PRIMARY KEY, text varchar(3) NOT NULL)").await;
    let row = |text: &str| ForeignText { id: 1, text: text.to_owned() };
    let error = schema.db.add(row("four")).await.unwrap_err();
    let constraint = error.constraint().unwrap();
    assert_eq!((constraint.kind(), constraint.table()), (ommi::ConstraintKind::Check, Some("foreign_texts")));
    schema.db.add(row("the")).await.unwrap();
    schema.end().await;
}
