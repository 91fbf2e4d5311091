//! Adding rows: documents, in as few commands as the server's limits allow.
//!
//! A document holds every column, NULLs included, in the schema's order after its `_id`: reading then looks each field up where it
//! expects it.

use mongodb::bson::{RawBsonRef, RawDocument};
use ommi_core::ast::Insert;
use ommi_core::driver::{RowSink, Values};
use ommi_core::schema::ModelSchema;
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::bson::Writer;
use crate::collections::unknown_to;
use crate::journal::Id;
use crate::large::LargeRow;
use crate::names::{ID, type_of};
use crate::update::storable;
use crate::value::size;

/// The most bytes of documents in one command, which is itself limited to 16 MB.
const LARGEST_COMMAND: usize = 15_000_000;
/// The most bytes of one document.
const LARGEST_DOCUMENT: usize = 16 * 1024 * 1024;
/// The most documents of one command.
const MOST_DOCUMENTS: usize = 100_000;

/// About how many bytes a default takes.
fn size_of(value: RawBsonRef<'_>) -> usize {
    match value {
        RawBsonRef::String(text) => text.len(),
        RawBsonRef::Binary(binary) => binary.bytes.len(),
        _ => 0,
    }
}

/// Where the value of a column of a new row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// This one of the row's values.
    Given(usize),
    /// The counter.
    Generated,
    /// The column's default, or NULL.
    Default,
}

/// So many rows of this width. They may have none: of a model whose only column is a generated key.
pub(crate) fn rows<'v>(
    values: &'v [Value<'static>],
    width: usize,
    count: usize,
) -> impl Iterator<Item = &'v [Value<'static>]> {
    (0..count).map(move |row| values.get(row * width..(row + 1) * width).unwrap_or_default())
}

/// How the rows of an insert become documents.
#[derive(Debug)]
pub(crate) struct Documents<'i> {
    model: &'i ModelSchema,
    sources: Vec<Source>,
    /// What the collection's documents hold beside the model's columns.
    beside: Vec<(&'i str, RawBsonRef<'i>)>,
}

impl<'i> Documents<'i> {
    /// `defaults` are the collection's.
    pub(crate) fn new(insert: &'i Insert, defaults: &'i RawDocument) -> Documents<'i> {
        let model: &ModelSchema = &insert.model;
        let generated = model.generated_column();
        let source = |column: u16| match insert.columns.iter().position(|given| *given == column) {
            Some(place) => Source::Given(place),
            None if generated == Some(column) => Source::Generated,
            None => Source::Default,
        };
        let sources = (0u16..).zip(&model.columns).map(|(column, _)| source(column)).collect();
        Documents { model, sources, beside: unknown_to(model, defaults) }
    }

    /// What the collection's documents hold beside the model's columns.
    pub(crate) fn beside(&self) -> &[(&'i str, RawBsonRef<'i>)] {
        &self.beside
    }

    /// Whether the keys come from the counter.
    pub(crate) fn generates_keys(&self) -> bool {
        self.sources.contains(&Source::Generated)
    }

    /// The place of the given value of this column in a row.
    pub(crate) fn given(&self, column: u16) -> Option<usize> {
        match self.sources.get(usize::from(column)) {
            Some(Source::Given(place)) => Some(*place),
            _ => None,
        }
    }

    /// The value of a column of a row. None where there is none: a required column that the insert leaves out.
    pub(crate) fn value<'v>(&self, column: u16, row: &'v [Value<'static>], key: Option<i64>) -> Option<Value<'v>>
    where
        'i: 'v,
    {
        match self.sources.get(usize::from(column))? {
            Source::Given(place) => row.get(*place).map(Value::borrowed),
            Source::Generated => key.map(Value::Int),
            Source::Default => {
                let column = self.model.column(column)?;
                match &column.default {
                    Some(default) => Some(default.borrowed()),
                    None => column.nullable.then_some(Value::Null),
                }
            }
        }
    }

    /// Writes the fields of a row into an open document.
    fn fields(&self, row: &[Value<'static>], key: Option<i64>, writer: &mut Writer) -> DBResult<()> {
        self.id(ID, row, key, writer)?;
        for (column, schema) in (0u16..).zip(&self.model.columns) {
            if !self.model.key.contains(&column)
                && let Some(value) = self.value(column, row, key)
            {
                storable(self.model, column, &value)?;
                writer.value(&schema.name, schema.ty, &value);
            }
        }
        for (name, value) in &self.beside {
            writer.raw(name, *value);
        }
        Ok(())
    }

    /// Writes the key of a row under a name.
    pub(crate) fn id(&self, name: &str, row: &[Value<'static>], key: Option<i64>, writer: &mut Writer) -> DBResult<()> {
        let write = |writer: &mut Writer, name: &str, column: u16| -> DBResult<()> {
            let value = self.value(column, row, key).unwrap_or_default();
            storable(self.model, column, &value)?;
            writer.value(name, type_of(self.model, column), &value);
            Ok(())
        };
        if let [column] = self.model.key.as_slice() {
            return write(writer, name, *column);
        }
        writer.begin_document(name);
        for &column in &self.model.key {
            write(writer, self.model.column(column).map_or("", |column| &column.name), column)?;
        }
        writer.end();
        Ok(())
    }

    /// The key of a row, as the journal of a level notes it.
    pub(crate) fn key(&self, row: &[Value<'static>], key: Option<i64>) -> DBResult<Id> {
        let mut writer = Writer::new();
        self.id(ID, row, key, &mut writer)?;
        Ok(writer.finish()?.0)
    }

    /// Gives these columns of a row that was added.
    pub(crate) fn give(
        &self,
        columns: &[u16],
        row: &[Value<'static>],
        key: Option<i64>,
        sink: &mut dyn RowSink,
    ) -> DBResult<()> {
        let values = columns.iter().map(|&column| self.value(column, row, key));
        let mut values: Vec<Value<'static>> = values.map(|value| value.unwrap_or_default().into_owned()).collect();
        sink.row(&mut Values::new(&mut values))
    }

    /// About how many bytes the document of a row takes; not fewer.
    fn size(&self, row: &[Value<'static>]) -> usize {
        let names: usize = self.model.columns.iter().map(|column| column.name.len() + 24).sum();
        let beside: usize = self.beside.iter().map(|(name, value)| name.len() + 24 + size_of(*value)).sum();
        32 + names + beside + row.iter().map(size).sum::<usize>()
    }

    /// Writes the commands of rows whose first generated key is this one: in the order of the rows, each as large as a server takes it.
    pub(crate) fn commands(
        &self,
        values: &[Value<'static>],
        width: usize,
        count: usize,
        first_key: Option<i64>,
        begin: impl Fn() -> Writer,
    ) -> DBResult<Vec<Writer>> {
        let mut commands: Vec<Writer> = Vec::new();
        let (mut bytes, mut documents) = (0, 0);
        let mut current = self.begin(&begin);
        for (number, row) in rows(values, width, count).enumerate() {
            let size = self.size(row);
            if documents > 0 && (bytes + size > LARGEST_COMMAND || documents >= MOST_DOCUMENTS) {
                commands.push(std::mem::replace(&mut current, self.begin(&begin)));
                (bytes, documents) = (0, 0);
            }
            if documents == 0 {
                current.reserve(size.saturating_mul(count).min(LARGEST_COMMAND));
            }
            let key = first_key.map(|first| first.saturating_add(i64::try_from(number).unwrap_or(i64::MAX)));
            let start = current.len();
            current.item_document();
            self.fields(row, key, &mut current)?;
            current.end();
            if current.len() - start > LARGEST_DOCUMENT {
                // Its number is shown, its key is the user's.
                let detail = format!(
                    "row {} of these of {} takes more than the 16 MB of a document",
                    number + 1,
                    self.model.name
                );
                let error = DBError::new(ErrorKind::TooLarge).with_detail(detail).unsent();
                return Err(match LargeRow::new(self.model, |column| self.value(column, row, key)) {
                    Some(row) => error.with_source(row),
                    None => error,
                });
            }
            bytes += size;
            documents += 1;
        }
        commands.push(current);
        Ok(commands)
    }

    fn begin(&self, begin: &impl Fn() -> Writer) -> Writer {
        let mut writer = begin();
        writer.string("insert", &self.model.table);
        writer.bool("ordered", true);
        writer.begin_array("documents");
        writer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mongodb::bson::RawDocumentBuf;
    use ommi_core::schema::{ColumnBuilder, SchemaRef};
    use ommi_core::value::ColumnType;

    use super::*;

    /// The keys of the rows in each command, for so many rows with a text of so many bytes.
    fn keys_by_command(count: usize, text: usize) -> Vec<Vec<i64>> {
        let builder = ModelSchema::builder("Note", "notes").column(ColumnBuilder::new("id", ColumnType::I64).key());
        let model = builder.column(ColumnBuilder::new("text", ColumnType::Text)).build().unwrap();
        let model = SchemaRef::from(Arc::new(model));
        let text = "x".repeat(text);
        let values = (0i64..).take(count).flat_map(|key| [Value::Int(key), Value::Text(text.clone().into())]);
        let insert = Insert::new(model, [0, 1], values.collect(), count);
        let defaults = RawDocumentBuf::new();
        let documents = Documents::new(&insert, &defaults);
        let commands = documents.commands(&insert.values, 2, count, None, Writer::new).unwrap();
        let keys = |command: Writer| {
            let (command, _) = command.finish().unwrap();
            assert!(command.as_bytes().len() < LARGEST_DOCUMENT);
            assert_eq!(command.get_str("insert").unwrap(), "notes");
            let documents = command.get_array("documents").unwrap().into_iter();
            documents.map(|row| row.unwrap().as_document().unwrap().get_i64(ID).unwrap()).collect()
        };
        commands.into_iter().map(keys).collect()
    }

    #[test]
    fn rows_that_are_too_large_for_one_command_go_on_in_the_next() {
        let keys = keys_by_command(16, 1_000_000);
        assert_eq!(keys, [(0..14).collect::<Vec<i64>>(), vec![14, 15]]);
    }

    #[test]
    fn rows_that_are_too_many_for_one_command_go_on_in_the_next() {
        let most = MOST_DOCUMENTS as i64;
        let keys = keys_by_command(MOST_DOCUMENTS + 1, 0);
        assert_eq!(keys, [(0..most).collect::<Vec<i64>>(), vec![most]]);
    }
}
