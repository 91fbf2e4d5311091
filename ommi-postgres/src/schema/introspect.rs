//! What a database has: its tables as PostgreSQL's catalogue describes them.

use ommi_core::schema::ModelSchema;
use ommi_sql::{quote_in, quote_table};
use sqlx::postgres::PgRow;
use sqlx::{Error, PgConnection, Row as _};

/// A table, or something that has the name of one.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) oid: i64,
    /// What it is, in words; `table` where it is one.
    pub(super) kind: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) indexes: Vec<Index>,
    pub(super) references: Vec<Reference>,
    /// The names of all constraints.
    pub(super) constraints: Vec<String>,
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) oid: u32,
    /// The type as PostgreSQL writes it.
    pub(super) declared: String,
    pub(super) not_null: bool,
    /// Whether a new row may leave it out, NULL aside.
    pub(super) has_default: bool,
    /// Whether it is computed from others, or can only be written by force.
    pub(super) generated: bool,
    /// Whether equal texts have equal bytes.
    pub(super) deterministic: bool,
}

/// An index over plain columns that holds every row. Others serve no model.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) unique: bool,
    pub(super) primary: bool,
    pub(super) columns: Vec<String>,
}

/// A foreign key.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) target: i64,
    pub(super) columns: Vec<String>,
    pub(super) target_columns: Vec<String>,
    pub(super) on_delete: &'static str,
    pub(super) on_update: &'static str,
}

const COLUMNS: &str = "SELECT a.attname::text, a.atttypid::int8, format_type(a.atttypid, a.atttypmod), a.attnotnull, \
    a.atthasdef OR a.attidentity <> '', a.attgenerated <> '' OR a.attidentity = 'a', coalesce(c.collisdeterministic, TRUE) \
    FROM pg_attribute a LEFT JOIN pg_collation c ON c.oid = a.attcollation \
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const INDEXES: &str = "SELECT i.indisunique, i.indisprimary, ARRAY(SELECT a.attname::text \
    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place) \
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE k.place <= i.indnkeyatts ORDER BY k.place) \
    FROM pg_index i WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL";

const REFERENCES: &str = "SELECT c.confrelid::int8, c.confdeltype::text, c.confupdtype::text, \
    ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k(number, place) \
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place), \
    ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k(number, place) \
    JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number ORDER BY k.place) \
    FROM pg_constraint c WHERE c.conrelid = $1::oid AND c.contype = 'f'";

const REFERRING: &str = "SELECT DISTINCT o.relname::text, t.relname::text FROM pg_constraint c \
    JOIN pg_class o ON o.oid = c.conrelid JOIN pg_class t ON t.oid = c.confrelid \
    WHERE c.contype = 'f' AND c.confrelid IN (SELECT to_regclass(n) FROM unnest($1::text[]) AS n) \
    AND c.conrelid NOT IN (SELECT to_regclass(n) FROM unnest($1::text[]) AS n WHERE to_regclass(n) IS NOT NULL)";

impl Table {
    /// What has the name of a model's table, in its schema or in the search path; none where nothing has.
    pub(super) async fn read(connection: &mut PgConnection, model: &ModelSchema) -> Result<Option<Table>, Error> {
        let found = sqlx::query("SELECT oid::int8, relkind::text FROM pg_class WHERE oid = to_regclass($1)")
            .bind(quote_table(model, '"'))
            .persistent(false)
            .fetch_optional(&mut *connection)
            .await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let (oid, kind): (i64, String) = (found.try_get(0)?, found.try_get(1)?);
        let constraints = sqlx::query_scalar("SELECT conname::text FROM pg_constraint WHERE conrelid = $1::oid")
            .bind(oid)
            .persistent(false)
            .fetch_all(&mut *connection)
            .await?;
        Ok(Some(Table {
            oid,
            kind: kind_name(&kind),
            columns: list(connection, COLUMNS, oid, column).await?,
            indexes: list(connection, INDEXES, oid, index).await?,
            references: list(connection, REFERENCES, oid, reference).await?,
            constraints,
        }))
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns of the key, in its order.
    pub(super) fn key(&self) -> &[String] {
        self.indexes.iter().find(|index| index.primary).map_or(&[], |index| &index.columns)
    }
}

async fn list<T>(
    connection: &mut PgConnection,
    query: &'static str,
    oid: i64,
    read: fn(&PgRow) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let rows = sqlx::query(query).bind(oid).persistent(false).fetch_all(connection).await?;
    rows.iter().map(read).collect()
}

fn column(row: &PgRow) -> Result<Column, Error> {
    Ok(Column {
        name: row.try_get(0)?,
        oid: u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or_default(),
        declared: row.try_get(2)?,
        not_null: row.try_get(3)?,
        has_default: row.try_get(4)?,
        generated: row.try_get(5)?,
        deterministic: row.try_get(6)?,
    })
}

fn index(row: &PgRow) -> Result<Index, Error> {
    Ok(Index { unique: row.try_get(0)?, primary: row.try_get(1)?, columns: row.try_get(2)? })
}

fn reference(row: &PgRow) -> Result<Reference, Error> {
    let action = |place: usize| Ok::<_, Error>(action_name(row.try_get::<&str, _>(place)?));
    Ok(Reference {
        target: row.try_get(0)?,
        on_delete: action(1)?,
        on_update: action(2)?,
        columns: row.try_get(3)?,
        target_columns: row.try_get(4)?,
    })
}

fn action_name(letter: &str) -> &'static str {
    match letter {
        "r" => "RESTRICT",
        "c" => "CASCADE",
        "n" => "SET NULL",
        "d" => "SET DEFAULT",
        _ => "NO ACTION",
    }
}

fn kind_name(letter: &str) -> &'static str {
    match letter {
        "r" | "p" => "table",
        "v" => "view",
        "m" => "materialized view",
        "f" => "foreign table",
        "S" => "sequence",
        "i" | "I" => "index",
        _ => "type",
    }
}

/// Whether a schema of this name exists.
pub(super) async fn is_schema(connection: &mut PgConnection, name: &str) -> Result<bool, Error> {
    let query = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)").bind(name);
    query.persistent(false).fetch_one(connection).await
}

/// Whether anything has this name where a model's table is: tables, indexes and sequences share theirs.
pub(super) async fn is_taken(connection: &mut PgConnection, model: &ModelSchema, name: &str) -> Result<bool, Error> {
    let query = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(quote_in(model, name, '"'));
    query.persistent(false).fetch_one(connection).await
}

/// The tables beside these that refer to one of these, with that one.
pub(super) async fn referring(
    connection: &mut PgConnection,
    tables: &[String],
) -> Result<Vec<(String, String)>, Error> {
    let rows = sqlx::query(REFERRING).bind(tables).persistent(false).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
