//! The core of Ommi: model metadata, values, the query AST, pending results, and the driver trait.
//!
//! Applications use the `ommi` crate, which re-exports what they need. Driver authors start at [`driver`].

pub mod ast;
pub mod driver;
pub mod error;
pub mod schema;
pub mod value;

mod key;
mod model;
mod new_row;

pub use error::{Constraint, ConstraintKind, DBError, DBResult, DBResultExt, ErrorKind};
pub use key::IntoKey;
pub use model::{Model, Models};
pub use new_row::{NewRow, RowWriter, Slot};
