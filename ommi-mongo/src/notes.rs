//! What an explanation says beside the command: which of its conditions no index serves.
//!
//! It is read off the command, in which marks stand for all values, so every name that begins with `$` is an operator of this crate's own. A pattern has no
//! fixed beginning here, since what begins with a text is asked as a range; and an expression over fields is worked out for each document,
//! but for the one by which a `$lookup` finds what equals its variables.

use mongodb::bson::error::Result;
use mongodb::bson::{RawBsonRef, RawDocument};

/// The notes on a command, each once.
pub(crate) fn notes(command: &RawDocument) -> Result<Vec<String>> {
    let table = match command.iter_elements().next() {
        Some(first) => match first?.value()? {
            RawBsonRef::String(table) => table.to_owned(),
            _ => String::new(),
        },
        None => String::new(),
    };
    let mut notes = Notes(Vec::new());
    notes.document(command, &Place { table: &table, field: "", variables: &[] })?;
    Ok(notes.0)
}

/// Where a part of a command stands.
#[derive(Clone, Copy)]
struct Place<'d> {
    /// The collection that it is about.
    table: &'d str,
    /// The field that a test is of.
    field: &'d str,
    /// What the `$lookup` around it calls the values that it looks for.
    variables: &'d [String],
}

struct Notes(Vec<String>);

impl Notes {
    fn add(&mut self, note: String) {
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    fn document(&mut self, document: &RawDocument, place: &Place<'_>) -> Result<()> {
        for element in document.iter_elements() {
            let element = element?;
            let (name, value) = (element.key().as_str(), element.value()?);
            match name {
                "$regex" => {
                    let (field, table) = (place.field, place.table);
                    self.add(format!(
                        "no index narrows the search in `{field}` of `{table}`: its pattern has no fixed beginning"
                    ));
                }
                "$expr" => self.expression(value, place)?,
                "$lookup" => self.lookup(value, place)?,
                _ => {
                    let field = if name.starts_with('$') { place.field } else { name };
                    self.value(value, &Place { field, ..*place })?;
                }
            }
        }
        Ok(())
    }

    fn value(&mut self, value: RawBsonRef<'_>, place: &Place<'_>) -> Result<()> {
        match value {
            RawBsonRef::Document(document) => self.document(document, place),
            RawBsonRef::Array(items) => items.into_iter().try_for_each(|item| self.value(item?, place)),
            _ => Ok(()),
        }
    }

    fn lookup(&mut self, value: RawBsonRef<'_>, place: &Place<'_>) -> Result<()> {
        let RawBsonRef::Document(lookup) = value else { return Ok(()) };
        let (mut table, mut variables) = ("", Vec::new());
        for element in lookup.iter_elements() {
            let element = element?;
            match (element.key().as_str(), element.value()?) {
                ("from", RawBsonRef::String(from)) => table = from,
                ("let", RawBsonRef::Document(given)) => {
                    for variable in given.iter_elements() {
                        variables.push(format!("$${}", variable?.key().as_str()));
                    }
                }
                _ => {}
            }
        }
        self.document(lookup, &Place { table, variables: &variables, ..*place })
    }

    fn expression(&mut self, value: RawBsonRef<'_>, place: &Place<'_>) -> Result<()> {
        let mut names = Vec::new();
        texts(value, &mut names)?;
        if names.iter().any(|name| place.variables.contains(name)) {
            return Ok(());
        }
        let mut fields: Vec<String> = Vec::new();
        for name in names {
            if let Some(field) = name.strip_prefix('$').filter(|field| !field.starts_with('$')) {
                let field = format!("`{field}`");
                if !fields.contains(&field) {
                    fields.push(field);
                }
            }
        }
        let (fields, table) = (fields.join(", "), place.table);
        self.add(format!("no index serves what is worked out for each document from {fields} of `{table}`"));
        Ok(())
    }
}

/// All text within a value.
fn texts(value: RawBsonRef<'_>, found: &mut Vec<String>) -> Result<()> {
    match value {
        RawBsonRef::String(text) => found.push(text.to_owned()),
        RawBsonRef::Document(document) => {
            for element in document.iter_elements() {
                texts(element?.value()?, found)?;
            }
        }
        RawBsonRef::Array(items) => {
            for item in items {
                texts(item?, found)?;
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ommi_core::ast::{Assignment, Change, CompareOp, Condition, Expr, Related, Select, Statement, TextOp, Update};
    use ommi_core::schema::{ColumnBuilder, ModelSchema, SchemaRef};
    use ommi_core::value::{ColumnType, Value};

    use crate::explain::explain;
    use crate::pipelines::{at_least, exists, schema};

    /// 0 id, 1 name, 2 other, 3 low, 4 high
    fn model() -> SchemaRef {
        let text = |name: &'static str| ColumnBuilder::new(name, ColumnType::Text);
        let number = |name: &'static str| ColumnBuilder::new(name, ColumnType::I64).nullable();
        let builder = ModelSchema::builder("T", "t").column(ColumnBuilder::new("id", ColumnType::I64).key());
        schema(builder.column(text("name")).column(text("other")).column(number("low")).column(number("high")))
    }

    fn notes(filter: Condition) -> Vec<String> {
        let mut query = Select::new(model());
        query.filter = filter;
        explain(&Statement::Select(query)).unwrap().notes().to_vec()
    }

    fn search(op: TextOp, ignore_case: bool, needle: &str) -> Condition {
        let needle = Expr::Value(Value::Text(needle.to_owned().into()));
        Condition::Text { op, ignore_case, expr: Expr::Column(1), needle }
    }

    fn columns(left: u16, right: u16) -> Condition {
        Condition::compare(CompareOp::Lt, Expr::Column(left), Expr::Column(right))
    }

    const PATTERN: &str = "no index narrows the search in `name` of `t`: its pattern has no fixed beginning";

    #[test]
    fn searches_that_no_index_narrows_are_told() {
        for (op, ignore_case) in
            [(TextOp::Contains, false), (TextOp::EndsWith, false), (TextOp::StartsWith, true), (TextOp::Equals, true)]
        {
            let condition = search(op, ignore_case, "$x");
            assert_eq!(notes(condition.clone()), [PATTERN], "{op:?}");
            assert_eq!(notes(Condition::Not(Box::new(condition)).and(at_least(3, 7))), [PATTERN], "not {op:?}");
        }
        assert_eq!(notes(search(TextOp::StartsWith, false, "$x").and(at_least(3, 7))), [] as [&str; 0]);
        // Twice is once.
        let twice = search(TextOp::Contains, false, "a").or(search(TextOp::EndsWith, false, "b"));
        assert_eq!(notes(twice), [PATTERN]);
    }

    #[test]
    fn expressions_over_fields_are_told() {
        let told = |fields: &str| format!("no index serves what is worked out for each document from {fields} of `t`");
        assert_eq!(notes(columns(3, 4)), [told("`low`, `high`")]);
        let both = columns(3, 4).and(search(TextOp::Contains, false, "a"));
        assert_eq!(notes(both), [told("`low`, `high`"), PATTERN.to_owned()]);
        // Too long for a pattern, whatever it says.
        assert_eq!(notes(search(TextOp::EndsWith, false, &"$low".repeat(500))), [told("`name`")]);
        let change = Assignment::new(3, Change::Add(Value::Int(1)));
        let update = explain(&Statement::Update(Update::new(model(), vec![change], columns(3, 4)))).unwrap();
        assert_eq!(update.notes(), [told("`low`, `high`")]);
    }

    #[test]
    fn what_a_lookup_finds_by_its_variables_is_served() {
        let by_two = |filter: Condition| exists(Related::new(model(), vec![(3, 3), (4, 4)]).filter(filter), false);
        assert_eq!(notes(by_two(Condition::True)), [] as [&str; 0]);
        assert_eq!(notes(by_two(search(TextOp::Contains, false, "a"))), [PATTERN]);
        assert_eq!(notes(by_two(columns(3, 4))).len(), 1);
    }
}
