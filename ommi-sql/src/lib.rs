//! SQL text for Ommi's query AST.
//!
//! This crate knows SQL and no database client: a driver names its [`Dialect`], and gets the text of a statement, its
//! binds in the order of the placeholders, and the statements that make tables.
//!
//! ```text
//!   ast::Select ──┐                       ┌─▶ SqlText      the text, kept by the driver per Shape
//!   ast::Insert ──┤  one traversal (Sql)  │
//!   ast::Update ──┼──────────────────────▶┼─▶ the driver's own Out: binds only, on every run
//!   ast::Delete ──┘                       └─▶ Explained    both, for `explain`
//! ```
//!
//! There is one traversal per statement, generic over what it writes to ([`Out`]). It writes the text when a shape is met for
//! the first time, and runs again over each statement of that shape to hand out its binds. Both are the same code, so the
//! order of the binds cannot differ from that of the placeholders.

mod condition;
pub mod ddl;
mod delete;
mod dialect;
mod insert;
mod out;
mod related;
mod select;
mod text;
mod update;
pub mod url;
mod writer;

pub use delete::delete;
pub use dialect::{Dialect, ListForm, Piece};
pub use insert::{insert, inserted_values};
pub use out::{Bind, Column, Explained, Out, SqlText};
pub use select::select;
pub use text::prefix_end;
pub use update::update;
pub use writer::{quote, quote_in, quote_table};
