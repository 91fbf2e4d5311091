//! `in_` and `not_in`.

use chrono::NaiveDate;
use ommi::prelude::*;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    id: i64,
    a: Option<i64>,
    text: String,
    flag: bool,
    ratio: f64,
    day: NaiveDate,
    uuid: Uuid,
}

const NONE: [i64; 0] = [];

fn item(id: i64, a: Option<i64>) -> Item {
    Item {
        id,
        a,
        text: id.to_string(),
        flag: id % 2 == 0,
        ratio: id as f64 / 2.0,
        day: NaiveDate::default() + chrono::Duration::days(id),
        uuid: Uuid::from_u128(id.unsigned_abs().into()),
    }
}

async fn items(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    db.add_all([item(1, Some(1)), item(2, Some(2)), item(3, Some(3)), item(4, None), item(5, Some(i64::MIN))]).await?;
    Ok(())
}

async fn ids(db: &Ommi, predicate: Predicate<Item>) -> DBResult<Vec<i64>> {
    let rows = db.find(predicate).sort(Item::id).all().await?;
    Ok(rows.iter().map(|row| row.id).collect())
}

pub(crate) async fn in_finds_each_of_the_values(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::a.in_([1, 3, 99])).await?, [1, 3]);
    assert_eq!(ids(db, Item::a.in_([2, 2, 2])).await?, [2], "not once for each");
    assert_eq!(ids(db, Item::a.in_(vec![i64::MIN])).await?, [5]);
    assert_eq!(ids(db, Item::id.in_(2..=4)).await?, [2, 3, 4]);
    Ok(())
}

pub(crate) async fn not_in_finds_the_others(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::a.not_in([1, 99])).await?, [2, 3, 5], "not the row where it is NULL");
    assert_eq!(ids(db, !Item::a.in_([1, 99])).await?, [2, 3, 5]);
    assert_eq!(ids(db, !Item::a.not_in([1, 99])).await?, [1]);
    Ok(())
}

pub(crate) async fn in_an_empty_list_is_false(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::a.in_(Vec::<i64>::new())).await?, NONE);
    assert_eq!(ids(db, !Item::a.in_(Vec::<i64>::new())).await?, [1, 2, 3, 4, 5], "false, not unknown, for NULL too");
    Ok(())
}

pub(crate) async fn not_in_an_empty_list_is_true(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::a.not_in(Vec::<i64>::new())).await?, [1, 2, 3, 4, 5], "for NULL too");
    assert_eq!(ids(db, !Item::a.not_in(Vec::<i64>::new())).await?, NONE);
    Ok(())
}

/// NULL in a list equals nothing, and leaves unknown whether another value is in it.
pub(crate) async fn a_list_with_none(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::a.in_([Some(1), None])).await?, [1]);
    assert_eq!(ids(db, !Item::a.in_([Some(1), None])).await?, NONE);
    assert_eq!(ids(db, Item::a.not_in([Some(1), None])).await?, NONE);
    assert_eq!(ids(db, !Item::a.not_in([Some(1), None])).await?, [1]);
    assert_eq!(ids(db, Item::a.in_([None])).await?, NONE);
    assert_eq!(ids(db, Item::a.not_in([None])).await?, NONE);
    assert_eq!(ids(db, !Item::a.in_([None])).await?, NONE);
    assert_eq!(ids(db, Item::a.not_in([Some(1), None]) | Item::id.eq(4)).await?, [4]);
    Ok(())
}

pub(crate) async fn a_long_list_with_none(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    for length in [20, 40, 2_000] {
        let list = || (2..2 + length).map(Some).chain([None]);
        assert_eq!(ids(db, Item::a.in_(list())).await?, [2, 3], "in_ of {length}");
        assert_eq!(ids(db, !Item::a.in_(list())).await?, NONE, "not in_ of {length}");
        assert_eq!(ids(db, Item::a.not_in(list())).await?, NONE, "not_in of {length}");
        assert_eq!(ids(db, !Item::a.not_in(list())).await?, [2, 3], "not not_in of {length}");
        assert_eq!(ids(db, Item::id.eq(1) & (Item::a.in_(list()) | Item::id.eq(1))).await?, [1], "beside others");
    }
    Ok(())
}

/// Lists are written one way when they are short and another when they are long.
pub(crate) async fn lists_of_every_length(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    db.add_all((1..=200).map(|id| item(id, (id % 3 != 0).then_some(id)))).await?;
    for length in (0..=70).chain([127, 128, 129, 199, 200, 300]) {
        let expected: Vec<i64> = (1..=length.min(200)).filter(|id| id % 3 != 0).collect();
        assert_eq!(ids(db, Item::a.in_(1..=length)).await?, expected, "in_ of {length}");
        let others = 200 - 66 - expected.len() as u64 + if length == 0 { 66 } else { 0 };
        assert_eq!(db.find(Item::a.not_in(1..=length)).count().await?, others, "not_in of {length}");
    }
    Ok(())
}

pub(crate) async fn a_hundred_thousand_values(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::a.in_(2..100_002)).await?, [2, 3]);
    assert_eq!(ids(db, Item::a.not_in(2..100_002)).await?, [1, 5]);
    assert_eq!(ids(db, Item::text.in_((3..100_003).map(|n| n.to_string()))).await?, [3, 4, 5]);
    assert_eq!(db.find(Item::id.in_(0..100_000)).count().await?, 5);
    Ok(())
}

pub(crate) async fn two_long_lists_in_one_query(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    let both = Item::a.in_(0..50_000) & Item::text.not_in((2..50_000).map(|n| n.to_string()));
    assert_eq!(ids(db, both).await?, [1]);
    let either = Item::a.in_(3..40_000) | (Item::id.in_(4..40_000) & Item::a.is_null());
    assert_eq!(ids(db, either).await?, [3, 4]);
    Ok(())
}

pub(crate) async fn a_long_list_in_an_update_and_a_delete(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    let changed = db.find(Item::id.in_(2..60_000)).update(Item::text.set("changed")).await?;
    assert_eq!(changed, 4);
    let deleted = db.find(Item::id.not_in(1..4) & Item::text.in_(["changed"])).delete().await?;
    assert_eq!(deleted, 2);
    assert_eq!(ids(db, Item::id.in_(0..60_000)).await?, [1, 2, 3]);
    Ok(())
}

pub(crate) async fn lists_of_every_type(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    // A short list and a long one of each.
    for count in [3, 2_000] {
        let numbers = || 2..2 + count;
        let expected: Vec<i64> = (2..=5).filter(|id| *id < 2 + count).collect();
        assert_eq!(ids(db, Item::text.in_(numbers().map(|n: i64| n.to_string()))).await?, expected);
        assert_eq!(ids(db, Item::ratio.in_(numbers().map(|n| n as f64 / 2.0))).await?, expected);
        let days = numbers().map(|n| NaiveDate::default() + chrono::Duration::days(n));
        assert_eq!(ids(db, Item::day.in_(days)).await?, expected);
        let uuids = numbers().map(|n| Uuid::from_u128(n.unsigned_abs().into()));
        assert_eq!(ids(db, Item::uuid.in_(uuids)).await?, expected);
        assert_eq!(ids(db, Item::flag.in_(numbers().map(|_| true))).await?, [2, 4]);
    }
    Ok(())
}

pub(crate) async fn hostile_text_in_lists(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    let texts = crate::samples::HOSTILE;
    db.add_all((1..).zip(texts).map(|(id, text)| Item { text: (*text).to_owned(), ..item(id, None) })).await?;
    assert_eq!(db.find(Item::text.in_(texts.iter().copied())).count().await?, texts.len() as u64);
    assert_eq!(db.find(Item::text.not_in(texts.iter().copied())).count().await?, 0);
    Ok(())
}
