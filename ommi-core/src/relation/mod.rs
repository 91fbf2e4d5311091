//! Relations between models: fields that load lazily and for all rows of a query at once, includes, and conditions on related rows.
//!
//! ```text
//!   derive ──▶ RelationInfo (info.rs): which columns of which models are equal
//!                  │
//!   rows of a query ──▶ Batch (batch.rs): their keys (key.rs), and what is loaded for all of them (chain.rs, loaded.rs)
//!                  ▲            ▲
//!   fields.rs: BelongsTo, HasOne, HasMany        include.rs: the same loads, with the query
//!       lazy.rs: one row's share of a batch      typed.rs, count.rs: `User::posts` in queries
//!                  └──── load.rs: the statements ────┘
//! ```
//!
//! `strict.rs` is what a strict handle refuses, `missing.rs` what is said where a row must be there and is not; `serialize.rs` is what serde makes of the fields (feature `serde`).
//! `tree.rs` adds rows together with those that belong to them, `write.rs` changes what belongs to a row; `required.rs` is what either must be given.
//!
//! A field holds no rows. It holds a share of the batch that its row came in; what is loaded lies there, once for all rows, so that
//! loading costs one statement and a row with relations costs no allocation of its own. A row that came alone keeps its own keys instead.

mod batch;
mod chain;
mod count;
mod fields;
mod include;
mod info;
mod key;
mod lazy;
mod load;
mod loaded;
mod missing;
mod required;
#[cfg(feature = "serde")]
mod serialize;
mod strict;
mod tree;
mod typed;
mod write;

pub use batch::{Batch, Links};
pub(crate) use batch::{Batched, alone};
pub use count::Count;
pub use fields::{BelongsTo, Direct, Found, HasMany, HasOne, One, RelationField, Through, Via};
pub(crate) use include::load_all;
pub use include::{Include, Included, IntoIncludes, Load};
pub use info::{Associate, ReferenceInfo, RelationInfo, ThroughInfo, belongs_to, has, identity_of, through};
pub(crate) use info::{given, given_by_relation, same};
pub use key::Key;
pub use lazy::{Lazy, Link};
pub(crate) use loaded::Loaded;
pub use loaded::{Many, ManyIter};
pub(crate) use strict::Strict;
pub(crate) use tree::add as add_tree;
pub use tree::{GivenColumns, IntoNewRelated, Nested, NewRelated};
pub use typed::{Further, LoadRelation, RelatedColumn, Relation};
