//! Conditions: each form, and which of them are enclosed where.

use ommi_core::ast::{CompareOp, Condition, Expr, List, Select, TextOp};
use ommi_core::value::Value;

use crate::support::{Other, col, eq, int, model, text, written};

fn written_filter(filter: Condition) -> String {
    let mut select = Select::new(model());
    select.filter = filter;
    let written = written!(|out| ommi_sql::select(&select, &Other, out));
    written.strip_prefix("SELECT `id`, `name`, `n` FROM `t`").unwrap().trim_start_matches(" WHERE ").to_owned()
}

#[test]
fn constants() {
    for (condition, expected) in [
        (Condition::True, ""),
        (Condition::False, "FALSE"),
        (Condition::And(vec![]), "TRUE"),
        (Condition::Or(vec![]), "FALSE"),
        (Condition::Not(Box::new(Condition::True)), "NOT (TRUE)"),
    ] {
        assert_eq!(written_filter(condition), expected);
    }
}

#[test]
fn comparisons() {
    for (op, sign) in [
        (CompareOp::Eq, "="),
        (CompareOp::Ne, "<>"),
        (CompareOp::Lt, "<"),
        (CompareOp::Le, "<="),
        (CompareOp::Gt, ">"),
        (CompareOp::Ge, ">="),
    ] {
        assert_eq!(written_filter(Condition::compare(op, col(2), int(1))), format!("`n` {sign} $1:i32 -- 1 = 1"));
    }
    let null = Condition::compare(CompareOp::Eq, Expr::Value(Value::Null), col(1));
    assert_eq!(written_filter(null), "$1:text = `name` -- 1 = NULL");
    let both = Condition::Between { expr: int(1), low: col(0), high: int(2) };
    assert_eq!(written_filter(both), "$1:i64 BETWEEN `id` AND $2:i64 -- 1 = 1, 2 = 2");
    assert_eq!(written_filter(Condition::IsNull { expr: col(2), negated: false }), "`n` IS NULL");
    assert_eq!(written_filter(Condition::IsNull { expr: col(2), negated: true }), "`n` IS NOT NULL");
}

#[test]
fn lists_as_arrays() {
    let list = |values: &[i64], null: bool, negated| {
        let values = values.iter().map(|&n| Value::Int(n)).chain(null.then_some(Value::Null));
        Condition::In { expr: col(2), list: List::new(values), negated }
    };
    assert_eq!(written_filter(list(&[1, 2, 3], false, false)), "`n` = ANY($1:i32) -- 1 = 1, 2 = 2, 3 = 3");
    assert_eq!(written_filter(list(&[1], false, true)), "NOT (`n` = ANY($1:i32)) -- 1 = 1");
    assert_eq!(written_filter(list(&[1], true, false)), "`n` = ANY($1:i32) OR NULL::bool -- 1 = 1");
    assert_eq!(written_filter(list(&[1], true, true)), "NOT (`n` = ANY($1:i32) OR NULL::bool) -- 1 = 1");
    assert_eq!(
        written_filter(list(&[1], true, false).and(eq(0, 2))),
        "(`n` = ANY($1:i32) OR NULL::bool) AND `id` = $2:i64 -- 1 = 1, 2 = 2"
    );
    assert_eq!(written_filter(list(&[], false, true)), "TRUE");
    assert_eq!(written_filter(list(&[], true, true)), "NULL::bool");
}

#[test]
fn predicates_on_text() {
    let is = |op, ignore_case, needle| Condition::Text { op, ignore_case, expr: col(1), needle };
    for (condition, expected) in [
        (is(TextOp::StartsWith, false, text("ab")), "`name` >= $1:text AND `name` < $2:text -- 1 = \"ab\", 2 = \"ac\""),
        (is(TextOp::StartsWith, false, text("")), "`name` >= $1:text -- 1 = \"\""),
        (is(TextOp::StartsWith, false, text("\u{10FFFF}")), "`name` >= $1:text -- 1 = \"\\u{10ffff}\""),
        (is(TextOp::StartsWith, false, Expr::Value(Value::Null)), "starts(`name`, $1:text) -- 1 = NULL"),
        (is(TextOp::StartsWith, true, text("aBÉ")), "starts(fold(`name`), $1:text) -- 1 = \"abÉ\""),
        (is(TextOp::EndsWith, true, col(1)), "ends(fold(`name`), fold(`name`))"),
        (is(TextOp::Contains, false, text("A")), "has(`name`, $1:text) -- 1 = \"A\""),
        (is(TextOp::Equals, true, text("A")), "fold(`name`) = $1:text -- 1 = \"a\""),
    ] {
        assert_eq!(written_filter(condition), expected);
    }
}

#[test]
fn what_is_looser_than_its_place_is_enclosed() {
    let prefix = || Condition::Text { op: TextOp::StartsWith, ignore_case: false, expr: col(1), needle: text("a") };
    let (a, b, c) = (|| eq(0, 1), || eq(0, 2), || eq(0, 3));
    let and = |parts| Condition::And(parts);
    let or = |parts| Condition::Or(parts);
    for (condition, expected) in [
        (and(vec![or(vec![a(), b()]), c()]), "(`id` = $1:i64 OR `id` = $2:i64) AND `id` = $3:i64"),
        (or(vec![and(vec![a(), b()]), c()]), "`id` = $1:i64 AND `id` = $2:i64 OR `id` = $3:i64"),
        (and(vec![or(vec![a()]), and(vec![b(), c()])]), "`id` = $1:i64 AND `id` = $2:i64 AND `id` = $3:i64"),
        (and(vec![Condition::Not(Box::new(a())), b()]), "NOT (`id` = $1:i64) AND `id` = $2:i64"),
        (Condition::Not(Box::new(or(vec![a(), b()]))), "NOT (`id` = $1:i64 OR `id` = $2:i64)"),
        (Condition::Not(Box::new(Condition::Not(Box::new(a())))), "NOT (NOT (`id` = $1:i64))"),
        (or(vec![prefix(), a()]), "`name` >= $1:text AND `name` < $2:text OR `id` = $3:i64"),
        (
            and(vec![Condition::Between { expr: col(0), low: int(1), high: int(2) }, a()]),
            "`id` BETWEEN $1:i64 AND $2:i64 AND `id` = $3:i64",
        ),
    ] {
        let written = written_filter(condition);
        assert_eq!(written.split(" -- ").next().unwrap(), expected);
    }
}

#[test]
fn a_long_chain_becomes_a_chain_of_chains() {
    let written = written_filter(Condition::Or((0..40_100).map(|i| eq(0, i)).collect()));
    let (mut depth, mut deepest, mut links) = (0, 0, 0);
    let mut longest = 0;
    for part in written.split(" -- ").next().unwrap().split(" OR ") {
        links += 1;
        let opened = part.matches('(').count();
        if opened > 0 {
            longest = longest.max(links);
            links = 0;
        }
        depth += opened;
        deepest = deepest.max(depth);
        depth -= part.matches(')').count();
    }
    assert!(depth == 0 && deepest <= 2 && longest <= 201, "{depth} {deepest} {longest}");
}
