//! A driver may carry a part of a result elsewhere, and give it back in a sink that was forked.

use std::any::Any;

use async_trait::async_trait;
use ommi::ast::{Delete, Insert, Select, Statement, Update};
use ommi::driver::{
    Answer, Begin, Capabilities, Context, Driver, DriverTransaction, Executor, Explanation, Row, RowSink, RowStream,
    SchemaDriver,
};
use ommi::prelude::*;

#[derive(Debug, Model)]
struct Author {
    #[ommi(auto)]
    id: i64,
    name: String,
    books: HasMany<Book>,
}

#[derive(Debug, Model)]
struct Book {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Author::id)]
    author: i64,
    writer: BelongsTo<Author>,
}

/// Another driver, whose rows come through forks now and then.
struct InPieces {
    inner: Ommi,
    /// How many rows go one way.
    piece: usize,
}

/// Gives one piece of three in a fork.
struct Pieces<'s> {
    all: &'s mut dyn RowSink,
    fork: Option<Box<dyn RowSink>>,
    rows: usize,
    piece: usize,
}

impl Pieces<'_> {
    fn give_back(&mut self) {
        if let Some(fork) = self.fork.take() {
            self.all.absorb(fork);
        }
    }
}

impl RowSink for Pieces<'_> {
    fn row(&mut self, row: &mut dyn Row) -> DBResult<()> {
        let forked = self.rows / self.piece % 3 == 1;
        self.rows += 1;
        if forked {
            return self.fork.get_or_insert_with(|| self.all.fork()).row(row);
        }
        self.give_back();
        self.all.row(row)
    }

    fn clear(&mut self) {
        self.fork = None;
        self.rows = 0;
        self.all.clear();
    }

    fn len(&self) -> usize {
        self.rows
    }

    fn fork(&self) -> Box<dyn RowSink> {
        self.all.fork()
    }

    fn absorb(&mut self, fork: Box<dyn RowSink>) {
        self.all.absorb(fork);
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        Box::new(())
    }
}

impl Executor for InPieces {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        Answer::later(async move {
            let mut pieces = Pieces { all: sink, fork: None, rows: 0, piece: self.piece };
            self.inner.driver().fetch(select, &mut pieces, context).await?;
            pieces.give_back();
            Ok(())
        })
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        self.inner.driver().stream(select, sink, context)
    }

    fn insert<'a>(
        &'a self,
        insert: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        self.inner.driver().insert(insert, sink, context)
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        self.inner.driver().update(update, context)
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        self.inner.driver().delete(delete, context)
    }
}

#[async_trait]
impl Driver for InPieces {
    fn capabilities(&self) -> &Capabilities {
        self.inner.driver().capabilities()
    }

    async fn begin(&self, begin: &Begin, context: &Context) -> DBResult<Box<dyn DriverTransaction>> {
        self.inner.driver().begin(begin, context).await
    }

    fn schema(&self) -> &dyn SchemaDriver {
        self.inner.driver().schema()
    }

    fn explain(&self, statement: &Statement) -> DBResult<Explanation> {
        self.inner.driver().explain(statement)
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[tokio::test]
async fn rows_of_a_fork_have_their_own_relations() -> DBResult<()> {
    let db = Ommi::connect("sqlite::memory:").await?;
    db.create_tables::<(Author, Book)>().await?;
    db.add_all((0..150).map(|number| new!(Author { name: format!("{number}") }))).await?;
    db.add_all((0..450).map(|number| new!(Book { author: number / 3 + 1 }))).await?;
    for piece in [1, 7, 32, 33, 50, 200] {
        let db = Ommi::new(InPieces { inner: db.clone(), piece });
        let authors = db.find_all::<Author>().sort(Author::id.asc()).all().await?;
        assert_eq!(authors.len(), 150);
        for author in &authors {
            let books = author.books.load(&db).await?;
            assert!(books.len() == 3 && books.iter().all(|book| book.author == author.id), "{piece}: {author:?}");
        }
        let books = db.find_all::<Book>().sort(Book::id.desc()).all().await?;
        assert_eq!(books.len(), 450);
        for book in &books {
            let writer = book.writer.load(&db).await?;
            assert_eq!((writer.id, &writer.name), (book.author, &(book.author - 1).to_string()), "{piece}");
        }
    }
    Ok(())
}
