//! What a table lacks for its model, and where the two contradict each other.
//!
//! A table that Ommi did not make is accepted when it behaves as one that Ommi would have made, as far as its columns go: it need not
//! be STRICT, if its declared types have the affinity that fits, and its narrow integers need no range checks. SQLite then stores a
//! sum that is too large as a float, which Ommi finds out when it reads. A key that counts need not be AUTOINCREMENT; without it the numbers
//! of the last rows are given again once those are deleted.

use ommi_core::schema::{Auto, ColumnSchema, ReferenceSchema, SchemaRef};
use ommi_core::value::ColumnType;
use ommi_sql::ddl;

use super::introspect::{Reference, Table, same};
use crate::bind::Stored;
use crate::dialect::{Sqlite, storage};

/// What has to happen for a model.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// In their order.
    pub(super) statements: Vec<String>,
    /// Made after the statements.
    pub(super) indexes: Vec<ddl::WantedIndex>,
    /// What cannot be helped.
    pub(super) misfits: Vec<String>,
}

/// Compares a model with its table, if there is one.
pub(super) fn plan(schema: &SchemaRef, table: Option<&Table>) -> Plan {
    let mut plan = Plan::default();
    for column in &schema.columns {
        if let Some(Err(invalid)) = column.default.as_ref().map(Stored::of) {
            plan.misfit(schema, column, &format!("has a default that cannot be stored: {invalid}"));
        }
    }
    match table {
        None => {
            plan.statements.push(ddl::create_table(schema, |reference| reference.enforced, &Sqlite));
            plan.indexes = ddl::indexes(schema);
        }
        Some(table) if table.kind != "table" => {
            plan.misfits.push(format!("`{}` is a {}, not a table", schema.table, table.kind));
        }
        Some(table) => {
            plan.columns(schema, table);
            plan.key(schema, table);
            plan.references(schema, table);
            plan.indexes(schema, table);
        }
    }
    plan
}

impl Plan {
    fn misfit(&mut self, schema: &SchemaRef, column: &ColumnSchema, what: &str) {
        self.misfits.push(format!("column `{}` of table `{}` {what}", column.name, schema.table));
    }

    fn columns(&mut self, schema: &SchemaRef, table: &Table) {
        for (i, column) in schema.columns.iter().enumerate() {
            let is_key = schema.key.iter().any(|&key| usize::from(key) == i);
            let Some(stored) = table.column(&column.name) else {
                self.missing(schema, column, i, is_key);
                continue;
            };
            if stored.generated {
                self.misfit(schema, column, "is computed by the database, so it cannot be written");
            }
            if !fits(column.ty, &stored.declared, table.strict) {
                let expected = storage(column.ty);
                let declared = if stored.declared.is_empty() { "nothing" } else { stored.declared.as_str() };
                self.misfit(
                    schema,
                    column,
                    &format!("is declared {declared}, and a field of type {} needs {expected}", column.ty),
                );
            }
            // SQLite does not call a key NOT NULL, though that of a STRICT table and one that is the row's number are.
            let not_null = stored.not_null || stored.key > 0;
            if !column.nullable && !not_null {
                self.misfit(schema, column, "can be NULL, and the field cannot");
            }
            if column.nullable && not_null {
                self.misfit(schema, column, "cannot be NULL, and the field can");
            }
        }
        for stored in &table.columns {
            let known = schema.columns.iter().any(|column| same(&column.name, &stored.name));
            if !known && stored.not_null && !stored.has_default && !stored.generated {
                self.misfits.push(format!(
                    "column `{}` of table `{}` needs a value in new rows, and the model {} does not have it",
                    stored.name, schema.table, schema.name
                ));
            }
        }
    }

    fn missing(&mut self, schema: &SchemaRef, column: &ColumnSchema, place: usize, is_key: bool) {
        let of_column = |reference: &&ReferenceSchema| {
            reference.enforced && reference.columns.iter().any(|&other| usize::from(other) == place)
        };
        let mut references = schema.references.iter().filter(of_column);
        let (reference, more) = (references.next(), references.next());
        let has_default = column.default.as_ref().is_some_and(|default| !default.is_null());
        if is_key || column.auto.is_some() || !(column.nullable || has_default) {
            self.misfit(schema, column, "is missing, and what is there has no value for it");
        } else if reference.is_some_and(|reference| has_default || reference.columns.len() > 1) || more.is_some() {
            self.misfit(schema, column, "is missing, and SQLite cannot add its reference to a table that exists");
        } else {
            self.statements.push(ddl::add_column(schema, column, reference, &Sqlite));
        }
    }

    fn key(&mut self, schema: &SchemaRef, table: &Table) {
        let key = table.key();
        let same_key = key.len() == schema.key.len()
            && schema.names(&schema.key).all(|name| key.iter().any(|column| same(&column.name, name)));
        if !same_key {
            let list = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join("`, `") };
            self.misfits.push(format!(
                "table `{}` has the key `{}`, and the model {} has `{}`",
                schema.table,
                list(key.iter().map(|column| column.name.as_str()).collect()),
                schema.name,
                list(schema.names(&schema.key).collect())
            ));
            return;
        }
        for column in schema.columns.iter().filter(|column| column.auto == Some(Auto::Increment)) {
            let counts = !table.without_rowid
                && table.column(&column.name).is_some_and(|stored| same(&stored.declared, "INTEGER"));
            if !counts {
                self.misfit(schema, column, "does not count by itself: only an INTEGER PRIMARY KEY does");
            }
        }
    }

    fn references(&mut self, schema: &SchemaRef, table: &Table) {
        for reference in schema.references.iter().filter(|reference| reference.enforced) {
            // A column that is missing gets its reference with it.
            if schema.names(&reference.columns).any(|name| table.column(name).is_none()) {
                continue;
            }
            let target = reference.target.resolve(schema);
            let columns = || schema.names(&reference.columns).collect::<Vec<_>>().join("`, `");
            match table.references.iter().find(|stored| leads_to(stored, schema, reference, &target)) {
                None => self.misfits.push(format!(
                    "table `{}` has no foreign key from `{}` to table `{}`, and SQLite cannot add one to a table that exists",
                    schema.table,
                    columns(),
                    target.table
                )),
                Some(stored) => {
                    let actions = [
                        ("ON DELETE", &stored.on_delete, ddl::action_name(reference.on_delete)),
                        ("ON UPDATE", &stored.on_update, ddl::action_name(reference.on_update)),
                    ];
                    for (event, stored, wanted) in actions {
                        if !same(stored, wanted) {
                            self.misfits.push(format!(
                                "the foreign key of table `{}` from `{}` to table `{}` has {event} {stored}, and the model {} has {wanted}",
                                schema.table,
                                columns(),
                                target.table,
                                schema.name
                            ));
                        }
                    }
                }
            }
        }
    }

    fn indexes(&mut self, schema: &SchemaRef, table: &Table) {
        let key: Vec<&str> = table.key().iter().map(|column| column.name.as_str()).collect();
        for wanted in ddl::indexes(schema) {
            let names: Vec<&str> = schema.names(&wanted.columns).collect();
            let among = |columns: &[&str]| {
                columns.len() == names.len() && names.iter().all(|name| columns.iter().any(|column| same(column, name)))
            };
            let begins = |columns: &[&str]| {
                columns.len() >= names.len() && names.iter().zip(columns).all(|(name, column)| same(name, column))
            };
            let served = if wanted.unique {
                among(&key) || table.indexes.iter().any(|index| index.unique && among(&as_strs(&index.columns)))
            } else {
                begins(&key) || table.indexes.iter().any(|index| begins(&as_strs(&index.columns)))
            };
            if !served {
                self.indexes.push(wanted);
            }
        }
    }
}

fn as_strs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn leads_to(stored: &Reference, schema: &SchemaRef, reference: &ReferenceSchema, target: &SchemaRef) -> bool {
    let to_key = stored.columns.iter().all(|(_, to)| to.is_none()) && reference.target_columns == target.key;
    let pairs: Vec<(&str, &str)> =
        schema.names(&reference.columns).zip(target.names(&reference.target_columns)).collect();
    same(&stored.table, &target.table)
        && stored.columns.len() == pairs.len()
        && pairs.iter().all(|(from, to)| {
            stored.columns.iter().any(|(stored_from, stored_to)| {
                same(stored_from, from) && stored_to.as_deref().map_or(to_key, |stored_to| same(stored_to, to))
            })
        })
}

/// Whether a column that is declared so stores what a column of this type holds, and compares it alike.
fn fits(ty: ColumnType, declared: &str, strict: bool) -> bool {
    let declared = declared.to_ascii_uppercase();
    let wanted = storage(ty);
    if strict {
        return declared == wanted || (wanted == "INTEGER" && declared == "INT");
    }
    let has = |part: &str| declared.contains(part);
    // The rules by which SQLite reads a declared type, in their order.
    let affinity = if has("INT") {
        "INTEGER"
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        "TEXT"
    } else if has("BLOB") || declared.is_empty() {
        "BLOB"
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        "REAL"
    } else {
        "NUMERIC"
    };
    let is_time = matches!(ty, ColumnType::Date | ColumnType::Time | ColumnType::DateTime | ColumnType::Timestamp);
    match affinity {
        // Numbers stay numbers, and dates look like none: DECIMAL, BOOLEAN, DATE, DATETIME.
        "NUMERIC" => wanted == "INTEGER" || wanted == "REAL" || is_time,
        affinity => affinity == wanted,
    }
}
