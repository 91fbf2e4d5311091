//! Running statements: compiled text by shape, binds, and what comes back.

use std::sync::Arc;

use futures::TryStreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use ommi_core::ast::{Change, Delete, Insert, Output, Select, Shape, StatementRef, Update, related_models};
use ommi_core::driver::{Context, RowSink, record_statement};
use ommi_core::value::ColumnType;
use ommi_core::{DBError, DBResult, ErrorKind};
use ommi_sql::{Out, SqlText};
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Either, Executor as _, Postgres};

use crate::bind::Binder;
use crate::compiled::{Columns, Compiled};
use crate::dialect;
use crate::driver::{CAPABILITIES, Inner};
use crate::error::{self, Doing};
use crate::lease::{Lease, Work};
use crate::row::Reader;

/// A statement of any kind.
#[derive(Clone, Copy)]
pub(crate) enum Job<'a> {
    Select(&'a Select),
    Insert(&'a Insert),
    Update(&'a Update),
    Delete(&'a Delete),
}

impl<'a> Job<'a> {
    pub(crate) fn compile(self, inner: &Inner) -> DBResult<Arc<Compiled>> {
        let compiled = inner.cache.get(
            |shape| match self {
                Job::Select(select) => shape.write_select(select),
                Job::Insert(insert) => {
                    insert_shape(insert, shape);
                    Ok(())
                }
                Job::Update(update) => shape.write_update(update),
                Job::Delete(delete) => shape.write_delete(delete),
            },
            || self.compile_anew(),
        )?;
        record_statement(&compiled.text);
        Ok(compiled)
    }

    fn compile_anew(self) -> DBResult<Compiled> {
        let statement = match self {
            Job::Select(select) => StatementRef::Select(select),
            Job::Insert(insert) => StatementRef::Insert(insert),
            Job::Update(update) => StatementRef::Update(update),
            Job::Delete(delete) => StatementRef::Delete(delete),
        };
        check(statement)?;
        let mut text = SqlText::new();
        self.write(&mut text)?;
        let columns = match self {
            Job::Select(select) => match select.output {
                Output::Count => Columns::single(&select.model, ColumnType::I64),
                Output::Exists => Columns::single(&select.model, ColumnType::Bool),
                _ => Columns::of(&select.model, select.model.all_columns()),
            },
            Job::Insert(insert) => Columns::of(&insert.model, &insert.returning),
            Job::Update(update) => Columns::none(&update.model),
            Job::Delete(delete) => Columns::none(&delete.model),
        };
        Ok(Compiled { text: text.into_string().into(), columns, _related: related_models(statement) })
    }

    pub(crate) fn write(self, out: &mut impl Out) -> DBResult<()> {
        match self {
            Job::Select(select) => ommi_sql::select(select, &dialect::Postgres, out),
            Job::Insert(insert) => ommi_sql::insert(insert, 0, insert.rows, &dialect::Postgres, out),
            Job::Update(update) => ommi_sql::update(update, &dialect::Postgres, out),
            Job::Delete(delete) => ommi_sql::delete(delete, &dialect::Postgres, out),
        }
    }

    fn model(self) -> &'a ommi_core::schema::SchemaRef {
        match self {
            Job::Select(select) => &select.model,
            Job::Insert(insert) => &insert.model,
            Job::Update(update) => &update.model,
            Job::Delete(delete) => &delete.model,
        }
    }

    fn bind(self) -> DBResult<PgArguments> {
        let mut binder = Binder::new(&self.model().name);
        self.write(&mut binder)?;
        Ok(binder.finish())
    }

    fn doing(self, context: &Context, inner: &Inner) -> Doing<'a> {
        let limit = inner.limit(context);
        let doing = Doing::reading(self.model(), limit);
        match self {
            Job::Insert(_) => Doing { writes: true, ..doing },
            Job::Update(update) => Doing { writes: true, counted: counted(update), ..doing },
            _ => doing,
        }
    }
}

/// The shape of an insert, alike for all numbers of rows above one: they differ only in the length of the arrays.
fn insert_shape(insert: &Insert, shape: &mut Shape) {
    if insert.rows <= 1 || insert.columns.is_empty() {
        return shape.write_insert(insert);
    }
    let mut some = Insert::new(insert.model.clone(), insert.columns.clone(), Vec::new(), 2);
    some.returning = insert.returning.clone();
    some.on_conflict = insert.on_conflict.clone();
    shape.write_insert(&some);
}

/// The only column that is counted up or down: a number out of range is its.
fn counted(update: &Update) -> Option<&str> {
    let mut counted = update
        .assignments
        .iter()
        .filter(|assignment| matches!(assignment.change, Change::Add(_) | Change::Subtract(_)));
    let one = counted.next().filter(|_| counted.next().is_none())?;
    update.model.column(one.column).map(|column| &*column.name)
}

/// Checks a statement against its model and this driver.
pub(crate) fn check<'a>(statement: impl Into<StatementRef<'a>>) -> DBResult<()> {
    let statement = statement.into();
    statement.model().usable()?;
    ommi_core::ast::check(statement, &CAPABILITIES)
}

/// A statement that is ready to be sent.
pub(crate) struct Ready<'a> {
    job: Job<'a>,
    pub(crate) compiled: Arc<Compiled>,
    arguments: PgArguments,
}

impl Ready<'_> {
    pub(crate) fn query(self, persistent: bool) -> Query<'static, Postgres, PgArguments> {
        query(&self.compiled, self.arguments, persistent)
    }
}

fn query(compiled: &Compiled, arguments: PgArguments, persistent: bool) -> Query<'static, Postgres, PgArguments> {
    // The text was made from names in quotes and placeholders.
    sqlx::query_with(AssertSqlSafe(compiled.text.clone()), arguments).persistent(persistent)
}

/// Compiles and binds: all that fails of a statement before anything is sent.
pub(crate) fn prepare<'a>(inner: &Inner, job: Job<'a>) -> DBResult<Ready<'a>> {
    let compiled = job.compile(inner)?;
    let arguments = job.bind()?;
    Ok(Ready { job, compiled, arguments })
}

/// Sends a statement, hands its rows to the sink, and gives the number of rows that it touched.
pub(crate) struct Run<'r, 'a> {
    pub(crate) ready: Ready<'a>,
    /// None where no rows come.
    pub(crate) sink: Option<&'r mut dyn RowSink>,
    pub(crate) context: &'r Context,
}

impl Work<u64> for Run<'_, '_> {
    async fn run(mut self, lease: &mut Lease) -> DBResult<u64> {
        // Behind a pooler that lends another connection for each transaction, a statement's parts are kept together by one.
        let alone = !lease.inner.prepared && !lease.begun;
        if alone {
            Box::pin(lease.begin()).await?;
        }
        let (job, compiled) = (self.ready.job, self.ready.compiled);
        // The arguments are given away here and not in a future, which would be larger by them.
        let mut result = match start(lease, job, &compiled, self.ready.arguments, self.sink.as_deref()) {
            Ok(answer) => answer.take(&compiled.columns, &mut self.sink).await,
            Err(error) => Err(Failure::Made(error)),
        };
        note(lease, &result);
        if let Err(Failure::Sent(failed)) = &result
            && error::is_stale_plan(failed)
        {
            result = Box::pin(again(lease, job, &compiled, &mut self.sink)).await;
        }
        let count = match result {
            Ok(count) => count,
            Err(failure) => return Err(failure.into_error(job, self.context, &lease.inner)),
        };
        if alone {
            Box::pin(lease.commit()).await?;
        }
        Ok(count)
    }
}

/// Sends a statement once more whose table was made anew after it was prepared. Nothing was done yet.
async fn again(
    lease: &mut Lease,
    job: Job<'_>,
    compiled: &Compiled,
    sink: &mut Option<&mut dyn RowSink>,
) -> Result<u64, Failure> {
    if lease.begun {
        // The failure ended the transaction. What was prepared is forgotten with its rollback.
        lease.changes_tables();
        return Err(Failure::Stale);
    }
    lease.clear_statements().await.map_err(Failure::Made)?;
    let arguments = job.bind().map_err(Failure::Made)?;
    let answer = start(lease, job, compiled, arguments, sink.as_deref()).map_err(Failure::Made)?;
    let result = answer.take(&compiled.columns, sink).await;
    note(lease, &result);
    result
}

enum Failure {
    /// The client library's, or the database's.
    Sent(sqlx::Error),
    /// A kept statement does not fit its table any more.
    Stale,
    /// Ommi's own.
    Made(DBError),
}

impl Failure {
    fn into_error(self, job: Job<'_>, context: &Context, inner: &Inner) -> DBError {
        match self {
            Failure::Sent(failed) => error::on_statement(failed, job.doing(context, inner)),
            Failure::Stale => DBError::new(ErrorKind::Conflict).with_detail("a table was changed meanwhile"),
            Failure::Made(error) => error,
        }
    }
}

/// What the library gives of a statement.
enum Incoming<'c> {
    /// Its rows, and how many it touched.
    All(BoxStream<'c, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>),
    /// The only row that is wanted of it. The library passes it on through one stream less.
    First(BoxFuture<'c, Result<Option<PgRow>, sqlx::Error>>),
}

/// Begins to send a statement.
fn start<'l>(
    lease: &'l mut Lease,
    job: Job<'_>,
    compiled: &Compiled,
    arguments: PgArguments,
    sink: Option<&dyn RowSink>,
) -> DBResult<Incoming<'l>> {
    let first = match job {
        Job::Select(_) => sink.is_some_and(|sink| sink.takes_first()),
        // Its row says that it was written.
        Job::Insert(insert) => insert.rows == 1 && !insert.returning.is_empty(),
        Job::Update(_) | Job::Delete(_) => false,
    };
    let query = query(compiled, arguments, lease.inner.prepared);
    let connection = lease.start()?;
    Ok(match first {
        true => Incoming::First(connection.fetch_optional(query)),
        false => Incoming::All(connection.fetch_many(query)),
    })
}

impl Incoming<'_> {
    async fn take(self, columns: &Columns, sink: &mut Option<&mut dyn RowSink>) -> Result<u64, Failure> {
        let mut reader = Reader::new();
        let mut take = |row: &PgRow| match sink {
            Some(sink) => reader.take(row, columns, &mut **sink).map_err(Failure::Made),
            None => Ok(()),
        };
        let mut count = 0;
        match self {
            Incoming::All(mut results) => {
                while let Some(result) = results.try_next().await.map_err(Failure::Sent)? {
                    match result {
                        Either::Left(done) => count += done.rows_affected(),
                        Either::Right(row) => take(&row)?,
                    }
                }
            }
            Incoming::First(row) => {
                if let Some(row) = row.await.map_err(Failure::Sent)? {
                    take(&row)?;
                    count = 1;
                }
            }
        }
        Ok(count)
    }
}

/// Tells the lease what became of a statement.
fn note(lease: &mut Lease, result: &Result<u64, Failure>) {
    match result {
        Ok(_) => lease.done(None),
        Err(Failure::Sent(failed)) => lease.done(Some(failed)),
        // Where the sink ended it, the rest of the result is still to come.
        Err(Failure::Stale | Failure::Made(_)) => {}
    }
}
