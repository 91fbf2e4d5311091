//! A row that is added at once: the same as by `insert`, or nothing.

use ommi_core::ast::{Insert, OnConflict};
use ommi_core::driver::{Context, Driver, Executor};
use ommi_core::schema::SchemaRef;
use ommi_core::value::Value;
use ommi_core::{DBResult, ErrorKind};
use ommi_sqlite::{Mode, SqliteDriver, SqliteOptions, Synchronous};

use crate::support::*;

fn now(on: &dyn Executor, insert: &Insert) -> Option<DBResult<i64>> {
    on.insert_now(insert, &Context::new())
}

/// What triggers do with new rows that have these names.
const TRIGGERS: &str = "
    CREATE TRIGGER ignored BEFORE INSERT ON users WHEN NEW.name = 'ignored' BEGIN SELECT RAISE(IGNORE); END;
    CREATE TRIGGER refused BEFORE INSERT ON users WHEN NEW.name = 'refused' BEGIN SELECT RAISE(ABORT, 'no'); END;
    CREATE TRIGGER undone BEFORE INSERT ON users WHEN NEW.name = 'undone' BEGIN SELECT RAISE(ROLLBACK, 'no'); END;";

async fn with_triggers(dir: &TempDir, model: &SchemaRef) -> SqliteDriver {
    let driver = file(dir, &[model]).await;
    other_process(&dir.path("db")).execute_batch(TRIGGERS).unwrap();
    driver
}

fn named(model: &SchemaRef, name: &'static str) -> Insert {
    let mut insert = Insert::new(model.clone(), [1, 2, 3], vec![text(name), Value::Int(1), Value::Null], 1);
    insert.returning = [0].into();
    insert
}

fn with_key(model: &SchemaRef, key: i64, name: Value<'static>) -> Insert {
    Insert::new(model.clone(), [0, 1, 2, 3], vec![Value::Int(key), name, Value::Int(1), Value::Null], 1)
}

/// The key, or the error's kind and what it says.
fn outcome(result: DBResult<i64>) -> Result<i64, String> {
    result.map_err(|error| format!("{:?}: {error}", error.kind()))
}

#[tokio::test]
async fn it_gives_what_insert_gives() {
    let model = users();
    let rows = || {
        [
            named(&model, "a"),
            named(&model, "b"),
            named(&model, "ignored"),
            named(&model, "a"),
            named(&model, "refused"),
            with_key(&model, 90, text("c")),
            with_key(&model, 90, text("d")),
            with_key(&model, 91, Value::Null),
            with_key(&model, 92, text("ignored")),
            named(&model, "e"),
        ]
    };
    let (one, other) = (TempDir::new(), TempDir::new());
    let (here, there) = (with_triggers(&one, &model).await, with_triggers(&other, &model).await);
    for (place, (at_once, mut waiting)) in rows().into_iter().zip(rows()).enumerate() {
        let at_once = now(&here, &at_once).unwrap();
        let waiting = insert(&there, &mut waiting).await.map(|(_, keys)| match keys.first() {
            Some(key) => match key[0] {
                Value::Int(key) => key,
                _ => panic!("no number"),
            },
            None => 0,
        });
        assert_eq!(outcome(at_once), outcome(waiting), "{place}");
    }
    assert_eq!(count(&here, &model).await, 4);
    assert_eq!(count(&there, &model).await, 4);
    // None of it is the key of another row.
    assert!(matches!(now(&here, &named(&model, "ignored")).unwrap().unwrap_err().kind(), ErrorKind::Database));
}

#[tokio::test]
async fn in_a_transaction_it_is_a_part_of_it() {
    let model = users();
    let dir = TempDir::new();
    let driver = with_triggers(&dir, &model).await;
    let tx = driver.begin(&Default::default(), &Context::new()).await.unwrap();
    assert_eq!(now(&*tx, &named(&model, "a")).unwrap().unwrap(), 1);
    let mut inner = Context::new();
    inner.level = 1;
    tx.enter(1);
    assert_eq!(tx.insert_now(&named(&model, "b"), &inner).unwrap().unwrap(), 2);
    tx.enter(1);
    // The level that was abandoned is undone before it.
    assert_eq!(now(&*tx, &named(&model, "c")).unwrap().unwrap(), 2);
    assert_eq!(count(&*tx, &model).await, 2);
    assert_eq!(count(&driver, &model).await, 0);
    assert!(now(&*tx, &named(&model, "undone")).unwrap().is_err());
    // SQLite has rolled back: what came next would not be in a transaction.
    for _ in 0..2 {
        let error = now(&*tx, &named(&model, "d")).unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TransactionAborted), "{error:?}");
    }
    tx.rollback(&Context::new()).await.unwrap();
    assert_eq!(count(&driver, &model).await, 0);
}

#[tokio::test]
async fn what_has_to_wait_or_takes_long_is_left_to_insert() {
    let model = users();
    let dir = TempDir::new();
    let driver = file(&dir, &[&model]).await;
    let mut upsert = named(&model, "a");
    upsert.on_conflict = Some(OnConflict::new(vec![1], Vec::new()));
    let mut whole = named(&model, "a");
    whole.returning = [0, 1, 2, 3].into();
    let large = |name: usize| {
        let mut large = named(&model, "a");
        large.values[0] = text("x".repeat(name));
        large
    };
    assert!(now(&driver, &upsert).is_none());
    assert!(now(&driver, &whole).is_none());
    assert!(now(&driver, &new_users(&model, 0..2)).is_none());
    assert!(now(&driver, &large(300_000)).is_none());
    assert!(now(&driver, &large(200_000)).unwrap().is_ok());
    {
        let other = other_process(&dir.path("db"));
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(now(&driver, &named(&model, "a")).is_none());
        let tx = driver.begin(&Default::default(), &Context::new()).await.unwrap();
        assert!(now(&*tx, &named(&model, "a")).is_none());
        // The transaction has the connection.
        assert!(now(&driver, &named(&model, "a")).is_none());
        other.execute_batch("COMMIT").unwrap();
        assert!(now(&*tx, &named(&model, "a")).unwrap().is_ok());
        tx.commit(&Context::new()).await.unwrap();
    }
    assert_eq!(count(&driver, &model).await, 2);
    // A commit that waits for the disk.
    let dir = TempDir::new();
    let options = SqliteOptions::file(dir.path("db")).mode(Mode::ReadWriteCreate).synchronous(Synchronous::Full);
    let driver = with_tables(options, &[&model]).await;
    assert!(now(&driver, &named(&model, "a")).is_none());
    let tx = driver.begin(&Default::default(), &Context::new()).await.unwrap();
    assert!(now(&*tx, &named(&model, "a")).unwrap().is_ok());
    tx.commit(&Context::new()).await.unwrap();
    assert_eq!(count(&driver, &model).await, 1);
}

#[tokio::test]
async fn past_its_time_nothing_is_added() {
    let model = users();
    let driver = memory(&[&model]).await;
    let mut late = Context::new().with_timeout(Some(std::time::Duration::from_millis(1)));
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let error = driver.insert_now(&named(&model, "a"), &late).unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error:?}");
    late.limit = None;
    assert!(driver.insert_now(&named(&model, "a"), &late).unwrap().is_ok());
    assert_eq!(count(&driver, &model).await, 1);
}
