//! What a behaviour needs that not every driver has.

use std::fmt;

use ommi::driver::{Capabilities, DatePrecision, Isolation};

use crate::Database;

/// A capability that a behaviour needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(non_camel_case_types)] // Written in the list of behaviours, as the fields of `Capabilities` are.
pub enum Requirement {
    /// [`Capabilities::transactions`]
    transactions,
    /// [`Capabilities::savepoints`]
    savepoints,
    /// [`Capabilities::schema_in_transactions`]
    schema_in_transactions,
    /// [`Capabilities::atomic_statements`]
    atomic_statements,
    /// [`Capabilities::foreign_keys`]
    foreign_keys,
    /// [`Capabilities::on_delete`]
    on_delete,
    /// [`Capabilities::checks`]
    checks,
    /// [`Capabilities::related_rows`]
    related_rows,
    /// [`Capabilities::row_locks`]
    row_locks,
    /// [`Capabilities::key_update`]
    key_update,
    /// [`Capabilities::bytes_order`]
    bytes_order,
    /// [`Capabilities::date_precision`] of a millionth of a second, or finer
    microseconds,
    /// [`Capabilities::snapshot_includes`], or transactions that see one moment
    one_moment,
    /// More than one connection: see [`Database::one_connection`]
    several_connections,
}

impl Requirement {
    /// Whether a database, whose driver has these capabilities, has what is needed.
    pub fn is_met(self, database: &Database, capabilities: &Capabilities) -> bool {
        match self {
            Requirement::transactions => capabilities.transactions,
            Requirement::savepoints => capabilities.savepoints,
            Requirement::schema_in_transactions => capabilities.schema_in_transactions,
            Requirement::atomic_statements => capabilities.atomic_statements,
            Requirement::foreign_keys => capabilities.foreign_keys,
            Requirement::on_delete => capabilities.on_delete,
            Requirement::checks => capabilities.checks,
            Requirement::related_rows => capabilities.related_rows,
            Requirement::row_locks => capabilities.row_locks,
            Requirement::key_update => capabilities.key_update,
            Requirement::bytes_order => capabilities.bytes_order,
            Requirement::microseconds => capabilities.date_precision >= DatePrecision::Microseconds,
            Requirement::one_moment => capabilities.snapshot_includes || capabilities.isolation >= Isolation::Snapshot,
            Requirement::several_connections => !database.one_connection,
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Requirement::transactions => "transactions",
            Requirement::savepoints => "nested transactions",
            Requirement::schema_in_transactions => "tables in transactions",
            Requirement::atomic_statements => "atomic statements",
            Requirement::foreign_keys => "foreign keys",
            Requirement::on_delete => "what becomes of referring rows",
            Requirement::checks => "checks",
            Requirement::related_rows => "related rows",
            Requirement::row_locks => "row locks",
            Requirement::key_update => "changing keys",
            Requirement::bytes_order => "an order of bytes",
            Requirement::microseconds => "times in microseconds",
            Requirement::one_moment => "reads of one moment",
            Requirement::several_connections => "several connections",
        })
    }
}
