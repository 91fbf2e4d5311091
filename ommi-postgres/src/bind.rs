//! The binds of a statement, as the client library sends them.

use ommi_core::value::{ColumnType, InvalidValue, Value};
use ommi_core::{DBError, DBResult, ErrorKind};
use ommi_sql::{Bind, Out};
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo};
use sqlx::{Arguments, Postgres, Type};

use crate::wire::{self, oid};

/// The most parameters of a statement: their number has 16 bits in the protocol's message `Bind`.
const MOST_BINDS: usize = 65_535;

/// Takes the binds of a traversal.
pub(crate) struct Binder<'a> {
    arguments: PgArguments,
    /// The model's name, for messages.
    model: &'a str,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(model: &'a str) -> Binder<'a> {
        Binder { arguments: PgArguments::default(), model }
    }

    pub(crate) fn finish(self) -> PgArguments {
        self.arguments
    }

    fn add(&mut self, parameter: Parameter<'_>) -> DBResult<()> {
        if self.arguments.len() == 0 {
            // Room for a few, instead of four bytes at a time.
            self.arguments.reserve(4, 64);
        }
        if self.arguments.len() >= MOST_BINDS {
            let detail = format!("a statement binds {MOST_BINDS} values at most; a list of any length is one of them");
            return Err(DBError::new(ErrorKind::TooLarge).with_detail(detail).unsent());
        }
        self.arguments.add(parameter).map_err(|error| match error.downcast::<InvalidValue>() {
            Ok(invalid) => DBError::invalid_value(Some(self.model), None).with_detail(invalid.to_string()),
            Err(other) => DBError::new(ErrorKind::TooLarge).with_source(other).unsent(),
        })
    }
}

impl Out for Binder<'_> {
    const TEXT: bool = false;

    fn text(&mut self, _: &str) {}

    fn bind(&mut self, bind: Bind<'_>, ty: Option<ColumnType>) -> DBResult<()> {
        // NULL that meets nothing with a type has any.
        let (one, array) = wire::bound_as(ty.unwrap_or(ColumnType::Text));
        match bind {
            Bind::Value(value) => self.add(Parameter { ty: one, content: Content::Value(value) }),
            Bind::List(values) => self.add(Parameter { ty: array, content: Content::List(values, one) }),
            Bind::Column(column) => self.add(Parameter { ty: array, content: Content::Column(column, one) }),
        }
    }
}

/// One parameter.
struct Parameter<'v> {
    ty: u32,
    content: Content<'v>,
}

enum Content<'v> {
    Value(Value<'v>),
    /// With the type of the elements.
    List(&'v [Value<'static>], u32),
    Column(ommi_sql::Column<'v>, u32),
}

impl Type<Postgres> for Parameter<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(oid::UNSPECIFIED))
    }
}

impl<'q> Encode<'q, Postgres> for Parameter<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match &self.content {
            Content::Value(value) => {
                wire::check(value)?;
                match wire::encode(value, buffer)? {
                    Some(()) => Ok(IsNull::No),
                    None if value.is_null() => Ok(IsNull::Yes),
                    None => Err(InvalidValue::new("this kind of value is not known to the driver").into()),
                }
            }
            Content::List(values, element) => array(values.iter(), *element, buffer),
            Content::Column(column, element) => array(column.values(), *element, buffer),
        }
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.ty)))
    }

    // The library takes the size of the structure where it is not told.
    fn size_hint(&self) -> usize {
        match &self.content {
            Content::Value(Value::Text(text)) => text.len(),
            Content::Value(Value::Bytes(bytes)) => bytes.len(),
            _ => 16,
        }
    }
}

fn array<'v>(
    values: impl Iterator<Item = &'v Value<'static>> + Clone,
    element: u32,
    buffer: &mut PgArgumentBuffer,
) -> Result<IsNull, BoxDynError> {
    for value in values.clone() {
        wire::check(value)?;
    }
    wire::encode_array(values, element, buffer)?;
    Ok(IsNull::No)
}
