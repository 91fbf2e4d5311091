//! Related rows: subqueries, whose columns are told from those outside.

use ommi_core::ast::{Assignment, Change};
use ommi_core::ast::{
    CompareOp, Condition, Delete, Direction, Expr, PerGroup, Related, RelatedCount, RelatedExpr, Select, Sort, Update,
};
use ommi_core::schema::{ColumnBuilder, ModelSchema, SchemaRef};
use ommi_core::value::ColumnType;

use crate::support::{Other, build, col, eq, int, model, text, written};

/// `u(id, t_id, place)`: rows that refer to those of `t`.
fn others() -> SchemaRef {
    build(
        ModelSchema::builder("U", "u")
            .column(ColumnBuilder::new("id", ColumnType::I64).key())
            .column(ColumnBuilder::new("t_id", ColumnType::I64))
            .column(ColumnBuilder::new("place", ColumnType::Text)),
    )
}

fn related(filter: Condition) -> Related {
    Related::new(others(), vec![(0, 1)]).filter(filter)
}

fn exists(related: Related) -> Condition {
    Condition::Exists { related: Box::new(related), negated: false }
}

fn filter(filter: Condition) -> String {
    let mut select = Select::new(model());
    select.filter = filter;
    let written = written!(|out| ommi_sql::select(&select, &Other, out));
    written.strip_prefix("SELECT `id`, `name`, `n` FROM `t` WHERE ").unwrap().to_owned()
}

#[test]
fn whether_there_is_one() {
    let any = exists(related(Condition::True));
    assert_eq!(filter(any.clone()), "EXISTS(SELECT 1 FROM `u` AS `r1` WHERE `r1`.`t_id` = `t`.`id`)");
    assert_eq!(filter(!any.clone()), "NOT EXISTS(SELECT 1 FROM `u` AS `r1` WHERE `r1`.`t_id` = `t`.`id`)");
    assert_eq!(
        filter(exists(related(eq(0, 7).or(eq(1, 8)))).and(eq(0, 9))),
        "EXISTS(SELECT 1 FROM `u` AS `r1` WHERE `r1`.`t_id` = `t`.`id` AND (`r1`.`id` = $1:i64 OR `r1`.`t_id` = $2:i64)) \
         AND `id` = $3:i64 -- 1 = 7, 2 = 8, 3 = 9"
    );
}

#[test]
fn whether_all_are() {
    let all = exists(Related::new(others(), vec![(0, 1)]).not_true(eq(0, 7)));
    assert_eq!(
        filter(!all),
        "NOT EXISTS(SELECT 1 FROM `u` AS `r1` WHERE `r1`.`t_id` = `t`.`id` AND (`r1`.`id` = $1:i64) IS NOT TRUE) -- 1 = 7"
    );
}

#[test]
fn within_each_other_and_beside_each_other() {
    let back = Related::new(model(), vec![(1, 0)]).filter(Condition::compare(CompareOp::Eq, col(1), text("x")));
    assert_eq!(
        filter(exists(related(exists(back))).and(exists(related(Condition::True)))),
        "EXISTS(SELECT 1 FROM `u` AS `r1` WHERE `r1`.`t_id` = `t`.`id` AND EXISTS(SELECT 1 FROM `t` AS `r2` \
         WHERE `r2`.`id` = `r1`.`t_id` AND `r2`.`name` = $1:text)) \
         AND EXISTS(SELECT 1 FROM `u` AS `r3` WHERE `r3`.`t_id` = `t`.`id`) -- 1 = \"x\""
    );
}

#[test]
fn by_several_columns() {
    let pair = Related::new(others(), vec![(0, 1), (1, 2)]);
    assert_eq!(
        filter(exists(pair)),
        "EXISTS(SELECT 1 FROM `u` AS `r1` WHERE `r1`.`t_id` = `t`.`id` AND `r1`.`place` = `t`.`name`)"
    );
}

#[test]
fn their_number() {
    let count = RelatedCount::new(related(eq(0, 7)), CompareOp::Ge, 3);
    assert_eq!(
        filter(Condition::Count(Box::new(count))),
        "(SELECT count(*) FROM `u` AS `r1` WHERE `r1`.`t_id` = `t`.`id` AND `r1`.`id` = $1:i64) >= $2:i64 -- 1 = 7, 2 = 3"
    );
}

#[test]
fn to_sort_by() {
    let mut select = Select::new(others());
    let further = RelatedExpr::new(others(), vec![(0, 0)], col(2));
    let expr = RelatedExpr::new(model(), vec![(1, 0)], Expr::Related(Box::new(further)));
    select.sort.push(Sort::new(Expr::Related(Box::new(expr)), Direction::Ascending));
    assert_eq!(
        written!(|out| ommi_sql::select(&select, &Other, out)),
        "SELECT `id`, `t_id`, `place` FROM `u` ORDER BY (SELECT (SELECT `r2`.`place` FROM `u` AS `r2` \
         WHERE `r2`.`id` = `r1`.`id`) FROM `t` AS `r1` WHERE `r1`.`id` = `u`.`t_id`) NULLS FIRST"
    );
}

#[test]
fn in_updates_and_deletes() {
    let any = exists(related(eq(0, 7)));
    let update = Update::new(model(), vec![Assignment::new(2, Change::Set(int(1)))], any.clone());
    assert_eq!(
        written!(|out| ommi_sql::update(&update, &Other, out)),
        "UPDATE `t` SET `n` = $1:i32 WHERE EXISTS(SELECT 1 FROM `u` AS `r1` WHERE `r1`.`t_id` = `t`.`id` \
         AND `r1`.`id` = $2:i64) -- 1 = 1, 2 = 7"
    );
    let delete = Delete::new(model(), any);
    assert_eq!(
        written!(|out| ommi_sql::delete(&delete, &Other, out)),
        "DELETE FROM `t` WHERE EXISTS(SELECT 1 FROM `u` AS `r1` WHERE `r1`.`t_id` = `t`.`id` AND `r1`.`id` = $1:i64) -- 1 = 7"
    );
}

/// A table may have the name that a related row would get, and a column that of the row's number.
#[test]
fn names_that_are_taken() {
    let r1 = build(
        ModelSchema::builder("R", "R1")
            .column(ColumnBuilder::new("id", ColumnType::I64).key())
            .column(ColumnBuilder::new("place", ColumnType::I64)),
    );
    let mut select = Select::new(r1);
    select.filter = exists(Related::new(others(), vec![(0, 1)]));
    select.sort.push(Sort::new(col(0), Direction::Descending));
    select.per_group = Some(PerGroup::new(vec![1], Some(2), Some(3)));
    assert_eq!(
        written!(|out| ommi_sql::select(&select, &Other, out)),
        "SELECT `id`, `place` FROM (SELECT `id`, `place`, row_number() OVER (PARTITION BY `place` ORDER BY `id` DESC) \
         AS `place_` FROM `R1` WHERE EXISTS(SELECT 1 FROM `u` AS `r1_` WHERE `r1_`.`t_id` = `R1`.`id`)) AS `numbered` \
         WHERE `place_` > $1:i64 AND `place_` <= $2:i64 ORDER BY `place_` -- 1 = 3, 2 = 5"
    );
}

#[test]
fn so_many_of_each_group() {
    let mut select = Select::new(others());
    select.sort.push(Sort::new(col(0), Direction::Ascending));
    select.per_group = Some(PerGroup::new(vec![1], Some(2), None));
    assert_eq!(
        written!(|out| ommi_sql::select(&select, &Other, out)),
        "SELECT `id`, `t_id`, `place` FROM (SELECT `id`, `t_id`, `place`, row_number() OVER (PARTITION BY `t_id` \
         ORDER BY `id`) AS `place_` FROM `u`) AS `numbered` WHERE `place_` <= $1:i64 ORDER BY `place_` -- 1 = 2"
    );
}
