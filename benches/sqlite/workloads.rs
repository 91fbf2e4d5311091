//! The workloads, each by hand and with Ommi.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ommi::prelude::*;
use ommi_benches::{Keys, OMMI, Runtime, Side, Workload};
use rusqlite::params;
use tokio::runtime::Runtime as Tokio;

use crate::raw;

#[derive(Debug, Clone, Model)]
struct User {
    #[ommi(auto)]
    id: i64,
    name: String,
    hair_color: Option<String>,
}

#[derive(Debug, Clone, Model)]
struct NewUser {
    #[ommi(auto)]
    id: i64,
    name: String,
    hair_color: Option<String>,
}

const USERS: i64 = 10_000;

/// Two files with the same tables and rows; both were made by Ommi.
struct Fixture {
    tokio: Rc<Tokio>,
    db: Ommi,
    raw_path: PathBuf,
    // Deletes the files at the end.
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new(runtime: Runtime) -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let tokio = runtime.build();
        let db = tokio.block_on(Fixture::fill(&folder.path().join("ommi.db")));
        let raw_path = folder.path().join("raw.db");
        tokio.block_on(async { Fixture::fill(&raw_path).await.close().await });
        Fixture { tokio: Rc::new(tokio), db, raw_path, _folder: folder }
    }

    async fn fill(path: &Path) -> Ommi {
        let db = Ommi::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
        db.create_tables::<(User, NewUser)>().await.unwrap();
        let colors = [Some("black".to_owned()), None];
        let users = (1..=USERS).map(|id| User {
            id,
            name: format!("User {id}"),
            hair_color: colors[(id % 2) as usize].clone(),
        });
        db.add_all(users.collect::<Vec<_>>()).await.unwrap();
        db
    }
}

pub fn all(runtime: Runtime) -> Vec<Workload> {
    let fixture = Rc::new(Fixture::new(runtime));
    let mut workloads = Vec::new();
    for rows in [1, 100, 10_000] {
        workloads.push(all_users(&fixture, rows));
    }
    workloads.push(point(&fixture));
    workloads.push(filter(&fixture));
    for rows in [1, 10, 100] {
        workloads.push(insert(&fixture, rows));
    }
    workloads.push(update(&fixture));
    for inserts in [1, 100] {
        workloads.push(transaction(&fixture, inserts));
    }
    workloads.push(transaction_at_once(&fixture, 100));
    workloads.push(nested(&fixture));
    workloads.push(build_and_compile(&fixture));
    workloads.extend(crate::relations::all(runtime));
    workloads
}

/// Makes the three sides of a workload. The kept side's statement lives as long as its closure's loop: it is prepared once
/// per call, outside of the loop.
macro_rules! sides {
    ($fixture:expr, $name:expr, $text:expr, |$connection:ident, $statement:ident| $raw:expr, |$db:ident| $ommi:expr) => {{
        let cached = raw::open(&$fixture.raw_path);
        let kept = raw::open(&$fixture.raw_path);
        let (fixture, $db) = ($fixture.clone(), $fixture.db.clone());
        Workload {
            name: $name,
            sides: vec![
                (
                    "raw",
                    Box::new({
                        let mut keys = Keys::up_to(USERS);
                        move |times| {
                            let $connection = (&cached, &mut keys);
                            for _ in 0..times {
                                let mut statement = raw::cached($connection.0, $text);
                                let $statement = &mut *statement;
                                black_box($raw);
                            }
                        }
                    }),
                ),
                (
                    "kept",
                    Box::new({
                        let mut keys = Keys::up_to(USERS);
                        move |times| {
                            let $connection = (&kept, &mut keys);
                            let mut statement = $connection.0.prepare($text).unwrap();
                            let $statement = &mut statement;
                            for _ in 0..times {
                                black_box($raw);
                            }
                        }
                    }),
                ),
                (
                    OMMI,
                    Box::new({
                        let mut keys = Keys::up_to(USERS);
                        move |times| {
                            let $db = (&$db, &mut keys);
                            fixture.tokio.block_on(async {
                                for _ in 0..times {
                                    black_box($ommi);
                                }
                            })
                        }
                    }),
                ),
            ],
        }
    }};
}

fn all_users(fixture: &Rc<Fixture>, rows: i64) -> Workload {
    sides!(
        fixture,
        format!("all {rows}"),
        raw::ALL,
        |connection, statement| {
            let _ = connection;
            raw::all(statement, rows)
        },
        |db| db.0.find_all::<User>().limit(rows as u64).all().await.unwrap()
    )
}

fn point(fixture: &Rc<Fixture>) -> Workload {
    sides!(
        fixture,
        "point read".to_owned(),
        raw::POINT,
        |connection, statement| raw::point(statement, connection.1.key()),
        |db| db.0.get::<User>(db.1.key()).await.unwrap()
    )
}

fn filter(fixture: &Rc<Fixture>) -> Workload {
    sides!(
        fixture,
        "filter, sort, limit 20".to_owned(),
        raw::FILTER,
        |connection, statement| raw::filter(statement, connection.1.key()),
        |db| {
            let from = db.1.key();
            db.0.find(User::hair_color.eq("black") & User::id.ge(from) & User::name.ne("User 77"))
                .sort(User::id.asc())
                .limit(20)
                .all()
                .await
                .unwrap()
        }
    )
}

fn insert(fixture: &Rc<Fixture>, rows: usize) -> Workload {
    let names = move || (0..rows).map(|i| format!("User {i}")).collect::<Vec<_>>();
    sides!(
        fixture,
        format!("insert {rows}"),
        raw::INSERT,
        |connection, statement| raw::insert(connection.0, statement, &names()),
        |db| {
            let drafts = names().into_iter().map(|name| new!(NewUser { name, hair_color: "black" }));
            let mut drafts = drafts.collect::<Vec<_>>();
            if rows == 1 {
                vec![db.0.add(drafts.remove(0)).await.unwrap()]
            } else {
                db.0.add_all(drafts).await.unwrap()
            }
        }
    )
}

fn update(fixture: &Rc<Fixture>) -> Workload {
    sides!(
        fixture,
        "update by key".to_owned(),
        raw::UPDATE,
        |connection, statement| statement.execute(params!["black", connection.1.key()]).unwrap(),
        |db| {
            let id = db.1.key();
            db.0.find(User::id.eq(id)).update(User::hair_color.set("black")).await.unwrap()
        }
    )
}

fn user() -> NewUserDraft {
    new!(NewUser { name: "User", hair_color: "black" })
}

/// The two sides by hand of a transaction: its statements looked up each time, or kept.
fn by_hand(fixture: &Rc<Fixture>, inserts: usize, nested: bool) -> Vec<(&'static str, Side)> {
    let (cached, kept) = (raw::open(&fixture.raw_path), raw::open(&fixture.raw_path));
    let cached = move |times| (0..times).for_each(|_| raw::transaction(&cached, None, inserts, nested));
    let kept = move |times| {
        let mut statement = kept.prepare(raw::INSERT).unwrap();
        (0..times).for_each(|_| raw::transaction(&kept, Some(&mut statement), inserts, nested));
    };
    vec![("raw", Box::new(cached)), ("kept", Box::new(kept))]
}

/// A transaction of Ommi beside one by hand.
macro_rules! in_transaction {
    ($fixture:expr, $name:expr, $inserts:expr, $nested:expr, async |$tx:ident| $work:block) => {{
        let (fixture, db) = ($fixture.clone(), $fixture.db.clone());
        let mut sides = by_hand($fixture, $inserts, $nested);
        let ommi = move |times| {
            fixture.tokio.block_on(async {
                for _ in 0..times {
                    db.transaction(async |$tx| -> DBResult<()> { $work }).await.unwrap();
                }
            })
        };
        sides.push((OMMI, Box::new(ommi)));
        Workload { name: $name, sides }
    }};
}

fn transaction(fixture: &Rc<Fixture>, inserts: usize) -> Workload {
    in_transaction!(fixture, format!("transaction of {inserts} inserts"), inserts, false, async |tx| {
        for _ in 0..inserts {
            black_box(tx.add(user()).await?);
        }
        Ok(())
    })
}

fn transaction_at_once(fixture: &Rc<Fixture>, inserts: usize) -> Workload {
    in_transaction!(fixture, format!("transaction of {inserts} rows at once"), inserts, false, async |tx| {
        black_box(tx.add_all((0..inserts).map(|_| user())).await?);
        Ok(())
    })
}

fn nested(fixture: &Rc<Fixture>) -> Workload {
    let name = "transaction, an insert, one nested with an insert".to_owned();
    in_transaction!(fixture, name, 2, true, async |tx| {
        black_box(tx.add(user()).await?);
        tx.transaction(async |inner| -> DBResult<()> {
            black_box(inner.add(user()).await?);
            Ok(())
        })
        .await
    })
}

fn build_and_compile(fixture: &Rc<Fixture>) -> Workload {
    let db = fixture.db.clone();
    let mut keys = Keys::up_to(USERS);
    Workload {
        name: "build and compile, nothing cached".to_owned(),
        sides: vec![(
            OMMI,
            Box::new(move |times| {
                for _ in 0..times {
                    let id = keys.key();
                    let query = db.find(User::hair_color.eq("black") & User::id.ge(id) & User::name.ne("User 77"));
                    black_box(query.sort(User::id.asc()).limit(20).explain().unwrap());
                }
            }),
        )],
    }
}
