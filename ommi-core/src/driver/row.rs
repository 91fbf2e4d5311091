//! Rows on their way from a driver to the structs they become.

use std::any::Any;

use crate::error::{DBError, DBResult};
use crate::value::Value;

/// One row of a result, where the client library keeps it.
pub trait Row {
    /// The value at this place of what was asked for, converted by the column's type. Borrowed wherever it can be.
    ///
    /// Each place is asked for at most once, so a row that owns its values may give them away.
    ///
    /// # Errors
    /// `Decode` where the stored value is not of the column's type.
    fn value(&mut self, index: usize) -> DBResult<Value<'_>>;
}

/// Takes the rows of a result.
///
/// What it makes of them is the core's affair: a driver calls [`row`](RowSink::row) for each, in place. To decode on another thread it
/// carries a [`fork`](RowSink::fork) there and [`absorb`](RowSink::absorb)s it afterwards.
pub trait RowSink: Send {
    /// Takes one row.
    ///
    /// # Errors
    /// The row could not be decoded; the driver ends the read and passes the error on.
    fn row(&mut self, row: &mut dyn Row) -> DBResult<()>;

    /// Whether it keeps the first row only, and drops what comes after it: a driver may leave that out.
    fn takes_first(&self) -> bool {
        false
    }

    /// Forgets the rows taken so far.
    fn clear(&mut self);

    /// How many rows it holds.
    fn len(&self) -> usize;

    /// Whether it holds no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An empty sink of the same kind, to be carried elsewhere.
    fn fork(&self) -> Box<dyn RowSink>;

    /// Takes over the rows of a fork, after its own.
    fn absorb(&mut self, fork: Box<dyn RowSink>);

    /// The sink as what it is, for [`absorb`](RowSink::absorb).
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// A sink that collects what a function makes of each row.
pub(crate) struct Collect<T> {
    pub(crate) rows: Vec<T>,
    decode: fn(&mut dyn Row) -> DBResult<T>,
}

impl<T: Send + 'static> Collect<T> {
    pub(crate) const fn new(decode: fn(&mut dyn Row) -> DBResult<T>) -> Collect<T> {
        Collect { rows: Vec::new(), decode }
    }
}

impl<T: Send + 'static> RowSink for Collect<T> {
    fn row(&mut self, row: &mut dyn Row) -> DBResult<()> {
        self.rows.push((self.decode)(row)?);
        Ok(())
    }

    fn clear(&mut self) {
        self.rows.clear();
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn fork(&self) -> Box<dyn RowSink> {
        Box::new(Collect::new(self.decode))
    }

    fn absorb(&mut self, fork: Box<dyn RowSink>) {
        if let Ok(fork) = fork.into_any().downcast::<Collect<T>>() {
            if self.rows.is_empty() {
                self.rows = fork.rows;
            } else {
                self.rows.extend(fork.rows);
            }
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A sink that keeps what a function makes of the first row, without an allocation of its own.
pub(crate) struct First<T> {
    pub(crate) row: Option<T>,
    decode: fn(&mut dyn Row) -> DBResult<T>,
}

impl<T: Send + 'static> First<T> {
    pub(crate) const fn new(decode: fn(&mut dyn Row) -> DBResult<T>) -> First<T> {
        First { row: None, decode }
    }
}

impl<T: Send + 'static> RowSink for First<T> {
    fn row(&mut self, row: &mut dyn Row) -> DBResult<()> {
        if self.row.is_none() {
            self.row = Some((self.decode)(row)?);
        }
        Ok(())
    }

    fn takes_first(&self) -> bool {
        true
    }

    fn clear(&mut self) {
        self.row = None;
    }

    fn len(&self) -> usize {
        usize::from(self.row.is_some())
    }

    fn fork(&self) -> Box<dyn RowSink> {
        Box::new(First::new(self.decode))
    }

    fn absorb(&mut self, fork: Box<dyn RowSink>) {
        if let Ok(fork) = fork.into_any().downcast::<First<T>>() {
            self.row = self.row.take().or(fork.row);
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A row whose values are at hand and are given away as they are asked for. For drivers that hold
/// results as values, and for the core's own use.
#[derive(Debug)]
pub struct Values<'r> {
    values: &'r mut [Value<'static>],
}

impl<'r> Values<'r> {
    /// A row of these values.
    pub fn new(values: &'r mut [Value<'static>]) -> Values<'r> {
        Values { values }
    }
}

impl Row for Values<'_> {
    fn value(&mut self, index: usize) -> DBResult<Value<'_>> {
        match self.values.get_mut(index) {
            Some(value) => Ok(std::mem::take(value)),
            None => Err(DBError::query(format!("a row has no value number {index}"))),
        }
    }
}
