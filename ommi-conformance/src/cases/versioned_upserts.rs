//! Upserts of rows that name their version: the row that is there is changed only as it was read.

use ommi::ConstraintKind;
use ommi::prelude::*;
use ommi::value::Value;

use super::concurrency::joined;
use crate::expect::{stale, violation};

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(unique(id, slug))]
struct Page {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    slug: String,
    #[ommi(unique)]
    code: Option<i64>,
    #[ommi(version)]
    version: i64,
    #[ommi(default = 0)]
    visits: i64,
}

async fn page(db: &Ommi) -> DBResult<Page> {
    db.create_tables::<Page>().await?;
    db.add(new!(Page { slug: "other", code: 7 })).await?;
    db.add(new!(Page { slug: "start" })).await
}

fn key(page: &Page) -> [(&'static str, Value<'static>); 1] {
    [("id", Value::Int(page.id))]
}

pub(crate) async fn a_row_that_was_read_is_changed_as_it_was_read(db: &Ommi) -> DBResult<()> {
    let page = page(db).await?;
    let changed = db.upsert(page.clone()).on(Page::slug).update(Page::visits.increment(5)).await?;
    assert_eq!(changed, Page { version: 2, visits: 5, ..page.clone() });
    let changed = db.upsert(changed).on(Page::id).update((Page::visits.increment(5), Page::code.set(1))).await?;
    assert_eq!(changed, Page { version: 3, visits: 10, code: Some(1), ..page });
    let draft = new!(Page { slug: "start", version: 3 });
    let changed = db.upsert(draft).on(Page::slug).update(Page::visits.set(0)).await?;
    assert_eq!((changed.version, changed.visits), (4, 0), "a draft may name it too");
    assert_eq!(db.get::<Page>(changed.id).await?, changed);
    assert_eq!(db.find_all::<Page>().count().await?, 2);
    Ok(())
}

pub(crate) async fn a_stale_one_changes_nothing(db: &Ommi) -> DBResult<()> {
    let read = page(db).await?;
    let mut stored = read.clone();
    db.save(&mut stored).await?;
    stale(db.upsert(read.clone()).on(Page::slug).update(Page::visits.set(9)).await, "Page", &key(&read));
    stale(db.upsert(read.clone()).on(Page::id).update(Page::visits.set(9)).await, "Page", &key(&read));
    let without_key = new!(Page { slug: "start", version: 1 });
    stale(db.upsert(without_key).on(Page::slug).update(Page::visits.set(9)).await, "Page", &key(&read));
    // A version that is yet to come is another one too.
    let ahead = Page { version: 3, ..read.clone() };
    stale(db.upsert(ahead).on(Page::slug).update(Page::visits.set(9)).await, "Page", &key(&read));
    assert_eq!(db.get::<Page>(read.id).await?, stored);
    assert_eq!(db.find_all::<Page>().count().await?, 2);
    Ok(())
}

pub(crate) async fn a_row_that_is_not_there_is_added_with_its_version(db: &Ommi) -> DBResult<()> {
    let read = page(db).await?;
    db.delete(&read).await?;
    let again = Page { version: 12, ..read };
    let added = db.upsert(again.clone()).on(Page::id).update(Page::visits.increment(1)).await?;
    assert_eq!(added, again, "as it is given, without the change");
    let draft = new!(Page { slug: "new", version: 5 });
    let added = db.upsert(draft).on(Page::slug).update(Page::visits.increment(1)).await?;
    assert_eq!((added.version, added.visits), (5, 0));
    assert_eq!(db.get::<Page>(added.id).await?, added);
    Ok(())
}

pub(crate) async fn what_names_no_version_is_not_checked(db: &Ommi) -> DBResult<()> {
    let read = page(db).await?;
    db.save(&mut read.clone()).await?;
    let draft = || new!(Page { slug: "start" });
    let changed = db.upsert(draft()).on(Page::slug).update(Page::visits.increment(1)).await?;
    assert_eq!((changed.version, changed.visits), (3, 1));
    assert_eq!(db.upsert(read.clone()).on(Page::slug).ignore().await?, None, "what is left alone is not changed");
    assert_eq!(db.get::<Page>(read.id).await?, changed);
    Ok(())
}

/// All of them have read the same row.
pub(crate) async fn of_many_tasks_that_change_a_row_one_wins(db: &Ommi) -> DBResult<()> {
    let page = page(db).await?;
    for round in 0..3 {
        let read = db.get::<Page>(page.id).await?;
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let (db, row) = (db.clone(), read.clone());
                tokio::spawn(async move { db.upsert(row).on(Page::slug).update(Page::visits.increment(1)).await })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            match joined(task).await {
                Ok(row) => {
                    assert_eq!((row.version, row.visits), (read.version + 1, read.visits + 1));
                    won += 1;
                }
                lost => stale(lost, "Page", &key(&page)),
            }
        }
        assert_eq!(won, 1, "in round {round}");
        assert_eq!(db.get::<Page>(page.id).await?.visits, round + 1);
    }
    Ok(())
}

/// The first adds the row, the second finds the version that it names, and the others find the next one.
pub(crate) async fn of_many_tasks_that_add_a_row_one_more_changes_it(db: &Ommi) -> DBResult<()> {
    page(db).await?;
    for round in 0..4 {
        let slug = format!("new {round}");
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let (db, row) = (db.clone(), new!(Page { slug: slug.as_str(), version: 1 }));
                tokio::spawn(async move { db.upsert(row).on(Page::slug).update(Page::visits.increment(1)).await })
            })
            .collect();
        let mut won = Vec::new();
        for task in tasks {
            match joined(task).await {
                Ok(row) => won.push((row.version, row.visits)),
                Err(error) => assert!(error.stale_row().is_some(), "{error:?}"),
            }
        }
        won.sort_unstable();
        assert_eq!(won, [(1, 0), (2, 1)], "in round {round}");
        let stored = db.find(Page::slug.eq(slug.as_str())).one().await?;
        assert_eq!((stored.version, stored.visits), (2, 1));
    }
    Ok(())
}

/// NULL is the same as nothing, so there is nothing to have another version.
pub(crate) async fn null_in_the_target_always_adds(db: &Ommi) -> DBResult<()> {
    let start = page(db).await?;
    let draft = new!(Page { slug: "new", code: None, version: 9 });
    let added = db.upsert(draft).on(Page::code).update(Page::visits.set(1)).await?;
    assert_eq!((added.version, added.visits), (9, 0));
    assert_eq!(db.get::<Page>(start.id).await?, start);
    Ok(())
}

pub(crate) async fn by_a_set_that_contains_the_key(db: &Ommi) -> DBResult<()> {
    let read = page(db).await?;
    let both = || (Page::id, Page::slug);
    let changed = db.upsert(read.clone()).on(both()).update(Page::visits.set(3)).await?;
    assert_eq!((changed.version, changed.visits), (2, 3));
    stale(db.upsert(read.clone()).on(both()).update(Page::visits.set(9)).await, "Page", &key(&read));
    let elsewhere = Page { slug: "elsewhere".into(), ..changed.clone() };
    let taken = db.upsert(elsewhere).on(both()).update(Page::visits.set(9)).await;
    violation(taken, ConstraintKind::Unique, "pages", &["id"]);
    assert_eq!(db.get::<Page>(read.id).await?, changed);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Seat {
    #[ommi(version, column = "rev")]
    revision: u32,
    #[ommi(key)]
    region: String,
    holder: Option<String>,
    #[ommi(key)]
    number: i32,
}

pub(crate) async fn by_a_composite_key_and_under_another_name(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Seat>().await?;
    let seat = db.add(new!(Seat { region: "north-west", number: 4711 })).await?;
    let take = async |seat: &Seat, by: &str| {
        db.upsert(seat.clone()).on((Seat::number, Seat::region)).update(Seat::holder.set(by)).await
    };
    let taken = take(&seat, "Ann").await?;
    assert_eq!((taken.revision, taken.holder.as_deref()), (2, Some("Ann")));
    let key = [("region", Value::Text("north-west".into())), ("number", Value::Int(4711))];
    stale(take(&seat, "Bob").await, "Seat", &key);
    assert_eq!(db.get::<Seat>(("north-west", 4711)).await?, taken);
    assert_eq!(take(&taken, "Bob").await?.revision, 3);
    Ok(())
}

/// It is not changed, so nothing is violated.
pub(crate) async fn stale_comes_before_what_the_change_violates(db: &Ommi) -> DBResult<()> {
    let read = page(db).await?;
    let stored = db.upsert(read.clone()).on(Page::slug).update(Page::visits.set(1)).await?;
    let take = async |row: &Page| db.upsert(row.clone()).on(Page::slug).update(Page::code.set(7)).await;
    stale(take(&read).await, "Page", &key(&read));
    violation(take(&stored).await, ConstraintKind::Unique, "pages", &["code"]);
    assert_eq!(db.get::<Page>(read.id).await?, stored);
    Ok(())
}

/// Found out by Ommi, so that the transaction goes on.
pub(crate) async fn in_a_transaction(db: &Ommi) -> DBResult<()> {
    let read = page(db).await?;
    let tx = db.begin().await?;
    let changed = tx.upsert(read.clone()).on(Page::slug).update(Page::visits.increment(1)).await?;
    stale(tx.upsert(read.clone()).on(Page::slug).update(Page::visits.set(9)).await, "Page", &key(&read));
    let again = tx.upsert(changed).on(Page::id).update(Page::visits.increment(1)).await?;
    assert_eq!((again.version, again.visits), (3, 2));
    tx.commit().await?;
    assert_eq!(db.get::<Page>(read.id).await?, again);
    Ok(())
}

pub(crate) async fn in_a_nested_one(db: &Ommi) -> DBResult<()> {
    let read = page(db).await?;
    let mut tx = db.begin().await?;
    let outer = tx.upsert(read.clone()).on(Page::slug).update(Page::visits.increment(1)).await?;
    let inner = tx.begin().await?;
    // Neither that it is there already nor the code, which another has, is a violation where nothing is changed.
    let late = inner.upsert(read.clone()).on(Page::slug).update(Page::code.set(7)).await;
    stale(late, "Page", &key(&read));
    let changed = inner.upsert(outer.clone()).on(Page::slug).update(Page::visits.increment(1)).await?;
    assert_eq!((changed.version, changed.visits), (3, 2));
    let added = inner.upsert(new!(Page { slug: "new", version: 8 })).on(Page::slug).update(Page::visits.set(1)).await?;
    assert_eq!((added.version, added.visits), (8, 0));
    inner.rollback().await?;
    assert_eq!(tx.get::<Page>(read.id).await?, outer);
    assert_eq!(tx.find_all::<Page>().count().await?, 2);
    tx.commit().await?;
    assert_eq!(db.get::<Page>(read.id).await?, outer);
    Ok(())
}
