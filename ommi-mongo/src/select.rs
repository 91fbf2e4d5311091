//! Reading: `find` where that suffices, a pipeline where it does not.

use ommi_core::DBResult;
use ommi_core::ast::{Direction, Expr, Nulls, Output, Select, Sort};

use crate::bson::Writer;
use crate::condition::{Filter, Truth};
use crate::names::{ID, path, reference, scratch, unsupported};

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
    let terms = match answer {
        Answer::Rows => terms(select)?,
        _ => Vec::new(),
    };
    match answer {
        Answer::Count => count(select, &filter, writer)?,
        Answer::Rows if needs_pipeline(select, &terms) => pipeline(select, &terms, &filter, batch, writer)?,
        _ => find(select, &terms, &filter, answer, batch, writer)?,
    }
    Ok(Some(answer))
}

/// A number of rows. No collection has more than `i64::MAX`, so what is above means the same.
fn rows(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The columns of a sort, each once: the second time it decides nothing, and a server refuses it.
fn terms(select: &Select) -> DBResult<Vec<(u16, &Sort)>> {
    let mut terms: Vec<(u16, &Sort)> = Vec::with_capacity(select.sort.len());
    for sort in &select.sort {
        match &sort.expr {
            Expr::Column(column) if terms.iter().any(|(seen, _)| seen == column) => {}
            Expr::Column(column) => terms.push((*column, sort)),
            // The same for every row.
            Expr::Value(_) => {}
            _ => return Err(unsupported("this expression")),
        }
    }
    Ok(terms)
}

/// Whether NULL is to stand elsewhere than where MongoDB sorts it: first upwards, last downwards.
fn moves_nulls(select: &Select, column: u16, sort: &Sort) -> bool {
    !sort.has_default_nulls() && select.model.column(column).is_none_or(|column| column.nullable)
}

fn needs_pipeline(select: &Select, terms: &[(u16, &Sort)]) -> bool {
    terms.iter().any(|(column, sort)| moves_nulls(select, *column, sort))
}

fn direction(sort: &Sort) -> i32 {
    match sort.direction {
        Direction::Ascending => 1,
        Direction::Descending => -1,
    }
}

fn find(
    select: &Select,
    terms: &[(u16, &Sort)],
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
    } else if !terms.is_empty() {
        writer.begin_document("sort");
        for (column, sort) in terms {
            writer.int32(&path(model, *column)?, direction(sort));
        }
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

/// Begins `aggregate` with its `$match`, and leaves the pipeline open.
fn begin_pipeline(select: &Select, filter: &Filter<'_>, writer: &mut Writer) -> DBResult<()> {
    writer.string("aggregate", &select.model.table);
    writer.begin_array("pipeline");
    if !filter.is_all() {
        writer.item_document();
        filter.write(writer, "$match", &select.model)?;
        writer.end();
    }
    Ok(())
}

/// Ends a pipeline and writes what `aggregate` needs beside it.
fn end_pipeline(batch: i64, writer: &mut Writer) {
    writer.end();
    writer.begin_document("cursor");
    writer.int64("batchSize", batch);
    writer.end();
    writer.bool("allowDiskUse", true);
}

fn page(select: &Select, writer: &mut Writer) {
    if let Some(offset) = select.offset.filter(|offset| *offset > 0) {
        writer.item_document();
        writer.given_int("$skip", rows(offset));
        writer.end();
    }
    if let Some(limit) = select.limit {
        writer.item_document();
        writer.given_int("$limit", rows(limit));
        writer.end();
    }
}

/// A field says of each row on which side of the values its NULL stands, and is sorted by before them.
fn pipeline(
    select: &Select,
    terms: &[(u16, &Sort)],
    filter: &Filter<'_>,
    batch: i64,
    writer: &mut Writer,
) -> DBResult<()> {
    let model = &select.model;
    let marks: Vec<Option<String>> = terms
        .iter()
        .enumerate()
        .map(|(number, (column, sort))| moves_nulls(select, *column, sort).then(|| scratch(model, number)))
        .collect();
    begin_pipeline(select, filter, writer)?;
    writer.item_document();
    writer.begin_document("$set");
    for ((column, sort), mark) in terms.iter().zip(&marks) {
        let Some(mark) = mark else { continue };
        let values_first = matches!(sort.nulls, Nulls::Last);
        writer.begin_document(mark);
        writer.begin_array("$cond");
        writer.item_document();
        writer.begin_array("$gt");
        writer.item_string(&reference(model, *column)?);
        writer.item_null();
        writer.end();
        writer.end();
        writer.item_int(i64::from(!values_first));
        writer.item_int(i64::from(values_first));
        writer.end();
        writer.end();
    }
    writer.end();
    writer.end();
    writer.item_document();
    writer.begin_document("$sort");
    for ((column, sort), mark) in terms.iter().zip(&marks) {
        if let Some(mark) = mark {
            writer.int32(mark, 1);
        }
        writer.int32(&path(model, *column)?, direction(sort));
    }
    writer.end();
    writer.end();
    page(select, writer);
    writer.item_document();
    writer.begin_array("$unset");
    marks.iter().flatten().for_each(|mark| writer.item_string(mark));
    writer.end();
    writer.end();
    end_pipeline(batch, writer);
    Ok(())
}

fn count(select: &Select, filter: &Filter<'_>, writer: &mut Writer) -> DBResult<()> {
    begin_pipeline(select, filter, writer)?;
    page(select, writer);
    writer.item_document();
    writer.begin_document("$group");
    writer.null(ID);
    writer.begin_document("n");
    writer.int64("$sum", 1);
    writer.end();
    writer.end();
    writer.end();
    end_pipeline(1, writer);
    Ok(())
}
