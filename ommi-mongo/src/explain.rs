//! The command that a statement becomes, as text: relaxed extended JSON with a mark in place of each value.

use std::fmt::Write as _;

use mongodb::bson::{RawBsonRef, RawDocument, RawDocumentBuf};
use ommi_core::ast::{Condition, Statement};
use ommi_core::driver::Explanation;
use ommi_core::schema::ModelSchema;
use ommi_core::{DBError, DBResult};

use crate::bson::Writer;
use crate::condition::{Filter, Truth};
use crate::insert::Documents;
use crate::named::explained;
use crate::names::unsupported;
use crate::notes::notes;
use crate::select::{ONE_BATCH, select};
use crate::update::Reach;
use crate::upsert::Upsert;
use crate::{by_key, delete, update, upsert};

/// What stands in for a key that the counter would give.
const GENERATED: i64 = 0;

/// What would be sent.
pub(crate) fn explain(statement: &Statement) -> DBResult<Explanation> {
    // One after the other. Where what is read before is written by its keys, these are marked at the end of the last.
    let mut writers = Vec::new();
    let mut writer = Writer::explaining();
    let mut nothing = false;
    let mut by_keys = false;
    match statement {
        Statement::Select(query) => {
            nothing = select(query, ONE_BATCH, &mut writer)?.is_none();
            if let (false, (first, Some(filter))) = (nothing, explained(&query.model, &query.filter)?) {
                let mut query = query.clone();
                query.filter = filter;
                writer = Writer::explaining();
                writers = first;
                nothing = select(&query, ONE_BATCH, &mut writer)?.is_none();
            }
        }
        Statement::Update(change) => {
            let filter = Truth::new(&change.model).filter(&change.filter)?;
            if filter.is_related() {
                by_keys = true;
                (writers, nothing) = keys(&change.model, &change.filter, &filter)?;
                update::of_keys(change, &mut writer)?;
            } else {
                nothing = update::update(change, &filter, &mut writer)? == Reach::Nothing;
            }
        }
        Statement::Delete(removal) => {
            let filter = Truth::new(&removal.model).filter(&removal.filter)?;
            if filter.is_related() {
                by_keys = true;
                (writers, nothing) = keys(&removal.model, &removal.filter, &filter)?;
                delete::of_keys(&removal.model.table, &mut writer);
            } else {
                nothing = delete::delete(removal, &filter, &mut writer)? == Reach::Nothing;
            }
        }
        Statement::Insert(insert) => {
            let defaults = RawDocumentBuf::new();
            let documents = Documents::new(insert, &defaults);
            let key = documents.generates_keys().then_some(GENERATED);
            let width = insert.columns.len();
            let row = insert.values.get(..width).unwrap_or_default();
            let conflict = insert.on_conflict.as_ref();
            let upsert = conflict.map(|conflict| Upsert { insert, conflict, documents: &documents, row });
            match upsert {
                Some(upsert) if upsert::may_conflict(upsert) => {
                    let conflict = upsert.conflict;
                    let is_changed = !conflict.assignments.is_empty();
                    if is_changed {
                        upsert::change(upsert, key, &mut writer)?;
                    }
                    if upsert::expected(conflict).is_some() {
                        writers.push(std::mem::replace(&mut writer, Writer::explaining()));
                    }
                    if !is_changed || upsert::expected(conflict).is_some() {
                        upsert::addition(upsert, key, &mut writer)?;
                    }
                }
                _ => {
                    let commands = documents.commands(&insert.values, width, insert.rows, key, Writer::explaining)?;
                    // Those after the first say the same of other rows.
                    writer = commands.into_iter().next().ok_or_else(|| unsupported("this statement"))?;
                }
            }
        }
        _ => return Err(unsupported("this statement")),
    }
    if nothing {
        return Ok(Explanation::new("nothing is sent: no document can meet the condition", Vec::new()));
    }
    if by_keys {
        writer.item_mark("<the keys>");
    }
    writers.push(writer);
    let (mut text, mut binds, mut all_notes) = (String::new(), Vec::new(), Vec::new());
    for (number, writer) in writers.into_iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        let (document, noted) = writer.finish()?;
        let unreadable = |error| DBError::query("the command could not be read back").with_source(error);
        print_document(&document, &mut text).map_err(unreadable)?;
        all_notes.extend(notes(&document).map_err(unreadable)?);
        binds.extend(noted);
    }
    Ok(Explanation::new(text, binds).with_notes(all_notes))
}

/// The commands that read the keys of what is to be written, and whether nothing can be.
fn keys(model: &ModelSchema, condition: &Condition, filter: &Filter<'_>) -> DBResult<(Vec<Writer>, bool)> {
    let mut writer = Writer::explaining();
    let (mut writers, named) = explained(model, condition)?;
    let mut nothing = false;
    match named {
        None => by_key::keys(model, filter, &mut writer)?,
        Some(condition) => {
            let filter = Truth::new(model).filter(&condition)?;
            nothing = filter.is_nothing();
            by_key::keys(model, &filter, &mut writer)?;
        }
    }
    writers.push(writer);
    Ok((writers, nothing))
}

type Printed = mongodb::bson::error::Result<()>;

fn print_document(document: &RawDocument, text: &mut String) -> Printed {
    text.push('{');
    for (number, field) in document.iter_elements().enumerate() {
        let field = field?;
        text.push_str(if number == 0 { " " } else { ", " });
        quote(field.key().as_str(), text);
        text.push_str(": ");
        print(field.value()?, text)?;
    }
    text.push_str(" }");
    Ok(())
}

fn print(value: RawBsonRef<'_>, text: &mut String) -> Printed {
    // Writing to a `String` does not fail.
    let _ = match value {
        RawBsonRef::Document(document) => return print_document(document, text),
        RawBsonRef::Array(array) => {
            text.push('[');
            for (number, item) in array.into_iter().enumerate() {
                if number > 0 {
                    text.push_str(", ");
                }
                print(item?, text)?;
            }
            text.push(']');
            Ok(())
        }
        // The mark of a value.
        RawBsonRef::Symbol(mark) => write!(text, "{mark}"),
        RawBsonRef::Null => write!(text, "null"),
        RawBsonRef::Boolean(value) => write!(text, "{value}"),
        RawBsonRef::Int32(number) => write!(text, "{number}"),
        RawBsonRef::Int64(number) => write!(text, "{number}"),
        RawBsonRef::Double(number) => write!(text, "{number:?}"),
        RawBsonRef::String(value) => {
            quote(value, text);
            Ok(())
        }
        // Nothing else stands in a command but as a value.
        _ => write!(text, "?"),
    };
    Ok(())
}

fn quote(value: &str, text: &mut String) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}
