//! Where a column lies in a document: the key in `_id`, every other under its own name.

use std::borrow::Cow;

use ommi_core::schema::ModelSchema;
use ommi_core::value::ColumnType;
use ommi_core::{DBError, DBResult};

/// The driver's name, as errors give it.
pub(crate) const NAME: &str = "mongo";
/// The field of the key.
pub(crate) const ID: &str = "_id";

/// The most bytes of a collection's name with that of its database and the dot between them: MongoDB's manual, "Naming Restrictions". Sharded
/// collections have 20 fewer, which the server says when one is made so.
const LONGEST_NAMESPACE: usize = 255;

/// What is wrong with the name of a collection that is longer than the server takes.
pub(crate) fn too_long(database: &str, table: &str) -> Option<String> {
    let longest = LONGEST_NAMESPACE.saturating_sub(database.len() + 1);
    (table.len() > longest).then(|| {
        format!(
            "the name `{table}` is longer than MongoDB's {LONGEST_NAMESPACE} bytes for a database and a collection: in this database there \
             are {longest}"
        )
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_and_its_database_share_the_bytes_of_a_name() {
        assert_eq!(too_long("shop", &"a".repeat(250)), None);
        let problem = too_long("shop", &"a".repeat(251)).unwrap();
        assert!(problem.contains("there are 250"), "{problem}");
        // Bytes, and not characters.
        assert!(too_long("shop", &"é".repeat(125)).is_none() && too_long("shop", &"é".repeat(126)).is_some());
    }
}
