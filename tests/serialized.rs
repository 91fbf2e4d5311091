//! Relations in what serde writes and reads (feature `serde`).

use ommi::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Model, Serialize, Deserialize)]
struct Author {
    #[ommi(auto)]
    id: i64,
    name: String,
    books: HasMany<Book>,
    address: HasOne<Address>,
    topics: HasMany<Topic, Through<Interest>>,
}

#[derive(Debug, Clone, PartialEq, Model, Serialize, Deserialize)]
struct Book {
    #[ommi(auto)]
    id: i64,
    title: String,
    #[ommi(references = Author::id)]
    author_id: Option<i64>,
    author: BelongsTo<Option<Author>>,
}

#[derive(Debug, Clone, PartialEq, Model, Serialize, Deserialize)]
struct Address {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique, references = Author::id)]
    author_id: i64,
    city: String,
    author: BelongsTo<Author>,
}

#[derive(Debug, Clone, PartialEq, Model, Serialize, Deserialize)]
struct Topic {
    #[ommi(auto)]
    id: i64,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Interest {
    #[ommi(key, references = Author::id)]
    author_id: i64,
    #[ommi(key, references = Topic::id)]
    topic_id: i64,
}

async fn filled() -> DBResult<Ommi> {
    let db = Ommi::connect("sqlite::memory:").await?;
    db.create_tables::<(Author, Book, Address, Topic, Interest)>().await?;
    db.add(new!(Author {
        name: "Ann",
        books: [{ title: "one" }, { title: "two" }],
        address: { city: "Oslo" },
        topics: [{ name: "trees" }],
    }))
    .await?;
    db.add(new!(Book { title: "orphan" })).await?;
    Ok(db)
}

fn written(row: &impl Serialize) -> Value {
    serde_json::to_value(row).unwrap()
}

#[tokio::test]
async fn what_is_not_loaded_is_null() -> DBResult<()> {
    let author = filled().await?.find_all::<Author>().one().await?;
    let expected = json!({ "id": 1, "name": "Ann", "books": null, "address": null, "topics": null });
    assert_eq!(written(&author), expected);
    Ok(())
}

#[tokio::test]
async fn what_is_loaded_is_written() -> DBResult<()> {
    let include = (Author::books.include(Book::author), Author::address, Author::topics);
    let author = filled().await?.find_all::<Author>().include(include).one().await?;
    let inner = json!({ "id": 1, "name": "Ann", "books": null, "address": null, "topics": null });
    let book = |id: i64, title: &str| json!({ "id": id, "title": title, "author_id": 1, "author": inner });
    let expected = json!({
        "id": 1,
        "name": "Ann",
        "books": [book(1, "one"), book(2, "two")],
        "address": { "id": 1, "author_id": 1, "city": "Oslo", "author": null },
        "topics": [{ "id": 1, "name": "trees" }],
    });
    assert_eq!(written(&author), expected);
    Ok(())
}

#[tokio::test]
async fn none_and_no_rows_are_written_as_such() -> DBResult<()> {
    let db = filled().await?;
    let book = db.find(Book::title.eq("orphan")).include(Book::author).one().await?;
    assert_eq!(written(&book)["author"], Value::Null);
    let bob = db.add(new!(Author { name: "Bob" })).await?;
    bob.books.load(&db).await?;
    bob.topics.load(&db).await?;
    let expected = json!({ "id": 2, "name": "Bob", "books": [], "address": null, "topics": [] });
    assert_eq!(written(&bob), expected);
    Ok(())
}

#[tokio::test]
async fn what_is_read_is_detached() -> DBResult<()> {
    let db = filled().await?;
    let include = (Author::books.include(Book::author), Author::address, Author::topics);
    let author = db.find_all::<Author>().include(include).one().await?;
    // Written in full, with null, and without the fields at all.
    for text in [written(&author), written(&db.get::<Author>(1).await?), json!({ "id": 1, "name": "Ann" })] {
        let read: Author = serde_json::from_value(text).unwrap();
        assert_eq!(read, author);
        assert!(!read.books.is_loaded() && !read.address.is_loaded() && !read.topics.is_loaded());
        let refused = read.books.load(&db).await.unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::Query), "{refused}");
        assert!(read.topics.load(&db).await.is_err() && read.address.load(&db).await.is_err());
    }
    Ok(())
}
