//! Comparisons, and what NULL does to them.

use chrono::{DateTime, NaiveDate, Utc};
use ommi::prelude::*;
use uuid::Uuid;

use crate::expect::assert_kind;

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    id: i64,
    a: Option<i64>,
    b: Option<i64>,
    n: i64,
}

/// `a` against `b`: equal, greater, less, and each of them NULL, and both.
async fn items(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    let rows = [
        (1, Some(1), Some(1), 1),
        (2, Some(2), Some(1), 1),
        (3, Some(1), Some(2), 3),
        (4, None, Some(1), 4),
        (5, Some(1), None, 5),
        (6, None, None, 6),
        (7, Some(-3), Some(i64::MAX), -3),
    ];
    db.add_all(rows.map(|(id, a, b, n)| Item { id, a, b, n })).await?;
    Ok(())
}

async fn ids(db: &Ommi, predicate: Predicate<Item>) -> DBResult<Vec<i64>> {
    let rows = db.find(predicate).sort(Item::id).all().await?;
    Ok(rows.iter().map(|row| row.id).collect())
}

pub(crate) async fn each_comparison_with_a_value(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::n.eq(1)).await?, [1, 2]);
    assert_eq!(ids(db, Item::n.ne(1)).await?, [3, 4, 5, 6, 7]);
    assert_eq!(ids(db, Item::n.lt(3)).await?, [1, 2, 7]);
    assert_eq!(ids(db, Item::n.le(3)).await?, [1, 2, 3, 7]);
    assert_eq!(ids(db, Item::n.gt(3)).await?, [4, 5, 6]);
    assert_eq!(ids(db, Item::n.ge(3)).await?, [3, 4, 5, 6]);
    Ok(())
}

pub(crate) async fn a_null_column_meets_no_comparison(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::a.eq(1)).await?, [1, 3, 5]);
    assert_eq!(ids(db, Item::a.ne(1)).await?, [2, 7]);
    assert_eq!(ids(db, Item::a.lt(2)).await?, [1, 3, 5, 7]);
    assert_eq!(ids(db, Item::a.le(2)).await?, [1, 2, 3, 5, 7]);
    assert_eq!(ids(db, Item::a.gt(0)).await?, [1, 2, 3, 5]);
    assert_eq!(ids(db, Item::a.ge(2)).await?, [2]);
    Ok(())
}

/// Unknown stays unknown under `!`.
pub(crate) async fn a_null_column_meets_no_negated_comparison(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, !Item::a.eq(1)).await?, [2, 7]);
    assert_eq!(ids(db, !Item::a.ne(1)).await?, [1, 3, 5]);
    assert_eq!(ids(db, !Item::a.lt(2)).await?, [2]);
    assert_eq!(ids(db, !Item::a.ge(2)).await?, [1, 3, 5, 7]);
    assert_eq!(ids(db, !Item::a.eq(Item::b)).await?, [2, 3, 7]);
    Ok(())
}

pub(crate) async fn eq_none_is_null(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    let nothing: Option<i64> = None;
    assert_eq!(ids(db, Item::a.eq(None)).await?, [4, 6]);
    assert_eq!(ids(db, Item::a.eq(nothing)).await?, [4, 6]);
    assert_eq!(ids(db, Item::a.is_null()).await?, [4, 6]);
    assert_eq!(ids(db, Item::a.eq_opt(nothing)).await?, [4, 6]);
    assert_eq!(ids(db, Item::a.eq_opt(Some(2))).await?, [2]);
    assert_eq!(ids(db, Item::a.eq(Some(2))).await?, [2]);
    Ok(())
}

pub(crate) async fn ne_none_is_not_null(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::a.ne(None)).await?, [1, 2, 3, 5, 7]);
    assert_eq!(ids(db, Item::a.is_not_null()).await?, [1, 2, 3, 5, 7]);
    assert_eq!(ids(db, !Item::a.is_null()).await?, [1, 2, 3, 5, 7]);
    assert_eq!(ids(db, !Item::a.is_not_null()).await?, [4, 6]);
    Ok(())
}

/// An order with nothing is unknown, also when it is negated.
pub(crate) async fn an_order_with_none_is_unknown(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    for predicate in [Item::a.lt(None), Item::a.le(None), Item::a.gt(None), Item::a.ge(None)] {
        assert_eq!(ids(db, predicate.clone()).await?, [] as [i64; 0]);
        assert_eq!(ids(db, !predicate).await?, [] as [i64; 0]);
    }
    Ok(())
}

pub(crate) async fn a_required_column_is_never_null(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::n.is_null()).await?, [] as [i64; 0]);
    assert_eq!(db.find(Item::n.is_not_null()).count().await?, 7);
    Ok(())
}

pub(crate) async fn between_includes_both_ends(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::n.between(1, 4)).await?, [1, 2, 3, 4]);
    assert_eq!(ids(db, Item::n.between(3, 3)).await?, [3]);
    assert_eq!(ids(db, Item::n.between(4, 1)).await?, [] as [i64; 0], "the ends are not exchanged");
    assert_eq!(ids(db, !Item::n.between(1, 4)).await?, [5, 6, 7]);
    assert_eq!(ids(db, !Item::n.between(4, 1)).await?, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(ids(db, Item::a.between(1, 2)).await?, [1, 2, 3, 5]);
    assert_eq!(ids(db, !Item::a.between(1, 2)).await?, [7]);
    Ok(())
}

/// With one end unknown, a value may still lie outside the other.
pub(crate) async fn between_with_an_unknown_end(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::a.between(None, Some(1))).await?, [] as [i64; 0]);
    assert_eq!(ids(db, Item::a.between(Some(2), None)).await?, [] as [i64; 0]);
    assert_eq!(ids(db, !Item::a.between(None, Some(1))).await?, [2]);
    assert_eq!(ids(db, !Item::a.between(Some(2), None)).await?, [1, 3, 5, 7]);
    assert_eq!(ids(db, !Item::a.between(None, None)).await?, [] as [i64; 0]);
    Ok(())
}

pub(crate) async fn between_columns(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::n.between(Item::a, Item::b)).await?, [1, 7]);
    assert_eq!(ids(db, Item::a.between(1, Item::b)).await?, [1, 3]);
    Ok(())
}

pub(crate) async fn column_against_column(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::a.eq(Item::b)).await?, [1]);
    assert_eq!(ids(db, Item::a.ne(Item::b)).await?, [2, 3, 7]);
    assert_eq!(ids(db, Item::a.lt(Item::b)).await?, [3, 7]);
    assert_eq!(ids(db, Item::a.le(Item::b)).await?, [1, 3, 7]);
    assert_eq!(ids(db, Item::a.gt(Item::b)).await?, [2]);
    assert_eq!(ids(db, Item::a.ge(Item::b)).await?, [1, 2]);
    assert_eq!(ids(db, Item::a.eq(Item::a)).await?, [1, 2, 3, 5, 7], "not where it is NULL");
    Ok(())
}

pub(crate) async fn negated_column_against_column(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, !Item::a.ne(Item::b)).await?, [1]);
    assert_eq!(ids(db, !Item::a.lt(Item::b)).await?, [1, 2]);
    assert_eq!(ids(db, !Item::a.le(Item::b)).await?, [2]);
    assert_eq!(ids(db, !Item::a.gt(Item::b)).await?, [1, 3, 7]);
    assert_eq!(ids(db, !Item::a.ge(Item::b)).await?, [3, 7]);
    Ok(())
}

pub(crate) async fn an_optional_column_against_a_required_one(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(ids(db, Item::a.eq(Item::n)).await?, [1, 7]);
    assert_eq!(ids(db, Item::n.eq(Item::b)).await?, [1, 2]);
    assert_eq!(ids(db, Item::n.gt(Item::a)).await?, [3, 5]);
    assert_eq!(ids(db, !Item::n.gt(Item::a)).await?, [1, 2, 7]);
    Ok(())
}

pub(crate) async fn integers_at_the_ends_of_their_range(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    let rows = [(1, i64::MIN), (2, i64::MIN + 1), (3, 0), (4, i64::MAX - 1), (5, i64::MAX)];
    db.add_all(rows.map(|(id, n)| Item { id, a: None, b: Some(n), n })).await?;
    assert_eq!(ids(db, Item::n.lt(i64::MIN + 1)).await?, [1]);
    assert_eq!(ids(db, Item::n.gt(i64::MAX - 1)).await?, [5]);
    assert_eq!(ids(db, Item::n.eq(i64::MAX)).await?, [5]);
    assert_eq!(ids(db, Item::n.ne(i64::MAX)).await?, [1, 2, 3, 4]);
    assert_eq!(ids(db, Item::n.between(i64::MIN, i64::MAX)).await?, [1, 2, 3, 4, 5]);
    assert_eq!(ids(db, Item::n.ge(Item::b)).await?, [1, 2, 3, 4, 5]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Thing {
    id: i64,
    flag: Option<bool>,
    ratio: Option<f64>,
    text: String,
    count: u64,
    day: Option<NaiveDate>,
    at: Option<DateTime<Utc>>,
    uuid: Option<Uuid>,
    data: Option<Vec<u8>>,
}

fn thing(id: i64) -> Thing {
    Thing { id, flag: None, ratio: None, text: String::new(), count: 0, day: None, at: None, uuid: None, data: None }
}

async fn thing_ids(db: &Ommi, predicate: Predicate<Thing>) -> DBResult<Vec<i64>> {
    let rows = db.find(predicate).sort(Thing::id).all().await?;
    Ok(rows.iter().map(|row| row.id).collect())
}

pub(crate) async fn bools(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Thing>().await?;
    let rows = [(1, Some(true)), (2, Some(false)), (3, None)];
    db.add_all(rows.map(|(id, flag)| Thing { flag, ..thing(id) })).await?;
    assert_eq!(thing_ids(db, Thing::flag.eq(true)).await?, [1]);
    assert_eq!(thing_ids(db, Thing::flag.eq(false)).await?, [2]);
    assert_eq!(thing_ids(db, !Thing::flag.eq(true)).await?, [2]);
    assert_eq!(thing_ids(db, Thing::flag.ne(true)).await?, [2]);
    assert_eq!(thing_ids(db, Thing::flag.lt(true)).await?, [2], "false is less than true");
    Ok(())
}

pub(crate) async fn floats_and_infinities(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Thing>().await?;
    let rows = [f64::NEG_INFINITY, f64::MIN, -0.0, 0.0, 1e-300, f64::MAX, f64::INFINITY];
    db.add_all((1..).zip(rows).map(|(id, ratio)| Thing { ratio: Some(ratio), ..thing(id) })).await?;
    db.add(thing(8)).await?;
    assert_eq!(thing_ids(db, Thing::ratio.lt(f64::MIN)).await?, [1]);
    assert_eq!(thing_ids(db, Thing::ratio.gt(f64::MAX)).await?, [7]);
    assert_eq!(thing_ids(db, Thing::ratio.eq(0.0)).await?, [3, 4]);
    assert_eq!(thing_ids(db, Thing::ratio.lt(0.0)).await?, [1, 2]);
    assert_eq!(thing_ids(db, Thing::ratio.between(f64::NEG_INFINITY, f64::INFINITY)).await?, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(thing_ids(db, Thing::ratio.ne(f64::INFINITY)).await?, [1, 2, 3, 4, 5, 6]);
    Ok(())
}

/// By the bytes of UTF-8: capitals before small letters, everything beyond ASCII after both.
pub(crate) async fn text_by_its_bytes(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Thing>().await?;
    let rows = ["", "10", "9", "A", "Z", "a", "aa", "z", "é", "\u{ffff}", "😀"];
    db.add_all((1..).zip(rows).map(|(id, text)| Thing { text: text.to_owned(), ..thing(id) })).await?;
    for (id, text) in (1..).zip(rows) {
        let less: Vec<i64> = (1..id).collect();
        assert_eq!(thing_ids(db, Thing::text.lt(text)).await?, less, "less than {text:?}");
        assert_eq!(thing_ids(db, !Thing::text.ge(text)).await?, less, "not at least {text:?}");
        assert_eq!(thing_ids(db, Thing::text.eq(text)).await?, [id], "{text:?}");
    }
    assert_eq!(thing_ids(db, Thing::text.between("A", "a")).await?, [4, 5, 6]);
    Ok(())
}

pub(crate) async fn unsigned_integers(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Thing>().await?;
    let rows = [0, 1, i64::MAX as u64];
    db.add_all((1..).zip(rows).map(|(id, count)| Thing { count, ..thing(id) })).await?;
    assert_eq!(thing_ids(db, Thing::count.gt(0u64)).await?, [2, 3]);
    assert_eq!(thing_ids(db, Thing::count.lt(i64::MAX as u64)).await?, [1, 2]);
    assert_eq!(thing_ids(db, Thing::count.eq(i64::MAX as u64)).await?, [3]);
    Ok(())
}

pub(crate) async fn dates_and_times(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Thing>().await?;
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap_or_default();
    let moments = [
        at("0001-01-01T00:00:00Z"),
        at("1969-12-31T23:59:59.999Z"),
        at("1970-01-01T00:00:00Z"),
        at("1970-01-01T00:00:00.010Z"),
        at("1970-01-01T00:00:00.100Z"),
        at("9999-12-31T23:59:59.999Z"),
    ];
    let rows = (1..).zip(moments).map(|(id, at)| Thing { at: Some(at), day: Some(at.date_naive()), ..thing(id) });
    db.add_all(rows.chain([thing(7)])).await?;
    for (id, at) in (1..).zip(moments) {
        let less: Vec<i64> = (1..id).collect();
        assert_eq!(thing_ids(db, Thing::at.lt(at)).await?, less, "before {at}");
        assert_eq!(thing_ids(db, Thing::at.eq(at)).await?, [id], "{at}");
        assert_eq!(thing_ids(db, !Thing::at.gt(at)).await?, (1..=id).collect::<Vec<_>>(), "not after {at}");
    }
    let epoch = NaiveDate::default();
    assert_eq!(thing_ids(db, Thing::day.eq(epoch)).await?, [3, 4, 5]);
    assert_eq!(thing_ids(db, Thing::day.lt(epoch)).await?, [1, 2]);
    Ok(())
}

pub(crate) async fn uuids_by_their_bytes(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Thing>().await?;
    let rows = [0, 1, 0x7f << 120, 0x80 << 120, u128::MAX].map(Uuid::from_u128);
    db.add_all((1..).zip(rows).map(|(id, uuid)| Thing { uuid: Some(uuid), ..thing(id) })).await?;
    for (id, uuid) in (1..).zip(rows) {
        assert_eq!(thing_ids(db, Thing::uuid.lt(uuid)).await?, (1..id).collect::<Vec<_>>(), "{uuid}");
        assert_eq!(thing_ids(db, Thing::uuid.eq(uuid)).await?, [id], "{uuid}");
    }
    Ok(())
}

async fn data(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Thing>().await?;
    let rows: [&[u8]; 5] = [&[], &[0], &[0, 0], &[1], &[255]];
    db.add_all((1..).zip(rows).map(|(id, data)| Thing { data: Some(data.to_vec()), ..thing(id) })).await?;
    db.add(thing(6)).await?;
    Ok(())
}

pub(crate) async fn bytes_are_equal_or_not(db: &Ommi) -> DBResult<()> {
    data(db).await?;
    assert_eq!(thing_ids(db, Thing::data.eq(vec![0u8])).await?, [2]);
    assert_eq!(thing_ids(db, Thing::data.ne(vec![0u8])).await?, [1, 3, 4, 5]);
    assert_eq!(thing_ids(db, Thing::data.in_([vec![], vec![255u8]])).await?, [1, 5]);
    Ok(())
}

/// Where a store orders bytes, then byte by byte; where it does not, that is an error.
pub(crate) async fn bytes_in_order_or_unsupported(db: &Ommi) -> DBResult<()> {
    data(db).await?;
    let less = Thing::data.lt(vec![1u8]);
    if db.driver().capabilities().bytes_order {
        assert_eq!(thing_ids(db, less).await?, [1, 2, 3]);
        assert_eq!(thing_ids(db, Thing::data.between(vec![0u8, 0], vec![2u8])).await?, [3, 4]);
    } else {
        assert_kind!(thing_ids(db, less).await, ErrorKind::Unsupported { .. });
        let between = Thing::data.between(vec![0u8], vec![1u8]);
        assert_kind!(thing_ids(db, between).await, ErrorKind::Unsupported { .. });
        assert_kind!(db.find_all::<Thing>().sort(Thing::data).all().await, ErrorKind::Unsupported { .. });
    }
    Ok(())
}
