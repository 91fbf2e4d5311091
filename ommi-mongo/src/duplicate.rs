//! Which columns a refused row has in common with another, as far as the server tells.
//!
//! `E11000 duplicate key error collection: db.table index: name dup key: { a: 1, b: "x" }` is what it says, and `keyPattern` is what it may say beside that.
//! The name of one of Ommi's indexes leads to the columns; else the pattern does, and where there is none, the names in the message.

use mongodb::bson::Document;
use ommi_core::schema::ModelSchema;
use ommi_core::{Constraint, ConstraintKind};

use crate::names::{ID, path};
use crate::schema::indexes;

/// What stands before the values of the index.
const KEYS: &str = "dup key: ";

/// The constraint that a row violates, by the server's message and the rest of its report.
pub(crate) fn duplicate(message: &str, details: &Document, model: &ModelSchema) -> Constraint {
    let constraint = Constraint::new(ConstraintKind::Unique).on_table(&*model.table);
    // Names may hold anything, values too: the first occurrence is the server's own.
    let name = message.split_once(" index: ").and_then(|(_, rest)| rest.split_once(" dup key: "));
    let pattern = details.get_document("keyPattern").ok();
    let name = match name {
        Some((name, _)) => Some(name),
        None if pattern.is_some_and(|pattern| pattern.keys().eq([ID])) => Some("_id_"),
        None => None,
    };
    match name {
        Some("_id_") => return constraint.on_columns(model.names(&model.key)),
        Some(name) => {
            if let Some(index) = indexes::wanted(model).into_iter().find(|index| index.name == name) {
                return constraint.named(name).on_columns(model.names(&index.columns));
            }
        }
        None => {}
    }
    let constraint = match name {
        Some(name) => constraint.named(name),
        None => constraint,
    };
    if let Some(pattern) = pattern {
        return constraint.on_columns(pattern.keys().map(|field| field.strip_prefix("_id.").unwrap_or(field)));
    }
    let columns = message.split_once(KEYS).and_then(|(_, values)| columns(values, model));
    constraint.on_columns(columns.unwrap_or_default())
}

/// The columns that these values are of: `{ a: 1, b: "x, y: 2" }`. None where one of the names is no column's, since then all may be misread.
fn columns<'m>(values: &str, model: &'m ModelSchema) -> Option<Vec<&'m str>> {
    let fields = fields(values)?;
    if let [ID] = fields[..] {
        return Some(model.names(&model.key).collect());
    }
    let column = |field: &str| {
        let place = (0u16..).zip(&model.columns).find(|(index, _)| path(model, *index).is_ok_and(|path| path == field));
        place.map(|(_, column)| &*column.name)
    };
    fields.into_iter().map(column).collect()
}

/// The names of the fields of a document as servers print it. What is within quotes, braces or brackets is a value's.
fn fields(printed: &str) -> Option<Vec<&str>> {
    let mut rest = printed.trim_start().strip_prefix('{')?;
    let mut names = Vec::new();
    loop {
        let (name, value) = rest.split_once(": ")?;
        names.push(name.trim_start());
        match after(value)? {
            (',', next) => rest = next,
            _ => return Some(names),
        }
    }
}

/// What ends the value that stands here, and what follows that.
fn after(value: &str) -> Option<(char, &str)> {
    let (mut depth, mut quoted) = (0u32, false);
    let mut characters = value.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '\\' if quoted => drop(characters.next()),
            '"' => quoted = !quoted,
            _ if quoted => {}
            ',' | '}' if depth == 0 => return Some((character, value.get(place + 1..)?)),
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use mongodb::bson::doc;
    use ommi_core::schema::ColumnBuilder;
    use ommi_core::value::ColumnType;

    use super::*;

    pub(crate) fn model() -> ModelSchema {
        ModelSchema::builder("T", "t")
            .column(ColumnBuilder::new("id", ColumnType::I64).key())
            .column(ColumnBuilder::new("a b", ColumnType::I32).unique())
            .column(ColumnBuilder::new("c", ColumnType::Text))
            .unique(&[1, 2])
            .build()
            .unwrap()
    }

    fn found(message: &str, details: Document, model: &ModelSchema) -> (Option<String>, Vec<String>) {
        let constraint = duplicate(message, &details, model);
        assert_eq!((constraint.kind(), constraint.table()), (ConstraintKind::Unique, Some("t")));
        (constraint.name().map(str::to_owned), constraint.columns().to_vec())
    }

    #[test]
    fn duplicates_name_their_columns() {
        let message = |index| {
            format!(
                "E11000 duplicate key error collection: db.t index: {index} dup key: {{ x: \" index: y dup key: \" }}"
            )
        };
        let unique = |index| found(&message(index), doc! {}, &model()).1;
        assert_eq!(unique("_id_"), ["id"]);
        assert_eq!(unique("ommi_t_a b"), ["a b"]);
        assert_eq!(unique("ommi_t_a b_c"), ["a b", "c"]);
        let (name, columns) = found(&message("other"), doc! { "keyPattern": { "c": 1, "_id.x": 1 } }, &model());
        assert_eq!((name.as_deref(), &columns[..]), (Some("other"), &["c".to_owned(), "x".to_owned()][..]));
    }

    #[test]
    fn the_message_names_them_where_nothing_else_does() {
        let told = |values: &str| found(&format!("E11000 duplicate key error dup key: {values}"), doc! {}, &model());
        let none: [&str; 0] = [];
        for (values, columns) in [
            (r#"{ c: "x" }"#, &["c"][..]),
            (r#"{ c: "x, id: 7 } \" , id: 8", a b: 7 }"#, &["c", "a b"]),
            (r#"{ a b: 7, c: null }"#, &["a b", "c"]),
            (r#"{ c: ObjectId('6'), a b: [ 1, { id: 2 } ] }"#, &["c", "a b"]),
            ("{ _id: 7 }", &["id"]),
            // What is no column may be a part of a value, and old servers give no names.
            (r#"{ c: "x", y: 7 }"#, &none),
            (r#"{ : "x" }"#, &none),
            ("{", &none),
            (r#"{ c: "never closed"#, &none),
            ("", &none),
        ] {
            assert_eq!(told(values), (None, columns.iter().map(|name| (*name).to_owned()).collect()), "{values}");
        }
        let foreign = "E11000 duplicate key error collection: db.t index: other dup key: { c: 1 }";
        assert_eq!(found(foreign, doc! {}, &model()), (Some("other".to_owned()), vec!["c".to_owned()]));
        let parts = ["a", "b"].map(|name| ColumnBuilder::new(name, ColumnType::I64).key());
        let [a, b] = parts;
        let composite = ModelSchema::builder("T", "t").column(a).column(b).build().unwrap();
        for (values, columns) in [("{ _id: { a: 1, b: 2 } }", &["a", "b"][..]), ("{ _id.b: 2 }", &["b"])] {
            assert_eq!(found(&format!("dup key: {values}"), doc! {}, &composite).1, columns, "{values}");
        }
    }
}
