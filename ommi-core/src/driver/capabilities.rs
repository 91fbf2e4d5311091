//! What a store can do, declared once.

use crate::error::{DBError, DBResult};
use crate::schema::ModelSchema;
use crate::value::ColumnType;

/// What a driver can do. The compiler of queries checks it, the conformance suite skips by it, and the
/// documentation's table is made from it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Capabilities {
    /// The driver's name, as in "the sqlite driver".
    pub driver: &'static str,
    /// Transactions of several statements.
    pub transactions: bool,
    /// Transactions within transactions, by savepoints.
    pub savepoints: bool,
    /// A statement that writes several rows writes all or none of them.
    pub atomic_statements: bool,
    /// After a statement failed, the database would let its transaction go on. (The core does not.)
    pub statement_error_keeps_transaction: bool,
    /// The database holds references to be true.
    pub foreign_keys: bool,
    /// The database holds checks to be true, ranges of narrow integers among them.
    pub checks: bool,
    /// The columns of a key can be changed.
    pub key_update: bool,
    /// Binary columns have an order (by their bytes), not just equality.
    pub bytes_order: bool,
    /// Tables are in schemas, which a model can name.
    pub schemas: bool,
    /// Columns of MongoDB's ObjectIds.
    pub object_ids: bool,
    /// How finely dates and times are stored.
    pub date_precision: DatePrecision,
    /// The most values that one statement binds.
    pub max_binds: usize,
    /// The most rows that one insert is given.
    pub max_insert_rows: usize,
}

/// How finely a store keeps times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DatePrecision {
    /// Thousandths of a second.
    Milliseconds,
    /// Millionths.
    Microseconds,
    /// Billionths.
    Nanoseconds,
}

impl Capabilities {
    /// A store that can do nothing that is optional and has no limits. Change the fields from there.
    pub const fn none(driver: &'static str) -> Capabilities {
        Capabilities {
            driver,
            transactions: false,
            savepoints: false,
            atomic_statements: false,
            statement_error_keeps_transaction: false,
            foreign_keys: false,
            checks: false,
            key_update: false,
            bytes_order: false,
            schemas: false,
            object_ids: false,
            date_precision: DatePrecision::Milliseconds,
            max_binds: usize::MAX,
            max_insert_rows: usize::MAX,
        }
    }

    /// Whether the store has what a model needs of it, whatever is done with the model.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a table in a named schema where the store has none, and for times that are
    /// declared to be finer than it keeps them, and for ObjectIds where it has none.
    pub fn can_hold(&self, model: &ModelSchema) -> DBResult<()> {
        match model.schema {
            Some(_) if !self.schemas => Err(DBError::unsupported(self.driver, "a table in a named schema")),
            _ => Ok(()),
        }?;
        if model.columns.iter().filter_map(|column| column.precision).any(|precision| precision > self.date_precision) {
            return Err(DBError::unsupported(self.driver, "times of the declared precision"));
        }
        if !self.object_ids && model.columns.iter().any(|column| column.ty == ColumnType::ObjectId) {
            return Err(DBError::unsupported(self.driver, "columns of ObjectIds"));
        }
        Ok(())
    }

    /// How many rows of this width go into one insert: at least one.
    pub fn rows_per_insert(&self, columns: usize) -> usize {
        self.max_binds.checked_div(columns).unwrap_or(usize::MAX).min(self.max_insert_rows).max(1)
    }
}
