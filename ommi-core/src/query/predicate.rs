//! Conditions on the rows of one model.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use crate::ast::Condition;
use crate::value::InvalidValue;

/// A condition on rows of `M`. Combine with `&`, `|` and `!`.
///
/// `Debug` prints the structure and no values.
#[must_use = "a predicate does nothing until it is given to `find`"]
pub struct Predicate<M> {
    pub(crate) condition: Condition,
    pub(crate) invalid: Option<Box<InvalidValue>>,
    model: PhantomData<fn() -> M>,
}

impl<M> Predicate<M> {
    /// The condition that this tree states.
    pub fn new(condition: Condition) -> Predicate<M> {
        Predicate { condition, invalid: None, model: PhantomData }
    }

    /// The condition, or what is wrong with a value in it.
    pub(crate) fn of(condition: Result<Condition, InvalidValue>) -> Predicate<M> {
        match condition {
            Ok(condition) => Predicate::new(condition),
            Err(invalid) => {
                Predicate { condition: Condition::False, invalid: Some(Box::new(invalid)), model: PhantomData }
            }
        }
    }

    fn combine(self, other: Predicate<M>, combine: fn(Condition, Condition) -> Condition) -> Predicate<M> {
        Predicate {
            condition: combine(self.condition, other.condition),
            invalid: self.invalid.or(other.invalid),
            model: PhantomData,
        }
    }
}

impl<M> BitAnd for Predicate<M> {
    type Output = Predicate<M>;

    fn bitand(self, other: Predicate<M>) -> Predicate<M> {
        self.combine(other, Condition::and)
    }
}

impl<M> BitOr for Predicate<M> {
    type Output = Predicate<M>;

    fn bitor(self, other: Predicate<M>) -> Predicate<M> {
        self.combine(other, Condition::or)
    }
}

impl<M> Not for Predicate<M> {
    type Output = Predicate<M>;

    fn not(self) -> Predicate<M> {
        Predicate { condition: !self.condition, ..self }
    }
}

impl<M> Clone for Predicate<M> {
    fn clone(&self) -> Predicate<M> {
        Predicate { condition: self.condition.clone(), invalid: self.invalid.clone(), model: PhantomData }
    }
}

impl<M> fmt::Debug for Predicate<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

/// What can be given as a condition: a predicate, or an optional one, where `None` asks for nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a condition on `{M}`",
    label = "not a condition on `{M}`",
    note = "conditions come from columns: `Model::column.eq(value)`; a bool column is `Model::column.eq(true)`"
)]
pub trait IntoPredicate<M> {
    /// The predicate.
    fn into_predicate(self) -> Predicate<M>;
}

impl<M> IntoPredicate<M> for Predicate<M> {
    fn into_predicate(self) -> Predicate<M> {
        self
    }
}

impl<M> IntoPredicate<M> for Option<Predicate<M>> {
    fn into_predicate(self) -> Predicate<M> {
        self.unwrap_or_else(|| Predicate::new(Condition::True))
    }
}

/// All of these conditions; true for every row when there are none. Optional ones that are `None` are left out.
pub fn all_of<M, P: IntoPredicate<M>>(predicates: impl IntoIterator<Item = P>) -> Predicate<M> {
    let start = Predicate::new(Condition::True);
    predicates.into_iter().fold(start, |all, one| all & one.into_predicate())
}

/// Any of these conditions; true for no row when there are none.
pub fn any_of<M>(predicates: impl IntoIterator<Item = Predicate<M>>) -> Predicate<M> {
    let start = Predicate::new(Condition::False);
    predicates.into_iter().fold(start, |any, one| any | one)
}
