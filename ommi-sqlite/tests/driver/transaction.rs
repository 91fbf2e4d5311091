//! Transactions: commit, rollback, drop, waiting, and what an interrupt leaves.

use std::time::{Duration, Instant};

use ommi_core::ErrorKind;
use ommi_core::ast::{Condition, Select, Update};
use ommi_core::driver::{Begin, Context, Driver, LevelEnd};
use ommi_sqlite::{Mode, SqliteOptions, Synchronous};

use crate::support::*;

#[tokio::test]
async fn what_is_committed_stays_and_what_is_not_goes() {
    let model = users();
    let dir = TempDir::new();
    for driver in [memory(&[&model]).await, file(&dir, &[&model]).await] {
        let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
        tx.commit(&Context::new()).await.unwrap();
        let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
        insert(&*tx, &mut new_users(&model, 0..2)).await.unwrap();
        assert_eq!(count(&*tx, &model).await, 2);
        tx.commit(&Context::new()).await.unwrap();
        let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
        insert(&*tx, &mut new_users(&model, 2..4)).await.unwrap();
        tx.rollback(&Context::new()).await.unwrap();
        let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
        insert(&*tx, &mut new_users(&model, 4..400)).await.unwrap();
        drop(tx);
        assert_eq!(count(&driver, &model).await, 2);
        // A statement that failed leaves the rest.
        let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
        insert(&*tx, &mut new_users(&model, 10..11)).await.unwrap();
        assert!(insert(&*tx, &mut new_users(&model, 0..1)).await.is_err());
        tx.commit(&Context::new()).await.unwrap();
        assert_eq!(count(&driver, &model).await, 3);
    }
}

#[tokio::test]
async fn in_a_file_readers_see_what_was_committed_and_wait_for_nobody() {
    let model = users();
    let dir = TempDir::new();
    let driver = file(&dir, &[&model]).await;
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    insert(&*tx, &mut new_users(&model, 0..1)).await.unwrap();
    assert_eq!(count(&driver, &model).await, 0);
    tx.commit(&Context::new()).await.unwrap();
    assert_eq!(count(&driver, &model).await, 1);
}

#[tokio::test]
async fn who_waits_for_the_writer_waits_in_line_and_not_for_ever() {
    let model = users();
    let dir = TempDir::new();
    let options =
        SqliteOptions::file(dir.path("db")).mode(Mode::ReadWriteCreate).acquire_timeout(Duration::from_millis(100));
    for options in [options, SqliteOptions::memory().acquire_timeout(Duration::from_millis(100))] {
        let driver = with_tables(options, &[&model]).await;
        let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
        let started = Instant::now();
        let error = insert(&driver, &mut new_users(&model, 0..1)).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == Duration::from_millis(100)),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(text.contains("was in use all the time"), "{error}");
        assert!(text.contains("by the transaction that began at") && text.contains(file!()), "{error}");
        assert!(started.elapsed() >= Duration::from_millis(100));
        let error = driver
            .begin(&Begin::default(), &Context::new().with_timeout(Some(Duration::from_millis(10))))
            .await
            .map(drop)
            .unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == Duration::from_millis(10)),
            "{error:?}"
        );
        // Those who gave up are in nobody's way.
        let (mut one, mut other) = (new_users(&model, 0..1), new_users(&model, 1..2));
        let (one, other, ()) = tokio::join!(insert(&driver, &mut one), insert(&driver, &mut other), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(tx);
        });
        assert_eq!((one.unwrap().1[0][0].clone(), other.unwrap().1[0][0].clone()), (1.into_value(), 2.into_value()));
    }
}

trait IntoValue {
    fn into_value(self) -> ommi_core::value::Value<'static>;
}

impl IntoValue for i64 {
    fn into_value(self) -> ommi_core::value::Value<'static> {
        ommi_core::value::Value::Int(self)
    }
}

#[tokio::test]
async fn two_statements_of_a_transaction_take_turns() {
    let model = users();
    let driver = memory(&[&model]).await;
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    let (mut one, mut other) = (new_users(&model, 0..1_000), new_users(&model, 1_000..2_000));
    let (one, other) = tokio::join!(insert(&*tx, &mut one), insert(&*tx, &mut other));
    assert_eq!((one.unwrap().0, other.unwrap().0), (1_000, 1_000));
    tx.commit(&Context::new()).await.unwrap();
    assert_eq!(count(&driver, &model).await, 2_000);
}

/// Whoever waits for the turn gets it before one that comes later, however often that comes.
#[tokio::test]
async fn a_statement_of_a_transaction_does_not_wait_for_all_of_its_siblings() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 0..10)).await.unwrap();
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    let done = std::cell::Cell::new(0);
    let context = Context::new();
    let many = async {
        // Not by key, so each runs on another thread and holds the turn meanwhile.
        let update = Update::new(model.clone(), vec![set(2, 1.into_value())], Condition::True);
        for _ in 0..200 {
            tx.update(&update, &context).await.unwrap();
            done.set(done.get() + 1);
        }
    };
    let one = async {
        let before = done.get();
        assert_eq!(count(&*tx, &model).await, 10);
        assert!(done.get() - before < 5, "{before} were done when it came, and {} when it had its turn", done.get());
    };
    tokio::join!(many, one);
    assert_eq!(done.get(), 200);
}

/// SQLite looks now and then whether to stop, also in what begins and ends levels, when that has just been done.
#[tokio::test]
async fn what_begins_and_ends_a_level_is_not_stopped_half_way() {
    let model = users();
    let driver = memory(&[&model]).await;
    let mut inner = Context::new();
    inner.level = 1;
    for round in 0..2_000 {
        let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
        tx.enter(1);
        // It may be over before the statement, or in the midst of it, but not between the transaction and its level.
        let soon = inner.clone().with_timeout(Some(Duration::from_micros(round % 40)));
        let mut sink = Keep::new(1);
        let read = tx.fetch(&select(&model, eq(0, 1.into_value())), &mut sink, &soon).await;
        let end = if read.is_ok() { LevelEnd::Keep } else { LevelEnd::Undo };
        tx.leave(1, end, &inner).await.unwrap();
        insert(&*tx, &mut new_users(&model, 1..2)).await.unwrap();
        assert_eq!(count(&*tx, &model).await, 1, "{round}");
        tx.rollback(&Context::new()).await.unwrap();
    }
}

#[tokio::test]
async fn an_interrupted_write_ends_its_transaction_and_nothing_runs_outside_of_it() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 0..10_000)).await.unwrap();
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    delete(&*tx, &model, eq(0, 1.into_value())).await.unwrap();
    // Takes as long as it is let: every row is compared with a list that no index serves.
    let long = Update::new(model.clone(), vec![set(2, 1.into_value())], slow());
    // Time enough to begin, on a busy machine too.
    let limit = Context::new().with_timeout(Some(Duration::from_millis(300)));
    let error = tx.update(&long, &limit).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error:?}");
    let error = insert(&*tx, &mut new_users(&model, 20_000..20_001)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TransactionAborted), "{error:?}");
    assert!(matches!(tx.commit(&Context::new()).await.unwrap_err().kind(), ErrorKind::TransactionAborted));
    assert_eq!(count(&driver, &model).await, 10_000);
}

/// A condition that no database is quick with.
pub(crate) fn slow() -> Condition {
    let contains = |i: i64| Condition::Text {
        op: ommi_core::ast::TextOp::Contains,
        ignore_case: true,
        expr: col(1),
        needle: ommi_core::ast::Expr::Value(text(format!("{i}, which is not there"))),
    };
    Condition::Or((0..2_000).map(contains).collect())
}

#[tokio::test]
async fn a_dropped_statement_in_a_transaction_leaves_the_pool_clean() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 0..10_000)).await.unwrap();
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    delete(&*tx, &model, eq(0, 1.into_value())).await.unwrap();
    let context = Context::new();
    let long = select(&model, slow());
    let mut sink = Keep::new(1);
    let read = tx.fetch(&long, &mut sink, &context);
    assert!(tokio::time::timeout(Duration::from_millis(50), read).await.is_err());
    drop(tx);
    let started = Instant::now();
    assert_eq!(count(&driver, &model).await, 10_000);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn commits_that_wait_for_the_disk_do_so_elsewhere() {
    let model = users();
    let dir = TempDir::new();
    let options = SqliteOptions::file(dir.path("db")).mode(Mode::ReadWriteCreate).synchronous(Synchronous::Full);
    let driver = with_tables(options, &[&model]).await;
    insert(&driver, &mut new_users(&model, 0..1)).await.unwrap();
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    insert(&*tx, &mut new_users(&model, 1..2)).await.unwrap();
    tx.commit(&Context::new()).await.unwrap();
    assert_eq!(fetch(&driver, &Select::new(model.clone())).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_transaction_that_cannot_be_committed_has_not_happened() {
    let model = users();
    let dir = TempDir::new();
    let path = dir.path("db");
    other_process(&path)
        .execute_batch(
            "CREATE TABLE parents (id INTEGER PRIMARY KEY);
             CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, visits INTEGER NOT NULL REFERENCES parents
                DEFERRABLE INITIALLY DEFERRED, note TEXT);",
        )
        .unwrap();
    let driver = SqliteOptions::file(&path).connect().await.unwrap();
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    insert(&*tx, &mut new_users(&model, 1..2)).await.unwrap();
    let error = tx.commit(&Context::new()).await.unwrap_err();
    assert_eq!(error.constraint().unwrap().kind(), ommi_core::ConstraintKind::ForeignKey);
    assert_eq!(count(&driver, &model).await, 0);
}

/// What would go to a thread of the runtime's runs in place where there is none, the ends of the transaction included.
#[test]
fn outside_of_a_runtime_a_transaction_that_takes_long_comes_to_its_end() {
    let model = users();
    futures::executor::block_on(async {
        let driver = memory(&[&model]).await;
        let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
        // More than is written in place.
        insert(&*tx, &mut new_users(&model, 0..1_000)).await.unwrap();
        let mut inner = Context::new();
        inner.level = 1;
        for (first, end) in [(1_000, LevelEnd::Undo), (2_000, LevelEnd::Keep)] {
            tx.enter(1);
            tx.insert(&mut new_users(&model, first..first + 500), &mut Keep::new(1), &inner).await.unwrap();
            tx.leave(1, end, &inner).await.unwrap();
        }
        // Also with a limit of time, which takes no timer where nothing is waited for.
        tx.commit(&soon()).await.unwrap();
        assert_eq!(count(&driver, &model).await, 1_500);
    });
}

#[tokio::test]
async fn who_waits_for_an_operation_of_several_statements_is_told_so() {
    let model = users();
    let driver = with_tables(SqliteOptions::memory().acquire_timeout(Duration::from_millis(50)), &[&model]).await;
    let mut begin = Begin::default();
    begin.place = None;
    let tx = driver.begin(&begin, &Context::new()).await.unwrap();
    let error = insert(&driver, &mut new_users(&model, 0..1)).await.unwrap_err();
    assert!(error.to_string().contains("in use all the time, by an operation of several statements"), "{error}");
    drop(tx);
    insert(&driver, &mut new_users(&model, 0..1)).await.unwrap();
}
