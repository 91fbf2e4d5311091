//! A tree of three levels by includes and lazily, beside a query for each level by hand.

use std::hint::black_box;
use std::rc::Rc;

use ommi::prelude::*;
use ommi_benches::tree::{self, RawArticle, RawAuthor, RawRemark, Reader, gather};
use ommi_benches::{Runtime, Workload};
use tokio_postgres::{Client, Config, NoTls, Statement};

use crate::server::{SCHEMA, Server};

/// A client with its prepared statements.
struct Raw {
    client: Client,
    authors: Statement,
    articles: Statement,
    remarks: Statement,
}

impl Raw {
    async fn connect(server: &Server) -> Raw {
        let mut config: Config = server.url.parse().unwrap();
        let (client, connection) = config.options(format!("-c search_path={SCHEMA}")).connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        let articles = "SELECT id, author_id, title FROM articles WHERE author_id = ANY($1) ORDER BY id";
        let remarks = "SELECT id, article_id, text FROM remarks WHERE article_id = ANY($1) ORDER BY id";
        Raw {
            authors: client.prepare("SELECT id, name FROM authors WHERE id <= $1").await.unwrap(),
            articles: client.prepare(articles).await.unwrap(),
            remarks: client.prepare(remarks).await.unwrap(),
            client,
        }
    }

    async fn tree(&self, authors: i64, depth: usize) -> Vec<RawAuthor> {
        let rows = self.client.query(&self.authors, &[&authors]).await.unwrap();
        let author = |row: &tokio_postgres::Row| RawAuthor { id: row.get(0), name: row.get(1), articles: Vec::new() };
        let authors: Vec<RawAuthor> = rows.iter().map(author).collect();
        let keys: Vec<i64> = authors.iter().map(|author| author.id).collect();
        let rows = self.client.query(&self.articles, &[&keys]).await.unwrap();
        let article = |row: &tokio_postgres::Row| RawArticle {
            id: row.get(0),
            author_id: row.get(1),
            title: row.get(2),
            remarks: Vec::new(),
        };
        let articles: Vec<RawArticle> = rows.iter().map(article).collect();
        let mut remarks = Vec::new();
        if depth > 1 {
            let keys: Vec<i64> = articles.iter().map(|article| article.id).collect();
            let rows = self.client.query(&self.remarks, &[&keys]).await.unwrap();
            remarks.extend(rows.iter().map(|row| RawRemark {
                id: row.get(0),
                article_id: row.get(1),
                text: row.get(2),
            }));
        }
        gather(authors, articles, remarks)
    }
}

/// After the other workloads' tables were made, in the same schema.
pub fn all(server: &Server, runtime: Runtime) -> Vec<Workload> {
    let tokio = runtime.build();
    let (raw, db) = tokio.block_on(async {
        let db = Ommi::new(server.options().connect().await.unwrap());
        tree::fill(&db, 10_000).await;
        (Raw::connect(server).await, db)
    });
    let (raw, reader) = (Rc::new(raw), Rc::new(Reader { tokio, db }));
    tree::workloads("tokio-postgres", &reader, &[100, 10_000], |authors, depth| {
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
