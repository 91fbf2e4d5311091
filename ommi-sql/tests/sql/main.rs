//! The exact text and binds of each form of the AST, in a dialect that differs from SQLite's wherever dialects can: numbered and
//! typed placeholders, arrays for every list, NULLs placed by the sort alone, backticks for quotes.

#![allow(clippy::unwrap_used)] // These are tests, helpers included.

mod condition;
mod ddl;
mod delete;
mod insert;
mod related;
mod select;
mod support;
mod update;
