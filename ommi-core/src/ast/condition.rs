//! Conditions, and the expressions they compare.

use super::related::{Related, RelatedCount, RelatedExpr};
use crate::value::Value;

/// What a row is compared by. Small and without boxes for the forms that every query has.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Expr {
    /// A column of the statement's model.
    Column(u16),
    /// A value that is bound.
    Value(Value<'static>),
    /// An expression over the row that belongs to this one. Only to sort by.
    Related(Box<RelatedExpr>),
}

/// A statement about a row that is true, false or unknown.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Condition {
    /// True for every row.
    True,
    /// True for no row.
    False,
    /// All of these; true for every row when there are none.
    And(Vec<Condition>),
    /// Any of these; true for no row when there are none.
    Or(Vec<Condition>),
    /// The contrary; unknown stays unknown.
    Not(Box<Condition>),
    /// A comparison; unknown when either side is NULL.
    Compare {
        /// How.
        op: CompareOp,
        /// The left side.
        left: Expr,
        /// The right side.
        right: Expr,
    },
    /// Whether the expression is NULL; never unknown.
    IsNull {
        /// What may be NULL.
        expr: Expr,
        /// Asks whether it is *not* NULL.
        negated: bool,
    },
    /// `low <= expr and expr <= high`.
    Between {
        /// What is compared.
        expr: Expr,
        /// The least value.
        low: Expr,
        /// The greatest value.
        high: Expr,
    },
    /// Whether the expression equals one of the list: as `Or` of comparisons. False for the empty list, for a NULL
    /// expression too; `negated` is the contrary of that.
    In {
        /// What is looked for.
        expr: Expr,
        /// Where.
        list: List,
        /// Asks whether it equals *none*.
        negated: bool,
    },
    /// A predicate on text; unknown when either side is NULL. Nothing in the needle has a special meaning, and
    /// the empty needle is found in every text.
    Text {
        /// Which predicate.
        op: TextOp,
        /// Whether A-Z equal a-z.
        ignore_case: bool,
        /// What is searched.
        expr: Expr,
        /// What is looked for.
        needle: Expr,
    },
    /// Whether there is a related row; never unknown.
    Exists {
        /// Which.
        related: Box<Related>,
        /// Asks whether there is *none*.
        negated: bool,
    },
    /// A comparison of the number of related rows.
    Count(Box<RelatedCount>),
}

/// The comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CompareOp {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// The predicates on text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TextOp {
    /// The needle is somewhere in the text.
    Contains,
    /// The text begins with the needle.
    StartsWith,
    /// The text ends with the needle.
    EndsWith,
    /// The text is the needle. Only with `ignore_case`; else it is a comparison.
    Equals,
}

/// The values of an `In`, those that are NULL noted apart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct List {
    values: Vec<Value<'static>>,
    has_null: bool,
}

impl List {
    /// A list of these values.
    pub fn new(values: impl IntoIterator<Item = Value<'static>>) -> List {
        let mut list = List::default();
        for value in values {
            list.push(value);
        }
        list
    }

    /// Adds a value.
    pub fn push(&mut self, value: Value<'static>) {
        if value.is_null() {
            self.has_null = true;
        } else {
            self.values.push(value);
        }
    }

    /// The values that are not NULL.
    pub fn values(&self) -> &[Value<'static>] {
        &self.values
    }

    /// Whether NULL was among them.
    pub fn has_null(&self) -> bool {
        self.has_null
    }
}

impl Condition {
    /// A comparison.
    pub fn compare(op: CompareOp, left: Expr, right: Expr) -> Condition {
        Condition::Compare { op, left, right }
    }

    /// Both; nested conjunctions become one, and constants are left out.
    pub fn and(mut self, mut other: Condition) -> Condition {
        match (&mut self, &mut other) {
            (Condition::True, _) | (_, Condition::False) => other,
            (_, Condition::True) | (Condition::False, _) => self,
            (Condition::And(all), Condition::And(more)) => {
                all.append(more);
                self
            }
            (Condition::And(all), _) => {
                all.push(other);
                self
            }
            (_, Condition::And(all)) => {
                all.insert(0, self);
                other
            }
            _ => Condition::And(vec![self, other]),
        }
    }

    /// Either; nested disjunctions become one, and constants are left out.
    pub fn or(mut self, mut other: Condition) -> Condition {
        match (&mut self, &mut other) {
            (Condition::False, _) | (_, Condition::True) => other,
            (_, Condition::False) | (Condition::True, _) => self,
            (Condition::Or(any), Condition::Or(more)) => {
                any.append(more);
                self
            }
            (Condition::Or(any), _) => {
                any.push(other);
                self
            }
            (_, Condition::Or(any)) => {
                any.insert(0, self);
                other
            }
            _ => Condition::Or(vec![self, other]),
        }
    }

    /// The columns that the condition pins to one non-NULL value each: those of top-level `column = value`.
    ///
    /// When they include the key or a unique set, at most one row is meant.
    pub fn pinned_columns(&self) -> impl Iterator<Item = u16> + '_ {
        let parts = match self {
            Condition::And(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        parts.iter().filter_map(|part| match part {
            Condition::Compare { op: CompareOp::Eq, left: Expr::Column(column), right: Expr::Value(value) }
                if !value.is_null() =>
            {
                Some(*column)
            }
            _ => None,
        })
    }
}

impl std::ops::Not for Condition {
    type Output = Condition;

    /// The contrary; a double negation and constants are resolved.
    fn not(mut self) -> Condition {
        match &mut self {
            Condition::True => return Condition::False,
            Condition::False => return Condition::True,
            Condition::Not(inner) => return std::mem::replace(&mut **inner, Condition::True),
            Condition::IsNull { negated, .. } | Condition::In { negated, .. } | Condition::Exists { negated, .. } => {
                *negated = !*negated;
            }
            _ => return Condition::Not(Box::new(self)),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eq(column: u16) -> Condition {
        Condition::compare(CompareOp::Eq, Expr::Column(column), Expr::Value(Value::Int(1)))
    }

    #[test]
    fn chains_of_one_operator_stay_flat_and_in_order() {
        let all = eq(0).and(eq(1)).and(eq(2).and(eq(3)));
        assert_eq!(all, Condition::And(vec![eq(0), eq(1), eq(2), eq(3)]));
        assert_eq!(eq(0).or(eq(1).or(eq(2))), Condition::Or(vec![eq(0), eq(1), eq(2)]));
        assert_eq!(eq(0).or(eq(1)).and(eq(2)), Condition::And(vec![Condition::Or(vec![eq(0), eq(1)]), eq(2)]));
    }

    #[test]
    fn constants_fold() {
        assert_eq!(Condition::True.and(eq(0)), eq(0));
        assert_eq!(eq(0).and(Condition::False), Condition::False);
        assert_eq!(Condition::False.or(eq(0)), eq(0));
        assert_eq!(eq(0).or(Condition::True), Condition::True);
        assert_eq!(!!eq(0), eq(0));
        assert_eq!(!Condition::True, Condition::False);
    }

    #[test]
    fn contraries() {
        let null = |negated| Condition::IsNull { expr: Expr::Column(0), negated };
        let within = |negated| Condition::In { expr: Expr::Column(0), list: List::default(), negated };
        assert_eq!((!null(false), !null(true)), (null(true), null(false)));
        assert_eq!((!within(false), !within(true)), (within(true), within(false)));
        assert_eq!(!eq(0).and(eq(1)), Condition::Not(Box::new(eq(0).and(eq(1)))));
        assert_eq!(eq(0).and(Condition::True), eq(0));
        assert_eq!(Condition::False.and(eq(0)), Condition::False);
        assert_eq!(eq(0).or(Condition::False), eq(0));
        assert_eq!(Condition::True.or(eq(0)), Condition::True);
        assert_eq!(eq(0).and(eq(1).and(eq(2))), Condition::And(vec![eq(0), eq(1), eq(2)]));
    }

    #[test]
    fn pinned_columns_are_those_of_the_top_conjunction() {
        let null = Condition::compare(CompareOp::Eq, Expr::Column(5), Expr::Value(Value::Null));
        let condition = eq(0).and(eq(1).or(eq(2))).and(!eq(3)).and(null).and(eq(4));
        assert_eq!(condition.pinned_columns().collect::<Vec<_>>(), [0, 4]);
    }
}
