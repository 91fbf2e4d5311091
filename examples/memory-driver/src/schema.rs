//! Making tables, and finding those that do not fit.

use std::collections::BTreeSet;
use std::sync::Arc;

use ommi_core::schema::{ModelSchema, SchemaRef};
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult};

use crate::store::{State, Table};

impl State {
    /// Makes or completes the table of each schema.
    pub(crate) fn create(&mut self, schemas: &[SchemaRef]) -> DBResult<()> {
        let fitting = |schema: &SchemaRef| self.tables.get(&*schema.table).map(|table| misfits(table, schema));
        let misfits: Vec<String> = schemas.iter().filter_map(fitting).flatten().collect();
        if !misfits.is_empty() {
            return Err(DBError::schema(misfits));
        }
        for schema in schemas {
            let table = self.tables.entry(schema.table.to_string()).or_insert_with(|| Arc::new(new(schema)));
            complete(Arc::make_mut(table), schema)?;
        }
        Ok(())
    }
}

fn new(schema: &ModelSchema) -> Table {
    let key = schema.key.iter().map(|&column| usize::from(column)).collect();
    let columns = schema.columns.clone();
    Table {
        name: schema.table.to_string(),
        columns,
        uniques: vec![key],
        rows: Vec::new(),
        next: 1,
        refers_to: BTreeSet::new(),
    }
}

/// Adds the columns, unique sets and references that are missing.
fn complete(table: &mut Table, schema: &SchemaRef) -> DBResult<()> {
    let enforced = schema.references.iter().filter(|reference| reference.enforced);
    table.refers_to.extend(enforced.map(|reference| reference.target.resolve(schema).table.to_string()));
    for column in &schema.columns {
        if !table.columns.iter().any(|c| c.name == column.name) {
            table.columns.push(column.clone());
            let value = column.default.clone().unwrap_or(Value::Null);
            table.rows.iter_mut().for_each(|row| row.push(value.clone()));
        }
    }
    for unique in &schema.uniques {
        let place = |name: &str| table.columns.iter().position(|column| column.name == name);
        let set: Vec<usize> = schema.names(&unique.columns).filter_map(place).collect();
        if !table.uniques.contains(&set) {
            table.uniques.push(set);
        }
    }
    table.check_uniques(|_| true)
}

/// What of a table does not fit a model.
fn misfits(table: &Table, schema: &ModelSchema) -> Vec<String> {
    let mut misfits = Vec::new();
    let name = &table.name;
    for column in &schema.columns {
        let field = &column.name;
        match table.columns.iter().find(|c| c.name == column.name) {
            None if column.nullable || column.default.is_some() => {}
            None => misfits.push(format!("{name}.{field} is missing, and rows without it cannot be completed")),
            Some(stored) if stored.ty != column.ty => {
                misfits.push(format!("{name}.{field} holds {}, the model has {}", stored.ty, column.ty));
            }
            Some(stored) if stored.nullable != column.nullable => {
                let (stored, wanted) = if stored.nullable { ("takes", "does not") } else { ("refuses", "does") };
                misfits.push(format!("{name}.{field} {stored} NULL, the model {wanted}"));
            }
            Some(_) => {}
        }
    }
    let key = table.uniques.first().into_iter().flatten();
    let stored: Vec<&str> = key.filter_map(|&column| table.columns.get(column)).map(|column| &*column.name).collect();
    let wanted: Vec<&str> = schema.names(&schema.key).collect();
    if stored != wanted {
        misfits.push(format!("the key of {name} is {}, that of the model {}", stored.join(", "), wanted.join(", ")));
    }
    misfits
}
