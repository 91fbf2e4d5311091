//! Relations: what a row pays for having them, and a tree of three levels beside three queries by hand.

use std::hint::black_box;
use std::rc::Rc;

use ommi::prelude::*;
use rusqlite::Connection;

use ommi_benches::tree::{self, RawArticle, RawAuthor, RawRemark, Reader, gather};
use ommi_benches::{OMMI, Runtime, Side, Workload};

use crate::raw;

#[derive(Debug, Clone, Model)]
#[ommi(table = "people")]
struct Person {
    #[ommi(auto)]
    id: i64,
    name: String,
    hair_color: Option<String>,
}

/// The same rows, with one relation.
#[derive(Debug, Clone, Model)]
#[ommi(table = "people")]
struct PersonWithOne {
    #[ommi(auto)]
    id: i64,
    name: String,
    hair_color: Option<String>,
    letters: HasMany<Letter>,
}

#[derive(Debug, Clone, Model)]
struct Letter {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = PersonWithOne::id)]
    person_id: i64,
}

/// The same rows, with three.
#[derive(Debug, Clone, Model)]
#[ommi(table = "people")]
struct PersonWithThree {
    #[ommi(auto)]
    id: i64,
    name: String,
    hair_color: Option<String>,
    cards: HasMany<Card>,
    passport: HasOne<Passport>,
    visits: HasMany<Visit>,
}

macro_rules! belongings {
    ($($name:ident)*) => {$(
        #[derive(Debug, Clone, Model)]
        struct $name {
            #[ommi(auto)]
            id: i64,
            #[ommi(references = PersonWithThree::id)]
            person_id: i64,
        }
    )*};
}

belongings!(Card Passport Visit);

pub fn all(runtime: Runtime) -> Vec<Workload> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relations.db");
    let tokio = runtime.build();
    let db = tokio.block_on(async {
        let db = Ommi::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
        db.create_tables::<Person>().await.unwrap();
        let person =
            |n: i64| new!(Person { name: format!("Person {n}"), hair_color: (n % 2 == 0).then(|| "black".to_owned()) });
        db.add_all((0..10_000).map(person)).await.unwrap();
        tree::fill(&db, 10_000).await;
        db
    });
    let reader = Rc::new(Reader { tokio, db });
    let people = || reader.side(async |db| drop(black_box(db.find_all::<Person>().all().await.unwrap())));
    let with_one = reader.side(async |db| drop(black_box(db.find_all::<PersonWithOne>().all().await.unwrap())));
    let with_three = reader.side(async |db| drop(black_box(db.find_all::<PersonWithThree>().all().await.unwrap())));
    let get = reader.side(async |db| drop(black_box(db.get::<Person>(77).await.unwrap())));
    let get_three = reader.side(async |db| drop(black_box(db.get::<PersonWithThree>(77).await.unwrap())));
    let connection = Rc::new(raw::open(&path));
    // Deletes the files with the last workload.
    let folder = Rc::new(folder);
    let workload = |name: &str, none: Side, mut related: Side| {
        let folder = folder.clone();
        let related = Box::new(move |times| {
            let _ = &folder;
            related(times);
        });
        Workload { name: name.to_owned(), sides: vec![("raw", none), (OMMI, related)] }
    };
    let mut workloads = vec![
        workload("10000 rows, 1 relation beside none", people(), with_one),
        workload("10000 rows, 3 relations beside none", people(), with_three),
        workload("get, 3 relations beside none", get, get_three),
    ];
    workloads.extend(tree::workloads("raw", &reader, &[100, 10_000], |authors, depth| {
        let (connection, folder) = (connection.clone(), folder.clone());
        Box::new(move |times| {
            let _ = &folder;
            (0..times).for_each(|_| drop(black_box(by_queries(&connection, authors, depth))));
        })
    }));
    workloads
}

/// What somebody writes by hand: a query for each level, the keys of one level given to the next, and a map to bring rows together.
fn by_queries(connection: &Connection, authors: i64, depth: usize) -> Vec<RawAuthor> {
    let mut statement = raw::cached(connection, "SELECT id, name FROM authors WHERE id <= ?1");
    let mut rows = statement.query([authors]).unwrap();
    let mut authors = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let name = row.get_ref(1).unwrap().as_str().unwrap().to_owned();
        authors.push(RawAuthor { id: row.get_ref(0).unwrap().as_i64().unwrap(), name, articles: Vec::new() });
    }
    let text =
        "SELECT id, author_id, title FROM articles WHERE author_id IN (SELECT value FROM json_each(?1)) ORDER BY id";
    let mut statement = raw::cached(connection, text);
    let mut rows = statement.query([json(authors.iter().map(|author| author.id))]).unwrap();
    let mut articles = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        articles.push(RawArticle {
            id: row.get_ref(0).unwrap().as_i64().unwrap(),
            author_id: row.get_ref(1).unwrap().as_i64().unwrap(),
            title: row.get_ref(2).unwrap().as_str().unwrap().to_owned(),
            remarks: Vec::new(),
        });
    }
    let mut remarks = Vec::new();
    if depth > 1 {
        let text = "SELECT id, article_id, text FROM remarks WHERE article_id IN (SELECT value FROM json_each(?1)) ORDER BY id";
        let mut statement = raw::cached(connection, text);
        let mut rows = statement.query([json(articles.iter().map(|article| article.id))]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            remarks.push(RawRemark {
                id: row.get_ref(0).unwrap().as_i64().unwrap(),
                article_id: row.get_ref(1).unwrap().as_i64().unwrap(),
                text: row.get_ref(2).unwrap().as_str().unwrap().to_owned(),
            });
        }
    }
    gather(authors, articles, remarks)
}

fn json(keys: impl Iterator<Item = i64>) -> String {
    let keys: Vec<String> = keys.map(|key| key.to_string()).collect();
    format!("[{}]", keys.join(","))
}
