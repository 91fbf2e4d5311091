//! What the compiler knows of references and relations: constants that the derive writes.
//!
//! A relation is found from the references of one of its two models. That is done while compiling, so that a relation for which there is no
//! reference, or more than one, is an error at the field.

use futures::future::BoxFuture;

use crate::driver::Context;
use crate::error::DBResult;
use crate::handle::At;
use crate::model::Model;
use crate::query::Column;
use crate::schema::SchemaRef;
use crate::value::Value;

/// A reference of a model, as a constant.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct ReferenceInfo {
    /// [`Model::IDENTITY`] of the model that is referred to.
    pub target: &'static str,
    /// The referring columns.
    pub columns: &'static [u16],
    /// The names of their fields.
    pub fields: &'static [&'static str],
    /// The columns referred to, in the same order.
    pub target_columns: &'static [u16],
}

/// A relation of a model, as a constant.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct RelationInfo {
    /// The name of the field.
    pub name: &'static str,
    /// The columns of the model itself.
    pub near: &'static [u16],
    /// The columns of the related model, or of the association model, that are equal to those.
    pub far: &'static [u16],
    /// What stands between, where there is an association model.
    pub through: Option<ThroughInfo>,
    /// Whether the reference that it goes by is the model's own.
    pub owned: bool,
    /// The schema of the model that has the relation.
    pub owner: fn() -> SchemaRef,
}

/// The second half of a relation through an association model.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct ThroughInfo {
    /// The association model.
    pub schema: fn() -> SchemaRef,
    /// Its columns that refer to the related model.
    pub near: &'static [u16],
    /// The columns of the related model that they refer to.
    pub far: &'static [u16],
    /// Adds rows of it that have these values.
    pub add: Associate,
}

/// Adds rows of an association model, in a transaction.
#[doc(hidden)]
pub type Associate = for<'a> fn(Vec<Vec<(u16, Value<'static>)>>, At<'a>, &'a Context) -> BoxFuture<'a, DBResult<()>>;

impl RelationInfo {
    /// The names of model and field, for messages: `User.posts`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}.{}", (self.owner)().name, self.name)
    }
}

/// Which model a column is of.
#[doc(hidden)]
pub const fn identity_of<M: Model, T>(_: Column<M, T>) -> &'static str {
    M::IDENTITY
}

/// A relation along a reference of the model itself.
#[doc(hidden)]
pub const fn belongs_to<M: Model, T: Model>(name: &'static str, by: &[&str]) -> RelationInfo {
    let reference = find(M::REFERENCES, T::IDENTITY, by, name);
    RelationInfo {
        name,
        near: reference.columns,
        far: reference.target_columns,
        through: None,
        owned: true,
        owner: M::schema,
    }
}

/// A relation along a reference of the other model.
#[doc(hidden)]
pub const fn has<M: Model, T: Model>(name: &'static str, by: &[&str]) -> RelationInfo {
    let reference = find(T::REFERENCES, M::IDENTITY, by, name);
    RelationInfo {
        name,
        near: reference.target_columns,
        far: reference.columns,
        through: None,
        owned: false,
        owner: M::schema,
    }
}

/// A relation along two references of an association model.
#[doc(hidden)]
pub const fn through<M: Model, A: Model, T: Model>(name: &'static str, by: &[&str], to: &[&str]) -> RelationInfo {
    let first = find(A::REFERENCES, M::IDENTITY, by, name);
    let second = find(A::REFERENCES, T::IDENTITY, to, name);
    if same(M::IDENTITY, T::IDENTITY) && by.len() + to.len() < 2 {
        // Both lead to one model, so that only saying which is which tells them apart.
        ambiguous(A::REFERENCES, T::IDENTITY, name);
    }
    RelationInfo {
        name,
        near: first.target_columns,
        far: first.columns,
        through: Some(ThroughInfo {
            schema: A::schema,
            near: second.columns,
            far: second.target_columns,
            add: super::tree::associate::<A>,
        }),
        owned: false,
        owner: M::schema,
    }
}

/// The reference to this model; of several, the one with these fields.
#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
const fn find(references: &'static [ReferenceInfo], target: &str, by: &[&str], relation: &str) -> ReferenceInfo {
    let mut found = None;
    let mut i = 0;
    while i < references.len() {
        if same(references[i].target, target) && (by.is_empty() || names(references[i].fields, by)) {
            if found.is_some() {
                ambiguous(references, target, relation);
            }
            found = Some(references[i]);
        }
        i += 1;
    }
    match found {
        Some(reference) => reference,
        None => missing(references, target, by, relation),
    }
}

/// Whether these are the fields of a reference: all of them, or one of them.
#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
const fn names(fields: &[&str], by: &[&str]) -> bool {
    if by.len() != 1 && by.len() != fields.len() {
        return false;
    }
    let mut i = 0;
    while i < by.len() {
        let mut j = 0;
        while j < fields.len() && !same(fields[j], by[i]) {
            j += 1;
        }
        if j == fields.len() {
            return false;
        }
        i += 1;
    }
    true
}

#[allow(clippy::panic)] // Evaluated by the compiler only; there, a panic is an error message.
const fn ambiguous(references: &[ReferenceInfo], target: &str, relation: &str) -> ! {
    let mut message = Message::new();
    message.push("several references could be meant by the relation `");
    message.push(relation);
    message.push("`; say which with `#[ommi(by = ..)]`: ");
    message.candidates(references, target);
    panic!("{}", message.as_str())
}

#[allow(clippy::panic)] // Evaluated by the compiler only; there, a panic is an error message.
const fn missing(references: &[ReferenceInfo], target: &str, by: &[&str], relation: &str) -> ! {
    let mut message = Message::new();
    message.push("the relation `");
    message.push(relation);
    if by.is_empty() {
        message
            .push("` has no reference to go by: a field with `#[ommi(references = ..)]` to the other model is needed");
    } else {
        message.push("` has no such reference to go by; there are: ");
        message.candidates(references, target);
    }
    panic!("{}", message.as_str())
}

/// A message that is put together while compiling.
struct Message {
    bytes: [u8; 1024],
    length: usize,
}

#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
impl Message {
    const fn new() -> Message {
        Message { bytes: [0; 1024], length: 0 }
    }

    /// Adds a piece, as far as there is room.
    const fn push(&mut self, piece: &str) {
        let piece = piece.as_bytes();
        if self.length + piece.len() > self.bytes.len() {
            return;
        }
        let mut i = 0;
        while i < piece.len() {
            self.bytes[self.length] = piece[i];
            self.length += 1;
            i += 1;
        }
    }

    const fn candidates(&mut self, references: &[ReferenceInfo], target: &str) {
        let mut first = true;
        let mut i = 0;
        while i < references.len() {
            if same(references[i].target, target) {
                if !first {
                    self.push(", ");
                }
                first = false;
                let fields = references[i].fields;
                let mut j = 0;
                while j < fields.len() {
                    self.push(if j == 0 { "`" } else { ", " });
                    self.push(fields[j]);
                    j += 1;
                }
                self.push("`");
            }
            i += 1;
        }
        if first {
            self.push("none");
        }
    }

    const fn as_str(&self) -> &str {
        // Whole pieces of text were put in, so that it is text; the other arm is for the compiler.
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "a relation is wrong",
        }
    }
}

#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
pub(crate) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether a name is among those given.
#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
pub(crate) const fn given(name: &str, names: &[&str]) -> bool {
    let mut i = 0;
    while i < names.len() {
        if same(names[i], name) {
            return true;
        }
        i += 1;
    }
    false
}

/// Whether a new row's column gets its value from a row that is given for a relation.
#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
pub(crate) const fn given_by_relation<M: Model>(column: u16, names: &[&str]) -> bool {
    let mut i = 0;
    while i < M::RELATIONS.len() {
        let relation = &M::RELATIONS[i];
        if relation.owned && given(relation.name, names) {
            let mut j = 0;
            while j < relation.near.len() {
                if relation.near[j] == column {
                    return true;
                }
                j += 1;
            }
        }
        i += 1;
    }
    false
}
