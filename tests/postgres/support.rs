//! A schema for each test.

use std::env;

use ommi::postgres::sqlx::{self, PgPool};
use ommi::postgres::{PostgresDriver, PostgresOptions};
use ommi::prelude::*;

pub(crate) fn options() -> PostgresOptions {
    let url = env::var("OMMI_TEST_POSTGRES_URL").expect("run `cargo xtask test`, or set OMMI_TEST_POSTGRES_URL");
    PostgresOptions::parse(&url).unwrap()
}

/// A row to add, for what does not go by what is in it.
#[derive(Debug, Clone, PartialEq, Model)]
pub(crate) struct Seat {
    pub(crate) id: i64,
    pub(crate) guest: Option<String>,
}

pub(crate) fn seat(id: i64) -> Seat {
    Seat { id, guest: None }
}

/// An empty schema, with the pool beside the driver that uses it.
pub(crate) struct Schema {
    pub(crate) db: Ommi,
    pub(crate) pool: PgPool,
    name: String,
}

impl Schema {
    pub(crate) async fn new() -> Schema {
        Schema::with(|options| options).await
    }

    pub(crate) async fn with(change: impl FnOnce(PostgresOptions) -> PostgresOptions) -> Schema {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let options = options().search_path(&name).application_name(&name).max_connections(4);
        // Compiling the machine code of a huge condition takes seconds, in which PostgreSQL hears no request to stop.
        let options = options.setting("jit", "off");
        let driver: PostgresDriver = change(options).connect().await.unwrap();
        let pool = driver.pool().clone();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}"))).execute(&pool).await.unwrap();
        Schema { db: Ommi::new(driver), pool, name }
    }

    /// One with the table of [`Seat`].
    pub(crate) async fn with_seats() -> Schema {
        let schema = Schema::new().await;
        schema.db.create_tables::<Seat>().await.unwrap();
        schema
    }

    pub(crate) async fn run(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.pool).await.unwrap();
    }

    /// One number.
    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    /// How many other connections of this test are at work, or hold a transaction open.
    pub(crate) async fn at_work(&self) -> i64 {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state <> 'idle' AND pid <> pg_backend_pid()";
        sqlx::query_scalar(query).bind(&self.name).fetch_one(&self.pool).await.unwrap()
    }

    /// How many connections of another test the server has.
    pub(crate) async fn connections_of(&self, other: &Schema) -> i64 {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        sqlx::query_scalar(query).bind(&other.name).fetch_one(&self.pool).await.unwrap()
    }

    /// Ends every other connection of this test, as a restart of the server does.
    pub(crate) async fn kill_connections(&self) -> i64 {
        let side = options().max_connections(1).connect().await.unwrap();
        let query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1";
        sqlx::query_scalar(query).bind(&self.name).fetch_one(side.pool()).await.unwrap()
    }

    /// Drops the schema of another test, whose pool is closed.
    pub(crate) async fn drop_other(&self, other: &Schema) {
        let statement = format!("SET lock_timeout = 5000; DROP SCHEMA {} CASCADE", other.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&self.pool).await.unwrap();
    }

    pub(crate) async fn end(self) {
        let statement = format!("DROP SCHEMA {} CASCADE", self.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&self.pool).await.unwrap();
        self.db.close().await;
    }
}
