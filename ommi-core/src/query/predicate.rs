//! Conditions on the rows of one model.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use crate::ast::{Condition, MAX_DEPTH, too_deep};
use crate::error::DBError;
use crate::schema::ModelSchema;
use crate::value::InvalidValue;

/// A condition on rows of `M`. Combine with `&`, `|` and `!`; [`all_of`] and [`any_of`] join any number. One that nests as deep as
/// [`MAX_DEPTH`] is `TooLarge` when it is run.
///
/// `Debug` prints the structure and no values.
#[must_use = "a predicate does nothing until it is given to `find`"]
pub struct Predicate<M> {
    pub(crate) condition: Condition,
    pub(crate) problem: Option<Box<Problem>>,
    /// The levels that the condition nests. They are counted here so that a tree too deep to walk never comes to be.
    depth: usize,
    model: PhantomData<fn() -> M>,
}

/// What was wrong with a condition when it was built. The operation gives the error when it runs.
#[derive(Clone)]
pub(crate) enum Problem {
    /// A value that no store can hold.
    Invalid(InvalidValue),
    /// It nests too deep.
    TooDeep,
    /// Something is wrong in what it says of another model.
    Elsewhere(DBError),
}

impl Problem {
    /// The error, in a query for a model.
    pub(crate) fn error(&self, model: &ModelSchema) -> DBError {
        match self {
            Problem::Invalid(invalid) => DBError::invalid_query(model, invalid),
            Problem::TooDeep => too_deep(model),
            Problem::Elsewhere(error) => error.clone(),
        }
    }
}

impl<M> Predicate<M> {
    /// The condition that this tree states.
    pub fn new(condition: Condition) -> Predicate<M> {
        match condition.depth() {
            Some(depth) => Predicate { condition, problem: None, depth, model: PhantomData }.bounded(),
            None => Predicate::wrong(Problem::TooDeep),
        }
    }

    fn wrong(problem: Problem) -> Predicate<M> {
        Predicate { condition: Condition::False, problem: Some(Box::new(problem)), depth: 0, model: PhantomData }
    }

    /// The condition, or what is wrong with a value in it.
    pub(crate) fn of(condition: Result<Condition, InvalidValue>) -> Predicate<M> {
        match condition {
            Ok(condition) => Predicate::new(condition),
            Err(invalid) => Predicate::wrong(Problem::Invalid(invalid)),
        }
    }

    /// Joins two; `joins` tells the conditions that are a chain of this operator already, which grows instead of nesting.
    fn combine(
        self,
        other: Predicate<M>,
        combine: fn(Condition, Condition) -> Condition,
        joins: fn(&Condition) -> bool,
    ) -> Predicate<M> {
        let constant = |condition: &Condition| matches!(condition, Condition::True | Condition::False);
        let below = |one: &Predicate<M>| one.depth + usize::from(!joins(&one.condition));
        // A constant leaves the other one as it is, or takes its place.
        let depth = if constant(&self.condition) || constant(&other.condition) {
            self.depth.max(other.depth)
        } else {
            below(&self).max(below(&other))
        };
        Predicate {
            condition: combine(self.condition, other.condition),
            problem: self.problem.or(other.problem),
            depth,
            model: PhantomData,
        }
        .bounded()
    }

    /// Itself, or a problem where it nests too deep. One level is kept for `filter`, which joins conditions too.
    fn bounded(self) -> Predicate<M> {
        if self.depth < MAX_DEPTH {
            return self;
        }
        let wrong = Predicate::wrong(Problem::TooDeep);
        Predicate { problem: self.problem.or(wrong.problem), ..wrong }
    }
}

impl<M> BitAnd for Predicate<M> {
    type Output = Predicate<M>;

    fn bitand(self, other: Predicate<M>) -> Predicate<M> {
        self.combine(other, Condition::and, |one| matches!(one, Condition::And(_)))
    }
}

impl<M> BitOr for Predicate<M> {
    type Output = Predicate<M>;

    fn bitor(self, other: Predicate<M>) -> Predicate<M> {
        self.combine(other, Condition::or, |one| matches!(one, Condition::Or(_)))
    }
}

impl<M> Not for Predicate<M> {
    type Output = Predicate<M>;

    fn not(self) -> Predicate<M> {
        let nests = matches!(
            self.condition,
            Condition::And(_)
                | Condition::Or(_)
                | Condition::Compare { .. }
                | Condition::Between { .. }
                | Condition::Text { .. }
        );
        let depth = match &self.condition {
            Condition::Not(_) => self.depth.saturating_sub(1),
            _ => self.depth + usize::from(nests),
        };
        Predicate { condition: !self.condition, depth, ..self }.bounded()
    }
}

impl<M> Clone for Predicate<M> {
    fn clone(&self) -> Predicate<M> {
        let (condition, problem) = (self.condition.clone(), self.problem.clone());
        Predicate { condition, problem, depth: self.depth, model: PhantomData }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::{CompareOp, Expr};
    use crate::value::Value;

    fn leaf() -> Predicate<()> {
        Predicate::new(Condition::compare(CompareOp::Eq, Expr::Column(0), Expr::Value(Value::Int(1))))
    }

    /// The count beside the tree is that of the tree.
    #[track_caller]
    fn counted(predicate: &Predicate<()>) {
        assert_eq!(Some(predicate.depth), predicate.condition.depth(), "{predicate:?}");
    }

    #[test]
    fn levels_are_counted_as_they_are_built() {
        let null = || Predicate::<()>::new(Condition::IsNull { expr: Expr::Column(0), negated: false });
        let all = || Predicate::<()>::new(Condition::True);
        for predicate in [
            leaf(),
            !leaf(),
            !!leaf(),
            !null(),
            leaf() & leaf() & leaf(),
            leaf() & (leaf() | !leaf()),
            (leaf() | leaf()) | (leaf() & leaf()),
            !(leaf() & leaf()) | leaf(),
            all() & (leaf() | leaf()),
            (leaf() | leaf()) & all(),
            !all() | leaf(),
            Predicate::new(Condition::And(vec![])) & leaf(),
            all_of([leaf(), leaf() | leaf(), !leaf()]),
            any_of([leaf(), leaf() & leaf(), !leaf()]),
        ] {
            counted(&predicate);
            assert!(predicate.problem.is_none());
        }
    }

    #[test]
    fn chains_never_nest_and_deep_trees_never_come_to_be() {
        let all = (0..100_000).fold(leaf(), |all, _| all & leaf());
        assert!(all.problem.is_none() && all.depth == 1);
        assert_eq!(any_of((0..100_000).map(|_| leaf())).depth, 1);
        let mut deep = leaf();
        for _ in 0..100_000 {
            deep = !(deep & leaf()) | leaf();
            assert!(deep.depth < MAX_DEPTH);
        }
        assert!(matches!(deep.problem.as_deref(), Some(Problem::TooDeep)));
        let raw = (0..100_000).fold(Condition::True, |inner, _| Condition::Not(Box::new(inner)));
        assert!(matches!(Predicate::<()>::new(raw).problem.as_deref(), Some(Problem::TooDeep)));
    }
}
