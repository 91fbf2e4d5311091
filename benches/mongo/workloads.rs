//! The workloads, each with every side.

use std::hint::black_box;
use std::rc::Rc;

use ommi::prelude::*;
use ommi_benches::{Keys, OMMI, Runtime, Side, Workload};
use tokio::runtime::Runtime as Tokio;

use crate::by_client::Raw;
use crate::server::Server;

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

/// The rows that the other side adds, apart, since it counts keys by itself: in a collection with the same validator, which the server goes by for each row.
#[derive(Debug, Clone, Model)]
#[ommi(table = "raw_users")]
struct RawUser {
    #[ommi(auto)]
    id: i64,
    name: String,
    hair_color: Option<String>,
}

const USERS: i64 = 10_000;

/// Both sides, on one runtime. Each has a client of its own.
struct Clients {
    tokio: Tokio,
    raw: Raw,
    db: Ommi,
}

impl Clients {
    fn new(server: &Server, runtime: Runtime) -> Clients {
        let tokio = runtime.build();
        let (raw, db) = tokio.block_on(async {
            let driver = server.connect().await;
            driver.database().drop().await.unwrap();
            let db = Ommi::new(driver);
            fill(&db).await;
            let other = server.connect().await;
            (Raw::new(other.client(), other.database()), db)
        });
        Clients { tokio, raw, db }
    }
}

async fn fill(db: &Ommi) {
    db.create_tables::<(User, NewUser, RawUser)>().await.unwrap();
    let colors = [Some("black".to_owned()), None];
    let users =
        (1..=USERS).map(|id| User { id, name: format!("User {id}"), hair_color: colors[(id % 2) as usize].clone() });
    db.add_all(users.collect::<Vec<_>>()).await.unwrap();
}

/// A side that does one operation after the other.
macro_rules! side {
    ($name:expr, $clients:expr, |$client:ident, $keys:ident| $operation:expr) => {{
        let clients = $clients.clone();
        let mut keys = Keys::up_to(USERS);
        let side: Side = Box::new(move |times| {
            let ($client, $keys) = (&*clients, &mut keys);
            clients.tokio.block_on(async {
                for _ in 0..times {
                    black_box($operation.await);
                }
            });
        });
        ($name, side)
    }};
}

pub fn all(server: &Server, runtime: Runtime) -> Vec<Workload> {
    let clients = Rc::new(Clients::new(server, runtime));
    let mut workloads = vec![point(&clients), update(&clients)];
    workloads.extend([1, 10, 100].map(|rows| insert(&clients, rows)));
    workloads.push(filter(&clients));
    workloads.push(first_users(&clients, 100));
    workloads.push(all_users(&clients));
    workloads.extend([1, 100].map(|inserts| transaction(&clients, inserts)));
    workloads.push(nested(&clients));
    workloads.extend(crate::relations::all(server, runtime));
    workloads
}

fn user() -> NewUserDraft {
    new!(NewUser { name: "User", hair_color: "black" })
}

fn transaction(clients: &Rc<Clients>, inserts: usize) -> Workload {
    let sides = vec![
        side!("mongodb", clients, |c, _keys| c.raw.transaction(inserts)),
        side!(OMMI, clients, |c, _keys| async {
            let work = c.db.transaction(async |tx| -> DBResult<()> {
                for _ in 0..inserts {
                    tx.add(user()).await?;
                }
                Ok(())
            });
            work.await.unwrap()
        }),
    ];
    Workload { name: format!("transaction of {inserts} inserts"), sides }
}

/// Beside two inserts that are not nested: the client has nothing to nest with.
fn nested(clients: &Rc<Clients>) -> Workload {
    let sides = vec![
        side!("mongodb", clients, |c, _keys| c.raw.transaction(2)),
        side!(OMMI, clients, |c, _keys| async {
            let work = c.db.transaction(async |tx| -> DBResult<NewUser> {
                tx.add(user()).await?;
                tx.transaction(async |inner| inner.add(user()).await).await
            });
            work.await.unwrap()
        }),
    ];
    Workload { name: "transaction, an insert, one nested with an insert".to_owned(), sides }
}

fn point(clients: &Rc<Clients>) -> Workload {
    let sides = vec![
        side!("mongodb", clients, |c, keys| c.raw.point(keys.key())),
        side!(OMMI, clients, |c, keys| async { c.db.get::<User>(keys.key()).await.unwrap() }),
    ];
    Workload { name: "point read".to_owned(), sides }
}

fn update(clients: &Rc<Clients>) -> Workload {
    let sides = vec![
        side!("mongodb", clients, |c, keys| c.raw.update(keys.key())),
        side!(OMMI, clients, |c, keys| async {
            c.db.find(User::id.eq(keys.key())).update(User::hair_color.set("black")).await.unwrap()
        }),
    ];
    Workload { name: "update by key".to_owned(), sides }
}

fn names(rows: usize) -> Vec<String> {
    (0..rows).map(|i| format!("User {i}")).collect()
}

fn insert(clients: &Rc<Clients>, rows: usize) -> Workload {
    let name = || "User 0".to_owned();
    let sides = match rows {
        1 => vec![
            side!("mongodb", clients, |c, _keys| c.raw.insert(name())),
            side!(OMMI, clients, |c, _keys| async {
                c.db.add(new!(NewUser { name: name(), hair_color: "black" })).await.unwrap()
            }),
        ],
        _ => vec![
            side!("mongodb", clients, |c, _keys| c.raw.insert_many(names(rows))),
            side!("atomic", clients, |c, _keys| c.raw.insert_atomically(names(rows))),
            side!(OMMI, clients, |c, _keys| async {
                let drafts = names(rows).into_iter().map(|name| new!(NewUser { name, hair_color: "black" }));
                c.db.add_all(drafts.collect::<Vec<_>>()).await.unwrap()
            }),
        ],
    };
    Workload { name: format!("insert {rows}"), sides }
}

fn filter(clients: &Rc<Clients>) -> Workload {
    let sides = vec![
        side!("mongodb", clients, |c, keys| c.raw.filter(keys.key())),
        side!(OMMI, clients, |c, keys| async {
            c.db.find(User::hair_color.eq("black") & User::id.ge(keys.key()) & User::name.ne("User 77"))
                .sort(User::id.asc())
                .limit(20)
                .all()
                .await
                .unwrap()
        }),
    ];
    Workload { name: "filter, sort, limit 20".to_owned(), sides }
}

fn first_users(clients: &Rc<Clients>, rows: i64) -> Workload {
    let sides = vec![
        side!("mongodb", clients, |c, _keys| c.raw.first(rows)),
        side!(OMMI, clients, |c, _keys| async { c.db.find_all::<User>().limit(rows as u64).all().await.unwrap() }),
    ];
    Workload { name: format!("first {rows}"), sides }
}

fn all_users(clients: &Rc<Clients>) -> Workload {
    let sides = vec![
        side!("mongodb", clients, |c, _keys| c.raw.all()),
        side!(OMMI, clients, |c, _keys| async { c.db.find_all::<User>().all().await.unwrap() }),
    ];
    Workload { name: format!("all {USERS}"), sides }
}
