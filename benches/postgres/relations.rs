//! A tree of three levels by includes and lazily, beside a query for each level by hand.

use std::hint::black_box;
use std::rc::Rc;

use ommi::prelude::*;
use ommi_benches::tree::{self, RawArticle, RawAuthor, RawRemark, gather};
use ommi_benches::{OMMI, Runtime, Side, Workload};
use tokio::runtime::Runtime as Tokio;
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

/// Both sides, on one runtime.
struct Clients {
    tokio: Tokio,
    raw: Raw,
    db: Ommi,
}

/// After the other workloads' tables were made, in the same schema.
pub fn all(server: &Server, runtime: Runtime) -> Vec<Workload> {
    let tokio = runtime.build();
    let (raw, db) = tokio.block_on(async {
        let db = Ommi::new(server.options().connect().await.unwrap());
        tree::fill(&db, 10_000).await;
        (Raw::connect(server).await, db)
    });
    let clients = Rc::new(Clients { tokio, raw, db });
    let by_hand = |authors: i64, depth: usize| -> Side {
        let clients = clients.clone();
        Box::new(move |times| {
            clients.tokio.block_on(async {
                for _ in 0..times {
                    black_box(clients.raw.tree(authors, depth).await);
                }
            });
        })
    };
    let included = |authors: i64, depth: usize| -> Side {
        let clients = clients.clone();
        Box::new(move |times| {
            clients.tokio.block_on(async {
                for _ in 0..times {
                    black_box(tree::included(&clients.db, authors, depth).await);
                }
            });
        })
    };
    let lazily: Side = {
        let clients = clients.clone();
        Box::new(move |times| {
            clients.tokio.block_on(async {
                for _ in 0..times {
                    tree::lazily(&clients.db).await;
                }
            });
        })
    };
    let workload = |name: &str, raw: Side, ommi: Side| Workload {
        name: name.to_owned(),
        sides: vec![("tokio-postgres", raw), (OMMI, ommi)],
    };
    vec![
        workload("tree 100, 1000, 10000 by include", by_hand(100, 2), included(100, 2)),
        workload("tree 100, 1000, 10000 lazily", by_hand(100, 2), lazily),
        workload("include of 100 parents", by_hand(100, 1), included(100, 1)),
        workload("include of 10000 parents", by_hand(10_000, 1), included(10_000, 1)),
    ]
}
