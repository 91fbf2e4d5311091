//! The database of the benches: one of their own on the server, which every side uses.

use std::env;

use ommi::mongo::{MongoDriver, MongoOptions};
use ommi_benches::Runtime;

const DATABASE: &str = "ommi_bench";

/// A server that the environment names.
pub struct Server {
    url: String,
}

impl Server {
    pub fn from_environment() -> Option<Server> {
        let url = env::var("OMMI_TEST_MONGO_URL").ok()?;
        let (address, parameters) = url.split_once('?').unwrap_or((&url, ""));
        let (scheme, rest) = address.split_once("://").unwrap_or(("mongodb", address));
        let hosts = rest.split('/').next().unwrap_or(rest);
        Some(Server { url: format!("{scheme}://{hosts}/{DATABASE}?{parameters}") })
    }

    /// How every side connects.
    pub async fn connect(&self) -> MongoDriver {
        MongoOptions::parse(&self.url).await.unwrap().connect().await.unwrap()
    }

    /// Leaves nothing behind.
    pub fn clean(&self) {
        Runtime::CurrentThread.build().block_on(async { self.connect().await.database().drop().await.unwrap() });
    }
}
