//! A tree of three levels by includes and lazily, beside a `find` for each level by hand.

use std::hint::black_box;
use std::rc::Rc;

use futures::TryStreamExt;
use ommi::mongo::mongodb::bson::doc;
use ommi::mongo::mongodb::{Collection, Database};
use ommi::prelude::*;
use ommi_benches::tree::{self, RawArticle, RawAuthor, RawRemark, Reader, gather};
use ommi_benches::{Runtime, Workload};
use serde::Deserialize;

use crate::server::Server;

#[derive(Deserialize)]
struct Author {
    #[serde(rename = "_id")]
    id: i64,
    name: String,
}

#[derive(Deserialize)]
struct Article {
    #[serde(rename = "_id")]
    id: i64,
    author_id: i64,
    title: String,
}

#[derive(Deserialize)]
struct Remark {
    #[serde(rename = "_id")]
    id: i64,
    article_id: i64,
    text: String,
}

struct Raw {
    authors: Collection<Author>,
    articles: Collection<Article>,
    remarks: Collection<Remark>,
}

/// The largest batches that the server gives, as Ommi asks for.
const BATCH: u32 = 1_000_000;

impl Raw {
    fn new(database: &Database) -> Raw {
        Raw {
            authors: database.collection("authors"),
            articles: database.collection("articles"),
            remarks: database.collection("remarks"),
        }
    }

    async fn tree(&self, authors: i64, depth: usize) -> Vec<RawAuthor> {
        let found = self.authors.find(doc! { "_id": { "$lte": authors } }).batch_size(BATCH).await.unwrap();
        let found: Vec<Author> = found.try_collect().await.unwrap();
        let keys: Vec<i64> = found.iter().map(|author| author.id).collect();
        let author = |Author { id, name }| RawAuthor { id, name, articles: Vec::new() };
        let authors = found.into_iter().map(author).collect();

        let found = self.articles.find(doc! { "author_id": { "$in": keys } }).sort(doc! { "_id": 1 });
        let found: Vec<Article> = found.batch_size(BATCH).await.unwrap().try_collect().await.unwrap();
        let keys: Vec<i64> = found.iter().map(|article| article.id).collect();
        let article = |Article { id, author_id, title }| RawArticle { id, author_id, title, remarks: Vec::new() };
        let articles = found.into_iter().map(article).collect();

        let mut remarks = Vec::new();
        if depth > 1 {
            let found = self.remarks.find(doc! { "article_id": { "$in": keys } }).sort(doc! { "_id": 1 });
            let found: Vec<Remark> = found.batch_size(BATCH).await.unwrap().try_collect().await.unwrap();
            remarks.extend(found.into_iter().map(|Remark { id, article_id, text }| RawRemark { id, article_id, text }));
        }
        gather(authors, articles, remarks)
    }
}

/// After the other workloads' collections were made, in the same database. Each side has a client of its own.
pub fn all(server: &Server, runtime: Runtime) -> Vec<Workload> {
    let tokio = runtime.build();
    let (raw, db) = tokio.block_on(async {
        let db = Ommi::new(server.connect().await);
        tree::fill(&db, 1_000).await;
        (Raw::new(server.connect().await.database()), db)
    });
    let (raw, reader) = (Rc::new(raw), Rc::new(Reader { tokio, db }));
    tree::workloads("mongodb", &reader, &[100], |authors, depth| {
        let (raw, reader) = (raw.clone(), reader.clone());
        Box::new(move |times| {
            reader.tokio.block_on(async {
                for _ in 0..times {
                    black_box(raw.tree(authors, depth).await);
                }
            });
        })
    })
}
