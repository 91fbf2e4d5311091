//! The two functions: the filter of the rows for which a condition is true, and that of the rows for which it is false.

use ommi_core::ast::{CompareOp, Condition, Expr, List, TextOp};
use ommi_core::schema::ModelSchema;
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult};

use super::expr::{Columns, Place, Search, Side};
use super::leaf::{Leaf, Op};
use super::{Filter, constant, text};
use crate::names::unsupported;
use crate::value::rounded_down;

/// Compiles the conditions of one model's statements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Truth<'m> {
    pub(super) model: &'m ModelSchema,
    /// How many `$lookup` the filter stands within.
    pub(super) depth: usize,
}

impl<'m> Truth<'m> {
    pub(crate) fn new(model: &'m ModelSchema) -> Truth<'m> {
        Truth { model, depth: 0 }
    }

    /// For a filter that stands within so many `$lookup`.
    pub(crate) fn within(model: &'m ModelSchema, depth: usize) -> Truth<'m> {
        Truth { model, depth }
    }

    /// The filter of a statement: the rows for which its condition is true.
    ///
    /// Where it gives a whole composite key, that is compared as one, by the index on `_id`.
    pub(crate) fn filter<'a>(self, condition: &'a Condition) -> DBResult<Filter<'a>>
    where
        'm: 'a,
    {
        let parts = match condition {
            Condition::And(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        self.all_of(parts)
    }

    /// The filter of the rows for which all of these are true.
    pub(crate) fn all_of<'a>(self, parts: impl IntoIterator<Item = &'a Condition> + Clone) -> DBResult<Filter<'a>>
    where
        'm: 'a,
    {
        let mut filter = self.unnamed(parts)?;
        filter.name_fields(self.model, &mut 0);
        Ok(filter)
    }

    fn unnamed<'a>(self, parts: impl IntoIterator<Item = &'a Condition> + Clone) -> DBResult<Filter<'a>>
    where
        'm: 'a,
    {
        let all = || Filter::and(parts.clone().into_iter().map(|part| self.holds(part, true)));
        if self.model.key.len() < 2 {
            return all();
        }
        let mut key = Vec::with_capacity(self.model.key.len());
        let mut used = Vec::with_capacity(self.model.key.len());
        for &column in &self.model.key {
            let pin = parts.clone().into_iter().enumerate().find_map(|(place, part)| match part {
                Condition::Compare { op: CompareOp::Eq, left: Expr::Column(pinned), right: Expr::Value(value) }
                    if *pinned == column && !value.is_null() && rounded_down(value).is_none() =>
                {
                    Some((place, value.borrowed()))
                }
                _ => None,
            });
            let Some((place, value)) = pin else { return all() };
            used.push(place);
            key.push((column, value));
        }
        let rest = parts.clone().into_iter().enumerate().filter(|(place, _)| !used.contains(place));
        let rest = rest.map(|(_, part)| self.holds(part, true));
        Filter::and(std::iter::once(Ok(Filter::Test(Leaf::Key(key)))).chain(rest))
    }

    /// The rows for which the condition is `wanted`: true or false. Those for which it is unknown are in neither.
    pub(super) fn holds<'a>(self, condition: &'a Condition, wanted: bool) -> DBResult<Filter<'a>>
    where
        'm: 'a,
    {
        match condition {
            Condition::True => Ok(Filter::constant(wanted)),
            Condition::False => Ok(Filter::constant(!wanted)),
            Condition::Not(inner) => self.holds(inner, !wanted),
            Condition::And(parts) if wanted => Filter::and(parts.iter().map(|part| self.holds(part, true))),
            Condition::And(parts) => Filter::or(parts.iter().map(|part| self.holds(part, false))),
            Condition::Or(parts) if wanted => Filter::or(parts.iter().map(|part| self.holds(part, true))),
            Condition::Or(parts) => Filter::and(parts.iter().map(|part| self.holds(part, false))),
            // A comparison is false where its contrary is true.
            Condition::Compare { op, left, right } => {
                self.compare(if wanted { *op } else { contrary(*op)? }, left, right)
            }
            Condition::IsNull { expr, negated } => Ok(match expr {
                Expr::Column(column) if *negated == wanted => Filter::Test(Leaf::NotNull(*column)),
                Expr::Column(column) => Filter::Test(Leaf::Null(*column)),
                Expr::Value(value) => Filter::constant((value.is_null() != *negated) == wanted),
                _ => return Err(unsupported("this expression")),
            }),
            Condition::Between { expr, low, high } => self.between(expr, low, high, wanted),
            Condition::In { expr, list, negated } => self.among(expr, list, *negated != wanted),
            Condition::Text { op, ignore_case, expr, needle } => self.text(*op, *ignore_case, expr, needle, wanted),
            Condition::Exists { related, negated } => self.exists(related, wanted != *negated),
            Condition::Count(count) => self.count(count, wanted),
            _ => Err(unsupported("this condition")),
        }
    }

    /// The rows for which a comparison is true.
    fn compare<'a>(self, op: CompareOp, left: &'a Expr, right: &'a Expr) -> DBResult<Filter<'a>> {
        match (left, right) {
            (Expr::Column(column), Expr::Value(value)) => self.against(*column, op, value),
            (Expr::Value(value), Expr::Column(column)) => self.against(*column, mirrored(op)?, value),
            (Expr::Column(left), Expr::Column(right)) => {
                Ok(Filter::Test(Leaf::Columns(Columns { op, left: *left, right: *right })))
            }
            (Expr::Value(left), Expr::Value(right)) => {
                Ok(Filter::constant(constant::compare(op, left, right) == Some(true)))
            }
            _ => Err(unsupported("this expression")),
        }
    }

    fn against<'a>(self, column: u16, op: CompareOp, value: &'a Value<'static>) -> DBResult<Filter<'a>> {
        if value.is_null() {
            return Ok(Filter::Nothing);
        }
        let one = |op, value| Filter::Test(Leaf::Compare { column, first: (op, value), second: None });
        if let Some(floor) = rounded_down(value) {
            // It lies between two times that BSON has, and equals neither.
            return Ok(match op {
                CompareOp::Eq => Filter::Nothing,
                CompareOp::Ne => Filter::Test(Leaf::NotNull(column)),
                CompareOp::Lt | CompareOp::Le => one(Op::Le, floor),
                CompareOp::Gt | CompareOp::Ge => one(Op::Gt, floor),
                _ => return Err(unsupported("this comparison")),
            });
        }
        let value = value.borrowed();
        Ok(match op {
            CompareOp::Eq => one(Op::Eq, value),
            CompareOp::Ne => Filter::Test(Leaf::Unequal { column, value }),
            CompareOp::Lt => one(Op::Lt, value),
            CompareOp::Le => one(Op::Le, value),
            CompareOp::Gt => one(Op::Gt, value),
            CompareOp::Ge => one(Op::Ge, value),
            _ => return Err(unsupported("this comparison")),
        })
    }

    fn between<'a>(self, expr: &'a Expr, low: &'a Expr, high: &'a Expr, wanted: bool) -> DBResult<Filter<'a>> {
        if !wanted {
            // A bound that is NULL drops out: the other one alone can make it false.
            return Filter::or([self.compare(CompareOp::Lt, expr, low), self.compare(CompareOp::Gt, expr, high)]);
        }
        let lower = self.compare(CompareOp::Ge, expr, low)?;
        let upper = self.compare(CompareOp::Le, expr, high)?;
        match (lower, upper) {
            // One range of one field, so that an index is read once.
            (
                Filter::Test(Leaf::Compare { column, first, second: None }),
                Filter::Test(Leaf::Compare { column: same, first: second, second: None }),
            ) if column == same => Ok(Filter::Test(Leaf::Compare { column, first, second: Some(second) })),
            (lower, upper) => Filter::and([Ok(lower), Ok(upper)]),
        }
    }

    /// The rows for which "is among the list" is `wanted`.
    fn among<'a>(self, expr: &'a Expr, list: &'a List, wanted: bool) -> DBResult<Filter<'a>> {
        let column = match expr {
            Expr::Column(column) => *column,
            Expr::Value(value) => {
                let known = constant::among(value, list.values(), list.has_null());
                return Ok(Filter::constant(known == Some(wanted)));
            }
            _ => return Err(unsupported("this expression")),
        };
        if list.values().is_empty() && !list.has_null() {
            return Ok(Filter::constant(!wanted));
        }
        if !wanted && list.has_null() {
            return Ok(Filter::Nothing);
        }
        // What BSON cannot hold equals nothing that is stored.
        let storable = list.values().iter().filter(|value| rounded_down(value).is_none());
        let mut values: Vec<Value<'a>> = storable.map(Value::borrowed).collect();
        Ok(match (values.len(), wanted) {
            (0, true) => Filter::Nothing,
            (0, false) => Filter::Test(Leaf::NotNull(column)),
            (1, _) => {
                let value = values.pop().unwrap_or_default();
                Filter::Test(match wanted {
                    true => Leaf::Compare { column, first: (Op::Eq, value), second: None },
                    false => Leaf::Unequal { column, value },
                })
            }
            (_, true) => Filter::Test(Leaf::Among { column, values }),
            (_, false) => Filter::Test(Leaf::NotAmong { column, values }),
        })
    }

    fn text<'a>(
        self,
        op: TextOp,
        ignore_case: bool,
        expr: &'a Expr,
        needle: &'a Expr,
        wanted: bool,
    ) -> DBResult<Filter<'a>> {
        let place = text::place(op).ok_or_else(|| unsupported("this predicate on text"))?;
        let is_null = |expr: &Expr| matches!(expr, Expr::Value(Value::Null));
        if is_null(expr) || is_null(needle) {
            return Ok(Filter::Nothing);
        }
        match (expr, needle) {
            (Expr::Value(text), Expr::Value(needle)) => {
                Ok(Filter::constant(constant::search(place, ignore_case, text, needle) == Some(wanted)))
            }
            (Expr::Column(column), Expr::Value(Value::Text(text))) => {
                self.needle(place, ignore_case, *column, text, wanted)
            }
            _ => {
                let side = |expr: &'a Expr| match expr {
                    Expr::Column(column) => Ok(Side::Column(*column)),
                    Expr::Value(Value::Text(text)) if ignore_case => {
                        Ok(Side::Text(Value::Text(text.to_ascii_lowercase().into())))
                    }
                    Expr::Value(value) => Ok(Side::Text(value.borrowed())),
                    _ => Err(unsupported("this expression")),
                };
                let (text, needle) = (side(expr)?, side(needle)?);
                Ok(Filter::Test(Leaf::Search(Search { place, fold: ignore_case, text, needle, negated: !wanted })))
            }
        }
    }

    /// A predicate on a column with a needle that is given.
    fn needle<'a>(
        self,
        place: Place,
        ignore_case: bool,
        column: u16,
        needle: &'a str,
        wanted: bool,
    ) -> DBResult<Filter<'a>> {
        // Without letters there is no case to ignore.
        let fold = ignore_case && needle.bytes().any(|byte| byte.is_ascii_alphabetic());
        let value = Value::Text(needle.into());
        let one = |op, value| Filter::Test(Leaf::Compare { column, first: (op, value), second: None });
        match place {
            Place::Whole if !fold && wanted => return Ok(one(Op::Eq, value)),
            Place::Whole if !fold => return Ok(Filter::Test(Leaf::Unequal { column, value })),
            _ if needle.is_empty() && wanted => return Ok(Filter::Test(Leaf::NotNull(column))),
            _ if needle.is_empty() => return Ok(Filter::Nothing),
            Place::Start if !fold => {
                // A range, which any index serves.
                let above = text::above(needle).map(|above| Value::Text(above.into()));
                return match (wanted, above) {
                    (true, above) => {
                        let (first, second) = ((Op::Ge, value), above.map(|above| (Op::Lt, above)));
                        Ok(Filter::Test(Leaf::Compare { column, first, second }))
                    }
                    (false, Some(above)) => Filter::or([Ok(one(Op::Lt, value)), Ok(one(Op::Ge, above))]),
                    (false, None) => Ok(one(Op::Lt, value)),
                };
            }
            _ => {}
        }
        Ok(Filter::Test(match text::pattern(place, needle, fold) {
            Some(pattern) => Leaf::Pattern { column, pattern, negated: !wanted },
            None => {
                let needle = if fold { needle.to_ascii_lowercase().into() } else { needle.into() };
                let (text, needle) = (Side::Column(column), Side::Text(Value::Text(needle)));
                Leaf::Search(Search { place, fold, text, needle, negated: !wanted })
            }
        }))
    }
}

/// The comparison that is true where this one is false.
pub(super) fn contrary(op: CompareOp) -> DBResult<CompareOp> {
    Ok(match op {
        CompareOp::Eq => CompareOp::Ne,
        CompareOp::Ne => CompareOp::Eq,
        CompareOp::Lt => CompareOp::Ge,
        CompareOp::Le => CompareOp::Gt,
        CompareOp::Gt => CompareOp::Le,
        CompareOp::Ge => CompareOp::Lt,
        _ => return Err(unknown()),
    })
}

/// The comparison with its sides exchanged.
fn mirrored(op: CompareOp) -> DBResult<CompareOp> {
    Ok(match op {
        CompareOp::Eq | CompareOp::Ne => op,
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
        _ => return Err(unknown()),
    })
}

fn unknown() -> DBError {
    unsupported("this comparison")
}
