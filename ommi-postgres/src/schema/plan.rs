//! What a table lacks for its model, and where the two contradict each other.
//!
//! A table that Ommi did not make is accepted when each of its columns can hold every value of its field: wider numbers and `varchar`
//! will do, range checks need not be there, and text may have any collation that tells unequal texts apart.

use ommi_core::schema::{Auto, ColumnSchema, ReferenceSchema, SchemaRef};
use ommi_core::value::ColumnType;
use ommi_sql::ddl;

use super::introspect::{Reference, Table};
use crate::dialect::{LONGEST_NAME, Postgres, stored_as};
use crate::wire::{self, oid};

/// What has to happen for a model, its foreign keys aside.
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
    for name in [Some(&schema.table), schema.schema.as_ref()].into_iter().flatten() {
        if name.len() > LONGEST_NAME {
            plan.misfits.push(format!("the name `{name}` is longer than PostgreSQL's 63 bytes"));
        }
    }
    for column in &schema.columns {
        if column.name.len() > LONGEST_NAME {
            plan.misfit(schema, column, "has a name that is longer than PostgreSQL's 63 bytes");
        }
        if let Some(Err(invalid)) = column.default.as_ref().map(wire::check) {
            plan.misfit(schema, column, &format!("has a default that cannot be stored: {invalid}"));
        }
    }
    match table {
        None => {
            plan.statements.push(ddl::create_table(schema, |_| false, &Postgres));
            plan.indexes = ddl::indexes(schema);
        }
        Some(table) if table.kind != "table" => {
            plan.misfits.push(format!("`{}` is a {}, not a table", schema.qualified_table(), table.kind));
        }
        Some(table) => {
            plan.columns(schema, table);
            plan.key(schema, table);
            plan.indexes(schema, table);
        }
    }
    plan
}

impl Plan {
    fn misfit(&mut self, schema: &SchemaRef, column: &ColumnSchema, what: &str) {
        self.misfits.push(format!("column `{}` of table `{}` {what}", column.name, schema.qualified_table()));
    }

    fn columns(&mut self, schema: &SchemaRef, table: &Table) {
        for (i, column) in schema.columns.iter().enumerate() {
            let is_key = schema.key.iter().any(|&key| usize::from(key) == i);
            let Some(stored) = table.column(&column.name) else {
                self.missing(schema, column, is_key);
                continue;
            };
            if stored.generated {
                self.misfit(schema, column, "is computed by the database, so it cannot be written");
            }
            if !fits(column.ty, stored.oid) {
                let (declared, needed) = (&stored.declared, stored_as(column.ty));
                let what = format!("is declared {declared}, and a field of type {} needs {needed}", column.ty);
                self.misfit(schema, column, &what);
            }
            if !stored.deterministic {
                self.misfit(schema, column, "has a collation that takes unequal texts for equal");
            }
            if !column.nullable && !stored.not_null {
                self.misfit(schema, column, "can be NULL, and the field cannot");
            }
            if column.nullable && stored.not_null {
                self.misfit(schema, column, "cannot be NULL, and the field can");
            }
        }
        for stored in &table.columns {
            let known = schema.columns.iter().any(|column| *column.name == *stored.name);
            if !known && stored.not_null && !stored.has_default && !stored.generated {
                self.misfits.push(format!(
                    "column `{}` of table `{}` needs a value in new rows, and the model {} does not have it",
                    stored.name,
                    schema.qualified_table(),
                    schema.name
                ));
            }
        }
    }

    fn missing(&mut self, schema: &SchemaRef, column: &ColumnSchema, is_key: bool) {
        let has_default = column.default.as_ref().is_some_and(|default| !default.is_null());
        if is_key || column.auto.is_some() || !(column.nullable || has_default) {
            self.misfit(schema, column, "is missing, and what is there has no value for it");
        } else {
            self.statements.push(ddl::add_column(schema, column, None, &Postgres));
        }
    }

    fn key(&mut self, schema: &SchemaRef, table: &Table) {
        let key = table.key();
        let same_key =
            key.len() == schema.key.len() && schema.names(&schema.key).all(|name| key.iter().any(|k| k == name));
        if !same_key {
            let list = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join("`, `") };
            self.misfits.push(format!(
                "table `{}` has the key `{}`, and the model {} has `{}`",
                schema.qualified_table(),
                list(key.iter().map(String::as_str).collect()),
                schema.name,
                list(schema.names(&schema.key).collect())
            ));
            return;
        }
        for column in schema.columns.iter().filter(|column| column.auto == Some(Auto::Increment)) {
            if !table.column(&column.name).is_some_and(|stored| stored.has_default) {
                self.misfit(schema, column, "does not count by itself: it is no identity column, nor has it a default");
            }
        }
    }

    fn indexes(&mut self, schema: &SchemaRef, table: &Table) {
        for wanted in ddl::indexes(schema) {
            let names: Vec<&str> = schema.names(&wanted.columns).collect();
            let among = |columns: &[String]| {
                columns.len() == names.len() && names.iter().all(|name| columns.iter().any(|column| column == name))
            };
            let begins = |columns: &[String]| {
                columns.len() >= names.len() && names.iter().zip(columns).all(|(name, column)| name == column)
            };
            let served = table.indexes.iter().any(|index| match wanted.unique {
                true => index.unique && among(&index.columns),
                false => begins(&index.columns),
            });
            if !served {
                self.indexes.push(wanted);
            }
        }
    }
}

/// The foreign key of a table that is this reference, if there is one.
pub(super) fn stored_reference<'t>(
    table: &'t Table,
    schema: &SchemaRef,
    reference: &ReferenceSchema,
    target_oid: i64,
    target: &SchemaRef,
) -> Option<&'t Reference> {
    let pairs: Vec<(&str, &str)> =
        schema.names(&reference.columns).zip(target.names(&reference.target_columns)).collect();
    table.references.iter().find(|stored| {
        let has = |(from, to): &(&str, &str)| {
            stored.columns.iter().zip(&stored.target_columns).any(|(f, t)| f == from && t == to)
        };
        stored.target == target_oid && stored.columns.len() == pairs.len() && pairs.iter().all(has)
    })
}

/// Where the actions of a foreign key are others than the model's.
pub(super) fn compare_actions(
    stored: &Reference,
    schema: &SchemaRef,
    reference: &ReferenceSchema,
    target: &SchemaRef,
) -> Vec<String> {
    let actions = [
        ("ON DELETE", stored.on_delete, ddl::action_name(reference.on_delete)),
        ("ON UPDATE", stored.on_update, ddl::action_name(reference.on_update)),
    ];
    let columns = schema.names(&reference.columns).collect::<Vec<_>>().join("`, `");
    let differing = actions.into_iter().filter(|(_, stored, wanted)| stored != wanted);
    differing
        .map(|(event, stored, wanted)| {
            format!(
                "the foreign key of table `{}` from `{columns}` to table `{}` has {event} {stored}, and the model {} has {wanted}",
                schema.qualified_table(), target.qualified_table(), schema.name
            )
        })
        .collect()
}

/// Whether a column of this type of PostgreSQL's holds every value of this type, and gives it back.
fn fits(ty: ColumnType, stored: u32) -> bool {
    match ty {
        ColumnType::I8 | ColumnType::I16 | ColumnType::U8 => matches!(stored, oid::INT2 | oid::INT4 | oid::INT8),
        ColumnType::I32 | ColumnType::U16 => matches!(stored, oid::INT4 | oid::INT8),
        ColumnType::I64 | ColumnType::U32 | ColumnType::U64 => stored == oid::INT8,
        ColumnType::F64 => stored == oid::FLOAT8,
        ColumnType::Text => matches!(stored, oid::TEXT | oid::VARCHAR),
        ty => wire::readable(ty, stored),
    }
}
