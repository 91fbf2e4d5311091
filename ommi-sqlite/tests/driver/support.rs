//! What the tests share: models, statements, a sink that keeps values, and files that go away.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ommi_core::DBResult;
use ommi_core::ast::{Assignment, Change, CompareOp, Condition, Delete, Expr, Insert, Output, Select, Update};
use ommi_core::driver::{Context, Driver, Executor, Row, RowSink};
use ommi_core::schema::{ColumnBuilder, ModelBuilder, ModelSchema, SchemaRef};
use ommi_core::value::{ColumnType, Value};
use ommi_sqlite::{Mode, SqliteDriver, SqliteOptions};

/// A sink that keeps the first columns of each row as owned values.
#[derive(Default)]
pub(crate) struct Keep {
    pub(crate) width: usize,
    pub(crate) rows: Vec<Vec<Value<'static>>>,
}

impl Keep {
    pub(crate) fn new(width: usize) -> Keep {
        Keep { width, rows: Vec::new() }
    }
}

impl RowSink for Keep {
    fn row(&mut self, row: &mut dyn Row) -> DBResult<()> {
        let values = (0..self.width).map(|i| row.value(i).map(Value::into_owned)).collect::<DBResult<_>>()?;
        self.rows.push(values);
        Ok(())
    }

    fn clear(&mut self) {
        self.rows.clear();
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn fork(&self) -> Box<dyn RowSink> {
        Box::new(Keep::new(self.width))
    }

    fn absorb(&mut self, fork: Box<dyn RowSink>) {
        self.rows.extend(fork.into_any().downcast::<Keep>().unwrap().rows);
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

pub(crate) fn build(builder: ModelBuilder) -> SchemaRef {
    SchemaRef::from(Arc::new(builder.build().unwrap()))
}

pub(crate) fn column(name: &'static str, ty: ColumnType) -> ColumnBuilder {
    ColumnBuilder::new(name, ty)
}

/// `users(id, name, visits, note null)`, with counted keys.
pub(crate) fn users() -> SchemaRef {
    build(
        ModelSchema::builder("User", "users")
            .column(column("id", ColumnType::I64).key().auto_increment())
            .column(column("name", ColumnType::Text).unique())
            .column(column("visits", ColumnType::I32))
            .column(column("note", ColumnType::Text).nullable()),
    )
}

pub(crate) fn text(text: impl Into<String>) -> Value<'static> {
    Value::Text(text.into().into())
}

pub(crate) fn user(i: i64) -> [Value<'static>; 3] {
    [text(format!("user {i:06}")), Value::Int(i % 1_000), if i % 2 == 0 { Value::Null } else { text("odd") }]
}

pub(crate) fn new_users(model: &SchemaRef, range: std::ops::Range<i64>) -> Insert {
    let rows = range.clone().count();
    let mut insert = Insert::new(model.clone(), [1, 2, 3], range.flat_map(user).collect(), rows);
    insert.returning = [0].into();
    insert
}

pub(crate) fn col(column: u16) -> Expr {
    Expr::Column(column)
}

pub(crate) fn val(value: impl Into<Value<'static>>) -> Expr {
    Expr::Value(value.into())
}

pub(crate) fn int(value: i64) -> Expr {
    Expr::Value(Value::Int(value))
}

pub(crate) fn eq(column: u16, value: Value<'static>) -> Condition {
    Condition::compare(CompareOp::Eq, col(column), Expr::Value(value))
}

pub(crate) fn select(model: &SchemaRef, filter: Condition) -> Select {
    let mut select = Select::new(model.clone());
    select.filter = filter;
    select
}

pub(crate) fn set(column: u16, value: Value<'static>) -> Assignment {
    Assignment::new(column, Change::Set(Expr::Value(value)))
}

/// A database in memory with the tables of these models.
pub(crate) async fn memory(models: &[&SchemaRef]) -> SqliteDriver {
    with_tables(SqliteOptions::memory(), models).await
}

/// A database in a file.
pub(crate) async fn file(dir: &TempDir, models: &[&SchemaRef]) -> SqliteDriver {
    with_tables(SqliteOptions::file(dir.path("db")).mode(Mode::ReadWriteCreate), models).await
}

pub(crate) async fn with_tables(options: SqliteOptions, models: &[&SchemaRef]) -> SqliteDriver {
    let driver = options.connect().await.unwrap();
    create(&driver, models).await.unwrap();
    driver
}

pub(crate) async fn create(driver: &SqliteDriver, models: &[&SchemaRef]) -> DBResult<()> {
    let models: Vec<SchemaRef> = models.iter().map(|&model| model.clone()).collect();
    driver.schema().create(&models, &Context::new()).await
}

pub(crate) async fn fetch(on: &dyn Executor, select: &Select) -> DBResult<Vec<Vec<Value<'static>>>> {
    let mut sink = Keep::new(match select.output {
        Output::Model => select.model.columns.len(),
        _ => 1,
    });
    on.fetch(select, &mut sink, &Context::new()).await?;
    Ok(sink.rows)
}

pub(crate) async fn count(on: &dyn Executor, model: &SchemaRef) -> i64 {
    let mut select = Select::new(model.clone());
    select.output = Output::Count;
    match fetch(on, &select).await.unwrap()[0][0] {
        Value::Int(count) => count,
        _ => panic!("no count"),
    }
}

pub(crate) async fn insert(on: &dyn Executor, insert: &mut Insert) -> DBResult<(u64, Vec<Vec<Value<'static>>>)> {
    let mut sink = Keep::new(insert.returning.len());
    let rows = on.insert(insert, &mut sink, &Context::new()).await?;
    Ok((rows, sink.rows))
}

pub(crate) async fn update(on: &dyn Executor, update: &Update) -> DBResult<u64> {
    on.update(update, &Context::new()).await
}

pub(crate) async fn delete(on: &dyn Executor, model: &SchemaRef, filter: Condition) -> DBResult<u64> {
    on.delete(&Delete::new(model.clone(), filter), &Context::new()).await
}

pub(crate) fn soon() -> Context {
    Context::new().with_timeout(Some(Duration::from_millis(100)))
}

/// The driver's own connection is not reachable: a second one, of the raw client, stands for another process.
pub(crate) fn other_process(path: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

/// A directory that goes away with the test.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> TempDir {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("ommi-sqlite-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
