//! What a model is, as data: its table, columns, keys, indexes and references.
//!
//! The derive builds one [`ModelSchema`] per model, on first use. Nothing below the typed edge needs the
//! Rust type: queries, drivers and validation work on this alone, so a schema that is built at run time
//! with [`ModelSchema::builder`] takes the same road.

mod builder;
mod columns;
mod order;
mod precision;
mod reference;
mod version;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

pub use builder::{ColumnBuilder, ModelBuilder};
pub use columns::ColumnList;
pub use order::{creation_order, missing_targets};
pub use reference::{ReferenceSchema, ReferentialAction, Target};

use crate::driver::DatePrecision;
use crate::error::DBError;
use crate::value::{ColumnType, Value};

/// A name of a table or column.
pub type Name = Cow<'static, str>;

/// A model: one table, or one collection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ModelSchema {
    /// The model's own name, for messages.
    pub name: Name,
    /// The schema of the database that the table is in; `None` for where tables are when nothing is said. Stores that have no
    /// schemas refuse a model that names one ([`Capabilities::schemas`](crate::driver::Capabilities::schemas)).
    pub schema: Option<Name>,
    /// The table or collection.
    pub table: Name,
    /// The columns, in the order of the fields.
    pub columns: Vec<ColumnSchema>,
    /// The columns of the key, as indexes into `columns`. Never empty.
    pub key: Vec<u16>,
    /// Unique columns and sets of columns, the key aside.
    pub uniques: Vec<IndexSchema>,
    /// Plain indexes.
    pub indexes: Vec<IndexSchema>,
    /// References to other models.
    pub references: Vec<ReferenceSchema>,
    /// The column that every write raises by one, and by which a write that comes too late is found out: see
    /// [`ColumnBuilder::version`].
    pub version: Option<u16>,
    /// What is wrong with the schema; nothing runs with one that has something.
    problem: Option<DBError>,
    /// Every column: what a row with all its values names.
    all: Box<[u16]>,
    /// Every column but a key that the database generates.
    without_generated: Box<[u16]>,
    /// The key that the database generates, alone in a list.
    generated: Box<[u16]>,
}

/// A column.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ColumnSchema {
    /// The field's name, for messages.
    pub field: Name,
    /// The stored name.
    pub name: Name,
    /// What it holds.
    pub ty: ColumnType,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Who makes the value of a new row that names none.
    pub auto: Option<Auto>,
    /// The value of a new row that names none.
    pub default: Option<Value<'static>>,
    /// How finely it keeps times; as the store does where it is not said.
    pub precision: Option<DatePrecision>,
    /// What is finer than `precision` is cut off, not refused.
    pub truncate: bool,
}

/// Who makes the key of a new row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Auto {
    /// The database, which counts upwards and never gives one number twice.
    Increment,
    /// The client: a random UUID (version 4 of RFC 9562).
    UuidV4,
    /// The client: a UUID that sorts by the time it was made (version 7 of RFC 9562).
    UuidV7,
    /// The client: a MongoDB ObjectId, which begins with the second it was made in.
    ObjectId,
}

/// An index, or a unique set of columns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexSchema {
    /// Its columns, as indexes into the model's.
    pub columns: Vec<u16>,
}

impl IndexSchema {
    /// An index on these columns.
    pub fn new(columns: Vec<u16>) -> IndexSchema {
        IndexSchema { columns }
    }
}

impl ModelSchema {
    /// Starts a schema.
    pub fn builder(name: impl Into<Name>, table: impl Into<Name>) -> ModelBuilder {
        ModelBuilder::new(name.into(), table.into())
    }

    /// Nothing, or the reason why no operation runs with this schema.
    ///
    /// # Errors
    /// What [`ModelBuilder::build`] would have given.
    pub fn usable(&self) -> Result<(), DBError> {
        self.problem.clone().map_or(Ok(()), Err)
    }

    /// The table's name as messages have it: with a dot after the schema, where one is named.
    pub fn qualified_table(&self) -> Cow<'_, str> {
        match &self.schema {
            Some(schema) => Cow::Owned(format!("{schema}.{}", self.table)),
            None => Cow::Borrowed(&self.table),
        }
    }

    /// Whether two models have the same table, as stores that do not mind case see it.
    pub(crate) fn shares_table(&self, other: &ModelSchema) -> bool {
        self.qualified_table().eq_ignore_ascii_case(&other.qualified_table())
    }

    /// The column at this place, if there is one.
    pub fn column(&self, index: u16) -> Option<&ColumnSchema> {
        self.columns.get(usize::from(index))
    }

    /// The place of the column of this field name or, failing that, this stored name.
    pub fn column_index(&self, name: &str) -> Option<u16> {
        let by = |pick: fn(&ColumnSchema) -> &str| self.columns.iter().position(|c| pick(c) == name);
        by(|c| &c.field).or_else(|| by(|c| &c.name)).and_then(|index| u16::try_from(index).ok())
    }

    /// The stored names of these columns.
    pub fn names<'a>(&'a self, columns: &'a [u16]) -> impl Iterator<Item = &'a str> + Clone {
        columns.iter().filter_map(|&index| self.column(index)).map(|column| &*column.name)
    }

    /// Every column, in order.
    pub fn all_columns(&self) -> &[u16] {
        &self.all
    }

    /// Every column but the one that the database generates, in order.
    pub fn columns_without_generated(&self) -> &[u16] {
        &self.without_generated
    }

    /// The column that the database generates for new rows that do not name it, alone in a list; or an empty one.
    pub fn generated_columns(&self) -> &[u16] {
        &self.generated
    }

    /// The column that the database generates for new rows that do not name it.
    pub fn generated_column(&self) -> Option<u16> {
        self.generated.first().copied()
    }

    /// Whether this set of columns, in any order, is the key or a unique set.
    pub fn is_unique(&self, columns: &[u16]) -> bool {
        let same = |other: &[u16]| other.len() == columns.len() && other.iter().all(|c| columns.contains(c));
        same(&self.key) || self.uniques.iter().any(|unique| same(&unique.columns))
    }
}

/// A schema that a query can hold on to: that of a model, or one built at run time.
#[derive(Clone)]
pub struct SchemaRef(Held);

#[derive(Clone)]
enum Held {
    Static(&'static ModelSchema),
    Shared(Arc<ModelSchema>),
}

impl SchemaRef {
    /// The schema of a model.
    pub const fn from_static(schema: &'static ModelSchema) -> SchemaRef {
        SchemaRef(Held::Static(schema))
    }

    /// The schema if it is there for the whole program.
    pub(crate) fn as_static(&self) -> Option<&'static ModelSchema> {
        match self.0 {
            Held::Static(schema) => Some(schema),
            Held::Shared(_) => None,
        }
    }

    /// The address, which tells schemas apart for as long as either is held.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref::<ModelSchema>(self).addr()
    }
}

impl From<Arc<ModelSchema>> for SchemaRef {
    fn from(schema: Arc<ModelSchema>) -> SchemaRef {
        SchemaRef(Held::Shared(schema))
    }
}

impl Deref for SchemaRef {
    type Target = ModelSchema;

    fn deref(&self) -> &ModelSchema {
        match &self.0 {
            Held::Static(schema) => schema,
            Held::Shared(schema) => schema,
        }
    }
}

/// Two references are equal when they lead to the same schema, not when two schemas look alike.
impl PartialEq for SchemaRef {
    fn eq(&self, other: &SchemaRef) -> bool {
        self.address() == other.address()
    }
}

impl Eq for SchemaRef {}

impl fmt::Debug for SchemaRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
