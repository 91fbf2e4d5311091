//! The database of the benches: a schema of their own in it, which every side uses.

use std::env;

use ommi::postgres::PostgresOptions;
use ommi_benches::Runtime;

pub const SCHEMA: &str = "ommi_bench";

/// A database that the environment names.
pub struct Server {
    pub url: String,
}

impl Server {
    pub fn from_environment() -> Option<Server> {
        Some(Server { url: env::var("OMMI_TEST_POSTGRES_URL").ok()? })
    }

    /// How Ommi connects. Its pool is as large as sqlx's.
    pub fn options(&self) -> PostgresOptions {
        PostgresOptions::parse(&self.url).unwrap().search_path(SCHEMA)
    }

    /// An empty schema.
    pub async fn fresh(&self) {
        self.run(&format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}")).await;
    }

    /// Leaves nothing behind.
    pub fn clean(&self) {
        Runtime::CurrentThread.build().block_on(self.run(&format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")));
    }

    async fn run(&self, statements: &str) {
        let driver = self.options().connect().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(driver.pool()).await.unwrap();
        driver.pool().close().await;
    }
}
