//! The command that a statement becomes, as text: relaxed extended JSON with a mark in place of each value.

use std::fmt::Write as _;

use mongodb::bson::{RawBsonRef, RawDocument, RawDocumentBuf};
use ommi_core::ast::Statement;
use ommi_core::driver::Explanation;
use ommi_core::{DBError, DBResult};

use crate::bson::Writer;
use crate::condition::Truth;
use crate::insert::Documents;
use crate::names::unsupported;
use crate::select::{ONE_BATCH, select};
use crate::update::Reach;
use crate::{by_key, delete, update, upsert};

/// What stands in for a key that the counter would give.
const GENERATED: i64 = 0;

/// What would be sent.
pub(crate) fn explain(statement: &Statement) -> DBResult<Explanation> {
    let mut writers = vec![Writer::explaining()];
    let Some(writer) = writers.first_mut() else { return Err(unsupported("this statement")) };
    let mut nothing = false;
    match statement {
        Statement::Select(query) => nothing = select(query, ONE_BATCH, writer)?.is_none(),
        Statement::Update(change) => {
            let filter = Truth::new(&change.model).filter(&change.filter)?;
            if filter.is_related() {
                by_key::keys(&change.model, &filter, writer)?;
                let mut write = Writer::explaining();
                update::of_keys(change, &mut write)?;
                writers.push(write);
            } else {
                nothing = update::update(change, &filter, writer)? == Reach::Nothing;
            }
        }
        Statement::Delete(removal) => {
            let filter = Truth::new(&removal.model).filter(&removal.filter)?;
            if filter.is_related() {
                by_key::keys(&removal.model, &filter, writer)?;
                let mut write = Writer::explaining();
                delete::of_keys(&removal.model.table, &mut write);
                writers.push(write);
            } else {
                nothing = delete::delete(removal, &filter, writer)? == Reach::Nothing;
            }
        }
        Statement::Insert(insert) => {
            let defaults = RawDocumentBuf::new();
            let documents = Documents::new(insert, &defaults);
            let key = documents.generates_keys().then_some(GENERATED);
            let width = insert.columns.len();
            let row = insert.values.get(..width).unwrap_or_default();
            match &insert.on_conflict {
                Some(conflict) if upsert::may_conflict(conflict, &documents, row) => {
                    upsert::upsert(insert, conflict, &documents, row, key, writer)?;
                }
                _ => {
                    let commands = documents.commands(&insert.values, width, insert.rows, key, Writer::explaining)?;
                    // Those after the first say the same of other rows.
                    writers = commands.into_iter().take(1).collect();
                }
            }
        }
        _ => return Err(unsupported("this statement")),
    }
    if nothing {
        return Ok(Explanation::new("nothing is sent: no document can meet the condition", Vec::new()));
    }
    // One for each, or what is read before it is written, and the write.
    let (mut text, mut binds) = (String::new(), Vec::new());
    for (number, mut writer) in writers.into_iter().enumerate() {
        if number > 0 {
            text.push('\n');
            writer.item_mark("<the keys>");
        }
        let (document, noted) = writer.finish()?;
        print_document(&document, &mut text)
            .map_err(|error| DBError::query("the command could not be read back").with_source(error))?;
        binds.extend(noted);
    }
    Ok(Explanation::new(text, binds))
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
