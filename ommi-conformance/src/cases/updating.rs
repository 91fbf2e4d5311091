//! Changing the rows that meet a condition.

use chrono::NaiveDate;
use ommi::{ConstraintKind, prelude::*};
use uuid::Uuid;

use crate::expect::{assert_kind, out_of_range, violation};
use crate::samples::HOSTILE;

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    id: i64,
    n: i64,
    a: Option<i64>,
    b: Option<i64>,
    text: String,
    note: Option<String>,
}

fn item(id: i64, n: i64, a: Option<i64>) -> Item {
    Item { id, n, a, b: None, text: format!("item {id}"), note: None }
}

async fn items(db: &Ommi) -> DBResult<Vec<Item>> {
    db.create_tables::<Item>().await?;
    db.add_all([item(1, 10, Some(1)), item(2, 20, None), item(3, 30, Some(3)), item(4, 40, Some(4))]).await
}

async fn all(db: &Ommi) -> DBResult<Vec<Item>> {
    db.find_all::<Item>().sort(Item::id).all().await
}

pub(crate) async fn sets_exactly_the_rows_that_meet_the_condition(db: &Ommi) -> DBResult<()> {
    let before = items(db).await?;
    let changed = db.find(Item::n.gt(10) & Item::a.is_not_null()).update(Item::text.set("new")).await?;
    assert_eq!(changed, 2);
    let after = all(db).await?;
    assert_eq!((&after[0], &after[1]), (&before[0], &before[1]));
    assert_eq!(after[2], Item { text: "new".to_owned(), ..before[2].clone() });
    assert_eq!(after[3], Item { text: "new".to_owned(), ..before[3].clone() });
    Ok(())
}

pub(crate) async fn or_in_the_condition_stays_within_it(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    let condition = (Item::id.eq(1) | Item::id.eq(2) | Item::id.eq(3)) & Item::a.is_not_null();
    assert_eq!(db.find(condition).update(Item::n.set(0)).await?, 2);
    assert_eq!(all(db).await?.iter().map(|row| row.n).collect::<Vec<_>>(), [0, 20, 0, 40]);
    Ok(())
}

pub(crate) async fn several_columns_at_once(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    let changes = (Item::n.set(-1), Item::text.set("t"), Item::note.set("noted"), Item::b.set(7));
    assert_eq!(db.find(Item::id.eq(2)).update(changes).await?, 1);
    let expected = Item { id: 2, n: -1, a: None, b: Some(7), text: "t".to_owned(), note: Some("noted".to_owned()) };
    assert_eq!(db.get::<Item>(2).await?, expected);
    Ok(())
}

pub(crate) async fn set_none_makes_it_null(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(db.find(Item::id.le(2)).update((Item::a.set(None), Item::note.set(None))).await?, 2);
    assert_eq!(db.find(Item::a.is_null()).count().await?, 2);
    assert_eq!(db.find(Item::id.eq(3)).update(Item::a.set(Some(9))).await?, 1);
    assert_eq!(db.get::<Item>(3).await?.a, Some(9));
    Ok(())
}

pub(crate) async fn increment_and_decrement(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(db.find(Item::id.ge(3)).update((Item::n.increment(5), Item::a.decrement(10))).await?, 2);
    let after = all(db).await?;
    assert_eq!(after.iter().map(|row| row.n).collect::<Vec<_>>(), [10, 20, 35, 45]);
    assert_eq!(after.iter().map(|row| row.a).collect::<Vec<_>>(), [Some(1), None, Some(-7), Some(-6)]);
    db.find(Item::id.eq(1)).update(Item::n.increment(-11)).await?;
    assert_eq!(db.get::<Item>(1).await?.n, -1);
    Ok(())
}

pub(crate) async fn null_incremented_stays_null(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(db.find(Item::id.le(2)).update(Item::a.increment(1)).await?, 2);
    let after = all(db).await?;
    assert_eq!((after[0].a, after[1].a), (Some(2), None));
    Ok(())
}

pub(crate) async fn a_column_takes_what_another_holds(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(db.find(Item::id.ge(1)).update(Item::b.set(Item::a)).await?, 4);
    assert_eq!(all(db).await?.iter().map(|row| row.b).collect::<Vec<_>>(), [Some(1), None, Some(3), Some(4)]);
    assert_eq!(db.find(Item::id.eq(1)).update((Item::b.set(Item::n), Item::note.set(Item::text))).await?, 1);
    let first = db.get::<Item>(1).await?;
    assert_eq!((first.b, first.note.as_deref()), (Some(10), Some("item 1")));
    Ok(())
}

/// Each change sees the row as it was before all of them.
pub(crate) async fn two_columns_are_exchanged(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    db.find(Item::id.eq(1)).update(Item::b.set(100)).await?;
    db.find(Item::id.le(3)).update((Item::a.set(Item::b), Item::b.set(Item::a))).await?;
    let after = all(db).await?;
    assert_eq!((after[0].a, after[0].b), (Some(100), Some(1)));
    assert_eq!((after[2].a, after[2].b), (None, Some(3)));
    db.find(Item::id.eq(4)).update((Item::n.increment(1), Item::b.set(Item::n))).await?;
    let last = db.get::<Item>(4).await?;
    assert_eq!((last.n, last.b), (41, Some(40)), "b is n as it was");
    Ok(())
}

/// The condition, too, sees the rows as they were.
pub(crate) async fn a_change_to_the_column_of_the_condition(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(db.find(Item::n.lt(35)).update(Item::n.increment(10)).await?, 3);
    assert_eq!(all(db).await?.iter().map(|row| row.n).collect::<Vec<_>>(), [20, 30, 40, 40]);
    Ok(())
}

pub(crate) async fn counts_the_rows_that_met_the_condition_changed_or_not(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(db.find(Item::id.eq(1)).update(Item::n.set(10)).await?, 1, "to what it was");
    assert_eq!(db.find(Item::id.le(3)).update(Item::n.increment(0)).await?, 3);
    assert_eq!(db.find(Item::id.le(3)).update(Item::n.set(Item::n)).await?, 3);
    assert_eq!(db.find(Item::id.gt(99)).update(Item::n.set(1)).await?, 0);
    assert_eq!(db.find(Item::id.in_(Vec::<i64>::new())).update(Item::n.set(1)).await?, 0);
    Ok(())
}

pub(crate) async fn an_update_of_nothing_is_an_error(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_kind!(db.find(Item::id.eq(1)).update(Vec::<ommi::Assign<Item>>::new()).await, ErrorKind::Query);
    assert_kind!(db.find(Item::id.eq(1)).update(None::<ommi::Assign<Item>>).await, ErrorKind::Query);
    Ok(())
}

pub(crate) async fn the_whole_table_must_be_said(db: &Ommi) -> DBResult<()> {
    let before = items(db).await?;
    let nothing: [Predicate<Item>; 0] = [];
    let error = assert_kind!(db.find(all_of(nothing.clone())).update(Item::n.set(0)).await, ErrorKind::Query);
    assert!(error.to_string().contains("find_all::<Item>()"), "{error}");
    assert_kind!(db.find(None::<Predicate<Item>>).update(Item::n.set(0)).await, ErrorKind::Query);
    assert_kind!(db.find(!any_of(nothing)).update(Item::n.set(0)).await, ErrorKind::Query);
    assert_eq!(all(db).await?, before);
    assert_eq!(db.find_all::<Item>().update(Item::n.set(0)).await?, 4);
    assert!(all(db).await?.iter().all(|row| row.n == 0));
    Ok(())
}

/// They would say which rows are read, not which are changed.
pub(crate) async fn takes_no_sort_limit_or_offset(db: &Ommi) -> DBResult<()> {
    let before = items(db).await?;
    let find = || db.find(Item::id.ge(1));
    assert_kind!(find().limit(1).update(Item::n.set(0)).await, ErrorKind::Query);
    assert_kind!(find().offset(1).update(Item::n.set(0)).await, ErrorKind::Query);
    assert_kind!(find().sort(Item::n).update(Item::n.set(0)).await, ErrorKind::Query);
    assert_eq!(all(db).await?, before);
    Ok(())
}

pub(crate) async fn a_column_set_twice_is_an_error(db: &Ommi) -> DBResult<()> {
    let before = items(db).await?;
    let changes = (Item::n.set(1), Item::n.increment(1));
    assert_kind!(db.find(Item::id.eq(1)).update(changes).await, ErrorKind::Query);
    assert_eq!(all(db).await?, before);
    Ok(())
}

pub(crate) async fn changes_that_are_put_together_at_run_time(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    let mut changes = vec![Item::text.set("t")];
    changes.push(Item::n.increment(1));
    db.find(Item::id.eq(1)).update(changes).await?;
    db.find(Item::id.eq(2)).update((Some(Item::n.set(5)), None::<ommi::Assign<Item>>, [Item::a.set(6)])).await?;
    let after = all(db).await?;
    assert_eq!((after[0].text.as_str(), after[0].n), ("t", 11));
    assert_eq!((after[1].n, after[1].a), (5, Some(6)));
    Ok(())
}

pub(crate) async fn hostile_text(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    for text in HOSTILE {
        let changed = db.find(Item::id.eq(1)).update((Item::text.set(*text), Item::note.set(*text))).await?;
        assert_eq!(changed, 1, "{text:?}");
        let row = db.get::<Item>(1).await?;
        assert_eq!((row.text.as_str(), row.note.as_deref()), (*text, Some(*text)));
        assert_eq!(db.find(Item::text.eq(*text)).update(Item::n.increment(1)).await?, 1, "{text:?}");
    }
    assert_eq!(db.get::<Item>(1).await?.n, 10 + HOSTILE.len() as i64);
    assert_eq!(db.get::<Item>(2).await?.text, "item 2", "and no other row");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Narrow {
    id: i64,
    a: i8,
    b: i16,
    c: i32,
    d: i64,
    e: u8,
    f: u16,
    g: u32,
    h: u64,
    maybe: Option<u8>,
}

async fn narrow(db: &Ommi) -> DBResult<Vec<Narrow>> {
    db.create_tables::<Narrow>().await?;
    let least =
        Narrow { id: 1, a: i8::MIN, b: i16::MIN, c: i32::MIN, d: i64::MIN, e: 0, f: 0, g: 0, h: 0, maybe: Some(0) };
    let greatest = Narrow {
        id: 2,
        a: i8::MAX,
        b: i16::MAX,
        c: i32::MAX,
        d: i64::MAX,
        e: u8::MAX,
        f: u16::MAX,
        g: u32::MAX,
        h: i64::MAX as u64,
        maybe: Some(255),
    };
    db.add_all([least, greatest]).await
}

pub(crate) async fn an_increment_beyond_the_range_is_an_error(db: &Ommi) -> DBResult<()> {
    let before = narrow(db).await?;
    for change in [
        Narrow::a.increment(1i8),
        Narrow::b.increment(1i16),
        Narrow::c.increment(1),
        Narrow::d.increment(1),
        Narrow::e.increment(1u8),
        Narrow::f.increment(1u16),
        Narrow::g.increment(1u32),
        Narrow::h.increment(1u64),
        Narrow::maybe.increment(1u8),
        Narrow::d.increment(i64::MAX),
        Narrow::d.decrement(i64::MIN),
        Narrow::d.decrement(-1),
    ] {
        out_of_range(db.find(Narrow::id.eq(2)).update(change.clone()).await, "narrows");
        // One row that can be changed, and one that cannot.
        out_of_range(db.find(Narrow::id.le(2)).update(change).await, "narrows");
    }
    assert_eq!(db.find_all::<Narrow>().sort(Narrow::id).all().await?, before, "nothing has changed");
    Ok(())
}

pub(crate) async fn a_decrement_beyond_the_range_is_an_error(db: &Ommi) -> DBResult<()> {
    let before = narrow(db).await?;
    for change in [
        Narrow::a.decrement(1i8),
        Narrow::b.decrement(1i16),
        Narrow::c.decrement(1),
        Narrow::d.decrement(1),
        Narrow::e.decrement(1u8),
        Narrow::f.decrement(1u16),
        Narrow::g.decrement(1u32),
        Narrow::h.decrement(1u64),
        Narrow::maybe.decrement(1u8),
        Narrow::d.decrement(i64::MAX),
        Narrow::d.increment(i64::MIN),
    ] {
        out_of_range(db.find(Narrow::id.eq(1)).update(change).await, "narrows");
    }
    assert_eq!(db.find_all::<Narrow>().sort(Narrow::id).all().await?, before, "nothing has changed");
    Ok(())
}

pub(crate) async fn increments_up_to_the_ends_of_the_range(db: &Ommi) -> DBResult<()> {
    narrow(db).await?;
    let to_the_end = (
        Narrow::a.increment(i8::MAX),
        Narrow::c.increment(i32::MAX),
        Narrow::d.increment(i64::MAX),
        Narrow::e.increment(u8::MAX),
        Narrow::g.increment(u32::MAX),
        Narrow::h.increment(i64::MAX as u64),
    );
    db.find(Narrow::id.eq(1)).update(to_the_end).await?;
    let row = db.get::<Narrow>(1).await?;
    assert_eq!((row.a, row.c, row.d), (-1, -1, -1));
    assert_eq!((row.e, row.g, row.h), (u8::MAX, u32::MAX, i64::MAX as u64));
    db.find(Narrow::id.eq(1)).update((Narrow::h.decrement(i64::MAX as u64), Narrow::d.decrement(i64::MAX))).await?;
    let row = db.get::<Narrow>(1).await?;
    assert_eq!((row.d, row.h), (i64::MIN, 0));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Ratio {
    id: i64,
    single: f32,
    double: f64,
    maybe: Option<f64>,
}

pub(crate) async fn floats_are_incremented(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Ratio>().await?;
    db.add(Ratio { id: 1, single: 1.5, double: 2.5, maybe: None }).await?;
    let changes = (Ratio::single.increment(0.25f32), Ratio::double.decrement(10.0), Ratio::maybe.increment(1.0));
    db.find(Ratio::id.eq(1)).update(changes).await?;
    assert_eq!(db.get::<Ratio>(1).await?, Ratio { id: 1, single: 1.75, double: -7.5, maybe: None });
    Ok(())
}

/// Neither infinity nor NaN comes of numbers that are neither.
/// A sum is what the column holds: an `f32` is found by the value that it is read as.
pub(crate) async fn a_sum_of_floats_is_as_precise_as_its_column(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Ratio>().await?;
    db.add(Ratio { id: 1, single: -1.5, double: -1.5, maybe: None }).await?;
    db.find(Ratio::id.eq(1)).update((Ratio::single.decrement(0.1), Ratio::double.decrement(0.1))).await?;
    let row = db.get::<Ratio>(1).await?;
    assert_eq!((row.single, row.double), (-1.5f32 - 0.1, -1.5f64 - 0.1));
    let found = db.find(Ratio::single.eq(-1.5f32 - 0.1) & Ratio::double.eq(-1.5f64 - 0.1));
    assert_eq!(found.count().await?, 1);
    // Rounded to the greatest number, not beyond it.
    db.find(Ratio::id.eq(1)).update(Ratio::single.set(f32::MAX)).await?;
    db.find(Ratio::id.eq(1)).update(Ratio::single.increment(1.0)).await?;
    assert_eq!(db.find(Ratio::single.eq(f32::MAX)).count().await?, 1);
    Ok(())
}

pub(crate) async fn a_float_incremented_beyond_its_range_is_an_error(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Ratio>().await?;
    let before = db.add(Ratio { id: 1, single: f32::MAX, double: f64::MAX, maybe: Some(f64::MIN) }).await?;
    let find = || db.find(Ratio::id.eq(1));
    out_of_range(find().update(Ratio::double.increment(f64::MAX)).await, "ratios");
    out_of_range(find().update(Ratio::maybe.decrement(f64::MAX)).await, "ratios");
    out_of_range(find().update(Ratio::single.increment(f32::MAX)).await, "ratios");
    assert_eq!(db.get::<Ratio>(1).await?, before);
    Ok(())
}

/// Infinity less infinity is no number.
pub(crate) async fn an_increment_to_nan_is_an_error(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Ratio>().await?;
    let infinite = Ratio { id: 1, single: 0.0, double: f64::INFINITY, maybe: Some(f64::NEG_INFINITY) };
    let before = db.add(infinite).await?;
    let find = || db.find(Ratio::id.eq(1));
    out_of_range(find().update(Ratio::double.decrement(f64::INFINITY)).await, "ratios");
    out_of_range(find().update(Ratio::maybe.increment(f64::INFINITY)).await, "ratios");
    assert_eq!(db.get::<Ratio>(1).await?, before);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Thing {
    id: i64,
    flag: bool,
    day: Option<NaiveDate>,
    uuid: Uuid,
    data: Vec<u8>,
}

pub(crate) async fn sets_values_of_every_kind(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Thing>().await?;
    db.add(Thing { id: 1, flag: false, day: None, uuid: Uuid::nil(), data: vec![] }).await?;
    let day = NaiveDate::from_ymd_opt(2024, 2, 29);
    let changes =
        (Thing::flag.set(true), Thing::day.set(day), Thing::uuid.set(Uuid::max()), Thing::data.set(vec![0u8, 1]));
    db.find(Thing::flag.eq(false)).update(changes).await?;
    let expected = Thing { id: 1, flag: true, day, uuid: Uuid::max(), data: vec![0, 1] };
    assert_eq!(db.get::<Thing>(1).await?, expected);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Account {
    id: i64,
    #[ommi(unique)]
    email: String,
}

/// The first row could have been changed.
pub(crate) async fn a_violation_changes_nothing(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Account>().await?;
    let before = [1, 2, 3].map(|id| Account { id, email: format!("{id}@x.org") });
    db.add_all(before.clone()).await?;
    let result = db.find_all::<Account>().update(Account::email.set("same@x.org")).await;
    violation(result, ConstraintKind::Unique, "accounts", &["email"]);
    assert_eq!(db.find_all::<Account>().sort(Account::id).all().await?, before);
    Ok(())
}

pub(crate) async fn a_key_can_be_changed(db: &Ommi) -> DBResult<()> {
    items(db).await?;
    assert_eq!(db.find(Item::id.eq(1)).update(Item::id.set(100)).await?, 1);
    assert_eq!(db.get::<Item>(100).await?.text, "item 1");
    assert_eq!(db.get::<Item>(1).optional().await?, None);
    violation(db.find(Item::id.eq(2)).update(Item::id.set(3)).await, ConstraintKind::Unique, "items", &["id"]);
    Ok(())
}

/// Where it cannot, that is said before anything is sent.
pub(crate) async fn changing_a_key_works_or_is_unsupported(db: &Ommi) -> DBResult<()> {
    let before = items(db).await?;
    let result = db.find(Item::id.eq(1)).update(Item::id.set(100)).await;
    if db.driver().capabilities().key_update {
        assert_eq!(result?, 1);
    } else {
        assert_kind!(result, ErrorKind::Unsupported { .. });
        assert_eq!(all(db).await?, before);
    }
    Ok(())
}
