//! The core of Ommi: model metadata, values, the query AST, pending results, and the driver trait.
//!
//! Applications use the `ommi` crate, which re-exports what they need. Driver authors start at [`driver`].

pub mod ast;
pub mod driver;
pub mod error;
pub mod handle;
pub mod pending;
pub mod query;
pub mod relation;
pub mod schema;
pub mod testing;
pub mod value;

mod derive_support;
mod key;
mod model;
mod new_row;

#[doc(hidden)]
pub use derive_support::{ReferenceTo, RefersTo, check_version};
pub use driver::{Isolation, Nested};
pub use error::{Constraint, ConstraintKind, DBError, DBResult, DBResultExt, ErrorKind, MissingRow, StaleRow};
pub use handle::{Handle, InTransaction, Ommi, Retry, Retrying, Transaction, TransactionBuilder};
pub use key::{IntoKey, KeyWriter};
pub use model::{Model, Models};
#[doc(hidden)]
pub use model::{NewRowColumn, check_new_row, field, no_room};
pub use new_row::{NewRow, RowWriter, Slot};
pub use pending::Pending;
