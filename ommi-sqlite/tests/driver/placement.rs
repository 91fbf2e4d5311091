//! Where statements run: long ones on another thread, short ones in place without keeping others waiting.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use ommi_core::DBResult;
use ommi_core::ErrorKind;
use ommi_core::ast::{Condition, Delete, Select, Update};
use ommi_core::driver::{Answer, Context, Executor, Row, RowSink};
use ommi_core::value::Value;

use crate::support::*;
use crate::transaction::slow;

/// Notes the threads on which rows are decoded, and how often it was cleared.
#[derive(Clone, Default)]
struct Where {
    threads: Arc<Mutex<Vec<ThreadId>>>,
    cleared: Arc<AtomicUsize>,
    rows: usize,
}

impl RowSink for Where {
    fn row(&mut self, row: &mut dyn Row) -> DBResult<()> {
        row.value(0)?;
        let here = std::thread::current().id();
        let mut threads = self.threads.lock().unwrap();
        if threads.last() != Some(&here) {
            threads.push(here);
        }
        self.rows += 1;
        Ok(())
    }

    fn clear(&mut self) {
        self.rows = 0;
        self.cleared.fetch_add(1, Ordering::Relaxed);
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn fork(&self) -> Box<dyn RowSink> {
        Box::new(Where { rows: 0, ..self.clone() })
    }

    fn absorb(&mut self, fork: Box<dyn RowSink>) {
        self.rows += fork.len();
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

#[tokio::test]
async fn a_long_read_moves_to_a_thread_and_is_remembered() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 0..50_000)).await.unwrap();
    let here = std::thread::current().id();
    let (all, context) = (Select::new(model.clone()), Context::new());
    let mut sink = Where::default();
    driver.fetch(&all, &mut sink, &context).await.unwrap();
    assert_eq!(sink.rows, 50_000);
    assert_eq!(sink.cleared.load(Ordering::Relaxed), 1);
    let threads = sink.threads.lock().unwrap().clone();
    assert!(threads.len() == 2 && threads[0] == here && threads[1] != here);
    // The second time it goes there at once.
    let mut sink = Where::default();
    driver.fetch(&all, &mut sink, &context).await.unwrap();
    assert!(!sink.threads.lock().unwrap().contains(&here));
    assert_eq!((sink.rows, sink.cleared.load(Ordering::Relaxed)), (50_000, 0));
    // Short again, it comes back.
    delete(&driver, &model, Condition::compare(ommi_core::ast::CompareOp::Gt, col(0), int(10))).await.unwrap();
    for _ in 0..2 {
        sink = Where::default();
        driver.fetch(&all, &mut sink, &context).await.unwrap();
        assert_eq!(sink.rows, 10);
    }
    assert_eq!(*sink.threads.lock().unwrap(), [here]);
}

#[tokio::test]
async fn short_statements_are_ready_when_they_are_asked_for() {
    let model = users();
    let driver = memory(&[&model]).await;
    let context = Context::new();
    let mut sink = Keep::new(1);
    let mut new = new_users(&model, 0..10);
    assert!(matches!(driver.insert(&mut new, &mut sink, &context), Answer::Ready(Some(Ok(10)))));
    let point = select(&model, eq(0, Value::Int(3)));
    assert!(matches!(driver.fetch(&point, &mut sink, &context), Answer::Ready(Some(Ok(())))));
    let by_unique = Update::new(model.clone(), vec![set(2, Value::Int(5))], eq(1, text("user 000001")));
    assert!(matches!(driver.update(&by_unique, &context), Answer::Ready(Some(Ok(1)))));
    // Nothing says that this is short; and when it was, nothing says that it will be with other values.
    let by_visits = Delete::new(model.clone(), eq(2, Value::Int(5)));
    let answer = driver.delete(&by_visits, &context);
    assert!(matches!(answer, Answer::Later(_)));
    assert_eq!(answer.await.unwrap(), 2);
    let answer = driver.delete(&by_visits, &context);
    assert!(matches!(answer, Answer::Later(_)));
    assert_eq!(answer.await.unwrap(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_loop_of_reads_in_place_lets_other_tasks_run() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 0..10)).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let other = tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::task::yield_now().await;
            stop.store(true, Ordering::Relaxed);
        }
    });
    let point = select(&model, eq(0, Value::Int(3)));
    let mut reads = 0;
    while !stop.load(Ordering::Relaxed) {
        fetch(&driver, &point).await.unwrap();
        reads += 1;
        assert!(reads < 10_000, "the other task never ran");
    }
    other.await.unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn a_long_write_does_not_block_the_runtime() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 0..500)).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let ticks = tokio::spawn({
        let done = done.clone();
        async move {
            let mut longest = Duration::ZERO;
            let mut last = Instant::now();
            while !done.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(1)).await;
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
            longest
        }
    });
    let long = Update::new(model.clone(), vec![set(2, Value::Int(1))], slow());
    let started = Instant::now();
    assert_eq!(update(&driver, &long).await.unwrap(), 0);
    let took = started.elapsed();
    done.store(true, Ordering::Relaxed);
    let longest = ticks.await.unwrap();
    assert!(longest < took / 2, "blocked for {longest:?} of {took:?}");
}

#[tokio::test]
async fn the_deadline_stops_the_database() {
    let model = users();
    let dir = TempDir::new();
    for driver in [memory(&[&model]).await, file(&dir, &[&model]).await] {
        insert(&driver, &mut new_users(&model, 0..20_000)).await.unwrap();
        let started = Instant::now();
        let mut sink = Keep::new(1);
        let error = driver.fetch(&select(&model, slow()), &mut sink, &soon()).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == Duration::from_millis(100)),
            "{error:?}"
        );
        let error = driver.delete(&Delete::new(model.clone(), slow()), &soon()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(2));
        let past = Context::new().with_timeout(Some(Duration::ZERO));
        let error = driver.fetch(&select(&model, eq(0, Value::Int(1))), &mut sink, &past).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
        assert_eq!(count(&driver, &model).await, 20_000);
    }
}

#[tokio::test]
async fn a_dropped_future_stops_its_statement_and_the_connection_comes_back() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 0..20_000)).await.unwrap();
    let context = Context::new();
    for _ in 0..3 {
        let mut sink = Keep::new(1);
        let long = select(&model, slow());
        assert!(
            tokio::time::timeout(Duration::from_millis(20), driver.fetch(&long, &mut sink, &context)).await.is_err()
        );
        let long = Delete::new(model.clone(), slow());
        assert!(tokio::time::timeout(Duration::from_millis(20), driver.delete(&long, &context)).await.is_err());
        let started = Instant::now();
        assert_eq!(count(&driver, &model).await, 20_000);
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_on_few_connections() {
    let model = users();
    let dir = TempDir::new();
    let driver = Arc::new(file(&dir, &[&model]).await);
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let (driver, model) = (driver.clone(), model.clone());
            tokio::spawn(async move {
                for i in 0..50 {
                    let id = task * 1_000 + i;
                    insert(&*driver, &mut new_users(&model, id..id + 1)).await.unwrap();
                    assert_eq!(fetch(&*driver, &select(&model, eq(1, user(id)[0].clone()))).await.unwrap().len(), 1);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(count(&*driver, &model).await, 1_600);
}

#[tokio::test]
async fn the_log_does_not_grow_without_end() {
    let model = users();
    let dir = TempDir::new();
    let driver = file(&dir, &[&model]).await;
    insert(&driver, &mut new_users(&model, 0..1)).await.unwrap();
    for i in 0..300 {
        let change = Update::new(model.clone(), vec![set(3, text("x".repeat(100_000 + i)))], eq(0, Value::Int(1)));
        update(&driver, &change).await.unwrap();
    }
    // 300 times 25 pages of 4 KiB were written: 30 MB, were there no checkpoints.
    let length = std::fs::metadata(dir.path("db-wal")).unwrap().len();
    assert!(length < 20_000_000, "{length}");
}

#[tokio::test]
async fn a_panic_of_the_application_in_decoding_is_its_own_and_leaves_the_pool_whole() {
    struct Panics;
    impl RowSink for Panics {
        fn row(&mut self, _: &mut dyn Row) -> DBResult<()> {
            panic!("in the application")
        }
        fn clear(&mut self) {}
        fn len(&self) -> usize {
            0
        }
        fn fork(&self) -> Box<dyn RowSink> {
            Box::new(Panics)
        }
        fn absorb(&mut self, _: Box<dyn RowSink>) {}
        fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
            self
        }
    }
    let model = users();
    let driver = Arc::new(memory(&[&model]).await);
    insert(&*driver, &mut new_users(&model, 0..10)).await.unwrap();
    let panicking = tokio::spawn({
        let (driver, model) = (driver.clone(), model.clone());
        async move {
            let all = Select::new(model);
            driver.fetch(&all, &mut Panics, &Context::new()).await
        }
    });
    assert!(panicking.await.unwrap_err().is_panic());
    assert_eq!(count(&*driver, &model).await, 10);
}
