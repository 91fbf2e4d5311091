//! Tests in the language of expressions, for what the match language cannot say: two columns, and text that is too long for a pattern.
//!
//! In an expression types are not bracketed and NULL sorts below every value, so `$x < $y` holds where x is NULL: hence the guards. A
//! missing field is *not* equal to NULL there; `{$gt: ["$f", null]}` is "has a value".

use ommi_core::DBResult;
use ommi_core::ast::CompareOp;
use ommi_core::schema::ModelSchema;
use ommi_core::value::{ColumnType, Value};

use crate::bson::Writer;
use crate::names::{path, reference, unsupported};

/// Two columns, compared; false where either is NULL.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) op: CompareOp,
    pub(crate) left: u16,
    pub(crate) right: u16,
}

impl Columns {
    pub(super) fn write(&self, writer: &mut Writer, model: &ModelSchema) -> DBResult<()> {
        // Where the other one is NULL or missing, it sorts below the one that is guarded, and the comparison fails by itself.
        let (operator, guards): (_, &[u16]) = match self.op {
            CompareOp::Eq => ("$eq", &[self.left]),
            CompareOp::Ne => ("$ne", &[self.left, self.right]),
            CompareOp::Lt => ("$lt", &[self.left]),
            CompareOp::Le => ("$lte", &[self.left]),
            CompareOp::Gt => ("$gt", &[self.right]),
            CompareOp::Ge => ("$gte", &[self.right]),
            _ => return Err(unsupported("this comparison")),
        };
        writer.begin_array("$and");
        for &guard in guards {
            writer.item_document();
            writer.begin_document(&path(model, guard)?);
            writer.null("$ne");
            writer.end();
            writer.end();
        }
        writer.item_document();
        writer.begin_document("$expr");
        writer.begin_array(operator);
        writer.item_string(&reference(model, self.left)?);
        writer.item_string(&reference(model, self.right)?);
        writer.end();
        writer.end();
        writer.end();
        writer.end();
        Ok(())
    }
}

/// Where a needle is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Anywhere,
    Start,
    End,
    Whole,
}

/// A side of a search.
#[derive(Debug)]
pub(crate) enum Side<'a> {
    Column(u16),
    /// Folded already where the search folds.
    Text(Value<'a>),
}

/// Text within text, without a pattern.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) place: Place,
    /// Whether A-Z equal a-z. `$toLower` folds these and nothing else.
    pub(crate) fold: bool,
    pub(crate) text: Side<'a>,
    pub(crate) needle: Side<'a>,
    pub(crate) negated: bool,
}

impl Search<'_> {
    /// `{$expr: {$cond: [<every column has a value>, <test>, false]}}`: the functions fail on NULL, and `$and` promises no order.
    pub(super) fn write(&self, writer: &mut Writer, model: &ModelSchema) -> DBResult<()> {
        writer.begin_document("$expr");
        writer.begin_array("$cond");
        writer.item_document();
        writer.begin_array("$and");
        for side in [&self.text, &self.needle] {
            if let Side::Column(column) = side {
                writer.item_document();
                writer.begin_array("$gt");
                writer.item_string(&reference(model, *column)?);
                writer.item_null();
                writer.end();
                writer.end();
            }
        }
        writer.end();
        writer.end();
        writer.item_document();
        if self.negated {
            writer.begin_array("$not");
            writer.item_document();
        }
        self.test(writer, model)?;
        if self.negated {
            writer.end();
            writer.end();
        }
        writer.end();
        let index = writer.index();
        writer.bool(index.as_str(), false);
        writer.end();
        writer.end();
        Ok(())
    }

    fn test(&self, writer: &mut Writer, model: &ModelSchema) -> DBResult<()> {
        match self.place {
            Place::Anywhere => {
                writer.begin_array("$gte");
                self.find(writer, model, false)?;
                writer.item_int(0);
                writer.end();
            }
            Place::Start => {
                writer.begin_array("$eq");
                self.find(writer, model, false)?;
                writer.item_int(0);
                writer.end();
            }
            Place::End => {
                // o: where the needle must begin to end with the text.
                writer.begin_document("$let");
                writer.begin_document("vars");
                writer.begin_document("o");
                writer.begin_array("$subtract");
                for side in [&self.text, &self.needle] {
                    writer.item_document();
                    self.side(writer, Some("$strLenBytes"), side, model)?;
                    writer.end();
                }
                writer.end();
                writer.end();
                writer.end();
                writer.begin_document("in");
                writer.begin_array("$and");
                writer.item_document();
                writer.begin_array("$gte");
                writer.item_string("$$o");
                writer.item_int(0);
                writer.end();
                writer.end();
                writer.item_document();
                writer.begin_array("$eq");
                self.find(writer, model, true)?;
                writer.item_string("$$o");
                writer.end();
                writer.end();
                writer.end();
                writer.end();
                writer.end();
            }
            Place::Whole => {
                writer.begin_array("$eq");
                self.side(writer, None, &self.text, model)?;
                self.side(writer, None, &self.needle, model)?;
                writer.end();
            }
        }
        Ok(())
    }

    /// `{$indexOfBytes: [text, needle]}` as the next element of an array, from the place `o` on where it is said.
    fn find(&self, writer: &mut Writer, model: &ModelSchema, from_o: bool) -> DBResult<()> {
        writer.item_document();
        writer.begin_array("$indexOfBytes");
        self.side(writer, None, &self.text, model)?;
        self.side(writer, None, &self.needle, model)?;
        if from_o {
            writer.item_document();
            writer.begin_array("$max");
            writer.item_string("$$o");
            writer.item_int(0);
            writer.end();
            writer.end();
        }
        writer.end();
        writer.end();
        Ok(())
    }

    /// A side of the search under a name, or as the next element of an array.
    fn side(&self, writer: &mut Writer, key: Option<&str>, side: &Side<'_>, model: &ModelSchema) -> DBResult<()> {
        let index;
        let key = match key {
            Some(key) => key,
            None => {
                index = writer.index();
                index.as_str()
            }
        };
        match side {
            Side::Column(column) => {
                let reference = reference(model, *column)?;
                if self.fold {
                    writer.begin_document(key);
                    writer.string("$toLower", &reference);
                    writer.end();
                } else {
                    writer.string(key, &reference);
                }
            }
            Side::Text(text) => writer.literal(key, ColumnType::Text, text),
        }
        Ok(())
    }
}
