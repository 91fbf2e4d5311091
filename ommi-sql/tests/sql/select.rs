//! SELECT.

use ommi_core::ast::{Direction, Nulls, Output, Select, Sort};

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
