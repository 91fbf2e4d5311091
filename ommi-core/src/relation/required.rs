//! What the compiler checks of rows that are added for a relation: that their required columns are given, by name or by what they belong to.
//!
//! Everything here is evaluated while compiling; what an association misses is also looked for at run time, where the compiler cannot tell
//! which of its references a relation goes by.

use super::info::{Message, contains};
use super::{ReferenceInfo, RelationInfo, ThroughInfo};
use crate::error::{DBError, DBResult};
use crate::model::{Model, NewRowColumn};

/// Stops the compilation of a nested literal that forgets a required column, but for those that refer to the row around it.
#[allow(clippy::panic, clippy::indexing_slicing)] // Evaluated by the compiler only; there, a panic is an error message.
pub(super) const fn check_nested<M: Model, T: Model>(given: &[&str]) {
    let mut i = 0;
    while i < T::NEW_ROW.len() {
        if let Some(message) = T::NEW_ROW[i].forgotten
            && !super::given(T::NEW_ROW[i].name, given)
            && !refers::<T>(i as u16, M::IDENTITY)
            && !super::given_by_relation::<T>(i as u16, given)
        {
            panic!("{}", message);
        }
        i += 1;
    }
}

/// Whether a column is part of a reference to this model.
#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
const fn refers<T: Model>(column: u16, target: &str) -> bool {
    let mut i = 0;
    while i < T::REFERENCES.len() {
        if super::same(T::REFERENCES[i].target, target) && contains(T::REFERENCES[i].columns, column) {
            return true;
        }
        i += 1;
    }
    false
}

/// Stops the compilation of rows that are added with another through an association that requires more than its two references.
#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
pub(super) const fn check_added<M: Model>(slot: u16) {
    let relation = &M::RELATIONS[slot as usize];
    if let Some(through) = &relation.through
        && let Some(missing) = first_missing(through.columns, relation.far, through.near)
    {
        let mut message = Message::new();
        message.push("rows that are given for `");
        message.push(relation.name);
        message.push("` are associated by the two references alone, and so ");
        refuse(message, missing, "add them afterwards, with `add_with`, or associate them with `link_with`")
    }
}

/// Stops the compilation of a method that makes an association of `T` out of two references, where no two give all that it requires.
///
/// The model on the other side is not known here: any of the association's references may be the first one.
#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
pub(super) const fn check_bare<A: Model, T: Model>(method: &str) {
    let mut missing: Option<&NewRowColumn> = None;
    let mut best = 0;
    let mut i = 0;
    while i < A::REFERENCES.len() {
        let mut j = 0;
        while j < A::REFERENCES.len() {
            if i != j && super::same(A::REFERENCES[j].target, T::IDENTITY) {
                match first_missing(A::NEW_ROW, A::REFERENCES[i].columns, A::REFERENCES[j].columns) {
                    None => return,
                    Some(column) => {
                        // To be named: rather a column that no reference could give, or one that is missing beside a reference to another model.
                        let sure = if !in_reference(A::REFERENCES, A::NEW_ROW, column) {
                            3
                        } else if !super::same(A::REFERENCES[i].target, T::IDENTITY) {
                            2
                        } else {
                            1
                        };
                        if sure > best {
                            (missing, best) = (Some(column), sure);
                        }
                    }
                }
            }
            j += 1;
        }
        i += 1;
    }
    if let Some(missing) = missing {
        let mut message = Message::new();
        message.push("`");
        message.push(method);
        message.push("` associates by the two references alone, and so ");
        let mut instead = Message::new();
        instead.push("`");
        instead.push(method);
        instead.push("_with` takes the association's columns");
        refuse(message, missing, instead.as_str())
    }
}

/// The first column that a row has to name and that neither of two references gives.
#[allow(clippy::indexing_slicing)] // Within bounds.
const fn first_missing(
    columns: &'static [NewRowColumn],
    first: &[u16],
    second: &[u16],
) -> Option<&'static NewRowColumn> {
    let mut i = 0;
    while i < columns.len() {
        if columns[i].forgotten.is_some() && !contains(first, i as u16) && !contains(second, i as u16) {
            return Some(&columns[i]);
        }
        i += 1;
    }
    None
}

/// Whether a column is part of one of the references.
#[allow(clippy::indexing_slicing)] // Evaluated by the compiler only, and within bounds.
const fn in_reference(references: &[ReferenceInfo], columns: &[NewRowColumn], column: &NewRowColumn) -> bool {
    let mut i = 0;
    while i < references.len() {
        let mut j = 0;
        while j < references[i].columns.len() {
            if super::same(columns[references[i].columns[j] as usize].name, column.name) {
                return true;
            }
            j += 1;
        }
        i += 1;
    }
    false
}

#[allow(clippy::panic)] // Evaluated by the compiler only; there, a panic is an error message.
const fn refuse(mut message: Message, missing: &NewRowColumn, instead: &str) -> ! {
    if let Some(forgotten) = missing.forgotten {
        message.push(forgotten);
    }
    message.push("; ");
    message.push(instead);
    panic!("{}", message.as_str())
}

/// As [`check_bare`], for the very references of a relation: before anything is sent.
pub(super) fn bare(relation: &RelationInfo, through: &ThroughInfo, method: &str) -> DBResult<()> {
    match first_missing(through.columns, relation.far, through.near) {
        None => Ok(()),
        Some(column) => Err(DBError::invalid_value(Some(&(through.schema)().name), Some(column.name))
            .with_detail(format!("`{method}` does not give this column, which is required; `{method}_with` takes it"))),
    }
}
