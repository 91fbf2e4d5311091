//! Writes that bring others with them, or look before they write, dropped at every await: what a version guards, what becomes of rows that refer to
//! one that is deleted, rows that are locked.

use std::time::Duration;

use ommi::prelude::*;

use crate::dropped::{self, Outcome, drop_after, polls};

#[derive(Debug, Clone, PartialEq, Model)]
struct Page {
    id: i64,
    #[ommi(unique)]
    slug: String,
    #[ommi(default = 0)]
    visits: i64,
    #[ommi(version)]
    version: i64,
}

async fn fill(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Page>().await?;
    db.add_all([new!(Page { id: 1, slug: "one" }), new!(Page { id: 2, slug: "two" })]).await?;
    Ok(())
}

const LIMIT: Duration = Duration::from_secs(60);

/// All pages, once others have had their turn.
async fn pages(db: &Ommi) -> DBResult<Vec<Page>> {
    futures::future::try_join_all((0..6).map(|_| db.find_all::<Page>().count().timeout(LIMIT))).await?;
    // Of no row, but it takes the same turn as one that writes.
    db.find(Page::id.eq(-1)).update(Page::visits.set(0)).timeout(LIMIT).await?;
    db.find_all::<Page>().sort(Page::id).all().await
}

async fn drop_a_write<F: Outcome>(
    db: &Ommi,
    operation: impl Fn() -> F,
    after: impl Fn(&mut Vec<Page>),
) -> DBResult<()> {
    let before = pages(db).await?;
    let undo = || async {
        db.find_all::<Page>().delete().await?;
        db.add_all(before.clone()).await
    };
    let changed = |mut pages: Vec<Page>| {
        after(&mut pages);
        pages
    };
    dropped::drop_everywhere(|| pages(db), operation, &undo, changed).await?;
    undo().await.map(drop)
}

pub(crate) async fn of_a_version(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let first = db.get::<Page>(1).await?;
    let save = || async {
        let mut page = Page { visits: 4, ..first.clone() };
        db.save(&mut page).await
    };
    drop_a_write(db, save, |pages| pages[0] = Page { visits: 4, version: 2, ..pages[0].clone() }).await?;
    drop_a_write(db, || async { db.delete(&first).await }, |pages| drop(pages.remove(0))).await?;
    let upsert = || async { db.upsert(first.clone()).on(Page::id).update(Page::visits.set(6)).await };
    drop_a_write(db, upsert, |pages| pages[0] = Page { visits: 6, version: 2, ..pages[0].clone() }).await
}

pub(crate) async fn upserts_that_change_nothing(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let there = || async { db.upsert(new!(Page { id: 9, slug: "two" })).on(Page::slug).ignore().await };
    drop_a_write(db, there, |_| {}).await?;
    let new = || async { db.upsert(new!(Page { id: 3, slug: "three" })).on(Page::slug).ignore().await };
    let third = Page { id: 3, slug: "three".to_owned(), visits: 0, version: 1 };
    drop_a_write(db, new, |pages| pages.push(third.clone())).await
}

/// One that comes too late looks once more, and is given up there too.
pub(crate) async fn of_a_version_that_is_stale(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let read_before = db.get::<Page>(1).await?;
    db.save(&mut read_before.clone()).await?;
    let is_stale = |result: DBResult<()>| match result {
        Err(error) if error.stale_row().is_some() => Ok(()),
        other => other.and_then(|()| Err(DBError::new(ErrorKind::Query).with_detail("it was not stale"))),
    };
    drop_a_write(db, || async { is_stale(db.save(&mut read_before.clone()).await) }, |_| {}).await?;
    drop_a_write(db, || async { is_stale(db.delete(&read_before).await) }, |_| {}).await
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Shelf {
    id: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Book {
    id: i64,
    #[ommi(references = Shelf::id, on_delete = "cascade")]
    shelf_id: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Note {
    id: i64,
    #[ommi(references = Book::id, on_delete = "set null")]
    book_id: Option<i64>,
}

/// Where statements are atomic: the whole of it or nothing.
pub(crate) async fn deletes_of_rows_that_others_refer_to(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Shelf, Book, Note)>().await?;
    let add = || async {
        db.add(Shelf { id: 1 }).await?;
        db.add_all((1..=3).map(|id| Book { id, shelf_id: 1 })).await?;
        db.add_all((1..=3).map(|id| Note { id, book_id: Some(id) })).await
    };
    db.add(Shelf { id: 2 }).await?;
    add().await?;
    let look = || async {
        futures::future::try_join_all((0..6).map(|_| db.find_all::<Shelf>().count().timeout(LIMIT))).await?;
        db.find_all::<Note>().update(Note::book_id.set(Note::book_id)).timeout(LIMIT).await?;
        let notes = db.find_all::<Note>().sort(Note::id).all().await?;
        let books: Vec<Option<i64>> = notes.into_iter().map(|note| note.book_id).collect();
        DBResult::Ok((db.find_all::<Shelf>().count().await?, db.find_all::<Book>().count().await?, books))
    };
    let undo = || async {
        db.find_all::<Note>().delete().await?;
        add().await
    };
    let delete = || async { db.find(Shelf::id.eq(1)).delete().await };
    dropped::drop_everywhere(look, delete, undo, |_| (1, 0, vec![None; 3])).await
}

/// The locks go with the transaction.
pub(crate) async fn reads_that_lock(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let locking = || async {
        let tx = db.begin().await?;
        tx.find(Page::id.eq(1)).for_update().one().await?;
        tx.find_all::<Page>().for_share().skip_locked().all().await?;
        tx.commit().await
    };
    drop_a_write(db, locking, |_| {}).await?;
    for polls in polls() {
        let finished = drop_after(polls, locking()).await.transpose()?.is_some();
        // Nobody has it, or waits for it, any more.
        let tx = db.begin().await?;
        let row = tx.find(Page::id.eq(1)).for_update().one().timeout(LIMIT).await?;
        assert_eq!(row.version, 1);
        tx.rollback().await?;
        if finished {
            return Ok(());
        }
    }
    panic!("it has not come to its end");
}
