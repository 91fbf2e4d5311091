//! A driver's transaction, or a level of it, with the rules that hold on every store: after a failed statement nothing but a rollback,
//! nothing else while a stream is open, and no writes where it only reads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::ending::{Ending, Teller};
use crate::ast::{Delete, Insert, Select, Update};
use crate::driver::{
    Answer, Begin, Context, Driver, DriverTransaction, Executor, LevelEnd, Nested, RowSink, RowStream,
    TransactionOptions,
};
use crate::error::{DBError, DBResult, ErrorKind};

pub(super) struct Guarded<'h> {
    inner: Inner<'h>,
    state: Arc<State>,
    teller: Teller,
}

/// Where its statements go.
enum Inner<'h> {
    /// A transaction of its own.
    Whole(Box<dyn DriverTransaction>),
    /// A part of another.
    Level(Level<'h>),
}

/// A part of a transaction.
struct Level<'h> {
    transaction: &'h dyn DriverTransaction,
    /// Its number for the driver; that of the one around it where the driver knows nothing of it.
    number: u32,
    own: Arc<State>,
    outer: Arc<State>,
    kept: bool,
}

impl Level<'_> {
    /// Whether the driver keeps it apart.
    fn is_independent(&self) -> bool {
        self.own.options.nested == Nested::Independent
    }

    async fn end(mut self, end: LevelEnd, context: &Context) -> DBResult<()> {
        if self.is_independent()
            && let Err(error) = self.transaction.leave(self.number, end, context).await
        {
            // Why it came to this says more than that it did.
            self.outer.fail(self.own.first_error().unwrap_or_else(|| reason(error.clone())));
            return Err(error);
        }
        self.kept = end == LevelEnd::Keep;
        Ok(())
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        let inner = || {
            let noted = self.own.inner_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.own.first_error().or(noted)
        };
        if !self.kept
            && let Some(error) = inner()
        {
            self.outer.note_inner(error);
        }
        if !self.kept && !self.is_independent() {
            self.outer.fail(self.own.first_error().unwrap_or_else(|| {
                DBError::new(ErrorKind::TransactionAborted).with_detail("a transaction within it was rolled back")
            }));
        }
    }
}

#[derive(Default)]
struct State {
    options: TransactionOptions,
    ending: Arc<Ending>,
    failed: AtomicBool,
    first_error: Mutex<Option<DBError>>,
    /// What the last transaction within it failed with, until something succeeds after it.
    inner_error: Mutex<Option<DBError>>,
    inner_failed: AtomicBool,
    streaming: AtomicBool,
}

impl State {
    fn usable(&self) -> DBResult<()> {
        if self.has_failed() {
            return Err(self.aborted());
        }
        // A stream holds the connection: another statement would wait for it, and it for the loop that the statement stands in.
        if self.streaming.load(Ordering::Acquire) {
            return Err(DBError::query(
                "a stream of this transaction is open; collect it with `all`, or end it, before the next statement",
            ));
        }
        Ok(())
    }

    fn writable(&self) -> DBResult<()> {
        self.usable()?;
        match self.options.read_only {
            true => Err(DBError::query("the transaction is read-only, and this would write")),
            false => Ok(()),
        }
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire) || self.ending.is_spoilt()
    }

    fn aborted(&self) -> DBError {
        let error = DBError::new(ErrorKind::TransactionAborted).with_detail("an earlier statement in it failed");
        match self.first_error() {
            Some(first) => error.with_source(first),
            None => error,
        }
    }

    fn first_error(&self) -> Option<DBError> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A transaction within it failed with this, and was undone.
    fn note_inner(&self, error: DBError) {
        *self.inner_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.inner_failed.store(true, Ordering::Release);
    }

    /// Only a rollback is left, because of this.
    fn fail(&self, error: DBError) {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.failed.store(true, Ordering::Release);
    }

    /// Notes an error that counts.
    fn note<T>(&self, result: DBResult<T>, counts: fn(&DBError) -> bool) -> DBResult<T> {
        match &result {
            Err(error) if counts(error) => self.fail(error.clone()),
            Ok(_) if self.inner_failed.load(Ordering::Acquire) => {
                self.inner_failed.store(false, Ordering::Release);
                *self.inner_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            _ => {}
        }
        result
    }

    /// Runs a statement if the transaction is fit for one, and notes the error if it counts.
    fn watch<'a, T: Send + 'a>(
        &'a self,
        fit: DBResult<()>,
        counts: fn(&DBError) -> bool,
        run: impl FnOnce() -> Answer<'a, T>,
    ) -> Answer<'a, T> {
        if let Err(error) = fit {
            return Answer::ready(Err(error));
        }
        match run() {
            Answer::Ready(result) => Answer::Ready(result.map(|result| self.note(result, counts))),
            Answer::Later(future) => Answer::later(async move { self.note(future.await, counts) }),
        }
    }
}

/// Whether the database may have met the error. What was found before anything was sent, or in what was read, leaves the transaction usable.
fn of_database(error: &DBError) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::InvalidValue { .. } | ErrorKind::Query | ErrorKind::Unsupported { .. } | ErrorKind::Decode { .. }
    )
}

/// The error that lies behind a driver's `TransactionAborted`.
fn reason(error: DBError) -> DBError {
    use std::error::Error as _;
    match error.kind() {
        ErrorKind::TransactionAborted => {
            error.source().and_then(|source| source.downcast_ref::<DBError>()).cloned().unwrap_or(error)
        }
        _ => error,
    }
}

impl<'h> Guarded<'h> {
    /// Begins a transaction.
    pub(super) async fn begin(driver: &dyn Driver, begin: &Begin, context: &Context) -> DBResult<Guarded<'static>> {
        driver.capabilities().can_begin(&begin.options)?;
        let inner = driver.begin(begin, context).await?;
        let teller = Teller::default();
        let state = State { options: begin.options, ending: teller.ending().clone(), ..State::default() };
        Ok(Guarded { inner: Inner::Whole(inner), state: Arc::new(state), teller })
    }

    /// Begins one within this. Nothing is sent for it yet.
    pub(super) fn nested(&self, driver: &dyn Driver) -> DBResult<Guarded<'_>> {
        self.state.usable()?;
        let independent = self.state.options.nested == Nested::Independent;
        let capabilities = driver.capabilities();
        if independent && !capabilities.savepoints {
            return Err(DBError::unsupported(capabilities.driver, "nested transactions that are undone by themselves"));
        }
        let transaction = self.transaction();
        let number = self.level() + u32::from(independent);
        if independent {
            transaction.enter(number);
        }
        let teller = Teller::within(self.ending());
        let state = State { options: self.state.options, ending: teller.ending().clone(), ..State::default() };
        let state = Arc::new(state);
        let level = Level { transaction, number, own: state.clone(), outer: self.state.clone(), kept: false };
        Ok(Guarded { inner: Inner::Level(level), state, teller })
    }

    pub(super) fn ending(&self) -> &Arc<Ending> {
        self.teller.ending()
    }

    fn transaction(&self) -> &dyn DriverTransaction {
        match &self.inner {
            Inner::Whole(transaction) => &**transaction,
            Inner::Level(level) => level.transaction,
        }
    }

    /// Its number for the driver.
    pub(super) fn level(&self) -> u32 {
        match &self.inner {
            Inner::Whole(_) => 0,
            Inner::Level(level) => level.number,
        }
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.state.options.read_only
    }

    /// What the database said last of why it did not succeed: the first error of a statement in it, else that of a transaction within it
    /// which nothing came after.
    pub(super) fn reason(&self) -> Option<DBError> {
        let inner = || self.state.inner_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.state.first_error().or_else(inner)
    }

    pub(super) async fn commit(self, context: &Context) -> DBResult<()> {
        if self.state.has_failed() {
            let error = self.state.aborted();
            self.rollback(context).await?;
            return Err(error);
        }
        match self.inner {
            Inner::Whole(transaction) => transaction.commit(context).await?,
            Inner::Level(level) => level.end(LevelEnd::Keep, context).await?,
        }
        self.teller.committed();
        Ok(())
    }

    pub(super) async fn rollback(self, context: &Context) -> DBResult<()> {
        match self.inner {
            Inner::Whole(transaction) => transaction.rollback(context).await,
            Inner::Level(level) => level.end(LevelEnd::Undo, context).await,
        }
    }
}

impl Executor for Guarded<'_> {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        self.state.watch(self.state.usable(), of_database, || self.transaction().fetch(select, sink, context))
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        self.state.watch(self.state.usable(), of_database, || {
            let opening = self.transaction().stream(select, sink, context);
            self.state.streaming.store(true, Ordering::Release);
            // From here on the flag falls when the stream, or the future that opens it, is dropped.
            let open = Open(self.state.clone());
            Answer::later(async move {
                let inner = opening.await?;
                Ok(Box::new(GuardedStream { inner, open }) as Box<dyn RowStream + 'a>)
            })
        })
    }

    fn insert<'a>(
        &'a self,
        insert: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        // An insert may be one of several that hold the rows of one `add_all`, and may have written rows that it then failed to give back.
        self.state.watch(self.state.writable(), |_| true, || self.transaction().insert(insert, sink, context))
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        self.state.watch(self.state.writable(), of_database, || self.transaction().update(update, context))
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        self.state.watch(self.state.writable(), of_database, || self.transaction().delete(delete, context))
    }
}

struct Open(Arc<State>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.streaming.store(false, Ordering::Release);
    }
}

struct GuardedStream<'a> {
    // Before `open`: the connection is free before the flag falls.
    inner: Box<dyn RowStream + 'a>,
    open: Open,
}

impl RowStream for GuardedStream<'_> {
    fn next<'a>(&'a mut self) -> Answer<'a, Option<Box<dyn RowSink>>> {
        let state = &self.open.0;
        let inner = &mut self.inner;
        Answer::later(async move { state.note(inner.next().await, of_database) })
    }
}
