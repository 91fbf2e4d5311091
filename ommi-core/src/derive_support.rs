//! What the derive's code calls and nobody else: checks that need the types of fields, which the derive sees only as
//! tokens.

use std::marker::PhantomData;

use crate::model::Model;
use crate::query::Column;
use crate::schema::{Auto, ReferenceSchema, Target};
use crate::value::{ColumnType, FieldType};

/// A field of this type can hold the values of a column of type `T`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a field of type `{Self}` cannot refer to a column of type `{T}`",
    label = "expected `{T}` or `Option<{T}>`"
)]
pub trait RefersTo<T>: FieldType {}

impl<T: FieldType> RefersTo<T> for T {}

impl<T: FieldType> RefersTo<T> for Option<T> {}

/// A reference whose columns all lead to `M`.
#[doc(hidden)]
#[derive(Debug)]
pub struct ReferenceTo<M> {
    columns: Vec<u16>,
    targets: Vec<u16>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model, T> Column<M, T> {
    /// The reference of the column at this place, whose type is `F`, to this one.
    #[doc(hidden)]
    pub fn referred_to_by<F: RefersTo<T>>(self, column: u16) -> ReferenceTo<M> {
        ReferenceTo { columns: vec![column], targets: vec![self.index()], model: PhantomData }
    }
}

impl<M: Model> ReferenceTo<M> {
    /// Both as one.
    #[doc(hidden)]
    #[must_use]
    pub fn and(mut self, other: ReferenceTo<M>) -> ReferenceTo<M> {
        self.columns.extend(other.columns);
        self.targets.extend(other.targets);
        self
    }

    /// The reference as data.
    #[doc(hidden)]
    pub fn finish(self) -> ReferenceSchema {
        ReferenceSchema::new(self.columns, Target::Model(M::schema), self.targets)
    }
}

/// Stops the compilation where a field of type `T` cannot be a version.
#[doc(hidden)]
#[allow(clippy::panic)] // Evaluated by the compiler only; there, a panic is an error message.
pub const fn check_version<T: FieldType>() {
    if T::NULLABLE {
        panic!("a version cannot be optional: it has to count the writes of every row");
    }
    if T::TYPE.integer_range().is_none() {
        panic!("a version counts, and needs an integer");
    }
}

impl Auto {
    /// Who makes keys of type `T`, where `wanted` is what the model says. Stops the compilation where it does not fit.
    #[doc(hidden)]
    #[allow(clippy::panic)] // Evaluated by the compiler only; there, a panic is an error message.
    pub const fn of<T: FieldType>(wanted: Option<Auto>) -> Auto {
        let integer = T::TYPE.integer_range().is_some() && !T::NULLABLE;
        let uuid = matches!(T::TYPE, ColumnType::Uuid) && !T::NULLABLE;
        let object_id = matches!(T::TYPE, ColumnType::ObjectId) && !T::NULLABLE;
        match wanted {
            None if object_id => Auto::ObjectId,
            None if integer => Auto::Increment,
            None if uuid => Auto::UuidV7,
            None => panic!("`auto` needs an integer, which the database counts, or a UUID, which the client makes"),
            Some(Auto::Increment) if !integer => panic!("`auto = \"increment\"` needs an integer"),
            Some(Auto::UuidV4 | Auto::UuidV7) if !uuid => panic!("this way of `auto` needs a UUID"),
            Some(auto) => auto,
        }
    }
}
