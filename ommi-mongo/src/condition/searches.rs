//! Searches without a pattern, and an evaluator of the expressions by which every guard in them is shown to be needed.
//!
//! The functions on text fail on NULL and on negative places, and `$and` may work out its parts in any order, or all of them: so does the
//! evaluator. A *mutation* is the expression with one guard taken away; for some row it must fail or give another answer than SQL's logic. The
//! expression as it is must never.

use std::cmp::Ordering;
use std::sync::Arc;

use mongodb::bson::{Bson, Document, doc};
use ommi_core::ast::{Condition, Expr, TextOp};
use ommi_core::schema::{ColumnBuilder, ModelSchema};
use ommi_core::value::{ColumnType, Value};

use super::*;

const TEXT: Expr = Expr::Column(1);
const NEEDLE: Expr = Expr::Column(2);

fn model() -> Arc<ModelSchema> {
    let schema = ModelSchema::builder("T", "t")
        .column(ColumnBuilder::new("id", ColumnType::I64).key())
        .column(ColumnBuilder::new("text", ColumnType::Text).nullable())
        .column(ColumnBuilder::new("needle", ColumnType::Text).nullable())
        .build()
        .unwrap();
    Arc::new(schema)
}

/// Too long for a pattern.
fn long(end: &str) -> String {
    "x".repeat(1_000) + end
}

/// Missing, NULL and text on both sides; a needle that is one byte longer than the text among them.
fn rows() -> Vec<Document> {
    let given = ["", "a", "B", "ab", "AB", "é", "éa", "$text"].map(str::to_owned).into_iter();
    let values: Vec<Option<Bson>> = [None, Some(Bson::Null)]
        .into_iter()
        .chain(given.chain([long("a"), long("A")]).map(|text| Some(Bson::String(text))))
        .collect();
    let row = |text: &Option<Bson>, needle: &Option<Bson>| {
        let fields = [("text", text), ("needle", needle)];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect()
    };
    values.iter().flat_map(|text| values.iter().map(move |needle| row(text, needle))).collect()
}

/// Every search that no pattern does, and its contrary.
fn conditions() -> Vec<Condition> {
    let value = |text: &str| Expr::Value(Value::Text(text.to_owned().into()));
    let mut list = Vec::new();
    for op in [TextOp::Contains, TextOp::StartsWith, TextOp::EndsWith, TextOp::Equals] {
        for ignore_case in [false, true] {
            for (expr, needle) in [
                (TEXT, NEEDLE),
                (NEEDLE, TEXT),
                (value("aB"), NEEDLE),
                (value("$text"), NEEDLE),
                (TEXT, value(&long("A"))),
            ] {
                let search = Condition::Text { op, ignore_case, expr, needle };
                list.push(Condition::Not(Box::new(search.clone())));
                list.push(search);
            }
        }
    }
    list
}

/// The expression; none where a test of the match language suffices.
fn written(condition: &Condition) -> Option<Bson> {
    let model = model();
    let filter = Truth::new(&model).filter(condition).unwrap();
    let mut writer = Writer::new();
    filter.write(&mut writer, "q", &model).unwrap();
    let document = Document::try_from(writer.finish().unwrap().0.as_ref()).unwrap();
    document.get_document("q").unwrap().get("$expr").cloned()
}

// ---- SQL's logic ----------------------------------------------------------------------------------------

fn truth(condition: &Condition, row: &Document) -> Option<bool> {
    let text = |expr: &Expr| match expr {
        Expr::Value(Value::Text(text)) => Some(text.to_string()),
        Expr::Column(1) => row.get_str("text").ok().map(str::to_owned),
        _ => row.get_str("needle").ok().map(str::to_owned),
    };
    match condition {
        Condition::Not(inner) => truth(inner, row).map(|known| !known),
        Condition::Text { op, ignore_case, expr, needle } => {
            let (mut text, mut needle) = (text(expr)?, text(needle)?);
            if *ignore_case {
                (text, needle) = (text.to_ascii_lowercase(), needle.to_ascii_lowercase());
            }
            Some(match op {
                TextOp::Contains => text.contains(&needle),
                TextOp::StartsWith => text.starts_with(&needle),
                TextOp::EndsWith => text.ends_with(&needle),
                _ => text == needle,
            })
        }
        other => panic!("{other:?}"),
    }
}

// ---- the language of expressions, as far as searches use it ---------------------------------------------

/// What an expression is; nothing where a field is missing. An error is one that a server reports.
type Outcome = Result<Option<Bson>, String>;

struct Scope<'r> {
    row: &'r Document,
    variables: Document,
}

fn is_true(value: &Option<Bson>) -> bool {
    !matches!(value, None | Some(Bson::Null | Bson::Boolean(false) | Bson::Int64(0)))
}

/// Missing below NULL, NULL below numbers, numbers below text.
fn order(left: &Option<Bson>, right: &Option<Bson>) -> Ordering {
    let rank = |value: &Option<Bson>| match value {
        None => (0, 0, String::new()),
        Some(Bson::Null) => (1, 0, String::new()),
        Some(Bson::Int64(number)) => (2, *number, String::new()),
        Some(Bson::String(text)) => (3, 0, text.clone()),
        other => panic!("{other:?}"),
    };
    rank(left).cmp(&rank(right))
}

fn text(operator: &str, value: Option<Bson>) -> Result<String, String> {
    match value {
        Some(Bson::String(text)) => Ok(text),
        other => Err(format!("{operator} takes text, and not {other:?}")),
    }
}

fn evaluate(expr: &Bson, scope: &Scope<'_>) -> Outcome {
    let call = match expr {
        Bson::String(path) => {
            return Ok(match path.strip_prefix("$$") {
                Some(variable) => scope.variables.get(variable).cloned(),
                None => match path.strip_prefix('$') {
                    Some(field) => scope.row.get(field).cloned(),
                    None => Some(expr.clone()),
                },
            });
        }
        Bson::Document(call) => call,
        constant => return Ok(Some(constant.clone())),
    };
    assert_eq!(call.len(), 1, "{call}");
    let (operator, operand) = call.iter().next().unwrap();
    let list = match operand {
        Bson::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let all = || list.iter().map(|part| evaluate(part, scope)).collect::<Result<Vec<_>, _>>();
    let bool = |known| Ok(Some(Bson::Boolean(known)));
    let compare = |holds: fn(Ordering) -> bool| all().and_then(|sides| bool(holds(order(&sides[0], &sides[1]))));
    match operator.as_str() {
        "$literal" => Ok(Some(operand.clone())),
        "$cond" => evaluate(&list[if is_true(&evaluate(&list[0], scope)?) { 1 } else { 2 }], scope),
        "$and" => bool(all()?.iter().all(is_true)),
        "$not" => bool(!is_true(&all()?[0])),
        "$eq" => compare(Ordering::is_eq),
        "$gt" => compare(Ordering::is_gt),
        "$gte" => compare(Ordering::is_ge),
        "$let" => {
            let parts = operand.as_document().unwrap();
            let mut variables = scope.variables.clone();
            for (name, value) in parts.get_document("vars").unwrap() {
                variables.extend(evaluate(value, scope)?.map(|value| (name.clone(), value)));
            }
            evaluate(parts.get("in").unwrap(), &Scope { row: scope.row, variables })
        }
        "$strLenBytes" => Ok(Some(Bson::Int64(text(operator, all()?.swap_remove(0))?.len() as i64))),
        // NULL becomes "".
        "$toLower" => Ok(Some(match all()?.swap_remove(0) {
            None | Some(Bson::Null) => "".into(),
            value => text(operator, value)?.to_ascii_lowercase().into(),
        })),
        "$indexOfBytes" => {
            let mut parts = all()?.into_iter();
            let (within, sought) = (parts.next().unwrap(), text(operator, parts.next().unwrap())?);
            let start = match parts.next() {
                None => 0,
                Some(Some(Bson::Int64(start))) if start >= 0 => start as usize,
                Some(start) => return Err(format!("{operator} begins at no {start:?}")),
            };
            if matches!(within, None | Some(Bson::Null)) {
                return Ok(Some(Bson::Null));
            }
            let within = text(operator, within)?;
            let found = (start..=within.len()).find(|place| within.as_bytes()[*place..].starts_with(sought.as_bytes()));
            Ok(Some(Bson::Int64(found.map_or(-1, |place| place as i64))))
        }
        "$subtract" | "$max" => {
            let numbers: Option<Vec<i64>> = all()?.iter().map(|part| part.as_ref().and_then(Bson::as_i64)).collect();
            let numbers = numbers.ok_or("no numbers")?;
            Ok(Some(Bson::Int64(if operator == "$max" { numbers[0].max(numbers[1]) } else { numbers[0] - numbers[1] })))
        }
        other => panic!("{other}"),
    }
}

/// How many answers are not SQL's, when the expressions are changed so.
fn disagreements(mutate: &dyn Fn(Bson) -> Bson) -> usize {
    let rows = rows();
    let wrong = |condition: &Condition| {
        let Some(expr) = written(condition) else { return 0 };
        let expr = mutate(expr);
        let selects = |row: &Document| evaluate(&expr, &Scope { row, variables: Document::new() });
        let is_wrong =
            |row: &&Document| selects(row).map(|found| is_true(&found)) != Ok(truth(condition, row) == Some(true));
        rows.iter().filter(is_wrong).count()
    };
    conditions().iter().map(wrong).sum()
}

/// Changes every call of an operator, from the inside out. A part of a list for which there is nothing is left out.
fn each_call(expr: Bson, change: &dyn Fn(&str, &Bson) -> Option<Option<Bson>>) -> Option<Bson> {
    match expr {
        Bson::Array(parts) => Some(Bson::Array(parts.into_iter().filter_map(|part| each_call(part, change)).collect())),
        Bson::Document(call) => {
            let inner: Document =
                call.into_iter().filter_map(|(name, operand)| Some((name, each_call(operand, change)?))).collect();
            let changed = inner.iter().next().and_then(|(operator, operand)| change(operator, operand));
            changed.unwrap_or(Some(Bson::Document(inner)))
        }
        other => Some(other),
    }
}

#[test]
fn searches_agree_with_sql() {
    assert!(conditions().iter().filter(|condition| written(condition).is_some()).count() > 60);
    assert_eq!(disagreements(&|expr| expr), 0);
}

#[test]
fn no_guard_of_a_search_can_be_left_out() {
    let first = |operand: &Bson| operand.as_array().unwrap()[0].clone();
    let is = |operand: &Bson, call: [Bson; 2]| operand.as_array().is_some_and(|parts| *parts == call);
    type Change<'c> = &'c dyn Fn(&str, &Bson) -> Option<Option<Bson>>;
    let mutations: [(&str, Change<'_>); 7] = [
        ("a value on the left", &|op, operand| {
            (op == "$gt" && is(operand, ["$text".into(), Bson::Null])).then_some(None)
        }),
        ("a value on the right", &|op, operand| {
            (op == "$gt" && is(operand, ["$needle".into(), Bson::Null])).then_some(None)
        }),
        ("asked before the test", &|op, operand| {
            (op == "$cond").then(|| Some(doc! { "$and": operand.as_array().unwrap()[..2].to_vec() }.into()))
        }),
        ("not before the text", &|op, operand| {
            (op == "$gte" && is(operand, ["$$o".into(), 0i64.into()])).then_some(None)
        }),
        ("from no negative place", &|op, operand| (op == "$max").then(|| Some(first(operand)))),
        ("the contrary", &|op, operand| (op == "$not").then(|| Some(first(operand)))),
        ("no path", &|op, operand| (op == "$literal").then(|| Some(operand.clone()))),
    ];
    for (guard, change) in mutations {
        assert!(disagreements(&|expr| each_call(expr, change).unwrap()) > 0, "{guard}");
    }
}
