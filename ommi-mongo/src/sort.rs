//! Orders: the server's own sort where it suffices, fields of their own where it does not.
//!
//! MongoDB sorts NULL first upwards and last downwards. To stand elsewhere, it gets a field that says on which side of the values it is. A
//! column of a related row is looked up into a field before it is sorted by; where there is no such row, the field is missing, and sorts as
//! NULL.

use ommi_core::DBResult;
use ommi_core::ast::{Direction, Expr, Nulls, RelatedExpr, Sort};
use ommi_core::schema::ModelSchema;
use ommi_core::value::ColumnType;

use crate::bson::Writer;
use crate::lookup::{Join, deeper};
use crate::names::{ID, path, reference, scratch, unsupported};

/// The field, in what is looked up, of what is sorted by.
const VALUE: &str = "v";

/// The terms of an order.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    model: &'a ModelSchema,
    terms: Vec<Term<'a>>,
    /// How many `$lookup` it stands within.
    depth: usize,
}

#[derive(Debug)]
struct Term<'a> {
    key: Key<'a>,
    sort: &'a Sort,
    /// The field that says where NULL is to be, where that is not where the server puts it.
    mark: Option<String>,
}

#[derive(Debug)]
enum Key<'a> {
    Column(u16),
    /// A column of a related row, looked up into this field.
    Related(&'a RelatedExpr, String),
}

impl<'a> Order<'a> {
    /// The columns of a sort, each once: the second time it decides nothing, and a server refuses it.
    pub(crate) fn new(model: &'a ModelSchema, sort: &'a [Sort], depth: usize) -> DBResult<Order<'a>> {
        let mut terms: Vec<Term<'a>> = Vec::with_capacity(sort.len());
        for sort in sort {
            let number = terms.len();
            let key = match &sort.expr {
                Expr::Column(column) if terms.iter().any(|term| term.is_column(*column)) => continue,
                Expr::Column(column) => Key::Column(*column),
                Expr::Related(related) => Key::Related(related, scratch(model, "o", number)),
                // The same for every row.
                Expr::Value(_) => continue,
                _ => return Err(unsupported("this expression")),
            };
            let is_nullable = match key {
                Key::Column(column) => model.column(column).is_none_or(|column| column.nullable),
                Key::Related(..) => true,
            };
            let mark = (is_nullable && !sort.has_default_nulls()).then(|| scratch(model, "s", number));
            terms.push(Term { key, sort, mark });
        }
        Ok(Order { model, terms, depth })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether it needs fields that are not stored.
    pub(crate) fn needs_pipeline(&self) -> bool {
        self.terms.iter().any(|term| term.mark.is_some() || matches!(term.key, Key::Related(..)))
    }

    /// Writes the fields of the open document that a sort is.
    pub(crate) fn write(&self, writer: &mut Writer) -> DBResult<()> {
        for term in &self.terms {
            if let Some(mark) = &term.mark {
                writer.int32(mark, 1);
            }
            let direction = match term.sort.direction {
                Direction::Ascending => 1,
                Direction::Descending => -1,
            };
            match &term.key {
                Key::Column(column) => writer.int32(&path(self.model, *column)?, direction),
                Key::Related(_, field) => writer.int32(&format!("{field}.{VALUE}"), direction),
            }
        }
        Ok(())
    }

    /// Writes the stages that make the fields which are not stored.
    pub(crate) fn prepare(&self, writer: &mut Writer) -> DBResult<()> {
        for term in &self.terms {
            if let Key::Related(related, field) = &term.key {
                look_up(self.model, related, field, self.depth, writer)?;
            }
        }
        if self.terms.iter().all(|term| term.mark.is_none()) {
            return Ok(());
        }
        writer.item_document();
        writer.begin_document("$set");
        for term in &self.terms {
            let Some(mark) = &term.mark else { continue };
            let value = match &term.key {
                Key::Column(column) => reference(self.model, *column)?,
                Key::Related(_, field) => format!("${field}.{VALUE}"),
            };
            let values_first = matches!(term.sort.nulls, Nulls::Last);
            writer.begin_document(mark);
            writer.begin_array("$cond");
            writer.item_document();
            writer.begin_array("$gt");
            writer.item_string(&value);
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
        Ok(())
    }

    /// Writes the stages that sort.
    pub(crate) fn stages(&self, writer: &mut Writer) -> DBResult<()> {
        if self.is_empty() {
            return Ok(());
        }
        self.prepare(writer)?;
        writer.item_document();
        writer.begin_document("$sort");
        self.write(writer)?;
        writer.end();
        writer.end();
        Ok(())
    }

    /// The fields that it leaves in the documents.
    pub(crate) fn fields_left<'f>(&'f self, fields: &mut Vec<&'f str>) {
        for term in &self.terms {
            if let Key::Related(_, field) = &term.key {
                fields.push(field);
            }
            fields.extend(term.mark.as_deref());
        }
    }
}

impl Term<'_> {
    fn is_column(&self, column: u16) -> bool {
        matches!(self.key, Key::Column(own) if own == column)
    }
}

/// Writes the stages that put `{v: <value>}` of the related row into a field.
fn look_up(near: &ModelSchema, related: &RelatedExpr, field: &str, depth: usize, writer: &mut Writer) -> DBResult<()> {
    let RelatedExpr { model: far, on, expr, .. } = related;
    let depth = deeper(depth)?;
    Join { near, far, on }.begin(field, writer)?;
    // There is one at most. Should others have stored two, a row is not there twice for it.
    writer.item_document();
    writer.int32("$limit", 1);
    writer.end();
    let inner = scratch(far, "o", 0);
    if let Expr::Related(next) = expr {
        look_up(far, next, &inner, depth, writer)?;
    }
    writer.item_document();
    writer.begin_document("$project");
    writer.int32(ID, 0);
    match expr {
        Expr::Column(column) => writer.string(VALUE, &reference(far, *column)?),
        Expr::Value(value) => writer.literal(VALUE, ColumnType::I64, value),
        Expr::Related(_) => writer.string(VALUE, &format!("${inner}.{VALUE}")),
        _ => return Err(unsupported("this expression")),
    }
    writer.end();
    writer.end();
    Join::end(field, writer);
    writer.item_document();
    writer.begin_document("$set");
    writer.begin_document(field);
    writer.string("$first", &format!("${field}"));
    writer.end();
    writer.end();
    writer.end();
    Ok(())
}
