//! The inside of a relation's field: which row it belongs to, and how its related rows are found.

use std::marker::PhantomData;
use std::sync::Arc;

use futures::lock::{Mutex, MutexGuard};

use super::batch::Batch;
use super::chain::Chain;
use super::key::{Key, KeySource};
use super::load::{self, Narrow};
use super::loaded::Group;
use super::missing::{missing, own_key};
use super::strict::Counted;
use super::{Loaded, RelationInfo};
use crate::driver::Context;
use crate::error::{DBError, DBResult};
use crate::handle::{At, Ending, traced};
use crate::model::Model;

/// How a field came to its row.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub enum Link {
    /// With a row that came alone. Boxed: the fields of many rows have room for what they share, and no more.
    Alone(Box<Single>),
    /// With others.
    Batched {
        /// What they share; none with a struct that was built by hand. That has no variant of its own, so that the field of a row is made in one way: one that is
        /// made in two is put together on the stack, and copied in larger parts than it was written in, which a processor waits for.
        batch: Option<Arc<Batch>>,
        /// The place of the row among them.
        row: u32,
        /// The place of the relation among those of the model.
        slot: u16,
    },
}

/// The end of a relation at a row that came alone.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Single {
    /// The row's key for this relation, as it was read.
    key: Key,
    relation: &'static RelationInfo,
}

impl Link {
    /// Of a struct that was built by hand.
    const DETACHED: Link = Link::Batched { batch: None, row: 0, slot: 0 };

    pub(super) fn alone(key: Key, relation: &'static RelationInfo) -> Link {
        Link::Alone(Box::new(Single { key, relation }))
    }
}

/// What a field holds.
#[doc(hidden)]
#[derive(Debug)]
pub struct Lazy<T> {
    link: Link,
    /// What was loaded or set for this row alone. It comes before what the batch has.
    own: Chain,
    rows: PhantomData<fn() -> T>,
}

impl<T> Default for Lazy<T> {
    fn default() -> Lazy<T> {
        Lazy::new(Link::DETACHED)
    }
}

impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Lazy<T> {
        Lazy { link: self.link.clone(), own: self.own.clone(), rows: PhantomData }
    }
}

impl<T> Lazy<T> {
    #[inline(always)]
    pub(super) fn new(link: Link) -> Lazy<T> {
        Lazy { link, own: Chain::new(), rows: PhantomData }
    }
}

impl<T: Model> Lazy<T> {
    /// Says which row it belongs to, to a field that was just made.
    ///
    /// Inline always: what would be handed on in memory would be read in a larger part than it was just written in.
    #[inline(always)]
    pub(crate) fn set_link(&mut self, link: Link) {
        // Not exchanged for the one before: that would be read as a whole just after it was written in parts, which a processor waits for.
        self.link = link;
    }

    fn relation(&self) -> DBResult<&'static RelationInfo> {
        match &self.link {
            Link::Alone(single) => Ok(single.relation),
            Link::Batched { batch, slot, .. } => {
                batch.as_ref().and_then(|batch| batch.relation(*slot)).ok_or_else(detached::<T>)
            }
        }
    }

    /// The relation, and the row's key for it as it was read.
    pub(super) fn ends(&self) -> DBResult<(&'static RelationInfo, Key)> {
        Ok((self.relation()?, self.key()?))
    }

    /// What is said where the row that it refers to must be there and is not.
    pub(super) fn missing(&self) -> DBError {
        let Ok((relation, key)) = self.ends() else { return DBError::not_found(T::schema().name.clone()) };
        let own = match &self.link {
            Link::Batched { batch: Some(batch), row, .. } => {
                let value = |column| Some(batch.keys()?.known(*row as usize, column)?.into_owned());
                own_key(&(relation.owner)(), value)
            }
            _ => Vec::new(),
        };
        missing::<T>(relation, key, own)
    }

    /// The row's key as it was read.
    fn key(&self) -> DBResult<Key> {
        match &self.link {
            Link::Alone(single) => Ok(single.key.clone()),
            Link::Batched { batch, row, slot } => {
                let batch = batch.as_ref().ok_or_else(detached::<T>)?;
                let relation = batch.relation(*slot).ok_or_else(detached::<T>)?;
                Ok(batch.keys().ok_or_else(detached::<T>)?.key(*row as usize, relation.near))
            }
        }
    }

    /// What is there without asking.
    pub(crate) fn get(&self) -> Option<Group<'_, T>> {
        if let Some(own) = self.own.latest::<T>() {
            return Some(own.group(0));
        }
        match &self.link {
            Link::Batched { batch: Some(batch), row, slot } => Some(batch.chain(*slot)?.latest::<T>()?.group(*row)),
            _ => None,
        }
    }

    /// What is there for who stands here, without asking.
    fn visible(&self, at: At<'_>) -> Option<Group<'_, T>> {
        if let Some(own) = self.own.find::<T>(None, at.ending) {
            return Some(own.group(0));
        }
        match &self.link {
            Link::Batched { batch: Some(batch), row, slot } => {
                Some(batch.chain(*slot)?.find::<T>(None, at.ending)?.group(*row))
            }
            _ => None,
        }
    }

    /// Loads what is not there, for all rows of the batch; and again what was missed before, for this row alone.
    pub(crate) async fn load(&self, at: At<'_>, required: bool, context: &Context) -> DBResult<Group<'_, T>> {
        let group = match self.visible(at) {
            Some(group) if required && group.is_empty() && self.was_missed() => {
                return self.load_own(at, &self.key()?, None, OwnLoad::AGAIN, context).await;
            }
            Some(group) => group,
            None => match &self.link {
                Link::Batched { batch: Some(batch), row, slot } => {
                    self.load_all(at, batch, *row, *slot, context).await?
                }
                _ => {
                    return self.load_own(at, &self.key()?, None, OwnLoad { counts: true, required }, context).await;
                }
            },
        };
        if required && group.is_empty() && !self.was_missed() {
            self.own.push::<T>(Loaded::of_one(Vec::new()), Some(MISSED), None);
        }
        Ok(group)
    }

    /// Whether a load told that the row is not there. It is noted beside what is loaded, so that it takes no room before.
    fn was_missed(&self) -> bool {
        self.own.find::<T>(Some(&MISSED), None).is_some()
    }

    /// Loads for all rows of the batch.
    async fn load_all<'a>(
        &'a self,
        at: At<'_>,
        batch: &'a Batch,
        row: u32,
        slot: u16,
        context: &Context,
    ) -> DBResult<Group<'a, T>> {
        let relation = self.relation()?;
        let _turn = turn(at, batch.gate(slot), context).await?;
        if let Some(group) = self.visible(at) {
            return Ok(group);
        }
        let keys = batch.keys().ok_or_else(detached::<T>)?;
        let counted = if batch.is_single() { self.count(at, &keys.key(row as usize, relation.near))? } else { None };
        let loaded = run::<T>(at, relation, KeySource::Many(keys, relation.near), context).await?;
        if let Some(counted) = counted {
            counted.done();
        }
        let chain = batch.chain(slot).ok_or_else(detached::<T>)?;
        chain.push(loaded, None, at.ending.cloned());
        chain.find::<T>(None, at.ending).map(|loaded| loaded.group(row)).ok_or_else(detached::<T>)
    }

    /// Loads for this row alone.
    pub(crate) async fn load_alone(&self, at: At<'_>, required: bool, context: &Context) -> DBResult<Group<'_, T>> {
        self.load_own(at, &self.key()?, None, OwnLoad { counts: false, required }, context).await
    }

    /// Loads for this row, unless it is there. What must be there and is not leaves nothing behind.
    async fn load_own(
        &self,
        at: At<'_>,
        key: &Key,
        tag: Option<Key>,
        load: OwnLoad,
        context: &Context,
    ) -> DBResult<Group<'_, T>> {
        let there = || Some(self.own.find::<T>(tag.as_ref(), at.ending)?.group(0)).filter(|own| load.keeps(own));
        if let Some(own) = there() {
            return Ok(own);
        }
        let _turn = turn(at, None, context).await?;
        if let Some(own) = there() {
            return Ok(own);
        }
        let counted = if load.counts { self.count(at, key)? } else { None };
        let loaded = run::<T>(at, self.relation()?, KeySource::One(key), context).await?;
        if !load.keeps(&loaded.group(0)) {
            return Ok(Group::none());
        }
        if let Some(counted) = counted {
            counted.done();
        }
        self.own.push(loaded, tag.clone(), at.ending.cloned());
        self.own.find::<T>(tag.as_ref(), at.ending).map(|own| own.group(0)).ok_or_else(detached::<T>)
    }

    /// Has a strict handle count a load that is for one row by itself.
    fn count<'h>(&self, at: At<'h>, key: &Key) -> DBResult<Option<Counted<'h>>> {
        match at.strict {
            None => Ok(None),
            Some(strict) => strict.count(self.relation()?, key, at.ending),
        }
    }

    /// Loads by the key that the row has now, where that is another than was read.
    pub(crate) async fn load_by(
        &self,
        at: At<'_>,
        key: Key,
        required: bool,
        context: &Context,
    ) -> DBResult<Group<'_, T>> {
        if self.key()? == key {
            return self.load(at, required, context).await;
        }
        self.load_own(at, &key.clone(), Some(key), OwnLoad { counts: true, required }, context).await
    }

    /// Loads again, for this row alone.
    pub(crate) async fn refresh(&mut self, at: At<'_>, required: bool, context: &Context) -> DBResult<()> {
        let key = self.key()?;
        let loaded = run::<T>(at, self.relation()?, KeySource::One(&key), context).await?;
        if required && loaded.group(0).is_empty() {
            // What the batch has is no longer so.
            self.forget();
            return Ok(());
        }
        self.put(loaded, at.ending.cloned());
        Ok(())
    }

    /// Puts rows there, as if they had been loaded; in the transaction of this ending if there is one.
    pub(crate) fn set(&mut self, rows: Vec<T>, ending: Option<Arc<Ending>>) {
        self.put(Loaded::of_one(rows), ending);
    }

    fn put(&mut self, loaded: Loaded<T>, ending: Option<Arc<Ending>>) {
        self.own = Chain::new();
        self.own.push(loaded, None, ending);
    }

    /// As [`set`](Lazy::set), where rows can be shared.
    pub(crate) fn set_shared(&mut self, rows: Vec<T>, ending: Option<Arc<Ending>>) {
        let items = Some((0..rows.len() as u32).collect());
        self.put(Loaded { items, ..Loaded::of_one(rows) }, ending);
    }

    /// Forgets what is there: it will be loaded for this row alone.
    pub(crate) fn forget(&mut self) {
        self.own = Chain::new();
        if let (Ok(key), Ok(relation)) = (self.key(), self.relation()) {
            self.link = Link::alone(key, relation);
        }
    }

    /// Goes by another key from now on, where it is another.
    pub(crate) fn relink(&mut self, key: Key) {
        if let (Ok(old), Ok(relation)) = (self.key(), self.relation())
            && old != key
        {
            *self = Lazy::new(Link::alone(key, relation));
        }
    }
}

/// What a row refers by where [`Lazy::was_missed`]: nothing else is kept for a key that is NULL in a relation that must lead to a row.
const MISSED: Key = Key::Null;

/// How a row loads for itself.
#[derive(Clone, Copy)]
struct OwnLoad {
    /// Whether a strict handle counts it: what was not asked for in so many words.
    counts: bool,
    /// Whether there must be a row.
    required: bool,
}

impl OwnLoad {
    /// Of a row that was missed.
    const AGAIN: OwnLoad = OwnLoad { counts: false, required: true };

    /// Whether it is kept for the next load.
    fn keeps<T>(self, group: &Group<'_, T>) -> bool {
        !(self.required && group.is_empty())
    }
}

/// Waits until nobody else loads the same: in a transaction whoever loads in it, outside of one who holds this gate. Who stands in a transaction
/// waits for nobody outside, who may be waiting for its end, and the other way round.
async fn turn<'g>(at: At<'g>, gate: Option<&'g Mutex<()>>, context: &Context) -> DBResult<Option<MutexGuard<'g, ()>>> {
    let Some(gate) = at.ending.map(|ending| ending.loading()).or(gate) else { return Ok(None) };
    Ok(Some(match gate.try_lock() {
        Some(free) => free,
        None => context.wait(gate.lock()).await?,
    }))
}

/// Loads in the span of the operation.
async fn run<T: Model>(
    at: At<'_>,
    relation: &RelationInfo,
    keys: KeySource<'_>,
    context: &Context,
) -> DBResult<Loaded<T>> {
    let everything = Narrow::default();
    // The batches of the loaded rows live in the rows; only includes that are nested need them by themselves.
    let work = async { Ok(load::fetch::<T>(at, relation, keys, &everything, context).await?.0) };
    traced("load", &T::schema().name, work, |loaded| loaded.rows.len() as u64).await
}

#[cold]
fn detached<T: Model>() -> DBError {
    DBError::query(format!(
        "a relation to {} cannot be loaded: its struct was not read from a database but built by hand",
        T::schema().name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows are copied when their list grows, and so is what their relations take in them.
    #[test]
    fn a_field_takes_three_words() {
        assert!(size_of::<Lazy<()>>() <= 24, "{}", size_of::<Lazy<()>>());
    }
}
