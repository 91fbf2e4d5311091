//! `limit`, `offset` and `page`.

use std::collections::HashSet;

use ommi::prelude::*;

#[derive(Debug, Clone, PartialEq, Model)]
struct Item {
    id: i64,
    rank: i64,
    score: Option<i64>,
}

async fn items(db: &Ommi, count: i64) -> DBResult<()> {
    db.create_tables::<Item>().await?;
    // Not stored in the order of their keys.
    let ids = (0..count).map(|n| (n * 37) % count + 1);
    db.add_all(ids.map(|id| Item { id, rank: 0, score: (id % 3 != 0).then_some(id % 2) })).await?;
    Ok(())
}

fn ids(rows: &[Item]) -> Vec<i64> {
    rows.iter().map(|row| row.id).collect()
}

pub(crate) async fn limit_and_offset_count_rows(db: &Ommi) -> DBResult<()> {
    items(db, 20).await?;
    let find = || db.find_all::<Item>().sort(Item::id);
    assert_eq!(ids(&find().limit(5).all().await?), [1, 2, 3, 4, 5]);
    assert_eq!(ids(&find().limit(5).offset(5).all().await?), [6, 7, 8, 9, 10]);
    assert_eq!(ids(&find().offset(17).all().await?), [18, 19, 20], "an offset alone");
    assert_eq!(ids(&find().limit(5).offset(18).all().await?), [19, 20]);
    Ok(())
}

pub(crate) async fn pages_count_from_zero(db: &Ommi) -> DBResult<()> {
    items(db, 10).await?;
    let find = || db.find_all::<Item>().sort(Item::id);
    assert_eq!(ids(&find().page(0, 4).all().await?), [1, 2, 3, 4]);
    assert_eq!(ids(&find().page(1, 4).all().await?), [5, 6, 7, 8]);
    assert_eq!(ids(&find().page(2, 4).all().await?), [9, 10]);
    assert_eq!(ids(&find().page(3, 4).all().await?), [] as [i64; 0]);
    Ok(())
}

pub(crate) async fn a_limit_of_zero_gives_nothing(db: &Ommi) -> DBResult<()> {
    items(db, 3).await?;
    let find = || db.find_all::<Item>().limit(0);
    assert_eq!(find().all().await?, []);
    assert_eq!(find().first().await?, None);
    assert_eq!(find().count().await?, 0);
    assert!(!find().exists().await?);
    assert_eq!(find().stream().try_next().await?, None);
    Ok(())
}

/// What is larger than any table is no limit, and skips everything.
pub(crate) async fn limits_and_offsets_beyond_i64(db: &Ommi) -> DBResult<()> {
    items(db, 3).await?;
    let find = || db.find_all::<Item>().sort(Item::id);
    for far in [i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        assert_eq!(find().limit(far).all().await?.len(), 3, "limit {far}");
        assert_eq!(find().offset(far).all().await?, [], "offset {far}");
        assert_eq!(find().offset(1).limit(far).all().await?.len(), 2, "limit {far}");
        assert_eq!(find().page(far, far).all().await?, [], "page {far}");
        assert_eq!(find().limit(far).count().await?, 3, "count with limit {far}");
    }
    Ok(())
}

/// Every row has the same rank: only the key tells them apart.
pub(crate) async fn pages_of_equal_rows_have_no_gaps_and_no_repeats(db: &Ommi) -> DBResult<()> {
    items(db, 100).await?;
    for number in 0..3 {
        let find = || {
            let all = db.find_all::<Item>();
            match number {
                0 => all.sort(Item::rank),
                1 => all.sort(Item::rank.desc()),
                _ => all.sort(Item::score.desc().nulls_first()),
            }
        };
        let mut seen = Vec::new();
        for page in 0..15 {
            seen.extend(ids(&find().page(page, 7).all().await?));
        }
        assert_eq!(seen.len(), 100);
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 100, "{seen:?}");
    }
    Ok(())
}

/// Also when no order was asked for.
pub(crate) async fn pages_without_an_order_have_no_gaps_and_no_repeats(db: &Ommi) -> DBResult<()> {
    items(db, 100).await?;
    let mut seen = Vec::new();
    for page in 0..10 {
        seen.extend(ids(&db.find(Item::rank.eq(0)).page(page, 10).all().await?));
    }
    assert_eq!(seen, (1..=100).collect::<Vec<_>>(), "by the key");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Cell {
    #[ommi(key)]
    row: String,
    #[ommi(key)]
    column: i32,
    value: i32,
}

pub(crate) async fn pages_by_a_composite_key(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Cell>().await?;
    let cells = (0..60).map(|n| Cell { row: format!("r{}", n % 6), column: n / 6, value: 0 });
    db.add_all(cells.collect::<Vec<_>>()).await?;
    let mut seen = Vec::new();
    for page in 0..9 {
        let rows = db.find_all::<Cell>().sort(Cell::value).page(page, 7).all().await?;
        seen.extend(rows.into_iter().map(|cell| (cell.row, cell.column)));
    }
    assert_eq!(seen.len(), 60);
    assert!(seen.is_sorted_by(|a, b| a < b), "by the key's columns in their order: {seen:?}");
    Ok(())
}

pub(crate) async fn count_and_exists_observe_limit_and_offset(db: &Ommi) -> DBResult<()> {
    items(db, 10).await?;
    let find = || db.find(Item::id.gt(2)).sort(Item::id);
    assert_eq!(find().limit(3).count().await?, 3);
    assert_eq!(find().limit(30).count().await?, 8);
    assert_eq!(find().offset(6).count().await?, 2);
    assert_eq!(find().offset(6).limit(1).count().await?, 1);
    assert_eq!(find().offset(8).count().await?, 0);
    assert!(find().offset(7).exists().await?);
    assert!(!find().offset(8).exists().await?);
    assert!(!find().limit(0).exists().await?);
    Ok(())
}

pub(crate) async fn first_and_one_observe_limit_and_offset(db: &Ommi) -> DBResult<()> {
    items(db, 10).await?;
    let find = || db.find_all::<Item>().sort(Item::id.desc());
    assert_eq!(find().offset(2).first().await?.map(|row| row.id), Some(8));
    assert_eq!(find().offset(2).limit(5).one().await?.id, 8);
    assert_eq!(find().offset(10).first().await?, None);
    assert!(find().limit(0).one().await.is_err_and(|error| error.is_not_found()));
    let point = || db.find(Item::id.eq(4));
    assert_eq!(point().offset(1).first().await?, None);
    assert_eq!(point().offset(0).first().await?.map(|row| row.id), Some(4));
    assert_eq!(point().limit(0).first().await?, None);
    assert_eq!(point().limit(9).all().await?.len(), 1);
    Ok(())
}
