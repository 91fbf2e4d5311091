//! Running an insert.
//!
//! One row is VALUES; several are arrays read by UNNEST WITH ORDINALITY, in whose order the rows are written, keys are counted and
//! columns returned. So there are two texts for a set of columns, however many rows there are, and no limit of 65 535 binds.
//!
//! PostgreSQL counts keys in a sequence that knows nothing of keys that were given. Before such rows are added the sequence is moved
//! past the greatest of them: before, since a sequence keeps its place whatever becomes of the rows, and nobody may count to a key
//! that is about to be there. Its place is read and set in two steps, so who has to set it first takes a lock; two who did so at once could
//! leave it at the lesser of their keys.

use std::sync::LazyLock;

use ommi_core::ast::Insert;
use ommi_core::driver::{Context, RowSink};
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult};
use ommi_sql::{Dialect as _, quote_table};
use sqlx::Executor as _;

use crate::dialect::Postgres;
use crate::driver::Inner;
use crate::error;
use crate::lease::{Lease, Work, simple};
use crate::run::{Job, Ready, Run, prepare};

/// Moves the sequence of a key up to a number, and never back.
///
/// Each step is materialized, so that none is mixed with the next: the sequence; whether it is behind, and the lock if so; its place once more, which
/// another may have changed before the lock was got. A place is what it is at the moment, whatever the statement sees of tables. The lock is that of
/// the sequence's number in a class of Ommi's own, and is held until the transaction ends.
fn moving(number: &str, table: &str, column: &str) -> String {
    let is_behind = format!(
        "{number} > coalesce(pg_sequence_last_value(s), \
        (SELECT seqstart - seqincrement FROM pg_sequence WHERE seqrelid = s))"
    );
    format!(
        "WITH key AS MATERIALIZED (SELECT pg_get_serial_sequence({table}, {column})::regclass AS s), \
        locked AS MATERIALIZED (SELECT s, pg_advisory_xact_lock({LOCKS}, s::oid::int4) FROM key \
        WHERE s IS NOT NULL AND {is_behind}) \
        SELECT setval(s, {number}) FROM locked WHERE {is_behind}"
    )
}

/// The class of the locks: the letters of `ommi`.
const LOCKS: i32 = i32::from_be_bytes(*b"ommi");

/// The same for values that are bound.
static MOVE: LazyLock<String> = LazyLock::new(|| moving("$1", "$2", "$3"));

/// An insert that is ready to be sent.
pub(crate) struct Add<'r, 'a> {
    run: Run<'r, 'a>,
    /// The greatest of the keys that are given where the database counts.
    greatest: Option<Key>,
}

struct Key {
    number: i64,
    table: String,
    column: String,
}

/// Compiles and binds an insert.
pub(crate) fn ready<'r, 'a>(
    inner: &Inner,
    insert: &'a mut Insert,
    sink: &'r mut dyn RowSink,
    context: &'r Context,
) -> DBResult<Add<'r, 'a>> {
    let width = insert.columns.len();
    if width > 0 && insert.values.len() != insert.rows.saturating_mul(width) {
        return Err(DBError::query("an insert whose values do not make up its rows"));
    }
    let insert: &'a Insert = insert;
    let ready: Ready<'a> = prepare(inner, Job::Insert(insert))?;
    Ok(Add { run: Run { ready, sink: Some(sink), context }, greatest: greatest(insert) })
}

fn greatest(insert: &Insert) -> Option<Key> {
    let generated = insert.model.generated_column()?;
    let place = insert.columns.iter().position(|&column| column == generated)?;
    let keys = insert.values.iter().skip(place).step_by(insert.columns.len().max(1));
    let number = keys.filter_map(|key| if let Value::Int(number) = key { Some(*number) } else { None }).max()?;
    let column = insert.model.column(generated)?;
    Some(Key { number, table: quote_table(&insert.model, '"'), column: column.name.to_string() })
}

impl<'r, 'a> Add<'r, 'a> {
    /// The insert outside of a transaction, which ends one that it had to begin.
    pub(crate) fn alone(self) -> Alone<'r, 'a> {
        Alone(self)
    }
}

/// An insert outside of a transaction.
pub(crate) struct Alone<'r, 'a>(Add<'r, 'a>);

impl Work<u64> for Alone<'_, '_> {
    async fn run(self, lease: &mut Lease) -> DBResult<u64> {
        let count = self.0.run(lease).await?;
        lease.commit().await?;
        Ok(count)
    }
}

impl Work<u64> for Add<'_, '_> {
    async fn run(self, lease: &mut Lease) -> DBResult<u64> {
        // What is less than the first number moves nothing.
        if let Some(key) = self.greatest.filter(|key| key.number > 0) {
            Box::pin(move_past(key, self.run.context, lease)).await?;
        }
        self.run.run(lease).await
    }
}

/// Moves the sequence of a key past a number.
async fn move_past(key: Key, context: &Context, lease: &mut Lease) -> DBResult<()> {
    if !lease.inner.prepared {
        lease.begin().await?;
    }
    let moved = if lease.begun {
        let text = in_transaction(&key);
        let connection = lease.start()?;
        simple(connection, &text).await.map(drop)
    } else {
        let query = sqlx::query(MOVE.as_str()).bind(key.number).bind(key.table).bind(key.column);
        lease.start()?.execute(query).await.map(drop)
    };
    lease.done(moved.as_ref().err());
    let Err(failed) = moved else { return Ok(()) };
    match error::state(&failed) {
        // Without the table, the insert says what is wrong.
        Some("42P01" | "42703") if !lease.begun => Ok(()),
        // Added all the same, its key would be counted to later, and refused somebody else's row.
        Some("42501") => Err(error::no_right_to_count(failed)),
        _ => Err(error::general(failed, lease.inner.limit(context))),
    }
}

/// The same within a transaction, as one message. The lock goes with the savepoint, so nobody waits for the transaction's end, above all not the
/// program whose transaction it is; the sequence keeps its place.
fn in_transaction(key: &Key) -> String {
    let literal = |text: &str| {
        let mut literal = String::new();
        Postgres.literal(&Value::Text(text.into()), &mut literal);
        literal
    };
    let number = format!("{}::int8", key.number);
    let text = moving(&number, &literal(&key.table), &literal(&key.column));
    format!("SAVEPOINT ommi_keys; {text}; ROLLBACK TO SAVEPOINT ommi_keys; RELEASE SAVEPOINT ommi_keys")
}
