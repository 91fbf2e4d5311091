//! References from one model to another.

use std::fmt;
use std::sync::Arc;

use super::{ModelSchema, SchemaRef};

/// Columns whose values are those of a key or unique set of columns of another model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReferenceSchema {
    /// The referring columns, as indexes into the model's.
    pub columns: Vec<u16>,
    /// The model that is referred to.
    pub target: Target,
    /// The columns referred to, as indexes into the target's; as many as `columns`.
    pub target_columns: Vec<u16>,
    /// What happens to the referring row when the other is deleted.
    pub on_delete: ReferentialAction,
    /// What happens to the referring row when the other's columns change.
    pub on_update: ReferentialAction,
    /// Whether the database holds the reference to be true. Data that came from elsewhere may dangle;
    /// such a reference still serves relations.
    pub enforced: bool,
}

impl ReferenceSchema {
    /// An enforced reference: while a row refers to it, the other can neither be deleted nor get other values there.
    pub fn new(columns: Vec<u16>, target: Target, target_columns: Vec<u16>) -> ReferenceSchema {
        ReferenceSchema {
            columns,
            target,
            target_columns,
            on_delete: ReferentialAction::NoAction,
            on_update: ReferentialAction::NoAction,
            enforced: true,
        }
    }

    /// Says what happens when the other row is deleted.
    #[must_use]
    pub fn on_delete(mut self, action: ReferentialAction) -> ReferenceSchema {
        self.on_delete = action;
        self
    }

    /// Says what happens when the other row's columns change.
    #[must_use]
    pub fn on_update(mut self, action: ReferentialAction) -> ReferenceSchema {
        self.on_update = action;
        self
    }

    /// Leaves the reference unchecked by the database.
    #[must_use]
    pub fn unenforced(mut self) -> ReferenceSchema {
        self.enforced = false;
        self
    }
}

/// The actions of SQL's referential constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ReferentialAction {
    /// Refuse, at the end of the statement or transaction.
    #[default]
    NoAction,
    /// Refuse at once.
    Restrict,
    /// Delete or update the referring row too.
    Cascade,
    /// Set the referring columns to NULL.
    SetNull,
    /// Set the referring columns to their defaults.
    SetDefault,
}

/// The model a reference leads to. Models may refer to each other in circles, so the schema is
/// looked up when it is needed.
#[derive(Clone)]
pub enum Target {
    /// A model of the program.
    Model(fn() -> SchemaRef),
    /// A schema that was built at run time.
    Schema(Arc<ModelSchema>),
    /// The model itself.
    Itself,
}

impl Target {
    /// The schema, for a reference that `owner` holds.
    pub fn resolve(&self, owner: &SchemaRef) -> SchemaRef {
        match self {
            Target::Model(schema) => schema(),
            Target::Schema(schema) => SchemaRef::from(schema.clone()),
            Target::Itself => owner.clone(),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Model(schema) => f.write_str(&schema().name),
            Target::Schema(schema) => f.write_str(&schema.name),
            Target::Itself => f.write_str("Self"),
        }
    }
}
