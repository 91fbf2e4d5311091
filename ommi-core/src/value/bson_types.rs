//! [`FieldType`] for [`bson::oid::ObjectId`]. Only MongoDB has columns of it.

use bson::oid::ObjectId;

use super::field::{DecodeFailure, FieldType, InvalidValue};
use super::{ColumnType, Value};

impl FieldType for ObjectId {
    const TYPE: ColumnType = ColumnType::ObjectId;

    #[inline]
    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::ObjectId(self.bytes()))
    }

    #[inline]
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
        match value {
            Value::ObjectId(bytes) => Ok(ObjectId::from_bytes(bytes)),
            other => Err(DecodeFailure::other_kind("an object id", other)),
        }
    }
}
