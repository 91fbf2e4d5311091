//! Filters, written out, and an evaluator of the match language by which every guard is shown to be needed.
//!
//! A *mutation* is the filter with one guard taken away, or with `$nor` for NOT. Over rows with NULL and missing fields each of them must
//! give another answer than SQL's logic for some condition; the filter as it is must never.

use std::sync::Arc;

use mongodb::bson::{Bson, DateTime, Document, doc};
use ommi_core::ast::{CompareOp, Condition, Expr, List, TextOp};
use ommi_core::schema::{ColumnBuilder, ModelSchema};
use ommi_core::value::{ColumnType, Moment, Value};

use super::*;

fn model() -> Arc<ModelSchema> {
    let schema = ModelSchema::builder("T", "t")
        .column(ColumnBuilder::new("id", ColumnType::I64).key())
        .column(ColumnBuilder::new("x", ColumnType::I64).nullable())
        .column(ColumnBuilder::new("y", ColumnType::I64).nullable())
        .column(ColumnBuilder::new("s", ColumnType::Text).nullable())
        .column(ColumnBuilder::new("at", ColumnType::Timestamp).nullable())
        .build()
        .unwrap();
    Arc::new(schema)
}

const X: Expr = Expr::Column(1);
const Y: Expr = Expr::Column(2);
const S: Expr = Expr::Column(3);
const AT: Expr = Expr::Column(4);

/// So many nanoseconds after 1970 began: BSON has only whole milliseconds.
fn at(nanos: u32) -> Value<'static> {
    Value::Timestamp(Moment::new(0, nanos).unwrap())
}

fn int(number: i64) -> Expr {
    Expr::Value(Value::Int(number))
}

fn text(op: TextOp, ignore_case: bool, needle: &str) -> Condition {
    Condition::Text { op, ignore_case, expr: S, needle: Expr::Value(Value::Text(needle.to_owned().into())) }
}

fn is_in(values: &[Option<i64>], negated: bool) -> Condition {
    let list = List::new(values.iter().map(|value| value.map_or(Value::Null, Value::Int)));
    Condition::In { expr: X, list, negated }
}

fn written(condition: &Condition) -> Document {
    written_for(&model(), condition)
}

fn written_for(model: &ModelSchema, condition: &Condition) -> Document {
    let filter = Truth::new(model).filter(condition).unwrap();
    let mut writer = Writer::new();
    filter.write(&mut writer, "q", model).unwrap();
    let (raw, _) = writer.finish().unwrap();
    Document::try_from(raw.as_ref()).unwrap().get_document("q").unwrap().clone()
}

fn cmp(op: CompareOp, left: Expr, right: Expr) -> Condition {
    Condition::compare(op, left, right)
}

#[test]
fn every_form_is_written_as_the_rules_say() {
    let not = |condition: Condition| Condition::Not(Box::new(condition));
    let null = || Expr::Value(Value::Null);
    let nothing = || doc! { "$expr": false };
    let either = || Condition::Or(vec![cmp(CompareOp::Eq, X, int(7)), cmp(CompareOp::Eq, Y, int(8))]);
    let choice = || vec![doc! { "x": { "$eq": 7i64 } }, doc! { "y": { "$eq": 8i64 } }];
    for (condition, expected) in [
        (cmp(CompareOp::Eq, X, int(1)), doc! { "x": { "$eq": 1i64 } }),
        (not(cmp(CompareOp::Eq, X, int(1))), doc! { "x": { "$nin": [1i64, null_bson()] } }),
        (cmp(CompareOp::Lt, int(1), X), doc! { "x": { "$gt": 1i64 } }),
        (not(cmp(CompareOp::Lt, X, int(1))), doc! { "x": { "$gte": 1i64 } }),
        (cmp(CompareOp::Eq, X, null()), nothing()),
        (not(cmp(CompareOp::Eq, X, null())), nothing()),
        (Condition::IsNull { expr: X, negated: false }, doc! { "x": { "$eq": null_bson() } }),
        (not(Condition::IsNull { expr: X, negated: false }), doc! { "x": { "$ne": null_bson() } }),
        (is_in(&[Some(1), None, Some(2)], false), doc! { "x": { "$in": [1i64, 2i64] } }),
        (is_in(&[Some(1), Some(2)], true), doc! { "x": { "$nin": [1i64, 2i64, null_bson()] } }),
        (is_in(&[Some(1), None], true), nothing()),
        (is_in(&[], true), doc! {}),
        (is_in(&[], false), nothing()),
        (Condition::Between { expr: X, low: int(1), high: int(2) }, doc! { "x": { "$gte": 1i64, "$lte": 2i64 } }),
        (not(Condition::Between { expr: X, low: int(1), high: null() }), doc! { "x": { "$lt": 1i64 } }),
        (
            cmp(CompareOp::Lt, X, Y),
            doc! { "$and": [{ "x": { "$ne": null_bson() } }, { "$expr": { "$lt": ["$x", "$y"] } }] },
        ),
        (text(TextOp::StartsWith, false, "ab"), doc! { "s": { "$gte": "ab", "$lt": "ac" } }),
        (text(TextOp::Contains, false, ""), doc! { "s": { "$ne": null_bson() } }),
        (text(TextOp::EndsWith, true, "a."), doc! { "s": { "$regex": "[aA]\\.\\z" } }),
        (not(text(TextOp::Contains, false, "$x")), doc! { "s": { "$not": { "$regex": "\\$x" }, "$ne": null_bson() } }),
        (
            Condition::Or(vec![cmp(CompareOp::Eq, X, int(1)), cmp(CompareOp::Eq, Y, null())]),
            doc! { "x": { "$eq": 1i64 } },
        ),
        (
            cmp(CompareOp::Eq, X, int(1)).and(cmp(CompareOp::Gt, Y, int(2))),
            doc! { "x": { "$eq": 1i64 }, "y": { "$gt": 2i64 } },
        ),
        (
            Condition::And(vec![cmp(CompareOp::Eq, X, int(1)), either(), cmp(CompareOp::Gt, Y, int(2))]),
            doc! { "x": { "$eq": 1i64 }, "$or": choice(), "y": { "$gt": 2i64 } },
        ),
        // Two of one name cannot be beside each other.
        (
            cmp(CompareOp::Gt, X, int(1)).and(cmp(CompareOp::Lt, X, int(9))),
            doc! { "$and": [{ "x": { "$gt": 1i64 } }, { "x": { "$lt": 9i64 } }] },
        ),
        (either().and(either()), doc! { "$and": [{ "$or": choice() }, { "$or": choice() }] }),
        (
            not(Condition::And(vec![cmp(CompareOp::Eq, X, int(1)), cmp(CompareOp::Gt, Y, int(2))])),
            doc! { "$or": [{ "x": { "$nin": [1i64, null_bson()] } }, { "y": { "$lte": 2i64 } }] },
        ),
    ] {
        assert_eq!(written(&condition), expected, "{condition:?}");
    }
}

fn null_bson() -> Bson {
    Bson::Null
}

/// What is unknown whatever the row, and what is so of an empty needle.
#[test]
fn unknown_and_empty_needles_are_decided_here() {
    let not = |condition: Condition| Condition::Not(Box::new(condition));
    let of_null =
        || Condition::Text { op: TextOp::Contains, ignore_case: false, expr: S, needle: Expr::Value(Value::Null) };
    let nothing = || doc! { "$expr": false };
    let null_in = |values: &[i64], negated| {
        let list = List::new(values.iter().copied().map(Value::Int));
        Condition::In { expr: Expr::Value(Value::Null), list, negated }
    };
    let both_given = |text: &str| Condition::Text {
        op: TextOp::Equals,
        ignore_case: true,
        expr: Expr::Value(Value::Text(text.to_owned().into())),
        needle: Expr::Value(Value::Text("Ab".into())),
    };
    for (condition, expected) in [
        // Nothing is in an empty list, not even NULL.
        (null_in(&[], false), nothing()),
        (null_in(&[], true), doc! {}),
        (null_in(&[1], true), nothing()),
        (both_given("aB"), doc! {}),
        (both_given("b"), nothing()),
        (Condition::Or(vec![cmp(CompareOp::Eq, X, Expr::Value(Value::Null)), is_in(&[], false)]), nothing()),
        (is_in(&[None], false), nothing()),
        (is_in(&[None], true), nothing()),
        (of_null(), nothing()),
        (not(of_null()), nothing()),
        (not(text(TextOp::Contains, false, "")), nothing()),
        (
            not(text(TextOp::StartsWith, false, "ab")),
            doc! { "$or": [{ "s": { "$lt": "ab" } }, { "s": { "$gte": "ac" } }] },
        ),
        (not(text(TextOp::StartsWith, false, "\u{10ffff}")), doc! { "s": { "$lt": "\u{10ffff}" } }),
    ] {
        assert_eq!(written(&condition), expected, "{condition:?}");
    }
}

/// Between two milliseconds lies no stored time: the condition is asked of the one below.
#[test]
fn a_time_that_bson_cannot_hold_equals_none() {
    let fine = |op| cmp(op, AT, Expr::Value(at(1)));
    let among = |values: &[u32], negated| Condition::In {
        expr: AT,
        list: List::new(values.iter().map(|nanos| at(*nanos))),
        negated,
    };
    let begin = || DateTime::from_millis(0);
    let has_value = || doc! { "at": { "$ne": null_bson() } };
    let nothing = || doc! { "$expr": false };
    for (condition, expected) in [
        (fine(CompareOp::Eq), nothing()),
        (fine(CompareOp::Ne), has_value()),
        (fine(CompareOp::Lt), doc! { "at": { "$lte": begin() } }),
        (fine(CompareOp::Le), doc! { "at": { "$lte": begin() } }),
        (fine(CompareOp::Gt), doc! { "at": { "$gt": begin() } }),
        (fine(CompareOp::Ge), doc! { "at": { "$gt": begin() } }),
        (among(&[1], false), nothing()),
        (among(&[1], true), has_value()),
        (among(&[1, 0], false), doc! { "at": { "$eq": begin() } }),
        (among(&[1, 0], true), doc! { "at": { "$nin": [begin(), null_bson()] } }),
    ] {
        assert_eq!(written(&condition), expected, "{condition:?}");
    }
}

/// A whole key is looked up as one, its parts in the declared order; with a part that no document has, as nothing.
#[test]
fn a_whole_key_is_compared_as_one() {
    let model = ModelSchema::builder("T", "t")
        .column(ColumnBuilder::new("b", ColumnType::I64).key())
        .column(ColumnBuilder::new("a", ColumnType::Timestamp).key())
        .build()
        .unwrap();
    let key = |b: Value<'static>, a: Value<'static>| {
        let equal = |column, value| cmp(CompareOp::Eq, Expr::Column(column), Expr::Value(value));
        written_for(&model, &equal(1, a).and(equal(0, b)))
    };
    let found = key(Value::Int(1), at(0));
    assert_eq!(found, doc! { "_id": { "$eq": { "b": 1i64, "a": DateTime::from_millis(0) } } });
    let whole = found.get_document("_id").and_then(|id| id.get_document("$eq")).unwrap();
    assert!(whole.keys().eq(["b", "a"]), "{whole}");
    for (b, a) in [(Value::Null, at(0)), (Value::Int(1), Value::Null), (Value::Int(1), at(1))] {
        assert_eq!(key(b, a), doc! { "$expr": false });
    }
}

#[test]
fn a_value_is_never_read_as_an_operator_or_a_path() {
    let hostile = Expr::Value(Value::Text("$x".into()));
    assert_eq!(written(&cmp(CompareOp::Eq, S, hostile.clone())), doc! { "s": { "$eq": "$x" } });
    let search = written(&Condition::Text { op: TextOp::Contains, ignore_case: false, expr: hostile, needle: S });
    assert!(search.to_string().contains(r#""$literal": "$x""#), "{search}");
    // A needle that is too long for a pattern is written as a literal too.
    let long = written(&text(TextOp::Contains, true, &"$X".repeat(600)));
    assert!(long.to_string().contains(r#""$literal": "$x$x"#), "{long}");
}

// ---- the match language, as far as the filters above use it --------------------------------------------

/// A field; none where it is missing.
type Field<'d> = Option<&'d Bson>;

fn is_null(field: Field<'_>) -> bool {
    matches!(field, None | Some(Bson::Null))
}

fn equal(field: Field<'_>, value: &Bson) -> bool {
    if *value == Bson::Null { is_null(field) } else { field == Some(value) }
}

/// Bracketed by type: NULL is below and above nothing.
fn ordered(field: Field<'_>, value: &Bson) -> Option<std::cmp::Ordering> {
    match (field?, value) {
        (Bson::Int64(left), Bson::Int64(right)) => Some(left.cmp(right)),
        (Bson::String(left), Bson::String(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        _ => None,
    }
}

fn meets(field: Field<'_>, operator: &str, operand: &Bson) -> bool {
    let order = || ordered(field, operand);
    let list = || operand.as_array().unwrap().iter().any(|value| equal(field, value));
    match operator {
        "$eq" => equal(field, operand),
        "$ne" => !equal(field, operand),
        "$lt" => order().is_some_and(|order| order.is_lt()),
        "$lte" => order().is_some_and(|order| order.is_le()),
        "$gt" => order().is_some_and(|order| order.is_gt()),
        "$gte" => order().is_some_and(|order| order.is_ge()),
        "$in" => list(),
        "$nin" => !list(),
        "$not" => !operand.as_document().unwrap().iter().all(|(operator, operand)| meets(field, operator, operand)),
        // The needles of these tests have no meaning as patterns.
        "$regex" => matches!(field, Some(Bson::String(text)) if text.contains(operand.as_str().unwrap())),
        other => panic!("{other}"),
    }
}

/// NULL is below every number, and a missing field below NULL.
fn rank(field: Field<'_>) -> (u8, i64) {
    match field {
        None => (0, 0),
        Some(Bson::Null) => (1, 0),
        Some(Bson::Int64(number)) => (2, *number),
        other => panic!("{other:?}"),
    }
}

fn selects(filter: &Document, row: &Document) -> bool {
    filter.iter().all(|(key, operand)| match key.as_str() {
        "$and" => operand.as_array().unwrap().iter().all(|part| selects(part.as_document().unwrap(), row)),
        "$or" => operand.as_array().unwrap().iter().any(|part| selects(part.as_document().unwrap(), row)),
        "$nor" => !operand.as_array().unwrap().iter().any(|part| selects(part.as_document().unwrap(), row)),
        "$expr" => match operand {
            Bson::Boolean(holds) => *holds,
            Bson::Document(test) => {
                let (operator, sides) = test.iter().next().unwrap();
                let side = |index: usize| rank(row.get(&sides.as_array().unwrap()[index].as_str().unwrap()[1..]));
                let order = side(0).cmp(&side(1));
                match operator.as_str() {
                    "$eq" => order.is_eq(),
                    "$ne" => order.is_ne(),
                    "$lt" => order.is_lt(),
                    "$lte" => order.is_le(),
                    "$gt" => order.is_gt(),
                    "$gte" => order.is_ge(),
                    other => panic!("{other}"),
                }
            }
            other => panic!("{other}"),
        },
        field => {
            let tests = operand.as_document().unwrap();
            tests.iter().all(|(operator, operand)| meets(row.get(field), operator, operand))
        }
    })
}

// ---- SQL's logic ----------------------------------------------------------------------------------------

fn value(expr: &Expr, row: &Document) -> Value<'static> {
    let name = match expr {
        Expr::Value(value) => return value.clone(),
        Expr::Column(1) => "x",
        Expr::Column(2) => "y",
        _ => "s",
    };
    match row.get(name) {
        Some(Bson::Int64(number)) => Value::Int(*number),
        Some(Bson::String(text)) => Value::Text(text.clone().into()),
        _ => Value::Null,
    }
}

fn truth(condition: &Condition, row: &Document) -> Option<bool> {
    match condition {
        Condition::Compare { op, left, right } => constant::compare(*op, &value(left, row), &value(right, row)),
        Condition::IsNull { expr, negated } => Some(value(expr, row).is_null() != *negated),
        Condition::In { expr, list, negated } => {
            constant::among(&value(expr, row), list.values(), list.has_null()).map(|known| known != *negated)
        }
        Condition::Text { op, ignore_case, expr, needle } => {
            constant::search(super::text::place(*op)?, *ignore_case, &value(expr, row), &value(needle, row))
        }
        Condition::Not(inner) => truth(inner, row).map(|known| !known),
        Condition::And(parts) => {
            let known: Vec<Option<bool>> = parts.iter().map(|part| truth(part, row)).collect();
            match known.contains(&Some(false)) {
                true => Some(false),
                false if known.contains(&None) => None,
                false => Some(true),
            }
        }
        other => panic!("{other:?}"),
    }
}

fn rows() -> Vec<Document> {
    let numbers: [Option<Bson>; 4] = [None, Some(Bson::Null), Some(Bson::Int64(1)), Some(Bson::Int64(2))];
    let texts: [Option<Bson>; 4] = [None, Some(Bson::Null), Some("ab".into()), Some("cd".into())];
    let mut rows = Vec::new();
    for x in &numbers {
        for y in &numbers {
            for s in &texts {
                let fields = [("x", x), ("y", y), ("s", s)];
                rows.push(fields.into_iter().filter_map(|(name, v)| Some((name.to_owned(), v.clone()?))).collect());
            }
        }
    }
    rows
}

fn conditions() -> Vec<Condition> {
    use CompareOp::{Eq, Ge, Gt, Le, Lt, Ne};
    let mut list: Vec<Condition> = Vec::new();
    for op in [Eq, Ne, Lt, Le, Gt, Ge] {
        list.push(cmp(op, X, int(1)));
        list.push(cmp(op, X, Y));
    }
    list.push(is_in(&[Some(1), Some(2)], false));
    list.push(is_in(&[Some(1), None], false));
    list.push(Condition::IsNull { expr: X, negated: false });
    list.push(text(TextOp::Contains, false, "b"));
    list.push(Condition::And(vec![cmp(Eq, X, int(1)), cmp(Ne, Y, int(2))]));
    let contraries: Vec<Condition> = list.iter().map(|condition| Condition::Not(Box::new(condition.clone()))).collect();
    list.extend(contraries);
    list
}

/// How many answers are not SQL's, when the filters are changed so.
fn disagreements(mutate: impl Fn(Document) -> Document) -> usize {
    let rows = rows();
    let wrong = |condition: &Condition| {
        let filter = mutate(written(condition));
        rows.iter().filter(|row| selects(&filter, row) != (truth(condition, row) == Some(true))).count()
    };
    conditions().iter().map(wrong).sum()
}

/// Changes every field test of a filter.
fn each_test(filter: Document, change: &impl Fn(&str, Bson) -> Option<(String, Bson)>) -> Document {
    filter
        .into_iter()
        .map(|(key, operand)| match operand {
            Bson::Array(parts) if key.starts_with('$') && key != "$nin" && key != "$in" => {
                let parts = parts.into_iter().map(|part| match part {
                    Bson::Document(part) => Bson::Document(each_test(part, change)),
                    other => other,
                });
                (key, Bson::Array(parts.collect()))
            }
            Bson::Document(tests) if key != "$expr" => {
                let tests: Document = tests.into_iter().filter_map(|(op, operand)| change(&op, operand)).collect();
                (key, Bson::Document(tests))
            }
            other => (key, other),
        })
        .collect()
}

#[test]
fn the_filters_agree_with_sql() {
    assert_eq!(disagreements(|filter| filter), 0);
}

#[test]
fn no_guard_can_be_left_out() {
    let keep = |op: &str, operand: Bson| Some((op.to_owned(), operand));
    // The NULL in `$nin`, beside what is not wanted.
    let without_nin = |op: &str, operand: Bson| match (op, operand) {
        ("$nin", Bson::Array(values)) => {
            keep(op, Bson::Array(values.into_iter().filter(|value| *value != Bson::Null).collect()))
        }
        (_, operand) => keep(op, operand),
    };
    assert!(disagreements(|filter| each_test(filter, &without_nin)) > 0);
    // `$ne: null`, beside patterns and columns; where it is a test of its own, it is one too many to lose.
    let without_ne = |op: &str, operand: Bson| match op {
        "$ne" if operand == Bson::Null => None,
        _ => keep(op, operand),
    };
    assert!(disagreements(|filter| each_test(filter, &without_ne)) > 0);
    // Each guard of two columns by itself.
    for guarded in ["x", "y"] {
        let drop_one = |mut filter: Document| {
            if let Ok(parts) = filter.get_array_mut("$and") {
                let is_guard = |part: &Bson| {
                    part.as_document().is_some_and(|part| {
                        part.get_document(guarded).is_ok_and(|tests| tests.get("$ne") == Some(&Bson::Null))
                    })
                };
                parts.retain(|part| !is_guard(part));
            }
            filter
        };
        assert!(disagreements(drop_one) > 0, "{guarded}");
    }
}

#[test]
fn nor_is_not_the_contrary() {
    let rows = rows();
    let mut wrong = 0;
    for condition in conditions() {
        let Condition::Not(inner) = &condition else { continue };
        let filter = doc! { "$nor": [written(inner)] };
        wrong += rows.iter().filter(|row| selects(&filter, row) != (truth(&condition, row) == Some(true))).count();
    }
    assert!(wrong > 0);
}
