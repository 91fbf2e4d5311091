//! Writing and deleting one row by its key.

use super::{At, traced};
use crate::ast::{Assignment, Change, Condition, Delete, Expr, Output, Select, Update};
use crate::driver::{Collect, Context, Row};
use crate::error::{DBError, DBResult, StaleRow};
use crate::key::KeyWriter;
use crate::model::Model;
use crate::new_row::RowWriter;
use crate::pending::Options;
use crate::relation::Key;
use crate::schema::SchemaRef;
use crate::value::Value;

fn encode<M: Model>(schema: &SchemaRef, row: &M) -> DBResult<Vec<Value<'static>>> {
    let mut values = Vec::with_capacity(schema.columns.len());
    let mut writer = RowWriter::new(schema, &mut values);
    row.encode(&mut writer);
    writer.finish()?;
    Ok(values)
}

/// The condition that a row has the key of these values, which are taken out.
fn own_key(schema: &SchemaRef, values: &mut [Value<'static>]) -> DBResult<Condition> {
    let mut writer = KeyWriter::new(schema);
    for &column in &schema.key {
        let value = values.get_mut(usize::from(column)).map(std::mem::take).unwrap_or_default();
        writer.push(value).map_err(|invalid| DBError::invalid_query(schema, &invalid))?;
    }
    Ok(writer.finish())
}

pub(super) async fn save<M: Model>(at: At<'_>, row: &mut M, options: Options) -> DBResult<()> {
    let schema = M::schema();
    schema.usable()?;
    let mut values = encode(&schema, &*row)?;
    let version = schema.version_of(&values)?;
    let raised = version.map(|version| Ok((version, version.next()?))).transpose()?;
    let mut filter = own_key(&schema, &mut values)?;
    if let Some((version, next)) = raised {
        filter = filter.and(version.unchanged());
        if let Some(value) = values.get_mut(usize::from(version.index())) {
            *value = Value::Int(next);
        }
    }
    let assignments: Vec<Assignment> = (0u16..)
        .zip(values)
        .filter(|(column, _)| !schema.key.contains(column))
        .map(|(column, value)| Assignment::new(column, Change::Set(Expr::Value(value))))
        .collect();
    let context = at.context(options);
    let work = async {
        let found = if assignments.is_empty() {
            // All columns are the key's: there is nothing to write, but still a row that may have gone.
            exists(at, &schema, filter, &context).await?
        } else {
            let update = Update::new(schema.clone(), assignments, filter);
            at.executor.update(&update, &context).await? > 0
        };
        if !found {
            return Err(not_written(at, &schema, row, Condition::True, &context).await?);
        }
        if let Some((version, next)) = raised {
            row.set_version(next).map_err(|failure| version.not_taken(failure))?;
        }
        // What it refers to now is stored, and its relations go by that.
        for (slot, relation) in (0..).zip(M::RELATIONS) {
            let key = Key::of(row, relation.near)?;
            row.relink(slot, key);
        }
        Ok(())
    };
    traced("save", &schema.name, work, |()| 1).await
}

/// Deletes a row, if it is among these.
pub(crate) async fn delete<M: Model>(at: At<'_>, row: &M, among: Condition, options: Options) -> DBResult<()> {
    let schema = M::schema();
    schema.usable()?;
    let mut values = encode(&schema, row)?;
    let version = schema.version_of(&values)?;
    let mut filter = own_key(&schema, &mut values)?.and(among.clone());
    if let Some(version) = version {
        filter = filter.and(version.unchanged());
    }
    let delete = Delete::new(schema.clone(), filter);
    let context = at.context(options);
    let work = async {
        match at.executor.delete(&delete, &context).await? {
            0 => Err(not_written(at, &schema, row, among, &context).await?),
            _ => Ok(()),
        }
    };
    traced("delete", &schema.name, work, |()| 1).await
}

/// Why no row was written: it has gone, or has another version by now.
async fn not_written<M: Model>(
    at: At<'_>,
    schema: &SchemaRef,
    row: &M,
    among: Condition,
    context: &Context,
) -> DBResult<DBError> {
    if schema.version.is_some() {
        let mut values = encode(schema, row)?;
        let stale = StaleRow::of(schema, &values);
        if exists(at, schema, own_key(schema, &mut values)?.and(among), context).await? {
            return Ok(DBError::stale(stale));
        }
    }
    Ok(DBError::not_found(schema.name.clone()))
}

async fn exists(at: At<'_>, schema: &SchemaRef, filter: Condition, context: &Context) -> DBResult<bool> {
    let select = Select { output: Output::Exists, filter, ..Select::new(schema.clone()) };
    let mut exists = Collect::new(|row: &mut dyn Row| Ok(row.value(0)? == Value::Bool(true)));
    at.executor.fetch(&select, &mut exists, context).await?;
    Ok(exists.rows.contains(&true))
}
