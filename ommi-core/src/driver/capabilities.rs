//! What a store can do, declared once.

use std::fmt;

use super::{Isolation, TransactionOptions};
use crate::error::{DBError, DBResult};
use crate::schema::ModelSchema;
use crate::value::ColumnType;

macro_rules! capabilities {
    ($($(#[doc = $meaning:literal])+ $title:literal $name:ident: $ty:ty = $none:expr,)*) => {
        /// What a driver can do. The compiler of queries checks it, the conformance suite skips by it, and the
        /// documentation's table is made from it.
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub struct Capabilities {
            /// The driver's name, as in "the sqlite driver".
            pub driver: &'static str,
            $($(#[doc = $meaning])+ pub $name: $ty,)*
        }

        impl Capabilities {
            /// A store that can do nothing that is optional and has no limits. Change the fields from there.
            pub const fn none(driver: &'static str) -> Capabilities {
                Capabilities { driver, $($name: $none,)* }
            }

            /// Each capability, for tables of drivers: its title, what it means, and what is declared.
            pub fn declared(&self) -> Vec<Declared> {
                vec![$(Declared { title: $title, meaning: concat!($($meaning),+).trim(), value: self.$name.shown() },)*]
            }
        }
    };
}

capabilities! {
    /// Transactions of several statements.
    "transactions" transactions: bool = false,
    /// Transactions that may write take turns, and so do other writes.
    "one writer at a time" single_writer: bool = false,
    /// A query and what is included with it see the database at one moment. Elsewhere a transaction has to be asked for.
    "includes at one moment" snapshot_includes: bool = false,
    /// Transactions within transactions, each of which can be undone by itself.
    "nested transactions" savepoints: bool = false,
    /// A short statement that is dropped on its way is undone with the transaction within another in which it stands, and the other goes on; unless the
    /// drop came while the inner one was just being ended.
    "goes on after a drop within" dropped_level_keeps_outer: bool = false,
    /// Tables can be made and dropped in a transaction, and in one within another, and are undone with it.
    "tables in transactions" schema_in_transactions: bool = false,
    /// The strongest isolation of transactions. Any weaker one may be asked for, and is given by the weakest that suffices.
    "isolation" isolation: Isolation = Isolation::ReadCommitted,
    /// Transactions that wait at their beginning so as not to fail later.
    "deferrable transactions" deferrable: bool = false,
    /// Transactions that take the right to write when they begin.
    "immediate transactions" immediate: bool = false,
    /// A statement that writes several rows writes all or none of them.
    "atomic statements" atomic_statements: bool = false,
    /// After a statement failed, the database would let its transaction go on. (The core does not.)
    "goes on after an error" statement_error_keeps_transaction: bool = false,
    /// The database holds references to be true.
    "foreign keys" foreign_keys: bool = false,
    /// A deletion does to the rows that refer to what is deleted what their `on_delete` says, or is refused: by the database or, where that has no
    /// foreign keys, by the driver.
    "what becomes of referring rows" on_delete: bool = false,
    /// The database holds checks to be true, ranges of narrow integers among them.
    "checks" checks: bool = false,
    /// The columns of a key can be changed.
    "changing keys" key_update: bool = false,
    /// Binary columns have an order (by their bytes), not just equality.
    "an order of bytes" bytes_order: bool = false,
    /// Conditions on related rows, orders by them, and so many rows of each group: what includes with a limit need. Lazy loads and other
    /// includes need nothing of a driver.
    "related rows" related_rows: bool = false,
    /// Locks on the rows that a query reads in a transaction: `for_update`, `for_share`, and what `skip_locked` and `nowait` say of rows
    /// that others have locked.
    "row locks" row_locks: bool = false,
    /// Tables are in schemas, which a model can name.
    "named schemas" schemas: bool = false,
    /// Columns of MongoDB's ObjectIds.
    "ObjectIds" object_ids: bool = false,
    /// How finely dates and times are stored.
    "precision of times" date_precision: DatePrecision = DatePrecision::Milliseconds,
    /// The most values that one statement binds.
    "values per statement" max_binds: usize = usize::MAX,
    /// The most rows that one insert is given.
    "rows per insert" max_insert_rows: usize = usize::MAX,
    /// About how many bytes of values one insert is given at most, unless a single row has more. A driver that splits its inserts by itself, or
    /// sends row by row, needs no limit.
    "bytes per insert" max_insert_bytes: usize = usize::MAX,
}

/// One capability of a driver, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Declared {
    /// Its name.
    pub title: &'static str,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
    /// What the driver declares: `yes`, `no`, a number, a unit.
    pub value: String,
}

/// A declared value in words.
trait Shown {
    fn shown(&self) -> String;
}

impl Shown for bool {
    fn shown(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

impl Shown for usize {
    fn shown(&self) -> String {
        if *self == usize::MAX { "no limit".to_owned() } else { self.to_string() }
    }
}

impl Shown for DatePrecision {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for Isolation {
    fn shown(&self) -> String {
        self.to_string()
    }
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

impl fmt::Display for DatePrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DatePrecision::Milliseconds => "milliseconds",
            DatePrecision::Microseconds => "microseconds",
            DatePrecision::Nanoseconds => "nanoseconds",
        })
    }
}

impl Capabilities {
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

    /// Whether the store can run such a transaction.
    ///
    /// # Errors
    /// `Unsupported`, naming what it lacks.
    pub fn can_begin(&self, options: &TransactionOptions) -> DBResult<()> {
        let lacks = |feature: &'static str| Err(DBError::unsupported(self.driver, feature));
        if !self.transactions {
            return lacks("transactions");
        }
        if let Some(isolation) = options.isolation.filter(|isolation| *isolation > self.isolation) {
            return Err(DBError::unsupported(self.driver, format!("transactions that are {isolation}")));
        }
        if options.deferrable && !self.deferrable {
            return lacks("deferrable transactions");
        }
        if options.immediate && !self.immediate {
            return lacks("immediate transactions");
        }
        Ok(())
    }

    /// Whether rows can be locked as they are read.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) where they cannot.
    pub fn can_lock_rows(&self) -> DBResult<()> {
        match self.row_locks {
            true => Ok(()),
            false => Err(DBError::unsupported(self.driver, "locks on rows")),
        }
    }

    /// How many rows of this width go into one insert: at least one.
    pub fn rows_per_insert(&self, columns: usize) -> usize {
        self.max_binds.checked_div(columns).unwrap_or(usize::MAX).min(self.max_insert_rows).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_capability_is_told_with_its_meaning() {
        let mut capabilities = Capabilities::none("x");
        capabilities.savepoints = true;
        capabilities.max_binds = 7;
        let declared = capabilities.declared();
        let value = |title: &str| declared.iter().find(|d| d.title == title).map(|d| d.value.as_str());
        assert_eq!(value("nested transactions"), Some("yes"));
        assert_eq!(value("transactions"), Some("no"));
        assert_eq!(value("values per statement"), Some("7"));
        assert_eq!(value("rows per insert"), Some("no limit"));
        assert_eq!(value("precision of times"), Some("milliseconds"));
        assert!(declared.iter().all(|d| d.meaning.ends_with(['.', ')']) && !d.meaning.starts_with(' ')));
    }
}
