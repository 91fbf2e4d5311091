//! Parts of a transaction that are undone by themselves: what is read before each write in one, noted after it, and how it is brought back.
//!
//! Noted is only what was written: what is brought back is locked, and may be another's by then. A write that was given up under way, or that
//! the server refused, has ended all levels, so nothing need be noted of it.

use std::collections::HashSet;
use std::sync::Arc;

use mongodb::bson::RawDocumentBuf;
use ommi_core::ast::{CompareOp, Condition, Delete, Expr, Insert, OnConflict, Select, Update};
use ommi_core::driver::{Context, Row, RowSink};
use ommi_core::schema::{ModelSchema, SchemaRef};
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::bson::Writer;
use crate::condition::Truth;
use crate::driver::Inner;
use crate::error::{Failure, affected};
use crate::insert::rows;
use crate::journal::{Journal, Level, MOST_BYTES, MOST_DOCUMENTS, id_of, too_much};
use crate::on_delete::Deletion;
use crate::references::References;
use crate::row::MongoRow;
use crate::run::{Place, given};
use crate::select::{self, ONE_BATCH};
use crate::unique::Claims;
use crate::upsert::expected;
use crate::work::no_document;

/// Why a statement in a part of a transaction did not succeed.
pub(crate) enum Stop {
    /// It was not sent, and the server knows nothing of it.
    Before(DBError),
    /// The server may have met it, and has ended the transaction then.
    Sent(DBError),
}

impl Stop {
    /// For what a search gave that comes before a write. What is too large is not sent.
    fn searching(error: DBError) -> Stop {
        match error.kind() {
            ErrorKind::TooLarge => Stop::Before(error),
            _ => Stop::Sent(error),
        }
    }
}

impl Inner {
    /// The documents that a condition finds, whole: no more than can be kept.
    async fn documents(
        &self,
        place: &mut Place<'_>,
        query: &Select,
        context: &Context,
    ) -> DBResult<Vec<RawDocumentBuf>> {
        let mut writer = Writer::new();
        let answer = select::select(query, ONE_BATCH, &mut writer)?;
        self.all_ready(query, context).await?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        if answer.is_none() {
            return Ok(found);
        }
        let on_model = |failure: Failure| failure.on_model(&query.model, given(context));
        let command = self.finish_read(writer, context, place)?;
        let mut batches = self.open(place, command, ONE_BATCH as u32).await.map_err(on_model)?;
        while let Some(batch) = batches.next(place).await.map_err(on_model)? {
            for document in batch.doc_slices().map_err(|error| on_model(error.into()))? {
                let document = document.ok().and_then(|value| value.as_document()).ok_or_else(no_document)?;
                bytes += document.as_bytes().len();
                if bytes > MOST_BYTES {
                    return Err(too_much());
                }
                found.push(document.to_owned());
            }
        }
        Ok(found)
    }

    /// The documents that a write will reach, as they are before, if they can be kept.
    async fn before(
        &self,
        place: &mut Place<'_>,
        model: &SchemaRef,
        filter: Condition,
        journal: &Journal,
        context: &Context,
    ) -> Result<Vec<RawDocumentBuf>, Stop> {
        let mut query = Select::new(model.clone());
        query.filter = filter;
        query.limit = Some(MOST_DOCUMENTS as u64 + 1);
        let found = self.documents(place, &query, context).await.map_err(Stop::searching)?;
        let all = found.iter().map(|document| (&*model.table, document));
        journal.check_room_for(all).map_err(Stop::Before)?;
        Ok(found)
    }

    async fn check_unique(&self, place: &mut Place<'_>, claims: &Claims, context: &Context) -> Result<(), Stop> {
        let Some(search) = claims.search().map_err(Stop::Before)? else { return Ok(()) };
        let found = self.documents(place, &search, context).await.map_err(Stop::searching)?;
        claims.judge(&found).map_err(Stop::Before)
    }

    pub(crate) async fn insert_in_level(
        &self,
        place: &mut Place<'_>,
        insert: &Insert,
        sink: &mut dyn RowSink,
        journal: &mut Journal,
        context: &Context,
    ) -> Result<u64, Stop> {
        self.check(insert).map_err(Stop::Before)?;
        journal.check_room(insert.rows, 0).map_err(Stop::Before)?;
        let mut before = Vec::new();
        let mut was_there = vec![false; insert.rows];
        if let Some(conflict) = &insert.on_conflict {
            for (target, was_there) in targets(insert, conflict).zip(&mut was_there) {
                let Some(target) = target else { continue };
                let found = self.before(place, &insert.model, target.clone(), journal, context).await?;
                if !found.is_empty() {
                    *was_there = true;
                    // What is not changed is not brought back either: that would write what may be another's by then.
                    if !is_changed(insert, conflict, &found).map_err(Stop::Before)? {
                        continue;
                    }
                    let update = Update::new(insert.model.clone(), conflict.assignments.clone(), target);
                    let claims = Claims::of_update(&update, &found).map_err(Stop::Before)?;
                    self.check_unique(place, &claims, context).await?;
                    before.extend(found);
                }
            }
        }
        let claims = Claims::of_insert(insert, |row| !was_there.get(row).copied().unwrap_or(false));
        self.check_unique(place, &claims, context).await?;
        let mut added = Vec::new();
        let written = self.insert(place.again(), insert, sink, Some(&mut added), context).await;
        // Noted whatever comes of it: a row that cannot be given back has been written all the same. One that was not written is not to be
        // brought back.
        let keys: HashSet<&[u8]> = added.iter().map(|id| id.as_bytes()).collect();
        before.retain(|document| keys.contains(id_of(document).as_bytes()));
        journal.note_before(&insert.model.table, before);
        journal.note_added(&insert.model.table, added);
        written.map_err(Stop::Sent)
    }

    pub(crate) async fn update_in_level(
        &self,
        place: &mut Place<'_>,
        update: &Update,
        journal: &mut Journal,
        context: &Context,
    ) -> Result<u64, Stop> {
        self.check(update).map_err(Stop::Before)?;
        let before = self.before(place, &update.model, update.filter.clone(), journal, context).await?;
        let claims = Claims::of_update(update, &before).map_err(Stop::Before)?;
        self.check_unique(place, &claims, context).await?;
        let changed = self.update(place.again(), update, context).await.map_err(Stop::Sent)?;
        journal.note_before(&update.model.table, before);
        Ok(changed)
    }

    pub(crate) async fn delete_in_level(
        &self,
        place: &mut Place<'_>,
        delete: &Delete,
        journal: &mut Journal,
        context: &Context,
    ) -> Result<u64, Stop> {
        self.check(delete).map_err(Stop::Before)?;
        let references = self.references().await.map_err(Stop::Before)?;
        if !references.to(&delete.model.table).is_empty() {
            return self.delete_referred_in_level(place, delete, references, journal, context).await;
        }
        let before = self.before(place, &delete.model, delete.filter.clone(), journal, context).await?;
        let deleted = self.delete(place.again(), delete, context).await.map_err(Stop::Sent)?;
        journal.note_before(&delete.model.table, before);
        Ok(deleted)
    }

    /// Deletes rows that others refer to. A refusal comes before anything is written, and ends nothing.
    async fn delete_referred_in_level(
        &self,
        place: &mut Place<'_>,
        delete: &Delete,
        references: Arc<References>,
        journal: &mut Journal,
        context: &Context,
    ) -> Result<u64, Stop> {
        let model: &ModelSchema = &delete.model;
        let filter = Truth::new(model).filter(&delete.filter).map_err(Stop::Before)?;
        self.all_ready(delete, context).await.map_err(Stop::Before)?;
        if filter.is_nothing() {
            return Ok(0);
        }
        let stop = |failure: Failure| match failure {
            Failure::Own(error) => Stop::Before(error),
            sent => Stop::Sent(sent.on_model(model, given(context))),
        };
        let deletion = Deletion { model, filter: &filter, references };
        let plan = deletion.plan(self, place, context).await.map_err(stop)?;
        journal.check_room(plan.len(), 0).map_err(Stop::Before)?;
        let before = plan.before(self, place, context).await.map_err(stop)?;
        let all = before.iter().flat_map(|(table, documents)| documents.iter().map(|document| (*table, document)));
        journal.check_room_for(all).map_err(Stop::Before)?;
        let deleted = plan.carry_out(self, place, context).await;
        let deleted = deleted.map_err(|failure| Stop::Sent(failure.on_model(model, given(context))))?;
        for (table, documents) in before {
            journal.note_before(table, documents);
        }
        Ok(deleted)
    }

    /// Brings everything back that a level touched.
    pub(crate) async fn undo(&self, place: &mut Place<'_>, level: Level, context: &Context) -> DBResult<()> {
        for command in level.undoing()? {
            let reply = self.command(place, command).await;
            let undone = reply.and_then(|reply| affected(&reply));
            undone.map_err(|failure| {
                let refused = failure.is_invalid_document();
                let error = failure.general(given(context));
                if refused { error.with_detail(NOT_BROUGHT_BACK) } else { error }
            })?;
        }
        Ok(())
    }
}

/// Why a level could not be undone by itself, where that was the validator.
const NOT_BROUGHT_BACK: &str = "a document as it was before does not pass its collection's validator, so it could not be brought back; the whole transaction is \
    rolled back instead";

/// Whether the row that was found will be changed: something is, and it has what it must have for that.
fn is_changed(insert: &Insert, conflict: &OnConflict, found: &[RawDocumentBuf]) -> DBResult<bool> {
    let Some((column, value)) = expected(conflict) else { return Ok(!conflict.assignments.is_empty()) };
    for document in found {
        if MongoRow::new(&insert.model, document).value(usize::from(*column))? != *value {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What finds the row that each upsert may meet; none where a target column has yet to be made.
fn targets<'i>(insert: &'i Insert, conflict: &'i OnConflict) -> impl Iterator<Item = Option<Condition>> + 'i {
    rows(&insert.values, insert.columns.len(), insert.rows).map(|row| {
        let equals = conflict.target.iter().map(|column| {
            let value: Value<'static> = match insert.columns.iter().position(|given| given == column) {
                Some(place) => row.get(place)?.clone(),
                None => insert.model.column(*column)?.default.clone()?,
            };
            Some(Condition::compare(CompareOp::Eq, Expr::Column(*column), Expr::Value(value)))
        });
        equals.collect::<Option<Vec<Condition>>>().map(Condition::And)
    })
}
