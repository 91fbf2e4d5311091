//! A transaction: a session of the client's, one operation at a time.
//!
//! Levels within it are undone by what `journal.rs` keeps. An error that the server reports ends all of them: see `unique.rs` for what is
//! found out before.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::doc;
use mongodb::{ClientSession, Database};
use ommi_core::ast::{Delete, Insert, Select, Update};
use ommi_core::driver::{Abandoned, Answer, Context, DriverTransaction, Executor, LevelEnd, RowSink, RowStream};
use ommi_core::{DBError, DBResult, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::driver::Inner;
use crate::error::Failure;
use crate::journal::Journal;
use crate::keys::COUNTERS;
use crate::levels::Stop;
use crate::names::ID;
use crate::rollbacks::Rollbacks;
use crate::run::{Place, given, within};
use crate::stream::Pieces;

/// A transaction. Dropped, it is rolled back by a task that later statements of this driver wait for.
pub(crate) struct MongoTransaction {
    inner: Arc<Inner>,
    abandoned: Abandoned,
    state: Mutex<State>,
}

struct State {
    /// Taken when the transaction ends.
    session: Option<ClientSession>,
    /// The first error of a statement that was sent. The server has ended the transaction then, with all levels of it.
    failed: Option<DBError>,
    /// Whether a statement is under way. When the next one finds it so, the one before was dropped, and what became of it is not known.
    busy: bool,
    abandoned: Abandoned,
    journal: Journal,
}

impl State {
    /// Before something is sent.
    fn enter(&mut self) -> DBResult<()> {
        if self.busy {
            self.failed.get_or_insert_with(dropped);
        }
        match &self.failed {
            Some(first) => Err(aborted(Some(first))),
            None if self.session.is_none() => Err(aborted(None)),
            None => {
                self.busy = true;
                Ok(())
            }
        }
    }

    /// After it.
    fn leave<T>(&mut self, result: Result<T, Stop>) -> DBResult<T> {
        self.busy = false;
        result.map_err(|stop| match stop {
            Stop::Before(error) => error,
            Stop::Sent(error) => {
                // What was found before anything was sent leaves the transaction as it was.
                if !error.is_found_by_client() {
                    self.failed.get_or_insert_with(|| error.clone());
                }
                error
            }
        })
    }

    /// Undoes what was abandoned beyond a level, and opens those up to it.
    async fn align(&mut self, inner: &Inner, context: &Context) -> DBResult<()> {
        let kept = self.abandoned.keep(context.level);
        if self.journal.depth() > kept.level {
            self.undo_beyond(kept.level, inner, context).await?;
        }
        self.abandoned.settle(kept);
        self.journal.open(context.level);
        Ok(())
    }

    async fn undo_beyond(&mut self, level: u32, inner: &Inner, context: &Context) -> DBResult<()> {
        if let (Some(touched), Some(session)) = (self.journal.take_beyond(level), &mut self.session) {
            let undone = inner.undo(&mut Place::Session(session), touched, context).await;
            if let Err(error) = undone {
                self.failed.get_or_insert_with(|| error.clone());
                return Err(aborted(Some(&error)));
            }
        }
        Ok(())
    }

    /// Its end, if it has not come yet.
    fn end(&mut self, rollbacks: &Rollbacks) -> Option<Ending> {
        let mut ending = Ending::new(rollbacks, self.session.take()?);
        ending.unanswered = self.busy;
        Some(ending)
    }

    fn place(&mut self) -> DBResult<(Place<'_>, &mut Journal)> {
        match &mut self.session {
            Some(session) => Ok((Place::Session(session), &mut self.journal)),
            None => Err(aborted(None)),
        }
    }
}

fn dropped() -> DBError {
    DBError::new(ErrorKind::Database).with_detail("a statement was dropped before it had ended")
}

/// `first` is what the transaction has failed with.
fn aborted(first: Option<&DBError>) -> DBError {
    let error = DBError::new(ErrorKind::TransactionAborted);
    match first {
        Some(first) => error.with_detail("an earlier statement in it failed").with_source(first.clone()),
        None => error.with_detail("it has ended"),
    }
}

impl MongoTransaction {
    pub(crate) async fn begin(inner: Arc<Inner>) -> DBResult<MongoTransaction> {
        let session = inner.begin_session().await.map_err(|failure| failure.general(None))?;
        let abandoned = Abandoned::default();
        let state = State {
            session: Some(session),
            failed: None,
            busy: false,
            abandoned: abandoned.clone(),
            journal: Journal::default(),
        };
        Ok(MongoTransaction { inner, abandoned, state: Mutex::new(state) })
    }

    /// Notes that a statement was given up under way, for want of time: what comes later is told so.
    fn note_given_up<T>(&self, result: &DBResult<T>) {
        if let Err(error) = result
            && matches!(error.kind(), ErrorKind::Timeout { .. })
            && let Ok(mut state) = self.state.try_lock()
            && state.busy
        {
            state.failed.get_or_insert_with(|| error.clone());
        }
    }
}

/// Runs a statement in the session: as it is, or in a level, where what it changes is noted.
macro_rules! in_session {
    ($self:ident, $context:ident, |$place:ident| $work:expr $(, in_level |$journal:ident| $in_level:expr)?) => {
        Answer::later(async move {
            let result = within($context, async {
                let mut state = $self.state.lock().await;
                state.enter()?;
                let aligned = state.align(&$self.inner, $context).await;
                let result = match aligned.and_then(|()| state.place()) {
                    $(Ok((mut $place, $journal)) if $context.level > 0 => $in_level.await,)?
                    Ok(($place, _)) => $work.await.map_err(Stop::Sent),
                    Err(error) => Err(Stop::Sent(error)),
                };
                state.leave(result)
            })
            .await;
            $self.note_given_up(&result);
            result
        })
    };
}

impl Executor for MongoTransaction {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        in_session!(self, context, |place| self.inner.fetch(place, select, sink, context))
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        Answer::later(async move {
            let limit = context.clone();
            let open = async move {
                let mut state = self.state.lock().await;
                state.enter()?;
                let aligned = state.align(&self.inner, &context).await;
                let opened = match aligned.and_then(|()| state.place()) {
                    Ok((place, _)) => self.inner.stream(place, select, sink, context).await,
                    Err(error) => Err(error),
                };
                let pieces = state.leave(opened.map_err(Stop::Sent))?;
                Ok(Box::new(TransactionStream { pieces, state }) as Box<dyn RowStream + 'a>)
            };
            within(&limit, open).await
        })
    }

    fn insert<'a>(
        &'a self,
        insert: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        in_session!(
            self,
            context,
            |place| self.inner.insert(place, insert, sink, None, context),
            in_level | journal | self.inner.insert_in_level(&mut place, insert, sink, journal, context)
        )
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        in_session!(
            self,
            context,
            |place| self.inner.update(place, update, context),
            in_level | journal | self.inner.update_in_level(&mut place, update, journal, context)
        )
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        in_session!(
            self,
            context,
            |place| self.inner.delete(place, delete, context),
            in_level | journal | self.inner.delete_in_level(&mut place, delete, journal, context)
        )
    }
}

/// A stream in a transaction. It holds the session.
struct TransactionStream<'a> {
    // Before `state`: the cursor ends before the session is free.
    pieces: Pieces,
    state: MutexGuard<'a, State>,
}

impl RowStream for TransactionStream<'_> {
    fn next<'a>(&'a mut self) -> Answer<'a, Option<Box<dyn RowSink>>> {
        Answer::later(async {
            self.state.enter()?;
            let next = match self.state.place() {
                Ok((place, _)) => self.pieces.next(place).await,
                Err(error) => Err(error),
            };
            self.state.leave(next.map_err(Stop::Sent))
        })
    }
}

#[async_trait]
impl DriverTransaction for MongoTransaction {
    fn enter(&self, level: u32) {
        self.abandoned.enter(level);
    }

    async fn leave(&self, level: u32, end: LevelEnd, context: &Context) -> DBResult<()> {
        let keep = level.saturating_sub(u32::from(end == LevelEnd::Undo));
        within(context, async {
            let mut state = self.state.lock().await;
            state.enter()?;
            let keep = state.abandoned.keep(keep).level;
            let undone = state.undo_beyond(keep, &self.inner, context).await;
            state.leave(undone.map_err(Stop::Sent))?;
            if end == LevelEnd::Keep {
                state.journal.keep(level);
            }
            Ok(())
        })
        .await
    }

    async fn commit(self: Box<Self>, context: &Context) -> DBResult<()> {
        let mut state = self.state.lock().await;
        let mut outermost = context.clone();
        outermost.level = 0;
        let aligned = match state.enter() {
            Ok(()) => {
                let aligned = within(context, state.align(&self.inner, &outermost)).await;
                state.leave(aligned.map_err(Stop::Sent))
            }
            refused => refused,
        };
        let mut ending = state.end(&self.inner.rollbacks).ok_or_else(|| aborted(None))?;
        if let Err(error) = aligned {
            ending.abort().await;
            return Err(error);
        }
        let committed = within(context, async {
            let _turn = self.inner.turns.take().await?;
            let committed = ending.commit().await;
            committed.map_err(|failure| {
                let unknown = failure.leaves_commit_unknown();
                let error = failure.general(given(context));
                if unknown { error.with_unknown_outcome() } else { error }
            })
        });
        match committed.await {
            Err(error) if ending.is_committing() => Err(error.with_unknown_outcome()),
            other => other,
        }
    }

    async fn rollback(self: Box<Self>, context: &Context) -> DBResult<()> {
        // Given up, it goes on in a task.
        let mut ending = self.state.lock().await.end(&self.inner.rollbacks).ok_or_else(|| aborted(None))?;
        within(context, async {
            ending.abort().await;
            Ok(())
        })
        .await
    }
}

impl Drop for MongoTransaction {
    fn drop(&mut self) {
        // Nobody else has it: a stream in the transaction borrows from it, and one that was forgotten does nothing any more.
        drop(self.state.get_mut().end(&self.inner.rollbacks));
    }
}

/// The end of a transaction, which comes even if nobody waits for it.
pub(crate) struct Ending {
    rollbacks: Rollbacks,
    session: Option<ClientSession>,
    /// Whether a statement may have been given up before it was answered.
    unanswered: bool,
    /// Whether the commit was sent. Then it may have taken place, and nothing undoes it any more.
    committing: bool,
}

impl Ending {
    /// Of a transaction that may be given up at any time.
    pub(crate) fn new(rollbacks: &Rollbacks, session: ClientSession) -> Ending {
        Ending { rollbacks: rollbacks.clone(), session: Some(session), unanswered: true, committing: false }
    }

    /// Every statement has been answered.
    pub(crate) fn answered(&mut self) {
        self.unanswered = false;
    }

    /// Whether a commit was sent that was not answered.
    fn is_committing(&self) -> bool {
        self.committing && self.session.is_some()
    }

    /// Where its statements run.
    pub(crate) fn place(&mut self) -> Result<Place<'_>, Failure> {
        self.session.as_mut().map(Place::Session).ok_or_else(|| aborted(None).into())
    }

    pub(crate) async fn commit(&mut self) -> Result<(), Failure> {
        let Some(session) = &mut self.session else { return Err(aborted(None).into()) };
        self.committing = true;
        let mut result = session.commit_transaction().await;
        if let Err(error) = &result
            && error.contains_label(mongodb::error::UNKNOWN_TRANSACTION_COMMIT_RESULT)
        {
            // To commit again is safe; the client has done so once already for a lost connection.
            result = session.commit_transaction().await;
        }
        self.session = None;
        Ok(result?)
    }

    /// Waits for its end, though not for ever. That it fails says that the transaction has ended by itself, or will when the server misses its
    /// client.
    pub(crate) async fn abort(&mut self) {
        if let Some(task) = self.hand_over() {
            let _ = timeout(PATIENCE, task).await;
        }
    }

    /// Has a task end what has not ended, which others wait for. An abort is never given up half-way: to the client a transaction is aborted
    /// as soon as it begins to say so, and it does not say so twice.
    fn hand_over(&mut self) -> Option<JoinHandle<()>> {
        let mut session = self.session.take()?;
        // Without a runtime the client ends it when it can.
        let runtime = Handle::try_current().ok()?;
        let pending = self.rollbacks.begin();
        let database = self.rollbacks.database().clone();
        let (unanswered, committing) = (self.unanswered, self.committing);
        let end = async move {
            match committing {
                // To commit again is safe, and the only way left to free what the transaction holds.
                true => drop(session.commit_transaction().await),
                false => abort(&mut session, unanswered, &database).await,
            }
        };
        Some(runtime.spawn(waited_for(PATIENCE, end, pending)))
    }
}

/// How long an end that is not answered is waited for, by those who end and by the statements that come after. As long as a statement waits for a
/// connection, since an end may have to.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs an end to its own end, and holds up others no longer than is meet.
async fn waited_for<T>(patience: Duration, end: impl Future<Output = ()>, held: T) {
    let mut end = pin!(end);
    let in_time = timeout(patience, end.as_mut()).await.is_ok();
    drop(held);
    if !in_time {
        end.await;
    }
}

/// Aborts a transaction.
///
/// To the client a transaction begins with the first answer, and of one that has not begun it tells the server nothing. Where a statement was
/// given up unanswered the server may have begun it all the same, or be about to, and would keep what it has locked until the transaction
/// expires, after a minute. So the client is made to see an answer first. That it is a refusal, as the transaction was begun already, does
/// not matter.
async fn abort(session: &mut ClientSession, unanswered: bool, database: &Database) {
    if unanswered {
        let nothing = doc! { "find": COUNTERS, "filter": { ID: null }, "limit": 1, "singleBatch": true };
        let _ = database.run_command(nothing).session(&mut *session).await;
    }
    let _ = session.abort_transaction().await;
}

impl Drop for Ending {
    fn drop(&mut self) {
        drop(self.hand_over());
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn an_end_without_an_answer_holds_up_nobody_for_ever() {
        let (answer, answered) = oneshot::channel::<()>();
        let (held, free) = oneshot::channel::<()>();
        let (tell, mut ended) = oneshot::channel::<()>();
        let end = async move {
            let _ = answered.await;
            let _ = tell.send(());
        };
        let task = tokio::spawn(waited_for(Duration::from_millis(10), end, held));
        free.await.unwrap_err();
        ended.try_recv().unwrap_err();
        // It goes on all the same.
        answer.send(()).unwrap();
        task.await.unwrap();
        ended.try_recv().unwrap();
    }
}
