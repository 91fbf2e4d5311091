//! A row's version: every write raises it, and a write of a row that was changed since it was read is found out.

use ommi::prelude::*;
use ommi::testing::assert_queries;
use ommi::value::Value;

use super::concurrency::joined;
use crate::expect::{assert_kind, not_found, out_of_range, stale};

#[derive(Debug, Clone, PartialEq, Model)]
struct Page {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    slug: String,
    text: Option<String>,
    #[ommi(version)]
    version: i64,
    #[ommi(default = 0)]
    visits: i64,
}

async fn page(db: &Ommi) -> DBResult<Page> {
    db.create_tables::<Page>().await?;
    db.add(new!(Page { slug: "start", text: "old" })).await
}

pub(crate) async fn a_new_row_has_the_first(db: &Ommi) -> DBResult<()> {
    let first = page(db).await?;
    assert_eq!(first.version, 1);
    let named = db.add(new!(Page { slug: "named", version: 40 })).await?;
    let whole = db.add(Page { id: 900, slug: "whole".into(), text: None, version: 7, visits: 0 }).await?;
    assert_eq!((named.version, whole.version), (40, 7), "a version that is given is kept, as for an import");
    let many = db.add_all([new!(Page { slug: "a" }), new!(Page { slug: "b" })]).await?;
    assert_eq!(many.iter().map(|page| page.version).collect::<Vec<_>>(), [1, 1]);
    let stored = db.find_all::<Page>().sort(Page::slug).all().await?;
    let versions: Vec<_> = stored.iter().map(|page| (page.slug.as_str(), page.version)).collect();
    assert_eq!(versions, [("a", 1), ("b", 1), ("named", 40), ("start", 1), ("whole", 7)]);
    Ok(())
}

pub(crate) async fn a_save_raises_it_and_brings_it_back(db: &Ommi) -> DBResult<()> {
    let mut page = page(db).await?;
    for version in 2..=4 {
        page.visits += 10;
        assert_queries(1, db, async |db| db.save(&mut page).await).await?;
        assert_eq!(page.version, version);
        assert_eq!(db.get::<Page>(page.id).await?, page);
    }
    db.save(&mut page).await?;
    assert_eq!(db.get::<Page>(page.id).await?.version, 5, "an unchanged row counts too");
    Ok(())
}

pub(crate) async fn a_stale_save_changes_nothing(db: &Ommi) -> DBResult<()> {
    let mut first = page(db).await?;
    let mut second = first.clone();
    first.text = Some("new".into());
    db.save(&mut first).await?;
    second.text = Some("lost".into());
    second.visits = 99;
    let before = second.clone();
    let saved = assert_queries(2, db, async |db| db.save(&mut second).await).await;
    stale(saved, "Page", &[("id", Value::Int(first.id))]);
    assert_eq!(second, before, "nor is the row in memory another");
    assert_eq!(db.get::<Page>(first.id).await?, first);
    // Read again, it can be written.
    let mut second = db.get::<Page>(first.id).await?;
    second.visits = 99;
    db.save(&mut second).await?;
    assert_eq!((second.version, second.text.as_deref()), (3, Some("new")));
    // What is ahead of the row is no more its version than what is behind.
    let mut ahead = Page { version: 4, ..second.clone() };
    stale(db.save(&mut ahead).await, "Page", &[("id", Value::Int(first.id))]);
    Ok(())
}

pub(crate) async fn a_stale_delete_changes_nothing(db: &Ommi) -> DBResult<()> {
    let mut page = page(db).await?;
    let read_before = page.clone();
    db.save(&mut page).await?;
    let deleted = assert_queries(2, db, async |db| db.delete(&read_before).await).await;
    stale(deleted, "Page", &[("id", Value::Int(page.id))]);
    assert_eq!(db.get::<Page>(page.id).await?, page);
    assert_queries(1, db, async |db| db.delete(&page).await).await?;
    assert_eq!(db.find_all::<Page>().count().await?, 0);
    Ok(())
}

pub(crate) async fn a_row_that_has_gone_is_not_found(db: &Ommi) -> DBResult<()> {
    let mut page = page(db).await?;
    db.delete(&page).await?;
    let before = page.clone();
    not_found(db.save(&mut page).await, "Page");
    not_found(db.delete(&page).await, "Page");
    assert_eq!(page, before);
    assert_eq!(db.find_all::<Page>().count().await?, 0);
    Ok(())
}

pub(crate) async fn an_update_by_query_raises_that_of_each_row(db: &Ommi) -> DBResult<()> {
    let mut first = page(db).await?;
    let other = db.add(new!(Page { slug: "other", version: 5 })).await?;
    let third = db.add(new!(Page { slug: "third" })).await?;
    let changed = assert_queries(1, db, async |db| {
        db.find(Page::slug.ne("third")).update((Page::visits.increment(3), Page::text.set("all"))).await
    });
    assert_eq!(changed.await?, 2);
    let stored = db.find_all::<Page>().sort(Page::id).all().await?;
    assert_eq!(stored.iter().map(|page| (page.version, page.visits)).collect::<Vec<_>>(), [(2, 3), (6, 3), (1, 0)]);
    assert_eq!(stored[2], third);
    stale(db.save(&mut first).await, "Page", &[("id", Value::Int(first.id))]);
    assert_eq!(db.find_all::<Page>().update(Page::text.set(None)).await?, 3);
    assert_eq!(db.get::<Page>(other.id).await?.version, 7);
    assert_eq!(db.find(Page::version.eq(2)).one().await?.id, third.id, "conditions may name it");
    Ok(())
}

pub(crate) async fn it_is_not_set_by_an_update(db: &Ommi) -> DBResult<()> {
    let page = page(db).await?;
    assert_queries(0, db, async |db| {
        let find = || db.find(Page::id.eq(page.id));
        let refused = assert_kind!(find().update(Page::version.set(9)).await, ErrorKind::Query);
        assert!(refused.to_string().contains("version of Page"), "{refused}");
        assert_kind!(find().update((Page::visits.set(1), Page::version.increment(1))).await, ErrorKind::Query);
        assert_kind!(find().update(Page::version.set(Page::visits)).await, ErrorKind::Query);
        assert_kind!(find().explain_update(Page::version.set(9)), ErrorKind::Query);
        let upsert = || db.upsert(new!(Page { slug: "start" })).on(Page::slug);
        assert_kind!(upsert().update(Page::version.set(9)).await, ErrorKind::Query);
        assert_kind!(upsert().explain_update(Page::version.set(9)), ErrorKind::Query);
    })
    .await;
    assert_eq!(db.get::<Page>(page.id).await?, page);
    Ok(())
}

pub(crate) async fn an_upsert_raises_it(db: &Ommi) -> DBResult<()> {
    let mut page = page(db).await?;
    let row = || new!(Page { slug: "start", text: "fresh" });
    let changed = db.upsert(row()).on(Page::slug).update(Page::visits.increment(1)).await?;
    assert_eq!((changed.id, changed.version, changed.visits), (page.id, 2, 1));
    let by_key = new!(Page { id: page.id, slug: "x" });
    let changed = db.upsert(by_key).on(Page::id).update(Page::visits.increment(1)).await?;
    assert_eq!((changed.version, changed.visits, changed.slug.as_str()), (3, 2, "start"));
    assert_eq!(db.upsert(row()).on(Page::slug).ignore().await?, None);
    assert_eq!(db.get::<Page>(page.id).await?, changed, "what is left alone keeps its version");
    let added = db.upsert(new!(Page { slug: "new" })).on(Page::slug).update(Page::visits.increment(1)).await?;
    assert_eq!((added.version, added.visits), (1, 0));
    stale(db.save(&mut page).await, "Page", &[("id", Value::Int(page.id))]);
    Ok(())
}

/// All of them have read the same row.
pub(crate) async fn of_many_tasks_that_save_a_row_one_wins(db: &Ommi) -> DBResult<()> {
    let page = page(db).await?;
    for round in 0..5 {
        let read = db.get::<Page>(page.id).await?;
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let (db, mut row) = (db.clone(), read.clone());
                tokio::spawn(async move {
                    row.visits = n;
                    db.save(&mut row).await.map(|()| row)
                })
            })
            .collect();
        let mut won = Vec::new();
        for task in tasks {
            match joined(task).await {
                Ok(row) => won.push(row),
                lost => stale(lost, "Page", &[("id", Value::Int(page.id))]),
            }
        }
        assert_eq!(won.len(), 1, "in round {round}");
        assert_eq!([db.get::<Page>(page.id).await?], *won);
    }
    Ok(())
}

/// Who loses reads again and tries once more, so that nothing is lost.
pub(crate) async fn no_change_is_lost_by_who_reads_again(db: &Ommi) -> DBResult<()> {
    let page = page(db).await?;
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..5 {
                    loop {
                        let mut row = db.get::<Page>(page.id).await?;
                        row.visits += 1;
                        match db.save(&mut row).await {
                            Ok(()) => break,
                            Err(error) if error.stale_row().is_some() => {}
                            Err(error) => return Err(error),
                        }
                    }
                }
                DBResult::Ok(())
            })
        })
        .collect();
    for task in tasks {
        joined(task).await?;
    }
    let stored = db.get::<Page>(page.id).await?;
    assert_eq!((stored.visits, stored.version), (30, 31));
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, ommi::FieldType)]
struct Revision(u32);

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(index(revision, region))]
struct Seat {
    #[ommi(version, column = "rev")]
    revision: Revision,
    #[ommi(key)]
    region: String,
    holder: Option<String>,
    #[ommi(key)]
    number: i32,
}

pub(crate) async fn by_a_composite_key_and_under_another_name(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Seat>().await?;
    let mut seat = db.add(new!(Seat { region: "north-west", number: 4711 })).await?;
    let other = db.add(new!(Seat { region: "north-west", number: 4712 })).await?;
    let mut read_before = seat.clone();
    seat.holder = Some("Ann".into());
    db.save(&mut seat).await?;
    assert_eq!(seat.revision, Revision(2));
    let key = [("region", Value::Text("north-west".into())), ("number", Value::Int(4711))];
    stale(db.save(&mut read_before).await, "Seat", &key);
    stale(db.delete(&read_before).await, "Seat", &key);
    assert_eq!(db.find(Seat::revision.eq(Revision(1))).all().await?, [other]);
    assert_eq!(db.get::<Seat>(("north-west", 4711)).await?, seat);
    db.delete(&seat).await?;
    not_found(db.save(&mut seat).await, "Seat");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Mark {
    id: i64,
    #[ommi(version)]
    version: i32,
}

pub(crate) async fn of_a_row_of_nothing_but_its_key(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Mark>().await?;
    let mut mark = db.add(new!(Mark { id: 1 })).await?;
    let mut read_before = mark.clone();
    db.save(&mut mark).await?;
    assert_eq!((mark.version, db.get::<Mark>(1).await?.version), (2, 2));
    stale(db.save(&mut read_before).await, "Mark", &[("id", Value::Int(1))]);
    Ok(())
}

macro_rules! ends {
    ($($model:ident $ty:ty, $last:expr;)*) => {$(
        #[derive(Debug, Clone, PartialEq, Model)]
        struct $model {
            id: i64,
            #[ommi(default = 0)]
            n: i64,
            #[ommi(version)]
            version: $ty,
        }
    )*

        /// The row in memory and the one that is stored stay as they are.
        pub(crate) async fn a_save_beyond_the_end_of_its_type_is_out_of_range(db: &Ommi) -> DBResult<()> {
            $({
                db.create_tables::<$model>().await?;
                let table = $model::schema().table.clone();
                let mut row = db.add(new!($model { id: 1, version: $last - 1 })).await?;
                db.save(&mut row).await?;
                assert_eq!(row.version, $last);
                row.n = 5;
                let before = row.clone();
                let saved = assert_queries(0, db, async |db| db.save(&mut row).await).await;
                out_of_range(saved, &table);
                assert_eq!(row, before);
                assert_eq!(db.get::<$model>(1).await?, $model { n: 0, ..before });
                db.delete(&row).await?;
            })*
            Ok(())
        }

        pub(crate) async fn an_update_beyond_the_end_of_its_type_is_out_of_range(db: &Ommi) -> DBResult<()> {
            $({
                db.create_tables::<$model>().await?;
                let table = $model::schema().table.clone();
                let row = db.add(new!($model { id: 1, version: $last })).await?;
                let update = db.find($model::id.eq(1)).update($model::n.set(5));
                out_of_range(update.await, &table);
                let upsert = db.upsert(new!($model { id: 1 })).on($model::id).update($model::n.set(5));
                out_of_range(upsert.await, &table);
                assert_eq!(db.get::<$model>(1).await?, row);
            })*
            Ok(())
        }
    };
}

ends! {
    Tiny i8, i8::MAX;
    Narrow u16, u16::MAX;
    Plain i32, i32::MAX;
    Wide u32, u32::MAX;
    Long i64, i64::MAX;
    Unsigned u64, i64::MAX as u64;
}

pub(crate) async fn in_a_transaction(db: &Ommi) -> DBResult<()> {
    let mut page = page(db).await?;
    let read_before = page.clone();
    db.transaction(async |tx| {
        let mut own = tx.get::<Page>(page.id).await?;
        tx.save(&mut own).await?;
        // Found out by a look and not by the database: the transaction goes on.
        stale(tx.save(&mut read_before.clone()).await, "Page", &[("id", Value::Int(page.id))]);
        stale(tx.delete(&read_before).await, "Page", &[("id", Value::Int(page.id))]);
        own.visits = 8;
        tx.save(&mut own).await
    })
    .await?;
    let stored = db.get::<Page>(page.id).await?;
    assert_eq!((stored.version, stored.visits), (3, 8));
    page = stored.clone();
    // What was rolled back leaves the row in memory ahead of the stored one.
    let tx = db.begin().await?;
    tx.save(&mut page).await?;
    tx.rollback().await?;
    assert_eq!((page.version, db.get::<Page>(page.id).await?), (4, stored));
    stale(db.save(&mut page).await, "Page", &[("id", Value::Int(page.id))]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Author {
    #[ommi(auto)]
    id: i64,
    #[ommi(version)]
    version: u32,
    books: HasMany<Book>,
    prizes: HasMany<Prize, Through<Award>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Book {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Author::id)]
    author_id: Option<i64>,
    #[ommi(version)]
    version: u32,
    author: BelongsTo<Option<Author>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Prize {
    id: i64,
    #[ommi(version)]
    version: u32,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Award {
    #[ommi(key, references = Author::id)]
    author_id: i64,
    #[ommi(key, references = Prize::id)]
    prize_id: i64,
    #[ommi(version)]
    version: u32,
}

async fn versions(db: &Ommi) -> DBResult<(Vec<u32>, Vec<u32>, Vec<u32>, Vec<u32>)> {
    let authors = db.find_all::<Author>().sort(Author::id).all().await?;
    let books = db.find_all::<Book>().sort(Book::id).all().await?;
    let prizes = db.find_all::<Prize>().sort(Prize::id).all().await?;
    let awards = db.find_all::<Award>().sort(Award::prize_id).all().await?;
    Ok((
        authors.iter().map(|row| row.version).collect(),
        books.iter().map(|row| row.version).collect(),
        prizes.iter().map(|row| row.version).collect(),
        awards.iter().map(|row| row.version).collect(),
    ))
}

pub(crate) async fn relations_raise_it_where_they_change_a_row(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Author, Book, Prize, Award)>().await?;
    let author = db.add(new!(Author {})).await?;
    let own = author.books.add(db, new!(Book { .. })).await?;
    let mut free = db.add(new!(Book {})).await?;
    let prizes = db.add_all([new!(Prize { id: 1 }), new!(Prize { id: 2 })]).await?;
    assert_eq!(versions(db).await?, (vec![1], vec![1, 1], vec![1, 1], vec![]));
    // The book that changes hands is the row that is written, and not its author.
    assert_queries(1, db, async |db| author.books.link(db, &free).await).await?;
    assert_eq!(versions(db).await?, (vec![1], vec![1, 2], vec![1, 1], vec![]));
    stale(db.save(&mut free).await, "Book", &[("id", Value::Int(free.id))]);
    author.books.unlink(db, &free).await?;
    author.books.unlink(db, &own).await?;
    assert_eq!(versions(db).await?, (vec![1], vec![2, 3], vec![1, 1], vec![]));
    not_found(author.books.unlink(db, &own).await, "Book");
    author.books.link(db, &own).await?;
    let own = db.get::<Book>(own.id).await?;
    assert_queries(1, db, async |db| author.books.remove(db, &own).await).await?;
    assert_eq!(versions(db).await?, (vec![1], vec![3], vec![1, 1], vec![]));
    author.prizes.link(db, &prizes[0]).await?;
    author.prizes.link(db, &prizes[0]).await?;
    author.prizes.link(db, &prizes[1]).await?;
    assert_eq!(versions(db).await?, (vec![1], vec![3], vec![1, 1], vec![1, 1]), "an association stays as it is");
    author.prizes.unlink(db, &prizes[1]).await?;
    assert_eq!(versions(db).await?, (vec![1], vec![3], vec![1, 1], vec![1]));
    Ok(())
}

/// What is removed is a row that was read, as by `delete`.
pub(crate) async fn a_stale_remove_changes_nothing(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Author, Book, Prize, Award)>().await?;
    let (author, other) = (db.add(new!(Author {})).await?, db.add(new!(Author {})).await?);
    let mut book = author.books.add(db, new!(Book { .. })).await?;
    let read_before = book.clone();
    db.save(&mut book).await?;
    let removed = assert_queries(2, db, async |db| author.books.remove(db, &read_before).await).await;
    stale(removed, "Book", &[("id", Value::Int(book.id))]);
    assert_eq!(db.get::<Book>(book.id).await?.version, 2);
    // One that belongs to another is not there to be removed, whatever its version.
    not_found(other.books.remove(db, &read_before).await, "Book");
    not_found(other.books.remove(db, &book).await, "Book");
    author.books.remove(db, &book).await?;
    not_found(author.books.remove(db, &book).await, "Book");
    assert_eq!(db.find_all::<Book>().count().await?, 0);
    Ok(())
}

/// The table of `Page` before it had a version.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "pages")]
struct OldPage {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    slug: String,
    text: Option<String>,
    #[ommi(default = 0)]
    visits: i64,
}

pub(crate) async fn rows_of_a_table_that_gets_one_have_the_first(db: &Ommi) -> DBResult<()> {
    db.create_tables::<OldPage>().await?;
    let old = db.add(new!(OldPage { slug: "old" })).await?;
    db.create_tables::<Page>().await?;
    let mut page = db.get::<Page>(old.id).await?;
    assert_eq!(page.version, 1);
    db.save(&mut page).await?;
    assert_eq!(db.get::<Page>(old.id).await?.version, 2);
    // Who does not know the version neither checks nor raises it.
    let mut old = db.get::<OldPage>(old.id).await?;
    assert_queries(1, db, async |db| db.save(&mut old).await).await?;
    assert_eq!(db.get::<Page>(old.id).await?.version, 2);
    let added = db.add(new!(OldPage { slug: "later" })).await?;
    assert_eq!(db.get::<Page>(added.id).await?.version, 1);
    Ok(())
}
