//! The same with plain sqlx: a pool, statements that its connections keep, rows read by place; and with one connection of sqlx that is never given back.

use std::sync::{Arc, Mutex};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{Acquire as _, AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row};
use tokio::sync::Semaphore;

use crate::server::{SCHEMA, Server};
use crate::workloads::{ALL, FILTER, INSERT, INSERT_MANY, POINT, UPDATE, User};

fn user(row: PgRow) -> User {
    User { id: row.get(0), name: row.get(1), hair_color: row.get(2) }
}

fn options(server: &Server) -> PgConnectOptions {
    let options: PgConnectOptions = server.url.parse().unwrap();
    options.options([("search_path", SCHEMA)])
}

#[derive(Clone)]
pub struct Plain(PgPool);

impl Plain {
    pub async fn connect(server: &Server, size: u32) -> Plain {
        Plain(PgPoolOptions::new().max_connections(size).connect_with(options(server)).await.unwrap())
    }

    pub async fn all(&self, limit: i64) -> Vec<User> {
        sqlx::query(ALL).bind(limit).map(user).fetch_all(&self.0).await.unwrap()
    }

    pub async fn point(&self, id: i64) -> User {
        sqlx::query(POINT).bind(id).map(user).fetch_one(&self.0).await.unwrap()
    }

    pub async fn filter(&self, from: i64) -> Vec<User> {
        let query = sqlx::query(FILTER).bind("black").bind(from).bind("User 77").bind(20i64);
        query.map(user).fetch_all(&self.0).await.unwrap()
    }

    pub async fn insert(&self, name: String) -> User {
        let hair_color = Some("black".to_owned());
        let query = sqlx::query_scalar(INSERT).bind(&name).bind(&hair_color);
        User { id: query.fetch_one(&self.0).await.unwrap(), name, hair_color }
    }

    pub async fn insert_many(&self, names: Vec<String>) -> Vec<User> {
        let colors = vec![Some("black".to_owned()); names.len()];
        let ids = sqlx::query_scalar(INSERT_MANY).bind(&names).bind(&colors).fetch_all(&self.0).await.unwrap();
        users(ids, names, colors)
    }

    /// The same as `insert_many` with a list of VALUES.
    pub async fn insert_values(&self, names: Vec<String>) -> Vec<User> {
        let colors = vec![Some("black".to_owned()); names.len()];
        let rows: Vec<String> = (0..names.len()).map(|i| format!("(${}, ${})", 2 * i + 1, 2 * i + 2)).collect();
        let text = format!("INSERT INTO new_users (name, hair_color) VALUES {} RETURNING id", rows.join(", "));
        let mut query = sqlx::query_scalar(AssertSqlSafe(text));
        for (name, color) in names.iter().zip(&colors) {
            query = query.bind(name).bind(color);
        }
        let ids = query.fetch_all(&self.0).await.unwrap();
        users(ids, names, colors)
    }

    /// So many inserts in a transaction; the last half of them within one of their own, if they are nested.
    pub async fn transaction(&self, inserts: usize, nested: bool) {
        let insert = || sqlx::query_scalar::<_, i64>(INSERT).bind("User").bind("black");
        let mut outer = self.0.begin().await.unwrap();
        let own = if nested { inserts / 2 } else { inserts };
        for _ in 0..own {
            insert().fetch_one(&mut *outer).await.unwrap();
        }
        if nested {
            let mut inner = outer.begin().await.unwrap();
            for _ in own..inserts {
                insert().fetch_one(&mut *inner).await.unwrap();
            }
            inner.commit().await.unwrap();
        }
        outer.commit().await.unwrap();
    }

    pub async fn update(&self, id: i64) -> u64 {
        sqlx::query(UPDATE).bind("black").bind(id).execute(&self.0).await.unwrap().rows_affected()
    }
}

fn users(ids: Vec<i64>, names: Vec<String>, colors: Vec<Option<String>>) -> Vec<User> {
    let users = ids.into_iter().zip(names).zip(colors);
    users.map(|((id, name), hair_color)| User { id, name, hair_color }).collect()
}

/// A connection that is kept, and logs nothing: the least that a statement can take through sqlx.
pub struct Kept(PgConnection);

impl Kept {
    pub async fn connect(server: &Server) -> Kept {
        Kept(PgConnection::connect_with(&options(server).disable_statement_logging()).await.unwrap())
    }

    pub async fn all(&mut self, limit: i64) -> Vec<User> {
        sqlx::query(ALL).bind(limit).map(user).fetch_all(&mut self.0).await.unwrap()
    }

    pub async fn point(&mut self, id: i64) -> User {
        user(sqlx::query(POINT).bind(id).fetch_one(&mut self.0).await.unwrap())
    }

    pub async fn filter(&mut self, from: i64) -> Vec<User> {
        let query = sqlx::query(FILTER).bind("black").bind(from).bind("User 77").bind(20i64);
        query.map(user).fetch_all(&mut self.0).await.unwrap()
    }

    pub async fn insert(&mut self, name: String) -> User {
        let hair_color = Some("black".to_owned());
        let row = sqlx::query(INSERT).bind(&name).bind(&hair_color).fetch_one(&mut self.0).await.unwrap();
        User { id: row.get(0), name, hair_color }
    }

    pub async fn insert_many(&mut self, names: Vec<String>) -> Vec<User> {
        let colors = vec![Some("black".to_owned()); names.len()];
        let ids = sqlx::query_scalar(INSERT_MANY).bind(&names).bind(&colors).fetch_all(&mut self.0).await.unwrap();
        users(ids, names, colors)
    }

    pub async fn update(&mut self, id: i64) -> u64 {
        sqlx::query(UPDATE).bind("black").bind(id).execute(&mut self.0).await.unwrap().rows_affected()
    }
}

/// Such connections, lent one at a time.
pub struct KeptPool {
    free: Mutex<Vec<Kept>>,
    permits: Semaphore,
}

impl KeptPool {
    pub async fn connect(server: &Server, size: usize) -> Arc<KeptPool> {
        let mut free = Vec::new();
        for _ in 0..size {
            free.push(Kept::connect(server).await);
        }
        Arc::new(KeptPool { free: Mutex::new(free), permits: Semaphore::new(size) })
    }

    pub async fn point(&self, id: i64) -> User {
        let _permit = self.permits.acquire().await.unwrap();
        let mut kept = self.free.lock().unwrap().pop().unwrap();
        let user = kept.point(id).await;
        self.free.lock().unwrap().push(kept);
        user
    }
}
