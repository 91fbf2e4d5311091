//! The traits by which a Rust type takes part as a field.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use super::{ColumnType, Value};

/// A Rust type that one column can hold.
///
/// Implemented for the scalar types, for `Option` of each (a nullable column), and by
/// `#[derive(FieldType)]` for newtypes. For any other type of your own, say how it
/// becomes a [`Value`] of one [`ColumnType`] and back:
///
/// ```
/// use ommi_core::value::{ColumnType, DecodeFailure, FieldType, InvalidValue, Value};
///
/// #[derive(Debug, Clone, PartialEq)]
/// enum Level { Low, High }
///
/// impl FieldType for Level {
///     const TYPE: ColumnType = ColumnType::Text;
///     fn encode(&self) -> Result<Value<'_>, InvalidValue> {
///         Ok(Value::Text(match self { Level::Low => "low", Level::High => "high" }.into()))
///     }
///     fn decode(value: Value<'_>) -> Result<Self, DecodeFailure> {
///         match &value {
///             Value::Text(text) if text == "low" => Ok(Level::Low),
///             Value::Text(text) if text == "high" => Ok(Level::High),
///             _ => Err(DecodeFailure::new("`low` or `high`", value.kind())),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a column",
    label = "no column holds this type",
    note = "a field is a scalar, text, bytes, a date, a UUID, an `Option` of one of these, or a type that implements `FieldType`",
    note = "`#[derive(FieldType)]` does it for a newtype, `#[ommi(skip)]` leaves the field out of the table"
)]
pub trait FieldType: Sized + Clone + Send + Sync + 'static {
    /// The type of the column.
    const TYPE: ColumnType;

    /// Whether the column takes NULL.
    const NULLABLE: bool = false;

    /// The value to store or compare with.
    ///
    /// What no store takes alike (NaN, NUL in text) is refused for every type when the
    /// value enters a query, and need not be checked here.
    ///
    /// # Errors
    /// [`InvalidValue`] for what no column can hold, such as a `u64` above `i64::MAX`.
    fn encode(&self) -> Result<Value<'_>, InvalidValue>;

    /// Reads a value that the column held.
    ///
    /// # Errors
    /// [`DecodeFailure`] where the value is not of this type, or out of its range.
    fn decode(value: Value<'_>) -> Result<Self, DecodeFailure>;

    /// As [`encode`](FieldType::encode), but gives the text or bytes away instead of copying them.
    ///
    /// # Errors
    /// As [`encode`](FieldType::encode).
    fn into_value(self) -> Result<Value<'static>, InvalidValue> {
        Ok(self.encode()?.into_owned())
    }

    /// Whether it is known without a look at its value that every store takes it. That of any other is looked at.
    // Known of the field itself, before its value is made: that can then be made where it is kept.
    #[doc(hidden)]
    #[inline]
    fn is_plain(&self) -> bool {
        false
    }
}

/// A field that holds text: what has `contains`, `starts_with` and `ends_with`.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a text column", label = "only text has this predicate")]
pub trait TextField: FieldType {}

/// A field that holds a number: what can be incremented.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a number column", label = "only numbers can be incremented")]
pub trait NumericField: FieldType {
    /// The type of the step: the field's own, without `Option`.
    type Step: FieldType;
}

/// What can be given for a field of type `T`: a `T`, `&str` for text, and the value
/// itself for an optional field.
#[diagnostic::on_unimplemented(message = "a column of type `{T}` cannot take a `{Self}`", label = "expected `{T}`")]
pub trait IntoField<T> {
    /// The field's value.
    fn into_field(self) -> T;
}

impl<T: FieldType> IntoField<T> for T {
    #[inline]
    fn into_field(self) -> T {
        self
    }
}

impl<T: FieldType> IntoField<Option<T>> for T {
    #[inline]
    fn into_field(self) -> Option<T> {
        Some(self)
    }
}

impl IntoField<String> for &str {
    #[inline]
    fn into_field(self) -> String {
        self.to_owned()
    }
}

impl IntoField<Option<String>> for &str {
    #[inline]
    fn into_field(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl<T: FieldType> IntoField<T> for &T {
    #[inline]
    fn into_field(self) -> T {
        self.clone()
    }
}

impl<T: FieldType> IntoField<Option<T>> for &T {
    #[inline]
    fn into_field(self) -> Option<T> {
        Some(self.clone())
    }
}

impl IntoField<Vec<u8>> for &[u8] {
    #[inline]
    fn into_field(self) -> Vec<u8> {
        self.to_owned()
    }
}

/// A value that no column can hold.
#[derive(Debug, Clone)]
pub struct InvalidValue {
    reason: Cow<'static, str>,
    /// The column it was meant for, where that is known.
    pub(crate) column: Option<u16>,
}

impl InvalidValue {
    /// Says why, without the value: `"NaN cannot be stored or compared"`.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> InvalidValue {
        InvalidValue { reason: reason.into(), column: None }
    }

    /// Says which column of the model it was meant for.
    pub(crate) fn at(mut self, column: u16) -> InvalidValue {
        self.column.get_or_insert(column);
        self
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for InvalidValue {}

/// Why a stored value could not be read as a field's type.
#[derive(Debug)]
pub struct DecodeFailure {
    pub(crate) expected: Cow<'static, str>,
    pub(crate) found: Cow<'static, str>,
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
}

impl DecodeFailure {
    /// Says what was expected and what was there, both without the value itself.
    pub fn new(expected: impl Into<Cow<'static, str>>, found: impl Into<Cow<'static, str>>) -> DecodeFailure {
        DecodeFailure { expected: expected.into(), found: found.into(), source: None }
    }

    /// A value of another kind was there. Apart from the road that every value takes, which so stays short.
    #[cold]
    #[inline(never)]
    pub(crate) fn other_kind(expected: &'static str, found: Value<'_>) -> DecodeFailure {
        DecodeFailure::new(expected, found.kind())
    }

    /// Adds the error that was the cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> DecodeFailure {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for DecodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

impl Error for DecodeFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
