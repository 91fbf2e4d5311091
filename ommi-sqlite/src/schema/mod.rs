//! Making and dropping tables.
//!
//! Everything is done in one transaction on a blocking thread: what the database has is read, compared with the models, and added
//! to; any misfit undoes it all. In a transaction that is there already, it is left to that to undo it.

mod introspect;
mod plan;

use async_trait::async_trait;
use ommi_core::driver::{Context, SchemaDriver};
use ommi_core::schema::{SchemaRef, missing_targets};
use ommi_core::{DBError, DBResult};
use ommi_sql::ddl;
use rusqlite::ffi;

use crate::SqliteDriver;
use crate::connection::Connection;
use crate::control::Control;
use crate::dialect::Sqlite;
use crate::error;
use crate::run::{self, Halt, Task};
use crate::transaction::SqliteTransaction;
use crate::work::{self, Cargo, Work};

use introspect::{Table, same};

/// The setting by which references are checked when the transaction is committed.
const DEFER: &str = "defer_foreign_keys";

#[async_trait]
impl SchemaDriver for SqliteDriver {
    async fn create(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        work::start(self.writes(), Change { schemas: schemas.to_vec(), change: create }, context).await
    }

    async fn drop(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        work::start(self.writes(), Change { schemas: schemas.to_vec(), change: drop_tables }, context).await
    }
}

#[async_trait]
impl SchemaDriver for SqliteTransaction {
    async fn create(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        work::start(self.source(), Change { schemas: schemas.to_vec(), change: create }, context).await
    }

    async fn drop(&self, schemas: &[SchemaRef], context: &Context) -> DBResult<()> {
        work::start(self.source(), Change { schemas: schemas.to_vec(), change: drop_tables }, context).await
    }
}

/// A change of the tables.
#[derive(Clone)]
struct Change {
    schemas: Vec<SchemaRef>,
    /// Gives the misfits.
    change: fn(&rusqlite::Connection, &[SchemaRef]) -> Result<Vec<String>, rusqlite::Error>,
}

impl Work for Change {
    type Output = ();
    type Cargo = Change;

    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<(), Halt> {
        if task.here {
            return Err(Halt::Move);
        }
        self.schemas.iter().try_for_each(|schema| schema.usable())?;
        run::start(&connection.watch, task, false)?;
        if connection.sqlite.is_autocommit() {
            let result = self.apply_alone(connection, task);
            connection.roll_back();
            return result;
        }
        let result = self.apply(&connection.sqlite, task);
        // To drop tables defers the checks of references until the transaction's end, which may be far; what was dropped leaves none to check.
        let resumed = connection.sqlite.pragma_update(None, DEFER, false);
        result.and(resumed.map_err(|failure| failed(failure, task)))
    }

    fn pack(&mut self) -> Change {
        self.clone()
    }

    fn unpack(&mut self, _: Change) {}
}

impl Cargo for Change {
    type Output = ();

    fn run(&mut self, connection: &mut Connection, task: &Task) -> Result<(), Halt> {
        Work::run(self, connection, task)
    }
}

impl Change {
    /// Makes it in a transaction of its own, and commits that where there are no misfits. The caller rolls back what is left open.
    fn apply_alone(&self, connection: &mut Connection, task: &Task) -> Result<(), Halt> {
        let failed = |failure| failed(failure, task);
        // A database that can only be read may have all that is asked for.
        let only_read = connection.sqlite.is_readonly(rusqlite::MAIN_DB).map_err(failed)?;
        connection.control(if only_read { Control::BeginReading } else { Control::BeginWriting })?;
        self.apply(&connection.sqlite, task)?;
        connection.control(Control::Commit)
    }

    fn apply(&self, sqlite: &rusqlite::Connection, task: &Task) -> Result<(), Halt> {
        let misfits = (self.change)(sqlite, &self.schemas).map_err(|failure| failed(failure, task))?;
        match misfits.is_empty() {
            true => Ok(()),
            false => Err(Halt::Failed(DBError::schema(misfits))),
        }
    }
}

fn failed(failure: rusqlite::Error, task: &Task) -> Halt {
    match (error::is_busy(&failure), error::is_interrupt(&failure)) {
        (true, _) => Halt::Busy(Box::new(failure)),
        (_, true) => Halt::Failed(match task.limit {
            Some((_, given)) => DBError::timeout(given).with_source(failure),
            None => error::general(failure),
        }),
        _ => Halt::Failed(error::general(failure)),
    }
}

fn create(sqlite: &rusqlite::Connection, schemas: &[SchemaRef]) -> Result<Vec<String>, rusqlite::Error> {
    let mut misfits = missing_targets(schemas);
    let mut indexes: Vec<(String, &SchemaRef, ddl::WantedIndex)> = Vec::new();
    for schema in schemas {
        // Read anew for each: two models may share a table, and its indexes.
        let table = Table::read(sqlite, schema)?;
        let plan = plan::plan(schema, table.as_ref());
        if plan.misfits.is_empty() {
            for statement in &plan.statements {
                refused(sqlite.execute_batch(statement), schema, &mut misfits)?;
            }
            for index in plan.indexes {
                let wanted = ddl::create_index(schema, "", &index, &Sqlite);
                if !indexes.iter().any(|(other, ..)| *other == wanted) {
                    indexes.push((wanted, schema, index));
                }
            }
        }
        misfits.extend(plan.misfits);
    }
    // After all tables: those cannot choose another name.
    for (_, schema, index) in &indexes {
        create_index(sqlite, schema, index, &mut misfits)?;
    }
    for schema in schemas {
        for reference in schema.references.iter().filter(|reference| reference.enforced) {
            let target = reference.target.resolve(schema);
            if !introspect::exists(sqlite, &target.table)? {
                misfits.push(format!(
                    "table `{}` refers to table `{}`, which does not exist; create it in the same call",
                    schema.table, target.table
                ));
            }
        }
    }
    Ok(misfits)
}

fn create_index(
    sqlite: &rusqlite::Connection,
    schema: &SchemaRef,
    index: &ddl::WantedIndex,
    misfits: &mut Vec<String>,
) -> Result<(), rusqlite::Error> {
    let mut attempt = 0;
    let mut name = ddl::index_name(schema, index, attempt, &Sqlite);
    while introspect::is_taken(sqlite, &name)? {
        attempt += 1;
        name = ddl::index_name(schema, index, attempt, &Sqlite);
    }
    match sqlite.execute_batch(&ddl::create_index(schema, &name, index, &Sqlite)) {
        Err(failure) if error::code(&failure).is_some_and(|code| code & 0xFF == ffi::SQLITE_CONSTRAINT) => {
            let columns: Vec<&str> = schema.names(&index.columns).collect();
            misfits.push(format!(
                "`{}` of table `{}` cannot be made unique: rows have the same values there",
                columns.join("`, `"),
                schema.table
            ));
            Ok(())
        }
        result => refused(result, schema, misfits),
    }
}

/// A statement that SQLite refuses for what it says (a name that it reserves, say) is a misfit; what else fails is an error.
fn refused(
    result: Result<(), rusqlite::Error>,
    schema: &SchemaRef,
    misfits: &mut Vec<String>,
) -> Result<(), rusqlite::Error> {
    match result {
        Err(failure) if error::code(&failure) == Some(ffi::SQLITE_ERROR) => {
            misfits.push(format!("table `{}` cannot be made: {}", schema.table, error::message(&failure)));
            Ok(())
        }
        result => result,
    }
}

fn drop_tables(sqlite: &rusqlite::Connection, schemas: &[SchemaRef]) -> Result<Vec<String>, rusqlite::Error> {
    let mut misfits = Vec::new();
    for schema in schemas {
        // SQLite would delete or change the rows that refer to what is dropped, if their references say so.
        for other in introspect::referring(sqlite, &schema.table)? {
            if !schemas.iter().any(|schema| same(&schema.table, &other)) {
                misfits.push(format!(
                    "table `{other}` refers to table `{}` and would have to be dropped with it",
                    schema.table
                ));
            }
        }
    }
    if misfits.is_empty() {
        // Tables that refer to each other in circles contradict their references until all are gone.
        sqlite.pragma_update(None, DEFER, true)?;
        for schema in schemas.iter().rev() {
            sqlite.execute_batch(&ddl::drop_table(schema, &Sqlite))?;
        }
    }
    Ok(misfits)
}
