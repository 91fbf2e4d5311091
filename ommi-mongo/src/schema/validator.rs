//! The validator of a collection: which fields a document must have, and of which type.

use mongodb::bson::{Bson, Document, doc};
use ommi_core::schema::{ColumnSchema, ModelSchema};
use ommi_core::value::ColumnType;

use crate::names::ID;

/// The schema that every document meets.
pub(crate) fn schema(model: &ModelSchema) -> Document {
    let mut properties = doc! { ID: id(model) };
    for column in columns(model) {
        properties.insert(column.name.to_string(), property(column));
    }
    doc! { "bsonType": "object", "required": required(model), "properties": properties }
}

/// The columns outside the key.
pub(crate) fn columns(model: &ModelSchema) -> impl Iterator<Item = &ColumnSchema> {
    (0u16..).zip(&model.columns).filter(|(index, _)| !model.key.contains(index)).map(|(_, column)| column)
}

/// The fields that every document has.
pub(crate) fn required(model: &ModelSchema) -> Vec<String> {
    let columns = columns(model).filter(|column| !column.nullable).map(|column| column.name.to_string());
    std::iter::once(ID.to_owned()).chain(columns).collect()
}

/// The rule of the key.
pub(crate) fn id(model: &ModelSchema) -> Document {
    let mut parts = model.key.iter().filter_map(|&key| model.column(key));
    if let (1, Some(column)) = (model.key.len(), model.key.first().and_then(|&key| model.column(key))) {
        return property(column);
    }
    let names: Vec<String> = parts.clone().map(|column| column.name.to_string()).collect();
    let properties: Document =
        parts.by_ref().map(|column| (column.name.to_string(), property(column).into())).collect();
    doc! { "bsonType": "object", "required": names, "properties": properties }
}

/// The rule of a column.
pub(crate) fn property(column: &ColumnSchema) -> Document {
    let types = bson_types(column.ty);
    let mut property = match (types, column.nullable) {
        ([name], false) => doc! { "bsonType": name },
        (names, false) => doc! { "bsonType": names },
        (names, true) => doc! { "bsonType": names.iter().copied().chain(["null"]).collect::<Vec<_>>() },
    };
    if let Some((low, high)) = column.ty.integer_range() {
        if low > i64::MIN {
            property.insert("minimum", low);
        }
        if high < i64::MAX {
            property.insert("maximum", high);
        }
    }
    property
}

/// Integers may be of either width, as another model of the same collection writes them: they compare by number, and their range is a rule
/// of its own.
fn bson_types(ty: ColumnType) -> &'static [&'static str] {
    match ty {
        ColumnType::Bool => &["bool"],
        ColumnType::F32 | ColumnType::F64 => &["double"],
        ColumnType::Text => &["string"],
        ColumnType::Bytes | ColumnType::Uuid => &["binData"],
        ColumnType::ObjectId => &["objectId"],
        ColumnType::Date | ColumnType::DateTime | ColumnType::Timestamp => &["date"],
        // All others are integers, or times of day.
        _ => &["int", "long"],
    }
}

/// Whether two rules say the same, whatever type their numbers have and in whatever order they list types and names.
pub(crate) fn same_rule(left: &Document, right: &Document) -> bool {
    left.len() == right.len() && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
}

fn same(left: &Bson, right: &Bson) -> bool {
    match (left, right) {
        (Bson::Document(left), Bson::Document(right)) => same_rule(left, right),
        (Bson::Array(left), Bson::Array(right)) => {
            left.len() == right.len() && left.iter().all(|item| right.iter().any(|other| same(item, other)))
        }
        _ => match (crate::driver::whole(Some(left)), crate::driver::whole(Some(right))) {
            (Some(left), Some(right)) => left == right,
            _ => left == right,
        },
    }
}

#[cfg(test)]
mod tests {
    use ommi_core::schema::ColumnBuilder;

    use super::*;

    #[test]
    fn it_says_types_ranges_and_what_is_required() {
        let model = ModelSchema::builder("T", "t")
            .column(ColumnBuilder::new("id", ColumnType::I64).key())
            .column(ColumnBuilder::new("small", ColumnType::U8))
            .column(ColumnBuilder::new("size", ColumnType::U64).nullable())
            .column(ColumnBuilder::new("name", ColumnType::Text).nullable())
            .build()
            .unwrap();
        let expected = doc! {
            "bsonType": "object",
            "required": ["_id", "small"],
            "properties": {
                "_id": { "bsonType": ["int", "long"] },
                "small": { "bsonType": ["int", "long"], "minimum": 0i64, "maximum": 255i64 },
                "size": { "bsonType": ["int", "long", "null"], "minimum": 0i64 },
                "name": { "bsonType": ["string", "null"] },
            },
        };
        assert_eq!(schema(&model), expected);
        assert!(same_rule(&doc! { "a": 1, "b": ["x", "y"] }, &doc! { "b": ["y", "x"], "a": 1.0 }));
        assert!(!same_rule(&doc! { "a": 1 }, &doc! { "a": 1, "b": 2 }));
    }
}
