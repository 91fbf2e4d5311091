//! What somebody writes by hand with tokio-postgres who minds the speed.

use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};

use crate::server::{SCHEMA, Server};
use crate::workloads::{ALL, FILTER, INSERT, INSERT_MANY, POINT, UPDATE, User};

/// A client with its prepared statements.
pub struct Raw {
    client: Client,
    all: Statement,
    point: Statement,
    filter: Statement,
    insert: Statement,
    insert_many: Statement,
    update: Statement,
}

fn user(row: &Row) -> User {
    User { id: row.get(0), name: row.get(1), hair_color: row.get(2) }
}

impl Raw {
    pub async fn connect(server: &Server) -> Raw {
        let mut config: Config = server.url.parse().unwrap();
        let (client, connection) = config.options(format!("-c search_path={SCHEMA}")).connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        Raw {
            all: client.prepare(ALL).await.unwrap(),
            point: client.prepare(POINT).await.unwrap(),
            filter: client.prepare(FILTER).await.unwrap(),
            insert: client.prepare(INSERT).await.unwrap(),
            insert_many: client.prepare(INSERT_MANY).await.unwrap(),
            update: client.prepare(UPDATE).await.unwrap(),
            client,
        }
    }

    pub async fn all(&self, limit: i64) -> Vec<User> {
        self.client.query(&self.all, &[&limit]).await.unwrap().iter().map(user).collect()
    }

    pub async fn point(&self, id: i64) -> User {
        user(&self.client.query_one(&self.point, &[&id]).await.unwrap())
    }

    pub async fn filter(&self, from: i64) -> Vec<User> {
        let rows = self.client.query(&self.filter, &[&"black", &from, &"User 77", &20i64]).await.unwrap();
        rows.iter().map(user).collect()
    }

    pub async fn insert(&self, name: String) -> User {
        let hair_color = Some("black".to_owned());
        let row = self.client.query_one(&self.insert, &[&name, &hair_color]).await.unwrap();
        User { id: row.get(0), name, hair_color }
    }

    pub async fn insert_many(&self, names: Vec<String>) -> Vec<User> {
        let colors = vec![Some("black".to_owned()); names.len()];
        let rows = self.client.query(&self.insert_many, &[&names, &colors]).await.unwrap();
        let users = rows.iter().zip(names).zip(colors);
        users.map(|((row, name), hair_color)| User { id: row.get(0), name, hair_color }).collect()
    }

    /// So many inserts in a transaction; the last half of them within a savepoint, if there is one.
    pub async fn transaction(&self, inserts: usize, nested: bool) {
        self.client.batch_execute("BEGIN").await.unwrap();
        for number in 0..inserts {
            if nested && number == inserts / 2 {
                self.client.batch_execute("SAVEPOINT one").await.unwrap();
            }
            self.insert("User".to_owned()).await;
        }
        if nested {
            self.client.batch_execute("RELEASE one").await.unwrap();
        }
        self.client.batch_execute("COMMIT").await.unwrap();
    }

    pub async fn update(&self, id: i64) -> u64 {
        self.client.execute(&self.update, &[&"black", &id]).await.unwrap()
    }
}

/// Clients that are lent one at a time.
pub struct Pool {
    free: Mutex<Vec<Raw>>,
    permits: Semaphore,
}

impl Pool {
    pub async fn connect(server: &Server, size: usize) -> Arc<Pool> {
        let mut free = Vec::new();
        for _ in 0..size {
            free.push(Raw::connect(server).await);
        }
        Arc::new(Pool { free: Mutex::new(free), permits: Semaphore::new(size) })
    }

    pub async fn point(&self, id: i64) -> User {
        let _permit = self.permits.acquire().await.unwrap();
        let raw = self.free.lock().unwrap().pop().unwrap();
        let user = raw.point(id).await;
        self.free.lock().unwrap().push(raw);
        user
    }
}
