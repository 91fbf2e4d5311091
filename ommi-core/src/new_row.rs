//! New rows: the slots of a draft, and how a row becomes the values of an insert.

use std::borrow::Cow;
use std::fmt;

use crate::error::DBError;
use crate::model::Model;
use crate::relation::Nested;
use crate::schema::SchemaRef;
use crate::value::{DecodeFailure, FieldType, IntoField, InvalidValue, Value};

/// What can be added: the draft that `new!` builds, or a whole model with its key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row that can be added",
    note = "add `new!(Model {{ .. }})`, a draft, or a value of a model"
)]
pub trait NewRow: Send {
    /// The model it is a row of.
    type Model: Model;

    /// Writes every column in the schema's order.
    fn write(self, row: &mut RowWriter<'_>);

    /// Whether rows can be added with it that belong to it.
    #[doc(hidden)]
    const NESTS: bool = false;

    /// Whether there are such rows.
    #[doc(hidden)]
    fn has_nested(&self) -> bool {
        false
    }

    /// Takes the rows out that are to be added with these.
    #[doc(hidden)]
    fn nested(_: &mut [Self]) -> Nested<Self>
    where
        Self: Sized,
    {
        Nested::default()
    }

    /// Gives a column of a reference the value that the other row's column has.
    #[doc(hidden)]
    fn refer(&mut self, _: u16, _: Value<'_>) -> Result<(), DecodeFailure> {
        Err(DecodeFailure::new("nothing", "a value"))
    }
}

/// One column of a draft: a value, or nothing yet.
///
/// `Debug` prints whether there is a value, not which.
pub struct Slot<T>(Option<T>);

/// Bound by what every column is, so that a type that is none is reported as that and nothing else.
impl<T: FieldType> Clone for Slot<T> {
    fn clone(&self) -> Slot<T> {
        Slot(self.0.clone())
    }
}

impl<T> Slot<T> {
    /// Gives the column a value.
    pub fn set(&mut self, value: impl IntoField<T>) {
        self.0 = Some(value.into_field());
    }

    /// Gives the column a value of its own type. For generated code.
    #[doc(hidden)]
    pub fn put(&mut self, value: T) {
        self.0 = Some(value);
    }

    /// Leaves the column out again.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// The value, if one was given.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    /// Whether a value was given.
    pub fn is_set(&self) -> bool {
        self.0.is_some()
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot(None)
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "<set>" } else { "<unset>" })
    }
}

/// Takes the columns of one row, in the schema's order, as values of a statement.
///
/// Columns that were left out get their default, NULL or a new UUID; a key that the database generates is passed over.
#[derive(Debug)]
pub struct RowWriter<'w> {
    schema: &'w SchemaRef,
    values: &'w mut Vec<Value<'static>>,
    next: u16,
    generated: bool,
    versioned: bool,
    error: Option<DBError>,
}

/// What the columns of a row were.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// Whether the database is to generate the key.
    pub(crate) generated: bool,
    /// Whether the row names the version, of a model that has one.
    pub(crate) versioned: bool,
}

impl<'w> RowWriter<'w> {
    pub(crate) fn new(schema: &'w SchemaRef, values: &'w mut Vec<Value<'static>>) -> RowWriter<'w> {
        RowWriter { schema, values, next: 0, generated: false, versioned: schema.version.is_some(), error: None }
    }

    /// Writes a column that may have been left out.
    #[inline]
    pub fn slot<T: FieldType>(&mut self, slot: Slot<T>) {
        match slot.0 {
            Some(value) => self.value(value),
            None => self.left_out(),
        }
    }

    /// Writes a column.
    #[inline]
    pub fn value<T: FieldType>(&mut self, value: T) {
        if !value.is_plain() || !self.keeps_all() {
            return self.push(value.into_value());
        }
        // Made where it is kept: elsewhere it would be read again in larger parts than it was just written in, which a processor waits for.
        self.values.push(Value::Null);
        if let Some(place) = self.values.last_mut() {
            match value.into_value() {
                Ok(value) => {
                    *place = value;
                    self.next += 1;
                }
                refused => {
                    self.values.pop();
                    self.push_other(refused);
                }
            }
        }
    }

    /// Writes a column that is kept.
    pub fn borrowed<T: FieldType>(&mut self, value: &T) {
        self.push(value.encode().map(Value::into_owned));
    }

    fn left_out(&mut self) {
        if self.schema.generated_column() == Some(self.next) {
            self.generated = true;
        } else if let Some(value) = self.schema.column(self.next).and_then(|column| column.value_for_new_row()) {
            self.versioned &= self.schema.version != Some(self.next);
            self.values.push(value);
        } else {
            self.refuse(self.next, "a new row must name this column, which has no default");
        }
        self.next += 1;
    }

    #[inline(never)]
    fn push(&mut self, value: Result<Value<'static>, InvalidValue>) {
        match value {
            Ok(value) if self.takes(&value) => {
                self.next += 1;
                self.values.push(value);
            }
            value => self.push_other(value),
        }
    }

    /// Whether the next column takes a value as it is.
    #[inline]
    fn takes(&self, value: &Value<'_>) -> bool {
        self.keeps_all() && value.is_storable()
    }

    /// Whether the next column keeps all of a value.
    #[inline]
    fn keeps_all(&self) -> bool {
        self.schema.column(self.next).is_some_and(|column| column.precision.is_none())
    }

    /// Takes what is more than a value to keep as it is.
    #[inline(never)]
    fn push_other(&mut self, value: Result<Value<'static>, InvalidValue>) {
        let next = self.next;
        self.next += 1;
        let Some(column) = self.schema.column(next) else { return };
        let kept = value.and_then(|value| value.check().map(|()| value)).map_err(|invalid| invalid.to_string());
        match kept.and_then(|value| column.keep(value)) {
            Ok(kept) => self.values.push(kept),
            Err(problem) => self.refuse(next, problem),
        }
    }

    /// Notes what is wrong with a column. The first fault is the one that is told.
    #[cold]
    fn refuse(&mut self, column: u16, detail: impl Into<Cow<'static, str>>) {
        let field = self.schema.column(column).map(|column| &*column.field);
        let error = DBError::invalid_value(Some(&self.schema.name), field).with_detail(detail);
        self.error.get_or_insert(error);
    }

    /// What was written.
    ///
    /// # Errors
    /// `InvalidValue` for a value that cannot be stored or a required column that was left out.
    pub(crate) fn finish(self) -> Result<Written, DBError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(Written { generated: self.generated, versioned: self.versioned }),
        }
    }
}
