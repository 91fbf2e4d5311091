//! The SQLite driver of Ommi, on rusqlite with SQLite built in.
//!
//! ```text
//!   Ommi ──▶ SqliteDriver ──▶ work: where does it run? ──▶ run: on one connection ──▶ row: decoded where SQLite keeps it
//!                │                 in place · a thread        compiled text by shape
//!                └── pools: one connection that writes, several that read
//! ```
//!
//! # What is stored how
//!
//! | column | stored as |
//! |---|---|
//! | `bool` | INTEGER, 0 or 1 |
//! | integers | INTEGER; a check keeps the narrow ones within their range |
//! | `f32`, `f64` | REAL |
//! | text | TEXT, UTF-8, compared by its bytes |
//! | bytes, UUIDs | BLOB; a UUID is its 16 bytes |
//! | dates and times | TEXT in ISO 8601 (`2013-01-01 10:00:00.5`), years 0000 to 9999 |
//!
//! Tables are STRICT. A key that the database counts is `INTEGER PRIMARY KEY AUTOINCREMENT`: no number is given twice.
//!
//! # Durability
//!
//! A database in a file is in WAL mode with `synchronous=normal`: what was committed survives a crash of the process. A
//! loss of power may take the last commits, and leaves the file whole. With [`Synchronous::Full`] every commit survives that too, and waits
//! for the disk, on a blocking thread.
//!
//! # Where statements run
//!
//! Short ones run on the thread of the task that asked for them: a hop to another thread takes longer than a read by key. Reads that turn out
//! long are stopped after some milliseconds and run again on a blocking thread, and their shape is remembered; writes whose length is unknown
//! go there at once. Waiting for connections, for locks of other processes, and blocking threads need a Tokio runtime with its
//! timer enabled; in-place statements on a database in memory run under any executor.

mod bind;
mod cache;
mod checkpoint;
mod compiled;
mod connection;
mod control;
mod dialect;
mod driver;
mod error;
mod insert;
mod kept;
mod options;
mod pool;
mod row;
mod run;
mod schema;
mod stream;
mod transaction;
mod turns;
mod url;
mod watch;
mod work;

pub use driver::{SqliteDriver, capabilities};
pub use options::{Mode, SqliteOptions, Synchronous};
