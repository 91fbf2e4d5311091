//! A row of a result, decoded where it lies in the server's reply.
//!
//! Documents that Ommi wrote hold their columns in the schema's order, so the next column asked for is the next field. Where that is
//! not so, the field is looked up by its name.

use mongodb::bson::raw::RawIter;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{RawBsonRef, RawDocument};
use ommi_core::driver::Row;
use ommi_core::schema::ModelSchema;
use ommi_core::value::{ColumnType, Date, Value};
use ommi_core::{DBError, DBResult};

use crate::decimal::Decimal;
use crate::names::ID;
use crate::value::{MILLIS_PER_DAY, moment_of, time_of};

/// A document as a row of a model.
pub(crate) struct MongoRow<'r> {
    model: &'r ModelSchema,
    document: &'r RawDocument,
    fields: RawIter<'r>,
    id: Option<RawBsonRef<'r>>,
}

impl<'r> MongoRow<'r> {
    pub(crate) fn new(model: &'r ModelSchema, document: &'r RawDocument) -> MongoRow<'r> {
        let mut fields = document.iter_elements();
        let first = fields.next().and_then(Result::ok).filter(|field| field.key().as_str() == ID);
        let id = match first {
            Some(field) => field.value().ok(),
            None => document.get(ID).ok().flatten(),
        };
        MongoRow { model, document, fields, id }
    }

    /// The stored value of a column; none where the field is missing.
    fn stored(&mut self, index: usize, name: &str) -> DBResult<Option<RawBsonRef<'r>>> {
        let column = u16::try_from(index).unwrap_or(u16::MAX);
        match self.model.key.as_slice() {
            [key] if *key == column => return Ok(self.id),
            key if key.len() > 1 && key.contains(&column) => {
                return match self.id {
                    Some(RawBsonRef::Document(id)) => id.get(name).map_err(|error| self.broken(name, error)),
                    _ => Ok(None),
                };
            }
            _ => {}
        }
        if let Some(Ok(field)) = self.fields.next()
            && field.key().as_str() == name
        {
            return field.value().map(Some).map_err(|error| self.broken(name, error));
        }
        self.document.get(name).map_err(|error| self.broken(name, error))
    }

    #[cold]
    fn broken(&self, name: &str, error: mongodb::bson::error::Error) -> DBError {
        DBError::decode(self.model.table.clone(), name, "a value", "bytes that are no BSON").with_source(error)
    }
}

impl Row for MongoRow<'_> {
    fn value(&mut self, index: usize) -> DBResult<Value<'_>> {
        let model = self.model;
        let Some(column) = model.columns.get(index) else {
            return Err(DBError::query(format!("a row has no value number {index}")));
        };
        let stored = self.stored(index, &column.name)?.unwrap_or(RawBsonRef::Null);
        decode(column.ty, stored)
            .ok_or_else(|| DBError::decode(model.table.clone(), column.name.clone(), column.ty.name(), kind(stored)))
    }
}

/// A stored value as a column of this type has it. Numbers of any type are taken where they fit exactly.
pub(crate) fn decode(ty: ColumnType, stored: RawBsonRef<'_>) -> Option<Value<'_>> {
    Some(match (ty, stored) {
        (_, RawBsonRef::Null | RawBsonRef::Undefined) => Value::Null,
        (ColumnType::Bool, RawBsonRef::Boolean(value)) => Value::Bool(value),
        (ColumnType::Text, RawBsonRef::String(text)) => Value::Text(text.into()),
        (ColumnType::Bytes, RawBsonRef::Binary(binary)) if binary.subtype == BinarySubtype::Generic => {
            Value::Bytes(binary.bytes.into())
        }
        (ColumnType::Uuid, RawBsonRef::Binary(binary)) if binary.subtype == BinarySubtype::Uuid => {
            Value::Uuid(binary.bytes.try_into().ok()?)
        }
        (ColumnType::ObjectId, RawBsonRef::ObjectId(id)) => Value::ObjectId(id.bytes()),
        (ColumnType::F32 | ColumnType::F64, stored) => Value::Float(float(stored)?),
        (ColumnType::Date, RawBsonRef::DateTime(at)) => {
            let millis = at.timestamp_millis();
            if millis.rem_euclid(MILLIS_PER_DAY) != 0 {
                return None;
            }
            Value::Date(Date { days: i32::try_from(millis / MILLIS_PER_DAY).ok()? })
        }
        (ColumnType::Time, stored) => Value::Time(time_of(integer(stored)?)?),
        (ColumnType::DateTime, RawBsonRef::DateTime(at)) => Value::DateTime(moment_of(at.timestamp_millis())?),
        (ColumnType::Timestamp, RawBsonRef::DateTime(at)) => Value::Timestamp(moment_of(at.timestamp_millis())?),
        (ty, stored) if ty.integer_range().is_some() => Value::Int(integer(stored)?),
        _ => return None,
    })
}

/// The integer that this number is.
pub(crate) fn integer(stored: RawBsonRef<'_>) -> Option<i64> {
    match stored {
        RawBsonRef::Int32(number) => Some(i64::from(number)),
        RawBsonRef::Int64(number) => Some(number),
        // From here on a double may stand for integers beside it.
        RawBsonRef::Double(number) if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 => {
            Some(number as i64)
        }
        RawBsonRef::Decimal128(number) => Decimal::new(number)?.integer(),
        _ => None,
    }
}

/// The double that this number is.
fn float(stored: RawBsonRef<'_>) -> Option<f64> {
    match stored {
        RawBsonRef::Double(number) => Some(number),
        RawBsonRef::Int32(number) => Some(f64::from(number)),
        RawBsonRef::Int64(number) if number.unsigned_abs() <= 1 << 53 => Some(number as f64),
        RawBsonRef::Decimal128(number) => Decimal::new(number)?.float(),
        _ => None,
    }
}

/// What a stored value is, for messages.
fn kind(stored: RawBsonRef<'_>) -> &'static str {
    match stored {
        RawBsonRef::Null | RawBsonRef::Undefined => "NULL",
        RawBsonRef::Boolean(_) => "a bool",
        RawBsonRef::Int32(_) | RawBsonRef::Int64(_) => "an integer",
        RawBsonRef::Double(_) => "a double",
        RawBsonRef::Decimal128(_) => "a decimal",
        RawBsonRef::String(_) | RawBsonRef::Symbol(_) => "text",
        RawBsonRef::Binary(_) => "binary data of another kind",
        RawBsonRef::DateTime(_) => "a date and time",
        RawBsonRef::ObjectId(_) => "an ObjectId",
        RawBsonRef::Document(_) => "a document",
        RawBsonRef::Array(_) => "an array",
        _ => "another BSON type",
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{DateTime, Decimal128, rawdoc};
    use ommi_core::schema::ColumnBuilder;

    use super::*;

    fn model(keys: usize) -> ModelSchema {
        let mut builder = ModelSchema::builder("T", "t");
        for (i, name) in ["a", "b", "c"].into_iter().enumerate() {
            let column = ColumnBuilder::new(name, ColumnType::I64).nullable();
            let key = ColumnBuilder::new(name, ColumnType::I64);
            builder = builder.column(if i < keys { key.key() } else { column });
        }
        builder.build().unwrap()
    }

    fn read(model: &ModelSchema, document: &RawDocument) -> Vec<Value<'static>> {
        let mut row = MongoRow::new(model, document);
        (0..3).map(|i| row.value(i).unwrap().into_owned()).collect()
    }

    #[test]
    fn fields_are_found_wherever_they_are() {
        let expected = [Value::Int(1), Value::Int(2), Value::Int(3)];
        for document in [
            rawdoc! { "_id": 1, "b": 2i64, "c": 3.0 },
            rawdoc! { "_id": 1, "c": 3, "b": 2 },
            rawdoc! { "x": "?", "c": 3, "_id": 1, "y": 0, "b": 2 },
        ] {
            assert_eq!(read(&model(1), &document), expected);
        }
        assert_eq!(read(&model(2), &rawdoc! { "_id": { "a": 1, "b": 2 }, "c": 3 }), expected);
        assert_eq!(read(&model(2), &rawdoc! { "c": 3, "_id": { "b": 2, "z": 0, "a": 1 } }), expected);
        let nulls = read(&model(1), &rawdoc! { "_id": 1, "c": null });
        assert_eq!(nulls, [Value::Int(1), Value::Null, Value::Null]);
    }

    #[test]
    fn what_does_not_fit_exactly_is_refused() {
        let decode =
            |ty, document: &RawDocument| decode(ty, document.get("v").unwrap().unwrap()).map(Value::into_owned);
        assert_eq!(decode(ColumnType::I64, &rawdoc! { "v": 0.5 }), None);
        assert_eq!(decode(ColumnType::I64, &rawdoc! { "v": 1e300 }), None);
        assert_eq!(decode(ColumnType::F64, &rawdoc! { "v": (1i64 << 53) + 1 }), None);
        for (decimal, integer, double) in [
            ("12.0", Some(Value::Int(12)), Some(Value::Float(12.0))),
            ("1E+2", Some(Value::Int(100)), Some(Value::Float(100.0))),
            ("0.5", None, Some(Value::Float(0.5))),
            ("0.1", None, None),
            ("NaN", None, None),
        ] {
            let decimal: Decimal128 = decimal.parse().unwrap();
            assert_eq!(decode(ColumnType::I64, &rawdoc! { "v": decimal }), integer, "{decimal}");
            assert_eq!(decode(ColumnType::F64, &rawdoc! { "v": decimal }), double, "{decimal}");
        }
        assert_eq!(decode(ColumnType::Date, &rawdoc! { "v": DateTime::from_millis(1) }), None);
        assert_eq!(decode(ColumnType::Text, &rawdoc! { "v": 1 }), None);
        // Deprecated, and as much as a missing field.
        assert_eq!(super::decode(ColumnType::Text, RawBsonRef::Undefined), Some(Value::Null));
    }
}
