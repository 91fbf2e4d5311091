//! A driver in front of a database's own, which sees how many reads are under way at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ommi::ast::{Delete, Insert, Select, Statement, Update};
use ommi::driver::{
    Answer, Begin, Capabilities, Context, Driver, DriverTransaction, Executor, Explanation, LevelEnd, RowSink,
    RowStream, SchemaDriver,
};
use ommi::{DBResult, Ommi};
use tokio::sync::watch;

/// Far more than it takes to send a statement.
const PATIENCE: Duration = Duration::from_secs(10);

/// The reads of a query that brings others with it.
pub(crate) struct Reads {
    /// How many are awaited before any but the first goes on.
    together: usize,
    sent: AtomicUsize,
    under_way: AtomicUsize,
    most: watch::Sender<usize>,
}

impl Reads {
    /// The same database, whose reads are held up until so many are under way, or for some seconds. The first is not: it is what the others are for.
    pub(crate) fn of(db: &Ommi, together: usize) -> (Ommi, Arc<Reads>) {
        let reads = Arc::new(Reads {
            together,
            sent: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most: watch::Sender::new(0),
        });
        (Ommi::new(Watched { inner: db.clone(), reads: reads.clone() }), reads)
    }

    /// The most that were under way at once.
    pub(crate) fn most(&self) -> usize {
        *self.most.borrow()
    }

    /// How many there were.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    async fn run<T>(&self, read: impl Future<Output = T>) -> T {
        let _under_way = UnderWay::new(self);
        if self.sent.fetch_add(1, Ordering::Relaxed) > 0 {
            let _ = tokio::time::timeout(PATIENCE, self.most.subscribe().wait_for(|most| *most >= self.together)).await;
        }
        // Whoever could begin another now does.
        tokio::task::yield_now().await;
        read.await
    }
}

struct UnderWay<'r>(&'r Reads);

impl UnderWay<'_> {
    fn new(reads: &Reads) -> UnderWay<'_> {
        let now = reads.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        reads.most.send_modify(|most| *most = now.max(*most));
        UnderWay(reads)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Watched<D> {
    inner: D,
    reads: Arc<Reads>,
}

/// What is watched: a database or a transaction.
trait Inner: Send + Sync {
    fn executor(&self) -> &dyn Executor;
}

impl Inner for Ommi {
    fn executor(&self) -> &dyn Executor {
        self.driver()
    }
}

impl Inner for Box<dyn DriverTransaction> {
    fn executor(&self) -> &dyn Executor {
        &**self
    }
}

impl<D: Inner> Executor for Watched<D> {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        // Only in there: a driver may begin when it is called.
        let read = async move { self.inner.executor().fetch(select, sink, context).await };
        Answer::later(self.reads.run(read))
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        self.inner.executor().stream(select, sink, context)
    }

    fn insert<'a>(
        &'a self,
        insert: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        self.inner.executor().insert(insert, sink, context)
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        self.inner.executor().update(update, context)
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        self.inner.executor().delete(delete, context)
    }
}

#[async_trait]
impl Driver for Watched<Ommi> {
    fn capabilities(&self) -> &Capabilities {
        self.inner.driver().capabilities()
    }

    async fn begin(&self, begin: &Begin, context: &Context) -> DBResult<Box<dyn DriverTransaction>> {
        let inner = self.inner.driver().begin(begin, context).await?;
        Ok(Box::new(Watched { inner, reads: self.reads.clone() }))
    }

    fn schema(&self) -> &dyn SchemaDriver {
        self.inner.driver().schema()
    }

    fn explain(&self, statement: &Statement) -> DBResult<Explanation> {
        self.inner.driver().explain(statement)
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl DriverTransaction for Watched<Box<dyn DriverTransaction>> {
    fn enter(&self, level: u32) {
        self.inner.enter(level);
    }

    async fn leave(&self, level: u32, end: LevelEnd, context: &Context) -> DBResult<()> {
        self.inner.leave(level, end, context).await
    }

    async fn commit(self: Box<Self>, context: &Context) -> DBResult<()> {
        self.inner.commit(context).await
    }

    async fn rollback(self: Box<Self>, context: &Context) -> DBResult<()> {
        self.inner.rollback(context).await
    }
}
