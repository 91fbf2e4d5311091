//! What a column compares with.

use super::Column;
use crate::ast::Expr;
use crate::value::{FieldType, InvalidValue, Value};

/// What a column of type `T` of model `M` compares with and can be set to: a value of its type, `&str` for text, `None` or the
/// bare value for an optional column, and other columns of the same model and type.
///
/// `T` stands before `M` so that a crate can implement it for its own field types.
#[diagnostic::on_unimplemented(
    message = "a column of `{M}` with type `{T}` cannot take a `{Self}`",
    label = "expected `{T}`, or a column of `{M}` with this type"
)]
pub trait Operand<T, M> {
    /// The expression.
    ///
    /// # Errors
    /// [`InvalidValue`] for what no column can hold.
    fn operand(self) -> Result<Expr, InvalidValue>;
}

/// The value as a literal of a query.
pub(crate) fn literal(value: Result<Value<'static>, InvalidValue>) -> Result<Expr, InvalidValue> {
    let value = value?;
    value.check()?;
    Ok(Expr::Value(value))
}

impl<M, T: FieldType> Operand<T, M> for T {
    fn operand(self) -> Result<Expr, InvalidValue> {
        literal(self.into_value())
    }
}

impl<M, T: FieldType> Operand<Option<T>, M> for T {
    fn operand(self) -> Result<Expr, InvalidValue> {
        literal(self.into_value())
    }
}

impl<M, T: FieldType> Operand<T, M> for &T {
    fn operand(self) -> Result<Expr, InvalidValue> {
        literal(self.encode().map(Value::into_owned))
    }
}

impl<M, T: FieldType> Operand<Option<T>, M> for &T {
    fn operand(self) -> Result<Expr, InvalidValue> {
        literal(self.encode().map(Value::into_owned))
    }
}

impl<M> Operand<String, M> for &str {
    fn operand(self) -> Result<Expr, InvalidValue> {
        literal(Ok(Value::Text(self.to_owned().into())))
    }
}

impl<M> Operand<Option<String>, M> for &str {
    fn operand(self) -> Result<Expr, InvalidValue> {
        Operand::<String, M>::operand(self)
    }
}

impl<M> Operand<Vec<u8>, M> for &[u8] {
    fn operand(self) -> Result<Expr, InvalidValue> {
        literal(Ok(Value::Bytes(self.to_owned().into())))
    }
}

impl<M, T> Operand<T, M> for Column<M, T> {
    fn operand(self) -> Result<Expr, InvalidValue> {
        Ok(Expr::Column(self.index()))
    }
}

impl<M, T> Operand<Option<T>, M> for Column<M, T> {
    fn operand(self) -> Result<Expr, InvalidValue> {
        Ok(Expr::Column(self.index()))
    }
}

impl<M, T> Operand<T, M> for Column<M, Option<T>> {
    fn operand(self) -> Result<Expr, InvalidValue> {
        Ok(Expr::Column(self.index()))
    }
}
