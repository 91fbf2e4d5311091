//! Making and dropping tables, by themselves or as a part of a transaction.

use super::guarded::Guarded;
use super::{At, Transacted, traced};
use crate::driver::{Context, SchemaDriver};
use crate::error::{DBError, DBResult};
use crate::model::Models;
use crate::pending::Options;
use crate::schema::{SchemaRef, creation_order, missing_targets};

/// Where tables are made and dropped.
#[derive(Clone, Copy)]
pub struct Tables<'h> {
    pub(super) at: At<'h>,
    /// What is made and dropped is a part of it.
    pub(super) transaction: Option<&'h Guarded<'h>>,
}

/// What is done with tables.
#[derive(Clone, Copy)]
enum Change {
    Create,
    Drop,
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Change::Create => "create_tables",
            Change::Drop => "drop_tables",
        }
    }

    async fn run(self, driver: &dyn SchemaDriver, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        match self {
            Change::Create => driver.create(schemas, context).await,
            Change::Drop => driver.drop(schemas, context).await,
        }
    }
}

impl Tables<'_> {
    pub(super) async fn create(self, schemas: Vec<SchemaRef>, options: Options) -> DBResult<()> {
        schemas.iter().try_for_each(|schema| schema.usable())?;
        self.can_hold(&schemas)?;
        let mut problems = missing_targets(&schemas);
        problems.extend(shared_tables(&schemas));
        if !problems.is_empty() {
            return Err(DBError::schema(problems));
        }
        self.change(Change::Create, &schemas, options).await
    }

    pub(super) async fn drop(self, schemas: Vec<SchemaRef>, options: Options) -> DBResult<()> {
        self.can_hold(&schemas)?;
        self.change(Change::Drop, &schemas, options).await
    }

    async fn change(self, change: Change, schemas: &[SchemaRef], options: Options) -> DBResult<()> {
        let order = creation_order(schemas);
        let context = self.at.context(options);
        let work = async {
            let Some(transaction) = self.transaction else {
                return change.run(self.at.driver.schema(), &order, &context).await;
            };
            // It takes several statements: given up between two of them, it leaves half of its tables.
            let whole = Transacted::begin(self.at, &context).await?;
            let schema = transaction.schema(self.at.driver.capabilities())?;
            let result = transaction.note_change(change.run(schema, &order, &context).await);
            whole.end(result, &context).await
        };
        traced(change.name(), &names(&order), work, |()| 0).await
    }

    /// Refuses what the store cannot have at all, before it is asked.
    fn can_hold(self, schemas: &[SchemaRef]) -> DBResult<()> {
        let capabilities = self.at.driver.capabilities();
        schemas.iter().try_for_each(|schema| {
            capabilities.can_hold(schema)?;
            let mut targets = schema.references.iter().map(|reference| reference.target.resolve(schema));
            targets.try_for_each(|target| capabilities.can_hold(&target))
        })
    }
}

/// The schemas of models.
pub(super) fn schemas<T: Models>() -> Vec<SchemaRef> {
    let mut schemas = Vec::new();
    T::collect(&mut schemas);
    schemas
}

/// The models' names, for a span.
fn names(schemas: &[SchemaRef]) -> String {
    schemas.iter().map(|schema| &*schema.name).collect::<Vec<_>>().join(", ")
}

/// Two models that share a table would each find the other's columns missing.
fn shared_tables(schemas: &[SchemaRef]) -> Vec<String> {
    let mut problems = Vec::new();
    for (i, schema) in schemas.iter().enumerate() {
        if let Some(other) = schemas.iter().take(i).find(|o| *o != schema && o.shares_table(schema)) {
            let table = schema.qualified_table();
            problems.push(format!("{} and {} both have the table `{table}`", other.name, schema.name));
        }
    }
    problems
}
