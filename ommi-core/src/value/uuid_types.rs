//! [`FieldType`] for [`uuid::Uuid`].

use uuid::Uuid;

use super::field::{DecodeFailure, FieldType, InvalidValue};
use super::{ColumnType, Value};

impl FieldType for Uuid {
    const TYPE: ColumnType = ColumnType::Uuid;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Uuid(*self.as_bytes()))
    }

    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::Uuid(bytes) => Ok(Uuid::from_bytes(bytes)),
            other => Err(DecodeFailure::other_kind("a uuid", other)),
        }
    }
}
