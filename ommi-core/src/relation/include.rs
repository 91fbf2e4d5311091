//! Relations that are loaded with the rows of a query.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt, try_join_all};

use super::RelationInfo;
use super::batch::Batch;
use super::fields::{HasMany, RelationField, Via};
use super::key::KeySource;
use super::load::{self, Narrow};
use super::typed::Relation;
use crate::driver::Context;
use crate::error::{DBError, DBResult};
use crate::handle::At;
use crate::model::Model;
use crate::query::{IntoPredicate, IntoSorts, Problem};

/// A relation to be loaded with the rows of a query, and what of it: `User::posts.sort(Post::id.desc()).limit(3)`.
#[must_use = "an include does nothing until it is given to a query"]
pub struct Include<M, F: RelationField> {
    relation: Relation<M, F>,
    narrow: Narrow,
    problem: Option<Box<Problem>>,
    nested: Vec<Included<F::Target>>,
}

impl<M: Model, F: RelationField> Include<M, F> {
    pub(super) fn new(relation: Relation<M, F>) -> Include<M, F> {
        Include { relation, narrow: Narrow::default(), problem: None, nested: Vec::new() }
    }

    /// Loads relations of the related rows too.
    pub fn include(mut self, includes: impl IntoIncludes<F::Target>) -> Include<M, F> {
        includes.collect(&mut self.nested);
        self
    }

    /// This, and another include of the same relation. A row holds what was loaded of a relation once, so both must ask for the same rows.
    fn and(mut self, other: Include<M, F>) -> Include<M, F> {
        self.problem = self.problem.or(other.problem);
        if self.narrow != other.narrow && self.problem.is_none() {
            let relation = self.relation.info().map_or_else(|_| "a relation".to_owned(), RelationInfo::full_name);
            let error = DBError::query(format!(
                "`{relation}` is included twice, with different conditions, orders or limits; a row can hold it once"
            ));
            self.problem = Some(Box::new(Problem::Elsewhere(error)));
        }
        for include in other.nested {
            include.join(&mut self.nested);
        }
        self
    }
}

impl<M: Model, T: Model, V: Via> Include<M, HasMany<T, V>> {
    /// Only the related rows that meet this condition too.
    pub fn filter(mut self, predicate: impl IntoPredicate<T>) -> Self {
        let predicate = predicate.into_predicate();
        self.narrow.filter = self.narrow.filter.and(predicate.condition);
        self.problem = self.problem.or(predicate.problem);
        self
    }

    /// In this order; the key decides what it leaves open.
    pub fn sort(mut self, sorts: impl IntoSorts<T>) -> Self {
        sorts.collect(&mut self.narrow.sort);
        self
    }

    /// At most so many related rows of each row.
    pub fn limit(mut self, rows: u64) -> Self {
        self.narrow.limit = Some(rows);
        self
    }

    /// After leaving out so many of each row.
    pub fn offset(mut self, rows: u64) -> Self {
        self.narrow.offset = Some(rows);
        self
    }
}

impl<M, F: RelationField> Clone for Include<M, F> {
    fn clone(&self) -> Self {
        Include {
            relation: self.relation,
            narrow: self.narrow.clone(),
            problem: self.problem.clone(),
            nested: self.nested.clone(),
        }
    }
}

impl<M, F: RelationField> fmt::Debug for Include<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Include")
            .field("relation", &self.relation)
            .field("narrow", &self.narrow)
            .field("nested", &self.nested)
            .finish()
    }
}

/// An include whose relation's type is no longer known.
#[doc(hidden)]
pub type Included<M> = Arc<dyn Load<M>>;

/// Loads a relation for a batch of rows of `M`.
#[doc(hidden)]
pub trait Load<M>: fmt::Debug + Send + Sync {
    /// For those who look for an include of the same relation.
    fn as_any(&self) -> &dyn Any;

    /// Adds it to others, as [`IntoIncludes::collect`] does.
    fn join(&self, includes: &mut Vec<Included<M>>);

    /// Nothing, or what is wrong with it.
    fn usable(&self) -> DBResult<()>;

    /// Loads it, and what is nested in it.
    fn load<'a>(&'a self, at: At<'a>, batch: &'a Batch, context: &'a Context) -> BoxFuture<'a, DBResult<()>>;
}

impl<M: Model, F: RelationField> Load<M> for Include<M, F> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn join(&self, includes: &mut Vec<Included<M>>) {
        self.clone().collect(includes);
    }

    fn usable(&self) -> DBResult<()> {
        if let Some(problem) = &self.problem {
            return Err(problem.error(&F::Target::schema()));
        }
        self.nested.iter().try_for_each(|include| include.usable())
    }

    fn load<'a>(&'a self, at: At<'a>, batch: &'a Batch, context: &'a Context) -> BoxFuture<'a, DBResult<()>> {
        async move {
            let info = self.relation.info().map_err(|invalid| DBError::query(invalid.to_string()))?;
            let (Some(keys), Some(chain)) = (batch.keys(), batch.chain(self.relation.slot())) else {
                return Ok(());
            };
            let keys = KeySource::Many(keys, info.near);
            let (loaded, batches) = load::fetch::<F::Target>(at, info, keys, &self.narrow, context).await?;
            for batch in &batches {
                load_all(&self.nested, at, batch, context).await?;
            }
            chain.push(loaded, None, at.ending.cloned());
            Ok(())
        }
        .boxed()
    }
}

/// Loads several relations for a batch: at the same time, but in a transaction, whose statements take turns, one after the other.
pub(crate) async fn load_all<M>(
    includes: &[Included<M>],
    at: At<'_>,
    batch: &Batch,
    context: &Context,
) -> DBResult<()> {
    if at.ending.is_some() || includes.len() < 2 {
        for include in includes {
            include.load(at, batch, context).await?;
        }
        return Ok(());
    }
    try_join_all(includes.iter().map(|include| include.load(at, batch, context))).await.map(drop)
}

/// What is given to `include`: a relation, one with its conditions and order, or a tuple (of up to six), array, `Vec` or `Option` of
/// those.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a relation of `{M}`",
    label = "not a relation of `{M}`",
    note = "relations come from fields: `Model::posts`, `Model::posts.sort(..).limit(3)`"
)]
pub trait IntoIncludes<M> {
    /// Adds them.
    #[doc(hidden)]
    fn collect(self, includes: &mut Vec<Included<M>>);
}

impl<M: Model, F: RelationField> IntoIncludes<M> for Relation<M, F> {
    fn collect(self, includes: &mut Vec<Included<M>>) {
        Include::new(self).collect(includes);
    }
}

impl<M: Model, F: RelationField> IntoIncludes<M> for Include<M, F> {
    fn collect(self, includes: &mut Vec<Included<M>>) {
        // Loaded twice it would be there once all the same, as whichever came last left it.
        for include in includes.iter_mut() {
            let other = include.as_any().downcast_ref::<Include<M, F>>();
            if let Some(other) = other.filter(|other| other.relation.slot() == self.relation.slot()) {
                *include = Arc::new(other.clone().and(self));
                return;
            }
        }
        includes.push(Arc::new(self));
    }
}

impl<M, I: IntoIncludes<M>> IntoIncludes<M> for Option<I> {
    fn collect(self, includes: &mut Vec<Included<M>>) {
        if let Some(include) = self {
            include.collect(includes);
        }
    }
}

impl<M, I: IntoIncludes<M>> IntoIncludes<M> for Vec<I> {
    fn collect(self, includes: &mut Vec<Included<M>>) {
        self.into_iter().for_each(|include| include.collect(includes));
    }
}

impl<M, I: IntoIncludes<M>, const N: usize> IntoIncludes<M> for [I; N] {
    fn collect(self, includes: &mut Vec<Included<M>>) {
        self.into_iter().for_each(|include| include.collect(includes));
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<Model, $($name: IntoIncludes<Model>),*> IntoIncludes<Model> for ($($name,)*) {
            #[allow(non_snake_case)] // Each type parameter names its part of the tuple.
            fn collect(self, includes: &mut Vec<Included<Model>>) {
                let ($($name,)*) = self;
                $($name.collect(includes);)*
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
