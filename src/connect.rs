//! From a URL to a database.

use ommi_core::{DBError, DBResult, Ommi};

/// Connects to the database that a URL names, with the driver for its scheme.
///
/// | scheme | driver | feature |
/// |---|---|---|
/// | `sqlite::memory:`, `sqlite://path?mode=rwc` | SQLite | `sqlite` (default) |
/// | `postgres://user:password@host/database`, `postgresql://..` | PostgreSQL | `postgres` |
/// | `mongodb://user:password@host/database`, `mongodb+srv://..` | MongoDB | `mongo` |
///
/// The URL's parameters are the driver's options; a driver's own options type offers the same with names and types.
pub trait Connect: Sized {
    /// Connects, and makes sure that the database answers.
    ///
    /// # Errors
    /// `Configuration` for a URL that no driver of this build takes or an option that does not exist, `Connection` for a database that cannot be
    /// reached.
    fn connect(url: &str) -> impl Future<Output = DBResult<Self>> + Send;
}

impl Connect for Ommi {
    async fn connect(url: &str) -> DBResult<Ommi> {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            #[cfg(feature = "sqlite")]
            "sqlite" => Ok(Ommi::new(ommi_sqlite::SqliteDriver::connect(url).await?)),
            #[cfg(not(feature = "sqlite"))]
            "sqlite" => Err(disabled("sqlite")),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => Ok(Ommi::new(ommi_postgres::PostgresDriver::connect(url).await?)),
            #[cfg(not(feature = "postgres"))]
            "postgres" | "postgresql" => Err(disabled("postgres")),
            #[cfg(feature = "mongo")]
            "mongodb" | "mongodb+srv" => Ok(Ommi::new(ommi_mongo::MongoDriver::connect(url).await?)),
            #[cfg(not(feature = "mongo"))]
            "mongodb" | "mongodb+srv" => Err(disabled("mongo")),
            // Neither the URL nor a part of it: it may hold a password.
            _ => Err(DBError::configuration(
                None,
                "the URL does not begin with the scheme of a driver, such as `sqlite:`",
            )),
        }
    }
}

#[cfg(not(all(feature = "sqlite", feature = "postgres", feature = "mongo")))]
fn disabled(feature: &str) -> DBError {
    DBError::configuration(None, format!("this build of ommi has no {feature} driver; turn on its feature `{feature}`"))
}
