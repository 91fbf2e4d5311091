//! Keys given to `get`.

use crate::ast::{CompareOp, Condition, Expr};
use crate::schema::ModelSchema;
use crate::value::{FieldType, InvalidValue, Value};

/// What can be given for a key of type `K`: the key itself, `&str` for a text key, and for a composite key a tuple of
/// what its parts take, of which there may be six.
#[diagnostic::on_unimplemented(
    message = "a key of type `{K}` cannot be looked up by a `{Self}`",
    label = "expected `{K}`"
)]
pub trait IntoKey<K> {
    /// Writes the values of the key's columns, in order.
    ///
    /// # Errors
    /// [`InvalidValue`] for what no column can hold.
    fn write(self, key: &mut KeyWriter<'_>) -> Result<(), InvalidValue>;
}

/// Makes a condition of the values of a key.
#[derive(Debug)]
pub struct KeyWriter<'s> {
    columns: std::slice::Iter<'s, u16>,
    condition: Condition,
}

impl<'s> KeyWriter<'s> {
    pub(crate) fn new(schema: &'s ModelSchema) -> KeyWriter<'s> {
        KeyWriter { columns: schema.key.iter(), condition: Condition::True }
    }

    /// Writes the value of the key's next column.
    ///
    /// # Errors
    /// [`InvalidValue`] for what no column can hold, and for more values than the key has columns.
    pub fn push(&mut self, value: Value<'static>) -> Result<(), InvalidValue> {
        let column = self.columns.next().ok_or_else(|| InvalidValue::new("a key with more parts than the model's"))?;
        value.check().map_err(|invalid| invalid.at(*column))?;
        let this = Condition::compare(CompareOp::Eq, Expr::Column(*column), Expr::Value(value));
        self.condition = std::mem::replace(&mut self.condition, Condition::True).and(this);
        Ok(())
    }

    /// The condition that the key's columns have these values.
    pub(crate) fn finish(self) -> Condition {
        self.condition
    }
}

impl<T: FieldType> IntoKey<T> for T {
    fn write(self, key: &mut KeyWriter<'_>) -> Result<(), InvalidValue> {
        key.push(self.into_value()?)
    }
}

impl<T: FieldType> IntoKey<T> for &T {
    fn write(self, key: &mut KeyWriter<'_>) -> Result<(), InvalidValue> {
        key.push(self.encode()?.into_owned())
    }
}

impl IntoKey<String> for &str {
    fn write(self, key: &mut KeyWriter<'_>) -> Result<(), InvalidValue> {
        key.push(Value::Text(self.to_owned().into()))
    }
}

macro_rules! tuples {
    ($($key:ident $given:ident)*) => {
        impl<$($key, $given: IntoKey<$key>),*> IntoKey<($($key,)*)> for ($($given,)*) {
            #[allow(non_snake_case)] // Each type parameter names its part of the tuple.
            fn write(self, key: &mut KeyWriter<'_>) -> Result<(), InvalidValue> {
                let ($($given,)*) = self;
                $($given.write(key)?;)*
                Ok(())
            }
        }
    };
}

tuples!(A A1 B B1);
tuples!(A A1 B B1 C C1);
tuples!(A A1 B B1 C C1 D D1);
tuples!(A A1 B B1 C C1 D D1 E E1);
tuples!(A A1 B B1 C C1 D D1 E E1 F F1);
