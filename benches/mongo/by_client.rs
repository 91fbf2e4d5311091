//! What one writes with the official client.

use std::sync::atomic::{AtomicI64, Ordering};

use futures::TryStreamExt;
use ommi::mongo::mongodb::bson::doc;
use ommi::mongo::mongodb::options::{CollectionOptions, WriteConcern};
use ommi::mongo::mongodb::{Client, Collection, Database};
use serde::{Deserialize, Serialize};

#[allow(dead_code)] // Filled in, as the other side fills in its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct User {
    #[serde(rename = "_id")]
    pub id: i64,
    pub name: String,
    pub hair_color: Option<String>,
}

/// The largest batches that the server gives, as Ommi asks for.
const ONE_BATCH: u32 = 1_000_000;

/// The client, with the collections.
pub struct Raw {
    client: Client,
    users: Collection<User>,
    new_users: Collection<User>,
    next: AtomicI64,
}

impl Raw {
    pub fn new(client: &Client, database: &Database) -> Raw {
        let options = || CollectionOptions::builder().write_concern(WriteConcern::majority()).build();
        Raw {
            client: client.clone(),
            users: database.collection_with_options("users", options()),
            // Beside those of Ommi, whose keys would meet these, with the same validator.
            new_users: database.collection_with_options("raw_users", options()),
            next: AtomicI64::new(1),
        }
    }

    pub async fn point(&self, id: i64) -> User {
        self.users.find_one(doc! { "_id": id }).await.unwrap().unwrap()
    }

    pub async fn update(&self, id: i64) -> u64 {
        let change = doc! { "$set": { "hair_color": "black" } };
        self.users.update_one(doc! { "_id": id }, change).await.unwrap().matched_count
    }

    pub async fn filter(&self, from: i64) -> Vec<User> {
        let filter = doc! { "hair_color": "black", "_id": { "$gte": from }, "name": { "$ne": "User 77" } };
        let found = self.users.find(filter).sort(doc! { "_id": 1 }).limit(20).await.unwrap();
        found.try_collect().await.unwrap()
    }

    /// The first ones by their key, as a limit means to Ommi.
    pub async fn first(&self, limit: i64) -> Vec<User> {
        let find = self.users.find(doc! {}).sort(doc! { "_id": 1 }).limit(limit).batch_size(ONE_BATCH);
        find.await.unwrap().try_collect().await.unwrap()
    }

    pub async fn all(&self) -> Vec<User> {
        self.users.find(doc! {}).batch_size(ONE_BATCH).await.unwrap().try_collect().await.unwrap()
    }

    fn users(&self, first: i64, names: Vec<String>) -> Vec<User> {
        let user = |(id, name)| User { id, name, hair_color: Some("black".to_owned()) };
        (first..).zip(names).map(user).collect()
    }

    pub async fn insert(&self, name: String) -> User {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let user = User { id, name, hair_color: Some("black".to_owned()) };
        self.new_users.insert_one(&user).await.unwrap();
        user
    }

    pub async fn insert_many(&self, names: Vec<String>) -> Vec<User> {
        let first = self.next.fetch_add(names.len() as i64, Ordering::Relaxed);
        let users = self.users(first, names);
        self.new_users.insert_many(&users).await.unwrap();
        users
    }

    /// So many inserts in a transaction, each by itself.
    pub async fn transaction(&self, inserts: usize) {
        let mut session = self.client.start_session().await.unwrap();
        session.start_transaction().await.unwrap();
        for _ in 0..inserts {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            let user = User { id, name: "User".to_owned(), hair_color: Some("black".to_owned()) };
            self.new_users.insert_one(&user).session(&mut session).await.unwrap();
        }
        session.commit_transaction().await.unwrap();
    }

    /// All or nothing.
    pub async fn insert_atomically(&self, names: Vec<String>) -> Vec<User> {
        let first = self.next.fetch_add(names.len() as i64, Ordering::Relaxed);
        let users = self.users(first, names);
        let mut session = self.client.start_session().await.unwrap();
        session.start_transaction().await.unwrap();
        self.new_users.insert_many(&users).session(&mut session).await.unwrap();
        session.commit_transaction().await.unwrap();
        users
    }
}
