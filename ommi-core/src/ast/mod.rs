//! The query, as data.
//!
//! A statement is one immutable tree of plain enums that says *what* is wanted and nothing about how a
//! store says it: no SQL, no pipeline. The typed edge ([`crate::query`]) builds it, and so can anything
//! that knows a [`ModelSchema`](crate::schema::ModelSchema) at run time; a driver walks it and writes its
//! own native form.
//!
//! The meaning is the same everywhere:
//!
//! - **NULL** has SQL's three-valued logic: a comparison with NULL is unknown, `not` of unknown is unknown, and
//!   only rows for which the condition is true are meant.
//! - **Text** compares by the bytes of its UTF-8, which is by code point.
//! - **Case-insensitive** means that the letters A-Z equal a-z, and nothing else.
//! - **NULL sorts first** in ascending order and last in descending order, unless a sort says otherwise.
//!
//! Conditions nest at most [`MAX_DEPTH`] levels deep; [`check`] and [`Shape`] refuse deeper ones, so that whoever calls either first
//! may recurse.
//!
//! Every enum here can grow. A driver that meets a form it does not know answers
//! [`Unsupported`](crate::ErrorKind::Unsupported) before it sends anything.

mod check;
mod condition;
mod depth;
mod related;
mod shape;
mod statement;

pub use check::check;
pub use condition::{CompareOp, Condition, Expr, List, TextOp};
pub use depth::MAX_DEPTH;
pub(crate) use depth::too_deep;
pub use related::{Related, RelatedCount, RelatedExpr, Truth, related_models};
pub use shape::{ListClass, Shape};
pub use statement::{
    Assignment, Change, Delete, Direction, Insert, LockStrength, LockWait, Nulls, OnConflict, Output, PerGroup,
    RowLock, Select, Sort, Statement, StatementRef, Update,
};
