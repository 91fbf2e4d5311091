//! What is said where a row that another one must refer to is not there.

use super::{Key, RelationInfo};
use crate::error::{DBError, MissingRow};
use crate::model::Model;
use crate::schema::{ModelSchema, Name};
use crate::value::Value;

/// `NotFound` of the row of `T` that a row refers to by this key; with the key of that row, where it is known.
#[cold]
pub(super) fn missing<T: Model>(relation: &RelationInfo, key: Key, referring: Vec<(Name, Value<'static>)>) -> DBError {
    let (owner, target) = ((relation.owner)(), T::schema());
    let (by, columns) = (fields(&owner, relation.near), fields(&target, relation.far));
    let row = MissingRow::new(relation.full_name(), by, target.name.clone(), columns);
    DBError::missing(row.with_key(key.into_values()).with_referring(referring))
}

/// The names of these columns' fields.
fn fields(schema: &ModelSchema, columns: &[u16]) -> Vec<Name> {
    columns.iter().filter_map(|&column| Some(schema.column(column)?.field.clone())).collect()
}

/// The key of a row, by what gives the value of a column; nothing where that does not know all of it.
pub(super) fn own_key(
    schema: &ModelSchema,
    value: impl Fn(u16) -> Option<Value<'static>>,
) -> Vec<(Name, Value<'static>)> {
    let part = |&column: &u16| Some((schema.column(column)?.field.clone(), value(column)?));
    schema.key.iter().map(part).collect::<Option<_>>().unwrap_or_default()
}
