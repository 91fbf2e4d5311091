//! Streams: in pieces, dropped early, beside other statements, in transactions.

use std::time::{Duration, Instant};

use ommi_core::ErrorKind;
use ommi_core::ast::{Direction, Select, Sort};
use ommi_core::driver::{Begin, Context, Driver, Executor, RowSink, RowStream};
use ommi_core::value::Value;

use crate::support::*;
use crate::transaction::slow;

async fn next(stream: &mut (dyn RowStream + '_)) -> Option<Vec<Vec<Value<'static>>>> {
    let piece = stream.next().await.unwrap()?;
    Some(piece.into_any().downcast::<Keep>().unwrap().rows)
}

fn in_order(model: &ommi_core::schema::SchemaRef) -> Select {
    let mut select = Select::new(model.clone());
    select.sort = vec![Sort::new(col(0), Direction::Ascending)];
    select
}

fn sink() -> Box<dyn RowSink> {
    Box::new(Keep::new(1))
}

#[tokio::test]
async fn pieces_hold_every_row_once_and_in_order() {
    let model = users();
    let dir = TempDir::new();
    for driver in [memory(&[&model]).await, file(&dir, &[&model]).await] {
        for rows in [0, 1, 99, 100, 101, 5_000] {
            delete(&driver, &model, ommi_core::ast::Condition::True).await.unwrap();
            insert_some(&driver, &model, rows).await;
            let mut context = Context::new();
            context.batch = 100;
            let mut stream = driver.stream(in_order(&model), sink(), context).await.unwrap();
            let mut seen = Vec::new();
            while let Some(piece) = next(&mut *stream).await {
                assert!((1..=100).contains(&piece.len()));
                seen.extend(piece);
            }
            assert!(stream.next().await.unwrap().is_none());
            assert_eq!(seen.len() as i64, rows);
            assert!(seen.is_sorted_by_key(|row| if let Value::Int(id) = row[0] { id } else { 0 }));
        }
    }
}

async fn insert_some(driver: &dyn Executor, model: &ommi_core::schema::SchemaRef, rows: i64) {
    if rows > 0 {
        insert(driver, &mut new_users(model, 0..rows)).await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_ends_soon_and_gives_its_connection_back() {
    let model = users();
    let dir = TempDir::new();
    let options = ommi_sqlite::SqliteOptions::file(dir.path("db")).mode(ommi_sqlite::Mode::ReadWriteCreate).readers(1);
    for driver in [memory(&[&model]).await, with_tables(options, &[&model]).await] {
        insert(&driver, &mut new_users(&model, 0..20_000)).await.unwrap();
        for _ in 0..20 {
            let mut stream = driver.stream(in_order(&model), sink(), Context::new()).await.unwrap();
            assert_eq!(next(&mut *stream).await.unwrap().len(), Context::DEFAULT_BATCH);
            drop(stream);
            // Before its first row, too.
            drop(driver.stream(in_order(&model), sink(), Context::new()).await.unwrap());
        }
        let mut long = in_order(&model);
        long.filter = slow();
        drop(driver.stream(long, sink(), Context::new()).await.unwrap());
        let started = Instant::now();
        assert_eq!(count(&driver, &model).await, 20_000);
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}

/// Each of them waits for one more connection than there are.
#[tokio::test]
async fn streams_on_all_connections_do_not_wait_for_each_other() {
    let model = users();
    let dir = TempDir::new();
    let options = ommi_sqlite::SqliteOptions::file(dir.path("db")).mode(ommi_sqlite::Mode::ReadWriteCreate);
    let options = options.readers(2).acquire_timeout(Duration::from_secs(10));
    let driver = with_tables(options, &[&model]).await;
    insert(&driver, &mut new_users(&model, 0..5_000)).await.unwrap();
    let reads = (0..4).map(|_| async {
        let mut stream = driver.stream(in_order(&model), sink(), Context::new()).await.unwrap();
        let mut seen = 0;
        while let Some(piece) = next(&mut *stream).await {
            seen += piece.len();
            assert_eq!(count(&driver, &model).await, 5_000);
        }
        seen
    });
    assert_eq!(futures::future::join_all(reads).await, [5_000; 4]);
}

#[tokio::test]
async fn a_database_in_memory_can_be_used_while_a_stream_is_open() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 0..5_000)).await.unwrap();
    let mut stream = driver.stream(in_order(&model), sink(), Context::new()).await.unwrap();
    let mut seen = 0;
    while let Some(piece) = next(&mut *stream).await {
        seen += piece.len();
        for row in piece.iter().take(2) {
            assert_eq!(delete(&driver, &model, eq(0, row[0].clone())).await.unwrap(), 1);
        }
    }
    assert_eq!(seen, 5_000);
    assert!(count(&driver, &model).await < 5_000);
}

#[tokio::test]
async fn a_stream_in_a_transaction_sees_it_and_gives_the_turn_back() {
    let model = users();
    let driver = memory(&[&model]).await;
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    insert(&*tx, &mut new_users(&model, 0..2_000)).await.unwrap();
    let mut stream = tx.stream(in_order(&model), sink(), Context::new()).await.unwrap();
    assert!(next(&mut *stream).await.is_some());
    drop(stream);
    assert_eq!(count(&*tx, &model).await, 2_000);
    tx.commit(&Context::new()).await.unwrap();
    assert_eq!(count(&driver, &model).await, 2_000);
}

#[tokio::test]
async fn errors_of_a_stream() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 0..10_000)).await.unwrap();
    let mut long = in_order(&model);
    long.filter = slow();
    let mut stream = driver.stream(long, sink(), soon()).await.unwrap();
    let error = stream.next().await.map(|_| ()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error:?}");
    assert!(stream.next().await.unwrap().is_none());
    drop(stream);
    let wrong = select(&model, eq(9, Value::Int(1)));
    let error = driver.stream(wrong, sink(), Context::new()).await.map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Query), "{error:?}");
    // A row that cannot be decoded: the sink asks for more columns than there are.
    let mut stream = driver.stream(in_order(&model), Box::new(Keep::new(9)), Context::new()).await.unwrap();
    assert!(stream.next().await.is_err());
}
