//! How long what was loaded stays in memory: as long as a row is there of the query that it was loaded for, and no longer.

use std::sync::{Arc, Weak};

use ommi::prelude::*;

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "batch_shelves")]
struct Shelf {
    #[ommi(auto)]
    id: i64,
    books: HasMany<Book>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "batch_books")]
struct Book {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Shelf::id)]
    shelf_id: i64,
    shelf: BelongsTo<Shelf>,
    /// Goes with the row, so that a weak pointer to it tells whether the row is still there.
    #[ommi(skip)]
    life: Arc<()>,
}

/// Shelves with so many books each.
async fn filled<const N: usize>(db: &Ommi, books: [usize; N]) -> DBResult<()> {
    db.create_tables::<(Shelf, Book)>().await?;
    let shelves = db.add_all(books.map(|_| new!(Shelf { .. }))).await?;
    let of = |(shelf, books): (&Shelf, usize)| vec![new!(Book { shelf_id: shelf.id }); books];
    db.add_all(shelves.iter().zip(books).flat_map(of).collect::<Vec<_>>()).await?;
    Ok(())
}

async fn shelves(db: &impl Handle) -> DBResult<Vec<Shelf>> {
    db.find_all::<Shelf>().sort(Shelf::id).all().await
}

/// Pointers to books that do not keep them.
fn watch<'b>(books: impl IntoIterator<Item = &'b Book>) -> Vec<Weak<()>> {
    books.into_iter().map(|book| Arc::downgrade(&book.life)).collect()
}

/// The books that are loaded for these shelves.
fn loaded(shelves: &[Shelf]) -> Vec<Weak<()>> {
    watch(shelves.iter().flat_map(|shelf| shelf.books.get().expect("they are loaded")))
}

/// How many of the rows are in memory.
fn living(rows: &[Weak<()>]) -> usize {
    rows.iter().filter(|row| row.strong_count() > 0).count()
}

/// Whether that is a row for which there is nothing, or the clone of another.
pub(crate) async fn one_goes_with_its_last_row(db: &Ommi) -> DBResult<()> {
    filled(db, [2, 3, 0]).await?;
    for clone in [false, true] {
        let mut shelves = shelves(db).await?;
        shelves[0].books.load(db).await?;
        let books = loaded(&shelves);
        assert_eq!((books.len(), living(&books)), (5, 5));
        let last = shelves.pop().filter(|_| !clone).or_else(|| shelves.first().cloned()).expect("there are three");
        drop(shelves);
        assert_eq!(living(&books), 5, "a row of the batch is there");
        assert_eq!(last.books.load(db).await?.len(), if clone { 2 } else { 0 });
        drop(last);
        assert_eq!(living(&books), 0);
    }
    Ok(())
}

/// A row that is kept for long does not keep what was loaded for rows of other queries, nor of other pieces of a stream.
pub(crate) async fn one_does_not_keep_another(db: &Ommi) -> DBResult<()> {
    filled(db, [1, 1, 1, 1, 1, 1]).await?;
    let (mut kept, mut books) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut shelves = shelves(db).await?;
        shelves[0].books.load(db).await?;
        books.push(loaded(&shelves));
        kept.extend(shelves.pop());
    }
    kept.remove(1);
    assert_eq!(books.iter().map(|books| living(books)).collect::<Vec<_>>(), [6, 0, 6]);
    drop(kept);
    assert_eq!(books.iter().map(|books| living(books)).sum::<usize>(), 0);

    let (mut kept, mut books) = (None, Vec::new());
    let mut rows = db.find_all::<Shelf>().sort(Shelf::id).batch(2).stream();
    while let Some(shelf) = rows.try_next().await? {
        books.push(watch(shelf.books.load(db).await?));
        if books.len() == 3 {
            kept = Some(shelf);
        }
    }
    drop(rows);
    assert_eq!(books.iter().map(|books| living(books)).collect::<Vec<_>>(), [0, 0, 1, 1, 0, 0], "the second piece");
    drop(kept);
    assert_eq!(books.iter().map(|books| living(books)).sum::<usize>(), 0);
    Ok(())
}

/// Rows that lead to rows which lead back hold each other in memory no longer than they are held.
pub(crate) async fn rows_that_lead_back_go_too(db: &Ommi) -> DBResult<()> {
    filled(db, [2, 1]).await?;
    let included =
        db.find_all::<Shelf>().include(Shelf::books.include(Book::shelf.include(Shelf::books))).all().await?;
    let lazily = shelves(db).await?;
    for shelf in &lazily {
        for book in shelf.books.load(db).await? {
            book.shelf.load(db).await?.books.load(db).await?;
        }
    }
    for shelves in [included, lazily] {
        let mut books = loaded(&shelves);
        for book in shelves.iter().flat_map(|shelf| shelf.books.get().unwrap_or_default()) {
            books.extend(watch(book.shelf.get().and_then(|shelf| shelf.books.get()).expect("they lead back")));
        }
        assert_eq!((books.len(), living(&books)), (3 + 5, 8));
        drop(shelves);
        assert_eq!(living(&books), 0);
    }
    Ok(())
}

/// What a row is told to let go of goes, where it was loaded for that row alone.
pub(crate) async fn what_is_loaded_for_one_row_goes_when_it_is_let_go(db: &Ommi) -> DBResult<()> {
    filled(db, [2]).await?;
    let mut shelf = db.find_all::<Shelf>().one().await?;
    let first = watch(shelf.books.load(db).await?);
    let second = watch(shelf.books.refresh(db).await?);
    assert_eq!((living(&first), living(&second)), (0, 2), "it was loaded again");
    let taken = shelf.books.take().expect("they are loaded");
    assert_eq!(living(&second), 2);
    drop(taken);
    assert_eq!(living(&second), 0);
    let third = watch(shelf.books.load(db).await?);
    shelf.books.forget();
    assert_eq!(living(&third), 0);
    Ok(())
}

/// It is kept until then, as the documentation says, although nobody sees it.
pub(crate) async fn what_was_rolled_back_goes_with_the_rows(db: &Ommi) -> DBResult<()> {
    filled(db, [2, 0]).await?;
    let shelves = shelves(db).await?;
    let mut books = Vec::new();
    for _ in 0..2 {
        let tx = db.begin().await?;
        books.extend(watch(shelves[0].books.load(&tx).await?));
        tx.rollback().await?;
    }
    shelves[0].books.load(db).await?;
    books.extend(loaded(&shelves));
    assert_eq!((books.len(), living(&books)), (6, 6));
    drop(shelves);
    assert_eq!(living(&books), 0);
    Ok(())
}
