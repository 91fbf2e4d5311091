//! A statement's text, what its result holds, and the store of both by shape.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use ommi_core::DBResult;
use ommi_core::ast::Shape;
use ommi_core::schema::SchemaRef;
use ommi_core::value::ColumnType;
use rustc_hash::FxBuildHasher;

/// What was compiled of a shape.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) text: Arc<str>,
    pub(crate) columns: Columns,
    /// Held to keep the addresses that the shape knows them by.
    pub(crate) _related: Vec<SchemaRef>,
}

/// What the columns of a result are.
#[derive(Debug)]
pub(crate) struct Columns {
    /// Held also to keep the address that the shape knows the model by.
    pub(crate) model: SchemaRef,
    /// Those of the model that the result has; none where it has a count instead.
    indexes: Box<[u16]>,
    pub(crate) types: Box<[ColumnType]>,
}

impl Columns {
    /// These columns of a model.
    pub(crate) fn of(model: &SchemaRef, indexes: &[u16]) -> Columns {
        let types = indexes.iter().filter_map(|&index| Some(model.column(index)?.ty)).collect();
        Columns { model: model.clone(), indexes: indexes.into(), types }
    }

    /// No columns, as of a write.
    pub(crate) fn none(model: &SchemaRef) -> Columns {
        Columns { model: model.clone(), indexes: Box::default(), types: Box::new([]) }
    }

    /// One column that is not the model's.
    pub(crate) fn single(model: &SchemaRef, ty: ColumnType) -> Columns {
        Columns { model: model.clone(), indexes: Box::default(), types: Box::new([ty]) }
    }

    /// The stored name of the column at this place of the result.
    pub(crate) fn name(&self, place: usize) -> &str {
        let column = self.indexes.get(place).and_then(|&index| self.model.column(index));
        column.map_or("?", |column| &column.name)
    }
}

/// How many shapes are kept. A program has some hundreds; when it makes up shapes without end, all are forgotten at once.
const CAPACITY: usize = 4_096;

/// The compiled statements of a driver.
#[derive(Debug, Default)]
pub(crate) struct Cache(RwLock<HashMap<Box<[u32]>, Arc<Compiled>, FxBuildHasher>>);

thread_local! {
    static SHAPE: RefCell<Shape> = RefCell::new(Shape::new());
}

impl Cache {
    /// What was compiled of the shape that `write` writes; compiles it where nothing was.
    pub(crate) fn get(
        &self,
        write: impl FnOnce(&mut Shape) -> DBResult<()>,
        compile: impl FnOnce() -> DBResult<Compiled>,
    ) -> DBResult<Arc<Compiled>> {
        SHAPE.with(|shape| match shape.try_borrow_mut() {
            Ok(mut shape) => {
                write(&mut shape)?;
                self.look_up(shape.words(), compile)
            }
            // Compiling calls nothing that comes back here; should it ever, this is only slower.
            Err(_) => {
                let mut shape = Shape::new();
                write(&mut shape)?;
                self.look_up(shape.words(), compile)
            }
        })
    }

    fn look_up(&self, words: &[u32], compile: impl FnOnce() -> DBResult<Compiled>) -> DBResult<Arc<Compiled>> {
        if let Some(compiled) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(words) {
            return Ok(compiled.clone());
        }
        // Compiled without the lock. Two tasks may do it at once; the first one's is kept.
        let compiled = Arc::new(compile()?);
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= CAPACITY {
            map.clear();
        }
        Ok(map.entry(words.into()).or_insert(compiled).clone())
    }
}
