//! The state of a traversal, and what all statements write alike: names, expressions, binds, assignments.

use ommi_core::ast::{Assignment, Change, Expr};
use ommi_core::schema::ModelSchema;
use ommi_core::value::{ColumnType, Value};
use ommi_core::{DBError, DBResult};

use crate::{Bind, Dialect, Out, Piece};

/// One traversal.
pub(crate) struct Sql<'s, D, O> {
    pub(crate) dialect: &'s D,
    pub(crate) out: &'s mut O,
    pub(crate) model: &'s ModelSchema,
    placeholders: usize,
}

impl<'s, D: Dialect, O: Out> Sql<'s, D, O> {
    pub(crate) fn new(model: &'s ModelSchema, dialect: &'s D, out: &'s mut O) -> Sql<'s, D, O> {
        Sql { dialect, out, model, placeholders: 0 }
    }

    pub(crate) fn text(&mut self, text: &str) {
        if O::TEXT {
            self.out.text(text);
        }
    }

    pub(crate) fn name(&mut self, name: &str) {
        if O::TEXT {
            write_quoted(name, self.dialect.quote(), &mut |piece| self.out.text(piece));
        }
    }

    /// The table's name.
    pub(crate) fn table(&mut self) {
        if let Some(schema) = &self.model.schema {
            self.name(schema);
            self.text(".");
        }
        self.name(&self.model.table);
    }

    pub(crate) fn column(&mut self, index: u16) -> DBResult<()> {
        if O::TEXT {
            let column = self.model.column(index).ok_or_else(|| no_column(self.model, index))?;
            self.name(&column.name);
        }
        Ok(())
    }

    /// Columns, with commas between them.
    pub(crate) fn columns(&mut self, columns: &[u16]) -> DBResult<()> {
        if O::TEXT {
            for (i, &column) in columns.iter().enumerate() {
                if i > 0 {
                    self.text(", ");
                }
                self.column(column)?;
            }
        }
        Ok(())
    }

    /// A placeholder and what is bound to it.
    pub(crate) fn bind(&mut self, bind: Bind<'_>, ty: Option<ColumnType>) -> DBResult<()> {
        self.placeholders += 1;
        let (ty, is_array) = match &bind {
            Bind::Value(value) => (ty.or_else(|| natural_type(value)), false),
            Bind::List(values) => (ty.or_else(|| values_type(values)), true),
            Bind::Column(_) => (ty, true),
        };
        if O::TEXT {
            let out = &mut *self.out;
            let mut text = |piece: &str| out.text(piece);
            match is_array {
                true => self.dialect.array_placeholder(self.placeholders, ty, &mut text),
                false => self.dialect.placeholder(self.placeholders, ty, &mut text),
            }
        }
        self.out.bind(bind, ty)
    }

    pub(crate) fn value(&mut self, value: &Value<'_>, ty: Option<ColumnType>) -> DBResult<()> {
        self.bind(Bind::Value(value.borrowed()), ty)
    }

    /// An expression; a value in it is bound as one of type `ty`.
    pub(crate) fn expr(&mut self, expr: &Expr, ty: Option<ColumnType>) -> DBResult<()> {
        match expr {
            Expr::Column(column) => self.column(*column),
            Expr::Value(value) => self.value(value, ty),
            _ => Err(self.unsupported("this expression")),
        }
    }

    /// As [`expr`](Sql::expr), where it is ordered: text by its bytes.
    pub(crate) fn ordered(&mut self, expr: &Expr, ty: Option<ColumnType>) -> DBResult<()> {
        self.expr(expr, ty)?;
        if ty == Some(ColumnType::Text) {
            self.text(self.dialect.bytewise());
        }
        Ok(())
    }

    /// The type of a column; none for a value.
    pub(crate) fn ty(&self, expr: &Expr) -> Option<ColumnType> {
        match expr {
            Expr::Column(column) => self.column_ty(*column),
            _ => None,
        }
    }

    /// The type that things have which are compared: that of a column among them, else that of a value.
    pub(crate) fn common_ty(&self, exprs: &[&Expr]) -> Option<ColumnType> {
        let of_value = |expr: &&Expr| match expr {
            Expr::Value(value) => natural_type(value),
            _ => None,
        };
        exprs.iter().find_map(|expr| self.ty(expr)).or_else(|| exprs.iter().find_map(of_value))
    }

    pub(crate) fn column_ty(&self, column: u16) -> Option<ColumnType> {
        self.model.column(column).map(|column| column.ty)
    }

    /// What follows SET. `qualified` writes the table before a column that is read, for statements in which two rows are in sight.
    pub(crate) fn assignments(&mut self, assignments: &[Assignment], qualified: bool) -> DBResult<()> {
        for (i, Assignment { column, change, .. }) in assignments.iter().enumerate() {
            if i > 0 {
                self.text(", ");
            }
            self.column(*column)?;
            self.text(" = ");
            let ty = self.column_ty(*column);
            let (subtract, step) = match change {
                Change::Set(expr) => {
                    if qualified && matches!(expr, Expr::Column(_)) {
                        self.table();
                        self.text(".");
                    }
                    self.expr(expr, ty)?;
                    continue;
                }
                Change::Add(step) => (false, step),
                Change::Subtract(step) => (true, step),
                _ => return Err(self.unsupported("this change of a column")),
            };
            let pieces = match ty {
                Some(ty @ (ColumnType::F32 | ColumnType::F64)) => self.dialect.float_sum(ty, subtract),
                _ => None,
            };
            let operator = Piece::Sql(if subtract { " - " } else { " + " });
            for piece in pieces.unwrap_or(&[Piece::Left, operator, Piece::Right]) {
                match piece {
                    Piece::Sql(text) => self.text(text),
                    Piece::Left => {
                        if qualified {
                            self.table();
                            self.text(".");
                        }
                        self.column(*column)?;
                    }
                    Piece::Right => self.value(step, ty)?,
                }
            }
        }
        Ok(())
    }

    pub(crate) fn unsupported(&self, feature: &'static str) -> DBError {
        DBError::unsupported(self.dialect.name(), feature)
    }
}

/// The type of a list that meets no column.
pub(crate) fn values_type(values: &[Value<'_>]) -> Option<ColumnType> {
    values.first().and_then(natural_type)
}

/// The type of a value that meets no column; none of NULL, which has every type.
fn natural_type(value: &Value<'_>) -> Option<ColumnType> {
    Some(match value {
        Value::Bool(_) => ColumnType::Bool,
        Value::Int(_) => ColumnType::I64,
        Value::Float(_) => ColumnType::F64,
        Value::Text(_) => ColumnType::Text,
        Value::Bytes(_) => ColumnType::Bytes,
        Value::Uuid(_) => ColumnType::Uuid,
        Value::Date(_) => ColumnType::Date,
        Value::Time(_) => ColumnType::Time,
        Value::DateTime(_) => ColumnType::DateTime,
        Value::Timestamp(_) => ColumnType::Timestamp,
        _ => return None,
    })
}

/// A column that the model lacks: [`ommi_core::ast::check`] finds it before any traversal.
fn no_column(model: &ModelSchema, index: u16) -> DBError {
    DBError::query(format!("{} has no column number {index}", model.name))
}

/// A table's name in quotes, after its schema's where it names one.
pub fn quote_table(model: &ModelSchema, quote: char) -> String {
    quote_in(model, &model.table, quote)
}

/// The name, in quotes, of something that is in the schema of a model's table: an index of it, say.
pub fn quote_in(model: &ModelSchema, name: &str, quote: char) -> String {
    let name = self::quote(name, quote);
    match &model.schema {
        Some(schema) => format!("{}.{name}", self::quote(schema, quote)),
        None => name,
    }
}

/// A name in quotes.
pub fn quote(name: &str, quote: char) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    write_quoted(name, quote, &mut |piece| text.push_str(piece));
    text
}

/// Writes a name in quotes, with the quotes in it doubled.
fn write_quoted(name: &str, quote: char, out: &mut dyn FnMut(&str)) {
    let mut buffer = [0; 4];
    let quote_text: &str = quote.encode_utf8(&mut buffer);
    out(quote_text);
    for (i, part) in name.split(quote).enumerate() {
        if i > 0 {
            out(quote_text);
            out(quote_text);
        }
        out(part);
    }
    out(quote_text);
}
