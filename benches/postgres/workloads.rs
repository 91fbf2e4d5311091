//! The workloads, each with every client.

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use ommi::prelude::*;
use ommi_benches::{Keys, OMMI, Runtime, Side, Workload};
use tokio::runtime::Runtime as Tokio;
use tokio::sync::Mutex;

use crate::by_sqlx::{Kept, KeptPool, Plain};
use crate::by_tokio::{Pool, Raw};
use crate::server::Server;

#[derive(Debug, Clone, Model)]
pub struct User {
    #[ommi(auto)]
    pub id: i64,
    pub name: String,
    pub hair_color: Option<String>,
}

#[derive(Debug, Clone, Model)]
struct NewUser {
    #[ommi(auto)]
    id: i64,
    name: String,
    hair_color: Option<String>,
}

pub const ALL: &str = "SELECT id, name, hair_color FROM users LIMIT $1";
pub const POINT: &str = "SELECT id, name, hair_color FROM users WHERE id = $1";
pub const FILTER: &str = "SELECT id, name, hair_color FROM users \
     WHERE hair_color = $1 AND id >= $2 AND name <> $3 ORDER BY id LIMIT $4";
pub const INSERT: &str = "INSERT INTO new_users (name, hair_color) VALUES ($1, $2) RETURNING id";
pub const INSERT_MANY: &str =
    "INSERT INTO new_users (name, hair_color) SELECT * FROM unnest($1::text[], $2::text[]) RETURNING id";
pub const UPDATE: &str = "UPDATE users SET hair_color = $1 WHERE id = $2";

/// The side of sqlx without its pool.
pub const KEPT: &str = "sqlx connection";

const USERS: i64 = 10_000;
const TASKS: usize = 64;
const READS: usize = 200;
const POOL: u32 = 8;

/// The clients of all sides, on one runtime.
struct Clients {
    tokio: Tokio,
    raw: Raw,
    raw_pool: Arc<Pool>,
    plain: Plain,
    kept: Mutex<Kept>,
    kept_pool: Arc<KeptPool>,
    db: Ommi,
}

impl Clients {
    fn new(server: &Server, runtime: Runtime) -> Clients {
        let tokio = runtime.build();
        let (db, raw, raw_pool) = tokio.block_on(async {
            server.fresh().await;
            let db = Ommi::new(server.options().max_connections(POOL).connect().await.unwrap());
            fill(&db).await;
            (db, Raw::connect(server).await, Pool::connect(server, POOL as usize).await)
        });
        let (plain, kept, kept_pool) = tokio.block_on(async {
            let kept = Mutex::new(Kept::connect(server).await);
            (Plain::connect(server, POOL).await, kept, KeptPool::connect(server, POOL as usize).await)
        });
        Clients { tokio, raw, raw_pool, plain, kept, kept_pool, db }
    }
}

async fn fill(db: &Ommi) {
    db.create_tables::<(User, NewUser)>().await.unwrap();
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
    workloads.extend([100, 10_000].map(|rows| all_users(&clients, rows)));
    workloads.push(crowd(&clients));
    workloads.extend([10, 100].map(|rows| values(&clients, rows)));
    workloads.extend([1, 100].map(|inserts| transaction(&clients, inserts)));
    workloads.push(nested(&clients));
    workloads.extend(crate::relations::all(server, runtime));
    workloads
}

fn point(clients: &Rc<Clients>) -> Workload {
    let sides = vec![
        side!("tokio-postgres", clients, |c, keys| c.raw.point(keys.key())),
        side!("sqlx", clients, |c, keys| c.plain.point(keys.key())),
        side!(KEPT, clients, |c, keys| async { c.kept.lock().await.point(keys.key()).await }),
        side!(OMMI, clients, |c, keys| async { c.db.get::<User>(keys.key()).await.unwrap() }),
    ];
    Workload { name: "point read".to_owned(), sides }
}

fn update(clients: &Rc<Clients>) -> Workload {
    let sides = vec![
        side!("tokio-postgres", clients, |c, keys| c.raw.update(keys.key())),
        side!("sqlx", clients, |c, keys| c.plain.update(keys.key())),
        side!(KEPT, clients, |c, keys| async { c.kept.lock().await.update(keys.key()).await }),
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
            side!("tokio-postgres", clients, |c, _keys| c.raw.insert(name())),
            side!("sqlx", clients, |c, _keys| c.plain.insert(name())),
            side!(KEPT, clients, |c, _keys| async { c.kept.lock().await.insert(name()).await }),
            side!(OMMI, clients, |c, _keys| async {
                c.db.add(new!(NewUser { name: name(), hair_color: "black" })).await.unwrap()
            }),
        ],
        _ => vec![
            side!("tokio-postgres", clients, |c, _keys| c.raw.insert_many(names(rows))),
            side!("sqlx", clients, |c, _keys| c.plain.insert_many(names(rows))),
            side!(KEPT, clients, |c, _keys| async { c.kept.lock().await.insert_many(names(rows)).await }),
            side!(OMMI, clients, |c, _keys| async {
                let drafts = names(rows).into_iter().map(|name| new!(NewUser { name, hair_color: "black" }));
                c.db.add_all(drafts.collect::<Vec<_>>()).await.unwrap()
            }),
        ],
    };
    Workload { name: format!("insert {rows}"), sides }
}

/// Several rows as a list of VALUES with sqlx, beside arrays with Ommi.
fn values(clients: &Rc<Clients>, rows: usize) -> Workload {
    let Workload { mut sides, .. } = insert(clients, rows);
    sides.retain(|(name, _)| *name == OMMI);
    sides.insert(0, side!("sqlx", clients, |c, _keys| c.plain.insert_values(names(rows))));
    Workload { name: format!("insert {rows}, sqlx by VALUES"), sides }
}

fn user() -> NewUserDraft {
    new!(NewUser { name: "User", hair_color: "black" })
}

fn transaction(clients: &Rc<Clients>, inserts: usize) -> Workload {
    let sides = vec![
        side!("tokio-postgres", clients, |c, _keys| c.raw.transaction(inserts, false)),
        side!("sqlx", clients, |c, _keys| c.plain.transaction(inserts, false)),
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

fn nested(clients: &Rc<Clients>) -> Workload {
    let sides = vec![
        side!("tokio-postgres", clients, |c, _keys| c.raw.transaction(2, true)),
        side!("sqlx", clients, |c, _keys| c.plain.transaction(2, true)),
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

fn filter(clients: &Rc<Clients>) -> Workload {
    let sides = vec![
        side!("tokio-postgres", clients, |c, keys| c.raw.filter(keys.key())),
        side!("sqlx", clients, |c, keys| c.plain.filter(keys.key())),
        side!(KEPT, clients, |c, keys| async { c.kept.lock().await.filter(keys.key()).await }),
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

fn all_users(clients: &Rc<Clients>, rows: i64) -> Workload {
    let sides = vec![
        side!("tokio-postgres", clients, |c, _keys| c.raw.all(rows)),
        side!("sqlx", clients, |c, _keys| c.plain.all(rows)),
        side!(KEPT, clients, |c, _keys| async { c.kept.lock().await.all(rows).await }),
        side!(OMMI, clients, |c, _keys| async { c.db.find_all::<User>().limit(rows as u64).all().await.unwrap() }),
    ];
    Workload { name: format!("all {rows}"), sides }
}

/// Many tasks that read through a small pool.
fn crowd(clients: &Rc<Clients>) -> Workload {
    let sides = vec![
        side!("tokio-postgres", clients, |c, _keys| {
            let pool = c.raw_pool.clone();
            tasks(move |id| {
                let pool = pool.clone();
                async move { pool.point(id).await }
            })
        }),
        side!("sqlx", clients, |c, _keys| {
            let plain = c.plain.clone();
            tasks(move |id| {
                let plain = plain.clone();
                async move { plain.point(id).await }
            })
        }),
        side!(KEPT, clients, |c, _keys| {
            let kept = c.kept_pool.clone();
            tasks(move |id| {
                let kept = kept.clone();
                async move { kept.point(id).await }
            })
        }),
        side!(OMMI, clients, |c, _keys| {
            let db = c.db.clone();
            tasks(move |id| {
                let db = db.clone();
                async move { db.get::<User>(id).await.unwrap() }
            })
        }),
    ];
    Workload { name: format!("{TASKS} tasks x {READS} point reads, pool of {POOL}"), sides }
}

async fn tasks<F: Future<Output = User> + Send>(read: impl Fn(i64) -> F + Clone + Send + 'static) {
    let run = |first: i64| {
        let read = read.clone();
        async move {
            for i in 0..READS as i64 {
                black_box(read((first * 97 + i * 31) % USERS + 1).await);
            }
        }
    };
    let tasks: Vec<_> = (0..TASKS as i64).map(|first| tokio::spawn(run(first))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}
