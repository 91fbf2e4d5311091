//! Reading: `find` where that suffices, a pipeline where it does not.

use ommi_core::DBResult;
use ommi_core::ast::{Output, Select};
use ommi_core::schema::ModelSchema;

use crate::bson::Writer;
use crate::condition::{Filter, Truth};
use crate::names::{ID, path, reference, scratch, unsupported};
use crate::per_group::per_group;
use crate::sort::Order;

/// More documents than a first batch of 16 MB holds, so that a result comes in as few batches as it can.
pub(crate) const ONE_BATCH: i64 = 1_000_000;

/// What the documents of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Rows of the model.
    Rows,
    /// One document with the number `n`; none for zero.
    Count,
    /// A document if there is a row.
    Exists,
}

/// Writes the command, or says that the answer is known without one: no row.
pub(crate) fn select(select: &Select, batch: i64, writer: &mut Writer) -> DBResult<Option<Answer>> {
    if let Some(group) = &select.per_group {
        return per_group(select, group, batch, writer);
    }
    let filter = Truth::new(&select.model).filter(&select.filter)?;
    let answer = match select.output {
        Output::Model => Answer::Rows,
        Output::Count => Answer::Count,
        Output::Exists => Answer::Exists,
        _ => return Err(unsupported("this output of a select")),
    };
    // To a server a limit of zero is none.
    if filter.is_nothing() || select.limit == Some(0) {
        return Ok(None);
    }
    let sort = if answer == Answer::Rows { select.sort.as_slice() } else { &[] };
    let order = Order::new(&select.model, sort, 0)?;
    match answer {
        Answer::Count => count(select, &filter, writer)?,
        _ if filter.is_related() || order.needs_pipeline() => pipeline(select, &order, &filter, answer, batch, writer)?,
        _ => find(select, &order, &filter, answer, batch, writer)?,
    }
    Ok(Some(answer))
}

/// A number of rows. No collection has more than `i64::MAX`, so what is above means the same.
fn rows(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn find(
    select: &Select,
    order: &Order<'_>,
    filter: &Filter<'_>,
    answer: Answer,
    batch: i64,
    writer: &mut Writer,
) -> DBResult<()> {
    let model = &select.model;
    writer.string("find", &model.table);
    if !filter.is_all() {
        filter.write(writer, "filter", model)?;
    }
    if answer == Answer::Exists {
        writer.begin_document("projection");
        writer.int32(ID, 1);
        writer.end();
    } else if !order.is_empty() {
        writer.begin_document("sort");
        order.write(writer)?;
        writer.end();
        writer.bool("allowDiskUse", true);
    }
    if let Some(offset) = select.offset.filter(|offset| *offset > 0) {
        writer.given_int("skip", rows(offset));
    }
    if answer == Answer::Exists {
        writer.int64("limit", 1);
        writer.bool("singleBatch", true);
        return Ok(());
    }
    if let Some(limit) = select.limit {
        writer.given_int("limit", rows(limit));
    }
    writer.int64("batchSize", batch);
    Ok(())
}

/// Begins `aggregate`, and leaves the pipeline open.
pub(crate) fn begin_pipeline(model: &ModelSchema, writer: &mut Writer) {
    writer.string("aggregate", &model.table);
    writer.begin_array("pipeline");
}

/// Ends a pipeline and writes what `aggregate` needs beside it.
pub(crate) fn end_pipeline(batch: i64, writer: &mut Writer) {
    writer.end();
    writer.begin_document("cursor");
    writer.int64("batchSize", batch);
    writer.end();
    writer.bool("allowDiskUse", true);
}

/// Writes the stages that leave out some rows, and take some.
pub(crate) fn page(offset: Option<u64>, limit: Option<u64>, writer: &mut Writer) {
    if let Some(offset) = offset.filter(|offset| *offset > 0) {
        writer.item_document();
        writer.given_int("$skip", rows(offset));
        writer.end();
    }
    if let Some(limit) = limit {
        writer.item_document();
        writer.given_int("$limit", rows(limit));
        writer.end();
    }
}

/// Writes the stage that leaves of each document what is stored.
pub(crate) fn unset(fields: &[&str], writer: &mut Writer) {
    if fields.is_empty() {
        return;
    }
    writer.item_document();
    writer.begin_array("$unset");
    fields.iter().for_each(|field| writer.item_string(field));
    writer.end();
    writer.end();
}

/// Writes the stage that leaves nothing of each document but its key.
pub(crate) fn keys_only(writer: &mut Writer) {
    writer.item_document();
    writer.begin_document("$project");
    writer.int32(ID, 1);
    writer.end();
    writer.end();
}

fn pipeline(
    select: &Select,
    order: &Order<'_>,
    filter: &Filter<'_>,
    answer: Answer,
    batch: i64,
    writer: &mut Writer,
) -> DBResult<()> {
    let model = &select.model;
    begin_pipeline(model, writer);
    filter.stages(model, writer)?;
    if answer == Answer::Exists {
        page(select.offset, None, writer);
        writer.item_document();
        writer.int32("$limit", 1);
        writer.end();
        keys_only(writer);
    } else {
        order.stages(writer)?;
        page(select.offset, select.limit, writer);
        let mut fields = Vec::new();
        filter.fields_left(&mut fields);
        order.fields_left(&mut fields);
        unset(&fields, writer);
    }
    end_pipeline(batch, writer);
    Ok(())
}

fn count(select: &Select, filter: &Filter<'_>, writer: &mut Writer) -> DBResult<()> {
    let model = &select.model;
    begin_pipeline(model, writer);
    filter.own_stages(model, writer)?;
    let is_page = select.limit.is_some() || select.offset.is_some();
    let alike = filter.deciding().filter(|columns| !is_page && may_be_alike(model, columns));
    let number = scratch(model, "n", 0);
    if let Some(columns) = &alike {
        collect_alike(model, columns, &number, writer)?;
    }
    filter.related_stages(model, writer)?;
    page(select.offset, select.limit, writer);
    writer.item_document();
    writer.begin_document("$group");
    writer.null(ID);
    writer.begin_document("n");
    match alike {
        Some(_) => writer.string("$sum", &format!("${number}")),
        None => writer.int64("$sum", 1),
    }
    writer.end();
    writer.end();
    writer.end();
    end_pipeline(1, writer);
    Ok(())
}

/// Whether several rows may have the same values in these columns. A part of a key is taken for one that differs.
fn may_be_alike(model: &ModelSchema, columns: &[u16]) -> bool {
    let holds = |unique: &[u16]| unique.iter().all(|column| columns.contains(column));
    !columns.iter().any(|column| model.key.contains(column))
        && !model.uniques.iter().any(|unique| holds(&unique.columns))
}

/// Writes the stage that leaves one document of those which have the same values in these columns, under their names, and how many there
/// are: rows that refer to the same row need it looked up once.
fn collect_alike(model: &ModelSchema, columns: &[u16], number: &str, writer: &mut Writer) -> DBResult<()> {
    writer.item_document();
    writer.begin_document("$group");
    writer.begin_document(ID);
    for (place, column) in columns.iter().enumerate() {
        writer.string(&format!("c{place}"), &reference(model, *column)?);
    }
    writer.end();
    for column in columns {
        writer.begin_document(&path(model, *column)?);
        writer.string("$first", &reference(model, *column)?);
        writer.end();
    }
    writer.begin_document(number);
    writer.int64("$sum", 1);
    writer.end();
    writer.end();
    writer.end();
    Ok(())
}
