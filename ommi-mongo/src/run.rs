//! Sending commands: alone or in a session, within the time that is left, with what a server needs to know beside the statement.

use std::time::{Duration, Instant};

use futures::StreamExt;
use mongodb::bson::{Document, RawDocument, RawDocumentBuf};
use mongodb::options::{RunCursorCommandOptions, SelectionCriteria};
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor, SessionRawBatchCursor};
use mongodb::{ClientSession, Database};
use ommi_core::driver::{Answer, Context};
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::bson::Writer;
use crate::driver::Inner;
use crate::error::{Failure, affected};
use crate::select::ONE_BATCH;
use crate::transaction::Ending;
use crate::turns::Turns;
use crate::work::no_document;

/// Where commands run.
pub(crate) enum Place<'s> {
    /// Each by itself.
    Alone,
    /// In a session's transaction.
    Session(&'s mut ClientSession),
}

impl Place<'_> {
    pub(crate) fn again(&mut self) -> Place<'_> {
        match self {
            Place::Alone => Place::Alone,
            Place::Session(session) => Place::Session(session),
        }
    }

    pub(crate) fn is_alone(&self) -> bool {
        matches!(self, Place::Alone)
    }
}

/// Commands that belong together. They may be run again, after a transaction in which they were undone.
pub(crate) trait Work: Sync {
    /// Runs them, and gives the number of documents that the statement reached.
    fn run(
        &self,
        inner: &Inner,
        place: &mut Place<'_>,
        context: &Context,
    ) -> impl Future<Output = Result<u64, Failure>> + Send;
}

/// Writes, one after the other.
pub(crate) struct Writes<'w>(pub(crate) &'w [Writer]);

impl Work for Writes<'_> {
    async fn run(&self, inner: &Inner, place: &mut Place<'_>, context: &Context) -> Result<u64, Failure> {
        inner.write(place, self.0, context).await
    }
}

/// The time that an operation was given.
pub(crate) fn given(context: &Context) -> Option<Duration> {
    context.limit.map(|(_, given)| given)
}

/// Work within its time, as an answer.
pub(crate) fn in_time<'a, T>(context: &'a Context, work: impl Future<Output = DBResult<T>> + Send + 'a) -> Answer<'a, T>
where
    T: 'a,
{
    match context.limit {
        None => Answer::later(work),
        // Apart, since a future that another one waits for in two places is held in each.
        Some(_) => Answer::later(within(context, Box::pin(work))),
    }
}

/// Gives up once the time is over. The client closes the connection of what is given up, and the server has been told the same limit.
pub(crate) async fn within<T>(context: &Context, work: impl Future<Output = DBResult<T>>) -> DBResult<T> {
    let Some((deadline, given)) = context.limit else { return work.await };
    // The timer has a grain of a millisecond, within which a server may answer.
    if deadline <= Instant::now() {
        return Err(DBError::timeout(given));
    }
    match tokio::time::timeout_at(deadline.into(), work).await {
        Ok(result) => result,
        Err(_) => Err(DBError::timeout(given)),
    }
}

/// A result as it comes in: batches of documents.
pub(crate) enum Batches {
    Own(Box<RawBatchCursor>, Turns),
    Session(Box<SessionRawBatchCursor>, Turns),
}

impl Batches {
    pub(crate) async fn next(&mut self, place: &mut Place<'_>) -> Result<Option<RawBatch>, Failure> {
        let batch = match (self, place) {
            (Batches::Own(cursor, turns), _) => {
                let _turn = turns.take().await?;
                cursor.next().await
            }
            (Batches::Session(cursor, turns), Place::Session(session)) => {
                let _turn = turns.take().await?;
                cursor.stream(session).next().await
            }
            (Batches::Session(..), Place::Alone) => None,
        };
        Ok(batch.transpose()?)
    }

    /// The first document, if there is one.
    pub(crate) async fn first(&mut self, place: &mut Place<'_>) -> Result<Option<RawDocumentBuf>, Failure> {
        while let Some(batch) = self.next(place).await? {
            if let Some(document) = batch.doc_slices()?.into_iter().next() {
                let document = document.ok().and_then(|value| value.as_document());
                return Ok(document.map(|document| document.to_owned()));
            }
        }
        Ok(None)
    }
}

/// The longest time that a server takes as a limit, in milliseconds.
const LONGEST: u32 = i32::MAX.unsigned_abs();

/// The milliseconds that are left to a command.
pub(crate) fn time_left(context: &Context) -> Option<u32> {
    let left = context.deadline()?.saturating_duration_since(Instant::now()).as_millis();
    // Zero would be no limit.
    Some(u32::try_from(left).unwrap_or(LONGEST).clamp(1, LONGEST))
}

fn limit(context: &Context, writer: &mut Writer) {
    if let Some(left) = time_left(context) {
        writer.int64("maxTimeMS", left.into());
    }
}

impl Inner {
    /// Ends a command that writes.
    pub(crate) fn finish_write(
        &self,
        writer: Writer,
        context: &Context,
        place: &Place<'_>,
    ) -> DBResult<RawDocumentBuf> {
        self.finish_with(place.is_alone().then_some(&*self.write_concern), writer, context)
    }

    /// Ends a command on the counters of keys, which is in no transaction.
    pub(crate) fn finish_counting(&self, writer: Writer, context: &Context) -> DBResult<RawDocumentBuf> {
        self.finish_with(Some(&*self.counter_concern), writer, context)
    }

    fn finish_with(
        &self,
        concern: Option<&RawDocument>,
        mut writer: Writer,
        context: &Context,
    ) -> DBResult<RawDocumentBuf> {
        writer.close_to_top();
        if let Some(concern) = concern {
            writer.raw_document("writeConcern", concern);
        }
        limit(context, &mut writer);
        sized(writer)
    }

    /// Ends a command that reads.
    pub(crate) fn finish_read(
        &self,
        mut writer: Writer,
        context: &Context,
        place: &Place<'_>,
    ) -> DBResult<RawDocumentBuf> {
        writer.close_to_top();
        if let (true, Some(concern)) = (place.is_alone(), &self.read_concern) {
            writer.raw_document("readConcern", concern);
        }
        limit(context, &mut writer);
        sized(writer)
    }

    /// Runs a command and gives the reply.
    pub(crate) async fn command(&self, place: &mut Place<'_>, command: RawDocumentBuf) -> Result<Document, Failure> {
        let _turn = self.turns.take().await?;
        let run = self.database.run_raw_command(command);
        Ok(match place {
            Place::Alone => run.await?,
            Place::Session(session) => run.session(&mut **session).await?,
        })
    }

    /// Runs a command whose reply is a cursor. Where the connection is lost before it has answered, a read outside a transaction is sent once
    /// more, as the client does with its own.
    pub(crate) async fn open(
        &self,
        place: &mut Place<'_>,
        command: RawDocumentBuf,
        batch: u32,
    ) -> Result<Batches, Failure> {
        self.open_on(self.selection.clone(), place, command, batch).await
    }

    /// The same, outside a transaction on a server of this choice.
    pub(crate) async fn open_on(
        &self,
        selection: Option<SelectionCriteria>,
        place: &mut Place<'_>,
        command: RawDocumentBuf,
        batch: u32,
    ) -> Result<Batches, Failure> {
        let _turn = self.turns.take().await?;
        let database: &Database = &self.database;
        let options =
            |selection| RunCursorCommandOptions::builder().selection_criteria(selection).batch_size(batch).build();
        match place {
            Place::Alone => {
                let open =
                    |command| database.run_raw_cursor_command(command).with_options(options(selection.clone())).batch();
                let first = open(command.clone()).await.map_err(Failure::from);
                let cursor: RawBatchCursor = match first {
                    Err(failure) if failure.is_lost() => Box::pin(open(command).into_future()).await?,
                    other => other?,
                };
                Ok(Batches::Own(Box::new(cursor), self.turns.clone()))
            }
            Place::Session(session) => {
                let run = database.run_raw_cursor_command(command).with_options(options(None));
                Ok(Batches::Session(Box::new(run.session(&mut **session).batch().await?), self.turns.clone()))
            }
        }
    }

    /// Reads all documents that a command gives.
    pub(crate) async fn read_all(
        &self,
        place: &mut Place<'_>,
        writer: Writer,
        context: &Context,
    ) -> Result<Vec<RawDocumentBuf>, Failure> {
        let command = self.finish_read(writer, context, place)?;
        let mut batches = self.open(place, command, ONE_BATCH as u32).await?;
        let mut documents = Vec::new();
        while let Some(batch) = batches.next(place).await? {
            for document in batch.doc_slices()? {
                let document = document.ok().and_then(|value| value.as_document()).ok_or_else(no_document)?;
                documents.push(document.to_owned());
            }
        }
        Ok(documents)
    }

    /// Runs writes one after the other and gives the number of documents they reached.
    pub(crate) async fn write(
        &self,
        place: &mut Place<'_>,
        writers: &[Writer],
        context: &Context,
    ) -> Result<u64, Failure> {
        writers.iter().try_for_each(|writer| check_size(writer.len()))?;
        let mut reached = 0;
        for writer in writers {
            let command = self.finish_write(writer.clone(), context, place)?;
            reached += affected(&self.command(place, command).await?)?;
        }
        Ok(reached)
    }

    /// Runs work that must take place as a whole or not at all, in a transaction of its own where there is none and the server has them.
    ///
    /// Nothing of it has been reported, so a conflict with another transaction is met by running it again, for a while.
    pub(crate) async fn atomically(
        &self,
        place: &mut Place<'_>,
        work: &impl Work,
        context: &Context,
    ) -> Result<u64, Failure> {
        if !place.is_alone() || !self.capabilities.transactions {
            return work.run(self, place, context).await;
        }
        let started = Instant::now();
        let mut reruns = Reruns::default();
        loop {
            match self.in_transaction(work, context).await {
                Err(failure) if failure.is_conflict() => match reruns.next(started.elapsed()) {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(failure),
                },
                other => return other,
            }
        }
    }

    async fn in_transaction(&self, work: &impl Work, context: &Context) -> Result<u64, Failure> {
        // Rolled back when this future is dropped.
        let mut ending = Ending::new(&self.rollbacks, self.begin_session().await?);
        let written = work.run(self, &mut ending.place()?, context).await;
        ending.answered();
        match written {
            Ok(reached) => {
                let _turn = self.turns.take().await?;
                ending.commit().await?;
                Ok(reached)
            }
            Err(failure) => {
                ending.abort().await;
                Err(failure)
            }
        }
    }

    /// A session with a transaction, of which nothing has been sent.
    pub(crate) async fn begin_session(&self) -> Result<ClientSession, Failure> {
        let mut session = self.client.start_session().await?;
        session.start_transaction().with_options(self.transaction_options.clone()).await?;
        Ok(session)
    }
}

/// The most bytes of a command: what a document may have, and room for what stands around it.
const LARGEST_COMMAND: usize = 16 * 1024 * 1024 + 16 * 1024;

/// Ends a command that a server takes.
fn sized(writer: Writer) -> DBResult<RawDocumentBuf> {
    let (command, _) = writer.finish()?;
    check_size(command.as_bytes().len())?;
    Ok(command)
}

/// Refuses a command of so many bytes. Those that come after another of the same operation are cut to size, or were asked for before.
pub(crate) fn check_size(bytes: usize) -> DBResult<()> {
    if bytes <= LARGEST_COMMAND {
        return Ok(());
    }
    Err(DBError::new(ErrorKind::TooLarge).with_detail("a statement with its values takes 16 MB at most").unsent())
}

/// How often a statement in a transaction of its own is run again at most.
const MOST_RERUNS: u32 = 16;
/// How long after its beginning it is run again for the last time. One that takes longer by itself, or that the server has ended for its age, is not.
const RERUN_WITHIN: Duration = Duration::from_secs(10);

/// The reruns of a statement that met another transaction.
#[derive(Debug, Default)]
struct Reruns(u32);

impl Reruns {
    /// How long to wait before the next one, so long after the statement began; none where that is enough.
    fn next(&mut self, elapsed: Duration) -> Option<Duration> {
        if self.0 >= MOST_RERUNS || elapsed > RERUN_WITHIN {
            return None;
        }
        let pause = Duration::from_millis(2 << self.0.min(7)).min(Duration::from_millis(250));
        self.0 += 1;
        Some(pause)
    }
}

impl Writer {
    /// Ends what is open within the document, so that fields of its own follow.
    fn close_to_top(&mut self) {
        while self.depth() > 1 {
            self.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ommi_core::ast::{Condition, Expr, List, Select};
    use ommi_core::schema::{ColumnBuilder, ModelSchema, SchemaRef};
    use ommi_core::value::{ColumnType, Value};

    use super::*;
    use crate::select::select;

    #[test]
    fn a_statement_is_run_again_for_some_seconds() {
        let mut quick = Reruns::default();
        let pauses: Vec<Duration> = std::iter::from_fn(|| quick.next(Duration::from_secs(1))).collect();
        assert_eq!(pauses.len(), MOST_RERUNS as usize);
        assert_eq!(
            (pauses[0], pauses[1], pauses[15]),
            (Duration::from_millis(2), Duration::from_millis(4), Duration::from_millis(250))
        );
        assert!(pauses.iter().sum::<Duration>() < Duration::from_secs(4));
        // One that the server has ended after a minute would take another.
        assert_eq!(Reruns::default().next(Duration::from_secs(60)), None);
    }

    /// Of any usual type; of most, there may be more.
    #[test]
    fn a_hundred_thousand_values_are_one_command() {
        fn is_taken(ty: ColumnType, count: u32, value: impl Fn(u32) -> Value<'static>) -> bool {
            let builder =
                ModelSchema::builder("Thing", "things").column(ColumnBuilder::new("id", ColumnType::I64).key());
            let model = builder.column(ColumnBuilder::new("thing", ty)).build().unwrap();
            let mut query = Select::new(SchemaRef::from(Arc::new(model)));
            let list = List::new((0..count).map(value));
            query.filter = Condition::In { expr: Expr::Column(1), list, negated: true };
            let mut writer = Writer::new();
            select(&query, ONE_BATCH, &mut writer).unwrap();
            match sized(writer) {
                Ok(_) => true,
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::TooLarge), "{error}");
                    false
                }
            }
        }
        let number = |number: u32| Value::Int(number.into());
        assert!(is_taken(ColumnType::I64, 1_000_000, number) && !is_taken(ColumnType::I64, 1_100_000, number));
        let uuid = |number: u32| Value::Uuid(u128::from(number).to_be_bytes());
        assert!(is_taken(ColumnType::Uuid, 575_000, uuid) && !is_taken(ColumnType::Uuid, 600_000, uuid));
        let text = |number: u32| Value::Text(format!("{number:0150}").into());
        assert!(is_taken(ColumnType::Text, 100_000, text) && !is_taken(ColumnType::Text, 110_000, text));
    }
}
