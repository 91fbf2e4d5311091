//! How many rows belong to a row, as a condition.

use std::fmt;
use std::marker::PhantomData;

use super::typed::constant;
use crate::ast::{CompareOp, Condition, Related, RelatedCount};
use crate::query::{Predicate, Problem};
use crate::value::InvalidValue;

/// The number of related rows of a row, to be compared.
#[must_use = "a count of related rows does nothing until it is compared"]
pub struct Count<M> {
    related: Result<Related, Box<InvalidValue>>,
    /// It cannot be more.
    most: u64,
    problem: Option<Box<Problem>>,
    model: PhantomData<fn() -> M>,
}

impl<M> Count<M> {
    pub(super) fn new(related: Result<Related, InvalidValue>, most: u64, problem: Option<Box<Problem>>) -> Count<M> {
        Count { related: related.map_err(Box::new), most, problem, model: PhantomData }
    }

    fn compare(self, op: CompareOp, number: u64) -> Predicate<M> {
        let count = |related| Condition::Count(Box::new(RelatedCount::new(related, op, number)));
        let mut made = match always(op, number, self.most) {
            Some(holds) => constant(holds),
            None => Predicate::of(self.related.map(count).map_err(|invalid| *invalid)),
        };
        made.problem = made.problem.or(self.problem);
        made
    }

    /// So many.
    pub fn eq(self, number: u64) -> Predicate<M> {
        self.compare(CompareOp::Eq, number)
    }

    /// Not so many, but more or less.
    pub fn ne(self, number: u64) -> Predicate<M> {
        self.compare(CompareOp::Ne, number)
    }

    /// Less.
    pub fn lt(self, number: u64) -> Predicate<M> {
        self.compare(CompareOp::Lt, number)
    }

    /// So many or less.
    pub fn le(self, number: u64) -> Predicate<M> {
        self.compare(CompareOp::Le, number)
    }

    /// More.
    pub fn gt(self, number: u64) -> Predicate<M> {
        self.compare(CompareOp::Gt, number)
    }

    /// So many or more.
    pub fn ge(self, number: u64) -> Predicate<M> {
        self.compare(CompareOp::Ge, number)
    }
}

impl<M> fmt::Debug for Count<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Count").field(&self.related.as_ref().ok()).finish()
    }
}

/// Whether any count up to the most compares so with a number, or none does; nothing where that depends on the count.
fn always(op: CompareOp, number: u64, most: u64) -> Option<bool> {
    let holds = |count: u64| match op {
        CompareOp::Eq => count == number,
        CompareOp::Ne => count != number,
        CompareOp::Lt => count < number,
        CompareOp::Le => count <= number,
        CompareOp::Gt => count > number,
        CompareOp::Ge => count >= number,
    };
    // What holds of the least and of the most holds of all between them, but where one of those is the number.
    let between = matches!(op, CompareOp::Eq | CompareOp::Ne) && (1..most).contains(&number);
    (holds(0) == holds(most) && !between).then(|| holds(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_of_every_count_is_no_condition() {
        const MOST: u64 = i64::MAX as u64;
        use CompareOp::{Eq, Ge, Gt, Le, Lt, Ne};
        for (op, number) in [(Ge, 0), (Le, MOST), (Lt, MOST + 1), (Ne, MOST + 1), (Le, u64::MAX)] {
            assert_eq!(always(op, number, MOST), Some(true), "{op:?} {number}");
        }
        for (op, number) in [(Lt, 0), (Gt, MOST), (Ge, MOST + 1), (Eq, MOST + 1), (Gt, u64::MAX)] {
            assert_eq!(always(op, number, MOST), Some(false), "{op:?} {number}");
        }
        for op in [Eq, Ne, Lt, Le, Gt, Ge] {
            for number in [1, 2, MOST - 1] {
                assert_eq!(always(op, number, MOST), None, "{op:?} {number}");
            }
        }
        assert_eq!((always(Eq, 0, MOST), always(Gt, 0, MOST), always(Le, 0, MOST)), (None, None, None));
        assert_eq!((always(Eq, 0, 0), always(Ne, 0, 0), always(Gt, 0, 0)), (Some(true), Some(false), Some(false)));
        assert_eq!((always(Eq, 1, 0), always(Lt, 1, 0), always(Le, 0, 0)), (Some(false), Some(true), Some(true)));
    }
}
