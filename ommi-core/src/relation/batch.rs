//! Rows that came from one query, and what is loaded for all of them at once.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use futures::lock::Mutex;

use super::RelationInfo;
use super::chain::Chain;
use super::key::{Key, Keys};
use super::lazy::Link;
use crate::driver::{Row, RowSink};
use crate::error::DBResult;
use crate::model::Model;

/// What the rows of one query share. It goes with the last of them.
#[derive(Debug)]
pub struct Batch {
    relations: &'static [RelationInfo],
    keys: OnceLock<Keys>,
    slots: Box<[Slot]>,
    /// The query could give one row only.
    single: AtomicBool,
}

/// What was loaded for one relation.
#[derive(Debug)]
struct Slot {
    loaded: Chain,
    /// Held by who loads, so that others wait for it instead of doing the same.
    gate: Mutex<()>,
}

impl Batch {
    fn new(relations: &'static [RelationInfo]) -> Batch {
        let slots = relations.iter().map(|_| Slot { loaded: Chain::new(), gate: Mutex::new(()) }).collect();
        Batch { relations, keys: OnceLock::new(), slots, single: AtomicBool::new(false) }
    }

    pub(crate) fn relation(&self, slot: u16) -> Option<&'static RelationInfo> {
        self.relations.get(usize::from(slot))
    }

    /// The keys of the rows; none before the query has ended.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        self.keys.get()
    }

    /// Says, before anybody has the row, that the query could give one only.
    pub(crate) fn set_single(&self) {
        self.single.store(true, Ordering::Relaxed);
    }

    /// Whether the query could give one row only.
    pub(crate) fn is_single(&self) -> bool {
        self.single.load(Ordering::Relaxed)
    }

    pub(crate) fn gate(&self, slot: u16) -> Option<&Mutex<()>> {
        self.slots.get(usize::from(slot)).map(|slot| &slot.gate)
    }

    /// What was loaded for a relation.
    pub(crate) fn chain(&self, slot: u16) -> Option<&Chain> {
        self.slots.get(usize::from(slot)).map(|slot| &slot.loaded)
    }
}

/// Collects rows, and makes those with relations a batch.
pub(crate) struct Batched<M> {
    rows: Vec<M>,
    linker: Option<Linker>,
}

/// What links the fields of the next row to its batch.
#[doc(hidden)]
#[derive(Debug)]
pub struct Links {
    /// None: the row has no relations.
    batch: Option<Arc<Batch>>,
    row: u32,
}

impl Links {
    /// Of a model without relations.
    const NONE: Links = Links { batch: None, row: 0 };

    /// What links the field of the relation at this place.
    #[inline(always)]
    pub(crate) fn link(&self, slot: u16) -> Option<Link> {
        Some(Link::Batched { batch: self.batch.clone()?, row: self.row, slot })
    }
}

/// Gives rows their places in a batch.
struct Linker {
    links: Links,
    keys: Keys,
}

impl Linker {
    fn new(relations: &'static [RelationInfo]) -> Linker {
        Linker { links: Links { batch: Some(Arc::new(Batch::new(relations))), row: 0 }, keys: Keys::new(relations) }
    }

    /// Links a row that is there already.
    fn link<M: Model>(&mut self, row: &mut M) -> DBResult<()> {
        for slot in 0..M::RELATIONS.len() as u16 {
            if let Some(link) = self.links.link(slot) {
                row.link(slot, link);
            }
        }
        self.note(row)
    }

    /// Takes the keys of a row that is linked, and goes on to the next.
    #[inline]
    fn note<M: Model>(&mut self, row: &M) -> DBResult<()> {
        self.keys.push(row)?;
        self.links.row = self.keys.rows() as u32;
        Ok(())
    }

    fn finish(self) -> Option<Arc<Batch>> {
        let batch = self.links.batch?;
        // Set here and nowhere else.
        let _ = batch.keys.set(self.keys);
        Some(batch)
    }
}

impl<M: Model> Batched<M> {
    pub(crate) const fn new() -> Batched<M> {
        Batched { rows: Vec::new(), linker: None }
    }

    /// These rows, which are there already.
    pub(crate) fn of(rows: Vec<M>) -> DBResult<Vec<M>> {
        let mut batched = Batched { rows, linker: None };
        if !M::RELATIONS.is_empty() {
            let mut linker = Linker::new(M::RELATIONS);
            batched.rows.iter_mut().try_for_each(|row| linker.link(row))?;
            batched.linker = Some(linker);
        }
        Ok(batched.finish().0)
    }

    /// The rows, and what they share if they have relations.
    pub(crate) fn finish(self) -> (Vec<M>, Option<Arc<Batch>>) {
        (self.rows, self.linker.and_then(Linker::finish))
    }
}

impl<M: Model> RowSink for Batched<M> {
    fn row(&mut self, row: &mut dyn Row) -> DBResult<()> {
        static NONE: Links = Links::NONE;
        if self.rows.len() == self.rows.capacity() {
            self.rows.reserve(1);
        }
        if M::RELATIONS.is_empty() {
            return M::decode_onto(row, &NONE, &mut self.rows);
        }
        let linker = self.linker.get_or_insert_with(|| Linker::new(M::RELATIONS));
        M::decode_onto(row, &linker.links, &mut self.rows)?;
        self.rows.last().map_or(Ok(()), |row| linker.note(row))
    }

    fn clear(&mut self) {
        *self = Batched::new();
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn fork(&self) -> Box<dyn RowSink> {
        Box::new(Batched::<M>::new())
    }

    fn absorb(&mut self, fork: Box<dyn RowSink>) {
        if let Ok(fork) = fork.into_any().downcast::<Batched<M>>() {
            if self.rows.is_empty() {
                *self = *fork;
            } else {
                // Rows that came apart stay a batch of their own.
                self.rows.extend(fork.finish().0);
            }
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Links a row that came alone: it keeps its own keys.
pub(crate) fn alone<M: Model>(row: &mut M) -> DBResult<()> {
    for (slot, relation) in (0..).zip(M::RELATIONS) {
        let key = Key::of(row, relation.near)?;
        row.link(slot, Link::Alone { key, relation });
    }
    Ok(())
}
