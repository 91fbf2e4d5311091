//! [`FieldType`] for the types of the standard library.

use std::borrow::Cow;

use super::field::{DecodeFailure, FieldType, InvalidValue, NumericField, TextField};
use super::{ColumnType, Value};

macro_rules! integers {
    ($($ty:ident => $column:ident),* $(,)?) => {$(
        impl FieldType for $ty {
            const TYPE: ColumnType = ColumnType::$column;

            #[inline]
            fn encode(&self) -> Result<Value<'_>, InvalidValue> {
                match i64::try_from(*self) {
                    Ok(number) => Ok(Value::Int(number)),
                    Err(_) => Err(InvalidValue::new("a u64 above 9223372036854775807 (i64::MAX) cannot be stored")),
                }
            }

            #[inline]
            fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
                match value {
                    Value::Int(number) => $ty::try_from(number)
                        .map_err(|_| DecodeFailure::new(stringify!($ty), "an integer out of its range")),
                    other => Err(DecodeFailure::other_kind(stringify!($ty), other)),
                }
            }

            #[inline]
            fn is_plain(&self) -> bool {
                true
            }
        }

        impl NumericField for $ty {
            type Step = $ty;
        }
    )*};
}

integers!(i8 => I8, i16 => I16, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32, u64 => U64);

impl FieldType for bool {
    const TYPE: ColumnType = ColumnType::Bool;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Bool(*self))
    }

    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::Bool(v) => Ok(v),
            other => Err(DecodeFailure::other_kind("bool", other)),
        }
    }

    #[inline]
    fn is_plain(&self) -> bool {
        true
    }
}

impl FieldType for f64 {
    const TYPE: ColumnType = ColumnType::F64;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Float(*self))
    }

    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::Float(v) => Ok(v),
            other => Err(DecodeFailure::other_kind("f64", other)),
        }
    }

    #[inline]
    fn is_plain(&self) -> bool {
        !self.is_nan()
    }
}

impl NumericField for f64 {
    type Step = f64;
}

impl FieldType for f32 {
    const TYPE: ColumnType = ColumnType::F32;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Float(f64::from(*self)))
    }

    /// Rounds to the nearest `f32`; a finite number beyond its range is a failure.
    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::Float(wide) => {
                let narrow = wide as f32;
                if narrow.is_infinite() && wide.is_finite() {
                    return Err(DecodeFailure::new("f32", "a float out of its range"));
                }
                Ok(narrow)
            }
            other => Err(DecodeFailure::other_kind("f32", other)),
        }
    }

    #[inline]
    fn is_plain(&self) -> bool {
        !self.is_nan()
    }
}

impl NumericField for f32 {
    type Step = f32;
}

impl FieldType for String {
    const TYPE: ColumnType = ColumnType::Text;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Text(Cow::Borrowed(self)))
    }

    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::Text(text) => Ok(text.into_owned()),
            other => Err(DecodeFailure::other_kind("text", other)),
        }
    }

    #[inline]
    fn into_value(self) -> Result<Value<'static>, InvalidValue> {
        Ok(Value::Text(Cow::Owned(self)))
    }

    #[inline]
    fn is_plain(&self) -> bool {
        !self.as_bytes().contains(&0)
    }
}

impl TextField for String {}

impl FieldType for Vec<u8> {
    const TYPE: ColumnType = ColumnType::Bytes;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Bytes(Cow::Borrowed(self)))
    }

    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::Bytes(bytes) => Ok(bytes.into_owned()),
            other => Err(DecodeFailure::other_kind("bytes", other)),
        }
    }

    #[inline]
    fn into_value(self) -> Result<Value<'static>, InvalidValue> {
        Ok(Value::Bytes(Cow::Owned(self)))
    }

    #[inline]
    fn is_plain(&self) -> bool {
        true
    }
}

/// A nullable column. `None` is NULL, so there is no `Option<Option<T>>`.
impl<T: FieldType> FieldType for Option<T> {
    const TYPE: ColumnType = {
        assert!(!T::NULLABLE, "an `Option` of an `Option` cannot be a column: NULL has one meaning");
        T::TYPE
    };
    const NULLABLE: bool = true;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        self.as_ref().map_or(Ok(Value::Null), T::encode)
    }

    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::Null => Ok(None),
            other => T::decode(other).map(Some),
        }
    }

    #[inline]
    fn into_value(self) -> Result<Value<'static>, InvalidValue> {
        self.map_or(Ok(Value::Null), T::into_value)
    }

    #[inline]
    fn is_plain(&self) -> bool {
        self.as_ref().is_none_or(T::is_plain)
    }
}

impl<T: TextField> TextField for Option<T> {}

impl<T: NumericField> NumericField for Option<T> {
    type Step = T::Step;
}
