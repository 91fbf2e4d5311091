//! Adding rows together with those that belong to them: `new!(User { name: "Ann", posts: [{ title: "Hello" }] })`.
//!
//! Level by level: first the rows that the new ones refer to, then the new ones, then those that refer to them. Each level of a relation is
//! one insert, whatever the number of rows above it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};

use super::fields::RelationField;
use super::required::{check_added, check_nested};
use super::{RelationInfo, ThroughInfo};
use crate::driver::Context;
use crate::error::{DBError, DBResult};
use crate::handle::{At, Ending, add_rows};
use crate::model::Model;
use crate::new_row::NewRow;
use crate::value::Value;

/// New rows of `T` in the draft of a row of `M`, for the relation at this place of the model's.
pub struct NewRelated<M, T: Model, const SLOT: u16> {
    rows: Vec<T::Draft>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model, T: Model, const SLOT: u16> NewRelated<M, T, SLOT> {
    /// Gives the related rows that are to be added with this one.
    pub fn set(&mut self, rows: impl IntoNewRelated<T>) {
        const { check_added::<M>(SLOT) };
        self.rows = rows.into_drafts();
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A new row that will be given these columns. Called by `new!`.
    #[doc(hidden)]
    pub fn nested<G: GivenColumns>(&self) -> T::Draft {
        const { check_added::<M>(SLOT) };
        const { check_nested::<M, T>(G::NAMES) };
        T::Draft::default()
    }

    /// Adds one to those that are to be added. Called by `new!`.
    #[doc(hidden)]
    pub fn push(&mut self, draft: T::Draft) {
        self.rows.push(draft);
    }
}

/// The names of the columns that a literal gives.
#[doc(hidden)]
pub trait GivenColumns {
    /// The names.
    const NAMES: &'static [&'static str];
}

impl<M, T: Model, const SLOT: u16> Default for NewRelated<M, T, SLOT> {
    fn default() -> Self {
        NewRelated { rows: Vec::new(), model: PhantomData }
    }
}

impl<M, T: Model, const SLOT: u16> Clone for NewRelated<M, T, SLOT> {
    fn clone(&self) -> Self {
        NewRelated { rows: self.rows.clone(), model: PhantomData }
    }
}

impl<M, T: Model, const SLOT: u16> fmt::Debug for NewRelated<M, T, SLOT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} rows>", self.rows.len())
    }
}

/// What a relation of a draft takes: one draft, an `Option`, an array or a `Vec` of drafts.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a new row of `{T}`, nor several of them",
    note = "related rows are given as `{{ column: value }}` or `[{{ .. }}, {{ .. }}]`, or as drafts"
)]
pub trait IntoNewRelated<T: Model> {
    /// The drafts.
    #[doc(hidden)]
    fn into_drafts(self) -> Vec<T::Draft>;
}

impl<T: Model, D: NewRow<Model = T> + Into<T::Draft>> IntoNewRelated<T> for D {
    fn into_drafts(self) -> Vec<T::Draft> {
        vec![self.into()]
    }
}

impl<T: Model, D: NewRow<Model = T> + Into<T::Draft>> IntoNewRelated<T> for Option<D> {
    fn into_drafts(self) -> Vec<T::Draft> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Model, D: NewRow<Model = T> + Into<T::Draft>> IntoNewRelated<T> for Vec<D> {
    fn into_drafts(self) -> Vec<T::Draft> {
        self.into_iter().map(Into::into).collect()
    }
}

impl<T: Model, D: NewRow<Model = T> + Into<T::Draft>, const N: usize> IntoNewRelated<T> for [D; N] {
    fn into_drafts(self) -> Vec<T::Draft> {
        self.into_iter().map(Into::into).collect()
    }
}

/// The rows that are to be added before and after those of a model.
#[doc(hidden)]
pub struct Nested<D: NewRow> {
    before: Vec<Box<dyn Before<D>>>,
    after: Vec<Box<dyn After<D::Model>>>,
}

impl<D: NewRow> fmt::Debug for Nested<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nested({} before, {} after)", self.before.len(), self.after.len())
    }
}

impl<D: NewRow> Default for Nested<D> {
    fn default() -> Self {
        Nested { before: Vec::new(), after: Vec::new() }
    }
}

type Slots<D, M, T, const SLOT: u16> = fn(&mut D) -> &mut NewRelated<M, T, SLOT>;
type Field<M, F> = fn(&mut M) -> &mut F;

impl<D: NewRow + 'static> Nested<D> {
    /// Takes the rows of a relation out of drafts.
    #[doc(hidden)]
    pub fn take<F: RelationField, const SLOT: u16>(
        &mut self,
        drafts: &mut [D],
        relation: &'static RelationInfo,
        slot: Slots<D, D::Model, F::Target, SLOT>,
        field: Field<D::Model, F>,
    ) {
        let mut rows = Vec::new();
        for (place, draft) in drafts.iter_mut().enumerate() {
            rows.extend(std::mem::take(&mut slot(draft).rows).into_iter().map(|row| (place, row)));
        }
        if rows.is_empty() {
            return;
        }
        let related = Related { relation, rows, field };
        match relation.owned {
            true => self.before.push(Box::new(related)),
            false => self.after.push(Box::new(related)),
        }
    }
}

/// Adds what rows refer to, before them. What it gives puts that into their fields, once they are there.
trait Before<D: NewRow>: Send {
    fn run<'a>(
        self: Box<Self>,
        drafts: &'a mut [D],
        at: At<'a>,
        context: &'a Context,
    ) -> BoxFuture<'a, DBResult<Box<dyn Put<D::Model>>>>;
}

/// Adds what refers to rows, after them.
trait After<M>: Send {
    fn run<'a>(self: Box<Self>, rows: &'a mut [M], at: At<'a>, context: &'a Context) -> BoxFuture<'a, DBResult<()>>;
}

/// Puts rows into the fields of others, as what was seen in the transaction of this ending.
trait Put<M>: Send {
    fn put(self: Box<Self>, rows: &mut [M], ending: Option<&Arc<Ending>>);
}

struct Related<M, F: RelationField> {
    relation: &'static RelationInfo,
    /// Each with the place of the row that it belongs to.
    rows: Vec<(usize, <F::Target as Model>::Draft)>,
    field: Field<M, F>,
}

struct Added<M, F: RelationField> {
    rows: Vec<(usize, F::Target)>,
    field: Field<M, F>,
}

impl<M: Model, F: RelationField> Put<M> for Added<M, F> {
    fn put(self: Box<Self>, rows: &mut [M], ending: Option<&Arc<Ending>>) {
        let mut of_row: Vec<(usize, Vec<F::Target>)> = Vec::new();
        for (place, row) in self.rows {
            match of_row.last_mut() {
                Some((last, rows)) if *last == place => rows.push(row),
                _ => of_row.push((place, vec![row])),
            }
        }
        for (place, related) in of_row {
            if let Some(row) = rows.get_mut(place) {
                (self.field)(row).put(related, ending.cloned());
            }
        }
    }
}

impl<D: NewRow, F: RelationField> Before<D> for Related<D::Model, F> {
    fn run<'a>(
        self: Box<Self>,
        drafts: &'a mut [D],
        at: At<'a>,
        context: &'a Context,
    ) -> BoxFuture<'a, DBResult<Box<dyn Put<D::Model>>>> {
        async move {
            let Related { relation, rows, field } = *self;
            let (places, targets): (Vec<usize>, Vec<_>) = rows.into_iter().unzip();
            check_single::<F>(relation, &places)?;
            let added = add(targets, at, context).await?;
            for (&place, target) in places.iter().zip(&added) {
                if let Some(draft) = drafts.get_mut(place) {
                    refer(relation, draft, relation.near, target, relation.far)?;
                }
            }
            let rows = places.into_iter().zip(added).collect();
            Ok(Box::new(Added { rows, field }) as Box<dyn Put<D::Model>>)
        }
        .boxed()
    }
}

impl<M: Model, F: RelationField> After<M> for Related<M, F> {
    fn run<'a>(self: Box<Self>, rows: &'a mut [M], at: At<'a>, context: &'a Context) -> BoxFuture<'a, DBResult<()>> {
        async move {
            let Related { relation, rows: related, field } = *self;
            let (places, mut drafts): (Vec<usize>, Vec<_>) = related.into_iter().unzip();
            check_single::<F>(relation, &places)?;
            let added = match &relation.through {
                None => {
                    for (&place, draft) in places.iter().zip(&mut drafts) {
                        if let Some(row) = rows.get(place) {
                            refer(relation, draft, relation.far, row, relation.near)?;
                        }
                    }
                    add(drafts, at, context).await?
                }
                Some(through) => {
                    let added = add(drafts, at, context).await?;
                    let mut pairs = Vec::with_capacity(added.len());
                    for (&place, target) in places.iter().zip(&added) {
                        if let Some(row) = rows.get(place) {
                            let near = relation.far.iter().zip(relation.near);
                            let near = near.map(|(&column, &near)| Ok((column, key_part(relation, row, near)?)));
                            pairs.push(pair(relation, through, near.collect::<DBResult<_>>()?, target)?);
                        }
                    }
                    (through.add)(pairs, at, context).await?;
                    added
                }
            };
            let rows_of = places.into_iter().zip(added).collect();
            Box::new(Added { rows: rows_of, field }).put(rows, at.ending);
            Ok(())
        }
        .boxed()
    }
}

/// Refuses several rows for a field that takes one.
fn check_single<F: RelationField>(relation: &RelationInfo, places: &[usize]) -> DBResult<()> {
    match F::SINGLE && places.windows(2).any(|pair| pair.first() == pair.last()) {
        true => Err(DBError::query(format!("`{}` takes one row", relation.full_name()))),
        false => Ok(()),
    }
}

/// Gives the columns of a draft the values of those of a row.
fn refer<D: NewRow, M: Model>(
    relation: &RelationInfo,
    draft: &mut D,
    columns: &[u16],
    row: &M,
    of: &[u16],
) -> DBResult<()> {
    for (&column, &other) in columns.iter().zip(of) {
        set(draft, column, key_part(relation, row, other)?)?;
    }
    Ok(())
}

/// A part of the key that rows belong together by.
fn key_part<M: Model>(relation: &RelationInfo, row: &M, column: u16) -> DBResult<Value<'static>> {
    match value_of(row, column)? {
        Value::Null => Err(null_key(relation)),
        value => Ok(value),
    }
}

/// A row was to belong to another by a key that is NULL.
pub(super) fn null_key(relation: &RelationInfo) -> DBError {
    DBError::query(format!("nothing can belong to `{}` by a key that is NULL", relation.full_name()))
}

/// Gives a column of a draft a value.
pub(super) fn set<D: NewRow>(draft: &mut D, column: u16, value: Value<'_>) -> DBResult<()> {
    draft.refer(column, value).map_err(|failure| {
        let schema = D::Model::schema();
        let field = schema.column(column).map(|column| &*column.field);
        DBError::invalid_value(Some(&schema.name), field)
            .with_detail(format!("the other row's column holds {}, and this takes {}", failure.found, failure.expected))
    })
}

/// The values of an association's row that lead to one row, with those that lead to another. What both references hold must be the same for both.
pub(super) fn pair<T: Model>(
    relation: &RelationInfo,
    through: &ThroughInfo,
    mut values: Vec<(u16, Value<'static>)>,
    target: &T,
) -> DBResult<Vec<(u16, Value<'static>)>> {
    for (&column, &far) in through.near.iter().zip(through.far) {
        let value = key_part(relation, target, far)?;
        match values.iter().find(|(known, _)| *known == column) {
            None => values.push((column, value)),
            Some((_, known)) if *known == value => {}
            Some(_) => {
                let schema = (through.schema)();
                let name = schema.column(column).map_or("?", |column| &*column.field);
                return Err(DBError::query(format!(
                    "the two rows of `{}` differ in `{}.{name}`, which is part of both references",
                    relation.full_name(),
                    schema.name,
                )));
            }
        }
    }
    Ok(values)
}

fn value_of<M: Model>(row: &M, column: u16) -> DBResult<Value<'static>> {
    let value = row.value_of(column).map_err(|invalid| DBError::invalid_query(&M::schema(), &invalid.at(column)))?;
    Ok(value.into_owned())
}

/// Adds rows of an association model that have these values and no others.
pub(super) fn associate<'a, A: Model>(
    pairs: Vec<Vec<(u16, Value<'static>)>>,
    at: At<'a>,
    context: &'a Context,
) -> BoxFuture<'a, DBResult<()>> {
    async move {
        let mut drafts = Vec::with_capacity(pairs.len());
        for values in pairs {
            let mut draft = A::Draft::default();
            for (column, value) in values {
                set(&mut draft, column, value)?;
            }
            drafts.push(draft);
        }
        add_rows(at, drafts, context).await.map(drop)
    }
    .boxed()
}

/// Adds rows with all that is nested in them. Only inside of a transaction, since it takes several statements.
pub(crate) fn add<'a, D: NewRow + 'a>(
    mut drafts: Vec<D>,
    at: At<'a>,
    context: &'a Context,
) -> BoxFuture<'a, DBResult<Vec<D::Model>>> {
    async move {
        let Nested { before, after } = D::nested(&mut drafts);
        let mut puts = Vec::with_capacity(before.len());
        for related in before {
            puts.push(related.run(&mut drafts, at, context).await?);
        }
        let mut rows = add_rows(at, drafts, context).await?;
        for put in puts {
            put.put(&mut rows, at.ending);
        }
        for related in after {
            related.run(&mut rows, at, context).await?;
        }
        Ok(rows)
    }
    .boxed()
}
