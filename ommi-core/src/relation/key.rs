//! The values by which rows belong together.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::RelationInfo;
use crate::error::{DBError, DBResult};
use crate::model::Model;
use crate::value::{InvalidValue, Value};

/// The key of one row for one relation, as it was read. Numbers and UUIDs need no allocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    /// Part of it is NULL: nothing belongs to it.
    Null,
    /// One number.
    Int(i64),
    /// One UUID.
    Uuid([u8; 16]),
    /// Anything else. Shared, since keys are handed on; and the end of a row has no loop over values in it.
    Other(Arc<[Value<'static>]>),
}

impl Key {
    /// The values of its columns; none where part of it is NULL.
    pub(crate) fn into_values(self) -> Vec<Value<'static>> {
        match self {
            Key::Null => Vec::new(),
            Key::Int(value) => vec![Value::Int(value)],
            Key::Uuid(value) => vec![Value::Uuid(value)],
            Key::Other(values) => values.to_vec(),
        }
    }

    /// The key that these columns of a row are now.
    pub(crate) fn of<M: Model>(row: &M, columns: &[u16]) -> DBResult<Key> {
        let invalid = |invalid: InvalidValue| DBError::invalid_query(&M::schema(), &invalid);
        if let [column] = columns {
            return Ok(match row.value_of(*column).map_err(|error| invalid(error.at(*column)))? {
                Value::Null => Key::Null,
                Value::Int(value) => Key::Int(value),
                Value::Uuid(value) => Key::Uuid(value),
                other => Key::Other(Arc::new([other.into_owned()])),
            });
        }
        let mut values = Vec::with_capacity(columns.len());
        for &column in columns {
            match row.value_of(column).map_err(|error| invalid(error.at(column)))? {
                Value::Null => return Ok(Key::Null),
                value => values.push(value.into_owned()),
            }
        }
        Ok(Key::Other(values.into()))
    }
}

/// The values of the columns that the relations of a batch of rows go by, a list for each column.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    columns: Vec<(u16, Values)>,
    rows: usize,
}

/// The values of one column.
#[derive(Debug)]
enum Values {
    /// Numbers; those that are NULL are in the second list, in order.
    Ints(Vec<i64>, Vec<u32>),
    /// Texts one after the other, and where each ends; those that are NULL likewise.
    Texts(String, Vec<usize>, Vec<u32>),
    /// Others.
    Other(Vec<Value<'static>>),
}

impl Values {
    #[inline(never)]
    fn push(&mut self, row: usize, value: Value<'_>) {
        match (&mut *self, value) {
            (Values::Ints(values, _), Value::Int(value)) => values.push(value),
            (Values::Ints(values, nulls), Value::Null) => {
                values.push(0);
                nulls.push(row as u32);
            }
            (Values::Texts(text, ends, _), Value::Text(value)) => {
                text.push_str(&value);
                ends.push(text.len());
            }
            (Values::Texts(text, ends, nulls), Value::Null) => {
                ends.push(text.len());
                nulls.push(row as u32);
            }
            (Values::Other(values), value) => values.push(value.into_owned()),
            (this, Value::Text(value)) if row == 0 => {
                *this = Values::Texts(value.as_ref().to_owned(), vec![value.len()], Vec::new());
            }
            // A column has values of one type, and NULLs.
            (this, value) => {
                let mut values: Vec<Value<'static>> = (0..row).map(|row| this.get(row).into_owned()).collect();
                values.push(value.into_owned());
                *this = Values::Other(values);
            }
        }
    }

    fn get(&self, row: usize) -> Value<'_> {
        let is_null = |nulls: &[u32]| nulls.binary_search(&(row as u32)).is_ok();
        match self {
            Values::Ints(_, nulls) | Values::Texts(_, _, nulls) if is_null(nulls) => Value::Null,
            Values::Ints(values, _) => values.get(row).map_or(Value::Null, |&value| Value::Int(value)),
            Values::Texts(text, ends, _) => {
                let start = row.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
                let value = ends.get(row).and_then(|&end| text.get(start..end));
                value.map_or(Value::Null, |value| Value::Text(value.into()))
            }
            Values::Other(values) => values.get(row).map_or(Value::Null, Value::borrowed),
        }
    }
}

#[cold]
#[inline(never)]
fn refused<M: Model>(invalid: InvalidValue, column: u16) -> DBError {
    DBError::invalid_query(&M::schema(), &invalid.at(column))
}

impl Keys {
    /// No rows yet, of a model with these relations.
    pub(crate) fn new(relations: &[RelationInfo]) -> Keys {
        let mut columns: Vec<(u16, Values)> = Vec::new();
        for &column in relations.iter().flat_map(|relation| relation.near) {
            if !columns.iter().any(|(known, _)| *known == column) {
                columns.push((column, Values::Ints(Vec::new(), Vec::new())));
            }
        }
        Keys { columns, rows: 0 }
    }

    /// Takes the keys of the rows that come next. Most are numbers, so those are taken at once.
    pub(crate) fn extend<M: Model>(&mut self, rows: &[M]) -> DBResult<()> {
        for (column, values) in &mut self.columns {
            for (place, row) in (self.rows..).zip(rows) {
                match row.value_of(*column) {
                    Ok(Value::Int(value)) => match &mut *values {
                        Values::Ints(numbers, _) => numbers.push(value),
                        values => values.push(place, Value::Int(value)),
                    },
                    Ok(value) => values.push(place, value),
                    Err(invalid) => return Err(refused::<M>(invalid, *column)),
                }
            }
        }
        self.rows += rows.len();
        Ok(())
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The key of a row for a relation.
    pub(crate) fn key(&self, row: usize, columns: &[u16]) -> Key {
        let mut values = columns.iter().map(|column| self.value(row, *column));
        match (values.next(), columns.len()) {
            (Some(Value::Null) | None, _) => Key::Null,
            (Some(Value::Int(value)), 1) => Key::Int(value),
            (Some(Value::Uuid(value)), 1) => Key::Uuid(value),
            (Some(first), _) => {
                let all: Vec<_> = std::iter::once(first).chain(values).map(Value::into_owned).collect();
                if all.iter().any(Value::is_null) { Key::Null } else { Key::Other(all.into()) }
            }
        }
    }

    fn value(&self, row: usize, column: u16) -> Value<'_> {
        self.known(row, column).unwrap_or_default()
    }

    /// The value of a column, if relations go by it.
    pub(crate) fn known(&self, row: usize, column: u16) -> Option<Value<'_>> {
        self.columns.iter().find(|(known, _)| *known == column).map(|(_, values)| values.get(row))
    }
}

/// Where a batch or a single row takes its keys from.
pub(crate) enum KeySource<'k> {
    One(&'k Key),
    Many(&'k Keys, &'k [u16]),
}

/// Distinct keys, numbered as they come.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    ints: FxHashMap<i64, u32>,
    others: FxHashMap<Box<[u8]>, u32>,
    /// The distinct keys themselves, in their order.
    pub(crate) distinct: Vec<Arc<[Value<'static>]>>,
    /// Those that are one number, in place of a list for each.
    pub(crate) numbers: Vec<i64>,
    scratch: Vec<u8>,
}

/// The number of a key that is none.
pub(crate) const NO_KEY: u32 = u32::MAX;

impl KeyIndex {
    /// How many distinct keys there are.
    pub(crate) fn len(&self) -> usize {
        self.distinct.len() + self.numbers.len()
    }

    /// The number of a key, which is new or known. Keys of one relation are all one number, or none of them is.
    pub(crate) fn insert(&mut self, key: Key) -> u32 {
        let next = self.len() as u32;
        match key {
            Key::Null => NO_KEY,
            Key::Int(value) => match self.ints.entry(value) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(place) => {
                    self.numbers.push(value);
                    *place.insert(next)
                }
            },
            Key::Uuid(value) => self.insert_other(Arc::new([Value::Uuid(value)]), next),
            Key::Other(values) => self.insert_other(values, next),
        }
    }

    fn insert_other(&mut self, values: Arc<[Value<'static>]>, next: u32) -> u32 {
        self.scratch.clear();
        values.iter().for_each(|value| write(value, &mut self.scratch));
        match self.others.get(self.scratch.as_slice()) {
            Some(&known) => known,
            None => {
                self.others.insert(self.scratch.as_slice().into(), next);
                self.distinct.push(values);
                next
            }
        }
    }

    /// The number of the key that these values are, if it is known.
    pub(crate) fn get<'v>(&mut self, values: impl IntoIterator<Item = Value<'v>>) -> u32 {
        let mut values = values.into_iter();
        let (first, second) = (values.next(), values.next());
        if let (Some(Value::Int(number)), None) = (&first, &second) {
            return self.ints.get(number).copied().unwrap_or(NO_KEY);
        }
        self.scratch.clear();
        for value in first.into_iter().chain(second).chain(values) {
            if value.is_null() {
                return NO_KEY;
            }
            write(&value, &mut self.scratch);
        }
        self.others.get(self.scratch.as_slice()).copied().unwrap_or(NO_KEY)
    }
}

/// Writes a value so that equal ones, and only those, are written alike.
fn write(value: &Value<'_>, to: &mut Vec<u8>) {
    to.push(value.tag());
    match value {
        Value::Null => {}
        Value::Bool(value) => to.push(u8::from(*value)),
        Value::Int(value) => to.extend(value.to_le_bytes()),
        // The two zeros are equal.
        Value::Float(value) => to.extend((value + 0.0).to_le_bytes()),
        Value::Text(text) => {
            to.extend(text.len().to_le_bytes());
            to.extend(text.as_bytes());
        }
        Value::Bytes(bytes) => {
            to.extend(bytes.len().to_le_bytes());
            to.extend(bytes.iter());
        }
        Value::Uuid(value) => to.extend(value),
        Value::ObjectId(value) => to.extend(value),
        Value::Date(value) => to.extend(value.to_string().bytes()),
        Value::Time(value) => to.extend(value.to_string().bytes()),
        Value::DateTime(value) | Value::Timestamp(value) => to.extend(value.to_string().bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value<'static> {
        Value::Text(text.to_owned().into())
    }

    #[test]
    fn a_column_of_keys_gives_back_what_it_took() {
        let columns: [Vec<Value<'static>>; 4] = [
            vec![Value::Int(1), Value::Null, Value::Int(-3)],
            vec![text("a"), Value::Null, text(""), text("äö")],
            vec![Value::Null, text("late")],
            vec![Value::Uuid([7; 16]), Value::Null],
        ];
        for column in columns {
            let mut values = Values::Ints(Vec::new(), Vec::new());
            for (row, value) in column.iter().enumerate() {
                values.push(row, value.borrowed());
            }
            for (row, value) in column.iter().enumerate() {
                assert_eq!(&values.get(row), value, "{row}");
            }
            assert_eq!(values.get(column.len()), Value::Null);
        }
    }

    #[test]
    fn equal_keys_have_one_number() {
        let mut index = KeyIndex::default();
        let pair = |a: i64, b: &str| Key::Other(Arc::new([Value::Int(a), text(b)]));
        assert_eq!(index.insert(pair(1, "a")), 0);
        assert_eq!(index.insert(pair(1, "b")), 1);
        assert_eq!(index.insert(pair(1, "a")), 0);
        assert_eq!(index.insert(Key::Null), NO_KEY);
        assert_eq!(index.get([Value::Int(1), text("b")]), 1);
        assert_eq!(index.get([Value::Int(2), text("b")]), NO_KEY);
        assert_eq!(index.get([Value::Int(1), Value::Null]), NO_KEY);
        let mut numbers = KeyIndex::default();
        assert_eq!((numbers.insert(Key::Int(5)), numbers.insert(Key::Int(4)), numbers.insert(Key::Int(5))), (0, 1, 0));
        assert_eq!((numbers.get([Value::Int(4)]), numbers.get([Value::Int(6)])), (1, NO_KEY));
    }
}
