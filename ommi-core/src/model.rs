//! What `#[derive(Model)]` implements.

use crate::driver::Row;
use crate::error::{DBError, DBResult};
use crate::new_row::{NewRow, RowWriter};
use crate::relation::{Key, Link, Links, ReferenceInfo, RelationInfo};
use crate::schema::SchemaRef;
use crate::value::{DecodeFailure, FieldType, InvalidValue, Value};

/// A struct whose rows lie in one table. Implemented by `#[derive(Model)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a model",
    label = "not a model",
    note = "models derive it: `#[derive(Model)] struct {Self} {{ .. }}`"
)]
pub trait Model: Sized + Send + Sync + 'static {
    /// A new row of this model, whose columns may be left out: what `new!` builds.
    type Draft: NewRow<Model = Self> + Default + Clone + 'static;

    /// The type of the key's field, or a tuple of those of a composite key, in the order of the fields.
    type Key;

    /// What tells the model from all others, while compiling.
    #[doc(hidden)]
    const IDENTITY: &'static str;

    /// The model's references.
    #[doc(hidden)]
    const REFERENCES: &'static [ReferenceInfo];

    /// The sets of columns by which its rows can be told apart: the key, and what is unique.
    #[doc(hidden)]
    const UNIQUE: &'static [&'static [u16]];

    /// The model's relations, in the order of their fields.
    #[doc(hidden)]
    const RELATIONS: &'static [RelationInfo];

    /// What a new row must name, for `new!` to check at compile time.
    #[doc(hidden)]
    const NEW_ROW: &'static [NewRowColumn];

    /// The model's metadata.
    fn schema() -> SchemaRef;

    /// Makes the struct from a row that holds every column in the schema's order.
    ///
    /// # Errors
    /// `Decode` for a value that is not of its field's type.
    fn decode(row: &mut dyn Row) -> DBResult<Self>;

    /// As [`decode`](Model::decode), onto the end of a list that has room for one more, with the fields of relations linked.
    ///
    /// It makes the struct in its place. One that is made elsewhere and moved is copied twice on its way, the first time while it is still being written;
    /// and one that the list might have to grow for is made elsewhere, for the case that it cannot. So it grows before.
    ///
    /// # Errors
    /// As `decode`; `Query` where the list has no room.
    #[doc(hidden)]
    fn decode_onto(row: &mut dyn Row, links: &Links, rows: &mut Vec<Self>) -> DBResult<()>;

    /// Writes every column, in the schema's order.
    fn encode(&self, row: &mut RowWriter<'_>);

    /// The value of a column by which rows belong together: one of the key, of a reference, or unique.
    ///
    /// # Errors
    /// [`InvalidValue`] for what no column can hold, and for any other column.
    #[doc(hidden)]
    fn value_of(&self, column: u16) -> Result<Value<'_>, InvalidValue>;

    /// Gives the field of the version this one, in a model that has a version.
    ///
    /// # Errors
    /// [`DecodeFailure`] where the field's type does not take it.
    #[doc(hidden)]
    fn set_version(&mut self, _: i64) -> Result<(), DecodeFailure> {
        Ok(())
    }

    /// Says to the field of a relation which row it belongs to.
    #[doc(hidden)]
    fn link(&mut self, slot: u16, link: Link);

    /// Says to the field of a relation which key its row has now.
    #[doc(hidden)]
    fn relink(&mut self, slot: u16, key: Key);
}

/// What `new!` knows of a column at compile time.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct NewRowColumn {
    /// The field's name.
    pub name: &'static str,
    /// What to say when it is forgotten; `None` where it may be.
    pub forgotten: Option<&'static str>,
}

/// Stops the compilation of a `new!` that forgets a required column.
#[doc(hidden)]
#[allow(clippy::panic, clippy::indexing_slicing)] // Evaluated by the compiler only; there, a panic is an error message.
pub const fn check_new_row<M: Model>(given: &[&str]) {
    let columns = M::NEW_ROW;
    let mut i = 0;
    while i < columns.len() {
        if let Some(message) = columns[i].forgotten {
            let mut j = 0;
            while j < given.len() && !crate::relation::same(given[j], columns[i].name) {
                j += 1;
            }
            if j == given.len() && !crate::relation::given_by_relation::<M>(i as u16, given) {
                panic!("{}", message);
            }
        }
        i += 1;
    }
}

/// Reads one field of a row. Called by generated code.
///
/// # Errors
/// `Decode`, naming the table and the column.
#[doc(hidden)]
#[inline]
pub fn field<T: FieldType>(row: &mut dyn Row, schema: fn() -> SchemaRef, index: u16) -> DBResult<T> {
    match T::decode(row.value(usize::from(index))?) {
        Ok(field) => Ok(field),
        Err(failure) => Err(undecoded(failure, schema, index)),
    }
}

/// What [`Model::decode_onto`] says of a list without room. Called by generated code.
#[doc(hidden)]
#[cold]
pub fn no_room() -> DBError {
    DBError::query("a list of rows has no room for one more")
}

#[cold]
#[inline(never)]
fn undecoded(failure: DecodeFailure, schema: fn() -> SchemaRef, index: u16) -> DBError {
    let schema = schema();
    let column = schema.column(index).map_or("?", |column| &column.name);
    let error = DBError::decode(schema.table.clone(), column, failure.expected, failure.found);
    match failure.source {
        Some(source) => error.with_source(source),
        None => error,
    }
}

/// Models to create or drop tables for: one, or a tuple of up to twelve, nested at will.
pub trait Models {
    /// Adds their schemas.
    fn collect(schemas: &mut Vec<SchemaRef>);
}

impl<M: Model> Models for M {
    fn collect(schemas: &mut Vec<SchemaRef>) {
        schemas.push(M::schema());
    }
}

macro_rules! tuples {
    ($($name:ident)*) => {
        impl<$($name: Models),*> Models for ($($name,)*) {
            fn collect(schemas: &mut Vec<SchemaRef>) {
                $($name::collect(schemas);)*
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
