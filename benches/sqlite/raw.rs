//! What somebody writes by hand with rusqlite who minds the speed.

use std::hint::black_box;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, Row, Statement, params};

#[allow(dead_code)] // Filled in, as the other side fills in its own.
pub struct User {
    pub id: i64,
    pub name: String,
    pub hair_color: Option<String>,
}

pub const ALL: &str = "SELECT id, name, hair_color FROM users ORDER BY id LIMIT ?1";
pub const POINT: &str = "SELECT id, name, hair_color FROM users WHERE id = ?1";
pub const FILTER: &str = "SELECT id, name, hair_color FROM users \
     WHERE hair_color = ?1 AND id >= ?2 AND name <> ?3 ORDER BY id LIMIT ?4";
pub const INSERT: &str = "INSERT INTO new_users (name, hair_color) VALUES (?1, ?2)";
pub const UPDATE: &str = "UPDATE users SET hair_color = ?1 WHERE id = ?2";

pub fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    connection.set_prepared_statement_cache_capacity(128);
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")
        .unwrap();
    connection
}

pub fn user(row: &Row<'_>) -> User {
    User {
        id: row.get_ref(0).unwrap().as_i64().unwrap(),
        name: row.get_ref(1).unwrap().as_str().unwrap().to_owned(),
        hair_color: row.get_ref(2).unwrap().as_str_or_null().unwrap().map(str::to_owned),
    }
}

pub fn all(statement: &mut Statement<'_>, limit: i64) -> Vec<User> {
    let mut users = Vec::new();
    let mut rows = statement.query(params![limit]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        users.push(user(row));
    }
    users
}

pub fn point(statement: &mut Statement<'_>, id: i64) -> User {
    let mut rows = statement.query(params![id]).unwrap();
    user(rows.next().unwrap().unwrap())
}

pub fn filter(statement: &mut Statement<'_>, from: i64) -> Vec<User> {
    let mut users = Vec::new();
    let mut rows = statement.query(params!["black", from, "User 77", 20]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        users.push(user(row));
    }
    users
}

/// Adds a row and gives it back, as it is now stored.
fn insert_one(connection: &Connection, statement: &mut Statement<'_>, name: &str) -> User {
    statement.execute(params![name, "black"]).unwrap();
    let id = connection.last_insert_rowid();
    User { id, name: name.to_owned(), hair_color: Some("black".to_owned()) }
}

fn control(connection: &Connection, text: &str) {
    cached(connection, text).raw_execute().unwrap();
}

pub fn insert(connection: &Connection, statement: &mut Statement<'_>, names: &[String]) -> Vec<User> {
    let mut users = Vec::with_capacity(names.len());
    let several = names.len() > 1;
    if several {
        control(connection, "BEGIN IMMEDIATE");
    }
    users.extend(names.iter().map(|name| insert_one(connection, statement, name)));
    if several {
        control(connection, "COMMIT");
    }
    users
}

/// So many inserts in a transaction, each by itself, with a kept statement or one that is looked up each time; the last half of them within a
/// savepoint, if there is one.
pub fn transaction(connection: &Connection, mut kept: Option<&mut Statement<'_>>, inserts: usize, nested: bool) {
    control(connection, "BEGIN IMMEDIATE");
    for number in 0..inserts {
        if nested && number == inserts / 2 {
            control(connection, "SAVEPOINT one");
        }
        black_box(match &mut kept {
            Some(kept) => insert_one(connection, kept, "User"),
            None => insert_one(connection, &mut cached(connection, INSERT), "User"),
        });
    }
    if nested {
        control(connection, "RELEASE one");
    }
    control(connection, "COMMIT");
}

pub fn cached<'c>(connection: &'c Connection, text: &str) -> CachedStatement<'c> {
    connection.prepare_cached(text).unwrap()
}
