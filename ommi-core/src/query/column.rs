//! Typed columns and the conditions they make.

use std::fmt;
use std::marker::PhantomData;

use super::{Assign, Operand, Predicate, SortBy};
use crate::ast::{Change, CompareOp, Condition, Direction, Expr, List, Sort, TextOp};
use crate::value::{FieldType, IntoField, InvalidValue, NumericField, TextField, Value};

/// A column of `M` that holds a `T`. The derive makes one for each field: `User::email`.
pub struct Column<M, T> {
    index: u16,
    of: PhantomData<fn() -> (M, T)>,
}

impl<M, T> Column<M, T> {
    /// The column at this place of the model's schema. For generated code.
    #[doc(hidden)]
    pub const fn new(index: u16) -> Column<M, T> {
        Column { index, of: PhantomData }
    }

    /// The place of the column in its model's schema.
    pub const fn index(self) -> u16 {
        self.index
    }

    fn expr(self) -> Expr {
        Expr::Column(self.index)
    }

    fn predicate(self, condition: Result<Condition, InvalidValue>) -> Predicate<M> {
        Predicate::of(condition.map_err(|invalid| invalid.at(self.index)))
    }

    /// Least first; NULL before all values.
    pub fn asc(self) -> SortBy<M> {
        SortBy::new(Sort::new(self.expr(), Direction::Ascending))
    }

    /// Greatest first; NULL after all values.
    pub fn desc(self) -> SortBy<M> {
        SortBy::new(Sort::new(self.expr(), Direction::Descending))
    }
}

impl<M, T: FieldType> Column<M, T> {
    fn compare(self, op: CompareOp, other: impl Operand<T, M>) -> Predicate<M> {
        self.predicate(other.operand().map(|right| Condition::compare(op, self.expr(), right)))
    }

    /// Equal to this; IS NULL when it is `None`. A comparison with a column that is NULL is unknown.
    pub fn eq(self, other: impl Operand<T, M>) -> Predicate<M> {
        self.predicate(other.operand().map(|right| match right {
            Expr::Value(Value::Null) => Condition::IsNull { expr: self.expr(), negated: false },
            right => Condition::compare(CompareOp::Eq, self.expr(), right),
        }))
    }

    /// Equal to what is given, IS NULL for `None`: for `Option`s of anything that compares, such as `Option<&str>`.
    pub fn eq_opt(self, other: Option<impl Operand<T, M>>) -> Predicate<M> {
        match other {
            Some(other) => self.eq(other),
            None => self.is_null(),
        }
    }

    /// Not equal to this; IS NOT NULL when it is `None`. NULL is neither equal nor unequal to a value: rows where the
    /// column is NULL do not meet `ne(value)`.
    pub fn ne(self, other: impl Operand<T, M>) -> Predicate<M> {
        self.predicate(other.operand().map(|right| match right {
            Expr::Value(Value::Null) => Condition::IsNull { expr: self.expr(), negated: true },
            right => Condition::compare(CompareOp::Ne, self.expr(), right),
        }))
    }

    /// Less than this.
    pub fn lt(self, other: impl Operand<T, M>) -> Predicate<M> {
        self.compare(CompareOp::Lt, other)
    }

    /// Less than or equal to this.
    pub fn le(self, other: impl Operand<T, M>) -> Predicate<M> {
        self.compare(CompareOp::Le, other)
    }

    /// Greater than this.
    pub fn gt(self, other: impl Operand<T, M>) -> Predicate<M> {
        self.compare(CompareOp::Gt, other)
    }

    /// Greater than or equal to this.
    pub fn ge(self, other: impl Operand<T, M>) -> Predicate<M> {
        self.compare(CompareOp::Ge, other)
    }

    /// At least `low` and at most `high`.
    pub fn between(self, low: impl Operand<T, M>, high: impl Operand<T, M>) -> Predicate<M> {
        let condition = || Ok(Condition::Between { expr: self.expr(), low: low.operand()?, high: high.operand()? });
        self.predicate(condition())
    }

    /// Whether the column is NULL.
    pub fn is_null(self) -> Predicate<M> {
        Predicate::new(Condition::IsNull { expr: self.expr(), negated: false })
    }

    /// Whether the column holds a value.
    pub fn is_not_null(self) -> Predicate<M> {
        Predicate::new(Condition::IsNull { expr: self.expr(), negated: true })
    }

    /// Equal to one of these, of which there may be very many. False when there are none. A `None` among them finds nothing, as NULL equals
    /// nothing: ask for it with [`is_null`](Column::is_null).
    pub fn in_(self, values: impl IntoIterator<Item = impl IntoField<T>>) -> Predicate<M> {
        self.in_list(values, false)
    }

    /// Equal to none of these. True when there are none; never true when one of them is NULL.
    pub fn not_in(self, values: impl IntoIterator<Item = impl IntoField<T>>) -> Predicate<M> {
        self.in_list(values, true)
    }

    fn in_list<V: IntoField<T>>(self, values: impl IntoIterator<Item = V>, negated: bool) -> Predicate<M> {
        let list = || {
            let mut list = List::default();
            for value in values {
                let value = value.into_field().into_value()?;
                value.check()?;
                list.push(value);
            }
            Ok(list)
        };
        self.predicate(list().map(|list| match list.values().is_empty() && !list.has_null() {
            // Said as what it is: a condition that leaves nothing out must not hide from those who ask whether every row is meant.
            true if negated => Condition::True,
            true => Condition::False,
            false => Condition::In { expr: self.expr(), list, negated },
        }))
    }

    /// Sets the column to a value, or to what another column held before.
    pub fn set(self, value: impl Operand<T, M>) -> Assign<M> {
        Assign::of(self.index, value.operand().map(Change::Set))
    }
}

impl<M, T: TextField> Column<M, T> {
    fn text(self, op: TextOp, ignore_case: bool, needle: Result<Expr, InvalidValue>) -> Predicate<M> {
        self.predicate(needle.map(|needle| Condition::Text { op, ignore_case, expr: self.expr(), needle }))
    }

    /// Contains this text, letter by letter. Nothing in it has a special meaning.
    pub fn contains(self, needle: impl Operand<String, M>) -> Predicate<M> {
        self.text(TextOp::Contains, false, needle.operand())
    }

    /// Begins with this text.
    pub fn starts_with(self, needle: impl Operand<String, M>) -> Predicate<M> {
        self.text(TextOp::StartsWith, false, needle.operand())
    }

    /// Ends with this text.
    pub fn ends_with(self, needle: impl Operand<String, M>) -> Predicate<M> {
        self.text(TextOp::EndsWith, false, needle.operand())
    }

    /// Equal but for the case of the letters A to Z; all other letters are compared as they are.
    pub fn ieq(self, needle: impl Operand<String, M>) -> Predicate<M> {
        self.text(TextOp::Equals, true, needle.operand())
    }

    /// As [`contains`](Column::contains), whatever the case of the letters A to Z.
    pub fn icontains(self, needle: impl Operand<String, M>) -> Predicate<M> {
        self.text(TextOp::Contains, true, needle.operand())
    }

    /// As [`starts_with`](Column::starts_with), whatever the case of the letters A to Z.
    pub fn istarts_with(self, needle: impl Operand<String, M>) -> Predicate<M> {
        self.text(TextOp::StartsWith, true, needle.operand())
    }

    /// As [`ends_with`](Column::ends_with), whatever the case of the letters A to Z.
    pub fn iends_with(self, needle: impl Operand<String, M>) -> Predicate<M> {
        self.text(TextOp::EndsWith, true, needle.operand())
    }
}

impl<M, T: NumericField> Column<M, T> {
    /// Adds to the column in the database. NULL stays NULL; leaving the type's range is an `OutOfRange` error.
    pub fn increment(self, step: impl IntoField<T::Step>) -> Assign<M> {
        Assign::of(self.index, checked(step.into_field()).map(Change::Add))
    }

    /// Subtracts from the column in the database, likewise.
    pub fn decrement(self, step: impl IntoField<T::Step>) -> Assign<M> {
        Assign::of(self.index, checked(step.into_field()).map(Change::Subtract))
    }
}

fn checked(value: impl FieldType) -> Result<Value<'static>, InvalidValue> {
    let value = value.into_value()?;
    value.check()?;
    Ok(value)
}

impl<M, T> Clone for Column<M, T> {
    fn clone(&self) -> Column<M, T> {
        *self
    }
}

impl<M, T> Copy for Column<M, T> {}

impl<M, T> fmt::Debug for Column<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({})", self.index)
    }
}

/// One column, or a tuple of up to six, of one model.
#[diagnostic::on_unimplemented(message = "`{Self}` does not name columns of `{M}`", label = "not columns of `{M}`")]
pub trait IntoColumns<M> {
    /// Their places.
    fn into_columns(self) -> Vec<u16>;
}

impl<M, T> IntoColumns<M> for Column<M, T> {
    fn into_columns(self) -> Vec<u16> {
        vec![self.index]
    }
}

macro_rules! tuples {
    ($($ty:ident)*) => {
        impl<Model, $($ty),*> IntoColumns<Model> for ($(Column<Model, $ty>,)*) {
            #[allow(non_snake_case)] // Each type parameter names its part of the tuple.
            fn into_columns(self) -> Vec<u16> {
                let ($($ty,)*) = self;
                vec![$($ty.index),*]
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
