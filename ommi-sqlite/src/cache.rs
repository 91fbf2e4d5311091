//! Compiled statements by shape.
//!
//! Each connection has its own map, read without a lock or a reference count. Behind them is one that all connections share: a
//! shape is compiled once, and what is learned of its pace holds for every connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ommi_core::DBResult;
use ommi_core::ast::Shape;
use rustc_hash::FxBuildHasher;

use crate::compiled::Compiled;
use crate::kept::Place;

type Map<T> = HashMap<Box<[u32]>, T, FxBuildHasher>;

/// The compiled statements of all connections.
#[derive(Debug, Default)]
pub(crate) struct SharedCache(Mutex<Map<Arc<Compiled>>>);

/// The compiled statements of one connection.
#[derive(Debug)]
pub(crate) struct Cache {
    places: Map<usize>,
    entries: Vec<Entry>,
    /// How often the places were given anew.
    generation: u32,
    /// The shape that was looked up last, and its place: programs run the same statement again and again.
    last: (Vec<u32>, usize),
    capacity: usize,
    shared: Arc<SharedCache>,
}

#[derive(Debug)]
struct Entry {
    compiled: Arc<Compiled>,
    /// Whether it was used since the cache was last full.
    used: bool,
}

impl Cache {
    pub(crate) fn new(capacity: usize, shared: Arc<SharedCache>) -> Cache {
        Cache { places: Map::default(), entries: Vec::new(), generation: 0, last: (Vec::new(), 0), capacity, shared }
    }

    /// What was compiled of this shape, and its place here; compiles it where nothing was.
    pub(crate) fn get(
        &mut self,
        shape: &Shape,
        compile: impl FnOnce() -> DBResult<Compiled>,
    ) -> DBResult<(&Arc<Compiled>, Place)> {
        let words = shape.words();
        let place = match self.last.0 == words {
            true => self.last.1,
            false => self.look_up(words, compile)?,
        };
        match self.entries.get_mut(place) {
            Some(entry) => {
                entry.used = true;
                Ok((&entry.compiled, Place { generation: self.generation, number: place }))
            }
            // Places are those of entries: this is for the compiler.
            None => Err(ommi_core::DBError::query("a compiled statement was lost")),
        }
    }

    fn look_up(&mut self, words: &[u32], compile: impl FnOnce() -> DBResult<Compiled>) -> DBResult<usize> {
        let place = match self.places.get(words) {
            Some(&place) => place,
            None => {
                let compiled = self.shared.get(words, self.capacity, compile)?;
                if self.entries.len() >= self.capacity {
                    self.forget();
                }
                let place = self.entries.len();
                self.entries.push(Entry { compiled, used: false });
                self.places.insert(words.into(), place);
                place
            }
        };
        self.last.0.clear();
        self.last.0.extend_from_slice(words);
        self.last.1 = place;
        Ok(place)
    }

    /// Drops what was not used since the last time; everything, when that is less than half.
    fn forget(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        let keep = self.entries.iter().filter(|entry| entry.used).count() <= self.capacity / 2;
        let mut old: Vec<Option<Entry>> = self.entries.drain(..).map(Some).collect();
        self.places.retain(|_, place| {
            let entry = old.get_mut(*place).and_then(Option::take);
            match entry.filter(|entry| keep && entry.used) {
                Some(entry) => {
                    *place = self.entries.len();
                    self.entries.push(Entry { used: false, ..entry });
                    true
                }
                None => false,
            }
        });
    }
}

impl SharedCache {
    fn get(
        &self,
        words: &[u32],
        capacity: usize,
        compile: impl FnOnce() -> DBResult<Compiled>,
    ) -> DBResult<Arc<Compiled>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = lock().get(words) {
            return Ok(compiled.clone());
        }
        // Compiled without the lock. Two connections may do it at once; the first one's is kept.
        let compiled = Arc::new(compile()?);
        let mut map = lock();
        if map.len() >= capacity {
            // What connections still use, they keep themselves.
            map.clear();
        }
        Ok(map.entry(words.into()).or_insert(compiled).clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ommi_core::ast::{Select, Shape};
    use ommi_core::schema::{ColumnBuilder, ModelSchema, SchemaRef};
    use ommi_core::value::ColumnType;

    use super::*;
    use crate::compiled::{Columns, Pace};

    fn shapes(count: usize) -> Vec<(Shape, SchemaRef)> {
        (0..count)
            .map(|i| {
                let column = ColumnBuilder::new("id", ColumnType::I64).key();
                let schema = ModelSchema::builder("T", format!("t{i}")).column(column).build().unwrap();
                let model = SchemaRef::from(Arc::new(schema));
                let mut shape = Shape::new();
                shape.write_select(&Select::new(model.clone())).unwrap();
                (shape, model)
            })
            .collect()
    }

    fn compile(model: &SchemaRef) -> DBResult<Compiled> {
        Ok(Compiled::new(model.table.to_string(), Columns::single(model, ColumnType::I64), Vec::new()))
    }

    #[test]
    fn it_stays_bounded_and_gives_each_shape_its_own() {
        let mut cache = Cache::new(8, Arc::default());
        let shapes = shapes(100);
        for round in 0..3 {
            for (i, (shape, model)) in shapes.iter().enumerate() {
                let compiled = cache.get(shape, || compile(model)).unwrap();
                assert_eq!(*compiled.0.text, *format!("t{i}"), "{round}");
                assert!(cache.entries.len() <= 8 && cache.places.len() == cache.entries.len());
            }
        }
    }

    #[test]
    fn what_is_in_use_survives_and_what_is_learned_is_shared() {
        let shared = Arc::new(SharedCache::default());
        let (mut one, mut other) = (Cache::new(8, shared.clone()), Cache::new(8, shared));
        let shapes = shapes(8);
        let (hot, model) = &shapes[0];
        one.get(hot, || compile(model)).unwrap().0.set_pace(Pace::Long);
        assert_eq!(other.get(hot, || compile(model)).unwrap().0.pace(), Pace::Long);
        for (shape, model) in shapes.iter().skip(1) {
            one.get(shape, || compile(model)).unwrap();
        }
        for entry in &mut one.entries {
            entry.used = false;
        }
        one.get(hot, || compile(model)).unwrap();
        one.forget();
        assert_eq!(one.entries.len(), 1);
        assert_eq!(one.get(hot, || Err(ommi_core::DBError::query("again"))).unwrap().0.pace(), Pace::Long);
    }
}
