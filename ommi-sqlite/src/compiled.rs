//! A statement's text, and what is known of every statement of its shape.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use ommi_core::schema::SchemaRef;
use ommi_core::value::ColumnType;

/// What was compiled of a shape. Shared by the connections of a pool.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) text: Box<str>,
    pub(crate) columns: Columns,
    /// Whether the result has one row at most, so that SQLite need not be asked for a second one.
    pub(crate) single: bool,
    /// It adds one row, whose key SQLite counts: nothing is returned.
    pub(crate) counts_key: bool,
    /// Held to keep the addresses that the shape knows them by.
    pub(crate) _related: Vec<SchemaRef>,
    pace: AtomicU8,
}

/// What the columns of a result are.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    /// Held also to keep the address that the shape knows the model by.
    pub(crate) model: SchemaRef,
    /// Those of the model that the result has; none where it has a count instead.
    pub(crate) indexes: Box<[u16]>,
    pub(crate) types: Box<[ColumnType]>,
}

/// How long the statements of a shape take, as far as the last runs tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Unknown,
    Short,
    Long,
}

impl Compiled {
    pub(crate) fn new(text: String, columns: Columns, related: Vec<SchemaRef>) -> Compiled {
        Compiled {
            text: text.into_boxed_str(),
            columns,
            single: false,
            counts_key: false,
            _related: related,
            pace: AtomicU8::new(0),
        }
    }

    pub(crate) fn with_single(self, single: bool) -> Compiled {
        Compiled { single, ..self }
    }

    pub(crate) fn with_counts_key(self, counts_key: bool) -> Compiled {
        Compiled { counts_key, ..self }
    }

    pub(crate) fn pace(&self) -> Pace {
        match self.pace.load(Relaxed) {
            0 => Pace::Unknown,
            1 => Pace::Short,
            _ => Pace::Long,
        }
    }

    pub(crate) fn set_pace(&self, pace: Pace) {
        // Most runs change nothing, and a store would take the line from the other cores.
        if self.pace() != pace {
            self.pace.store(pace as u8, Relaxed);
        }
    }
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
