//! What becomes of rows that refer to a deleted one, and of those that refer to them.

use ommi::prelude::*;
use ommi::{Constraint, ConstraintKind};

use crate::expect::error;

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "gone_authors")]
struct Author {
    id: i64,
    #[ommi(unique)]
    name: Option<String>,
    #[ommi(by = author_id)]
    books: HasMany<Book>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "gone_books")]
struct Book {
    id: i64,
    #[ommi(references = Author::id, on_delete = "cascade")]
    author_id: i64,
    #[ommi(references = Author::name, on_delete = "set null")]
    dedicated_to: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "gone_reviews")]
struct Review {
    id: i64,
    #[ommi(references = Book::id, on_delete = "cascade")]
    book_id: i64,
    #[ommi(references = Author::id, on_delete = "set null")]
    by: Option<i64>,
    #[ommi(references = Author::id, on_delete = "set default", default = 1)]
    editor: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "gone_loans")]
struct Loan {
    id: i64,
    #[ommi(references = Book::id)]
    book_id: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "gone_stamps")]
struct Stamp {
    id: i64,
    #[ommi(references = Book::id, on_delete = "restrict")]
    book_id: i64,
}

/// Author 1 wrote books 10 and 11, author 2 book 20; a review of each, numbered as the book, edited by author 3.
async fn library(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Author, Book, Review, Loan, Stamp)>().await?;
    let author = |id, name: &str| new!(Author { id, name: name.to_owned() });
    db.add_all([author(1, "Ann"), author(2, "Bob"), author(3, "Cid")]).await?;
    let book = |id, author_id, to: Option<&str>| new!(Book { id, author_id, dedicated_to: to.map(str::to_owned) });
    db.add_all([book(10, 1, None), book(11, 1, Some("Bob")), book(20, 2, Some("Ann"))]).await?;
    let review = |book_id, by| new!(Review { id: book_id, book_id, by, editor: 3 });
    db.add_all([review(10, Some(2)), review(11, Some(1)), review(20, Some(1))]).await?;
    Ok(())
}

async fn books(db: &Ommi) -> DBResult<Vec<i64>> {
    Ok(db.find_all::<Book>().sort(Book::id).all().await?.iter().map(|book| book.id).collect())
}

async fn reviews(db: &Ommi) -> DBResult<Vec<i64>> {
    Ok(db.find_all::<Review>().sort(Review::id).all().await?.iter().map(|review| review.id).collect())
}

/// A reference holds it up.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: DBResult<T>) {
    let error = error(result);
    assert_eq!(error.constraint().map(Constraint::kind), Some(ConstraintKind::ForeignKey), "{error}");
}

pub(crate) async fn over_two_levels(db: &Ommi) -> DBResult<()> {
    library(db).await?;
    assert_eq!(db.find(Author::name.eq("Ann")).delete().await?, 1, "what goes with it is not counted");
    assert_eq!(books(db).await?, [20]);
    assert_eq!(reviews(db).await?, [20]);
    Ok(())
}

/// A row goes by one reference, and what another would make of it does not matter.
pub(crate) async fn by_several_references(db: &Ommi) -> DBResult<()> {
    library(db).await?;
    db.find(Author::id.eq(1)).delete().await?;
    // Review 11 was of Ann's book and by her. Of Bob's book, only the dedication and the reviewer are gone.
    let review = db.get::<Review>(20).await?;
    assert_eq!((review.by, review.editor), (None, 3));
    assert_eq!(db.get::<Book>(20).await?.dedicated_to, None);
    assert_eq!(reviews(db).await?, [20]);
    Ok(())
}

pub(crate) async fn of_a_unique_column_that_is_no_key(db: &Ommi) -> DBResult<()> {
    library(db).await?;
    // Without a name nothing is dedicated to them, however many books are dedicated to nobody.
    db.add(new!(Author { id: 4 })).await?;
    db.find(Author::id.eq(4)).delete().await?;
    assert_eq!(db.get::<Book>(11).await?.dedicated_to.as_deref(), Some("Bob"));
    db.find(Author::name.eq("Bob")).delete().await?;
    assert_eq!(db.get::<Book>(11).await?.dedicated_to, None);
    assert_eq!(books(db).await?, [10, 11]);
    Ok(())
}

pub(crate) async fn the_default_is_set(db: &Ommi) -> DBResult<()> {
    library(db).await?;
    db.find(Author::id.eq(3)).delete().await?;
    let editors: Vec<i64> = db.find_all::<Review>().all().await?.iter().map(|review| review.editor).collect();
    assert_eq!(editors, [1, 1, 1]);
    Ok(())
}

/// Nothing has happened, on any level, when one row may not go.
pub(crate) async fn held_up_below_a_cascade(db: &Ommi) -> DBResult<()> {
    library(db).await?;
    db.add(new!(Loan { id: 1, book_id: 11 })).await?;
    refused(db.find(Author::id.eq(1)).delete().await);
    refused(db.find_all::<Author>().delete().await);
    assert_eq!((books(db).await?, reviews(db).await?), (vec![10, 11, 20], vec![10, 11, 20]));
    assert_eq!(db.find_all::<Author>().count().await?, 3);
    assert_eq!(db.get::<Review>(20).await?.by, Some(1), "no reference was cleared");
    db.find_all::<Loan>().delete().await?;
    db.add(new!(Stamp { id: 1, book_id: 10 })).await?;
    refused(db.find(Author::id.eq(1)).delete().await);
    assert_eq!((books(db).await?, reviews(db).await?), (vec![10, 11, 20], vec![10, 11, 20]));
    db.find_all::<Stamp>().delete().await?;
    assert_eq!(db.find(Author::id.eq(1)).delete().await?, 1);
    assert_eq!(books(db).await?, [20]);
    Ok(())
}

pub(crate) async fn of_rows_with_related_ones(db: &Ommi) -> DBResult<()> {
    library(db).await?;
    assert_eq!(db.find(Author::books.any(Book::dedicated_to.eq("Ann"))).delete().await?, 1);
    assert_eq!(books(db).await?, [10, 11]);
    assert_eq!(reviews(db).await?, [10, 11]);
    assert_eq!(db.find(Author::books.is_empty()).delete().await?, 1);
    assert_eq!(db.find_all::<Author>().count().await?, 1);
    Ok(())
}

pub(crate) async fn in_a_transaction(db: &Ommi) -> DBResult<()> {
    library(db).await?;
    let tx = db.begin().await?;
    tx.find(Author::id.eq(1)).delete().await?;
    assert_eq!(tx.find_all::<Review>().count().await?, 1);
    tx.rollback().await?;
    assert_eq!((books(db).await?, reviews(db).await?), (vec![10, 11, 20], vec![10, 11, 20]));
    assert_eq!(db.get::<Review>(20).await?.by, Some(1));
    let tx = db.begin().await?;
    // A row that was added in it goes too, and one that went in it holds nothing up.
    tx.add(new!(Book { id: 12, author_id: 1 })).await?;
    tx.add(new!(Loan { id: 1, book_id: 12 })).await?;
    tx.find(Loan::id.eq(1)).delete().await?;
    tx.find(Author::id.eq(1)).delete().await?;
    tx.commit().await?;
    assert_eq!(books(db).await?, [20]);
    Ok(())
}

/// More than one statement of a store may take.
pub(crate) async fn of_many_rows(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Author, Book, Review)>().await?;
    let many = 1_100i64;
    db.add_all((0..many).map(|id| new!(Author { id }))).await?;
    db.add_all((0..many).map(|id| new!(Book { id, author_id: id }))).await?;
    db.add_all((0..many).map(|id| new!(Review { id, book_id: id, by: 0, editor: 0 }))).await?;
    assert_eq!(db.find(Author::id.ge(1)).delete().await? as i64, many - 1);
    assert_eq!((books(db).await?, reviews(db).await?), (vec![0], vec![0]));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "gone_nodes")]
struct Node {
    id: i64,
    #[ommi(references = Node::id, on_delete = "cascade")]
    parent_id: Option<i64>,
}

async fn nodes(db: &Ommi, all: &[(i64, Option<i64>)]) -> DBResult<()> {
    db.create_tables::<Node>().await?;
    // A row may come before the one that it refers to, but not everywhere.
    db.add_all(all.iter().map(|&(id, _)| Node { id, parent_id: None })).await?;
    for &(id, parent_id) in all {
        db.save(&mut Node { id, parent_id }).await?;
    }
    Ok(())
}

async fn left(db: &Ommi) -> DBResult<Vec<i64>> {
    Ok(db.find_all::<Node>().sort(Node::id).all().await?.iter().map(|node| node.id).collect())
}

pub(crate) async fn a_tree_goes_with_its_root(db: &Ommi) -> DBResult<()> {
    let tree =
        [(1, None), (2, Some(1)), (3, Some(1)), (4, Some(2)), (5, Some(4)), (6, Some(5)), (7, None), (8, Some(7))];
    nodes(db, &tree).await?;
    assert_eq!(db.find(Node::id.eq(2)).delete().await?, 1);
    assert_eq!(left(db).await?, [1, 3, 7, 8]);
    assert_eq!(db.find(Node::parent_id.is_null()).delete().await?, 2);
    assert_eq!(left(db).await?, [0; 0]);
    Ok(())
}

pub(crate) async fn a_circle_goes_whole(db: &Ommi) -> DBResult<()> {
    nodes(db, &[(1, Some(3)), (2, Some(1)), (3, Some(2)), (4, Some(4)), (5, Some(4)), (6, None)]).await?;
    assert_eq!(db.find(Node::id.eq(2)).delete().await?, 1);
    assert_eq!(left(db).await?, [4, 5, 6]);
    assert_eq!(db.find(Node::id.eq(4)).delete().await?, 1, "it refers to itself");
    assert_eq!(left(db).await?, [6]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "gone_steps")]
struct Step {
    id: i64,
    #[ommi(references = Step::id)]
    after: Option<i64>,
}

/// What refers goes in the same statement.
pub(crate) async fn rows_that_refer_to_each_other_go_together(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Step>().await?;
    let step = |id, after| Step { id, after };
    db.add_all([step(1, None), step(2, Some(1)), step(3, Some(2)), step(4, Some(3))]).await?;
    refused(db.find(Step::id.le(2)).delete().await);
    refused(db.find(Step::id.eq(3)).delete().await);
    assert_eq!(db.find_all::<Step>().count().await?, 4);
    assert_eq!(db.find(Step::id.ge(2)).delete().await?, 3);
    assert_eq!(db.find_all::<Step>().delete().await?, 1);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "gone_shelves")]
struct Shelf {
    #[ommi(key)]
    hall: String,
    #[ommi(key)]
    number: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "gone_folders", references((hall, number) = (Shelf::hall, Shelf::number), on_delete = "cascade"))]
struct Folder {
    #[ommi(key)]
    hall: String,
    #[ommi(key)]
    letter: String,
    number: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "gone_papers", references((hall, letter) = (Folder::hall, Folder::letter), on_delete = "set null"))]
struct Paper {
    id: i64,
    hall: Option<String>,
    letter: Option<String>,
}

/// Keys of which parts are parts of other references; NULL in a part refers to nothing.
pub(crate) async fn by_several_columns(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Paper, Folder, Shelf)>().await?;
    let shelf = |hall: &str, number| Shelf { hall: hall.to_owned(), number };
    let folder = |hall: &str, letter: &str, number| Folder { hall: hall.to_owned(), letter: letter.to_owned(), number };
    let paper = |id, hall: &str, letter: Option<&str>| Paper {
        id,
        hall: Some(hall.to_owned()),
        letter: letter.map(str::to_owned),
    };
    db.add_all([shelf("A", 1), shelf("A", 2), shelf("B", 1)]).await?;
    db.add_all([
        folder("A", "x", Some(1)),
        folder("A", "y", Some(2)),
        folder("A", "z", None),
        folder("B", "x", Some(1)),
    ])
    .await?;
    let papers = [paper(1, "A", Some("x")), paper(2, "A", Some("y")), paper(3, "B", Some("x")), paper(4, "A", None)];
    db.add_all(papers.clone()).await?;
    db.delete(&shelf("A", 1)).await?;
    let left = db.find_all::<Folder>().sort((Folder::hall, Folder::letter)).all().await?;
    assert_eq!(left, [folder("A", "y", Some(2)), folder("A", "z", None), folder("B", "x", Some(1))]);
    let [_, second, third, fourth] = papers;
    let cleared = Paper { id: 1, hall: None, letter: None };
    assert_eq!(db.find_all::<Paper>().sort(Paper::id).all().await?, [cleared, second, third, fourth]);
    Ok(())
}

/// A part of a transaction that is undone brings back all that a deletion took along, and what was refused in it ends no more than that part.
pub(crate) async fn in_a_part_of_a_transaction(db: &Ommi) -> DBResult<()> {
    library(db).await?;
    db.add(new!(Loan { id: 1, book_id: 20 })).await?;
    let mut tx = db.begin().await?;
    tx.find(Review::id.eq(11)).delete().await?;
    let undone = tx
        .transaction(async |part| {
            part.find(Author::id.eq(1)).delete().await?;
            assert_eq!(part.find_all::<Review>().count().await?, 1);
            Err::<(), DBError>(DBError::query("so that it is undone"))
        })
        .await;
    error(undone);
    assert_eq!(tx.find_all::<Book>().count().await?, 3);
    assert_eq!(tx.get::<Review>(20).await?.by, Some(1));
    assert_eq!(tx.get::<Book>(20).await?.dedicated_to.as_deref(), Some("Ann"));
    refused(tx.transaction(async |part| part.find(Author::id.eq(2)).delete().await).await);
    tx.transaction(async |part| part.find(Author::id.eq(1)).delete().await).await?;
    tx.commit().await?;
    assert_eq!((books(db).await?, reviews(db).await?), (vec![20], vec![20]));
    assert_eq!(db.get::<Review>(20).await?.by, None);
    Ok(())
}
