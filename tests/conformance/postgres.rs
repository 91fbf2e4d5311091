//! The suite on PostgreSQL. Each test has a schema of its own in one database, and finds its tables there by the search path.

use std::env;

use ommi::postgres::{PostgresDriver, PostgresOptions, sqlx};
use ommi::prelude::*;
use ommi_conformance::Database;

/// The database to use; `cargo xtask test` starts a server and sets it.
fn options() -> DBResult<PostgresOptions> {
    match env::var("OMMI_TEST_POSTGRES_URL") {
        Ok(url) => PostgresOptions::parse(&url),
        Err(_) => Err(DBError::configuration(
            None,
            "there is no PostgreSQL server to test with: run `cargo xtask test`, or set OMMI_TEST_POSTGRES_URL",
        )),
    }
}

/// Runs one statement with a connection of its own.
async fn run(statement: String) -> DBResult<()> {
    let driver = options()?.max_connections(1).connect().await?;
    let result = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(driver.pool()).await;
    ommi::driver::Driver::close(&driver).await;
    result.map(drop).map_err(|error| DBError::new(ErrorKind::Database).with_source(error))
}

/// Runs something with the URL of an empty schema.
pub(crate) async fn in_a_schema(run_with: impl AsyncFnOnce(String) -> DBResult<()>) -> DBResult<()> {
    options().map(drop)?;
    let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
    run(format!("CREATE SCHEMA {schema}")).await?;
    let url = env::var("OMMI_TEST_POSTGRES_URL").unwrap_or_default();
    let separator = if url.contains('?') { '&' } else { '?' };
    let result = run_with(format!("{url}{separator}search_path={schema}")).await;
    run(format!("DROP SCHEMA {schema} CASCADE")).await?;
    result
}

/// An empty schema, and a driver that sees nothing else.
async fn empty(open: impl AsyncFnOnce(PostgresOptions) -> DBResult<PostgresDriver>) -> DBResult<Database> {
    let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
    run(format!("CREATE SCHEMA {schema}")).await?;
    // Named, so that what a test forgot can be found and ended: its locks would be waited for.
    let driver = open(options()?.search_path(&schema).application_name(&schema).max_connections(4)).await?;
    Ok(Database::new(Ommi::new(driver)).afterwards(async move {
        let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{schema}'");
        let ended = run(end).await;
        assert!(ended.is_ok(), "{ended:?}");
        let dropped = run(format!("DROP SCHEMA {schema} CASCADE")).await;
        assert!(dropped.is_ok(), "{dropped:?}");
    }))
}

/// With prepared statements, which is the usual way.
mod prepared {
    use super::*;

    async fn empty() -> DBResult<Database> {
        super::empty(async |options| options.connect().await).await
    }

    ommi_conformance::suite!(empty);
}

/// As behind a pooler that knows no prepared statements.
mod unprepared {
    use super::*;

    async fn empty() -> DBResult<Database> {
        super::empty(async |options| options.prepared(false).connect().await).await
    }

    ommi_conformance::suite!(empty);
}
