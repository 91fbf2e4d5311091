//! The tests that a filter is made of, in the match language.
//!
//! Every comparison is written with its operator and every value below one, so that no value can be read as an operator:
//! `{f: {$eq: v}}`, never `{f: v}`. The guards against NULL are here and nowhere else; the tests below and those of [`super::truth`] show
//! that none of them can be left out.

use ommi_core::DBResult;
use ommi_core::schema::ModelSchema;
use ommi_core::value::Value;

use super::expr::{Columns, Search};
use super::related::Rows;
use crate::bson::Writer;
use crate::names::{ID, path, type_of};

/// A comparison that a NULL or missing field never meets: the match language compares only what is of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Op {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Op::Eq => "$eq",
            Op::Lt => "$lt",
            Op::Le => "$lte",
            Op::Gt => "$gt",
            Op::Ge => "$gte",
        }
    }
}

/// One test. No value in it is NULL or finer than BSON keeps it.
#[derive(Debug)]
pub(crate) enum Leaf<'a> {
    /// The column is NULL, or missing from a document that others wrote.
    Null(u16),
    /// The column has a value.
    NotNull(u16),
    /// The column is so compared with a value; both comparisons must hold where there are two.
    Compare { column: u16, first: (Op, Value<'a>), second: Option<(Op, Value<'a>)> },
    /// The column has a value, and it is another one.
    Unequal { column: u16, value: Value<'a> },
    /// The column has one of these values.
    Among { column: u16, values: Vec<Value<'a>> },
    /// The column has a value, and it is none of these.
    NotAmong { column: u16, values: Vec<Value<'a>> },
    /// The whole composite key is this, in the declared order.
    Key(Vec<(u16, Value<'a>)>),
    /// Text that a pattern finds; negated, text in which it does not.
    Pattern { column: u16, pattern: String, negated: bool },
    /// Two columns, compared.
    Columns(Columns),
    /// A search in text that no pattern can do.
    Search(Search<'a>),
    /// What a `$lookup` has found.
    Related(Box<Rows<'a>>),
}

/// What a test is of, where it is written as one field of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Column(u16),
    /// The whole composite key.
    Key,
}

impl Leaf<'_> {
    /// The one field that it is written as, if it is.
    pub(super) fn field(&self) -> Option<Field> {
        match self {
            Leaf::Null(column)
            | Leaf::NotNull(column)
            | Leaf::Compare { column, .. }
            | Leaf::Unequal { column, .. }
            | Leaf::Among { column, .. }
            | Leaf::NotAmong { column, .. }
            | Leaf::Pattern { column, .. } => Some(Field::Column(*column)),
            Leaf::Key(_) => Some(Field::Key),
            Leaf::Columns(_) | Leaf::Search(_) | Leaf::Related(_) => None,
        }
    }

    pub(super) fn write(&self, writer: &mut Writer, model: &ModelSchema) -> DBResult<()> {
        match self {
            Leaf::Null(column) => {
                writer.begin_document(&path(model, *column)?);
                writer.null("$eq");
            }
            Leaf::NotNull(column) => {
                writer.begin_document(&path(model, *column)?);
                writer.null("$ne");
            }
            Leaf::Compare { column, first, second } => {
                let ty = type_of(model, *column);
                writer.begin_document(&path(model, *column)?);
                for (op, value) in std::iter::once(first).chain(second) {
                    writer.value(op.name(), ty, value);
                }
            }
            Leaf::Unequal { column, value } => {
                let ty = type_of(model, *column);
                writer.begin_document(&path(model, *column)?);
                writer.begin_array("$nin");
                writer.item_value(ty, value);
                writer.item_null();
                writer.end();
            }
            Leaf::Among { column, values } => {
                writer.begin_document(&path(model, *column)?);
                writer.begin_array("$in");
                values.iter().for_each(|value| writer.item_value(type_of(model, *column), value));
                writer.end();
            }
            Leaf::NotAmong { column, values } => {
                writer.begin_document(&path(model, *column)?);
                writer.begin_array("$nin");
                values.iter().for_each(|value| writer.item_value(type_of(model, *column), value));
                writer.item_null();
                writer.end();
            }
            Leaf::Key(parts) => {
                writer.begin_document(ID);
                writer.begin_document("$eq");
                for (column, value) in parts {
                    let name = model.column(*column).map_or("", |column| &column.name);
                    writer.value(name, type_of(model, *column), value);
                }
                writer.end();
            }
            Leaf::Pattern { column, pattern, negated: false } => {
                writer.begin_document(&path(model, *column)?);
                writer.given_text("$regex", "<text>", pattern);
            }
            Leaf::Pattern { column, pattern, negated: true } => {
                writer.begin_document(&path(model, *column)?);
                writer.begin_document("$not");
                writer.given_text("$regex", "<text>", pattern);
                writer.end();
                // What has no value does not match a pattern, and is not meant.
                writer.null("$ne");
            }
            Leaf::Columns(columns) => return columns.write(writer, model),
            Leaf::Search(search) => return search.write(writer, model),
            Leaf::Related(rows) => {
                rows.test(writer);
                return Ok(());
            }
        }
        writer.end();
        Ok(())
    }
}
