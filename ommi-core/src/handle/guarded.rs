//! A driver's transaction, with the rules that hold on every store: after a failed statement nothing but a rollback, and nothing
//! else while a stream is open.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ast::{Delete, Insert, Select, Update};
use crate::driver::{Answer, Context, DriverTransaction, Executor, RowSink, RowStream};
use crate::error::{DBError, DBResult, ErrorKind};

pub(super) struct Guarded {
    inner: Box<dyn DriverTransaction>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    failed: AtomicBool,
    first_error: Mutex<Option<DBError>>,
    streaming: AtomicBool,
}

impl State {
    fn usable(&self) -> DBResult<()> {
        if self.failed.load(Ordering::Acquire) {
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

    fn aborted(&self) -> DBError {
        let error = DBError::new(ErrorKind::TransactionAborted).with_detail("an earlier statement in it failed");
        match &*self.first_error.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(first) => error.with_source(first.clone()),
            None => error,
        }
    }

    /// Notes an error that counts.
    fn note<T>(&self, result: DBResult<T>, counts: fn(&DBError) -> bool) -> DBResult<T> {
        if let Err(error) = &result
            && counts(error)
        {
            let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| error.clone());
            self.failed.store(true, Ordering::Release);
        }
        result
    }

    /// Runs a statement if the transaction is fit for one, and notes the error if it counts.
    fn watch<'a, T: Send + 'a>(
        &'a self,
        counts: fn(&DBError) -> bool,
        run: impl FnOnce() -> Answer<'a, T>,
    ) -> Answer<'a, T> {
        if let Err(error) = self.usable() {
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
        ErrorKind::InvalidValue { .. }
            | ErrorKind::Query
            | ErrorKind::Unsupported { .. }
            | ErrorKind::Decode { .. }
            | ErrorKind::TransactionAborted
    )
}

impl Guarded {
    pub(super) fn new(inner: Box<dyn DriverTransaction>) -> Guarded {
        Guarded { inner, state: Arc::default() }
    }

    pub(super) async fn commit(self, context: &Context) -> DBResult<()> {
        if self.state.failed.load(Ordering::Acquire) {
            let error = self.state.aborted();
            self.inner.rollback(context).await?;
            return Err(error);
        }
        self.inner.commit(context).await
    }

    pub(super) async fn rollback(self, context: &Context) -> DBResult<()> {
        self.inner.rollback(context).await
    }
}

impl Executor for Guarded {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        self.state.watch(of_database, || self.inner.fetch(select, sink, context))
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        self.state.watch(of_database, || {
            let opening = self.inner.stream(select, sink, context);
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
        self.state.watch(|_| true, || self.inner.insert(insert, sink, context))
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        self.state.watch(of_database, || self.inner.update(update, context))
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        self.state.watch(of_database, || self.inner.delete(delete, context))
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
