//! The MongoDB driver of Ommi, on the official client with raw BSON.
//!
//! ```text
//!   Ommi ──▶ MongoDriver ──▶ work: the statements ──▶ run: one command, alone or in a session ──▶ row: decoded in the reply
//!                │                select, insert, upsert, update, delete: a statement as a command
//!                │                condition: a filter for "is true", a filter for "is false"
//!                ├── keys: numbers from counters
//!                └── schema: collections, validators, indexes
//! ```
//!
//! A model is a collection. Its key is `_id`, whatever the column's name; a composite key is a sub-document of its columns. What differs
//! from the other stores is in `docs/mongo.md`.
//!
//! # What is stored how
//!
//! | column | stored as |
//! |---|---|
//! | `bool` | Bool |
//! | `i8` `i16` `i32` `u8` `u16` | Int32; the validator keeps the narrow ones within their range |
//! | `u32` `i64` `u64` | Int64 |
//! | `f32` `f64` | Double |
//! | text | String, compared by its bytes |
//! | bytes, UUIDs | Binary, subtype 0 and 4 |
//! | ObjectIds | ObjectId |
//! | date | DateTime at midnight UTC |
//! | time of day | Int64, milliseconds since midnight |
//! | date and time, instants | DateTime, milliseconds; what is finer is refused |
//!
//! # Durability
//!
//! A write waits for the majority of the replica set, unless the URL or the options say otherwise (`w`, `journal`): what was acknowledged
//! survives the loss of the primary.

mod bson;
mod by_key;
mod collections;
mod condition;
mod decimal;
mod delete;
mod driver;
mod duplicate;
mod error;
mod explain;
mod insert;
mod journal;
mod keys;
mod large;
mod levels;
mod lookup;
mod named;
mod names;
mod notes;
mod on_delete;
mod options;
mod per_group;
#[cfg(test)]
mod pipelines;
mod references;
mod rollbacks;
mod row;
mod run;
mod schema;
mod select;
mod sort;
mod stored;
mod stream;
mod sum;
mod transaction;
mod turns;
mod unique;
mod update;
mod upsert;
mod value;
mod work;

pub use driver::{MongoDriver, declared as capabilities};
pub use error::ServerError;
pub use large::LargeRow;
/// The client library, for what Ommi does not offer: see [`MongoDriver::client`].
pub use mongodb;
pub use options::MongoOptions;
