//! Conditions without columns, decided here: true, false, or unknown.

use std::cmp::Ordering;

use ommi_core::ast::CompareOp;
use ommi_core::value::Value;

use super::expr::Place;

/// How two values of one type compare; none where either is NULL.
fn order(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Value::Bytes(left), Value::Bytes(right)) => Some(left.cmp(right)),
        (Value::Uuid(left), Value::Uuid(right)) => Some(left.cmp(right)),
        (Value::ObjectId(left), Value::ObjectId(right)) => Some(left.cmp(right)),
        (Value::Date(left), Value::Date(right)) => Some(left.cmp(right)),
        (Value::Time(left), Value::Time(right)) => Some(left.cmp(right)),
        (Value::DateTime(left), Value::DateTime(right)) => Some(left.cmp(right)),
        (Value::Timestamp(left), Value::Timestamp(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// A comparison of two values.
pub(super) fn compare(op: CompareOp, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    let order = order(left, right)?;
    Some(match op {
        CompareOp::Eq => order.is_eq(),
        CompareOp::Ne => order.is_ne(),
        CompareOp::Lt => order.is_lt(),
        CompareOp::Le => order.is_le(),
        CompareOp::Gt => order.is_gt(),
        CompareOp::Ge => order.is_ge(),
        _ => return None,
    })
}

/// Whether a value is one of a list's.
pub(super) fn among(value: &Value<'_>, values: &[Value<'_>], has_null: bool) -> Option<bool> {
    if values.is_empty() && !has_null {
        return Some(false);
    }
    if value.is_null() {
        return None;
    }
    if values.iter().any(|other| compare(CompareOp::Eq, value, other) == Some(true)) {
        return Some(true);
    }
    if has_null { None } else { Some(false) }
}

/// Text in text.
pub(super) fn search(place: Place, fold: bool, text: &Value<'_>, needle: &Value<'_>) -> Option<bool> {
    let (Value::Text(text), Value::Text(needle)) = (text, needle) else { return None };
    let fold = |text: &str| if fold { text.to_ascii_lowercase() } else { text.to_owned() };
    let (text, needle) = (fold(text), fold(needle));
    Some(match place {
        Place::Anywhere => text.contains(&needle),
        Place::Start => text.starts_with(&needle),
        Place::End => text.ends_with(&needle),
        Place::Whole => text == needle,
    })
}
