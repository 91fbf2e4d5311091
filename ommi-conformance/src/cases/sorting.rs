//! The order of rows.

use chrono::NaiveDate;
use ommi::prelude::*;
use ommi::query::IntoSorts;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    id: i64,
    a: Option<i64>,
    b: Option<i64>,
    text: String,
}

fn item(id: i64, a: Option<i64>, b: Option<i64>, text: &str) -> Item {
    Item { id, a, b, text: text.to_owned() }
}

async fn sorted(db: &Ommi, sorts: impl IntoSorts<Item>) -> DBResult<Vec<i64>> {
    Ok(db.find_all::<Item>().sort(sorts).all().await?.iter().map(|row| row.id).collect())
}

async fn nulls(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    db.add_all([
        item(1, Some(2), None, ""),
        item(2, None, None, ""),
        item(3, Some(-1), None, ""),
        item(4, Some(7), None, ""),
    ])
    .await?;
    Ok(())
}

pub(crate) async fn null_comes_first_upwards_and_last_downwards(db: &Ommi) -> DBResult<()> {
    nulls(db).await?;
    assert_eq!(sorted(db, Item::a.asc()).await?, [2, 3, 1, 4]);
    assert_eq!(sorted(db, Item::a.desc()).await?, [4, 1, 3, 2]);
    assert_eq!(sorted(db, Item::a).await?, [2, 3, 1, 4], "a bare column is ascending");
    Ok(())
}

pub(crate) async fn null_goes_where_it_is_asked_to(db: &Ommi) -> DBResult<()> {
    nulls(db).await?;
    assert_eq!(sorted(db, Item::a.asc().nulls_last()).await?, [3, 1, 4, 2]);
    assert_eq!(sorted(db, Item::a.asc().nulls_first()).await?, [2, 3, 1, 4]);
    assert_eq!(sorted(db, Item::a.desc().nulls_first()).await?, [2, 4, 1, 3]);
    assert_eq!(sorted(db, Item::a.desc().nulls_last()).await?, [4, 1, 3, 2]);
    Ok(())
}

pub(crate) async fn null_order_on_a_required_column_changes_nothing(db: &Ommi) -> DBResult<()> {
    nulls(db).await?;
    assert_eq!(sorted(db, Item::id.asc().nulls_last()).await?, [1, 2, 3, 4]);
    assert_eq!(sorted(db, Item::id.desc().nulls_first()).await?, [4, 3, 2, 1]);
    Ok(())
}

pub(crate) async fn a_column_sorted_by_twice_decides_once(db: &Ommi) -> DBResult<()> {
    nulls(db).await?;
    assert_eq!(sorted(db, (Item::a.asc(), Item::a.desc().nulls_first())).await?, [2, 3, 1, 4]);
    assert_eq!(sorted(db, (Item::a.asc().nulls_last(), Item::a.desc(), Item::id)).await?, [3, 1, 4, 2]);
    Ok(())
}

pub(crate) async fn several_columns(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    db.add_all([
        item(1, Some(1), Some(1), "b"),
        item(2, Some(1), None, "a"),
        item(3, None, Some(2), "c"),
        item(4, Some(1), Some(3), "b"),
        item(5, None, None, "a"),
    ])
    .await?;
    assert_eq!(sorted(db, (Item::a.asc(), Item::b.asc())).await?, [5, 3, 2, 1, 4]);
    assert_eq!(sorted(db, (Item::a.asc(), Item::b.desc())).await?, [3, 5, 4, 1, 2]);
    assert_eq!(sorted(db, (Item::a.desc(), Item::b.asc())).await?, [2, 1, 4, 5, 3]);
    assert_eq!(sorted(db, (Item::a.desc().nulls_first(), Item::b.desc().nulls_first())).await?, [5, 3, 2, 4, 1]);
    assert_eq!(sorted(db, (Item::text, Item::b.asc().nulls_last(), Item::id.desc())).await?, [5, 2, 1, 4, 3]);
    Ok(())
}

pub(crate) async fn a_second_sort_decides_between_equals(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    db.add_all([item(1, Some(1), Some(1), ""), item(2, Some(1), Some(2), ""), item(3, Some(0), Some(3), "")]).await?;
    let rows = db.find_all::<Item>().sort(Item::a.asc()).sort(Item::b.desc()).all().await?;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [3, 2, 1]);
    Ok(())
}

pub(crate) async fn an_order_is_put_together_at_run_time(db: &Ommi) -> DBResult<()> {
    nulls(db).await?;
    let mut sorts = vec![Item::text.asc()];
    sorts.push(Item::a.desc());
    assert_eq!(sorted(db, sorts).await?, [4, 1, 3, 2]);
    assert_eq!(sorted(db, [Item::text.desc(), Item::a.asc()]).await?, [2, 3, 1, 4]);
    Ok(())
}

/// By the bytes of UTF-8, not by any language.
pub(crate) async fn text_by_its_bytes(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    let mut texts =
        ["b", "a", "B", "A", "", "é", "e\u{301}", "z", "Z", "10", "9", "_", " ", "😀", "\u{ffff}", "ß", "aa", "a "];
    db.add_all((1..).zip(texts).map(|(id, text)| item(id, None, None, text))).await?;
    texts.sort_unstable();
    let rows = db.find_all::<Item>().sort(Item::text).all().await?;
    assert_eq!(rows.iter().map(|row| row.text.as_str()).collect::<Vec<_>>(), texts);
    let rows = db.find_all::<Item>().sort(Item::text.desc()).all().await?;
    assert_eq!(rows.iter().rev().map(|row| row.text.as_str()).collect::<Vec<_>>(), texts);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Thing {
    id: i64,
    ratio: Option<f64>,
    single: f32,
    flag: Option<bool>,
    day: Option<NaiveDate>,
    uuid: Option<Uuid>,
    count: u64,
    data: Option<Vec<u8>>,
}

fn thing(id: i64) -> Thing {
    Thing { id, ratio: None, single: 0.0, flag: None, day: None, uuid: None, count: 0, data: None }
}

async fn things(db: &Ommi, rows: impl IntoIterator<Item = Thing>) -> DBResult<()> {
    db.create_tables::<Thing>().await?;
    db.add_all(rows.into_iter().collect::<Vec<_>>()).await?;
    Ok(())
}

async fn things_sorted(db: &Ommi, sorts: impl IntoSorts<Thing>) -> DBResult<Vec<i64>> {
    Ok(db.find_all::<Thing>().sort(sorts).all().await?.iter().map(|row| row.id).collect())
}

pub(crate) async fn numbers(db: &Ommi) -> DBResult<()> {
    let ratios = [f64::INFINITY, -1.5, 1e300, f64::NEG_INFINITY, 0.0, f64::from_bits(1)];
    let rows = (1..).zip(ratios).map(|(id, ratio)| Thing { ratio: Some(ratio), single: ratio as f32, ..thing(id) });
    things(db, rows).await?;
    assert_eq!(things_sorted(db, Thing::ratio).await?, [4, 2, 5, 6, 3, 1]);
    assert_eq!(things_sorted(db, (Thing::single, Thing::id)).await?, [4, 2, 5, 6, 1, 3], "as f32, 1e300 is infinite");
    let counts = [5, 0, i64::MAX as u64, 1 << 53, (1 << 53) + 1];
    for (id, count) in (1..).zip(counts) {
        db.find(Thing::id.eq(id)).update(Thing::count.set(count)).await?;
    }
    db.find(Thing::id.eq(6)).delete().await?;
    assert_eq!(things_sorted(db, Thing::count.desc()).await?, [3, 5, 4, 1, 2]);
    Ok(())
}

pub(crate) async fn bools_dates_and_uuids(db: &Ommi) -> DBResult<()> {
    let day = |year| NaiveDate::from_ymd_opt(year, 1, 1);
    let row = |id, flag, day, uuid: u128| Thing { flag, day, uuid: Some(Uuid::from_u128(uuid)), ..thing(id) };
    let rows = [
        row(1, Some(true), day(1970), 5),
        row(2, None, day(1), u128::MAX),
        row(3, Some(false), day(9999), 1 << 127),
        row(4, Some(true), day(1969), 0),
    ];
    things(db, rows).await?;
    assert_eq!(things_sorted(db, (Thing::flag, Thing::id)).await?, [2, 3, 1, 4], "false before true");
    assert_eq!(things_sorted(db, Thing::day).await?, [2, 4, 1, 3]);
    assert_eq!(things_sorted(db, Thing::uuid).await?, [4, 1, 3, 2]);
    Ok(())
}

pub(crate) async fn bytes_one_by_one(db: &Ommi) -> DBResult<()> {
    let data: [&[u8]; 5] = [&[2], &[1, 255], &[], &[255], &[1]];
    things(db, (1..).zip(data).map(|(id, data)| Thing { data: Some(data.to_vec()), ..thing(id) })).await?;
    db.add(thing(6)).await?;
    assert_eq!(things_sorted(db, Thing::data).await?, [6, 3, 5, 2, 1, 4]);
    Ok(())
}

pub(crate) async fn sorted_and_filtered(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    db.add_all((1..=50).map(|id| item(id, Some(-id), Some(id % 5), ""))).await?;
    let rows = db.find(Item::b.eq(2)).sort(Item::a).limit(3).all().await?;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [47, 42, 37]);
    Ok(())
}
