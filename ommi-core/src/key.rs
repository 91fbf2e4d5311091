//! Keys given to `get`.

use crate::value::{FieldType, InvalidValue, Value};

/// What can be given for a key of type `K`: the key itself, `&str` for a text key, and for a composite key a tuple of
/// what its parts take.
#[diagnostic::on_unimplemented(message = "a key of type `{K}` cannot be looked up by a `{Self}`", label = "expected `{K}`")]
pub trait IntoKey<K> {
    /// Adds the values of the key's columns, in order.
    ///
    /// # Errors
    /// [`InvalidValue`] for what no column can hold.
    fn write(self, values: &mut Vec<Value<'static>>) -> Result<(), InvalidValue>;
}

impl<T: FieldType> IntoKey<T> for T {
    fn write(self, values: &mut Vec<Value<'static>>) -> Result<(), InvalidValue> {
        values.push(self.into_value()?);
        Ok(())
    }
}

impl<T: FieldType> IntoKey<T> for &T {
    fn write(self, values: &mut Vec<Value<'static>>) -> Result<(), InvalidValue> {
        values.push(self.encode()?.into_owned());
        Ok(())
    }
}

impl IntoKey<String> for &str {
    fn write(self, values: &mut Vec<Value<'static>>) -> Result<(), InvalidValue> {
        values.push(Value::Text(self.to_owned().into()));
        Ok(())
    }
}

macro_rules! tuples {
    ($($key:ident $given:ident)*) => {
        impl<$($key, $given: IntoKey<$key>),*> IntoKey<($($key,)*)> for ($($given,)*) {
            #[allow(non_snake_case)] // Each type parameter names its part of the tuple.
            fn write(self, values: &mut Vec<Value<'static>>) -> Result<(), InvalidValue> {
                let ($($given,)*) = self;
                $($given.write(values)?;)*
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
