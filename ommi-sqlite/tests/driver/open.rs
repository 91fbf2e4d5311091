//! Opening: URLs, options, and files that are missing, no databases, damaged, locked, or only to be read.

use std::time::{Duration, Instant};

use ommi_core::ErrorKind;
use ommi_core::ast::{Condition, Select};
use ommi_core::driver::{Begin, Context, Driver};
use ommi_sqlite::{Mode, SqliteDriver, SqliteOptions};

use crate::support::*;

#[tokio::test]
async fn a_wrong_url_names_its_option() {
    for (url, option, says) in [
        ("postgres://x", None, "begins with `sqlite:`"),
        ("sqlite:", None, "names no file"),
        ("sqlite://", None, "names no file"),
        ("sqlite://?mode=rwc", Some("mode"), "names no file"),
        ("sqlite::memory:?mode=rw", Some("mode"), "names no file"),
        ("sqlite:a?mode=rwx", Some("mode"), "`ro`, `rw`, `rwc` or `memory`"),
        ("sqlite:a?mode=rw&mode=ro", Some("mode"), "given twice"),
        ("sqlite:a?busy_timeout=5s", Some("busy_timeout"), "milliseconds"),
        ("sqlite:a?busy_timeout=-1", Some("busy_timeout"), "milliseconds"),
        ("sqlite:a?acquire_timeout", Some("acquire_timeout"), "milliseconds"),
        ("sqlite:a?synchronous=2", Some("synchronous"), "`full`"),
        ("sqlite:a?readers=0", Some("readers"), "from 1 to 64"),
        ("sqlite:a?readers=many", Some("readers"), "a whole number"),
        ("sqlite:a?foreign_keys=maybe", Some("foreign_keys"), "`on` or `off`"),
        ("sqlite:a?qpsg=", Some("qpsg"), "`on` or `off`"),
        ("sqlite:a?statement_cache=0", Some("statement_cache"), "from 1 to 65536"),
        ("sqlite:a?cache_size=big", Some("cache_size"), "a whole number"),
        ("sqlite:a?Mode=ro", Some("Mode"), "there is no such option"),
        ("sqlite:a?journal=wal", Some("journal"), "there is no such option"),
        ("sqlite:a%", None, "hexadecimal"),
        ("sqlite:a%zz", None, "hexadecimal"),
        ("sqlite:a?mode=%f", Some("mode"), "hexadecimal"),
        ("sqlite:a%00b", None, "NUL"),
        ("sqlite:a%ff", None, "UTF-8"),
    ] {
        let error = SqliteDriver::connect(url).await.unwrap_err();
        match error.kind() {
            ErrorKind::Configuration { option: named, .. } => assert_eq!(named.as_deref(), option, "{url}: {error}"),
            other => panic!("{url}: {other:?}"),
        }
        assert!(error.to_string().contains(says), "{url}: {error}");
    }
}

#[tokio::test]
async fn urls_that_are_right() {
    let dir = TempDir::new();
    let folder = dir.path("");
    let folder = folder.to_str().unwrap();
    for (url, file) in [
        (format!("sqlite://{folder}one.db?mode=rwc"), "one.db"),
        (
            format!(
                "sqlite:{folder}two.db?mode=rwc&busy_timeout=10&readers=1&synchronous=full&qpsg=off&foreign_keys=off"
            ),
            "two.db",
        ),
        (
            format!("sqlite://{folder}with%20space%3f%25.db?mode=rwc&cache_size=-4000&statement_cache=1"),
            "with space?%.db",
        ),
        (format!("sqlite://{folder}é%C3%A9.db?mode=rwc&&acquire_timeout=1"), "éé.db"),
    ] {
        let driver = SqliteDriver::connect(&url).await.unwrap();
        let model = users();
        create(&driver, &[&model]).await.unwrap();
        insert(&driver, &mut new_users(&model, 0..3)).await.unwrap();
        assert_eq!(count(&driver, &model).await, 3);
        driver.close().await;
        assert!(dir.path(file).is_file(), "{file}");
    }
    for url in
        ["sqlite::memory:", "sqlite://:memory:", "sqlite://any?mode=memory", "sqlite::memory:?mode=memory&qpsg=off"]
    {
        let driver = SqliteDriver::connect(url).await.unwrap();
        create(&driver, &[&users()]).await.unwrap();
    }
    assert!(!std::path::Path::new("any").exists());
}

#[tokio::test]
async fn names_to_which_sqlite_gives_a_meaning_are_names_of_files() {
    // Relative to the directory of the tests, so they are only looked for.
    for path in ["file:memdb?mode=memory", ":memory:", "file::memory:"] {
        let error = SqliteOptions::file(path).connect().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Connection), "{path}: {error:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_opened() {
    let dir = TempDir::new();
    let open =
        async |name: &str, mode| SqliteOptions::file(dir.path(name)).mode(mode).connect().await.map(drop).unwrap_err();
    let missing = open("missing.db", Mode::ReadWrite).await;
    assert!(matches!(missing.kind(), ErrorKind::Connection), "{missing:?}");
    assert!(missing.to_string().contains("`?mode=rwc`"), "{missing}");
    assert!(!dir.path("missing.db").exists());
    let missing = open("missing.db", Mode::ReadOnly).await;
    assert!(matches!(missing.kind(), ErrorKind::Connection));
    let no_directory = open("no/where.db", Mode::ReadWriteCreate).await;
    assert!(no_directory.to_string().contains("there is no directory"), "{no_directory}");
    std::fs::create_dir(dir.path("folder")).unwrap();
    let directory = open("folder", Mode::ReadWriteCreate).await;
    assert!(directory.to_string().contains("is a directory"), "{directory}");
    std::fs::write(
        dir.path("text.db"),
        "this is a text and no database, though it is long enough to be one ".repeat(100),
    )
    .unwrap();
    let text = open("text.db", Mode::ReadWrite).await;
    assert!(matches!(text.kind(), ErrorKind::Database), "{text:?}");
    assert!(text.to_string().contains("no SQLite database") && std::error::Error::source(&text).is_some(), "{text}");
    let path = dir.path("utf16.db");
    other_process(&path).execute_batch("PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (x)").unwrap();
    let utf16 = open("utf16.db", Mode::ReadWrite).await;
    assert!(
        matches!(utf16.kind(), ErrorKind::Configuration { .. }) && utf16.to_string().contains("UTF-16le"),
        "{utf16}"
    );
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_no_panic() {
    let dir = TempDir::new();
    let model = users();
    let driver = file(&dir, &[&model]).await;
    insert(&driver, &mut new_users(&model, 0..5_000)).await.unwrap();
    driver.close().await;
    let path = dir.path("db");
    let mut bytes = std::fs::read(&path).unwrap();
    // The first page, which holds the tables, stays; the rest is overwritten.
    for byte in bytes.iter_mut().skip(4_096) {
        *byte = 0xA5;
    }
    std::fs::write(&path, bytes).unwrap();
    let driver = SqliteOptions::file(&path).connect().await.unwrap();
    let error = fetch(&driver, &Select::new(model.clone())).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Database) && error.to_string().contains("damaged"), "{error:?}");
    let error = insert(&driver, &mut new_users(&model, 0..1)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Database), "{error:?}");
    // Cut off in the middle of its first page.
    std::fs::write(dir.path("short"), &std::fs::read(&path).unwrap()[..1_000]).unwrap();
    let result = SqliteOptions::file(dir.path("short")).connect().await;
    if let Err(error) = result {
        assert!(matches!(error.kind(), ErrorKind::Database), "{error:?}");
    }
}

#[tokio::test]
async fn a_database_that_is_only_read() {
    let dir = TempDir::new();
    let model = users();
    let driver = file(&dir, &[&model]).await;
    insert(&driver, &mut new_users(&model, 0..10)).await.unwrap();
    driver.close().await;
    let driver = SqliteOptions::file(dir.path("db")).mode(Mode::ReadOnly).connect().await.unwrap();
    assert_eq!(count(&driver, &model).await, 10);
    // What is there already need not be written.
    create(&driver, &[&model]).await.unwrap();
    for result in [
        insert(&driver, &mut new_users(&model, 20..21)).await.map(drop),
        insert(&driver, &mut new_users(&model, 20..2_000)).await.map(drop),
        delete(&driver, &model, Condition::True).await.map(drop),
        driver.schema().drop(std::slice::from_ref(&model), &Context::new()).await,
    ] {
        let error = result.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Database) && error.to_string().contains("can only be read"),
            "{error:?}"
        );
    }
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    assert!(insert(&*tx, &mut new_users(&model, 20..21)).await.is_err());
    drop(tx);
    assert_eq!(count(&driver, &model).await, 10);
}

#[tokio::test]
async fn a_lock_of_another_process_is_waited_for_and_then_a_timeout() {
    let dir = TempDir::new();
    let model = users();
    let options =
        SqliteOptions::file(dir.path("db")).mode(Mode::ReadWriteCreate).busy_timeout(Duration::from_millis(200));
    let driver = with_tables(options.clone(), &[&model]).await;
    let other = other_process(&dir.path("db"));
    other.execute_batch("BEGIN IMMEDIATE; INSERT INTO users (name, visits) VALUES ('other', 1)").unwrap();
    // Reading goes on.
    assert_eq!(count(&driver, &model).await, 0);
    let writes = async || {
        [
            insert(&driver, &mut new_users(&model, 0..1)).await.map(drop),
            insert(&driver, &mut new_users(&model, 0..500)).await.map(drop),
            delete(&driver, &model, Condition::True).await.map(drop),
            driver.schema().drop(std::slice::from_ref(&model), &Context::new()).await,
        ]
    };
    for result in writes().await {
        let error = result.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == Duration::from_millis(200)),
            "{error:?}"
        );
        assert!(error.to_string().contains("lock") && std::error::Error::source(&error).is_some(), "{error}");
    }
    let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
    let started = Instant::now();
    let mut new = new_users(&model, 0..1);
    let mut sink = Keep::new(1);
    let context = Context::new().with_timeout(Some(Duration::from_millis(50)));
    let error = ommi_core::driver::Executor::insert(&*tx, &mut new, &mut sink, &context).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == Duration::from_millis(50)),
        "{error:?}"
    );
    assert!(started.elapsed() < Duration::from_millis(150));
    // Others of this process run while it waits, and it goes on when the lock is free.
    let release = async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        other.execute_batch("COMMIT").unwrap();
    };
    let (result, ()) = tokio::join!(insert(&*tx, &mut new), release);
    result.unwrap();
    tx.commit(&Context::new()).await.unwrap();
    assert_eq!(count(&driver, &model).await, 2);
}

#[tokio::test]
async fn a_file_that_is_locked_whole_cannot_be_opened() {
    let dir = TempDir::new();
    let path = dir.path("db");
    let other = other_process(&path);
    other
        .execute_batch("CREATE TABLE t (x); PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO t VALUES (1)")
        .unwrap();
    let options = SqliteOptions::file(&path).busy_timeout(Duration::from_millis(50));
    let error = options.connect().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error:?}");
    other.execute_batch("COMMIT").unwrap();
    drop(other);
    options.connect().await.unwrap();
}

#[tokio::test]
async fn after_close_everything_is_a_connection_error_and_the_log_is_written_back() {
    let dir = TempDir::new();
    let model = users();
    let memory = memory(&[&model]).await;
    let file = file(&dir, &[&model]).await;
    insert(&file, &mut new_users(&model, 0..100)).await.unwrap();
    for driver in [memory, file] {
        let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
        insert(&*tx, &mut new_users(&model, 200..201)).await.unwrap();
        // What is under way is waited for.
        let close = async {
            driver.close().await;
            Instant::now()
        };
        let commit = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            tx.commit(&Context::new()).await.unwrap();
            Instant::now()
        };
        let (closed, committed) = tokio::join!(close, commit);
        assert!(closed > committed - Duration::from_millis(5));
        for result in [
            fetch(&driver, &Select::new(model.clone())).await.map(drop),
            insert(&driver, &mut new_users(&model, 0..1)).await.map(drop),
            driver.begin(&Begin::default(), &Context::new()).await.map(drop),
            create(&driver, &[&model]).await,
        ] {
            assert!(matches!(result.unwrap_err().kind(), ErrorKind::Connection));
        }
        driver.close().await;
    }
    assert!(!dir.path("db-wal").exists());
    let other = other_process(&dir.path("db"));
    let count: i64 = other.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 101);
}

#[test]
fn in_memory_it_runs_without_a_runtime() {
    let model = users();
    futures::executor::block_on(async {
        let driver = memory(&[&model]).await;
        assert_eq!(insert(&driver, &mut new_users(&model, 0..1_000)).await.unwrap().0, 1_000);
        assert_eq!(delete(&driver, &model, Condition::True).await.unwrap(), 1_000);
        insert(&driver, &mut new_users(&model, 0..1)).await.unwrap();
        for _ in 0..1_000 {
            assert_eq!(fetch(&driver, &Select::new(model.clone())).await.unwrap().len(), 1);
        }
        // To wait in line takes a timer.
        let tx = driver.begin(&Begin::default(), &Context::new()).await.unwrap();
        let error = insert(&driver, &mut new_users(&model, 5..6)).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Configuration { .. }), "{error:?}");
        tx.commit(&Context::new()).await.unwrap();
        let error = SqliteOptions::file("x").connect().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Configuration { .. }), "{error:?}");
        driver.close().await;
    });
}
