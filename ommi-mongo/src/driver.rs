//! The driver: its client, and the traits that the core calls.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::options::{SelectionCriteria, TransactionOptions, WriteConcern};
use mongodb::{Client, Database};
use ommi_core::ast::{self, Delete, Insert, Select, Statement, StatementRef, Update};
use ommi_core::driver::{
    Answer, Begin, Capabilities, Context, DatePrecision, Driver, DriverTransaction, Executor, Explanation, Isolation,
    RowSink, RowStream, SchemaDriver,
};
use ommi_core::schema::SchemaRef;
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::bson::Writer;
use crate::collections::Collections;
use crate::error::Failure;
use crate::explain::explain;
use crate::keys::Blocks;
use crate::names::NAME;
use crate::options::MongoOptions;
use crate::rollbacks::Rollbacks;
use crate::run::{Place, given, in_time, within};
use crate::stream::{MongoStream, Pieces};
use crate::transaction::MongoTransaction;
use crate::turns::Turns;
use crate::{references, schema, select};

/// What MongoDB, driven by this crate, can do.
fn capabilities(transactions: bool) -> Capabilities {
    let mut capabilities = Capabilities::none(NAME);
    capabilities.transactions = transactions;
    capabilities.atomic_statements = transactions;
    capabilities.savepoints = transactions;
    capabilities.isolation = Isolation::Snapshot;
    capabilities.checks = true;
    capabilities.on_delete = true;
    capabilities.related_rows = true;
    capabilities.object_ids = true;
    capabilities.date_precision = DatePrecision::Milliseconds;
    capabilities
}

/// What the driver can do on a replica set, as `driver().capabilities()` says of one that is connected; on a server that is none there are no
/// transactions.
pub fn declared() -> &'static Capabilities {
    static DECLARED: LazyLock<Capabilities> = LazyLock::new(|| capabilities(true));
    &DECLARED
}

/// A database on a MongoDB server.
pub struct MongoDriver {
    pub(crate) inner: Arc<Inner>,
}

/// What the driver and its transactions share.
pub(crate) struct Inner {
    pub(crate) client: Client,
    pub(crate) database: Database,
    /// Whether the client was made here, and so is shut down here.
    own_client: bool,
    pub(crate) capabilities: Capabilities,
    pub(crate) concern: WriteConcern,
    /// The same, as commands have it.
    pub(crate) write_concern: RawDocumentBuf,
    pub(crate) counter_concern: RawDocumentBuf,
    pub(crate) read_concern: Option<RawDocumentBuf>,
    pub(crate) selection: Option<SelectionCriteria>,
    pub(crate) transaction_options: TransactionOptions,
    pub(crate) key_block: i64,
    pub(crate) blocks: Blocks,
    pub(crate) rollbacks: Rollbacks,
    pub(crate) turns: Turns,
    pub(crate) collections: Collections,
    pub(crate) references: references::Known,
    closed: AtomicBool,
}

impl fmt::Debug for MongoDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoDriver")
            .field("database", &self.inner.database.name())
            .field("transactions", &self.inner.capabilities.transactions)
            .finish_non_exhaustive()
    }
}

impl MongoDriver {
    /// Connects to the database that a URL names; see [`MongoOptions::parse`] for what it may say.
    ///
    /// # Errors
    /// As [`MongoOptions::parse`] and [`MongoOptions::connect`].
    pub async fn connect(url: &str) -> DBResult<MongoDriver> {
        MongoOptions::parse(url).await?.connect().await
    }

    /// A database of a client that the program has. Closing the driver leaves the client open.
    ///
    /// # Errors
    /// `Connection` for a server that does not answer.
    pub async fn with_client(client: Client, database: &str) -> DBResult<MongoDriver> {
        let options = MongoOptions::of_client(database);
        MongoDriver::open(client, false, options).await
    }

    pub(crate) async fn open(client: Client, own_client: bool, options: MongoOptions) -> DBResult<MongoDriver> {
        let database = client.database(&options.database);
        let failed = |error: mongodb::error::Error| Failure::from(error).general(None);
        let hello = database.run_command(doc! { "hello": 1 }).await.map_err(failed)?;
        MongoDriver::over(client, own_client, &options, &hello)
    }

    /// On a server that has said what it is.
    fn over(client: Client, own_client: bool, options: &MongoOptions, hello: &Document) -> DBResult<MongoDriver> {
        let database = client.database(&options.database);
        let rollbacks = Rollbacks::new(database.clone());
        let inner = Inner {
            capabilities: capabilities(options.transactions && has_transactions(hello)),
            concern: options.concern(),
            write_concern: options.write_concern()?,
            counter_concern: options.counter_concern()?,
            read_concern: options.read_concern()?,
            selection: options.client.as_ref().and_then(|client| client.selection_criteria.clone()),
            transaction_options: options.transaction_options(),
            key_block: options.key_block,
            turns: options.turns(is_router(hello)),
            client,
            database,
            own_client,
            blocks: Blocks::default(),
            rollbacks,
            collections: Collections::default(),
            references: references::Known::default(),
            closed: AtomicBool::new(false),
        };
        Ok(MongoDriver { inner: Arc::new(inner) })
    }

    /// The client, for what Ommi does not offer.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The database, for what Ommi does not offer.
    pub fn database(&self) -> &Database {
        &self.inner.database
    }
}

/// A member of a replica set and a router of a cluster have transactions, a server by itself has none.
fn has_transactions(hello: &Document) -> bool {
    hello.contains_key("setName") || is_router(hello)
}

fn is_router(hello: &Document) -> bool {
    hello.get_str("msg").is_ok_and(|message| message == "isdbgrid")
}

impl Inner {
    /// Checks a statement against its model and against what the driver can do.
    pub(crate) fn check<'a>(&self, statement: impl Into<StatementRef<'a>>) -> DBResult<()> {
        ast::check(statement, &self.capabilities)
    }

    pub(crate) fn is_open(&self) -> DBResult<()> {
        match self.closed.load(Ordering::Acquire) {
            true => Err(DBError::new(ErrorKind::Connection).with_detail("the database was closed")),
            false => Ok(()),
        }
    }

    /// Notes that a collection was dropped.
    pub(crate) fn forget(&self, table: &str) {
        self.collections.forget(table);
        self.blocks.forget(table);
    }

    /// Opens a stream.
    pub(crate) async fn stream(
        &self,
        mut place: Place<'_>,
        query: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> DBResult<Pieces> {
        self.check(&query)?;
        if query.output != ast::Output::Model {
            return Err(crate::names::unsupported("a stream of anything but rows"));
        }
        let batch = u32::try_from(context.batch.max(1)).unwrap_or(u32::MAX);
        let mut writer = Writer::new();
        let mut answer = select::select(&query, i64::from(batch), &mut writer)?;
        let open = async {
            self.all_ready(&query, &context).await?;
            if answer.is_some()
                && let Some(filter) = self.with_named(&query.model, &query.filter, &mut place, &context).await?
            {
                let mut query = query.clone();
                query.filter = filter;
                writer = Writer::new();
                answer = select::select(&query, i64::from(batch), &mut writer)?;
            }
            if answer.is_none() {
                return Ok(None);
            }
            let command = self.finish_read(writer, &context, &place)?;
            let opened = self.open(&mut place, command, batch).await;
            opened.map(Some).map_err(|failure| failure.on_model(&query.model, given(&context)))
        };
        let batches = within(&context, open).await?;
        Ok(Pieces::new(query, batches, sink, context))
    }

    /// Runs a command that belongs to no statement.
    pub(crate) async fn plain(&self, command: Document) -> DBResult<Document> {
        let _turn = self.turns.take().await?;
        self.database.run_command(command).await.map_err(|error| Failure::from(error).general(None))
    }

    /// The first batch of a command's cursor, which for what is asked here is all of it unless said otherwise.
    pub(crate) async fn all_documents(&self, command: Document) -> DBResult<Vec<Document>> {
        use futures::TryStreamExt;
        let failed = |error: mongodb::error::Error| Failure::from(error).general(None);
        let _turn = self.turns.take().await?;
        self.database.run_cursor_command(command).await.map_err(failed)?.try_collect().await.map_err(failed)
    }
}

impl Executor for MongoDriver {
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()> {
        in_time(context, self.inner.fetch(Place::Alone, select, sink, context))
    }

    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>> {
        Answer::later(async move {
            let pieces = self.inner.stream(Place::Alone, select, sink, context).await?;
            Ok(Box::new(MongoStream(pieces)) as Box<dyn RowStream + 'a>)
        })
    }

    fn insert<'a>(
        &'a self,
        insert: &'a mut Insert,
        sink: &'a mut dyn RowSink,
        context: &'a Context,
    ) -> Answer<'a, u64> {
        in_time(context, self.inner.insert(Place::Alone, insert, sink, None, context))
    }

    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64> {
        in_time(context, self.inner.update(Place::Alone, update, context))
    }

    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64> {
        in_time(context, self.inner.delete(Place::Alone, delete, context))
    }
}

#[async_trait]
impl Driver for MongoDriver {
    fn capabilities(&self) -> &Capabilities {
        &self.inner.capabilities
    }

    async fn begin(&self, _: &Begin, context: &Context) -> DBResult<Box<dyn DriverTransaction>> {
        self.inner.is_open()?;
        if !self.inner.capabilities.transactions {
            return Err(crate::names::unsupported("transactions on a server that is no replica set"));
        }
        let begin = async {
            self.inner.rollbacks.settled().await;
            MongoTransaction::begin(self.inner.clone()).await
        };
        Ok(Box::new(within(context, begin).await?))
    }

    fn schema(&self) -> &dyn SchemaDriver {
        self
    }

    fn explain(&self, statement: &Statement) -> DBResult<Explanation> {
        self.inner.check(statement)?;
        explain(statement)
    }

    async fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
        self.inner.rollbacks.settled().await;
        if self.inner.own_client {
            self.inner.client.clone().shutdown().immediate(true).await;
        }
    }
}

#[async_trait]
impl SchemaDriver for MongoDriver {
    async fn create(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        self.inner.is_open()?;
        within(context, schema::create(&self.inner, schemas)).await
    }

    async fn drop(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        self.inner.is_open()?;
        let work = async {
            self.inner.rollbacks.settled().await;
            schema::drop(&self.inner, schemas).await
        };
        within(context, work).await
    }
}

/// A number of a reply, of whatever type.
pub(crate) fn whole(value: Option<&Bson>) -> Option<i64> {
    match value? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        Bson::Double(number) => Some(*number as i64),
        _ => None,
    }
}

/// A context without limits.
pub(crate) fn no_context() -> &'static Context {
    static NONE: Context = Context::new();
    &NONE
}

/// A driver whose server does not answer.
#[cfg(test)]
pub(crate) async fn unreachable(url: &str) -> MongoDriver {
    let options = MongoOptions::parse(url).await.unwrap();
    let client = Client::with_options(options.client.clone().unwrap()).unwrap();
    MongoDriver::over(client, true, &options, &doc! { "setName": "rs" }).unwrap()
}

#[cfg(test)]
mod tests {
    use ommi_core::ast::{Assignment, Change, CompareOp, Condition, Expr};
    use ommi_core::schema::{ColumnBuilder, ModelSchema};
    use ommi_core::value::{ColumnType, Value};

    use super::*;

    /// In bytes. A future is moved into its box as a whole, for each statement.
    const SMALL: usize = 2_000;

    /// Takes no rows.
    struct Nothing;

    impl RowSink for Nothing {
        fn row(&mut self, _: &mut dyn ommi_core::driver::Row) -> DBResult<()> {
            Ok(())
        }

        fn clear(&mut self) {}

        fn len(&self) -> usize {
            0
        }

        fn fork(&self) -> Box<dyn RowSink> {
            Box::new(Nothing)
        }

        fn absorb(&mut self, _: Box<dyn RowSink>) {}

        fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
            self
        }
    }

    fn size<T>(answer: &Answer<'_, T>) -> usize {
        match answer {
            Answer::Later(future) => size_of_val(&**future),
            Answer::Ready(_) => panic!("the answer was there at once"),
        }
    }

    #[tokio::test]
    async fn a_name_that_no_collection_can_have_is_refused_before_the_server_is_asked() {
        let driver = unreachable("mongodb://db.invalid/shop").await;
        let id = || ColumnBuilder::new("id", ColumnType::I64).key();
        let model = |table: String| {
            SchemaRef::from(Arc::new(ModelSchema::builder("Long", table).column(id()).build().unwrap()))
        };
        let models = [model("a".repeat(251)), model("b".repeat(251)), model("c".repeat(250))];
        let context = Context::new();
        for refused in [driver.create(&models, &context).await, driver.drop(&models, &context).await] {
            match refused.unwrap_err().kind() {
                ErrorKind::Schema { mismatches, .. } => assert_eq!(mismatches.len(), 2, "{mismatches:?}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn the_future_of_a_statement_is_small() {
        let driver = unreachable("mongodb://db.invalid/shop").await;
        let id = ColumnBuilder::new("id", ColumnType::I64).key();
        let visits = ColumnBuilder::new("visits", ColumnType::I64);
        let model = ModelSchema::builder("User", "users").column(id).column(visits).build().unwrap();
        let model = SchemaRef::from(Arc::new(model));
        let context = Context::new();
        let one = || Condition::compare(CompareOp::Eq, Expr::Column(0), Expr::Value(Value::Int(1)));
        let mut select = Select::new(model.clone());
        select.filter = one();
        let mut insert = Insert::new(model.clone(), [0, 1], vec![Value::Int(1), Value::Int(2)], 1);
        let change = Assignment::new(1, Change::Add(Value::Int(1)));
        let update = Update::new(model.clone(), vec![change], one());
        let delete = Delete::new(model, one());
        let (mut rows, mut keys) = (Nothing, Nothing);
        let sizes = [
            size(&driver.fetch(&select, &mut rows, &context)),
            size(&driver.insert(&mut insert, &mut keys, &context)),
            size(&driver.update(&update, &context)),
            size(&driver.delete(&delete, &context)),
        ];
        assert!(sizes.iter().all(|size| *size <= SMALL), "{sizes:?}");
    }

    #[test]
    fn a_server_by_itself_has_no_transactions() {
        assert!(has_transactions(&doc! { "isWritablePrimary": true, "setName": "rs" }));
        assert!(has_transactions(&doc! { "isWritablePrimary": true, "msg": "isdbgrid" }));
        assert!(!has_transactions(&doc! { "isWritablePrimary": true, "maxWireVersion": 21 }));
        assert!(!capabilities(false).atomic_statements && !capabilities(false).transactions);
    }
}
