//! For the tests of applications: how many statements something sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use crate::ast::{Delete, Insert, Select, Statement, Update};
use crate::driver::{
    Answer, Begin, Capabilities, Context, Driver, DriverTransaction, Executor, Explanation, LevelEnd, RowSink,
    RowStream, SchemaDriver,
};
use crate::error::DBResult;
use crate::handle::Ommi;

/// Runs a closure with a database, and asserts that it sends so many statements.
///
/// ```text
/// let pages = assert_queries(2, &db, async |db| db.find_all::<User>().include(User::posts).all().await).await?;
/// ```
///
/// Reads, writes and opened streams count, in transactions too, each as often as Ommi hands it to the driver; beginning and ending
/// transactions do not, nor does making tables.
///
/// # Panics
/// When it sends more or fewer.
#[track_caller]
#[allow(clippy::manual_async_fn)] // An async fn would report its own place instead of the caller's.
pub fn assert_queries<T>(expected: usize, db: &Ommi, work: impl AsyncFnOnce(&Ommi) -> T) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let (counting, count) = counting(db);
        let result = work(&counting).await;
        let sent = count.load(Ordering::Relaxed);
        assert_eq!(sent, expected, "at {caller}: {sent} statements were sent instead of {expected}");
        result
    }
}

/// The same database, and the number of statements that were sent through this handle of it.
pub fn counting(db: &Ommi) -> (Ommi, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    (db.served_by(Counting { inner: db.shared_driver(), count: count.clone() }), count)
}

/// A driver that counts on the way to another.
struct Counting<D> {
    inner: D,
    count: Arc<AtomicUsize>,
}

macro_rules! counted {
    ($inner:ty) => {
        impl Executor for Counting<$inner> {
            fn fetch<'a>(
                &'a self,
                select: &'a Select,
                sink: &'a mut dyn RowSink,
                context: &'a Context,
            ) -> Answer<'a, ()> {
                self.count.fetch_add(1, Ordering::Relaxed);
                self.inner.fetch(select, sink, context)
            }

            fn stream<'a>(
                &'a self,
                select: Select,
                sink: Box<dyn RowSink>,
                context: Context,
            ) -> Answer<'a, Box<dyn RowStream + 'a>> {
                self.count.fetch_add(1, Ordering::Relaxed);
                self.inner.stream(select, sink, context)
            }

            fn insert<'a>(
                &'a self,
                insert: &'a mut Insert,
                sink: &'a mut dyn RowSink,
                context: &'a Context,
            ) -> Answer<'a, u64> {
                self.count.fetch_add(1, Ordering::Relaxed);
                self.inner.insert(insert, sink, context)
            }

            fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
                self.count.fetch_add(1, Ordering::Relaxed);
                self.inner.update(update, context)
            }

            fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
                self.count.fetch_add(1, Ordering::Relaxed);
                self.inner.delete(delete, context)
            }
        }
    };
}

counted!(Arc<dyn Driver>);
counted!(Box<dyn DriverTransaction>);

#[async_trait]
impl Driver for Counting<Arc<dyn Driver>> {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn begin(&self, begin: &Begin, context: &Context) -> DBResult<Box<dyn DriverTransaction>> {
        let inner = self.inner.begin(begin, context).await?;
        Ok(Box::new(Counting { inner, count: self.count.clone() }))
    }

    fn schema(&self) -> &dyn SchemaDriver {
        self.inner.schema()
    }

    fn explain(&self, statement: &Statement) -> DBResult<Explanation> {
        self.inner.explain(statement)
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}

#[async_trait]
impl DriverTransaction for Counting<Box<dyn DriverTransaction>> {
    fn schema(&self) -> Option<&dyn SchemaDriver> {
        self.inner.schema()
    }

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
