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
use crate::error::{DBError, DBResult};
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
    /// What was wrong with the keys of rows that were taken over.
    error: Option<DBError>,
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
    pub(crate) fn link(&self, slot: u16) -> Link {
        Link::Batched { batch: self.batch.clone(), row: self.row, slot }
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
    fn link<M: Model>(&mut self, row: &mut M) {
        for slot in 0..M::RELATIONS.len() as u16 {
            row.link(slot, self.links.link(slot));
        }
        self.links.row = self.links.row.wrapping_add(1);
    }

    /// Takes the keys of the rows that were linked since the last time. They are the last of these.
    fn note<M: Model>(&mut self, rows: &[M]) -> DBResult<()> {
        let linked = rows.get(rows.len().saturating_sub(self.behind())..);
        self.keys.extend(linked.unwrap_or_default())
    }

    /// How many rows are linked whose keys were not taken yet.
    fn behind(&self) -> usize {
        (self.links.row as usize).saturating_sub(self.keys.rows())
    }

    fn finish(self) -> Option<Arc<Batch>> {
        let batch = self.links.batch?;
        // Set here and nowhere else.
        let _ = batch.keys.set(self.keys);
        Some(batch)
    }
}

/// After how many rows their keys are taken: so many that it is a short loop of its own, and so few that they are at hand still.
const AT_ONCE: usize = 32;

impl<M: Model> Batched<M> {
    pub(crate) const fn new() -> Batched<M> {
        Batched { rows: Vec::new(), linker: None, error: None }
    }

    /// These rows, which are there already.
    pub(crate) fn of(rows: Vec<M>) -> DBResult<Vec<M>> {
        let mut batched = Batched { rows, ..Batched::new() };
        if !M::RELATIONS.is_empty() {
            let mut linker = Linker::new(M::RELATIONS);
            batched.rows.iter_mut().for_each(|row| linker.link(row));
            batched.linker = Some(linker);
        }
        Ok(batched.finish()?.0)
    }

    /// The rows, and what they share if they have relations.
    pub(crate) fn finish(mut self) -> DBResult<(Vec<M>, Option<Arc<Batch>>)> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if let Some(linker) = &mut self.linker {
            linker.note(&self.rows)?;
        }
        Ok((self.rows, self.linker.and_then(Linker::finish)))
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
        linker.links.row = linker.links.row.wrapping_add(1);
        if linker.behind() >= AT_ONCE { linker.note(&self.rows) } else { Ok(()) }
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
            if self.rows.is_empty() && self.error.is_none() {
                *self = *fork;
                return;
            }
            // Rows that came apart stay a batch of their own.
            let noted = self.linker.as_mut().map_or(Ok(()), |linker| linker.note(&self.rows));
            match noted.and_then(|()| fork.finish()) {
                Ok((rows, _)) => self.rows.extend(rows),
                Err(error) => self.error = self.error.take().or(Some(error)),
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
        row.link(slot, Link::alone(key, relation));
    }
    Ok(())
}
