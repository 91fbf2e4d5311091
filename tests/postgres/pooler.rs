//! Behind a pooler in transaction mode: each transaction of a client may get another connection of the server.
//!
//! The pooler here opens two connections for each client and takes them in turns, a transaction at a time: the worst that such a
//! pooler may do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ommi::postgres::{PostgresDriver, PostgresOptions, sqlx};
use ommi::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{self, Schema};

const SERVERS: usize = 2;

/// One message: its letter (none in the first of a connection), and all its bytes.
async fn message(from: &mut TcpStream, first: bool) -> std::io::Result<(u8, Vec<u8>)> {
    let mut bytes = vec![0; if first { 4 } else { 5 }];
    from.read_exact(&mut bytes).await?;
    let start = bytes.len() - 4;
    let length = u32::from_be_bytes(bytes[start..].try_into().unwrap()) as usize;
    let letter = if first { 0 } else { bytes[0] };
    let end = bytes.len() + length - 4;
    let have = bytes.len();
    bytes.resize(end, 0);
    from.read_exact(&mut bytes[have..]).await?;
    Ok((letter, bytes))
}

/// Serves one client until it goes.
async fn serve(mut client: TcpStream, server: String, turns: Arc<AtomicUsize>) -> std::io::Result<()> {
    let (_, hello) = message(&mut client, true).await?;
    let mut servers = Vec::new();
    for number in 0..SERVERS {
        let mut server = TcpStream::connect(&server).await?;
        server.write_all(&hello).await?;
        loop {
            let (letter, bytes) = message(&mut server, false).await?;
            if number == 0 {
                client.write_all(&bytes).await?;
            }
            if letter == b'Z' {
                break;
            }
        }
        servers.push(server);
    }
    for turn in 0.. {
        // A transaction: until the server is ready and in none, and has answered all that was asked.
        let server = &mut servers[turn % SERVERS];
        let mut asked = 0;
        let (mut letter, mut bytes) = message(&mut client, false).await?;
        turns.fetch_add(1, Ordering::Relaxed);
        loop {
            server.write_all(&bytes).await?;
            asked += usize::from(matches!(letter, b'Q' | b'S'));
            let mut idle = false;
            while asked > 0 {
                let (letter, bytes) = message(server, false).await?;
                client.write_all(&bytes).await?;
                if letter == b'Z' {
                    asked -= 1;
                    idle = bytes.last() == Some(&b'I');
                }
            }
            if idle {
                break;
            }
            (letter, bytes) = message(&mut client, false).await?;
        }
    }
    Ok(())
}

/// A pooler before the server of the tests: where it is, and how many transactions it has seen.
async fn pooler() -> (PostgresOptions, Arc<AtomicUsize>) {
    let url = std::env::var("OMMI_TEST_POSTGRES_URL").expect("run `cargo xtask test`, or set OMMI_TEST_POSTGRES_URL");
    let server = url.split(['@', '/', '?']).find(|part| part.contains(':') && !part.ends_with(':')).unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let turns = Arc::new(AtomicUsize::new(0));
    let seen = turns.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, server.clone(), seen.clone()));
        }
    });
    (support::options().host("127.0.0.1").port(port).max_connections(2), turns)
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Seat {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    name: String,
}

/// That it does what it is here for.
#[tokio::test]
async fn the_pooler_forgets_prepared_statements() {
    let (options, _) = pooler().await;
    let driver = options.max_connections(1).connect().await.unwrap();
    let mut failed = 0;
    for _ in 0..4 {
        let result = sqlx::query_scalar::<_, i64>("SELECT $1::int8").bind(7i64).fetch_one(driver.pool()).await;
        failed += usize::from(result.is_err());
    }
    assert!(failed > 0);
}

#[tokio::test]
async fn statements_that_are_not_prepared_pass_through_it() {
    let schema = Schema::new().await;
    let (options, turns) = pooler().await;
    let name: String = sqlx::query_scalar("SELECT current_schema()::text").fetch_one(&schema.pool).await.unwrap();
    let db = Ommi::new(options.search_path(&name).prepared(false).connect().await.unwrap());
    statements_pass(db, &turns).await;
    schema.end().await;
}

/// A pool of one's own, which prepares what it is not told not to.
#[tokio::test]
async fn statements_of_a_pool_of_ones_own_pass_through_it() {
    let schema = Schema::new().await;
    let (options, turns) = pooler().await;
    let name: String = sqlx::query_scalar("SELECT current_schema()::text").fetch_one(&schema.pool).await.unwrap();
    let settings = options.max_connections(1).connect().await.unwrap().pool().connect_options();
    let settings = (*settings).clone().options([("search_path", name)]).statement_cache_capacity(100);
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(2).connect_with(settings).await.unwrap();
    statements_pass(Ommi::new(PostgresDriver::from_pool_unprepared(pool)), &turns).await;
    schema.end().await;
}

/// Statements of every kind, from an empty schema on.
async fn statements_pass(db: Ommi, turns: &AtomicUsize) {
    db.create_tables::<Seat>().await.unwrap();
    let before = turns.load(Ordering::Relaxed);
    for n in 0..10 {
        db.add(new!(Seat { name: format!("s{n}") })).await.unwrap();
        assert_eq!(db.find(Seat::name.eq(format!("s{n}"))).all().await.unwrap().len(), 1);
    }
    assert!(turns.load(Ordering::Relaxed) >= before + 20, "each statement was a transaction");
    db.add_all([Seat { id: 50, name: "given".to_owned() }]).await.unwrap();
    assert_eq!(db.add(new!(Seat { name: "counted" })).await.unwrap().id, 51);
    let twice = db.add(new!(Seat { name: "s1" })).await.unwrap_err();
    assert!(matches!(twice.kind(), ErrorKind::Constraint(_)), "{twice:?}");
    let mut rows = db.find_all::<Seat>().sort(Seat::id).batch(2).stream();
    let mut names = Vec::new();
    while let Some(seat) = rows.try_next().await.unwrap() {
        names.push(seat.name);
    }
    drop(rows);
    assert_eq!(names.len(), 12);
    let undone = db
        .transaction(async |tx| {
            tx.find_all::<Seat>().delete().await?;
            assert_eq!(tx.find_all::<Seat>().count().await?, 0);
            Err::<(), _>(DBError::new(ErrorKind::Database))
        })
        .await;
    assert!(undone.is_err());
    assert_eq!(db.find_all::<Seat>().count().await.unwrap(), 12);
    let kept = db.transaction(async |tx| tx.find(Seat::id.le(10)).delete().await).await.unwrap();
    // The number that the violation used up is missing.
    assert_eq!((kept, db.find_all::<Seat>().count().await.unwrap()), (10, 2));
    db.close().await;
}

/// A statement whose time is up is stopped, and not what another process does that the connection was before.
#[tokio::test]
async fn what_takes_too_long_behind_it_is_stopped() {
    let schema = Schema::new().await;
    let (options, _) = pooler().await;
    let name: String = sqlx::query_scalar("SELECT current_schema()::text").fetch_one(&schema.pool).await.unwrap();
    let db = Ommi::new(options.search_path(&name).prepared(false).connect().await.unwrap());
    db.create_tables::<Seat>().await.unwrap();
    let seat = db.add(new!(Seat { name: "held" })).await.unwrap();
    let mut holder = schema.pool.begin().await.unwrap();
    sqlx::query("UPDATE seats SET name = 'other'").execute(&mut *holder).await.unwrap();
    for _ in 0..3 {
        let waiting = db.find(Seat::id.eq(seat.id)).update(Seat::name.set("mine")).timeout(Duration::from_millis(200));
        let error = waiting.await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error:?}");
        assert!(!error.to_string().contains("did not stop"), "{error}");
    }
    holder.rollback().await.unwrap();
    assert_eq!(db.get::<Seat>(seat.id).await.unwrap().name, "held");
    db.close().await;
    schema.end().await;
}
