//! Orders.

use std::fmt;
use std::marker::PhantomData;

use super::Column;
use crate::ast::{Nulls, Sort};

/// One term of an order of rows of `M`: `User::name.asc()`.
#[must_use = "a sort does nothing until it is given to a query"]
pub struct SortBy<M> {
    sort: Sort,
    model: PhantomData<fn() -> M>,
}

impl<M> SortBy<M> {
    pub(crate) fn new(sort: Sort) -> SortBy<M> {
        SortBy { sort, model: PhantomData }
    }

    /// NULL before all values.
    pub fn nulls_first(mut self) -> SortBy<M> {
        self.sort.nulls = Nulls::First;
        self
    }

    /// NULL after all values.
    pub fn nulls_last(mut self) -> SortBy<M> {
        self.sort.nulls = Nulls::Last;
        self
    }
}

impl<M> Clone for SortBy<M> {
    fn clone(&self) -> SortBy<M> {
        SortBy::new(self.sort.clone())
    }
}

impl<M> fmt::Debug for SortBy<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sort.fmt(f)
    }
}

/// An order: one term, a column (ascending), or a tuple (of up to six), array or `Vec` of terms.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an order of `{M}`",
    label = "not an order of `{M}`",
    note = "orders come from columns: `Model::column.asc()`, `.desc()`"
)]
pub trait IntoSorts<M> {
    /// Adds the terms.
    fn collect(self, sorts: &mut Vec<Sort>);
}

impl<M> IntoSorts<M> for SortBy<M> {
    fn collect(self, sorts: &mut Vec<Sort>) {
        sorts.push(self.sort);
    }
}

impl<M, T> IntoSorts<M> for Column<M, T> {
    fn collect(self, sorts: &mut Vec<Sort>) {
        self.asc().collect(sorts);
    }
}

impl<M, S: IntoSorts<M>> IntoSorts<M> for Vec<S> {
    fn collect(self, sorts: &mut Vec<Sort>) {
        self.into_iter().for_each(|sort| sort.collect(sorts));
    }
}

impl<M, S: IntoSorts<M>, const N: usize> IntoSorts<M> for [S; N] {
    fn collect(self, sorts: &mut Vec<Sort>) {
        self.into_iter().for_each(|sort| sort.collect(sorts));
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<Model, $($name: IntoSorts<Model>),*> IntoSorts<Model> for ($($name,)*) {
            #[allow(non_snake_case)] // Each type parameter names its part of the tuple.
            fn collect(self, sorts: &mut Vec<Sort>) {
                let ($($name,)*) = self;
                $($name.collect(sorts);)*
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
