//! What the compiler knows of references and relations: constants that the derive writes.
//!
//! A relation is found from the references of one of its two models. That is done while compiling, so that a relation for which there is no
//! reference, or more than one, is an error at the field.

use futures::future::BoxFuture;

use crate::driver::Context;
use crate::error::DBResult;
use crate::handle::At;
use crate::model::{Model, NewRowColumn};
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
    /// What a new row of it must name.
    pub columns: &'static [NewRowColumn],
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
    let reference = reference::<M, T>(by, "by", name);
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
    let reference = reference::<T, M>(by, "by", name);
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
    let first = reference::<A, M>(by, "by", name);
    let second = reference::<A, T>(to, "to", name);
    if same(M::IDENTITY, T::IDENTITY) && all(first.fields, second.fields) && all(second.fields, first.fields) {
        both_sides(A::REFERENCES, first.fields, T::IDENTITY, name);
    }
    RelationInfo {
        name,
        near: first.target_columns,
        far: first.columns,
        through: Some(ThroughInfo {
            schema: A::schema,
            near: second.columns,
            far: second.target_columns,
            columns: A::NEW_ROW,
            add: super::tree::associate::<A>,
        }),
        owned: false,
        owner: M::schema,
    }
}

/// The reference of `A` to `T` that a relation goes by, which has to lead to one row at most.
const fn reference<A: Model, T: Model>(by: &[&str], option: &str, relation: &str) -> ReferenceInfo {
    let found = find(A::REFERENCES, T::IDENTITY, by, option, relation);
    if !is_unique(T::UNIQUE, found.target_columns) {
        not_unique::<T>(&found, relation);
    }
    found
}

/// The reference to this model; of several, the one with these fields.
#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
const fn find(
    references: &'static [ReferenceInfo],
    target: &str,
    by: &[&str],
    option: &str,
    relation: &str,
) -> ReferenceInfo {
    let mut found = None;
    // All of its fields name a reference; one of them does only where that leaves the others alone.
    let mut whole = true;
    loop {
        let mut i = 0;
        while i < references.len() {
            if same(references[i].target, target) && (by.is_empty() || names(references[i].fields, by, whole)) {
                if found.is_some() {
                    ambiguous(references, target, option, relation);
                }
                found = Some(references[i]);
            }
            i += 1;
        }
        match found {
            Some(reference) => return reference,
            None if whole => whole = false,
            None => missing(references, target, by, relation),
        }
    }
}

/// Whether these are the fields of a reference: all of them in any order, or one of them.
const fn names(fields: &[&str], by: &[&str], whole: bool) -> bool {
    match whole {
        true => all(by, fields) && all(fields, by),
        false => by.len() == 1 && all(by, fields),
    }
}

/// Whether these names are all among the others.
#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
const fn all(names: &[&str], others: &[&str]) -> bool {
    let mut i = 0;
    while i < names.len() {
        if !given(names[i], others) {
            return false;
        }
        i += 1;
    }
    true
}

/// Whether one row at most has the same values in these columns: all columns of a key, or of what is unique, are among them.
#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
const fn is_unique(unique: &[&[u16]], columns: &[u16]) -> bool {
    let mut i = 0;
    while i < unique.len() {
        let mut j = 0;
        while j < unique[i].len() && contains(columns, unique[i][j]) {
            j += 1;
        }
        if j == unique[i].len() {
            return true;
        }
        i += 1;
    }
    false
}

#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
pub(super) const fn contains(columns: &[u16], column: u16) -> bool {
    let mut i = 0;
    while i < columns.len() {
        if columns[i] == column {
            return true;
        }
        i += 1;
    }
    false
}

#[allow(clippy::panic, clippy::indexing_slicing)] // Evaluated by the compiler only; there, a panic is an error message.
const fn not_unique<T: Model>(reference: &ReferenceInfo, relation: &str) -> ! {
    let mut message = Message::new();
    message.push("the relation `");
    message.push(relation);
    message.push("` would go by the reference ");
    message.fields(reference.fields);
    message.push(" to ");
    let mut i = 0;
    while i < reference.target_columns.len() {
        message.push(if i == 0 { "`" } else { ", `" });
        message.push(T::NEW_ROW[reference.target_columns[i] as usize].name);
        message.push("`");
        i += 1;
    }
    message.push(", which several rows may have; it has to be the key, or `#[ommi(unique)]`");
    panic!("{}", message.as_str())
}

#[allow(clippy::panic)] // Evaluated by the compiler only; there, a panic is an error message.
const fn both_sides(references: &[ReferenceInfo], fields: &[&str], target: &str, relation: &str) -> ! {
    let mut message = Message::new();
    message.push("the relation `");
    message.push(relation);
    message.push("` would go to and fro by one reference, ");
    message.fields(fields);
    message.push("; it needs two, the second by `#[ommi(to = ..)]`; there are: ");
    message.candidates(references, target);
    panic!("{}", message.as_str())
}

#[allow(clippy::panic)] // Evaluated by the compiler only; there, a panic is an error message.
const fn ambiguous(references: &[ReferenceInfo], target: &str, option: &str, relation: &str) -> ! {
    let mut message = Message::new();
    message.push("several references could be meant by the relation `");
    message.push(relation);
    message.push("`; say which with `#[ommi(");
    message.push(option);
    message.push(" = ..)]`: ");
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
pub(super) struct Message {
    bytes: [u8; 1024],
    length: usize,
}

#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
impl Message {
    pub(super) const fn new() -> Message {
        Message { bytes: [0; 1024], length: 0 }
    }

    /// Adds a piece, as far as there is room.
    pub(super) const fn push(&mut self, piece: &str) {
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

    /// The fields of a reference, as they are said.
    const fn fields(&mut self, fields: &[&str]) {
        self.push(if fields.len() > 1 { "`(" } else { "`" });
        let mut i = 0;
        while i < fields.len() {
            self.push(if i == 0 { "" } else { ", " });
            self.push(fields[i]);
            i += 1;
        }
        self.push(if fields.len() > 1 { ")`" } else { "`" });
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
                self.fields(references[i].fields);
            }
            i += 1;
        }
        if first {
            self.push("none");
        }
    }

    pub(super) const fn as_str(&self) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn refers(fields: &'static [&'static str]) -> ReferenceInfo {
        ReferenceInfo { target: "T", columns: &[], fields, target_columns: &[] }
    }

    static SEVERAL: [ReferenceInfo; 3] = [refers(&["a"]), refers(&["a", "b"]), refers(&["c", "d"])];

    fn found(by: &[&str]) -> &'static [&'static str] {
        find(&SEVERAL, "T", by, "by", "r").fields
    }

    #[test]
    fn all_fields_of_a_reference_say_more_than_one_of_them() {
        assert_eq!(found(&["a"]), ["a"]);
        assert_eq!(found(&["b"]), ["a", "b"]);
        assert_eq!(found(&["b", "a"]), ["a", "b"]);
        assert_eq!(found(&["d"]), ["c", "d"]);
    }

    #[test]
    #[should_panic(expected = "the relation `r` has no such reference to go by; there are: `a`, `(a, b)`, `(c, d)`")]
    fn a_field_that_is_named_twice_is_one() {
        found(&["c", "c"]);
    }

    #[test]
    #[should_panic(expected = "say which with `#[ommi(by = ..)]`: `a`, `(a, b)`, `(c, d)`")]
    fn one_of_several_is_to_be_named() {
        found(&[]);
    }

    #[test]
    fn what_holds_a_key_is_unique() {
        let unique: &[&[u16]] = &[&[0], &[2, 3]];
        for (columns, expected) in [(&[0][..], true), (&[1], false), (&[2], false), (&[3, 2], true), (&[1, 0], true)] {
            assert_eq!(is_unique(unique, columns), expected, "{columns:?}");
        }
    }
}
