//! A driver's transaction, or a level of it, with the rules that hold on every store: after a failed statement nothing but a rollback,
//! nothing else while a stream is open, and no writes where it only reads.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::ending::{Ending, Teller};
use crate::ast::{Delete, Insert, Select, Update};
use crate::driver::{
    Answer, Begin, Capabilities, Context, Driver, DriverTransaction, Executor, LevelEnd, Nested, RowSink, RowStream,
    SchemaDriver, TransactionOptions,
};
use crate::error::{DBError, DBResult, ErrorKind};

pub(super) enum Guarded<'h> {
    /// A transaction of its own.
    // In this order: it is told that it was undone after it was.
    Whole(Box<dyn DriverTransaction>, State<'static>),
    /// A part of another.
    Level(Level<'h>),
}

/// A part of a transaction.
pub(super) struct Level<'h> {
    transaction: &'h dyn DriverTransaction,
    /// Its number for the driver; that of the one around it where the driver knows nothing of it.
    number: u32,
    own: State<'h>,
    outer: &'h State<'h>,
    kept: bool,
}

impl Level<'_> {
    /// Whether the driver keeps it apart.
    fn is_independent(&self) -> bool {
        self.own.options.nested == Nested::Independent
    }

    async fn end(mut self, end: LevelEnd, context: &Context) -> DBResult<()> {
        if self.own.is_streaming() {
            // It was forgotten, and has the connection for good.
            return Err(forgotten_stream());
        }
        if self.is_independent()
            && let Err(error) = self.transaction.leave(self.number, end, context).await
        {
            let undone = match end {
                // Out of time, say: the one around it need not suffer for that.
                LevelEnd::Keep => self.transaction.leave(self.number, LevelEnd::Undo, &Context::new()).await,
                LevelEnd::Undo => Err(error.clone()),
            };
            if let Err(undone) = undone {
                // Why it came to this says more than that it did.
                self.outer.fail(self.own.first_error.get().unwrap_or_else(|| reason(undone)));
            }
            return Err(error);
        }
        self.kept = end == LevelEnd::Keep;
        if self.kept {
            self.outer.succeeded();
            self.own.teller.committed();
        }
        Ok(())
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        if !self.kept
            && let Some(error) = self.own.reason()
        {
            self.outer.inner_error.change(|inner| *inner = Some(error));
        }
        self.outer.unended.store(false, Ordering::Release);
        if !self.kept && !self.is_independent() {
            self.outer.fail(self.own.first_error.get().unwrap_or_else(|| {
                DBError::new(ErrorKind::TransactionAborted).with_detail("a transaction within it was rolled back")
            }));
        }
    }
}

/// Whose stream is open: nobody's.
const NONE: u8 = 0;
/// One of its own.
const OWN: u8 = 1;
/// One of a transaction within it. Who finds it so found it forgotten: that one borrowed this, and is over.
const INNER: u8 = 2;

/// What is known of a transaction, or of a level.
pub(super) struct State<'h> {
    /// That of the transaction around it.
    outer: Option<&'h State<'h>>,
    options: TransactionOptions,
    teller: Teller,
    /// What made it unfit for anything but its rollback.
    first_error: Noted,
    /// What the last transaction within it failed with, until something succeeds after it.
    inner_error: Noted,
    /// Whose stream is open. Told outwards when it is opened, since a level that is forgotten tells nothing when it ends.
    streaming: AtomicU8,
    /// A transaction within it, which the driver does not keep apart, has begun and not ended. Who finds it so found it forgotten.
    unended: AtomicBool,
}

/// An error, if there was one. Whether there was is asked for each statement, and so without a lock.
#[derive(Default)]
struct Noted {
    is_some: AtomicBool,
    error: Mutex<Option<DBError>>,
}

impl Noted {
    fn is_some(&self) -> bool {
        self.is_some.load(Ordering::Acquire)
    }

    fn get(&self) -> Option<DBError> {
        if !self.is_some() {
            return None;
        }
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what is noted.
    fn change(&self, change: impl FnOnce(&mut Option<DBError>)) {
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut error);
        self.is_some.store(error.is_some(), Ordering::Release);
    }
}

impl<'h> State<'h> {
    fn new(outer: Option<&'h State<'h>>, options: TransactionOptions, teller: Teller) -> State<'h> {
        State {
            outer,
            options,
            teller,
            first_error: Noted::default(),
            inner_error: Noted::default(),
            streaming: AtomicU8::new(NONE),
            unended: AtomicBool::new(false),
        }
    }

    fn usable(&self) -> DBResult<()> {
        if self.has_failed() {
            return Err(self.aborted());
        }
        // A stream holds the connection: another statement would wait for it, and it for the loop that the statement stands in.
        match self.streaming.load(Ordering::Acquire) {
            NONE => Ok(()),
            OWN => Err(DBError::query(
                "a stream of this transaction is open; collect it with `all`, or end it, before the next statement",
            )),
            _ => Err(forgotten_stream()),
        }
    }

    fn is_streaming(&self) -> bool {
        self.streaming.load(Ordering::Acquire) != NONE
    }

    /// A stream of its own is open from now on, or not any more.
    fn set_streaming(&self, open: bool) {
        self.streaming.store(if open { OWN } else { NONE }, Ordering::Release);
        for outer in std::iter::successors(self.outer, |state| state.outer) {
            outer.streaming.store(if open { INNER } else { NONE }, Ordering::Release);
        }
    }

    fn readable(&self, select: &Select) -> DBResult<()> {
        self.usable()?;
        match self.options.read_only && select.lock.is_some() {
            true => Err(DBError::query("the transaction is read-only, and this would lock rows")),
            false => Ok(()),
        }
    }

    fn writable(&self) -> DBResult<()> {
        self.usable()?;
        match self.options.read_only {
            true => Err(DBError::query("the transaction is read-only, and this would write")),
            false => Ok(()),
        }
    }

    fn has_failed(&self) -> bool {
        self.first_error.is_some() || self.unended.load(Ordering::Acquire) || self.teller.ending().is_spoilt()
    }

    fn aborted(&self) -> DBError {
        let error = DBError::new(ErrorKind::TransactionAborted).with_detail("an earlier statement in it failed");
        match self.first_error.get().or_else(|| self.teller.ending().spoilt_by().cloned()) {
            Some(first) => error.with_source(first),
            None => error,
        }
    }

    /// What the database said last of why it did not succeed: the first error of a statement in it, else that of a transaction within it
    /// which nothing came after.
    fn reason(&self) -> Option<DBError> {
        self.first_error.get().or_else(|| self.inner_error.get())
    }

    /// Only a rollback is left, because of this.
    fn fail(&self, error: DBError) {
        self.first_error.change(|first| {
            first.get_or_insert(error);
        });
    }

    /// Notes an error that counts.
    fn note<T>(&self, result: DBResult<T>, counts: fn(&DBError) -> bool) -> DBResult<T> {
        match &result {
            Err(error) if counts(error) => self.fail(reason(error.clone())),
            Ok(_) => self.succeeded(),
            Err(_) => {}
        }
        result
    }

    /// Something went well, so that what failed before it is no longer why the transaction ends as it does.
    fn succeeded(&self) {
        if self.inner_error.is_some() {
            self.inner_error.change(|inner| *inner = None);
        }
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
        self.teller.ending().count_statement();
        match run() {
            Answer::Ready(result) => Answer::Ready(result.map(|result| self.note(result, counts))),
            Answer::Later(future) => Answer::later(async move { self.note(future.await, counts) }),
        }
    }
}

/// Whether the database may have met the error.
fn of_database(error: &DBError) -> bool {
    !error.is_found_by_client()
}

/// The same of an insert, which may have written rows that it then failed to give back.
fn of_insert(error: &DBError) -> bool {
    of_database(error) || matches!(error.kind(), ErrorKind::Decode { .. })
}

fn forgotten_stream() -> DBError {
    DBError::new(ErrorKind::TransactionAborted).with_detail("a stream in it was neither ended nor dropped")
}

/// The error that lies behind a driver's `TransactionAborted`.
pub(super) fn reason(error: DBError) -> DBError {
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
        if begin.options.read_only && begin.options.immediate {
            return Err(DBError::query("a transaction that only reads takes no right to write when it begins"));
        }
        driver.capabilities().can_begin(&begin.options)?;
        let transaction = driver.begin(begin, context).await?;
        Ok(Guarded::Whole(transaction, State::new(None, begin.options, Teller::default())))
    }

    /// Begins one within this. Nothing is sent for it yet.
    pub(super) fn nested(&self, driver: &dyn Driver) -> DBResult<Guarded<'_>> {
        let outer = self.state();
        outer.usable()?;
        let independent = outer.options.nested == Nested::Independent;
        let capabilities = driver.capabilities();
        if independent && !capabilities.savepoints {
            return Err(DBError::unsupported(capabilities.driver, "nested transactions that are undone by themselves"));
        }
        let transaction = self.transaction();
        let number = self.level() + u32::from(independent);
        match independent {
            true => transaction.enter(number),
            false => outer.unended.store(true, Ordering::Release),
        }
        let own = State::new(Some(outer), outer.options, Teller::within(self.ending()));
        Ok(Guarded::Level(Level { transaction, number, own, outer, kept: false }))
    }

    fn state(&self) -> &State<'h> {
        match self {
            Guarded::Whole(_, state) => state,
            Guarded::Level(level) => &level.own,
        }
    }

    pub(super) fn ending(&self) -> &Arc<Ending> {
        self.state().teller.ending()
    }

    fn transaction(&self) -> &dyn DriverTransaction {
        match self {
            Guarded::Whole(transaction, _) => &**transaction,
            Guarded::Level(level) => level.transaction,
        }
    }

    /// Its number for the driver.
    pub(super) fn level(&self) -> u32 {
        match self {
            Guarded::Whole(..) => 0,
            Guarded::Level(level) => level.number,
        }
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.state().options.read_only
    }

    /// What the database said last of why it did not succeed.
    pub(super) fn reason(&self) -> Option<DBError> {
        self.state().reason()
    }

    /// The part that makes and drops tables in it, if it is fit for that.
    pub(super) fn schema(&self, capabilities: &Capabilities) -> DBResult<&dyn SchemaDriver> {
        self.state().writable()?;
        let schema = self.transaction().schema().filter(|_| capabilities.schema_in_transactions);
        let unsupported = || DBError::unsupported(capabilities.driver, "making and dropping tables in a transaction");
        let schema = schema.ok_or_else(unsupported)?;
        // From here on it may be changing something.
        self.ending().count_statement();
        Ok(schema)
    }

    /// Notes what came of making or dropping tables in it. Any error counts: some of it may have been done.
    pub(super) fn note_change(&self, result: DBResult<()>) -> DBResult<()> {
        self.state().note(result, |_| true)
    }

    pub(super) async fn commit(self, context: &Context) -> DBResult<()> {
        if self.state().has_failed() {
            let error = self.state().aborted();
            self.rollback(context).await?;
            return Err(error);
        }
        self.check_streams()?;
        match self {
            Guarded::Whole(transaction, state) => {
                transaction.commit(context).await?;
                state.teller.committed();
                Ok(())
            }
            Guarded::Level(level) => level.end(LevelEnd::Keep, context).await,
        }
    }

    /// A stream borrows the transaction, so at its end there can be none but one that was forgotten: it has the connection, and the end would wait
    /// for it for ever. Dropped, the transaction is undone as far as it can be.
    fn check_streams(&self) -> DBResult<()> {
        match self {
            Guarded::Whole(_, state) if state.is_streaming() => Err(forgotten_stream()),
            _ => Ok(()),
        }
    }

    pub(super) async fn rollback(self, context: &Context) -> DBResult<()> {
        self.check_streams()?;
        match self {
            // It is told when it has been undone.
            Guarded::Whole(transaction, _state) => transaction.rollback(context).await,
            Guarded::Level(level) => level.end(LevelEnd::Undo, context).await,
        }
    }
}

impl Executor for Guarded<'_> {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        let state = self.state();
        state.watch(state.readable(select), of_database, || self.transaction().fetch(select, sink, context))
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        let state = self.state();
        state.watch(state.readable(&select), of_database, || {
            let opening = self.transaction().stream(select, sink, context);
            state.set_streaming(true);
            // From here on the flag falls when the stream, or the future that opens it, is dropped.
            let open = Open(state);
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
        let state = self.state();
        state.watch(state.writable(), of_insert, || self.transaction().insert(insert, sink, context))
    }

    fn insert_now(&self, insert: &Insert, context: &Context) -> Option<DBResult<i64>> {
        let state = self.state();
        if let Err(error) = state.writable() {
            return Some(Err(error));
        }
        // Counted before it is given to the driver, as any. Where that does nothing with it, `insert` follows, and it counts twice; nobody asks for more than
        // whether there was any.
        state.teller.ending().count_statement();
        let result = self.transaction().insert_now(insert, context)?;
        Some(state.note(result, of_insert))
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        let state = self.state();
        state.watch(state.writable(), of_database, || self.transaction().update(update, context))
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        let state = self.state();
        state.watch(state.writable(), of_database, || self.transaction().delete(delete, context))
    }
}

struct Open<'a>(&'a State<'a>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.set_streaming(false);
    }
}

struct GuardedStream<'a> {
    // Before `open`: the connection is free before the flag falls.
    inner: Box<dyn RowStream + 'a>,
    open: Open<'a>,
}

impl RowStream for GuardedStream<'_> {
    fn next<'a>(&'a mut self) -> Answer<'a, Option<Box<dyn RowSink>>> {
        let state = self.open.0;
        let inner = &mut self.inner;
        Answer::later(async move { state.note(inner.next().await, of_database) })
    }
}
