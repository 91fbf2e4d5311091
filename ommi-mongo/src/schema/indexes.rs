//! The indexes of a model, and what makes one equal to another.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc, spec::BinarySubtype};
use ommi_core::schema::ModelSchema;
use ommi_core::value::ColumnType;

use crate::names::{path, type_of};

/// An index that a model wants, beside the one on `_id`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WantedIndex {
    pub(crate) name: String,
    pub(crate) columns: Vec<u16>,
    pub(crate) unique: bool,
    /// The documents that it covers, where that is not all.
    pub(crate) partial: Option<Document>,
}

/// The unique sets of a model, its plain indexes, one on the parts of a composite key, and one for each reference whose columns no other
/// begins with.
pub(crate) fn wanted(model: &ModelSchema) -> Vec<WantedIndex> {
    let mut list: Vec<WantedIndex> = Vec::new();
    for unique in &model.uniques {
        // The key's own columns in another order are unique already.
        let is_key = unique.columns.len() == model.key.len() && unique.columns.iter().all(|c| model.key.contains(c));
        add(&mut list, model, &unique.columns, !is_key);
    }
    if model.key.len() > 1 {
        add(&mut list, model, &model.key, false);
    }
    for index in &model.indexes {
        add(&mut list, model, &index.columns, false);
    }
    for reference in &model.references {
        if !list.iter().any(|index| index.columns.starts_with(&reference.columns)) {
            add(&mut list, model, &reference.columns, false);
        }
    }
    list
}

fn add(list: &mut Vec<WantedIndex>, model: &ModelSchema, columns: &[u16], unique: bool) {
    let is_id = columns == model.key.as_slice() && columns.len() == 1;
    if is_id || list.iter().any(|index| index.columns == columns) {
        return;
    }
    let mut name = format!("ommi_{}", model.table);
    for column in model.names(columns) {
        name.push('_');
        name.push_str(column);
    }
    // Different columns may spell one name: `a_b` with `c`, and `a` with `b_c`.
    while list.iter().any(|index| index.name == name) {
        name.push('_');
    }
    let partial = unique.then(|| partial(model, columns)).flatten();
    list.push(WantedIndex { name, columns: columns.to_vec(), unique, partial });
}

/// Leaves out what has NULL in a nullable column: SQL lets many such rows into a unique set, a plain unique index one.
///
/// It is a range that every value meets, and not `$type`: that a comparison implies the range, the planner can prove.
fn partial(model: &ModelSchema, columns: &[u16]) -> Option<Document> {
    let nullable = columns.iter().filter(|&&c| model.column(c).is_some_and(|column| column.nullable));
    let filter: Document = nullable
        .filter_map(|&column| {
            Some((path(model, column).ok()?.into_owned(), doc! { "$gte": least(type_of(model, column)) }.into()))
        })
        .collect();
    (!filter.is_empty()).then_some(filter)
}

/// The least value of a column's BSON type.
fn least(ty: ColumnType) -> Bson {
    match ty {
        ColumnType::Bool => Bson::Boolean(false),
        ColumnType::Text => Bson::String(String::new()),
        ColumnType::Bytes | ColumnType::Uuid => {
            Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: Vec::new() })
        }
        ColumnType::ObjectId => Bson::ObjectId(ObjectId::from_bytes([0; 12])),
        ColumnType::Date | ColumnType::DateTime | ColumnType::Timestamp => Bson::DateTime(DateTime::MIN),
        // All others are numbers.
        _ => Bson::Double(f64::NEG_INFINITY),
    }
}

impl WantedIndex {
    /// The fields it is on.
    pub(crate) fn key(&self, model: &ModelSchema) -> Document {
        let paths = self.columns.iter().filter_map(|&column| path(model, column).ok());
        paths.map(|path| (path.into_owned(), Bson::Int32(1))).collect()
    }

    /// As `createIndexes` takes it.
    pub(crate) fn specification(&self, model: &ModelSchema) -> Document {
        let mut specification = doc! { "key": self.key(model), "name": &self.name };
        if self.unique {
            specification.insert("unique", true);
        }
        if let Some(partial) = &self.partial {
            specification.insert("partialFilterExpression", partial.clone());
        }
        specification
    }

    /// Says how an index that is there differs, or nothing when it serves.
    pub(crate) fn differs(&self, there: &Document) -> Option<&'static str> {
        let unique = there.get_bool("unique").unwrap_or(false);
        if unique != self.unique {
            return Some(if self.unique { "is not unique" } else { "is unique" });
        }
        if there.get_document("partialFilterExpression").ok() != self.partial.as_ref() {
            return Some("covers other documents");
        }
        if there.contains_key("collation") {
            return Some("has a collation, and text is compared by its bytes");
        }
        ["sparse", "expireAfterSeconds", "hidden"].into_iter().find_map(|option| match there.get(option) {
            None | Some(Bson::Boolean(false)) => None,
            Some(_) if option == "sparse" => Some("is sparse"),
            Some(_) if option == "hidden" => Some("is hidden"),
            Some(_) => Some("lets documents expire"),
        })
    }
}

/// Whether two indexes are on the same fields in the same order and direction. Servers give directions as any kind of number.
pub(crate) fn same_key(left: &Document, right: &Document) -> bool {
    let numbers = |key: &Document| -> Vec<(String, Option<i64>)> {
        key.iter().map(|(field, direction)| (field.clone(), crate::driver::whole(Some(direction)))).collect()
    };
    numbers(left) == numbers(right)
}

#[cfg(test)]
mod tests {
    use ommi_core::schema::{ColumnBuilder, ReferenceSchema, Target};

    use super::*;

    #[test]
    fn each_set_of_columns_gets_one_index_with_a_name_of_its_own() {
        let column = |name: &'static str| ColumnBuilder::new(name, ColumnType::I64);
        let model = ModelSchema::builder("T", "t")
            .column(column("a").key())
            .column(column("b").key())
            .column(column("a_b").nullable())
            .column(column("c").unique())
            .unique(&[2, 3])
            .index(&[3])
            .index(&[0, 1])
            .reference(ReferenceSchema::new(vec![0], Target::Itself, vec![0]))
            .reference(ReferenceSchema::new(vec![2], Target::Itself, vec![0]))
            .build()
            .unwrap();
        let list: Vec<_> = wanted(&model).into_iter().map(|i| (i.key(&model), i.name, i.unique, i.partial)).collect();
        let infinity = doc! { "a_b": { "$gte": f64::NEG_INFINITY } };
        assert_eq!(
            list,
            [
                (doc! { "c": 1 }, "ommi_t_c".to_owned(), true, None),
                (doc! { "a_b": 1, "c": 1 }, "ommi_t_a_b_c".to_owned(), true, Some(infinity)),
                (doc! { "_id.a": 1, "_id.b": 1 }, "ommi_t_a_b".to_owned(), false, None),
            ]
        );
    }
}
