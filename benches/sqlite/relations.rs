//! Relations: what a row pays for having them, and a tree of three levels beside three queries by hand.

use std::collections::HashMap;
use std::hint::black_box;
use std::rc::Rc;

use ommi::prelude::*;
use rusqlite::Connection;

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

#[derive(Debug, Clone, Model)]
struct Author {
    #[ommi(auto)]
    id: i64,
    name: String,
    articles: HasMany<Article>,
}

#[derive(Debug, Clone, Model)]
struct Article {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Author::id)]
    author_id: i64,
    title: String,
    remarks: HasMany<Remark>,
}

#[derive(Debug, Clone, Model)]
struct Remark {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Article::id)]
    article_id: i64,
    text: String,
}

type OnDatabase = dyn Fn(&Ommi, &tokio::runtime::Runtime);

pub fn all(runtime: Runtime) -> Vec<Workload> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relations.db");
    let tokio = Rc::new(runtime.build());
    let db = tokio.block_on(async {
        let db = Ommi::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
        db.create_tables::<(Person, Author, Article, Remark)>().await.unwrap();
        let person =
            |n: i64| new!(Person { name: format!("Person {n}"), hair_color: (n % 2 == 0).then(|| "black".to_owned()) });
        db.add_all((0..10_000).map(person)).await.unwrap();
        for (authors, first) in [(10_000, 0)] {
            db.add_all((first..first + authors).map(|n: i64| new!(Author { name: format!("Author {n}") })))
                .await
                .unwrap();
            let articles =
                (0..authors * 10).map(|n| new!(Article { author_id: n / 10 + 1, title: format!("Article {n}") }));
            db.add_all(articles).await.unwrap();
        }
        let remarks = (0..10_000).map(|n: i64| new!(Remark { article_id: n / 10 + 1, text: format!("Remark {n}") }));
        db.add_all(remarks).await.unwrap();
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
            (0..times).for_each(|_| drop(black_box(tree(&connection, authors, depth))));
        })
    };
    let included = |authors: i64, depth: usize| {
        side(Box::new(move |db, tokio| {
            let find = db.find(Author::id.le(authors));
            let find = match depth {
                1 => find.include(Author::articles),
                _ => find.include(Author::articles.include(Article::remarks)),
            };
            black_box(tokio.block_on(find.all()).unwrap());
        }))
    };
    let lazily = side(Box::new(|db, tokio| {
        tokio.block_on(async {
            let authors = db.find(Author::id.le(100)).all().await.unwrap();
            for author in &authors {
                for article in author.articles.load(db).await.unwrap() {
                    black_box(article.remarks.load(db).await.unwrap());
                }
            }
        });
    }));
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

struct RawAuthor {
    _id: i64,
    _name: String,
    articles: Vec<RawArticle>,
}

struct RawArticle {
    id: i64,
    author_id: i64,
    _title: String,
    remarks: Vec<RawRemark>,
}

struct RawRemark {
    _id: i64,
    article_id: i64,
    _text: String,
}

/// What somebody writes by hand: a query for each level, the keys of one level given to the next, and a map to bring rows together.
fn tree(connection: &Connection, authors: i64, depth: usize) -> Vec<RawAuthor> {
    let mut statement = raw::cached(connection, "SELECT id, name FROM authors WHERE id <= ?1");
    let mut rows = statement.query([authors]).unwrap();
    let mut authors = Vec::new();
    let mut places = HashMap::new();
    while let Some(row) = rows.next().unwrap() {
        let id = row.get_ref(0).unwrap().as_i64().unwrap();
        places.insert(id, authors.len());
        let name = row.get_ref(1).unwrap().as_str().unwrap().to_owned();
        authors.push(RawAuthor { _id: id, _name: name, articles: Vec::new() });
    }
    let text =
        "SELECT id, author_id, title FROM articles WHERE author_id IN (SELECT value FROM json_each(?1)) ORDER BY id";
    let mut statement = raw::cached(connection, text);
    let mut rows = statement.query([json(places.keys())]).unwrap();
    let mut articles = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        articles.push(RawArticle {
            id: row.get_ref(0).unwrap().as_i64().unwrap(),
            author_id: row.get_ref(1).unwrap().as_i64().unwrap(),
            _title: row.get_ref(2).unwrap().as_str().unwrap().to_owned(),
            remarks: Vec::new(),
        });
    }
    if depth > 1 {
        let of_articles: HashMap<i64, usize> =
            articles.iter().enumerate().map(|(i, article)| (article.id, i)).collect();
        let text = "SELECT id, article_id, text FROM remarks WHERE article_id IN (SELECT value FROM json_each(?1)) ORDER BY id";
        let mut statement = raw::cached(connection, text);
        let mut rows = statement.query([json(of_articles.keys())]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let remark = RawRemark {
                _id: row.get_ref(0).unwrap().as_i64().unwrap(),
                article_id: row.get_ref(1).unwrap().as_i64().unwrap(),
                _text: row.get_ref(2).unwrap().as_str().unwrap().to_owned(),
            };
            articles[of_articles[&remark.article_id]].remarks.push(remark);
        }
    }
    for article in articles {
        authors[places[&article.author_id]].articles.push(article);
    }
    authors
}

fn json<'k>(keys: impl Iterator<Item = &'k i64>) -> String {
    let keys: Vec<String> = keys.map(i64::to_string).collect();
    format!("[{}]", keys.join(","))
}
