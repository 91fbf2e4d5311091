//! The driver trait: what a store must do to run Ommi's queries.
//!
//! ```text
//!   Ommi ── Driver ──────── begin ──▶ DriverTransaction
//!             │  \                        │
//!             │   schema(): SchemaDriver  │        create, drop
//!             └────────── Executor ───────┘        fetch, stream, insert, update, delete
//! ```
//!
//! A driver compiles the statement itself, to whatever its store speaks; Ommi hands it the tree
//! ([`crate::ast`]) and nothing else. There are four small traits to implement, all object-safe, and for what they give [`RowStream`] and [`Row`] (or
//! [`Values`], for rows that are at hand):
//!
//! | trait | what it is |
//! |---|---|
//! | [`Executor`] | runs statements; the driver itself (each on any connection of its pool) and a transaction (on its own) |
//! | [`Driver`] | names itself, declares its [`Capabilities`], begins transactions, explains, closes |
//! | [`DriverTransaction`] | commits or rolls back, as a whole or by levels; may have a schema part of its own |
//! | [`SchemaDriver`] | creates and drops tables |
//!
//! # The contract
//!
//! A driver MUST
//!
//! - give every statement the meaning that [`crate::ast`] states, or answer `Unsupported` before anything is sent. It calls
//!   [`ast::check`](crate::ast::check) when it compiles a shape for the first time, and answers `Unsupported` for a form it does not know.
//! - make every statement atomic: on an error, none of it has happened (unless it declares otherwise in
//!   [`Capabilities::atomic_statements`]).
//! - report NotFound never (that is the core's to say), and map what the database reports: `Constraint` with its kind and, as far as
//!   the database tells, constraint, table and columns; `OutOfRange` for numbers; `Conflict`, retryable, for serialization failures,
//!   deadlocks and lost races; `Connection`, retryable, for a connection that was lost; `Timeout` for any limit that was exceeded;
//!   `Database` for the rest. The client library's error is kept as the source.
//! - mark what it finds before anything is sent, where the kind does not say so by itself, with [`DBError::unsent`](crate::DBError::unsent): of a
//!   statement that is too large, say. After any other error of a statement the core lets its transaction, or the level that it stands in, only be undone,
//!   whatever [`Capabilities::statement_error_keeps_transaction`] says.
//! - observe [`Context::deadline`]: give up waiting, and stop the database's work, once it has passed.
//! - survive that any future is dropped at any await: nothing half-read, no open transaction and no lost connection may remain in its pool.
//!   A dropped transaction is rolled back before anybody else can see or wait for what it held.
//! - answer `Query` instead of waiting for a connection, or a turn to write, that a transaction which [`Context::inside`] names must have: it
//!   would never be free.
//! - never panic on what a user or a database can send.
//!
//! Three things hold for every statement and are easily missed:
//!
//! - The table, not the model, says what is stored. Models are older or newer than their tables: columns are found by their stored names,
//!   and a table may have more of them, in another order. NULL in a required column and a number outside its column's range are refused
//!   by the columns that the table was created with (where [`Capabilities::checks`] says so).
//! - A table or column that does not exist is an error of kind `Database`, whose source names it.
//! - A number that is added to a column obeys the column's type: an `f32` is rounded to one, and a sum that leaves the range, becomes
//!   infinite from finite numbers, or is no number is `OutOfRange`.
//!
//! The example `examples/memory-driver` is a driver of eight hundred lines, and `ommi-conformance` the suite that it passes.
//!
//! A driver SHOULD keep what it compiles by [`Shape`](crate::ast::Shape), bounded; make one hop to the database per statement; hand out
//! text and bytes borrowed; tell [`record_statement`] what is sent; and, where it need not wait, answer
//! [`Answer::Ready`] and have [`insert_now`](Executor::insert_now).

mod answer;
mod capabilities;
mod context;
mod explain;
mod row;
mod trace;
mod transaction;

use async_trait::async_trait;

pub use answer::Answer;
pub use capabilities::{Capabilities, DatePrecision, Declared};
pub use context::Context;
pub use explain::Explanation;
pub(crate) use row::{Collect, First};
pub use row::{Row, RowSink, Values};
pub use trace::record_statement;
pub use transaction::{Abandoned, Begin, Inside, Isolation, Kept, LevelEnd, Nested, TransactionOptions};

use crate::ast::{Delete, Insert, Select, Statement, Update};
use crate::error::DBResult;
use crate::schema::SchemaRef;

/// Runs statements.
///
/// The work may begin when a method is called and need not wait for the first poll; the core awaits every answer at once.
pub trait Executor: Send + Sync {
    /// Reads rows into the sink, in order.
    ///
    /// A driver that has to read again from the start (because it moves a long read to another thread) calls [`RowSink::clear`] first.
    fn fetch<'a>(&'a self, select: &'a Select, sink: &'a mut dyn RowSink, context: &'a Context) -> Answer<'a, ()>;

    /// Reads rows piece by piece, in bounded memory. `sink` is forked for each piece.
    fn stream<'a>(
        &'a self,
        select: Select,
        sink: Box<dyn RowSink>,
        context: Context,
    ) -> Answer<'a, Box<dyn RowStream + 'a>>;

    /// Adds rows and gives the number written. The columns in [`Insert::returning`] of each go into the sink, in the order of the
    /// rows; each is as wide as that list. A generated key is a [`Value::Int`](crate::value::Value::Int).
    ///
    /// A driver may take the values out of the statement to carry them to another thread, and puts them back before it answers: the core
    /// reads them again to make the rows that the user gets.
    fn insert<'a>(&'a self, insert: &'a mut Insert, sink: &'a mut dyn RowSink, context: &'a Context)
    -> Answer<'a, u64>;

    /// Adds one row if that can be done without waiting for anything; `None` where it cannot, and then nothing of it has happened and
    /// [`insert`](Executor::insert) is called with the same statement.
    ///
    /// Gives the generated key, where [`Insert::returning`] asks for it; where that is empty, any number. A row that was not written is an error
    /// where its key is asked for. A driver that runs statements in place SHOULD have this: it spares the core a future, which for one row is a
    /// good part of the work. What is traced always goes the other way, so this has nothing to record.
    fn insert_now(&self, insert: &Insert, context: &Context) -> Option<DBResult<i64>> {
        let _ = (insert, context);
        None
    }

    /// Changes rows and gives the number that met the filter, whether or not their values changed.
    fn update<'a>(&'a self, update: &'a Update, context: &'a Context) -> Answer<'a, u64>;

    /// Deletes rows and gives their number.
    fn delete<'a>(&'a self, delete: &'a Delete, context: &'a Context) -> Answer<'a, u64>;
}

/// A result that is read piece by piece. Dropping it ends the read and frees its connection.
pub trait RowStream: Send {
    /// The next rows, in the sink that was given to [`Executor::stream`], forked; `None` at the end.
    ///
    /// Pieces hold about [`Context::batch`] rows, at least one.
    fn next<'a>(&'a mut self) -> Answer<'a, Option<Box<dyn RowSink>>>;
}

/// A store: a pool of connections, or a client that has one.
#[async_trait]
pub trait Driver: Executor {
    /// What the store can do. Declared once, and constant.
    fn capabilities(&self) -> &Capabilities;

    /// Begins a transaction. Nothing need be sent before its first statement, unless it is to begin [at once](TransactionOptions::immediate).
    /// The core asks for nothing that the [`Capabilities`] lack. It begins one by itself for what takes several statements, and, where
    /// [`Capabilities::snapshot_includes`] is declared, one that only reads for a query and what is included with it.
    ///
    /// # Errors
    /// `Unsupported` where the store has no transactions.
    async fn begin(&self, begin: &Begin, context: &Context) -> DBResult<Box<dyn DriverTransaction>>;

    /// The part that makes and drops tables.
    fn schema(&self) -> &dyn SchemaDriver;

    /// What would be sent for a statement, without sending it.
    ///
    /// # Errors
    /// As for running it, as far as they are found before anything is sent.
    fn explain(&self, statement: &Statement) -> DBResult<Explanation>;

    /// Ends every connection after the work that is under way. Later calls give a `Connection` error.
    async fn close(&self);
}

/// A transaction. Dropping it rolls it back.
///
/// # Levels
///
/// A transaction may hold others, one in the other: the outermost is level 0, one within it level 1, and so on. A driver that has
/// [`Capabilities::savepoints`] keeps what is done in each level apart, so that it can be undone by itself.
///
/// Each statement says in [`Context::level`] where it stands. Whatever is open beyond that level was abandoned, and is undone before the
/// statement runs; levels up to it that are not open yet are opened then. The commit stands at level 0: what was abandoned is undone before
/// it. So a level that nothing runs in costs nothing, and one that is dropped needs no word. A statement that was dropped and still runs
/// must have no part in levels that begin afterwards. [`Abandoned`] helps with the bookkeeping.
#[async_trait]
pub trait DriverTransaction: Executor {
    /// A new level begins: what may still be open of the same number or beyond was abandoned, and is undone before anything else runs.
    ///
    /// Only called where [`Capabilities::savepoints`] are declared.
    fn enter(&self, level: u32) {
        let _ = level;
    }

    /// Ends a level, which may never have been opened, and what was abandoned beyond it. After an undo the level around it is as it was, also
    /// when it was a failed statement that led to it.
    ///
    /// Only called where [`Capabilities::savepoints`] are declared.
    ///
    /// # Errors
    /// `TransactionAborted`, with the reason as its source where it is known, where the levels around it are lost as well. A level that could not
    /// be kept is undone by another call; when that fails too, those around it can only be rolled back.
    async fn leave(&self, level: u32, end: LevelEnd, context: &Context) -> DBResult<()> {
        let _ = (level, end, context);
        Ok(())
    }

    /// The part that makes and drops tables as a part of the transaction, at the level that the context says: seen in it at once, and undone with
    /// it. After an error, which may leave half of what was asked for, that level is only undone.
    ///
    /// Only called where [`Capabilities::schema_in_transactions`] are declared.
    fn schema(&self) -> Option<&dyn SchemaDriver> {
        None
    }

    /// Makes all of it last.
    ///
    /// # Errors
    /// Nothing of the transaction has happened, and it is rolled back. Where the driver cannot know, because no answer came, or the disk failed
    /// meanwhile, the error is marked with [`DBError::with_unknown_outcome`](crate::DBError::with_unknown_outcome).
    async fn commit(self: Box<Self>, context: &Context) -> DBResult<()>;

    /// Undoes all of it.
    ///
    /// # Errors
    /// That the connection was lost, or that the time was up; the transaction is undone nevertheless.
    async fn rollback(self: Box<Self>, context: &Context) -> DBResult<()>;
}

/// Makes and drops tables.
#[async_trait]
pub trait SchemaDriver: Send + Sync {
    /// Creates what is missing: tables, columns that are optional in new rows (rows that are there get the default, or NULL), unique and
    /// plain indexes, and foreign keys, as far as the store can add them to a table that is there: one that it cannot add is a misfit. Never
    /// drops or changes what is there. The schemas come in the order in which they refer to each other, circles apart, each table
    /// at most once, every reference to a key or unique set of its own type.
    ///
    /// # Errors
    /// `Schema`, naming every misfit between a table and its model, with nothing changed: a column of another type, one that takes NULL
    /// where the model does not or the other way round, a missing one that is required in new rows, another key. Rows that violate a unique
    /// set which is to be added are `Schema` too, or a `Constraint` error.
    async fn create(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()>;

    /// Drops the tables of these models where they exist, with all they hold.
    ///
    /// # Errors
    /// `Schema` where a table beside them [refers](crate::schema::ReferenceSchema::enforced) to one of them, also where nobody checks that rows do;
    /// else what the database reports.
    /// Nothing is changed then, unless the store cannot drop tables together.
    async fn drop(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()>;
}
