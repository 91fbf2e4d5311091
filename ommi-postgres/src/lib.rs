//! The PostgreSQL driver of Ommi, on sqlx.
//!
//! ```text
//!   Ommi ──▶ PostgresDriver ──▶ run: text by shape, binds ──▶ lease: a connection of the pool ──▶ row: decoded in its buffer
//!                │
//!                └── PgPool
//! ```
//!
//! # What is stored how
//!
//! | column | stored as |
//! |---|---|
//! | `bool` | boolean |
//! | `i16`, `i32`, `i64` | smallint, integer, bigint |
//! | `i8`, `u8`; `u16`; `u32`, `u64` | smallint; integer; bigint, each with a check that keeps it within its range |
//! | `f32`, `f64` | real, double precision |
//! | text | text COLLATE "C", compared by its bytes |
//! | bytes, UUIDs | bytea, uuid |
//! | dates and times | date, time, timestamp, timestamptz, in microseconds |
//!
//! # How statements run
//!
//! Each is one round trip, once its connection has prepared it. A list is one array, whatever its length, and so is each column of
//! several new rows. What has a deadline is stopped by a cancel request when it has passed. Everything needs a Tokio runtime with its
//! timer and I/O.

mod bind;
mod compiled;
mod detail;
mod dialect;
mod driver;
mod error;
mod insert;
mod lease;
mod levels;
mod options;
mod row;
mod run;
mod schema;
mod stream;
mod transaction;
mod url;
mod warm;
mod wire;

pub use driver::{PostgresDriver, capabilities};
pub use error::PostgresError;
pub use options::{PostgresOptions, SslMode};
/// The client library, for what is done with a [pool](PostgresDriver::pool) of its own.
pub use sqlx;
