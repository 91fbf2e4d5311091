//! What the tokens of a model say, as plain data: nothing resolved, nothing checked against anything else.

use syn::{Expr, Ident, LitStr, Path, Type, Visibility};

/// A struct and its attributes.
pub(crate) struct ModelInput {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    /// The path of the `ommi` crate.
    pub(crate) krate: Path,
    pub(crate) schema: Option<LitStr>,
    pub(crate) table: Option<LitStr>,
    /// The type that carries the columns, if not the model.
    pub(crate) columns: Option<Ident>,
    pub(crate) uniques: Vec<FieldList>,
    pub(crate) indexes: Vec<FieldList>,
    pub(crate) references: Vec<CompositeReference>,
    pub(crate) fields: Vec<FieldInput>,
}

/// `unique(a, b)` or `index(a, b)`.
pub(crate) struct FieldList {
    /// The attribute's name, where a mistake about the whole list is shown.
    pub(crate) name: Ident,
    pub(crate) fields: Vec<Ident>,
}

/// A field and its attributes. An attribute that is a bare word is kept as that word, for its place.
pub(crate) struct FieldInput {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) ty: Type,
    pub(crate) key: Option<Ident>,
    pub(crate) auto: Option<AutoInput>,
    pub(crate) column: Option<LitStr>,
    pub(crate) unique: Option<Ident>,
    pub(crate) index: Option<Ident>,
    pub(crate) default: Option<DefaultInput>,
    pub(crate) precision: Option<Precision>,
    pub(crate) truncate: Option<Ident>,
    pub(crate) version: Option<Ident>,
    pub(crate) references: Option<Path>,
    pub(crate) options: ReferenceOptions,
    pub(crate) skip: Option<Ident>,
    /// The fields of the reference that a relation goes by.
    pub(crate) by: Option<FieldList>,
    /// Those of the second reference, where the relation goes through an association model.
    pub(crate) to: Option<FieldList>,
    /// The names of all attributes, in order.
    pub(crate) given: Vec<Ident>,
}

/// `precision = ".."`: how finely a column keeps times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Precision {
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

/// `auto`, `auto = ".."`.
pub(crate) struct AutoInput {
    pub(crate) name: Ident,
    pub(crate) kind: AutoKind,
}

/// Who makes a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AutoKind {
    /// Whoever does for the field's type.
    OfType,
    Increment,
    UuidV4,
    UuidV7,
}

/// `default`, `default = ..`.
pub(crate) struct DefaultInput {
    pub(crate) name: Ident,
    /// Nothing stands for the type's `Default`.
    pub(crate) value: Option<Expr>,
}

/// `references((a, b) = (Other::x, Other::y), ..)`.
pub(crate) struct CompositeReference {
    pub(crate) name: Ident,
    pub(crate) fields: Vec<Ident>,
    pub(crate) targets: Vec<Path>,
    pub(crate) options: ReferenceOptions,
}

/// What a reference may say beside its target.
#[derive(Default)]
pub(crate) struct ReferenceOptions {
    pub(crate) on_delete: Option<(LitStr, ReferentialAction)>,
    pub(crate) on_update: Option<(LitStr, ReferentialAction)>,
    pub(crate) constraint: Option<bool>,
}

/// What happens to the referring row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReferentialAction {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}
