//! The statements that make and drop tables.

use ommi_core::schema::{Auto, ColumnSchema, ModelSchema, ReferenceSchema, ReferentialAction, SchemaRef};

use crate::Dialect;
use crate::writer::{quote, quote_table};

/// Begins the name of the check that keeps a column within its range; the column's stored name follows.
pub const RANGE_CHECK_PREFIX: &str = "ommi_range_";

/// The name of the check that keeps a column within its range, cut as an index's. A driver tells by it that a violated check means
/// [`OutOfRange`](ommi_core::ErrorKind::OutOfRange).
pub fn range_check_name<D: Dialect>(column: &ColumnSchema, dialect: &D) -> String {
    fitting(format!("{RANGE_CHECK_PREFIX}{}", column.name), 0, dialect)
}

/// An index that a model wants, beside the one that its key has anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedIndex {
    /// Its columns, as indexes into the model's.
    pub columns: Vec<u16>,
    /// Whether no two rows may have the same values in them.
    pub unique: bool,
}

/// The indexes of a model: its unique sets, its plain indexes, and one for each reference whose columns no other begins with.
pub fn indexes(schema: &ModelSchema) -> Vec<WantedIndex> {
    let mut wanted: Vec<WantedIndex> = Vec::new();
    for unique in &schema.uniques {
        if unique.columns != schema.key && !wanted.iter().any(|index| index.columns == unique.columns) {
            wanted.push(WantedIndex { columns: unique.columns.clone(), unique: true });
        }
    }
    for plain in &schema.indexes {
        if plain.columns != schema.key && !wanted.iter().any(|index| index.columns == plain.columns) {
            wanted.push(WantedIndex { columns: plain.columns.clone(), unique: false });
        }
    }
    for reference in &schema.references {
        let served = schema.key.starts_with(&reference.columns)
            || wanted.iter().any(|index| index.columns.starts_with(&reference.columns));
        if !served {
            wanted.push(WantedIndex { columns: reference.columns.clone(), unique: false });
        }
    }
    wanted
}

/// CREATE TABLE, without indexes. The references that `references` picks become foreign keys.
pub fn create_table<D: Dialect>(
    schema: &SchemaRef,
    references: impl Fn(&ReferenceSchema) -> bool,
    dialect: &D,
) -> String {
    let mut text = format!("CREATE TABLE {} (", quote_table(schema, dialect.quote()));
    let single_key = match schema.key.as_slice() {
        [key] => Some(*key),
        _ => None,
    };
    for (i, column) in schema.columns.iter().enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        write_column(column, single_key.is_some_and(|key| usize::from(key) == i), dialect, &mut text);
    }
    if single_key.is_none() {
        text.push_str(", PRIMARY KEY (");
        write_names(schema, &schema.key, dialect, &mut text);
        text.push(')');
    }
    for reference in schema.references.iter().filter(|reference| references(reference)) {
        text.push_str(", ");
        write_reference(schema, reference, dialect, &mut text);
    }
    text.push(')');
    text.push_str(dialect.table_options());
    text
}

/// ALTER TABLE .. ADD COLUMN. A foreign key that consists of this column alone can be made with it.
pub fn add_column<D: Dialect>(
    schema: &SchemaRef,
    column: &ColumnSchema,
    reference: Option<&ReferenceSchema>,
    dialect: &D,
) -> String {
    let mut text = format!("ALTER TABLE {} ADD COLUMN ", quote_table(schema, dialect.quote()));
    write_column(column, false, dialect, &mut text);
    if let Some(reference) = reference {
        text.push(' ');
        write_target(schema, reference, dialect, &mut text);
    }
    text
}

/// CREATE INDEX, or CREATE UNIQUE INDEX.
pub fn create_index<D: Dialect>(schema: &ModelSchema, name: &str, index: &WantedIndex, dialect: &D) -> String {
    let mut text = String::from(if index.unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
    text.push_str(&quote(name, dialect.quote()));
    text.push_str(" ON ");
    text.push_str(&quote_table(schema, dialect.quote()));
    text.push_str(" (");
    for (i, column) in index.columns.iter().filter_map(|&column| schema.column(column)).enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        text.push_str(&quote(&column.name, dialect.quote()));
        text.push_str(dialect.index_nulls(column));
    }
    text.push(')');
    text
}

/// ALTER TABLE .. ADD CONSTRAINT .. FOREIGN KEY, for databases that can add one to a table that exists.
pub fn add_reference<D: Dialect>(schema: &SchemaRef, name: &str, reference: &ReferenceSchema, dialect: &D) -> String {
    let table = quote_table(schema, dialect.quote());
    let mut text = format!("ALTER TABLE {table} ADD CONSTRAINT {} ", quote(name, dialect.quote()));
    write_reference(schema, reference, dialect, &mut text);
    text
}

/// The name of a foreign key: of its table and columns, cut as an index's. `attempt` above zero gives another one.
pub fn reference_name<D: Dialect>(
    schema: &ModelSchema,
    reference: &ReferenceSchema,
    attempt: usize,
    dialect: &D,
) -> String {
    name_of(schema, &reference.columns, "_reference", attempt, dialect)
}

/// DROP TABLE, where it exists.
pub fn drop_table<D: Dialect>(schema: &ModelSchema, dialect: &D) -> String {
    format!("DROP TABLE IF EXISTS {}", quote_table(schema, dialect.quote()))
}

/// The name of an index: of its table and columns, cut where it would be too long.
///
/// Different indexes may get one name (`a_b` with column `c`, `a` with column `b_c`); `attempt` above zero gives another one.
pub fn index_name<D: Dialect>(schema: &ModelSchema, index: &WantedIndex, attempt: usize, dialect: &D) -> String {
    name_of(schema, &index.columns, if index.unique { "_unique" } else { "_index" }, attempt, dialect)
}

fn name_of<D: Dialect>(schema: &ModelSchema, columns: &[u16], kind: &str, attempt: usize, dialect: &D) -> String {
    let mut name = schema.table.to_string();
    for column in schema.names(columns) {
        name.push('_');
        name.push_str(column);
    }
    name.push_str(kind);
    fitting(name, attempt, dialect)
}

/// A name as long as names may be. What is cut gets a number of its own, so that names which differ only at their ends stay different.
fn fitting<D: Dialect>(mut name: String, attempt: usize, dialect: &D) -> String {
    let hash = (name.len() > dialect.longest_name()).then(|| fnv(name.as_bytes()));
    let mut suffix = hash.map(|hash| format!("_{hash:016x}")).unwrap_or_default();
    if attempt > 0 {
        suffix.push_str(&format!("_{}", attempt + 1));
    }
    let room = dialect.longest_name().saturating_sub(suffix.len()).min(name.len());
    let end = (0..=room).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
    name.truncate(end);
    name.push_str(&suffix);
    name
}

/// FNV-1a: the same on every machine and in every version, as a name in a database must be.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn write_column<D: Dialect>(column: &ColumnSchema, is_key: bool, dialect: &D, text: &mut String) {
    let name = quote(&column.name, dialect.quote());
    text.push_str(&name);
    text.push(' ');
    text.push_str(dialect.column_type(column));
    if column.auto == Some(Auto::Increment) {
        text.push_str(dialect.auto_increment());
    } else {
        if !column.nullable {
            text.push_str(" NOT NULL");
        }
        if is_key {
            text.push_str(" PRIMARY KEY");
        }
    }
    if let Some(default) = &column.default {
        text.push_str(" DEFAULT ");
        dialect.literal(default, text);
    }
    let check = quote(&range_check_name(column, dialect), dialect.quote());
    if let Some(condition) = dialect.number_check(column) {
        text.push_str(&format!(" CONSTRAINT {check} CHECK ({name}{condition})"));
    }
    if let Some((low, high)) = dialect.range_check(column) {
        text.push_str(&match high {
            i64::MAX => format!(" CONSTRAINT {check} CHECK ({name} >= {low})"),
            _ => format!(" CONSTRAINT {check} CHECK ({name} BETWEEN {low} AND {high})"),
        });
    }
}

fn write_reference<D: Dialect>(schema: &SchemaRef, reference: &ReferenceSchema, dialect: &D, text: &mut String) {
    text.push_str("FOREIGN KEY (");
    write_names(schema, &reference.columns, dialect, text);
    text.push_str(") ");
    write_target(schema, reference, dialect, text);
}

fn write_target<D: Dialect>(schema: &SchemaRef, reference: &ReferenceSchema, dialect: &D, text: &mut String) {
    let target = reference.target.resolve(schema);
    text.push_str("REFERENCES ");
    text.push_str(&quote_table(&target, dialect.quote()));
    text.push_str(" (");
    write_names(&target, &reference.target_columns, dialect, text);
    text.push(')');
    for (event, action) in [(" ON DELETE ", reference.on_delete), (" ON UPDATE ", reference.on_update)] {
        if action != ReferentialAction::NoAction {
            text.push_str(event);
            text.push_str(action_name(action));
        }
    }
}

/// An action, as SQL and the catalogues of databases write it.
pub fn action_name(action: ReferentialAction) -> &'static str {
    match action {
        ReferentialAction::Restrict => "RESTRICT",
        ReferentialAction::Cascade => "CASCADE",
        ReferentialAction::SetNull => "SET NULL",
        ReferentialAction::SetDefault => "SET DEFAULT",
        _ => "NO ACTION",
    }
}

fn write_names<D: Dialect>(schema: &ModelSchema, columns: &[u16], dialect: &D, text: &mut String) {
    for (i, name) in schema.names(columns).enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        text.push_str(&quote(name, dialect.quote()));
    }
}
