//! Rows without any Rust type.

use std::any::Any;

use ommi::DBResult;
use ommi::driver::{self, RowSink};

use crate::evaluator::Row;

/// Collects rows of so many values.
pub(crate) struct Rows {
    width: usize,
    pub(crate) rows: Vec<Row>,
}

impl Rows {
    pub(crate) fn new(width: usize) -> Rows {
        Rows { width, rows: Vec::new() }
    }
}

impl RowSink for Rows {
    fn row(&mut self, row: &mut dyn driver::Row) -> DBResult<()> {
        let values = (0..self.width).map(|index| Ok(row.value(index)?.into_owned())).collect::<DBResult<_>>()?;
        self.rows.push(values);
        Ok(())
    }

    fn clear(&mut self) {
        self.rows.clear();
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn fork(&self) -> Box<dyn RowSink> {
        Box::new(Rows::new(self.width))
    }

    fn absorb(&mut self, fork: Box<dyn RowSink>) {
        if let Ok(fork) = fork.into_any().downcast::<Rows>() {
            self.rows.extend(fork.rows);
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
