//! A tree of three levels, which every store's benches read: authors with ten articles each, and ten remarks for each of the first thousand articles.

use std::collections::HashMap;
use std::hint::black_box;
use std::rc::Rc;

use ommi::prelude::*;
use tokio::runtime::Runtime as Tokio;

use crate::{OMMI, Side, Workload};

/// The root.
#[derive(Debug, Clone, Model)]
pub struct Author {
    #[ommi(auto)]
    id: i64,
    name: String,
    articles: HasMany<Article>,
}

#[derive(Debug, Clone, Model)]
pub struct Article {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Author::id)]
    author_id: i64,
    title: String,
    remarks: HasMany<Remark>,
}

#[derive(Debug, Clone, Model)]
pub struct Remark {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Article::id)]
    article_id: i64,
    text: String,
}

/// Makes the tables and fills them.
pub async fn fill(db: &Ommi, authors: i64) {
    db.create_tables::<(Author, Article, Remark)>().await.unwrap();
    db.add_all((0..authors).map(|n| new!(Author { name: format!("Author {n}") }))).await.unwrap();
    let articles = (0..authors * 10).map(|n| new!(Article { author_id: n / 10 + 1, title: format!("Article {n}") }));
    db.add_all(articles).await.unwrap();
    let remarks = (0..10_000).map(|n: i64| new!(Remark { article_id: n / 10 + 1, text: format!("Remark {n}") }));
    db.add_all(remarks).await.unwrap();
}

/// What Ommi reads the trees with.
pub struct Reader {
    pub tokio: Tokio,
    pub db: Ommi,
}

impl Reader {
    /// A side that reads so.
    pub fn side(self: &Rc<Reader>, read: impl AsyncFn(&Ommi) + 'static) -> Side {
        let reader = self.clone();
        Box::new(move |times| {
            reader.tokio.block_on(async {
                for _ in 0..times {
                    read(&reader.db).await;
                }
            });
        })
    }
}

/// The trees, beside another side that reads so many authors with so many levels below them; and authors with their articles, so many.
pub fn workloads(
    rival: &'static str,
    reader: &Rc<Reader>,
    parents: &[i64],
    by_hand: impl Fn(i64, usize) -> Side,
) -> Vec<Workload> {
    let included = |authors: i64, depth: usize| {
        reader.side(async move |db| {
            black_box(included(db, authors, depth).await);
        })
    };
    let workload = |name: String, raw: Side, ommi: Side| Workload { name, sides: vec![(rival, raw), (OMMI, ommi)] };
    let tree = "tree 100, 1000, 10000";
    let mut workloads = vec![
        workload(format!("{tree} by include"), by_hand(100, 2), included(100, 2)),
        workload(format!("{tree} lazily"), by_hand(100, 2), reader.side(async |db| lazily(db).await)),
    ];
    let of_parents =
        |&parents: &i64| workload(format!("include of {parents} parents"), by_hand(parents, 1), included(parents, 1));
    workloads.extend(parents.iter().map(of_parents));
    workloads
}

/// Reads authors with their articles, and those with their remarks if it is to be that deep.
async fn included(db: &Ommi, authors: i64, depth: usize) -> Vec<Author> {
    let find = db.find(Author::id.le(authors));
    let find = match depth {
        1 => find.include(Author::articles),
        _ => find.include(Author::articles.include(Article::remarks)),
    };
    find.all().await.unwrap()
}

/// Reads a hundred authors, and everything of theirs when it is come to.
async fn lazily(db: &Ommi) {
    let authors = db.find(Author::id.le(100)).all().await.unwrap();
    for author in &authors {
        for article in author.articles.load(db).await.unwrap() {
            black_box(article.remarks.load(db).await.unwrap());
        }
    }
}

/// The same by hand.
pub struct RawAuthor {
    pub id: i64,
    pub name: String,
    pub articles: Vec<RawArticle>,
}

pub struct RawArticle {
    pub id: i64,
    pub author_id: i64,
    pub title: String,
    pub remarks: Vec<RawRemark>,
}

pub struct RawRemark {
    pub id: i64,
    pub article_id: i64,
    pub text: String,
}

/// Brings rows together that came level by level.
pub fn gather(mut authors: Vec<RawAuthor>, mut articles: Vec<RawArticle>, remarks: Vec<RawRemark>) -> Vec<RawAuthor> {
    if !remarks.is_empty() {
        let places: HashMap<i64, usize> =
            articles.iter().enumerate().map(|(place, article)| (article.id, place)).collect();
        for remark in remarks {
            articles[places[&remark.article_id]].remarks.push(remark);
        }
    }
    let places: HashMap<i64, usize> = authors.iter().enumerate().map(|(place, author)| (author.id, place)).collect();
    for article in articles {
        authors[places[&article.author_id]].articles.push(article);
    }
    authors
}
