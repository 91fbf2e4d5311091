//! Relations: what a row pays for having them, and a tree of three levels beside three queries by hand.

use std::hint::black_box;
use std::rc::Rc;

use ommi::prelude::*;
use rusqlite::Connection;

use ommi_benches::tree::{self, RawArticle, RawAuthor, RawRemark, gather};
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

type OnDatabase = dyn Fn(&Ommi, &tokio::runtime::Runtime);

pub fn all(runtime: Runtime) -> Vec<Workload> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relations.db");
    let tokio = Rc::new(runtime.build());
    let db = tokio.block_on(async {
        let db = Ommi::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
        db.create_tables::<Person>().await.unwrap();
        let person =
            |n: i64| new!(Person { name: format!("Person {n}"), hair_color: (n % 2 == 0).then(|| "black".to_owned()) });
        db.add_all((0..10_000).map(person)).await.unwrap();
        tree::fill(&db, 10_000).await;
        db
    });
    let side = |run: Box<OnDatabase>| -> Side {
        let (tokio, db) = (tokio.clone(), db.clone());
        Box::new(move |times| (0..times).for_each(|_| run(&db, &tokio)))
    };
    let people = || {
        side(Box::new(|db, tokio| {
            black_box(tokio.block_on(db.find_all::<Person>().all()).unwrap());
        }))
    };
    let with_one = side(Box::new(|db, tokio| {
        black_box(tokio.block_on(db.find_all::<PersonWithOne>().all()).unwrap());
    }));
    let with_three = side(Box::new(|db, tokio| {
        black_box(tokio.block_on(db.find_all::<PersonWithThree>().all()).unwrap());
    }));
    let get = side(Box::new(|db, tokio| {
        black_box(tokio.block_on(db.get::<Person>(77)).unwrap());
    }));
    let get_three = side(Box::new(|db, tokio| {
        black_box(tokio.block_on(db.get::<PersonWithThree>(77)).unwrap());
    }));
    let connection = Rc::new(raw::open(&path));
    let by_hand = |authors: i64, depth: usize| -> Side {
        let connection = connection.clone();
        Box::new(move |times| {
            (0..times).for_each(|_| drop(black_box(by_queries(&connection, authors, depth))));
        })
    };
    let included = |authors: i64, depth: usize| {
        side(Box::new(move |db, tokio| drop(black_box(tokio.block_on(tree::included(db, authors, depth))))))
    };
    let lazily = side(Box::new(|db, tokio| tokio.block_on(tree::lazily(db))));
    // Deletes the files with the last workload.
    let folder = Rc::new(folder);
    let workload = |name: &str, raw: Side, mut ommi: Side| {
        let folder = folder.clone();
        let ommi = Box::new(move |times| {
            let _ = &folder;
            ommi(times);
        });
        Workload { name: name.to_owned(), sides: vec![("raw", raw), (OMMI, ommi)] }
    };
    vec![
        workload("10000 rows, 1 relation beside none", people(), with_one),
        workload("10000 rows, 3 relations beside none", people(), with_three),
        workload("get, 3 relations beside none", get, get_three),
        workload("tree 100, 1000, 10000 by include", by_hand(100, 2), included(100, 2)),
        workload("tree 100, 1000, 10000 lazily", by_hand(100, 2), lazily),
        workload("include of 100 parents", by_hand(100, 1), included(100, 1)),
        workload("include of 10000 parents", by_hand(10_000, 1), included(10_000, 1)),
    ]
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
