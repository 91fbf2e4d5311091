//! Deleting the rows that meet a condition.

use ommi::prelude::*;

use crate::expect::{assert_kind, not_found};

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    id: i64,
    category: String,
    note: Option<String>,
}

async fn items(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    let rows = [(1, "a", None), (2, "b", Some("x")), (3, "a", Some("x")), (4, "c", None), (5, "a", Some("y"))];
    let rows =
        rows.map(|(id, category, note)| Item { id, category: category.to_owned(), note: note.map(str::to_owned) });
    db.add_all(rows).await?;
    Ok(())
}

async fn left(db: &Ommi) -> DBResult<Vec<i64>> {
    Ok(db.find_all::<Item>().sort(Item::id).all().await?.iter().map(|row| row.id).collect())
}

pub(crate) async fn deletes_exactly_the_rows_that_meet_the_condition(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(db.find(Item::category.eq("a")).delete().await?, 3);
    assert_eq!(left(db).await?, [2, 4]);
    assert_eq!(db.find(Item::category.eq("a")).delete().await?, 0);
    Ok(())
}

pub(crate) async fn null_meets_no_comparison(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(db.find(Item::note.ne("x")).delete().await?, 1);
    assert_eq!(left(db).await?, [1, 2, 3, 4]);
    assert_eq!(db.find(Item::note.not_in([Some("y".to_owned()), None])).delete().await?, 0);
    assert_eq!(db.find(!Item::note.eq("y")).delete().await?, 2);
    assert_eq!(db.find(Item::note.is_null()).delete().await?, 2);
    assert_eq!(left(db).await?, [] as [i64; 0]);
    Ok(())
}

pub(crate) async fn or_in_the_condition_stays_within_it(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    let condition = (Item::category.eq("a") | Item::category.eq("b")) & Item::note.eq("x");
    assert_eq!(db.find(condition).delete().await?, 2);
    assert_eq!(left(db).await?, [1, 4, 5]);
    Ok(())
}

pub(crate) async fn the_whole_table_must_be_said(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    let nothing: [Predicate<Item>; 0] = [];
    let error = assert_kind!(db.find(all_of(nothing.clone())).delete().await, ErrorKind::Query);
    assert!(error.to_string().contains("find_all::<Item>()"), "{error}");
    assert_kind!(db.find(None::<Predicate<Item>>).delete().await, ErrorKind::Query);
    assert_eq!(db.find(any_of(nothing)).delete().await?, 0, "no row is not every row");
    assert_eq!(db.find_all::<Item>().delete().await?, 5);
    assert_eq!(db.find_all::<Item>().delete().await?, 0);
    Ok(())
}

/// What follows narrows the whole table again.
pub(crate) async fn find_all_with_a_filter_deletes_what_meets_it(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(db.find_all::<Item>().filter(Item::category.eq("a")).delete().await?, 3);
    assert_eq!(left(db).await?, [2, 4]);
    Ok(())
}

pub(crate) async fn takes_no_sort_limit_or_offset(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    let find = || db.find(Item::category.eq("a"));
    assert_kind!(find().limit(1).delete().await, ErrorKind::Query);
    assert_kind!(find().offset(1).delete().await, ErrorKind::Query);
    assert_kind!(find().sort(Item::id).delete().await, ErrorKind::Query);
    assert_eq!(left(db).await?.len(), 5);
    Ok(())
}

pub(crate) async fn a_row_by_its_key(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    let row = db.get::<Item>(3).await?;
    db.delete(&row).await?;
    assert_eq!(left(db).await?, [1, 2, 4, 5]);
    not_found(db.delete(&row).await, "Item");
    // What else the row holds does not matter.
    db.delete(&Item { id: 4, category: "stale".to_owned(), note: None }).await?;
    assert_eq!(left(db).await?, [1, 2, 5]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Seat {
    #[ommi(key)]
    region: String,
    #[ommi(key)]
    number: i32,
}

pub(crate) async fn a_row_by_its_composite_key(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Seat>().await?;
    let seat = |region: &str, number| Seat { region: region.to_owned(), number };
    db.add_all([seat("US", 1), seat("US", 2), seat("EU", 1)]).await?;
    db.delete(&seat("US", 1)).await?;
    not_found(db.delete(&seat("EU", 2)).await, "Seat");
    let left = db.find_all::<Seat>().sort(Seat::region).all().await?;
    assert_eq!(left, [seat("EU", 1), seat("US", 2)]);
    Ok(())
}
