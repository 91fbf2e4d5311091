//! The fields of a model that lead to other models.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::batch::Links;
use super::lazy::{Lazy, Link};
use super::loaded::{Group, Many};
use crate::driver::Context;
use crate::error::{DBError, DBResult};
use crate::handle::{At, Ending, Handle};
use crate::model::Model;
use crate::pending::{Operation, Pending};

/// The row that this one refers to: `team: BelongsTo<Team>`, by the model's own reference to it; `BelongsTo<Option<Team>>` where there
/// may be none.
///
/// `T` is the model, or an `Option` of it. A row that is not there is `NotFound` in the first case and `None` in the second.
///
/// With the feature `serde` it is written as the row that is loaded, or none (`null`), and what is read is detached, whatever was written.
pub struct BelongsTo<T: One>(Lazy<T::Model>);

/// The row that refers to this one, if there is one: `profile: HasOne<Profile>`, by the other model's reference to this. Should there be
/// several, it is the first by its key.
///
/// With the feature `serde` it is written as the row that is loaded, or none (`null`), and what is read is detached, whatever was written.
pub struct HasOne<T>(Lazy<T>);

/// The rows that refer to this one: `posts: HasMany<Post>`, by the other model's reference to this; or, with an association model that
/// refers to both, `tags: HasMany<Tag, Through<UserTag>>`.
///
/// Rows come in the order of their keys, unless an include says otherwise.
///
/// With the feature `serde` it is written as a sequence of the rows that are loaded, or none (`null`) where they are not, and what is read is detached, whatever was written.
pub struct HasMany<T, V = Direct>(Lazy<T>, PhantomData<fn() -> V>);

/// Nothing stands between: the other model refers to this one.
#[derive(Debug, Clone, Copy)]
pub struct Direct;

/// An association model stands between, which refers to both sides.
pub struct Through<A>(PhantomData<fn() -> A>);

impl<A> fmt::Debug for Through<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Through")
    }
}

/// What [`BelongsTo`] leads to: a model, or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model, nor an `Option` of one",
    label = "a relation leads to a model",
    note = "write `BelongsTo<Team>`, or `BelongsTo<Option<Team>>` where there may be none"
)]
pub trait One: Send + Sync + 'static {
    /// The model.
    type Model: Model;
    /// What a load gives.
    type Loaded<'a>: Send;

    /// Whether a row that is not there is an error.
    #[doc(hidden)]
    const REQUIRED: bool;

    /// The row that was found, or that there is none.
    #[doc(hidden)]
    fn found<'a>(row: Option<&'a Self::Model>, missing: &dyn Fn() -> DBError) -> DBResult<Self::Loaded<'a>>;
}

impl<M: Model> One for M {
    type Model = M;
    type Loaded<'a> = &'a M;

    const REQUIRED: bool = true;

    fn found<'a>(row: Option<&'a M>, missing: &dyn Fn() -> DBError) -> DBResult<&'a M> {
        row.ok_or_else(missing)
    }
}

impl<M: Model> One for Option<M> {
    type Model = M;
    type Loaded<'a> = Option<&'a M>;

    const REQUIRED: bool = false;

    fn found<'a>(row: Option<&'a M>, _: &dyn Fn() -> DBError) -> DBResult<Option<&'a M>> {
        Ok(row)
    }
}

/// What stands between the two sides of a [`HasMany`].
pub trait Via: Send + Sync + 'static {
    /// What a load gives.
    type Loaded<'a, T: Model>: Send;

    /// Whether one row can belong to several.
    #[doc(hidden)]
    const SHARED: bool;

    /// The rows.
    #[doc(hidden)]
    fn found<T: Model>(group: Found<'_, T>) -> Self::Loaded<'_, T>;
}

/// The related rows of one row.
#[doc(hidden)]
pub struct Found<'a, T>(Group<'a, T>);

impl Via for Direct {
    type Loaded<'a, T: Model> = &'a [T];

    const SHARED: bool = false;

    fn found<T: Model>(group: Found<'_, T>) -> &[T] {
        group.0.rows()
    }
}

impl<A: Model> Via for Through<A> {
    type Loaded<'a, T: Model> = Many<'a, T>;

    const SHARED: bool = true;

    fn found<T: Model>(group: Found<'_, T>) -> Many<'_, T> {
        group.0.many()
    }
}

/// A field that leads to another model.
pub trait RelationField: Clone + Default + Send + Sync + 'static {
    /// The other model.
    type Target: Model;
    /// What a load gives.
    type Loaded<'a>: Send;

    /// Whether there is one related row at most.
    #[doc(hidden)]
    const SINGLE: bool;

    /// Whether a row that is not there is an error. Such an answer is not kept.
    #[doc(hidden)]
    const REQUIRED: bool = false;

    #[doc(hidden)]
    fn lazy(&self) -> &Lazy<Self::Target>;

    #[doc(hidden)]
    fn lazy_mut(&mut self) -> &mut Lazy<Self::Target>;

    #[doc(hidden)]
    fn found<'a>(&self, group: Found<'a, Self::Target>) -> DBResult<Self::Loaded<'a>>;

    #[doc(hidden)]
    #[inline(always)]
    fn set_link(&mut self, link: Link) {
        self.lazy_mut().set_link(link);
    }

    /// The field of a row that is being made.
    #[doc(hidden)]
    #[inline(always)]
    fn linked(links: &Links, slot: u16) -> Self {
        Self::of(Lazy::new(links.link(slot)))
    }

    #[doc(hidden)]
    fn of(lazy: Lazy<Self::Target>) -> Self;

    /// Puts rows there that were just added, in the transaction of this ending.
    #[doc(hidden)]
    fn put(&mut self, rows: Vec<Self::Target>, ending: Option<Arc<Ending>>) {
        self.lazy_mut().set(rows, ending);
    }

    #[doc(hidden)]
    fn relink(&mut self, key: super::Key) {
        self.lazy_mut().relink(key);
    }
}

impl<T: One> RelationField for BelongsTo<T> {
    type Target = T::Model;
    type Loaded<'a> = T::Loaded<'a>;

    const SINGLE: bool = true;
    const REQUIRED: bool = T::REQUIRED;

    fn lazy(&self) -> &Lazy<T::Model> {
        &self.0
    }

    #[inline(always)]
    fn of(lazy: Lazy<T::Model>) -> Self {
        BelongsTo(lazy)
    }

    #[inline]
    fn lazy_mut(&mut self) -> &mut Lazy<T::Model> {
        &mut self.0
    }

    fn found<'a>(&self, group: Found<'a, T::Model>) -> DBResult<T::Loaded<'a>> {
        T::found(group.0.first(), &|| self.0.missing())
    }
}

impl<T: Model> RelationField for HasOne<T> {
    type Target = T;
    type Loaded<'a> = Option<&'a T>;

    const SINGLE: bool = true;

    #[inline(always)]
    fn of(lazy: Lazy<T>) -> Self {
        HasOne(lazy)
    }

    fn lazy(&self) -> &Lazy<T> {
        &self.0
    }

    #[inline]
    fn lazy_mut(&mut self) -> &mut Lazy<T> {
        &mut self.0
    }

    fn found<'a>(&self, group: Found<'a, T>) -> DBResult<Option<&'a T>> {
        Ok(group.0.first())
    }
}

impl<T: Model, V: Via> RelationField for HasMany<T, V> {
    type Target = T;
    type Loaded<'a> = V::Loaded<'a, T>;

    const SINGLE: bool = false;

    #[inline(always)]
    fn of(lazy: Lazy<T>) -> Self {
        HasMany(lazy, PhantomData)
    }

    fn lazy(&self) -> &Lazy<T> {
        &self.0
    }

    #[inline]
    fn lazy_mut(&mut self) -> &mut Lazy<T> {
        &mut self.0
    }

    fn found<'a>(&self, group: Found<'a, T>) -> DBResult<V::Loaded<'a, T>> {
        Ok(V::found(group))
    }

    fn put(&mut self, rows: Vec<T>, ending: Option<Arc<Ending>>) {
        match V::SHARED {
            true => self.0.set_shared(rows, ending),
            false => self.0.set(rows, ending),
        }
    }
}

/// Loads by the key that the row has now.
pub(super) async fn load_by<'a, F: RelationField>(
    field: &'a F,
    at: At<'_>,
    key: super::Key,
    context: &Context,
) -> DBResult<F::Loaded<'a>> {
    field.found(Found(field.lazy().load_by(at, key, F::REQUIRED, context).await?))
}

macro_rules! verbs {
    ([$($generics:tt)*] $field:ty, $loaded:ty) => {
        impl<$($generics)*> $field {
            /// What belongs to the row. Rows that came from one query load together: the first load, on any of them, fetches for all in one
            /// statement (in two through an association model), and the others answer from that without asking. It goes by the references
            /// as they were read; [`load`](crate::relation::LoadRelation::load) on the struct goes by those that it has now.
            ///
            /// What is loaded stays: later changes in the database do not show before [`refresh`](Self::refresh). A load that failed is not
            /// kept, nor that a row was not there which has to be: where it was missed once, the next load asks for it again, for this row alone.
            /// What was loaded in a transaction that was rolled back is loaded again outside of it.
            ///
            /// Who waits for another's load waits until that has ended, or until its own time is up.
            pub fn load<'a>(
                &'a self,
                db: &(impl Handle + ?Sized),
            ) -> Pending<impl Operation<Output = DBResult<$loaded>, Future: Send> + Send> {
                let at = db.at();
                Pending::new(move |options| async move {
                    let context = at.context(options);
                    self.found(Found(self.0.load(at, Self::REQUIRED, &context).await?))
                })
            }

            /// As [`load`](Self::load), for this row and no other.
            pub fn load_alone<'a>(
                &'a self,
                db: &(impl Handle + ?Sized),
            ) -> Pending<impl Operation<Output = DBResult<$loaded>, Future: Send> + Send> {
                let at = db.at();
                Pending::new(move |options| async move {
                    let context = at.context(options);
                    self.found(Found(self.0.load_alone(at, Self::REQUIRED, &context).await?))
                })
            }

            /// Loads again, for this row alone.
            pub fn refresh<'a>(
                &'a mut self,
                db: &(impl Handle + ?Sized),
            ) -> Pending<impl Operation<Output = DBResult<$loaded>, Future: Send> + Send> {
                let at = db.at();
                Pending::new(move |options| async move {
                    let context = at.context(options);
                    self.0.refresh(at, Self::REQUIRED, &context).await?;
                    self.found(Found(self.0.get().unwrap_or(Group::none())))
                })
            }

            /// Whether it is loaded.
            pub fn is_loaded(&self) -> bool {
                self.0.get().is_some()
            }

            /// Forgets what is loaded. The next load is for this row alone.
            pub fn forget(&mut self) {
                self.0.forget();
            }
        }
    };
}

verbs!([T: One] BelongsTo<T>, T::Loaded<'a>);
verbs!([T: Model] HasOne<T>, Option<&'a T>);
verbs!([T: Model, V: Via] HasMany<T, V>, V::Loaded<'a, T>);

impl<T: One> BelongsTo<T> {
    /// The row, if it is loaded and there is one.
    pub fn get(&self) -> Option<&T::Model> {
        self.0.get()?.first()
    }

    /// Puts a row there, as if it had been loaded. It changes no reference.
    pub fn set(&mut self, row: impl Into<Option<T::Model>>) {
        self.0.set(row.into().into_iter().collect(), None);
    }

    /// Takes out what is loaded; the next load asks again, for this row alone.
    pub fn take(&mut self) -> Option<T::Model>
    where
        T::Model: Clone,
    {
        let row = self.get().cloned();
        self.forget();
        row
    }
}

impl<T: Model> HasOne<T> {
    /// The row, if it is loaded and there is one.
    pub fn get(&self) -> Option<&T> {
        self.0.get()?.first()
    }

    /// Puts a row there, as if it had been loaded. It changes nothing in the database.
    pub fn set(&mut self, row: impl Into<Option<T>>) {
        self.0.set(row.into().into_iter().collect(), None);
    }

    /// Takes out what is loaded; the next load asks again, for this row alone.
    pub fn take(&mut self) -> Option<T>
    where
        T: Clone,
    {
        let row = self.get().cloned();
        self.forget();
        row
    }
}

impl<T: Model> HasMany<T> {
    /// The rows, if they are loaded.
    pub fn get(&self) -> Option<&[T]> {
        Some(self.0.get()?.rows())
    }

    /// Puts rows there, as if they had been loaded. It changes nothing in the database.
    pub fn set(&mut self, rows: Vec<T>) {
        self.0.set(rows, None);
    }

    /// Takes out what is loaded; the next load asks again, for this row alone.
    pub fn take(&mut self) -> Option<Vec<T>>
    where
        T: Clone,
    {
        let rows = self.get().map(<[T]>::to_vec);
        self.forget();
        rows
    }
}

impl<T: Model, A: Model> HasMany<T, Through<A>> {
    /// The rows, if they are loaded.
    pub fn get(&self) -> Option<Many<'_, T>> {
        Some(self.0.get()?.many())
    }

    /// Puts rows there, as if they had been loaded. It changes nothing in the database.
    pub fn set(&mut self, rows: Vec<T>) {
        self.0.set_shared(rows, None);
    }

    /// Takes out what is loaded; the next load asks again, for this row alone.
    pub fn take(&mut self) -> Option<Vec<T>>
    where
        T: Clone,
    {
        let rows = self.get().map(|rows| rows.iter().cloned().collect());
        self.forget();
        rows
    }
}

macro_rules! as_fields_are {
    ([$($generics:tt)*] $field:ty, $name:literal, $make:expr, |$clone:ident| $cloned:expr) => {
        impl<$($generics)*> Default for $field {
            fn default() -> Self {
                $make
            }
        }

        impl<$($generics)*> Clone for $field {
            fn clone(&self) -> Self {
                let $clone = self;
                $cloned
            }
        }

        /// Relations are no part of what a row is: they are all equal.
        impl<$($generics)*> PartialEq for $field {
            fn eq(&self, _: &Self) -> bool {
                true
            }
        }

        impl<$($generics)*> Eq for $field {}

        impl<$($generics)*> std::hash::Hash for $field {
            fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
        }

        /// Says whether it is loaded, and shows no rows.
        impl<$($generics)*> fmt::Debug for $field {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($name)?;
                f.write_str(if self.is_loaded() { "(loaded)" } else { "(not loaded)" })
            }
        }
    };
}

as_fields_are!([T: One] BelongsTo<T>, "BelongsTo", BelongsTo(Lazy::default()), |it| BelongsTo(it.0.clone()));
as_fields_are!([T: Model] HasOne<T>, "HasOne", HasOne(Lazy::default()), |it| HasOne(it.0.clone()));
as_fields_are!(
    [T: Model, V: Via] HasMany<T, V>,
    "HasMany",
    HasMany(Lazy::default(), PhantomData),
    |it| HasMany(it.0.clone(), PhantomData)
);
