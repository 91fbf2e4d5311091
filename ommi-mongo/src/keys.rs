//! Generated keys: integers from a counter per model, in the collection `ommi_counters`.
//!
//! A number is taken with one atomic `findAndModify`, outside any transaction: within one, every two concurrent adds would conflict, and
//! undoing would hand out a number again. So no number is ever given twice, and there are gaps, as there are with sequences. It is taken once a
//! majority of the servers has it taken: a server that takes over must not count from before.
//!
//! Numbers are taken in blocks, which this process then hands out by itself: at first just what an add needs, doubled while blocks are used
//! up within a second, up to what 64 such adds need. The numbers of one add follow each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mongodb::bson::{Bson, Document, doc};
use ommi_core::ast::Insert;
use ommi_core::driver::Context;
use ommi_core::schema::ModelSchema;
use ommi_core::value::{ColumnType, Value};
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::bson::Writer;
use crate::decimal::Decimal;
use crate::driver::{Inner, whole};
use crate::error::{Failure, affected};
use crate::insert::{Documents, rows};
use crate::names::{ID, type_of};
use crate::run::{Place, given};
use crate::work::no_document;

/// The collection of the counters.
pub(crate) const COUNTERS: &str = "ommi_counters";
/// The greatest number that was taken.
const NEXT: &str = "next";
/// A block that lasts longer than this was large enough.
const QUICK: Duration = Duration::from_secs(1);
/// The most numbers that a block has beyond what it was taken for: what is lost when the process ends.
const MOST_AHEAD: i64 = 10_000;

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
    /// Hands out so many numbers, and gives the first.
    fn take(&mut self, count: i64) -> Option<i64> {
        let first = self.next;
        let last = first.checked_add(count - 1)?;
        if last > self.last {
            return None;
        }
        match last.checked_add(1) {
            Some(next) => self.next = next,
            // That was the last that there is.
            None => self.last = last - 1,
        }
        Some(first)
    }

    /// How many numbers to ask the counter for, to hand out so many of them now. `adds` is for how many such adds they may suffice.
    fn want(&self, count: i64, adds: i64) -> i64 {
        let most = count.saturating_mul(adds).min(count.saturating_add(MOST_AHEAD));
        match self.taken {
            Some(taken) if taken.elapsed() < QUICK => self.size.saturating_mul(2).clamp(count, most),
            _ => count,
        }
    }

    /// Takes over numbers of the counter, the last of which is this. What is left of those before goes on where they follow; otherwise it is
    /// lost, since the numbers of one add follow each other.
    fn refill(&mut self, size: i64, last: i64) {
        let first = last.saturating_sub(size - 1);
        if self.last.checked_add(1) != Some(first) {
            self.next = first;
        }
        (self.last, self.size, self.taken) = (last, size, Some(Instant::now()));
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
        let first = match block.take(count) {
            Some(first) => first,
            None => {
                // Where there are few numbers, none is taken that may not be used.
                let adds = if is_scarce(ty) { 1 } else { self.key_block };
                let size = block.want(count, adds);
                // Apart, so that the future of a statement is small: most numbers are at hand.
                let (size, last) = match Box::pin(self.count_up(model, size, context)).await {
                    // The counter is near its end: it may have what is needed.
                    Err(error) if size > count && matches!(error.kind(), ErrorKind::OutOfRange { .. }) => {
                        (count, Box::pin(self.count_up(model, count, context)).await?)
                    }
                    other => (size, other?),
                };
                block.refill(size, last);
                block.take(count).ok_or_else(no_document)?
            }
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
        let writer = taking(model, size);
        let mut counted = self.counted(&writer, context).await;
        if let Ok(reply) = &counted
            && is_unseen(reply)
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
        let command = self.finish_counting(writer.clone(), context)?;
        let reply = match self.command(&mut Place::Alone, command.clone()).await {
            Err(failure) if failure.is_duplicate() || failure.is_conflict() => {
                self.command(&mut Place::Alone, command).await
            }
            other => other,
        };
        lasting(reply?)
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
        Box::pin(self.at_least(model, greatest, context)).await?;
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

    /// The greatest key that is stored, as an integer: keys of any other type of number are as much in the way of those that are counted.
    pub(crate) async fn greatest_key(&self, model: &ModelSchema) -> DBResult<i64> {
        let find = doc! {
            "find": &*model.table,
            // Numbers, as what they are compared with. What lies beyond is no key, and says nothing of those that are.
            "filter": { ID: { "$lte": i64::MAX } },
            "sort": { ID: -1 },
            "projection": { ID: 1 },
            "limit": 1,
        };
        let reply = self.database.run_command(find).await.map_err(|error| Failure::from(error).general(None))?;
        let first = reply.get_document("cursor").ok().and_then(|cursor| cursor.get_array("firstBatch").ok());
        let key = first.and_then(|batch| batch.first()).and_then(Bson::as_document).and_then(|found| found.get(ID));
        Ok(key.map_or(0, floor))
    }
}

/// What was counted, where it lasts. A number that a majority of the servers may not have taken is a gap.
fn lasting(reply: Document) -> Result<Document, Failure> {
    affected(&reply)?;
    Ok(reply)
}

/// The greatest integer that is not above a number.
fn floor(number: &Bson) -> i64 {
    match number {
        Bson::Int32(number) => i64::from(*number),
        Bson::Int64(number) => *number,
        Bson::Double(number) => number.floor() as i64,
        Bson::Decimal128(number) => Decimal::new(*number).map_or(0, Decimal::floor),
        _ => 0,
    }
}

/// Whether a column has so few numbers that gaps would use them up.
fn is_scarce(ty: ColumnType) -> bool {
    matches!(ty, ColumnType::I8 | ColumnType::I16 | ColumnType::U8 | ColumnType::U16)
}

/// Whether a counter was changed by a command whose answer does not say to what.
///
/// MongoDB looks for a document and changes it in one piece. A server that does so in two steps may have found none, then change the one that another
/// has added meanwhile, and answer as if it had done neither.
fn is_unseen(reply: &Document) -> bool {
    let changed = reply.get_document("lastErrorObject").is_ok_and(|last| {
        // A key is never null.
        whole(last.get("n")) == Some(1) && last.get("upserted").is_none_or(|key| *key == Bson::Null)
    });
    changed && reply.get("value").is_none_or(|value| *value == Bson::Null)
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

/// The command that takes so many numbers.
fn taking(model: &ModelSchema, size: i64) -> Writer {
    let mut writer = counter(model);
    writer.begin_document("update");
    writer.begin_document("$inc");
    writer.int64(NEXT, size);
    writer.end();
    writer.end();
    writer.bool("upsert", true);
    writer.bool("new", true);
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
    fn a_counter_that_was_changed_unseen_is_told_from_others() {
        let reply = |last: Document, value: Bson| doc! { "lastErrorObject": last, "value": value };
        let counter = || Bson::from(doc! { "next": 7_i64 });
        let made = doc! { "n": 1, "updatedExisting": false, "upserted": "users" };
        for (last, value, unseen) in [
            (doc! { "n": 1, "updatedExisting": false, "upserted": null }, Bson::Null, true),
            (doc! { "n": 1, "updatedExisting": false }, Bson::Null, true),
            (made.clone(), counter(), false),
            (made, Bson::Null, false),
            (doc! { "n": 1, "updatedExisting": true }, counter(), false),
            (doc! { "n": 0, "updatedExisting": false }, Bson::Null, false),
        ] {
            let reply = reply(last, value);
            assert_eq!(is_unseen(&reply), unseen, "{reply}");
        }
        assert!(is_unseen(&doc! { "lastErrorObject": { "n": 1 } }) && !is_unseen(&doc! {}));
    }

    #[test]
    fn blocks_grow_while_they_are_used_quickly() {
        let mut block = Block::default();
        assert_eq!((block.take(1), block.want(1, 64)), (None, 1));
        block.refill(2, 6);
        assert_eq!((block.take(1), block.take(1), block.take(1)), (Some(5), Some(6), None));
        assert_eq!((block.want(1, 64), block.want(1, 3), block.want(1, 1)), (4, 3, 1));
        // What several rows need at once counts as one add.
        assert_eq!((block.want(10, 64), block.want(100, 1)), (10, 100));
        block.size = 5_000;
        assert_eq!((block.want(100, 64), block.want(1_000, 64), block.want(100_000, 64)), (6_400, 10_000, 100_000));
        block.size = 1_000_000;
        assert_eq!((block.want(1_000, 64), block.want(i64::MAX, 64)), (11_000, i64::MAX));
        block.taken = Instant::now().checked_sub(QUICK * 2);
        assert_eq!((block.want(1, 64), block.want(100, 64)), (1, 100));
        block = Block { next: i64::MAX, last: i64::MAX, size: 1, taken: None };
        assert_eq!((block.take(2), block.take(1), block.take(1)), (None, Some(i64::MAX), None));
    }

    #[test]
    fn a_number_that_may_be_taken_back_is_not_handed_out() {
        let counter = doc! { "value": { "_id": "notes", "next": 7i64 }, "ok": 1 };
        assert!(lasting(counter.clone()).is_ok());
        let mut unsure = counter;
        unsure
            .insert("writeConcernError", doc! { "code": 64, "codeName": "WriteConcernFailed", "errmsg": "timed out" });
        let error = lasting(unsure).unwrap_err().general(None);
        assert!(
            std::error::Error::source(&error).is_some_and(|cause| cause.to_string().contains("WriteConcernFailed"))
        );
    }

    #[tokio::test]
    async fn a_number_is_taken_by_a_majority() {
        let driver = crate::driver::unreachable("mongodb://db.invalid/shop?w=1").await;
        let id = ommi_core::schema::ColumnBuilder::new("id", ColumnType::I64).key().auto_increment();
        let model = ModelSchema::builder("Note", "notes").column(id).build().unwrap();
        let command = driver.inner.finish_counting(taking(&model, 3), crate::driver::no_context()).unwrap();
        let expected = doc! {
            "findAndModify": "ommi_counters",
            "query": { "_id": { "$eq": "notes" } },
            "update": { "$inc": { "next": 3i64 } },
            "upsert": true,
            "new": true,
            "writeConcern": { "w": "majority" },
        };
        assert_eq!(Document::try_from(command.as_ref()).unwrap(), expected);
    }

    #[test]
    fn keys_of_any_type_of_number_count() {
        let decimal = |text: &str| Bson::Decimal128(text.parse().unwrap());
        let keys =
            [Bson::Int32(7), Bson::Int64(7), Bson::Double(7.0), Bson::Double(7.9), decimal("7.0"), decimal("7.5")];
        for key in keys {
            assert_eq!(floor(&key), 7, "{key}");
        }
        assert_eq!(floor(&Bson::String("7".to_owned())), 0);
    }

    #[test]
    fn the_numbers_of_one_add_follow_each_other() {
        let mut block = Block::default();
        block.refill(10, 10);
        assert_eq!((block.take(8), block.take(8)), (Some(1), None));
        // Nobody else has taken numbers meanwhile.
        block.refill(16, 26);
        assert_eq!((block.take(8), block.take(8), block.take(8)), (Some(9), Some(17), None));
        // Somebody has, so 25 and 26 are lost.
        block.refill(8, 40);
        assert_eq!((block.take(8), block.take(1)), (Some(33), None));
        // A key that came with its row lies ahead, and the counter has gone past it.
        block.next = block.next.max(101);
        block.refill(8, 108);
        assert_eq!((block.take(8), block.take(1)), (Some(101), None));
        block.refill(8, 116);
        block.next = block.next.max(115);
        assert_eq!((block.take(2), block.take(1)), (Some(115), None));
    }
}
