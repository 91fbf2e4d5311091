//! Adding a row, or dealing with the one that is there.
//!
//! One command: a `findAndModify` that changes the row or adds it, or an `update` that adds it or leaves it. Where a row is changed only if it has a
//! value that is expected, the first changes it, a second adds it, and where another has added it between the two, a third is the first again.

mod command;

use std::time::Duration;

use mongodb::Collection;
use mongodb::bson::{Bson, Document, RawDocumentBuf};
use mongodb::options::{FindOneAndUpdateOptions, ReadPreference, ReturnDocument, SelectionCriteria};
use ommi_core::ast::{Insert, OnConflict};
use ommi_core::driver::{Context, Row, RowSink, Values};
use ommi_core::schema::ModelSchema;
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::bson::Writer;
use crate::driver::Inner;
use crate::error::{Failure, affected};
use crate::insert::Documents;
use crate::journal::{Id, id_of};
use crate::large::LargeRow;
use crate::row::MongoRow;
use crate::run::{Place, given, time_left};
use crate::work::no_document;

pub(crate) use command::{addition, change, expected, may_conflict};

/// One row of an insert that may meet a row that is there.
#[derive(Clone, Copy)]
pub(crate) struct Upsert<'i> {
    pub(crate) insert: &'i Insert,
    pub(crate) conflict: &'i OnConflict,
    pub(crate) documents: &'i Documents<'i>,
    pub(crate) row: &'i [Value<'static>],
}

/// What became of a row.
enum Became {
    /// It was added, with the values it was given.
    Added,
    /// It is there, and stored so after what was done.
    Stored(RawDocumentBuf),
    /// It was left as it is.
    Left,
}

impl Inner {
    /// Adds one row of an insert, or deals with the one that is there; gives whether anything was written.
    ///
    /// The key of a row that is written goes to `written`. What was noted of one that was there before comes first there.
    pub(crate) async fn upsert(
        &self,
        mut place: Place<'_>,
        upsert: Upsert<'_>,
        sink: &mut dyn RowSink,
        written: Option<&mut Vec<Id>>,
        context: &Context,
    ) -> DBResult<bool> {
        let Upsert { insert, documents, row, .. } = upsert;
        let model: &ModelSchema = &insert.model;
        let key = match documents.generates_keys() {
            true => Some(self.take_keys(model, 1, context).await?),
            false => None,
        };
        let on_model = |failure: Failure| {
            LargeRow::named(failure.on_model(model, given(context)), model, |column| documents.value(column, row, key))
        };
        self.note_explicit_keys(insert, documents, context).await?;
        let became = self.add_or_change(&mut place, upsert, key, context).await.map_err(on_model)?;
        match (&became, written) {
            (Became::Added, Some(written)) => written.push(documents.key(row, key)?),
            (Became::Stored(document), Some(written)) => written.push(id_of(document)),
            (Became::Left, _) | (_, None) => {}
        }
        match became {
            Became::Left => return Ok(false),
            _ if insert.returning.is_empty() => {}
            Became::Added => documents.give(&insert.returning, row, key, sink)?,
            Became::Stored(document) => {
                let mut stored = MongoRow::new(model, &document);
                if *insert.returning == *model.all_columns() {
                    sink.row(&mut stored)?;
                } else {
                    let value = |column: &u16| stored.value(usize::from(*column)).map(Value::into_owned);
                    let values: DBResult<Vec<Value<'static>>> = insert.returning.iter().map(value).collect();
                    sink.row(&mut Values::new(&mut values?))?;
                }
            }
        }
        Ok(true)
    }

    async fn add_or_change(
        &self,
        place: &mut Place<'_>,
        upsert: Upsert<'_>,
        key: Option<i64>,
        context: &Context,
    ) -> Result<Became, Failure> {
        let Upsert { insert, conflict, documents, row } = upsert;
        if !may_conflict(upsert) {
            let commands = documents.commands(row, insert.columns.len(), 1, key, Writer::new)?;
            self.write(place, &commands, context).await?;
            return Ok(Became::Added);
        }
        let adding = || {
            let mut writer = Writer::new();
            addition(upsert, key, &mut writer).map(|()| writer)
        };
        if conflict.assignments.is_empty() {
            return Ok(if self.add(place, &adding()?, context).await? { Became::Added } else { Became::Left });
        }
        let mut changing = Writer::new();
        change(upsert, key, &mut changing)?;
        let table = &insert.model.table;
        if let Some(document) = self.change(place, table, &changing, context).await? {
            return Ok(Became::Stored(document));
        }
        if expected(conflict).is_none() {
            let mut writer = Writer::new();
            command::read_back(upsert, &mut writer)?;
            return Ok(Became::Stored(self.read_back(place, writer, context).await?));
        }
        if self.add(place, &adding()?, context).await? {
            return Ok(Became::Added);
        }
        // There is one by now. It may be one that another has added since, with what is expected.
        Ok(match self.change(place, table, &changing, context).await? {
            Some(document) => Became::Stored(document),
            None => Became::Left,
        })
    }

    /// Runs an addition; gives whether the row was added.
    async fn add(&self, place: &mut Place<'_>, writer: &Writer, context: &Context) -> Result<bool, Failure> {
        let mut reply = self.add_once(place, writer, context).await;
        if is_race(&reply, place) {
            reply = self.add_once(place, writer, context).await;
        }
        Ok(reply?.get_array("upserted").is_ok_and(|added| !added.is_empty()))
    }

    async fn add_once(&self, place: &mut Place<'_>, writer: &Writer, context: &Context) -> Result<Document, Failure> {
        let command = self.finish_write(writer.clone(), context, place)?;
        let reply = self.command(place, command).await?;
        affected(&reply)?;
        Ok(reply)
    }

    /// Runs a change. Gives the row as it is after it; none where there was none to change and none was to be added.
    ///
    /// MongoDB looks for the document and changes it in one piece, and answers with what it wrote. A server that does so in two steps may have found
    /// none, then change the one that another upsert has added meanwhile, and give none although it changed one. (It must say so: by null, as MongoDB does.)
    async fn change(
        &self,
        place: &mut Place<'_>,
        table: &str,
        writer: &Writer,
        context: &Context,
    ) -> Result<Option<RawDocumentBuf>, Failure> {
        let mut changed = self.change_once(place, table, writer, context).await;
        if is_race(&changed, place) {
            changed = self.change_once(place, table, writer, context).await;
        }
        changed
    }

    /// The client gives the reply of a command as a document, in which each value would be an object of its own. By its own method the row comes as the
    /// server's bytes.
    async fn change_once(
        &self,
        place: &mut Place<'_>,
        table: &str,
        writer: &Writer,
        context: &Context,
    ) -> Result<Option<RawDocumentBuf>, Failure> {
        // For its size; the client writes it anew.
        let command = self.finish_write(writer.clone(), context, place)?;
        let unwritable = |error| DBError::new(ErrorKind::Database).with_source(error);
        let mut command = Document::try_from(command.as_ref()).map_err(unwritable)?;
        let (Some(Bson::Document(query)), Some(Bson::Array(pipeline))) =
            (command.remove(command::QUERY), command.remove(command::PIPELINE))
        else {
            return Err(no_document().into());
        };
        let stages = pipeline.into_iter().filter_map(|stage| match stage {
            Bson::Document(stage) => Some(stage),
            _ => None,
        });
        let stages: Vec<Document> = stages.collect();
        let mut options = FindOneAndUpdateOptions::default();
        options.upsert = command.get_bool(command::UPSERT).ok();
        options.return_document = Some(ReturnDocument::After);
        options.max_time = time_left(context).map(|left| Duration::from_millis(left.into()));
        let rows: Collection<RawDocumentBuf> = self.database.collection(table);
        let run = rows.find_one_and_update(query, stages);
        let _turn = self.turns.take().await?;
        Ok(match place {
            Place::Alone => {
                options.write_concern = Some(self.concern.clone());
                run.with_options(options).await?
            }
            Place::Session(session) => run.with_options(options).session(&mut **session).await?,
        })
    }

    /// Reads the row that an upsert has changed, as it is now: others may have changed it since.
    async fn read_back(
        &self,
        place: &mut Place<'_>,
        writer: Writer,
        context: &Context,
    ) -> Result<RawDocumentBuf, Failure> {
        let gone = || {
            DBError::new(ErrorKind::Database)
                .with_detail("the row was changed, and deleted by another before it could be read")
        };
        let command = self.finish_read(writer, context, place)?;
        let primary = SelectionCriteria::ReadPreference(ReadPreference::Primary);
        let mut batches = self.open_on(Some(primary), place, command, 1).await?;
        Ok(batches.first(place).await?.ok_or_else(gone)?)
    }
}

/// Whether two upserts raced to add the row: now it is there. Where another index is meant, it fails again.
fn is_race<T>(answer: &Result<T, Failure>, place: &Place<'_>) -> bool {
    place.is_alone() && matches!(answer, Err(failure) if failure.is_duplicate())
}
