//! Changes to rows.

use std::fmt;
use std::marker::PhantomData;

use crate::ast::{Assignment, Change};
use crate::value::InvalidValue;

/// A change to one column of `M`: `User::name.set("Ann")`, `User::visits.increment(1)`.
#[must_use = "a change does nothing until it is given to `update`"]
pub struct Assign<M> {
    assignment: Result<Assignment, InvalidValue>,
    model: PhantomData<fn() -> M>,
}

impl<M> Assign<M> {
    pub(crate) fn of(column: u16, change: Result<Change, InvalidValue>) -> Assign<M> {
        let assignment = change.map(|change| Assignment::new(column, change)).map_err(|invalid| invalid.at(column));
        Assign { assignment, model: PhantomData }
    }
}

impl<M> Clone for Assign<M> {
    fn clone(&self) -> Assign<M> {
        Assign { assignment: self.assignment.clone(), model: PhantomData }
    }
}

impl<M> fmt::Debug for Assign<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.assignment.fmt(f)
    }
}

/// Changes: one, or a tuple (of up to eight), array or `Vec` of them; an optional one that is `None` changes nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a change to `{M}`",
    label = "not a change to `{M}`",
    note = "changes come from columns: `Model::column.set(value)`, `.increment(1)`"
)]
pub trait IntoAssignments<M> {
    /// Adds the changes.
    ///
    /// # Errors
    /// [`InvalidValue`] for a value that no column can hold.
    fn collect(self, assignments: &mut Vec<Assignment>) -> Result<(), InvalidValue>;
}

impl<M> IntoAssignments<M> for Assign<M> {
    fn collect(self, assignments: &mut Vec<Assignment>) -> Result<(), InvalidValue> {
        assignments.push(self.assignment?);
        Ok(())
    }
}

impl<M, A: IntoAssignments<M>> IntoAssignments<M> for Option<A> {
    fn collect(self, assignments: &mut Vec<Assignment>) -> Result<(), InvalidValue> {
        self.map_or(Ok(()), |one| one.collect(assignments))
    }
}

impl<M, A: IntoAssignments<M>> IntoAssignments<M> for Vec<A> {
    fn collect(self, assignments: &mut Vec<Assignment>) -> Result<(), InvalidValue> {
        self.into_iter().try_for_each(|one| one.collect(assignments))
    }
}

impl<M, A: IntoAssignments<M>, const N: usize> IntoAssignments<M> for [A; N] {
    fn collect(self, assignments: &mut Vec<Assignment>) -> Result<(), InvalidValue> {
        self.into_iter().try_for_each(|one| one.collect(assignments))
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<Model, $($name: IntoAssignments<Model>),*> IntoAssignments<Model> for ($($name,)*) {
            #[allow(non_snake_case)] // Each type parameter names its part of the tuple.
            fn collect(self, assignments: &mut Vec<Assignment>) -> Result<(), InvalidValue> {
                let ($($name,)*) = self;
                $($name.collect(assignments)?;)*
                Ok(())
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
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
