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
    numbers: Map<usize>,
    /// By their numbers; none where a number is free.
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    /// How many numbers were given so far.
    stamps: u64,
    /// The shape that was looked up last, and its number: programs run the same statement again and again.
    last: (Vec<u32>, usize),
    capacity: usize,
    shared: Arc<SharedCache>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) place: Place,
    /// Whether it was asked for again since the cache was last full.
    used: bool,
}

impl Cache {
    pub(crate) fn new(capacity: usize, shared: Arc<SharedCache>) -> Cache {
        Cache {
            numbers: Map::default(),
            entries: Vec::new(),
            free: Vec::new(),
            stamps: 0,
            last: (Vec::new(), 0),
            capacity,
            shared,
        }
    }

    /// What was compiled of this shape, and its place here; compiles it where nothing was.
    pub(crate) fn get(&mut self, shape: &Shape, compile: impl FnOnce() -> DBResult<Compiled>) -> DBResult<&Entry> {
        let words = shape.words();
        let number = match self.last.0 == words {
            true => self.last.1,
            false => self.look_up(words, compile)?,
        };
        match self.entries.get(number) {
            Some(Some(entry)) => Ok(entry),
            // The numbers are those of entries: this is for the compiler.
            _ => Err(ommi_core::DBError::query("a compiled statement was lost")),
        }
    }

    fn look_up(&mut self, words: &[u32], compile: impl FnOnce() -> DBResult<Compiled>) -> DBResult<usize> {
        let number = match self.numbers.get(words) {
            Some(&number) => {
                if let Some(Some(entry)) = self.entries.get_mut(number) {
                    entry.used = true;
                }
                number
            }
            None => {
                let compiled = self.shared.get(words, self.capacity, compile)?;
                if self.numbers.len() >= self.capacity {
                    self.forget();
                }
                let number = self.keep(compiled);
                self.numbers.insert(words.into(), number);
                number
            }
        };
        self.last.0.clear();
        self.last.0.extend_from_slice(words);
        self.last.1 = number;
        Ok(number)
    }

    /// Gives it a number.
    fn keep(&mut self, compiled: Arc<Compiled>) -> usize {
        self.stamps += 1;
        let number = self.free.pop().unwrap_or(self.entries.len());
        let entry = Some(Entry { compiled, place: Place { stamp: self.stamps, number }, used: false });
        match self.entries.get_mut(number) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        number
    }

    /// Drops what was not asked for again since the last time; everything, when that is less than half. What stays keeps its number, and so its statement.
    fn forget(&mut self) {
        let used = self.entries.iter().flatten().filter(|entry| entry.used).count();
        let keep = used <= self.capacity / 2;
        let Cache { numbers, entries, free, .. } = self;
        numbers.retain(|_, number| match entries.get_mut(*number) {
            Some(Some(entry)) if keep && entry.used => {
                entry.used = false;
                true
            }
            place => {
                place.map(Option::take);
                free.push(*number);
                false
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
                let entry = cache.get(shape, || compile(model)).unwrap();
                assert_eq!(*entry.compiled.text, *format!("t{i}"), "{round}");
                assert!(cache.entries.len() <= 8 && cache.numbers.len() + cache.free.len() == cache.entries.len());
            }
        }
    }

    #[test]
    fn what_is_in_use_survives_and_what_is_learned_is_shared() {
        let shared = Arc::new(SharedCache::default());
        let (mut one, mut other) = (Cache::new(8, shared.clone()), Cache::new(8, shared));
        let shapes = shapes(30);
        let (hot, model) = &shapes[0];
        let Entry { compiled, place, .. } = one.get(hot, || compile(model)).unwrap();
        let place = *place;
        compiled.set_pace(Pace::Long);
        assert_eq!(other.get(hot, || compile(model)).unwrap().compiled.pace(), Pace::Long);
        // Two are asked for again and again, among many that are not.
        for round in 0..5 {
            for (shape, model) in &shapes[1..] {
                one.get(shape, || compile(model)).unwrap();
                let again = one.get(hot, || Err(ommi_core::DBError::query("again"))).unwrap();
                assert_eq!((again.place, again.compiled.pace()), (place, Pace::Long), "{round}");
            }
        }
    }

    #[test]
    fn a_number_that_is_given_again_has_another_stamp() {
        let mut cache = Cache::new(2, Arc::default());
        let shapes = shapes(5);
        let mut seen = HashMap::new();
        for (round, (shape, model)) in shapes.iter().cycle().take(23).enumerate() {
            let place = cache.get(shape, || compile(model)).unwrap().place;
            let text = seen.entry((place.number, place.stamp)).or_insert_with(|| model.table.to_string());
            assert_eq!(*text, *model.table, "{round}");
            assert!(place.number < 2);
        }
    }
}
