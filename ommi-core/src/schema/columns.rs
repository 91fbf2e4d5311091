//! Lists of columns that statements hold.

use std::fmt;
use std::ops::Deref;

use super::{ModelSchema, SchemaRef};

/// Columns of a model, as indexes into its columns. The lists that most statements have are parts of the schema, and cost nothing to hold.
#[derive(Clone)]
pub struct ColumnList(Columns);

#[derive(Clone)]
enum Columns {
    /// Of a schema that is there for the whole program.
    Static(&'static [u16]),
    /// Of another.
    Part(SchemaRef, fn(&ModelSchema) -> &[u16]),
    Listed(Box<[u16]>),
}

impl ColumnList {
    /// No column.
    pub const NONE: ColumnList = ColumnList(Columns::Static(&[]));

    /// Every column, in order.
    pub fn all(model: &SchemaRef) -> ColumnList {
        ColumnList::part(model, ModelSchema::all_columns)
    }

    /// Every column but the one that the database generates, in order.
    pub fn without_generated(model: &SchemaRef) -> ColumnList {
        ColumnList::part(model, ModelSchema::columns_without_generated)
    }

    /// The column that the database generates for new rows that do not name it, alone; or none.
    pub fn generated(model: &SchemaRef) -> ColumnList {
        ColumnList::part(model, ModelSchema::generated_columns)
    }

    fn part(model: &SchemaRef, part: fn(&ModelSchema) -> &[u16]) -> ColumnList {
        ColumnList(match model.as_static() {
            Some(model) => Columns::Static(part(model)),
            None => Columns::Part(model.clone(), part),
        })
    }

    /// Where it lies, which tells it apart from others where it is there for the whole program.
    pub(crate) fn address(&self) -> Option<(usize, usize)> {
        match self.0 {
            Columns::Static(columns) => Some((columns.as_ptr().addr(), columns.len())),
            _ => None,
        }
    }
}

impl Deref for ColumnList {
    type Target = [u16];

    #[inline]
    fn deref(&self) -> &[u16] {
        match &self.0 {
            Columns::Static(columns) => columns,
            Columns::Part(model, part) => part(model),
            Columns::Listed(columns) => columns,
        }
    }
}

impl From<Vec<u16>> for ColumnList {
    fn from(columns: Vec<u16>) -> ColumnList {
        ColumnList(Columns::Listed(columns.into()))
    }
}

impl<const N: usize> From<[u16; N]> for ColumnList {
    fn from(columns: [u16; N]) -> ColumnList {
        ColumnList(Columns::Listed(columns.into()))
    }
}

/// Two lists are equal when they name the same columns in the same order.
impl PartialEq for ColumnList {
    fn eq(&self, other: &ColumnList) -> bool {
        **self == **other
    }
}

impl Eq for ColumnList {}

impl fmt::Debug for ColumnList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
