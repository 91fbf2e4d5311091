//! What was loaded for a relation: the related rows of one row or of a whole batch.

use super::key::NO_KEY;

/// Related rows, and which of them belong to which row.
#[derive(Debug)]
pub(crate) struct Loaded<T> {
    pub(crate) rows: Vec<T>,
    /// For each row of the batch the number of its key, or [`NO_KEY`].
    pub(crate) keys: Vec<u32>,
    /// For each key where its rows begin, in `items` if there are any, else in `rows`, and how many they are.
    pub(crate) groups: Vec<(u32, u32)>,
    /// The places in `rows`, where one row can belong to several.
    pub(crate) items: Option<Vec<u32>>,
}

impl<T> Loaded<T> {
    /// These rows, all of one row.
    pub(crate) fn of_one(rows: Vec<T>) -> Loaded<T> {
        let count = rows.len() as u32;
        Loaded { rows, keys: vec![0], groups: vec![(0, count)], items: None }
    }

    /// What belongs to one row.
    pub(crate) fn group(&self, row: u32) -> Group<'_, T> {
        let key = self.keys.get(row as usize).copied().unwrap_or(NO_KEY);
        let (start, count) = self.groups.get(key as usize).copied().unwrap_or((0, 0));
        let range = start as usize..(start + count) as usize;
        match &self.items {
            None => Group { rows: self.rows.get(range).unwrap_or_default(), items: None },
            Some(items) => Group { rows: &self.rows, items: Some(items.get(range).unwrap_or_default()) },
        }
    }
}

/// The related rows of one row.
pub(crate) struct Group<'a, T> {
    rows: &'a [T],
    items: Option<&'a [u32]>,
}

impl<'a, T> Group<'a, T> {
    /// No rows.
    pub(crate) const fn none() -> Group<'a, T> {
        Group { rows: &[], items: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    pub(crate) fn rows(&self) -> &'a [T] {
        self.rows
    }

    pub(crate) fn first(&self) -> Option<&'a T> {
        match self.items {
            None => self.rows.first(),
            Some(items) => items.first().and_then(|&item| self.rows.get(item as usize)),
        }
    }

    pub(crate) fn many(&self) -> Many<'a, T> {
        Many { rows: self.rows, items: self.items.unwrap_or_default() }
    }
}

/// Rows that several others share: what a many-to-many relation gives.
///
/// It reads like a slice of references: `for tag in user.tags.load(&db).await? { .. }`.
pub struct Many<'a, T> {
    rows: &'a [T],
    items: &'a [u32],
}

impl<'a, T> Many<'a, T> {
    /// How many there are.
    pub fn len(self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.items.is_empty()
    }

    /// The one at this place.
    pub fn get(self, place: usize) -> Option<&'a T> {
        self.items.get(place).and_then(|&item| self.rows.get(item as usize))
    }

    /// The first one.
    pub fn first(self) -> Option<&'a T> {
        self.get(0)
    }

    /// One after the other.
    pub fn iter(self) -> ManyIter<'a, T> {
        ManyIter { rows: self.rows, items: self.items.iter() }
    }
}

impl<T> Clone for Many<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Many<'_, T> {}

impl<T: std::fmt::Debug> std::fmt::Debug for Many<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T> IntoIterator for Many<'a, T> {
    type Item = &'a T;
    type IntoIter = ManyIter<'a, T>;

    fn into_iter(self) -> ManyIter<'a, T> {
        self.iter()
    }
}

/// The rows of a [`Many`].
pub struct ManyIter<'a, T> {
    rows: &'a [T],
    items: std::slice::Iter<'a, u32>,
}

impl<'a, T> Iterator for ManyIter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.items.next().and_then(|&item| self.rows.get(item as usize))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.items.size_hint()
    }
}

impl<T> ExactSizeIterator for ManyIter<'_, T> {}

impl<T> std::fmt::Debug for ManyIter<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ManyIter({} left)", self.items.len())
    }
}
