//! Making and dropping tables.
//!
//! Everything is done in one transaction, which may be the user's: what the database has is read, compared with the models, and added to; any
//! misfit undoes it all. A lock of the database's, held until the end, keeps two programs from making the same tables at once. Foreign keys are
//! added once all tables are there, so that models may refer to each other in circles.

mod introspect;
mod plan;

use async_trait::async_trait;
use ommi_core::driver::{Context, SchemaDriver};
use ommi_core::schema::{ReferenceSchema, SchemaRef, missing_targets};
use ommi_core::{DBError, DBResult, ErrorKind};
use ommi_sql::{ddl, quote, quote_table};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use crate::PostgresDriver;
use crate::dialect::{self, Postgres};
use crate::error;
use crate::lease::{Lease, Work};
use crate::transaction::PostgresTransaction;
use introspect::Table;

/// The key of the lock: `ommi` in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1869442409)";

#[async_trait]
impl SchemaDriver for PostgresDriver {
    async fn create(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        match Change::new(schemas, false)? {
            Some(change) => self.run(context, Alone(change)).await,
            None => Ok(()),
        }
    }

    async fn drop(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        match Change::new(schemas, true)? {
            Some(change) => self.run(context, Alone(change)).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl SchemaDriver for PostgresTransaction {
    async fn create(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        match Change::new(schemas, false)? {
            Some(change) => self.run(context, change).await,
            None => Ok(()),
        }
    }

    async fn drop(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        match Change::new(schemas, true)? {
            Some(change) => self.run(context, change).await,
            None => Ok(()),
        }
    }
}

/// A change of the tables, in the transaction that is open. Whatever error it gives, that transaction is to be rolled back.
struct Change<'a> {
    schemas: &'a [SchemaRef],
    drops: bool,
}

impl Change<'_> {
    /// None where there is nothing to change.
    fn new(schemas: &[SchemaRef], drops: bool) -> DBResult<Option<Change<'_>>> {
        schemas.iter().try_for_each(|schema| schema.usable())?;
        Ok((!schemas.is_empty()).then_some(Change { schemas, drops }))
    }
}

impl Work<()> for Change<'_> {
    async fn run(self, lease: &mut Lease) -> DBResult<()> {
        lease.simple(LOCK).await?;
        lease.changes_tables();
        let connection = lease.start()?;
        let result = match self.drops {
            true => drop_tables(connection, self.schemas).await,
            false => create(connection, self.schemas).await,
        };
        lease.done(match &result {
            Err(Stopped::Failed(failed)) => Some(failed),
            _ => None,
        });
        match result {
            Ok(()) => lease.forget_statements().await,
            Err(Stopped::Misfits(misfits)) => Err(DBError::schema(misfits)),
            Err(Stopped::Failed(failed)) => Err(error::general(failed, None)),
        }
    }
}

/// A change in a transaction of its own.
struct Alone<'a>(Change<'a>);

impl Work<()> for Alone<'_> {
    async fn run(self, lease: &mut Lease) -> DBResult<()> {
        lease.begin().await?;
        let result = self.0.run(lease).await;
        match &result {
            Ok(()) => lease.commit().await,
            Err(error) => {
                if matches!(error.kind(), ErrorKind::Schema { .. }) {
                    lease.roll_back().await?;
                }
                result
            }
        }
    }
}

/// Why a change was not made.
enum Stopped {
    Misfits(Vec<String>),
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Stopped {
    fn from(error: sqlx::Error) -> Stopped {
        Stopped::Failed(error)
    }
}

async fn create(connection: &mut PgConnection, schemas: &[SchemaRef]) -> Result<(), Stopped> {
    let mut misfits = missing_targets(schemas);
    for schema in schemas {
        if let Some(name) = &schema.schema {
            create_schema(connection, name, schema, &mut misfits).await?;
        }
        // Read anew for each: two models may share a table.
        let table = Table::read(connection, schema).await?;
        let plan = plan::plan(schema, table.as_ref());
        if plan.misfits.is_empty() && misfits.is_empty() {
            for statement in plan.statements {
                run(connection, statement, schema).await?;
            }
            for index in &plan.indexes {
                create_index(connection, schema, index).await?;
            }
        }
        misfits.extend(plan.misfits);
    }
    if misfits.is_empty() {
        for schema in schemas {
            for reference in schema.references.iter().filter(|reference| reference.enforced) {
                create_reference(connection, schema, reference, &mut misfits).await?;
            }
        }
    }
    if misfits.is_empty() { Ok(()) } else { Err(Stopped::Misfits(misfits)) }
}

/// Makes a schema of the database where it is missing. To ask first spares who may not make one, and need not.
async fn create_schema(
    connection: &mut PgConnection,
    name: &str,
    model: &SchemaRef,
    misfits: &mut Vec<String>,
) -> Result<(), Stopped> {
    if name.len() > dialect::LONGEST_NAME || introspect::is_schema(connection, name).await? {
        return Ok(());
    }
    match run(connection, format!("CREATE SCHEMA {}", quote(name, '"')), model).await {
        Err(Stopped::Misfits(refused)) => {
            misfits.push(format!("there is no schema `{name}`"));
            Err(Stopped::Misfits(misfits.drain(..).chain(refused).collect()))
        }
        result => result,
    }
}

async fn run(connection: &mut PgConnection, statement: String, schema: &SchemaRef) -> Result<(), Stopped> {
    let result = connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await;
    result.map(drop).map_err(|failed| refused(failed, schema, "cannot be made"))
}

/// A statement that PostgreSQL refuses for what it says (a name that it reserves, say) is a misfit; what else fails is an error.
fn refused(failed: sqlx::Error, schema: &SchemaRef, what: &str) -> Stopped {
    match error::state(&failed) {
        Some(state) if state.starts_with("42") || state.starts_with("0A") => {
            Stopped::Misfits(vec![format!("table `{}` {what}: {}", schema.qualified_table(), error::message(&failed))])
        }
        _ => Stopped::Failed(failed),
    }
}

async fn create_index(
    connection: &mut PgConnection,
    schema: &SchemaRef,
    index: &ddl::WantedIndex,
) -> Result<(), Stopped> {
    let mut attempt = 0;
    let mut name = ddl::index_name(schema, index, attempt, &Postgres);
    while introspect::is_taken(connection, schema, &name).await? {
        attempt += 1;
        name = ddl::index_name(schema, index, attempt, &Postgres);
    }
    let statement = ddl::create_index(schema, &name, index, &Postgres);
    match run(connection, statement, schema).await {
        Err(Stopped::Failed(failed)) if error::state(&failed) == Some("23505") => Err(Stopped::Misfits(vec![format!(
            "`{}` of table `{}` cannot be made unique: rows have the same values there",
            names(schema, &index.columns),
            schema.qualified_table()
        )])),
        result => result,
    }
}

/// Adds a foreign key where there is none, and compares the one that is there.
async fn create_reference(
    connection: &mut PgConnection,
    schema: &SchemaRef,
    reference: &ReferenceSchema,
    misfits: &mut Vec<String>,
) -> Result<(), Stopped> {
    let target = reference.target.resolve(schema);
    let (Some(table), Some(other)) = (Table::read(connection, schema).await?, Table::read(connection, &target).await?)
    else {
        misfits.push(format!(
            "table `{}` refers to table `{}`, which does not exist; create it in the same call",
            schema.qualified_table(),
            target.qualified_table()
        ));
        return Ok(());
    };
    if let Some(stored) = plan::stored_reference(&table, schema, reference, other.oid, &target) {
        misfits.extend(plan::compare_actions(stored, schema, reference, &target));
        return Ok(());
    }
    let mut attempt = 0;
    let mut name = ddl::reference_name(schema, reference, attempt, &Postgres);
    while table.constraints.contains(&name) {
        attempt += 1;
        name = ddl::reference_name(schema, reference, attempt, &Postgres);
    }
    let statement = ddl::add_reference(schema, &name, reference, &Postgres);
    match run(connection, statement, schema).await {
        Err(Stopped::Failed(failed)) if error::state(&failed) == Some("23503") => Err(Stopped::Misfits(vec![format!(
            "`{}` of table `{}` cannot refer to table `{}`: rows refer to what is not there",
            names(schema, &reference.columns),
            schema.qualified_table(),
            target.qualified_table()
        )])),
        result => result,
    }
}

fn names(schema: &SchemaRef, columns: &[u16]) -> String {
    schema.names(columns).collect::<Vec<_>>().join("`, `")
}

/// Drops all tables with one statement, which PostgreSQL takes whatever they refer to among themselves.
async fn drop_tables(connection: &mut PgConnection, schemas: &[SchemaRef]) -> Result<(), Stopped> {
    let tables: Vec<String> = schemas.iter().map(|schema| quote_table(schema, '"')).collect();
    let misfits: Vec<String> = introspect::referring(connection, &tables)
        .await?
        .into_iter()
        .map(|(other, table)| format!("table `{other}` refers to table `{table}` and would have to be dropped with it"))
        .collect();
    if !misfits.is_empty() {
        return Err(Stopped::Misfits(misfits));
    }
    let statement = format!("DROP TABLE IF EXISTS {}", tables.join(", "));
    let result = connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await;
    result.map(drop).map_err(|failed| match error::state(&failed) {
        // A view, say.
        Some("2BP01") => Stopped::Misfits(vec![error::message(&failed).to_owned()]),
        _ => Stopped::Failed(failed),
    })
}
