//! The statements, at a place: each by itself, or in a transaction's session.

use ommi_core::ast::{Condition, Delete, Insert, Select, Update};
use ommi_core::driver::{Context, RowSink, Values};
use ommi_core::schema::ModelSchema;
use ommi_core::value::Value;
use ommi_core::{ConstraintKind, DBError, DBResult, ErrorKind};

use crate::bson::Writer;
use crate::by_key::ByKey;
use crate::condition::{Filter, Truth};
use crate::driver::Inner;
use crate::error::Failure;
use crate::insert::{Documents, rows};
use crate::journal::Id;
use crate::large::{LargeRow, pinned};
use crate::on_delete::Deletion;
use crate::row::{MongoRow, integer};
use crate::run::{Place, Writes, given};
use crate::select::{Answer, ONE_BATCH};
use crate::update::Reach;
use crate::upsert::Upsert;
use crate::{delete, select, update};

impl Inner {
    /// Reads rows into a sink.
    pub(crate) async fn fetch(
        &self,
        mut place: Place<'_>,
        query: &Select,
        sink: &mut dyn RowSink,
        context: &Context,
    ) -> DBResult<()> {
        self.check(query)?;
        let mut writer = Writer::new();
        let mut answer = select::select(query, ONE_BATCH, &mut writer)?;
        self.all_ready(query, context).await?;
        if answer.is_some()
            && let Some(filter) = self.with_named(&query.model, &query.filter, &mut place, context).await?
        {
            let mut query = query.clone();
            query.filter = filter;
            writer = Writer::new();
            answer = select::select(&query, ONE_BATCH, &mut writer)?;
        }
        let Some(answer) = answer else { return no_row(query, sink) };
        let command = self.finish_read(writer, context, &place)?;
        let on_model = |failure: Failure| failure.on_model(&query.model, given(context));
        let mut batches = self.open(&mut place, command, ONE_BATCH as u32).await.map_err(on_model)?;
        match answer {
            Answer::Rows => {
                while let Some(batch) = batches.next(&mut place).await.map_err(on_model)? {
                    let documents = batch.doc_slices().map_err(|error| on_model(error.into()))?;
                    for document in documents {
                        let document = document.ok().and_then(|value| value.as_document()).ok_or_else(no_document)?;
                        sink.row(&mut MongoRow::new(&query.model, document))?;
                    }
                }
                Ok(())
            }
            Answer::Count | Answer::Exists => {
                let found = batches.first(&mut place).await.map_err(on_model)?;
                let value = match answer {
                    Answer::Exists => Value::Bool(found.is_some()),
                    _ => Value::Int(match &found {
                        Some(document) => document.get("n").ok().flatten().and_then(integer).ok_or_else(no_document)?,
                        None => 0,
                    }),
                };
                sink.row(&mut Values::new(&mut [value]))
            }
        }
    }

    /// Adds rows. The keys of those that were not there before go to `added`.
    pub(crate) async fn insert(
        &self,
        mut place: Place<'_>,
        insert: &Insert,
        sink: &mut dyn RowSink,
        added: Option<&mut Vec<Id>>,
        context: &Context,
    ) -> DBResult<u64> {
        let written = self.insert_once(place.again(), insert, sink, added, context).await;
        if let Err(error) = &written
            && lacks_a_column(error, &insert.model)
        {
            // Another program has given the collection a column since it was looked at.
            self.collections.forget(&insert.model.table);
            if place.is_alone() {
                return Box::pin(self.insert_once(place, insert, sink, None, context)).await;
            }
        }
        written
    }

    async fn insert_once(
        &self,
        mut place: Place<'_>,
        insert: &Insert,
        sink: &mut dyn RowSink,
        mut added: Option<&mut Vec<Id>>,
        context: &Context,
    ) -> DBResult<u64> {
        self.check(insert)?;
        let model: &ModelSchema = &insert.model;
        let defaults = self.ready(model, context).await?;
        let documents = Documents::new(insert, &defaults);
        if let Some(conflict) = &insert.on_conflict {
            let mut written = 0;
            for row in rows(&insert.values, insert.columns.len(), insert.rows) {
                let upsert = Upsert { insert, conflict, documents: &documents, row };
                let work = self.upsert(place.again(), upsert, sink, added.as_deref_mut(), context);
                written += u64::from(Box::pin(work).await?);
            }
            return Ok(written);
        }
        let first_key = match documents.generates_keys() {
            true => Some(self.take_keys(model, insert.rows, context).await?),
            false => None,
        };
        let commands = documents.commands(&insert.values, insert.columns.len(), insert.rows, first_key, Writer::new)?;
        let on_model = |failure: Failure| failure.on_model(model, given(context));
        // Before the rows are there: nobody may count to a key that is about to be, whatever becomes of who adds them.
        self.note_explicit_keys(insert, &documents, context).await?;
        let written = match insert.rows {
            1 => self.write(&mut place, &commands, context).await,
            _ => Box::pin(self.atomically(&mut place, &Writes(&commands), context)).await,
        };
        let written = written.map_err(on_model)?;
        if let Some(added) = added {
            for (row, number) in rows(&insert.values, insert.columns.len(), insert.rows).zip(0i64..) {
                added.push(documents.key(row, first_key.map(|first| first.saturating_add(number)))?);
            }
        }
        for (row, number) in rows(&insert.values, insert.columns.len(), insert.rows).zip(0i64..) {
            if insert.returning.is_empty() {
                break;
            }
            documents.give(&insert.returning, row, first_key.map(|first| first.saturating_add(number)), sink)?;
        }
        Ok(written)
    }

    /// Changes rows.
    pub(crate) async fn update(&self, mut place: Place<'_>, change: &Update, context: &Context) -> DBResult<u64> {
        self.check(change)?;
        let model: &ModelSchema = &change.model;
        let filter = Truth::new(model).filter(&change.filter)?;
        let mut command = Writer::new();
        if filter.is_related() {
            update::of_keys(change, &mut command)?;
            self.all_ready(change, context).await?;
            return Box::pin(self.by_key(&mut place, model, &change.filter, &filter, command, context)).await;
        }
        let reach = update::update(change, &filter, &mut command)?;
        self.all_ready(change, context).await?;
        let changed = self.reach(place, reach, model, command, context).await;
        changed.map_err(|error| match reach {
            Reach::One => LargeRow::named(error, model, |column| pinned(&change.filter, column)),
            Reach::Nothing | Reach::Many => error,
        })
    }

    /// Deletes rows.
    pub(crate) async fn delete(&self, mut place: Place<'_>, removal: &Delete, context: &Context) -> DBResult<u64> {
        self.check(removal)?;
        let model: &ModelSchema = &removal.model;
        let filter = Truth::new(model).filter(&removal.filter)?;
        let mut command = Writer::new();
        self.all_ready(removal, context).await?;
        if filter.is_nothing() {
            return Ok(0);
        }
        let references = self.references().await?;
        if !references.to(&model.table).is_empty() {
            let work = Deletion { model, filter: &filter, references };
            let deleted = Box::pin(self.atomically(&mut place, &work, context)).await;
            return deleted.map_err(|failure| failure.on_model(model, given(context)));
        }
        if filter.is_related() {
            delete::of_keys(&model.table, &mut command);
            return Box::pin(self.by_key(&mut place, model, &removal.filter, &filter, command, context)).await;
        }
        let reach = delete::delete(removal, &filter, &mut command)?;
        self.reach(place, reach, model, command, context).await
    }

    async fn by_key(
        &self,
        place: &mut Place<'_>,
        model: &ModelSchema,
        condition: &Condition,
        filter: &Filter<'_>,
        command: Writer,
        context: &Context,
    ) -> DBResult<u64> {
        let work = ByKey { model, condition, filter, command };
        let reached = self.atomically(place, &work, context).await;
        reached.map_err(|failure| failure.on_model(model, given(context)))
    }

    async fn reach(
        &self,
        mut place: Place<'_>,
        reach: Reach,
        model: &ModelSchema,
        writer: Writer,
        context: &Context,
    ) -> DBResult<u64> {
        let reached = match reach {
            Reach::Nothing => return Ok(0),
            Reach::One => self.write(&mut place, &[writer], context).await,
            Reach::Many => Box::pin(self.atomically(&mut place, &Writes(&[writer]), context)).await,
        };
        reached.map_err(|failure| failure.on_model(model, given(context)))
    }
}

/// Whether a document was refused for a column that its model does not have.
fn lacks_a_column(error: &DBError, model: &ModelSchema) -> bool {
    let unknown = |name: &String| !model.columns.iter().any(|column| *column.name == **name);
    error.constraint().is_some_and(|c| c.kind() == ConstraintKind::NotNull && c.columns().iter().any(unknown))
}

/// The answer that is known without asking.
fn no_row(query: &Select, sink: &mut dyn RowSink) -> DBResult<()> {
    use ommi_core::ast::Output;
    match query.output {
        Output::Count => sink.row(&mut Values::new(&mut [Value::Int(0)])),
        Output::Exists => sink.row(&mut Values::new(&mut [Value::Bool(false)])),
        _ => Ok(()),
    }
}

pub(crate) fn no_document() -> DBError {
    DBError::new(ErrorKind::Database).with_detail("the server's answer does not have the form that it should")
}
