//! Strict handles: relations that are loaded for one row after another are an error there.
//!
//! Rows of one query load together, so many statements for one relation come from rows that were read one by one. That can be told from how a
//! row was read, whatever the data: a row that came by `get`, `one` or `first`, or by a query for one key, loads for itself. The first such load of
//! a relation is what any program does that shows one row; the second is the loop. Rows that were themselves loaded as related rows come with
//! all their siblings and are not counted, so that climbing a tree step by step is none.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Key, RelationInfo};
use crate::error::{DBError, DBResult};
use crate::handle::Ending;
use crate::schema::SchemaRef;

/// What a strict handle remembers: the relations that were loaded for a row by itself.
#[derive(Default)]
pub(crate) struct Strict {
    loads: Mutex<Vec<Load>>,
}

struct Load {
    owner: SchemaRef,
    relation: &'static str,
    key: Key,
    /// Of the transaction it was done in. One that was rolled back may be run again.
    ending: Option<Arc<Ending>>,
}

impl Load {
    fn is_of(&self, relation: &RelationInfo) -> bool {
        self.relation == relation.name && self.owner == (relation.owner)()
    }
}

impl Strict {
    fn loads(&self) -> MutexGuard<'_, Vec<Load>> {
        self.loads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a load for a row by itself, before it is sent. Counted only if it comes to its end.
    ///
    /// # Errors
    /// That the relation was loaded for another row in the same way.
    pub(super) fn count(
        &self,
        relation: &'static RelationInfo,
        key: &Key,
        ending: Option<&Arc<Ending>>,
    ) -> DBResult<Option<Counted<'_>>> {
        if *key == Key::Null {
            // Nothing is sent for it.
            return Ok(None);
        }
        let mut loads = self.loads();
        loads.retain(|load| !load.ending.as_ref().is_some_and(|ending| ending.undone()));
        if let Some(before) = loads.iter().find(|load| load.is_of(relation)) {
            // By other rows' references, one key is one row of this model: that it is loaded again was asked for by `forget` or `take`.
            return if !relation.owned && before.key == *key { Ok(None) } else { Err(one_by_one(relation)) };
        }
        let owner = (relation.owner)();
        loads.push(Load { owner, relation: relation.name, key: key.clone(), ending: ending.cloned() });
        Ok(Some(Counted { strict: self, relation, done: false }))
    }
}

/// A load that is under way. Dropped without [`done`](Counted::done), it was none.
pub(super) struct Counted<'s> {
    strict: &'s Strict,
    relation: &'static RelationInfo,
    done: bool,
}

impl Counted<'_> {
    pub(super) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.strict.loads().retain(|load| !load.is_of(self.relation));
        }
    }
}

/// Shows no keys, which are the user's data.
impl fmt::Debug for Strict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Strict")
    }
}

#[cold]
fn one_by_one(relation: &RelationInfo) -> DBError {
    let (model, name) = ((relation.owner)().name.clone(), relation.name);
    DBError::query(format!(
        "this would load `{model}.{name}` for a second row by itself, on a strict handle; read the rows with one query, so that they load \
         together, or include it in theirs: `.include({model}::{name})`; `load_alone` does it all the same"
    ))
}
