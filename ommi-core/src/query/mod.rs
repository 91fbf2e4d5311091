//! The typed edge: what an application writes queries with.
//!
//! A [`Column`] knows its model and its type, so that comparing with the wrong type or mixing columns of
//! unrelated models does not compile. What it builds is the plain tree of [`crate::ast`]. Values are checked as they
//! enter; a value that no store can hold does not panic and is not sent: the operation gives the error when it runs.

mod assign;
mod column;
mod find;
mod operand;
mod predicate;
mod rows;
mod sort;

pub use assign::{Assign, IntoAssignments};
pub use column::{Column, IntoColumns};
pub use find::Find;
pub use operand::Operand;
pub(crate) use predicate::Problem;
pub use predicate::{IntoPredicate, Predicate, all_of, any_of};
pub use rows::Rows;
pub use sort::{IntoSorts, SortBy};
