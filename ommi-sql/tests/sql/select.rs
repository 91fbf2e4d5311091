//! SELECT.

use ommi_core::ErrorKind;
use ommi_core::ast::{Direction, LockStrength, LockWait, Nulls, Output, PerGroup, RowLock, Select, Sort};

use crate::support::{Other, col, eq, int, model, written};

fn written_select(select: &Select) -> String {
    written!(|out| ommi_sql::select(select, &Other, out))
}

#[test]
fn columns_filter_order_and_page() {
    let mut select = Select::new(model());
    assert_eq!(written_select(&select), "SELECT `id`, `name`, `n` FROM `t`");
    select.filter = eq(0, 7);
    select.limit = Some(20);
    select.offset = Some(40);
    let mut last = Sort::new(col(2), Direction::Ascending);
    last.nulls = Nulls::Last;
    select.sort = vec![
        Sort::new(col(2), Direction::Descending),
        last,
        Sort::new(int(5), Direction::Ascending),
        Sort::new(col(1), Direction::Ascending),
    ];
    assert_eq!(
        written_select(&select),
        "SELECT `id`, `name`, `n` FROM `t` WHERE `id` = $1:i64 ORDER BY `n` DESC NULLS LAST, `n` NULLS LAST, $2:i64 NULLS FIRST, `name` \
         LIMIT $3:i64 OFFSET $4:i64 -- 1 = 7, 2 = 5, 3 = 20, 4 = 40"
    );
    select.limit = None;
    select.sort.clear();
    assert_eq!(
        written_select(&select),
        "SELECT `id`, `name`, `n` FROM `t` WHERE `id` = $1:i64 OFFSET $2:i64 -- 1 = 7, 2 = 40"
    );
}

#[test]
fn counts_and_existence_observe_the_page_and_not_the_order() {
    let mut select = Select::new(model());
    select.output = Output::Count;
    select.sort = vec![Sort::new(int(5), Direction::Ascending)];
    assert_eq!(written_select(&select), "SELECT count(*) FROM `t`");
    select.limit = Some(u64::MAX);
    assert_eq!(
        written_select(&select),
        "SELECT count(*) FROM (SELECT 1 FROM `t` LIMIT $1:i64) AS `counted` -- 1 = 9223372036854775807"
    );
    select.output = Output::Exists;
    select.limit = None;
    select.filter = eq(2, 1);
    assert_eq!(written_select(&select), "SELECT EXISTS(SELECT 1 FROM `t` WHERE `n` = $1:i32) -- 1 = 1");
}

#[test]
fn locks_come_last() {
    let mut select = Select::new(model());
    select.filter = eq(0, 7);
    select.sort = vec![Sort::new(col(1), Direction::Ascending)];
    select.limit = Some(1);
    select.offset = Some(2);
    for (strength, wait, expected) in [
        (LockStrength::Update, LockWait::Wait, "FOR UPDATE"),
        (LockStrength::Update, LockWait::SkipLocked, "FOR UPDATE SKIP LOCKED"),
        (LockStrength::Update, LockWait::NoWait, "FOR UPDATE NOWAIT"),
        (LockStrength::Share, LockWait::Wait, "FOR SHARE"),
        (LockStrength::Share, LockWait::SkipLocked, "FOR SHARE SKIP LOCKED"),
        (LockStrength::Share, LockWait::NoWait, "FOR SHARE NOWAIT"),
    ] {
        let mut lock = RowLock::new(strength);
        lock.wait = wait;
        select.lock = Some(lock);
        assert_eq!(
            written_select(&select),
            format!(
                "SELECT `id`, `name`, `n` FROM `t` WHERE `id` = $1:i64 ORDER BY `name` LIMIT $2:i64 OFFSET $3:i64 {expected} \
                 -- 1 = 7, 2 = 1, 3 = 2"
            )
        );
    }
}

#[test]
fn locks_that_no_database_takes_are_unsupported() {
    let lock = Some(RowLock::new(LockStrength::Update));
    let mut counted = Select::new(model());
    (counted.output, counted.lock) = (Output::Count, lock);
    let mut looked_for = Select::new(model());
    (looked_for.output, looked_for.lock) = (Output::Exists, lock);
    let mut grouped = Select::new(model());
    grouped.sort = vec![Sort::new(col(0), Direction::Ascending)];
    (grouped.per_group, grouped.lock) = (Some(PerGroup::new(vec![2], Some(1), None)), lock);
    for select in [counted, looked_for, grouped] {
        let error = ommi_sql::select(&select, &Other, &mut ommi_sql::SqlText::new()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
    }
}
