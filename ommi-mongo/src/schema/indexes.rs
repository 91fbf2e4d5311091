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
///
/// The index of a unique set with a nullable column leaves documents out, so it serves nobody who asks for NULL, or for a part of the set. Where an
/// index is wanted beside it, on the same columns, that is another index, under another name.
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
        if !list.iter().any(|index| index.partial.is_none() && index.columns.starts_with(&reference.columns)) {
            add(&mut list, model, &reference.columns, false);
        }
    }
    list
}

fn add(list: &mut Vec<WantedIndex>, model: &ModelSchema, columns: &[u16], unique: bool) {
    let is_id = columns == model.key.as_slice() && columns.len() == 1;
    if is_id || list.iter().any(|index| index.partial.is_none() && index.columns == columns) {
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
    use ommi_core::value::{Date, Moment, TimeOfDay, Value};

    use super::*;
    use crate::bson::Writer;

    /// How two values of one BSON type compare; none where they are of different types, which a range keeps apart.
    fn order(left: &Bson, right: &Bson) -> Option<std::cmp::Ordering> {
        let number = |value: &Bson| match value {
            Bson::Int32(number) => Some(f64::from(*number)),
            Bson::Int64(number) => Some(*number as f64),
            Bson::Double(number) => Some(*number),
            _ => None,
        };
        match (left, right) {
            (Bson::Boolean(left), Bson::Boolean(right)) => Some(left.cmp(right)),
            (Bson::String(left), Bson::String(right)) => Some(left.cmp(right)),
            (Bson::ObjectId(left), Bson::ObjectId(right)) => Some(left.cmp(right)),
            (Bson::DateTime(left), Bson::DateTime(right)) => Some(left.cmp(right)),
            (Bson::Binary(left), Bson::Binary(right)) => {
                let key = |value: &Binary| (value.bytes.len(), u8::from(value.subtype), value.bytes.clone());
                Some(key(left).cmp(&key(right)))
            }
            (left, right) => number(left)?.partial_cmp(&number(right)?),
        }
    }

    /// What the range left out could be in the collection twice.
    #[test]
    fn the_range_of_a_partial_index_leaves_out_no_value() {
        let least_moment = crate::value::moment_of(i64::MIN).unwrap();
        let values: Vec<(ColumnType, Value<'static>)> = vec![
            (ColumnType::Bool, Value::Bool(false)),
            (ColumnType::I8, Value::Int(i8::MIN.into())),
            (ColumnType::U64, Value::Int(0)),
            (ColumnType::I64, Value::Int(i64::MIN)),
            (ColumnType::F32, Value::Float(f64::NEG_INFINITY)),
            (ColumnType::F64, Value::Float(f64::NEG_INFINITY)),
            (ColumnType::Text, Value::Text("".into())),
            (ColumnType::Bytes, Value::Bytes((&[] as &[u8]).into())),
            (ColumnType::Uuid, Value::Uuid([0; 16])),
            (ColumnType::ObjectId, Value::ObjectId([0; 12])),
            (ColumnType::Date, Value::Date(Date { days: i32::MIN })),
            (ColumnType::Time, Value::Time(TimeOfDay::from_nanos(0).unwrap())),
            (ColumnType::DateTime, Value::DateTime(least_moment)),
            (ColumnType::Timestamp, Value::Timestamp(Moment::new(0, 0).unwrap())),
        ];
        for (ty, value) in values {
            let mut writer = Writer::new();
            writer.value("v", ty, &value);
            let stored = Document::try_from(writer.finish().unwrap().0.as_ref()).unwrap().remove("v").unwrap();
            assert!(order(&least(ty), &stored).is_some_and(|order| order.is_le()), "{ty:?}: {stored}");
        }
    }

    /// An index on several columns takes only rows of which none of them is NULL.
    #[test]
    fn every_nullable_column_of_a_unique_set_is_asked_for() {
        let model = ModelSchema::builder("T", "t")
            .column(ColumnBuilder::new("id", ColumnType::I64).key())
            .column(ColumnBuilder::new("a", ColumnType::Text).nullable())
            .column(ColumnBuilder::new("b", ColumnType::I64))
            .column(ColumnBuilder::new("c", ColumnType::Bool).nullable())
            .unique(&[1, 2, 3])
            .build()
            .unwrap();
        let [index] = &wanted(&model)[..] else { panic!("one index") };
        assert_eq!(index.partial, Some(doc! { "a": { "$gte": "" }, "c": { "$gte": false } }));
        // One that covers other documents, or compares text in another way, is another index.
        let there = index.specification(&model);
        assert_eq!(index.differs(&there), None);
        for (option, value) in [
            ("partialFilterExpression", Some(doc! { "a": { "$gte": "" } }.into())),
            ("partialFilterExpression", None),
            ("unique", None),
            ("collation", Some(doc! { "locale": "en" }.into())),
            ("sparse", Some(true.into())),
            ("hidden", Some(true.into())),
            ("expireAfterSeconds", Some(Bson::Int32(1))),
        ] {
            let mut other = there.clone();
            match value {
                Some(value) => other.insert(option, value),
                None => other.remove(option),
            };
            assert!(index.differs(&other).is_some(), "{other}");
        }
    }

    #[test]
    fn a_partial_index_stands_in_for_no_other() {
        let nick = ColumnBuilder::new("nick", ColumnType::Text).nullable().unique().index();
        let boss = ColumnBuilder::new("boss", ColumnType::I64).nullable().unique();
        let model = ModelSchema::builder("T", "t")
            .column(ColumnBuilder::new("id", ColumnType::I64).key())
            .column(nick)
            .column(boss)
            .column(ColumnBuilder::new("code", ColumnType::I64).unique().index())
            .reference(ReferenceSchema::new(vec![2], Target::Itself, vec![0]))
            .build()
            .unwrap();
        let list: Vec<_> = wanted(&model).into_iter().map(|i| (i.name, i.unique, i.partial.is_some())).collect();
        let expected = [
            ("ommi_t_nick", true, true),
            ("ommi_t_boss", true, true),
            ("ommi_t_code", true, false),
            ("ommi_t_nick_", false, false),
            ("ommi_t_boss_", false, false),
        ];
        assert_eq!(list, expected.map(|(name, unique, partial)| (name.to_owned(), unique, partial)));
    }

    #[test]
    fn each_set_of_columns_gets_an_index_with_a_name_of_its_own() {
        let column = |name: &'static str| ColumnBuilder::new(name, ColumnType::I64);
        let model = ModelSchema::builder("T", "t")
            .column(column("a").key())
            .column(column("b").key())
            .column(column("a_b").nullable())
            .column(column("c").unique())
            .unique(&[2, 3])
            .index(&[3])
            .index(&[0, 1])
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
                // The second reference is not served by the set that leaves out its NULLs.
                (doc! { "a_b": 1 }, "ommi_t_a_b_".to_owned(), false, None),
            ]
        );
    }
}
