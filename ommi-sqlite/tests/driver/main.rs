//! The SQLite driver, called as the core calls it, on schemas that are built by hand.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // These are tests, helpers included.

mod errors;
mod explain;
mod hostile;
mod insert_now;
mod open;
mod placement;
mod read;
mod schema;
mod stream;
mod support;
mod transaction;
mod write;
