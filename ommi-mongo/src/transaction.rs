//! A transaction: a session of the client's, one operation at a time.

use std::sync::Arc;

use async_trait::async_trait;
use mongodb::bson::doc;
use mongodb::{ClientSession, Database};
use ommi_core::ast::{Delete, Insert, Select, Update};
use ommi_core::driver::{Answer, Context, DriverTransaction, Executor, RowSink, RowStream};
use ommi_core::{DBError, DBResult, ErrorKind};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::driver::Inner;
use crate::error::Failure;
use crate::keys::COUNTERS;
use crate::names::ID;
use crate::rollbacks::Rollbacks;
use crate::run::{Place, given, within};
use crate::stream::Pieces;

/// A transaction. Dropped, it is rolled back by a task that later statements of this driver wait for.
pub(crate) struct MongoTransaction {
    inner: Arc<Inner>,
    state: Arc<Mutex<State>>,
}

struct State {
    /// Taken when the transaction ends.
    session: Option<ClientSession>,
    /// Whether a statement failed. The server has ended the transaction then, or it does not matter any more.
    failed: bool,
    /// Whether a statement is under way. When the next one finds it so, the one before was dropped, and what became of it is not known.
    busy: bool,
}

impl State {
    fn enter(&mut self) -> DBResult<()> {
        if self.failed || self.busy || self.session.is_none() {
            self.failed = true;
            return Err(aborted(self.busy));
        }
        self.busy = true;
        Ok(())
    }

    fn leave<T>(&mut self, result: DBResult<T>) -> DBResult<T> {
        self.busy = false;
        if let Err(error) = &result {
            // What was found before anything was sent leaves the transaction as it was.
            let sent = !matches!(
                error.kind(),
                ErrorKind::InvalidValue { .. }
                    | ErrorKind::Query
                    | ErrorKind::Unsupported { .. }
                    | ErrorKind::Decode { .. }
            );
            self.failed |= sent;
        }
        result
    }

    fn place(&mut self) -> DBResult<Place<'_>> {
        self.session.as_mut().map(Place::Session).ok_or_else(|| aborted(false))
    }
}

fn aborted(dropped: bool) -> DBError {
    DBError::new(ErrorKind::TransactionAborted).with_detail(match dropped {
        true => "a statement in it was dropped before it had ended",
        false => "an earlier statement in it failed, or it has ended",
    })
}

impl MongoTransaction {
    pub(crate) async fn begin(inner: Arc<Inner>) -> DBResult<MongoTransaction> {
        let session = inner.begin_session().await.map_err(|failure| failure.general(None))?;
        let state = State { session: Some(session), failed: false, busy: false };
        Ok(MongoTransaction { inner, state: Arc::new(Mutex::new(state)) })
    }

    async fn end(&self) -> DBResult<(ClientSession, bool)> {
        let mut state = self.state.lock().await;
        let fit = !state.failed && !state.busy;
        let session = state.session.take().ok_or_else(|| aborted(false))?;
        Ok((session, fit))
    }
}

/// Runs a statement in the session.
macro_rules! in_session {
    ($self:ident, $context:ident, |$place:ident| $work:expr) => {
        Answer::later(within($context, async move {
            let mut state = $self.state.lock().await;
            state.enter()?;
            let result = match state.place() {
                Ok($place) => $work.await,
                Err(error) => Err(error),
            };
            state.leave(result)
        }))
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
            let mut state = self.state.clone().lock_owned().await;
            state.enter()?;
            let opened = match state.place() {
                Ok(place) => self.inner.stream(place, select, sink, context).await,
                Err(error) => Err(error),
            };
            let pieces = state.leave(opened)?;
            Ok(Box::new(TransactionStream { pieces, state }) as Box<dyn RowStream + 'a>)
        })
    }

    fn insert<'a>(
        &'a self,
        insert: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        in_session!(self, context, |place| self.inner.insert(place, insert, sink, context))
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        in_session!(self, context, |place| self.inner.update(place, update, context))
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        in_session!(self, context, |place| self.inner.delete(place, delete, context))
    }
}

/// A stream in a transaction. It holds the session.
struct TransactionStream {
    // Before `state`: the cursor ends before the session is free.
    pieces: Pieces,
    state: OwnedMutexGuard<State>,
}

impl RowStream for TransactionStream {
    fn next<'a>(&'a mut self) -> Answer<'a, Option<Box<dyn RowSink>>> {
        Answer::later(async {
            self.state.enter()?;
            let next = match self.state.place() {
                Ok(place) => self.pieces.next(place).await,
                Err(error) => Err(error),
            };
            self.state.leave(next)
        })
    }
}

#[async_trait]
impl DriverTransaction for MongoTransaction {
    async fn commit(self: Box<Self>, context: &Context) -> DBResult<()> {
        let (session, fit) = self.end().await?;
        let mut ending = Ending::new(&self.inner.rollbacks, session);
        if !fit {
            ending.abort_unanswered().await;
            return Err(aborted(false));
        }
        let committed = within(context, async {
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
        let (session, fit) = self.end().await?;
        // Given up, it goes on in a task.
        let mut ending = Ending::new(&self.inner.rollbacks, session);
        within(context, async {
            match fit {
                true => ending.abort().await,
                false => ending.abort_unanswered().await,
            }
            Ok(())
        })
        .await
    }
}

impl Drop for MongoTransaction {
    fn drop(&mut self) {
        // Nobody else has it: a stream in the transaction borrows from it.
        if let Ok(mut state) = self.state.try_lock()
            && let Some(session) = state.session.take()
        {
            drop(Ending::new(&self.inner.rollbacks, session));
        }
    }
}

/// The end of a transaction, which comes even if nobody waits for it.
pub(crate) struct Ending {
    rollbacks: Rollbacks,
    session: Option<ClientSession>,
    /// Whether the commit was sent. Then it may have taken place, and nothing undoes it any more.
    committing: bool,
}

impl Ending {
    pub(crate) fn new(rollbacks: &Rollbacks, session: ClientSession) -> Ending {
        Ending { rollbacks: rollbacks.clone(), session: Some(session), committing: false }
    }

    /// Whether a commit was sent that was not answered.
    fn is_committing(&self) -> bool {
        self.committing && self.session.is_some()
    }

    /// Where its statements run.
    pub(crate) fn place(&mut self) -> Result<Place<'_>, Failure> {
        self.session.as_mut().map(Place::Session).ok_or_else(|| aborted(false).into())
    }

    pub(crate) async fn commit(&mut self) -> Result<(), Failure> {
        let Some(session) = &mut self.session else { return Err(aborted(false).into()) };
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

    /// That it fails says that the transaction has ended by itself, or will when the server misses its client.
    pub(crate) async fn abort(&mut self) {
        if let Some(session) = &mut self.session {
            let _ = session.abort_transaction().await;
        }
        self.session = None;
    }

    /// Aborts a transaction of which a statement may have been given up before it was answered.
    pub(crate) async fn abort_unanswered(&mut self) {
        if let Some(session) = &mut self.session {
            abort_unanswered(session, self.rollbacks.database()).await;
        }
        self.session = None;
    }
}

/// Aborts a transaction of which a statement may have been given up before it was answered.
///
/// To the client a transaction begins with the first answer, and of one that has not begun it tells the server nothing. But the server may
/// have begun it, or be about to, and would keep what it has locked until the transaction expires, after a minute. So the client is made to
/// see an answer first. That it is a refusal, as the transaction was begun already, does not matter.
async fn abort_unanswered(session: &mut ClientSession, database: &Database) {
    let nothing = doc! { "find": COUNTERS, "filter": { ID: null }, "limit": 1, "singleBatch": true };
    let _ = database.run_command(nothing).session(&mut *session).await;
    let _ = session.abort_transaction().await;
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // The client ends it when it can.
            return drop(session);
        };
        let pending = self.rollbacks.begin();
        let (mut session, committing) = (session, self.committing);
        let database = self.rollbacks.database().clone();
        runtime.spawn(async move {
            match committing {
                // To commit again is safe, and the only way left to free what the transaction holds.
                true => drop(session.commit_transaction().await),
                false => abort_unanswered(&mut session, &database).await,
            }
            drop(session);
            drop(pending);
        });
    }
}
