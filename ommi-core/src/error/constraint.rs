//! Violated constraints.

/// A constraint that a row violated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Constraint {
    kind: ConstraintKind,
    table: Option<String>,
    name: Option<String>,
    columns: Vec<String>,
}

/// The kinds of constraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConstraintKind {
    /// The key, or a unique column or set of columns.
    Unique,
    /// A reference to a row that does not exist, or the deletion of a row that is referred to.
    ForeignKey,
    /// NULL in a column that is required.
    NotNull,
    /// A check of the database.
    Check,
    /// Any other.
    Other,
}

impl Constraint {
    /// A constraint of which nothing but the kind is known.
    pub const fn new(kind: ConstraintKind) -> Constraint {
        Constraint { kind, table: None, name: None, columns: Vec::new() }
    }

    /// Adds the table.
    #[must_use]
    pub fn on_table(mut self, table: impl Into<String>) -> Constraint {
        self.table = Some(table.into());
        self
    }

    /// Adds the constraint's own name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Constraint {
        self.name = Some(name.into());
        self
    }

    /// Adds the columns, by their stored names.
    #[must_use]
    pub fn on_columns(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Constraint {
        self.columns = columns.into_iter().map(Into::into).collect();
        self
    }

    /// The kind.
    pub const fn kind(&self) -> ConstraintKind {
        self.kind
    }

    /// The table, where the database tells.
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    /// The constraint's name, where the database tells.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The columns, by their stored names; empty where the database does not tell.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}
