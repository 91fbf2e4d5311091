//! Generated keys: integers from a counter per model, in the collection `ommi_counters`.
//!
//! A number is taken with one atomic `findAndModify`, outside any transaction: within one, every two concurrent adds would conflict, and
//! undoing would hand out a number again. So no number is ever given twice, and there are gaps, as there are with sequences.
//!
//! Single adds take blocks that this process then hands out by itself: of one, doubled up to 64 while they are used up within a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mongodb::bson::{Bson, Document, doc};
use ommi_core::ast::Insert;
use ommi_core::driver::Context;
use ommi_core::schema::ModelSchema;
use ommi_core::value::{ColumnType, Value};
use ommi_core::{DBError, DBResult};

use crate::bson::Writer;
use crate::driver::Inner;
use crate::error::Failure;
use crate::insert::{Documents, rows};
use crate::names::{ID, type_of};
use crate::run::{Place, given};
use crate::upsert::Upserted;
use crate::work::no_document;

/// The collection of the counters.
pub(crate) const COUNTERS: &str = "ommi_counters";
/// The greatest number that was taken.
const NEXT: &str = "next";
/// A block that lasts longer than this was large enough.
const QUICK: Duration = Duration::from_secs(1);

/// The blocks of this process, by table.
#[derive(Debug, Default)]
pub(crate) struct Blocks(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Block>>>>);

#[derive(Debug)]
struct Block {
    next: i64,
    /// The last number of it, below `next` when it is used up.
    last: i64,
    size: i64,
    taken: Option<Instant>,
}

impl Default for Block {
    fn default() -> Block {
        Block { next: 1, last: 0, size: 1, taken: None }
    }
}

impl Block {
    fn take(&mut self) -> Option<i64> {
        let number = self.next;
        if number > self.last {
            return None;
        }
        self.next = number.saturating_add(1);
        Some(number)
    }

    /// How many numbers to take now.
    fn want(&self, limit: i64) -> i64 {
        match self.taken {
            Some(taken) if taken.elapsed() < QUICK => (self.size.saturating_mul(2)).min(limit),
            _ => 1,
        }
    }
}

impl Blocks {
    fn of(&self, table: &str) -> Arc<tokio::sync::Mutex<Block>> {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match blocks.get(table) {
            Some(block) => block.clone(),
            None => blocks.entry(table.to_owned()).or_default().clone(),
        }
    }

    /// Forgets the numbers of a table that was dropped.
    pub(crate) fn forget(&self, table: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(table);
    }
}

impl Inner {
    /// Takes keys that follow each other, and gives the first.
    pub(crate) async fn take_keys(&self, model: &ModelSchema, count: usize, context: &Context) -> DBResult<i64> {
        let column = model.generated_column().unwrap_or_default();
        let ty = type_of(model, column);
        let count = i64::try_from(count).map_err(|_| out_of_range(model, column))?;
        let block = self.blocks.of(&model.table);
        let mut block = block.lock().await;
        let first = if count == 1
            && let Some(number) = block.take()
        {
            number
        } else {
            // The rest of a block is left, so that keys follow each other in the order of the adds.
            let size = if count == 1 { block.want(self.key_block) } else { count };
            let last = self.count_up(model, size, context).await?;
            let first = last.saturating_sub(size - 1);
            *block = match count {
                1 => Block { next: first.saturating_add(1), last, size, taken: Some(Instant::now()) },
                _ => Block { taken: None, ..Block::default() },
            };
            first
        };
        // What leaves the column's range is refused before it is sent.
        let last = first.checked_add(count - 1).ok_or_else(|| out_of_range(model, column))?;
        if !ty.accepts(&Value::Int(last)) {
            return Err(out_of_range(model, column));
        }
        Ok(first)
    }

    /// Adds to the counter and gives its new state.
    async fn count_up(&self, model: &ModelSchema, size: i64, context: &Context) -> DBResult<i64> {
        let column = model.generated_column().unwrap_or_default();
        let mut writer = counter(model);
        writer.begin_document("update");
        writer.begin_document("$inc");
        writer.int64(NEXT, size);
        writer.end();
        writer.end();
        writer.bool("upsert", true);
        writer.bool("new", true);
        let mut counted = self.counted(&writer, context).await;
        if let Ok(reply) = &counted
            && Upserted::read(reply) == Some(Upserted::ChangedUnseen)
        {
            // Numbers were taken, and it is not known which: they are a gap. The counter is there now, so others are found.
            counted = self.counted(&writer, context).await;
        }
        match counted {
            Ok(reply) => match reply.get_document("value").ok().and_then(|counter| counter.get(NEXT)) {
                Some(Bson::Int64(last)) => Ok(*last),
                Some(Bson::Int32(last)) => Ok(i64::from(*last)),
                _ => Err(no_document()),
            },
            // The counter is at its end.
            Err(Failure::Server(error)) if error.code() == 2 => Err(out_of_range(model, column).with_source(*error)),
            Err(failure) => Err(failure.general(given(context))),
        }
    }

    /// Runs a command on the counters. Two that would both make one race, and the second finds it then.
    async fn counted(&self, writer: &Writer, context: &Context) -> Result<Document, Failure> {
        let mut place = Place::Alone;
        let command = self.finish_write(writer.clone(), context, &place)?;
        match self.command(&mut place, command.clone()).await {
            Err(failure) if failure.is_duplicate() || failure.is_conflict() => self.command(&mut place, command).await,
            other => other,
        }
    }

    /// Keys that came with their rows: the counter goes on after the greatest.
    pub(crate) async fn note_explicit_keys(
        &self,
        insert: &Insert,
        documents: &Documents<'_>,
        context: &Context,
    ) -> DBResult<()> {
        let model: &ModelSchema = &insert.model;
        let Some(place) = model.generated_column().and_then(|column| documents.given(column)) else { return Ok(()) };
        let rows = rows(&insert.values, insert.columns.len(), insert.rows);
        let greatest = rows.filter_map(|row| match row.get(place) {
            Some(Value::Int(key)) => Some(*key),
            _ => None,
        });
        let Some(greatest) = greatest.max().filter(|greatest| *greatest > 0) else { return Ok(()) };
        self.at_least(model, greatest, context).await?;
        let block = self.blocks.of(&model.table);
        let mut block = block.lock().await;
        block.next = block.next.max(greatest.saturating_add(1));
        Ok(())
    }

    /// Makes sure that a counter exists and goes on after this number.
    pub(crate) async fn at_least(&self, model: &ModelSchema, number: i64, context: &Context) -> DBResult<()> {
        let mut writer = counter(model);
        writer.begin_document("update");
        writer.begin_document("$max");
        writer.int64(NEXT, number);
        writer.end();
        writer.end();
        writer.bool("upsert", true);
        match self.counted(&writer, context).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.general(given(context))),
        }
    }

    /// The greatest integer key that is stored.
    pub(crate) async fn greatest_key(&self, model: &ModelSchema) -> DBResult<i64> {
        let find = doc! {
            "find": &*model.table, "filter": { ID: { "$type": "number" } }, "sort": { ID: -1 }, "projection": { ID: 1 }, "limit": 1,
        };
        let reply = self.database.run_command(find).await.map_err(|error| Failure::from(error).general(None))?;
        let first = reply.get_document("cursor").ok().and_then(|cursor| cursor.get_array("firstBatch").ok());
        let key = first.and_then(|batch| batch.first()).and_then(Bson::as_document).and_then(|found| found.get(ID));
        Ok(match key {
            Some(Bson::Int32(key)) => i64::from(*key),
            Some(Bson::Int64(key)) => *key,
            _ => 0,
        })
    }
}

/// Begins a command on the counter of a model.
fn counter(model: &ModelSchema) -> Writer {
    let mut writer = Writer::new();
    writer.string("findAndModify", COUNTERS);
    writer.begin_document("query");
    writer.begin_document(ID);
    writer.value("$eq", ColumnType::Text, &Value::Text((&*model.table).into()));
    writer.end();
    writer.end();
    writer
}

fn out_of_range(model: &ModelSchema, column: u16) -> DBError {
    let name = model.column(column).map(|column| column.name.to_string());
    DBError::out_of_range(model.table.to_string(), name).with_detail("no number is left for a key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_grow_while_they_are_used_quickly() {
        let mut block = Block::default();
        assert_eq!((block.take(), block.want(64)), (None, 1));
        block = Block { next: 5, last: 6, size: 2, taken: Some(Instant::now()) };
        assert_eq!((block.take(), block.take(), block.take()), (Some(5), Some(6), None));
        assert_eq!((block.want(64), block.want(3), block.want(1)), (4, 3, 1));
        block.taken = Instant::now().checked_sub(QUICK * 2);
        assert_eq!(block.want(64), 1);
        block = Block { next: i64::MAX, last: i64::MAX, size: 1, taken: None };
        assert_eq!(block.take(), Some(i64::MAX));
    }
}
