//! Where a column lies in a document: the key in `_id`, every other under its own name.

use std::borrow::Cow;

use ommi_core::schema::ModelSchema;
use ommi_core::value::ColumnType;
use ommi_core::{DBError, DBResult};

/// The driver's name, as errors give it.
pub(crate) const NAME: &str = "mongo";
/// The field of the key.
pub(crate) const ID: &str = "_id";

/// An error for what this driver cannot do.
pub(crate) fn unsupported(feature: &'static str) -> DBError {
    DBError::unsupported(NAME, feature)
}

/// The place of a column in a document, as match, sort and index documents name it.
pub(crate) fn path(model: &ModelSchema, column: u16) -> DBResult<Cow<'_, str>> {
    let Some(schema) = model.column(column) else {
        return Err(DBError::query(format!("{} has no column number {column}", model.name)));
    };
    Ok(match model.key.as_slice() {
        [key] if *key == column => Cow::Borrowed(ID),
        [_] => Cow::Borrowed(&*schema.name),
        key if key.contains(&column) => Cow::Owned(format!("{ID}.{}", schema.name)),
        _ => Cow::Borrowed(&*schema.name),
    })
}

/// The place of a column in a document, as an expression reads it.
pub(crate) fn reference(model: &ModelSchema, column: u16) -> DBResult<String> {
    Ok(format!("${}", path(model, column)?))
}

/// The type of a column.
pub(crate) fn type_of(model: &ModelSchema, column: u16) -> ColumnType {
    model.column(column).map_or(ColumnType::Text, |column| column.ty)
}

/// A name for a field that exists only within a pipeline: none of the model's. What it is for tells it from others, and a number.
pub(crate) fn scratch(model: &ModelSchema, purpose: &str, number: usize) -> String {
    let mut name = format!("__{purpose}{number}");
    while model.columns.iter().any(|column| *column.name == *name) {
        name.push('_');
    }
    name
}
