//! Adding rows.

use std::task::Poll;

use super::{At, Transacted, is_traced, traced};
use crate::ast::{Insert, Statement};
use crate::driver::{Collect, Context, Explanation, First, Row};
use crate::error::{DBError, DBResult, ErrorKind};
use crate::model::Model;
use crate::new_row::{NewRow, RowWriter, Written};
use crate::pending::Options;
use crate::relation::{Batched, add_tree, alone};
use crate::schema::{ColumnList, SchemaRef};
use crate::value::Value;

/// What is left to do of adding a row.
pub(super) enum Rest<N> {
    /// There are others nested in it.
    Nested(N, Context),
    /// Something has to be waited for.
    Row(Insert, Context),
}

/// Adds a row: at once, where the driver need not wait for anything.
pub(super) fn add<N: NewRow>(
    at: &At<'_>,
    row: &mut Option<N>,
    options: Options,
    later: impl FnOnce(Rest<N>),
) -> Poll<DBResult<N::Model>> {
    let schema = N::Model::schema();
    let context = at.context(options);
    if let Err(error) = schema.usable() {
        return Poll::Ready(Err(error));
    }
    let nests = row.as_ref().is_some_and(N::has_nested);
    // It is there: an operation is started once.
    let Some(row) = row.take() else { return Poll::Pending };
    if nests {
        later(Rest::Nested(row, context));
        return Poll::Pending;
    }
    let mut values = Vec::with_capacity(schema.columns.len());
    let generated = match write(&schema, row, &mut values) {
        Ok(written) => written.generated,
        Err(error) => return Poll::Ready(Err(error)),
    };
    let mut insert = insert_of(schema, generated, values, 1);
    if !is_traced()
        && let Some(key) = at.executor.insert_now(&insert, &context)
    {
        return Poll::Ready(match key {
            Ok(key) => added(at, &mut insert, Some(key)),
            Err(error) => Err(error),
        });
    }
    later(Rest::Row(insert, context));
    Poll::Pending
}

/// Adds a row that could not be added at once.
pub(super) async fn later<N: NewRow>(at: At<'_>, rest: Rest<N>) -> DBResult<N::Model> {
    let schema = N::Model::schema();
    match rest {
        Rest::Nested(row, context) => {
            let work = async {
                let mut row = add_trees(at, vec![row], &context).await?.pop().ok_or_else(too_few_keys)?;
                // It is the one that was asked for, and no part of many.
                alone(&mut row)?;
                Ok(row)
            };
            // Boxed, so that a row without such is not moved about in a future of this one's size.
            Box::pin(traced("add", &schema.name, work, |_| 1)).await
        }
        Rest::Row(mut insert, context) => {
            let work = async {
                let mut generated = First::new(key);
                at.executor.insert(&mut insert, &mut generated, &context).await?;
                added(&at, &mut insert, generated.row)
            };
            traced("add", &schema.name, work, |_| 1).await
        }
    }
}

/// The row that was added, by itself.
#[inline]
fn added<M: Model>(at: &At<'_>, insert: &mut Insert, key: Option<i64>) -> DBResult<M> {
    let mut row = stored(insert, key);
    if !M::RELATIONS.is_empty()
        && let Ok(stored) = &mut row
        && let Err(error) = alone(stored)
    {
        row = Err(error);
    }
    if let Err(error) = &row {
        not_given_back(at, error);
    }
    row
}

/// What was written could not be given back. Nobody knows what of it there is, so only a rollback is left of its transaction.
#[cold]
fn not_given_back(at: &At<'_>, error: &DBError) {
    if let Some(ending) = at.ending {
        ending.spoil(Some(error.clone()));
    }
}

/// What would be sent to add a row.
pub(super) fn explain<N: NewRow>(at: At<'_>, row: N) -> DBResult<Explanation> {
    let schema = N::Model::schema();
    schema.usable()?;
    at.driver.explain(&Statement::Insert(one_row(&schema, row)?))
}

/// The insert of one row, which gives back the key if the database is to generate it.
pub(crate) fn one_row<N: NewRow>(schema: &SchemaRef, row: N) -> DBResult<Insert> {
    Ok(written_row(schema, row)?.0)
}

/// The same of a row that may be there already, and the version that one has if it was not changed since: what the row names.
pub(super) fn one_row_again<N: NewRow>(
    schema: &SchemaRef,
    row: N,
) -> DBResult<(Insert, Option<(u16, Value<'static>)>)> {
    let (insert, written) = written_row(schema, row)?;
    let version = schema.version.filter(|_| written.versioned);
    let version = version.and_then(|version| Some((version, given(&insert, version)?.clone())));
    Ok((insert, version))
}

/// The insert of one row, and what its columns were.
#[inline]
fn written_row<N: NewRow>(schema: &SchemaRef, row: N) -> DBResult<(Insert, Written)> {
    let mut values = Vec::with_capacity(schema.columns.len());
    let written = write(schema, row, &mut values)?;
    Ok((insert_of(schema.clone(), written.generated, values, 1), written))
}

/// Writes the values of a row, and tells what its columns were.
#[inline]
fn write<N: NewRow>(schema: &SchemaRef, row: N, values: &mut Vec<Value<'static>>) -> DBResult<Written> {
    let mut writer = RowWriter::new(schema, values);
    row.write(&mut writer);
    writer.finish()
}

/// What an insert of one row gives a column, if it names it.
pub(super) fn given(insert: &Insert, column: u16) -> Option<&Value<'static>> {
    let place = insert.columns.iter().position(|given| *given == column)?;
    insert.values.get(place)
}

/// The insert of so many rows that give the same columns.
fn insert_of(schema: SchemaRef, generated: bool, values: Vec<Value<'static>>, rows: usize) -> Insert {
    let (columns, returning) = match generated {
        true => (ColumnList::without_generated(&schema), ColumnList::generated(&schema)),
        false => (ColumnList::all(&schema), ColumnList::NONE),
    };
    Insert { model: schema, columns, values, rows, on_conflict: None, returning }
}

pub(super) async fn add_all<N: NewRow>(
    at: At<'_>,
    rows: impl IntoIterator<Item = N> + Send,
    options: Options,
) -> DBResult<Vec<N::Model>> {
    let schema = N::Model::schema();
    schema.usable()?;
    let context = at.context(options);
    let count = |rows: &Vec<_>| rows.len() as u64;
    let batches = if N::NESTS {
        let rows: Vec<N> = rows.into_iter().collect();
        if rows.iter().any(N::has_nested) {
            return Box::pin(traced("add_all", &schema.name, add_trees(at, rows, &context), count)).await;
        }
        batches(&schema, rows)?
    } else {
        batches(&schema, rows)?
    };
    traced("add_all", &schema.name, add_batches(at, batches, &context), count).await
}

/// Adds rows without what is nested in them. In a transaction it is part of that, whatever the number of statements.
pub(crate) async fn add_rows<N: NewRow>(at: At<'_>, rows: Vec<N>, context: &Context) -> DBResult<Vec<N::Model>> {
    let schema = N::Model::schema();
    schema.usable()?;
    add_batches(at, batches(&schema, rows)?, context).await
}

async fn add_batches<M: Model>(at: At<'_>, batches: Vec<Batch>, context: &Context) -> DBResult<Vec<M>> {
    let total = batches.iter().map(|batch| batch.rows).sum();
    let capabilities = at.driver.capabilities();
    let mut inserts: Vec<Insert> = batches
        .into_iter()
        .flat_map(|batch| {
            let rows = capabilities.rows_per_insert(batch.width());
            batch.into_inserts(rows, capabilities.max_insert_bytes)
        })
        .collect();
    let mut added = Vec::with_capacity(total);
    // Without transactions the inserts stand alone; the capability says that a statement of several rows may stop half-way.
    if inserts.len() <= 1 || !(at.ending.is_some() || capabilities.transactions) {
        for insert in &mut inserts {
            run(at, insert, &mut added, context).await?;
        }
        return Batched::of(added);
    }
    let transacted = Transacted::begin(at, context).await?;
    let work = async {
        for mut insert in inserts {
            run(transacted.at(), &mut insert, &mut added, context).await?;
        }
        Batched::of(added)
    };
    let result = work.await;
    transacted.end(result, context).await
}

/// Adds rows with what is nested in them, in a transaction.
pub(crate) async fn add_trees<N: NewRow>(at: At<'_>, rows: Vec<N>, context: &Context) -> DBResult<Vec<N::Model>> {
    let transacted = Transacted::begin(at, context).await?;
    let rows = add_tree(rows, transacted.at(), context).await;
    transacted.end(rows, context).await
}

/// Rows that give the same columns: all of them, or all but a key that the database generates.
struct Batch {
    schema: SchemaRef,
    generated: bool,
    values: Vec<Value<'static>>,
    rows: usize,
}

impl Batch {
    fn new(schema: SchemaRef, rows: usize) -> Batch {
        let values = Vec::with_capacity(rows * schema.columns.len());
        Batch { schema, generated: false, values, rows: 0 }
    }

    fn width(&self) -> usize {
        let schema = &self.schema;
        if self.generated { schema.columns_without_generated().len() } else { schema.all_columns().len() }
    }

    /// Inserts of so many rows, and about so many bytes, at most.
    fn into_inserts(self, most_rows: usize, most_bytes: usize) -> impl Iterator<Item = Insert> {
        let width = self.width();
        let Batch { schema, generated, mut values, mut rows } = self;
        std::iter::from_fn(move || {
            if rows == 0 {
                return None;
            }
            let now = first_rows(&values, width, rows.min(most_rows), most_bytes);
            rows -= now;
            let rest = if rows == 0 { Vec::new() } else { values.split_off(now * width) };
            Some(insert_of(schema.clone(), generated, std::mem::replace(&mut values, rest), now))
        })
    }
}

/// How many of the first rows have no more bytes than this together: at least one.
fn first_rows(values: &[Value<'static>], width: usize, most_rows: usize, most_bytes: usize) -> usize {
    if most_bytes == usize::MAX || width == 0 {
        return most_rows;
    }
    let mut bytes = 0usize;
    for (before, row) in values.chunks_exact(width).take(most_rows).enumerate() {
        bytes = row.iter().map(size).fold(bytes, usize::saturating_add);
        if bytes > most_bytes {
            return before.max(1);
        }
    }
    most_rows
}

/// About how many bytes a value takes.
fn size(value: &Value<'_>) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 8,
    }
}

fn batches<N: NewRow>(schema: &SchemaRef, rows: impl IntoIterator<Item = N>) -> DBResult<Vec<Batch>> {
    let rows = rows.into_iter();
    let mut batches: Vec<Batch> = Vec::new();
    let mut current = Batch::new(schema.clone(), rows.size_hint().0);
    for row in rows {
        if let Some(other) = row_into(&mut current, schema, row)? {
            batches.push(std::mem::replace(&mut current, other));
        }
    }
    if current.rows > 0 {
        batches.push(current);
    }
    Ok(batches)
}

/// Adds a row to a batch. Gives a batch of its own where its columns are others.
fn row_into<N: NewRow>(batch: &mut Batch, schema: &SchemaRef, row: N) -> DBResult<Option<Batch>> {
    let start = batch.values.len();
    let generated = write(schema, row, &mut batch.values)?.generated;
    if batch.rows == 0 {
        batch.generated = generated;
    }
    if batch.generated == generated {
        batch.rows += 1;
        return Ok(None);
    }
    let values = batch.values.split_off(start);
    Ok(Some(Batch { schema: schema.clone(), generated, values, rows: 1 }))
}

/// A generated key. Only columns of integers have such.
fn key(row: &mut dyn Row) -> DBResult<i64> {
    match row.value(0)? {
        Value::Int(key) => Ok(key),
        other => Err(DBError::new(ErrorKind::Database)
            .with_detail(format!("the driver gave {} as the key of a new row", other.kind()))),
    }
}

/// Makes of the values of an insert of one row, and of the generated key, the row that is now stored.
fn stored<M: Model>(insert: &mut Insert, key: Option<i64>) -> DBResult<M> {
    let generated = match insert.returning.first() {
        Some(&place) => Some((usize::from(place), key.ok_or_else(too_few_keys)?)),
        None => None,
    };
    M::decode(&mut Stored { values: &mut insert.values, generated })
}

/// Runs one insert, and makes of its values and the generated keys the rows that are now stored.
async fn run<M: Model>(at: At<'_>, insert: &mut Insert, added: &mut Vec<M>, context: &Context) -> DBResult<()> {
    let mut keys = Collect::new(key);
    at.executor.insert(insert, &mut keys, context).await?;
    let given_back = all_stored(insert, keys.rows, added);
    if let Err(error) = &given_back {
        not_given_back(&at, error);
    }
    given_back
}

/// Makes of the values of an insert, and of the generated keys, the rows that are now stored.
fn all_stored<M: Model>(insert: &mut Insert, keys: Vec<i64>, added: &mut Vec<M>) -> DBResult<()> {
    let generated = insert.returning.first().copied().map(usize::from);
    if generated.is_some() && keys.len() != insert.rows {
        return Err(too_few_keys());
    }
    let width = insert.columns.len();
    let mut keys = keys.into_iter();
    let mut rest = insert.values.as_mut_slice();
    for _ in 0..insert.rows {
        let (values, after) = rest.split_at_mut_checked(width).ok_or_else(too_few_keys)?;
        rest = after;
        let mut row = Stored { values, generated: generated.zip(keys.next()) };
        added.push(M::decode(&mut row)?);
    }
    Ok(())
}

fn too_few_keys() -> DBError {
    DBError::new(ErrorKind::Database).with_detail("the driver did not give a key for each new row")
}

/// A row as it is now stored: the values that were sent, with the generated key in its place among them.
struct Stored<'r> {
    values: &'r mut [Value<'static>],
    generated: Option<(usize, i64)>,
}

impl Row for Stored<'_> {
    fn value(&mut self, index: usize) -> DBResult<Value<'_>> {
        let sent = match self.generated {
            Some((place, key)) if place == index => return Ok(Value::Int(key)),
            Some((place, _)) if place < index => index - 1,
            _ => index,
        };
        match self.values.get_mut(sent) {
            Some(value) => Ok(std::mem::take(value)),
            None => Err(DBError::query(format!("a row has no value number {index}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schema::{ColumnBuilder, ModelSchema};
    use crate::value::ColumnType;

    #[test]
    fn large_rows_are_spread_over_inserts() {
        let model = ModelSchema::builder("Blob", "blobs")
            .column(ColumnBuilder::new("id", ColumnType::I64).key())
            .column(ColumnBuilder::new("bytes", ColumnType::Bytes))
            .build()
            .unwrap();
        let schema = SchemaRef::from(Arc::new(model));
        let split = |sizes: &[usize], rows: usize, bytes: usize| {
            let mut batch = Batch::new(schema.clone(), sizes.len());
            for (id, size) in (0..).zip(sizes) {
                batch.values.extend([Value::Int(id), Value::Bytes(vec![0; *size].into())]);
                batch.rows += 1;
            }
            let inserts: Vec<Insert> = batch.into_inserts(rows, bytes).collect();
            let values: Vec<Value<'static>> = inserts.iter().flat_map(|insert| insert.values.clone()).collect();
            let ids = values.iter().step_by(2).cloned();
            assert!(ids.eq((0..).take(sizes.len()).map(Value::Int)), "all of them, in their order");
            inserts.iter().map(|insert| insert.rows).collect::<Vec<usize>>()
        };
        let ten = [92; 10];
        assert_eq!(split(&ten, usize::MAX, usize::MAX), [10]);
        assert_eq!(split(&ten, usize::MAX, 1_000), [10]);
        assert_eq!(split(&ten, usize::MAX, 999), [9, 1]);
        assert_eq!(split(&ten, 2, 350), [2; 5]);
        assert_eq!(split(&ten, 4, 350), [3, 3, 3, 1]);
        assert_eq!(split(&[5, 5, 5_000, 5], usize::MAX, 1_000), [2, 1, 1], "a row that has more stands alone");
    }
}
