//! Conditions as filters.
//!
//! A filter selects the documents for which something holds, and knows no third answer. So a condition is compiled by two functions,
//! never by one and a negation: *true* gives the filter of the rows for which it is true, *false* that of the rows for which it is
//! false, and rows for which it is unknown are in neither. `NOT` swaps the two; `$nor` and `$not` around a filter would take
//! unknown for false.
//!
//! [`truth`] has the two functions, which fold constants: a filter may turn out to select nothing, and then nothing need be
//! sent. [`leaf`] writes what is left; [`text`] and [`expr`] are the leaves that search in text and compare columns, [`related`] those that look at
//! other collections.

mod constant;
mod expr;
mod leaf;
mod related;
#[cfg(test)]
mod searches;
#[cfg(test)]
mod tests;
mod text;
mod truth;

pub(crate) use truth::Truth;

use ommi_core::DBResult;
use ommi_core::schema::ModelSchema;

use crate::bson::Writer;
use crate::names::scratch;
use leaf::Leaf;

/// A filter, without constants below the top.
#[derive(Debug)]
pub(crate) enum Filter<'a> {
    /// Every document.
    All,
    /// No document.
    Nothing,
    /// Those that each of these selects; two at least.
    And(Vec<Filter<'a>>),
    /// Those that one of these selects; two at least.
    Or(Vec<Filter<'a>>),
    /// One test of a document.
    Test(Leaf<'a>),
}

impl<'a> Filter<'a> {
    fn constant(holds: bool) -> Filter<'a> {
        if holds { Filter::All } else { Filter::Nothing }
    }

    /// What all of these select. Empty arrays are errors to a server, so none is made.
    fn and(parts: impl IntoIterator<Item = DBResult<Filter<'a>>>) -> DBResult<Filter<'a>> {
        let mut kept = Vec::new();
        for part in parts {
            match part? {
                Filter::All => {}
                Filter::Nothing => return Ok(Filter::Nothing),
                Filter::And(parts) => kept.extend(parts),
                part => kept.push(part),
            }
        }
        Ok(match (kept.len(), kept.pop()) {
            (_, None) => Filter::All,
            (1, Some(only)) => only,
            (_, Some(last)) => {
                kept.push(last);
                Filter::And(kept)
            }
        })
    }

    /// What any of these selects.
    fn or(parts: impl IntoIterator<Item = DBResult<Filter<'a>>>) -> DBResult<Filter<'a>> {
        let mut kept = Vec::new();
        for part in parts {
            match part? {
                Filter::Nothing => {}
                Filter::All => return Ok(Filter::All),
                Filter::Or(parts) => kept.extend(parts),
                part => kept.push(part),
            }
        }
        Ok(match (kept.len(), kept.pop()) {
            (_, None) => Filter::Nothing,
            (1, Some(only)) => only,
            (_, Some(last)) => {
                kept.push(last);
                Filter::Or(kept)
            }
        })
    }

    /// Whether it selects no document, so that nothing need be asked.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Filter::Nothing)
    }

    /// Whether it selects every document.
    pub(crate) fn is_all(&self) -> bool {
        matches!(self, Filter::All)
    }

    /// Whether it looks at related rows, and so needs [`stages`](Filter::stages).
    pub(crate) fn is_related(&self) -> bool {
        match self {
            Filter::Test(leaf) => matches!(leaf, Leaf::Related(_)),
            Filter::And(parts) | Filter::Or(parts) => parts.iter().any(Filter::is_related),
            Filter::All | Filter::Nothing => false,
        }
    }

    /// Names the fields that take the related rows: one for each, and none of the model's.
    fn name_fields(&mut self, model: &ModelSchema, next: &mut usize) {
        match self {
            Filter::Test(Leaf::Related(rows)) => {
                rows.field = scratch(model, "r", *next);
                *next += 1;
            }
            Filter::And(parts) | Filter::Or(parts) => parts.iter_mut().for_each(|part| part.name_fields(model, next)),
            _ => {}
        }
    }

    /// The fields that [`stages`](Filter::stages) leaves in the documents.
    pub(crate) fn fields_left<'f>(&'f self, fields: &mut Vec<&'f str>) {
        match self {
            Filter::Test(Leaf::Related(rows)) => fields.push(&rows.field),
            Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| part.fields_left(fields)),
            _ => {}
        }
    }

    /// What all of must hold.
    fn parts(&self) -> &[Filter<'a>] {
        match self {
            Filter::All => &[],
            Filter::And(parts) => parts,
            one => std::slice::from_ref(one),
        }
    }

    /// Writes the stages that leave the documents which it selects: first what a `$match` says by itself, then related rows, one after the
    /// other, each for what the ones before have left.
    pub(crate) fn stages(&self, model: &ModelSchema, writer: &mut Writer) -> DBResult<()> {
        self.own_stages(model, writer)?;
        self.related_stages(model, writer)
    }

    /// Of the stages, what looks at no other rows.
    pub(crate) fn own_stages(&self, model: &ModelSchema, writer: &mut Writer) -> DBResult<()> {
        let plain: Vec<&Filter<'_>> = self.parts().iter().filter(|part| !part.is_related()).collect();
        if plain.is_empty() { Ok(()) } else { matching(&plain, model, writer) }
    }

    /// The rest of the stages.
    pub(crate) fn related_stages(&self, model: &ModelSchema, writer: &mut Writer) -> DBResult<()> {
        for part in self.parts().iter().filter(|part| part.is_related()) {
            part.lookups(writer)?;
            matching(&[part], model, writer)?;
        }
        Ok(())
    }

    /// The columns that alone decide what [`related_stages`](Filter::related_stages) leave, each once: those by which rows are related. None
    /// where other columns have a say too, or nothing is related.
    pub(crate) fn deciding(&self) -> Option<Vec<u16>> {
        let mut columns = Vec::new();
        let mut related = self.parts().iter().filter(|part| part.is_related());
        (related.all(|part| part.is_decided(&mut columns)) && !columns.is_empty()).then_some(columns)
    }

    fn is_decided(&self, columns: &mut Vec<u16>) -> bool {
        match self {
            Filter::Test(Leaf::Related(rows)) => {
                rows.near_columns().for_each(|column| {
                    if !columns.contains(&column) {
                        columns.push(column);
                    }
                });
                true
            }
            Filter::And(parts) | Filter::Or(parts) => parts.iter().all(|part| part.is_decided(columns)),
            Filter::All | Filter::Nothing | Filter::Test(_) => false,
        }
    }

    /// Writes the stages that find the related rows.
    fn lookups(&self, writer: &mut Writer) -> DBResult<()> {
        match self {
            Filter::Test(Leaf::Related(rows)) => rows.stages(writer),
            Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(|part| part.lookups(writer)),
            _ => Ok(()),
        }
    }

    /// Writes it as a document of this name.
    pub(crate) fn write(&self, writer: &mut Writer, key: &str, model: &ModelSchema) -> DBResult<()> {
        writer.begin_document(key);
        self.fields(writer, model)?;
        writer.end();
        Ok(())
    }

    fn fields(&self, writer: &mut Writer, model: &ModelSchema) -> DBResult<()> {
        match self {
            Filter::All => Ok(()),
            Filter::Nothing => {
                // Not met where a caller asks first; an explanation shows it.
                writer.bool("$expr", false);
                Ok(())
            }
            Filter::Test(leaf) => leaf.write(writer, model),
            Filter::And(parts) => all_of(&parts.iter().collect::<Vec<_>>(), model, writer),
            Filter::Or(parts) => list("$or", parts, model, writer),
        }
    }
}

/// Writes the stage that leaves the documents which all of these select.
fn matching(parts: &[&Filter<'_>], model: &ModelSchema, writer: &mut Writer) -> DBResult<()> {
    writer.item_document();
    writer.begin_document("$match");
    all_of(parts, model, writer)?;
    writer.end();
    writer.end();
    Ok(())
}

/// Writes what all of these select: beside each other where they are tests of different fields, and one choice at most, else as `$and`. A server that
/// takes a filter as it is written (SecantusDB does) needs a sixth less time than for `$and`.
fn all_of<'a>(parts: &[&Filter<'a>], model: &ModelSchema, writer: &mut Writer) -> DBResult<()> {
    let mut taken = Vec::new();
    let mut choices = 0;
    let are_apart = parts.iter().all(|part| match part {
        Filter::Test(leaf) => leaf.field().is_some_and(|field| {
            let is_new = !taken.contains(&field);
            taken.push(field);
            is_new
        }),
        Filter::Or(_) => {
            choices += 1;
            choices == 1
        }
        _ => false,
    });
    match are_apart || parts.len() == 1 {
        true => parts.iter().try_for_each(|part| part.fields(writer, model)),
        false => list("$and", parts.iter().copied(), model, writer),
    }
}

/// Writes filters as a list for this operator.
fn list<'f, 'a: 'f>(
    operator: &str,
    parts: impl IntoIterator<Item = &'f Filter<'a>>,
    model: &ModelSchema,
    writer: &mut Writer,
) -> DBResult<()> {
    writer.begin_array(operator);
    for part in parts {
        writer.item_document();
        part.fields(writer, model)?;
        writer.end();
    }
    writer.end();
    Ok(())
}
