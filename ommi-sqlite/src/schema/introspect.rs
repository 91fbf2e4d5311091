//! What a database has: its tables as SQLite describes them.

use ommi_core::schema::ModelSchema;
use rusqlite::{Connection, Result, params};

/// A table, or something that has the name of one.
#[derive(Debug)]
pub(super) struct Table {
    /// `table`, `view`, `virtual` or `shadow`.
    pub(super) kind: String,
    pub(super) strict: bool,
    pub(super) without_rowid: bool,
    pub(super) columns: Vec<Column>,
    pub(super) indexes: Vec<Index>,
    pub(super) references: Vec<Reference>,
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) declared: String,
    pub(super) not_null: bool,
    pub(super) has_default: bool,
    /// Its place in the key, from 1; 0 outside.
    pub(super) key: i64,
    /// Whether it is computed from others.
    pub(super) generated: bool,
}

/// An index over plain columns that holds every row. Others serve no model.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) unique: bool,
    pub(super) columns: Vec<String>,
}

/// A foreign key.
#[derive(Debug, Default)]
pub(super) struct Reference {
    pub(super) table: String,
    /// Pairs of columns; the target's is missing where it is the target's key.
    pub(super) columns: Vec<(String, Option<String>)>,
    pub(super) on_update: String,
    pub(super) on_delete: String,
}

/// Whether two names are one to SQLite.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

impl Table {
    /// The table of a model; none where nothing has its name.
    pub(super) fn read(sqlite: &Connection, schema: &ModelSchema) -> Result<Option<Table>> {
        let name = &*schema.table;
        let mut statement = sqlite.prepare_cached(
            "SELECT type, strict, wr FROM pragma_table_list(?1) WHERE schema = 'main' COLLATE NOCASE",
        )?;
        let mut rows = statement.query(params![name])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        Ok(Some(Table {
            kind: row.get(0)?,
            strict: row.get(1)?,
            without_rowid: row.get(2)?,
            columns: columns(sqlite, name)?,
            indexes: indexes(sqlite, name)?,
            references: references(sqlite, name)?,
        }))
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| same(&column.name, name))
    }

    /// The columns of the key, in its order.
    pub(super) fn key(&self) -> Vec<&Column> {
        let mut key: Vec<&Column> = self.columns.iter().filter(|column| column.key > 0).collect();
        key.sort_by_key(|column| column.key);
        key
    }
}

fn columns(sqlite: &Connection, table: &str) -> Result<Vec<Column>> {
    // Hidden: 1 is a virtual table's own, 2 and 3 are generated columns.
    let sql = r#"SELECT name, type, "notnull", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1) WHERE hidden <> 1"#;
    let mut statement = sqlite.prepare_cached(sql)?;
    let rows = statement.query_map(params![table], |row| {
        Ok(Column {
            name: row.get(0)?,
            declared: row.get(1)?,
            not_null: row.get(2)?,
            has_default: row.get(3)?,
            key: row.get(4)?,
            generated: row.get::<_, i64>(5)? != 0,
        })
    })?;
    rows.collect()
}

fn indexes(sqlite: &Connection, table: &str) -> Result<Vec<Index>> {
    let mut statement =
        sqlite.prepare_cached(r#"SELECT name, "unique" FROM pragma_index_list(?1) WHERE NOT partial"#)?;
    let list: Vec<(String, bool)> =
        statement.query_map(params![table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    let mut indexes = Vec::new();
    for (name, unique) in list {
        let sql = "SELECT name, coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno";
        let mut statement = sqlite.prepare_cached(sql)?;
        let columns: Vec<(Option<String>, String)> =
            statement.query_map(params![name], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
        // An expression has no name. Another collation orders and distinguishes otherwise than Ommi does.
        let plain: Option<Vec<String>> =
            columns.into_iter().map(|(name, coll)| name.filter(|_| same(&coll, "BINARY"))).collect();
        if let Some(columns) = plain {
            indexes.push(Index { unique, columns });
        }
    }
    Ok(indexes)
}

fn references(sqlite: &Connection, table: &str) -> Result<Vec<Reference>> {
    let sql =
        r#"SELECT id, "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(?1) ORDER BY id, seq"#;
    let mut statement = sqlite.prepare_cached(sql)?;
    let mut rows = statement.query(params![table])?;
    let (mut references, mut last): (Vec<Reference>, Option<i64>) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let (id, pair) = (row.get(0)?, (row.get(2)?, row.get(3)?));
        match references.last_mut() {
            Some(reference) if last == Some(id) => reference.columns.push(pair),
            _ => references.push(Reference {
                table: row.get(1)?,
                columns: vec![pair],
                on_update: row.get(4)?,
                on_delete: row.get(5)?,
            }),
        }
        last = Some(id);
    }
    Ok(references)
}

/// Whether there is a table of this name.
pub(super) fn exists(sqlite: &Connection, table: &str) -> Result<bool> {
    let sql = "SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE)";
    sqlite.prepare_cached(sql)?.query_row(params![table], |row| row.get(0))
}

/// Whether anything has this name: tables and indexes share theirs.
pub(super) fn is_taken(sqlite: &Connection, name: &str) -> Result<bool> {
    let sql = "SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE)";
    sqlite.prepare_cached(sql)?.query_row(params![name], |row| row.get(0))
}

/// The tables that refer to this one.
pub(super) fn referring(sqlite: &Connection, table: &str) -> Result<Vec<String>> {
    let sql = r#"SELECT DISTINCT s.name FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS f
        WHERE s.type = 'table' AND f."table" = ?1 COLLATE NOCASE"#;
    let mut statement = sqlite.prepare_cached(sql)?;
    statement.query_map(params![table], |row| row.get(0))?.collect()
}
