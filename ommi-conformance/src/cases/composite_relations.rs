//! Relations by several columns.

use ommi::prelude::*;
use ommi::testing::assert_queries;

use crate::expect::assert_kind;

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "composite_shelves")]
struct Shelf {
    #[ommi(key)]
    hall: String,
    #[ommi(key)]
    number: i64,
    wanted: bool,
    books: HasMany<Book>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "composite_books", references((hall, number) = (Shelf::hall, Shelf::number)))]
struct Book {
    #[ommi(auto)]
    id: i64,
    hall: Option<String>,
    number: Option<i64>,
    title: String,
    shelf: BelongsTo<Option<Shelf>>,
}

fn titles<'a>(books: impl IntoIterator<Item = &'a Book>) -> Vec<&'a str> {
    books.into_iter().map(|book| book.title.as_str()).collect()
}

/// Shelves 1 and 2 in the halls A and B. A1 has two books, A2 one, B1 none, B2 one; three books have no hall, no number, or neither.
async fn filled(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Shelf, Book)>().await?;
    let shelves = ["A", "B"].into_iter().flat_map(|hall| [1, 2].map(|number| (hall, number)));
    let drafts: Vec<_> = shelves.map(|(hall, number)| new!(Shelf { hall, number, wanted: true })).collect();
    db.add_all(drafts).await?;
    let places: [(Option<&str>, Option<i64>); 7] = [
        (Some("A"), Some(1)),
        (Some("B"), Some(2)),
        (Some("A"), None),
        (Some("A"), Some(2)),
        (None, Some(1)),
        (Some("A"), Some(1)),
        (None, None),
    ];
    let books = places.iter().enumerate().map(|(n, (hall, number))| {
        new!(Book { hall: hall.map(str::to_owned), number: *number, title: format!("book {n}") })
    });
    db.add_all(books.collect::<Vec<_>>()).await?;
    Ok(())
}

async fn shelves(db: &Ommi) -> DBResult<Vec<Shelf>> {
    db.find_all::<Shelf>().sort((Shelf::hall, Shelf::number)).all().await
}

pub(crate) async fn rows_that_refer_by_several_columns(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let shelves = shelves(db).await?;
    let mut found = Vec::new();
    for shelf in &shelves {
        found.push(titles(shelf.books.load(db).await?));
    }
    assert_eq!(found, [vec!["book 0", "book 5"], vec!["book 3"], vec![], vec!["book 1"]]);
    let alone = db.get::<Shelf>(("A", 1)).await?;
    assert_eq!(titles(alone.books.load(db).await?), found[0]);
    Ok(())
}

pub(crate) async fn a_reference_of_several_columns(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(2, db, async |db| {
        for book in db.find_all::<Book>().all().await? {
            let found = book.shelf.load(db).await?.map(|shelf| (shelf.hall.clone(), shelf.number));
            assert_eq!(found, book.hall.clone().zip(book.number), "NULL in a part refers to nothing: {}", book.title);
        }
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn conditions_by_several_columns(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let found = async |predicate: Predicate<Book>| {
        let books = db.find(predicate).sort(Book::id).all().await?;
        DBResult::Ok(books.into_iter().map(|book| book.title).collect::<Vec<_>>())
    };
    assert_eq!(found(Book::shelf.is(Shelf::hall.eq("A"))).await?, ["book 0", "book 3", "book 5"]);
    assert_eq!(found(Book::shelf.is_none()).await?, ["book 2", "book 4", "book 6"]);
    let number = async |predicate: Predicate<Shelf>| db.find(predicate).count().await;
    assert_eq!(number(Shelf::books.count().eq(2)).await?, 1);
    assert_eq!(number(Shelf::books.is_empty()).await?, 1);
    assert_eq!(number(Shelf::books.any(Book::shelf.is(Shelf::number.eq(2)))).await?, 2);
    Ok(())
}

pub(crate) async fn sorted_by_a_row_of_several_key_columns(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let sort = (Book::shelf.then(Shelf::hall).desc(), Book::shelf.then(Shelf::number).desc(), Book::id);
    let books = db.find_all::<Book>().sort(sort).limit(5).all().await?;
    assert_eq!(titles(&books), ["book 1", "book 3", "book 0", "book 5", "book 2"]);
    Ok(())
}

pub(crate) async fn included_and_limited_by_several_columns(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let include = Shelf::books.sort(Book::title.desc()).limit(1).include(Book::shelf);
    let shelves = assert_queries(3, db, async |db| {
        db.find_all::<Shelf>().sort((Shelf::hall, Shelf::number)).include(include).all().await
    })
    .await?;
    let found: Vec<_> = shelves.iter().map(|shelf| shelf.books.get().map(titles)).collect();
    assert_eq!(found, [Some(vec!["book 5"]), Some(vec!["book 3"]), Some(vec![]), Some(vec!["book 1"])]);
    let back = shelves[3].books.get().and_then(|books| books.first()?.shelf.get());
    assert_eq!(back, Some(&shelves[3]));
    Ok(())
}

pub(crate) async fn a_part_of_the_reference_was_changed(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let mut books = db.find(Book::title.eq("book 0")).all().await?;
    let book = &mut books[0];
    assert_eq!(book.shelf.load(db).await?.map(|shelf| shelf.number), Some(1));
    book.number = Some(2);
    assert_eq!(book.load(Book::shelf, db).await?.map(|shelf| shelf.number), Some(2));
    assert_eq!(book.shelf.load(db).await?.map(|shelf| shelf.number), Some(1), "the field goes by what was read");
    book.hall = Some("nowhere".to_owned());
    assert_eq!(book.load(Book::shelf, db).await?, None);
    book.hall = None;
    assert_eq!(book.load(Book::shelf, db).await?, None);
    Ok(())
}

pub(crate) async fn rows_belong_by_several_columns(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let shelf = db.get::<Shelf>(("B", 1)).await?;
    let book = shelf.books.add(db, new!(Book { title: "new" })).await?;
    assert_eq!((book.hall.as_deref(), book.number), (Some("B"), Some(1)));
    let other = db.find(Book::title.eq("book 6")).one().await?;
    shelf.books.link(db, &other).await?;
    assert_eq!(titles(shelf.books.load(db).await?), ["book 6", "new"]);
    shelf.books.unlink(db, &other).await?;
    assert_eq!(db.get::<Book>(other.id).await?.shelf.load(db).await?, None);
    assert_kind!(shelf.books.unlink(db, &other).await, ErrorKind::NotFound { .. });
    Ok(())
}

/// So many that the columns are looked for each by itself, which finds rows of other combinations too.
pub(crate) async fn many_keys_of_several_columns(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Shelf, Book)>().await?;
    // As on a chessboard: the halls and numbers of the wanted shelves are those of the others too.
    let places = || (0..12i64).flat_map(|hall| (0..12i64).map(move |number| (hall, number)));
    let name = |hall: i64| format!("h{hall:02}");
    let shelf = |(hall, number)| new!(Shelf { hall: name(hall), number, wanted: (hall + number) % 2 == 0 });
    let book = |(hall, number)| new!(Book { hall: name(hall), number, title: format!("{} {number}", name(hall)) });
    db.add_all(places().map(shelf).collect::<Vec<_>>()).await?;
    db.add_all(places().map(book).collect::<Vec<_>>()).await?;
    assert_queries(2, db, async |db| {
        let wanted = db.find(Shelf::wanted.eq(true)).all().await?;
        assert_eq!(wanted.len(), 72);
        for shelf in &wanted {
            assert_eq!(titles(shelf.books.load(db).await?), [format!("{} {}", shelf.hall, shelf.number)]);
        }
        DBResult::Ok(())
    })
    .await?;
    let books = db.find(Book::shelf.is(Shelf::wanted.eq(true))).include(Book::shelf).all().await?;
    assert_eq!(books.len(), 72);
    for book in &books {
        let shelf = book.shelf.get().map(|shelf| (Some(shelf.hall.as_str()), Some(shelf.number)));
        assert_eq!(shelf, Some((book.hall.as_deref(), book.number)));
    }
    let limited = db.find(Shelf::wanted.eq(true)).include(Shelf::books.limit(1)).all().await?;
    assert!(limited.iter().all(|shelf| shelf.books.get().is_some_and(|books| books.len() == 1)));
    Ok(())
}

/// What is found for one part of the keys is not found again for the next.
pub(crate) async fn more_keys_of_several_columns_than_one_statement_takes(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Shelf, Book)>().await?;
    let places = || (0..129i64).flat_map(|hall| (0..129i64).map(move |number| (format!("{hall}"), number)));
    let shelf = |(hall, number)| new!(Shelf { hall, number, wanted: true });
    db.add_all(places().map(shelf).collect::<Vec<_>>()).await?;
    let book = |(hall, number): (String, i64)| new!(Book { title: format!("{hall} {number}"), hall, number });
    db.add_all(places().map(book).collect::<Vec<_>>()).await?;
    let shelves = db.find_all::<Shelf>().include(Shelf::books).all().await?;
    assert_eq!(shelves.len(), 16_641);
    for shelf in &shelves {
        assert_eq!(shelf.books.get().map(titles), Some(vec![format!("{} {}", shelf.hall, shelf.number).as_str()]));
    }
    Ok(())
}
