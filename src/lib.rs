//! Ommi: one model and one query, on an embedded database, a SQL server and a document store, with the same
//! answer on each.
//!
//! The [README](https://github.com/ommi-rs/ommi) is the tour; `ARCHITECTURE.md` is the map of the source.
//! Start with [`prelude`], [`Ommi::connect`](Connect::connect), [`Handle`] and the attributes of [`Model`](derive@Model). Who writes a driver starts with
//! [`driver`].

#![deny(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::indexing_slicing
)]

mod connect;

pub use connect::Connect;
pub use ommi_core::pending;
pub use ommi_core::query::{self, Assign, Column, Find, Predicate, Rows, SortBy, all_of, any_of};
pub use ommi_core::relation::{self, BelongsTo, HasMany, HasOne, LoadRelation, Many, Relation, Through};
pub use ommi_core::value::{FieldType, IntoField, NumericField, TextField};
pub use ommi_core::{
    Constraint, ConstraintKind, DBError, DBResult, DBResultExt, ErrorKind, Handle, InTransaction, IntoKey, Isolation,
    MissingRow, Model, Models, Nested, NewRow, Ommi, Pending, Retry, Retrying, Slot, StaleRow, Transaction,
    TransactionBuilder,
};
pub use ommi_core::{ast, driver, schema, testing, value};
pub use ommi_derive::{FieldType, Model};

/// The MongoDB driver and its options.
#[cfg(feature = "mongo")]
pub use ommi_mongo as mongo;

/// The PostgreSQL driver and its options.
#[cfg(feature = "postgres")]
pub use ommi_postgres as postgres;

/// The SQLite driver and its options.
#[cfg(feature = "sqlite")]
pub use ommi_sqlite as sqlite;

/// What most programs import: `use ommi::prelude::*`.
pub mod prelude {
    pub use crate::{
        BelongsTo, Column, Connect, DBError, DBResult, DBResultExt, ErrorKind, FieldType, Handle, HasMany, HasOne,
        LoadRelation, Model, Ommi, Predicate, Through, Transaction, all_of, any_of, new,
    };
}

/// A new row of a model: names what the row must hold, and what it may.
///
/// ```
/// # use ommi::prelude::*;
/// #[derive(Model)]
/// struct User {
///     #[ommi(auto)]
///     id: i64,
///     email: String,
///     #[ommi(default = 0)]
///     visits: u32,
/// }
///
/// let email = "ann@x.org";
/// let row = new!(User { email, visits: 3 });
/// # let _ = row;
/// ```
///
/// A required column that is forgotten, an unknown one, and a value of the wrong type do not compile. Columns that have a default, are
/// optional or are generated may be left out. Values convert as they do for [`IntoField`]: `"text"` for a `String`, a bare
/// value for an `Option`.
///
/// Rows that belong to the new one are named by its relations, and added with it: `new!(User { email, posts: [{ title: "x" }] })`. A `..` at the end says
/// that something else gives the required columns that are not named, as `user.posts.add(&db, new!(Post { title: "x", .. }))` does; what is missing
/// after that is an `InvalidValue` error.
#[macro_export]
macro_rules! new {
    ($($row:tt)*) => {
        $crate::__private::__new!($crate; $($row)*)
    };
}

/// What generated code refers to. Not for direct use.
#[doc(hidden)]
pub mod __private {
    pub use std::sync::LazyLock;

    pub use ommi_core::driver::{DatePrecision, Row};
    pub use ommi_core::query::Column;
    pub use ommi_core::relation::{
        GivenColumns, IntoNewRelated, Key, Link, Links, Nested, NewRelated, ReferenceInfo, Relation, RelationField,
        RelationInfo, belongs_to, has, identity_of, through,
    };
    pub use ommi_core::schema::{
        Auto, ColumnBuilder, ModelSchema, ReferenceSchema, ReferentialAction, SchemaRef, Target,
    };
    pub use ommi_core::value::{
        ColumnType, DecodeFailure, FieldType, IntoField, InvalidValue, NumericField, TextField, Value,
    };
    pub use ommi_core::{
        DBResult, Model, NewRow, NewRowColumn, RowWriter, Slot, check_new_row, check_version, field, no_room,
    };
    pub use ommi_derive::__new;
}

/// The README's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So are those of the chapters.
#[cfg(doctest)]
#[doc = include_str!("../docs/relations.md")]
struct Relations;

#[cfg(doctest)]
#[doc = include_str!("../docs/transactions.md")]
struct Transactions;

#[cfg(doctest)]
#[doc = include_str!("../docs/versions.md")]
struct Versions;
