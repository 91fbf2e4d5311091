//! How to reach a database.

use std::fmt;
use std::time::Duration;

use mongodb::bson::{RawDocumentBuf, serialize_to_raw_document_buf};
use mongodb::options::{
    Acknowledgment, ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, TransactionOptions, WriteConcern,
};
use mongodb::{Client, error::Error};
use ommi_core::{DBError, DBResult};

use crate::MongoDriver;
use crate::error::Failure;
use crate::turns::Turns;

/// How to reach a database, as a value.
///
/// ```no_run
/// # async fn example() -> ommi_core::DBResult<()> {
/// use ommi_mongo::MongoOptions;
///
/// let driver = MongoOptions::parse("mongodb://localhost/shop?replicaSet=rs0").await?.max_pool_size(20).connect().await?;
/// # Ok(()) }
/// ```
///
/// `Debug` prints neither the servers nor the credentials.
#[derive(Clone)]
#[must_use]
pub struct MongoOptions {
    /// None: the client is there already.
    pub(crate) client: Option<ClientOptions>,
    pub(crate) database: String,
    pub(crate) key_block: i64,
    pub(crate) transactions: bool,
    acquire_timeout: Duration,
    write_concern: Option<WriteConcern>,
}

impl fmt::Debug for MongoOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoOptions").field("database", &self.database).finish_non_exhaustive()
    }
}

/// The parameters that are Ommi's own.
const OWN: [&str; 2] = ["keyBlock", "transactions"];

/// The connections of a pool, where the options do not say how many, as the client has it.
const POOL_SIZE: u32 = 10;

/// The parameters that the client knows.
const KNOWN: [&str; 47] = [
    "adaptiveRetries",
    "appName",
    "authMechanism",
    "authMechanismProperties",
    "authSource",
    "compressors",
    "connectTimeoutMS",
    "directConnection",
    "heartbeatFrequencyMS",
    "journal",
    "loadBalanced",
    "localThresholdMS",
    "maxAdaptiveRetries",
    "maxConnecting",
    "maxIdleTimeMS",
    "maxPoolSize",
    "maxStalenessSeconds",
    "minPoolSize",
    "proxyHost",
    "proxyPassword",
    "proxyPort",
    "proxyUsername",
    "readConcernLevel",
    "readPreference",
    "readPreferenceTags",
    "replicaSet",
    "retryReads",
    "retryWrites",
    "serverMonitoringMode",
    "serverSelectionTimeoutMS",
    "socketTimeoutMS",
    "srvMaxHosts",
    "srvServiceName",
    "ssl",
    "tls",
    "tlsAllowInvalidCertificates",
    "tlsAllowInvalidHostnames",
    "tlsCAFile",
    "tlsCertificateKeyFile",
    "tlsCertificateKeyFilePassword",
    "tlsInsecure",
    "uuidRepresentation",
    "w",
    "waitQueueTimeoutMS",
    "wtimeout",
    "wtimeoutMS",
    "zlibCompressionLevel",
];

impl MongoOptions {
    /// Reads a URL: `mongodb://[user:password@]host[:port][,…]/database[?option=value&…]`, or `mongodb+srv://`. The options are MongoDB's
    /// own, and two more: `keyBlock` and `transactions`, which say what [`key_block`](MongoOptions::key_block) and
    /// [`transactions`](MongoOptions::transactions) say.
    ///
    /// # Errors
    /// `Configuration` for a URL without a database, an option that does not exist, or a value that it does not take; `Connection` where a
    /// `mongodb+srv://` name cannot be looked up.
    pub async fn parse(url: &str) -> DBResult<MongoOptions> {
        let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
        let mut options = MongoOptions::of_client("");
        let (mut kept, mut names): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let known = OWN.into_iter().chain(KNOWN).find(|known| known.eq_ignore_ascii_case(name));
            let Some(known) = known else {
                return Err(DBError::configuration(
                    Some(name),
                    format!("there is no such option; there are {}, {}", OWN.join(", "), KNOWN.join(", ")),
                ));
            };
            if names.iter().any(|seen| seen == known) && known != "readPreferenceTags" {
                return Err(DBError::configuration(Some(known), "it is given twice"));
            }
            names.push(known.to_owned());
            match known {
                "keyBlock" => {
                    let block = value.parse().ok().filter(|block| (1..=1_000_000).contains(block));
                    let wrong = || DBError::configuration(Some(known), "it takes a whole number from 1 to 1000000");
                    options.key_block = block.ok_or_else(wrong)?;
                }
                "transactions" => {
                    options.transactions = match value {
                        "on" | "true" => true,
                        "off" | "false" => false,
                        _ => return Err(DBError::configuration(Some(known), "it takes `on` or `off`")),
                    };
                }
                // The client would take it, and not keep it.
                "waitQueueTimeoutMS" => {
                    let wrong = || DBError::configuration(Some(known), "it takes a whole number of milliseconds");
                    options.acquire_timeout = match value.parse::<u32>().map_err(|_| wrong())? {
                        0 => Duration::MAX,
                        time => Duration::from_millis(u64::from(time)),
                    };
                }
                _ => kept.push(parameter),
            }
        }
        let url = match kept.is_empty() {
            true => address.to_owned(),
            false => format!("{address}?{}", kept.join("&")),
        };
        let client = ClientOptions::parse(url.as_str()).await.map_err(|error| wrong(&error, &names))?;
        options.database = client.default_database.clone().ok_or_else(|| {
            DBError::configuration(None, "the URL names no database; it follows the hosts: `mongodb://host/database`")
        })?;
        options.write_concern = client.write_concern.clone();
        options.client = Some(client);
        Ok(options)
    }

    /// A database of servers that the client's own options name.
    pub fn new(client: ClientOptions, database: impl Into<String>) -> MongoOptions {
        let write_concern = client.write_concern.clone();
        MongoOptions { client: Some(client), database: database.into(), write_concern, ..MongoOptions::of_client("") }
    }

    pub(crate) fn of_client(database: &str) -> MongoOptions {
        MongoOptions {
            client: None,
            database: database.to_owned(),
            key_block: 64,
            transactions: true,
            acquire_timeout: Duration::from_secs(30),
            write_concern: None,
        }
    }

    fn change(mut self, change: impl FnOnce(&mut ClientOptions)) -> MongoOptions {
        if let Some(client) = &mut self.client {
            change(client);
        }
        self
    }

    /// Another database on the same servers.
    pub fn database(mut self, name: impl Into<String>) -> MongoOptions {
        self.database = name.into();
        self
    }

    /// The most connections to each server: 10 by default.
    pub fn max_pool_size(self, connections: u32) -> MongoOptions {
        self.change(|client| client.max_pool_size = Some(connections))
    }

    /// How long an operation waits for a connection that others use; then it is a `Timeout`. 30 seconds by default. It is kept where all operations
    /// go to the primary. `waitQueueTimeoutMS`, where 0 is for ever
    pub fn acquire_timeout(mut self, timeout: Duration) -> MongoOptions {
        self.acquire_timeout = timeout;
        self
    }

    /// How long an operation waits for a server that can take it; then it is a `Connection` error. 30 seconds by default.
    pub fn server_selection_timeout(self, timeout: Duration) -> MongoOptions {
        self.change(|client| client.server_selection_timeout = Some(timeout))
    }

    /// What a write waits for: `majority` by default, which survives the loss of the primary; `w` of 0 is a `Configuration` error. `w`, `journal` and `wtimeoutMS` in a URL
    pub fn write_concern_of(mut self, concern: WriteConcern) -> MongoOptions {
        self.write_concern = Some(concern);
        self
    }

    /// For how many adds numbers are taken from a counter at once, at most: 64 by default. With 1, keys follow the order of the adds across
    /// processes too, at the price of one more round trip for each. `keyBlock`
    pub fn key_block(mut self, adds: u32) -> MongoOptions {
        self.key_block = i64::from(adds.max(1));
        self
    }

    /// Whether transactions are used where the server has them, which is so by default. Off: the driver behaves as with a server that is no
    /// replica set. `transactions`
    pub fn transactions(mut self, on: bool) -> MongoOptions {
        self.transactions = on;
        self
    }

    /// Connects, and makes sure that the server answers.
    ///
    /// # Errors
    /// `Configuration` for options that contradict each other and for writes that are not acknowledged (`w` of 0), `Connection` for a server that cannot be reached or denies access.
    pub async fn connect(self) -> DBResult<MongoDriver> {
        let Some(client) = self.client.clone() else {
            return Err(DBError::configuration(None, "these options name no server"));
        };
        self.write_concern()?;
        let client = Client::with_options(client).map_err(|error| wrong(&error, &[]))?;
        MongoDriver::open(client, true, self).await
    }

    /// Who may use a connection of the client when. A client that was there already may have other users; and there is a pool for each server,
    /// of which only the primary, or the only router of a cluster, is used by all operations.
    pub(crate) fn turns(&self, router: bool) -> Turns {
        let Some(client) = &self.client else { return Turns::unlimited() };
        let elsewhere = match &client.selection_criteria {
            None | Some(SelectionCriteria::ReadPreference(ReadPreference::Primary)) => router && client.hosts.len() > 1,
            Some(_) => true,
        };
        match client.max_pool_size.unwrap_or(POOL_SIZE) {
            size if size > 0 && !elsewhere => Turns::new(size, self.acquire_timeout),
            _ => Turns::unlimited(),
        }
    }

    pub(crate) fn concern(&self) -> WriteConcern {
        self.write_concern.clone().unwrap_or_else(WriteConcern::majority)
    }

    pub(crate) fn write_concern(&self) -> DBResult<RawDocumentBuf> {
        let concern = self.concern();
        // A server says nothing of such writes, neither how many rows they reached nor why they failed.
        if concern.w == Some(Acknowledgment::Nodes(0)) {
            return Err(DBError::configuration(
                Some("w"),
                "writes are acknowledged, by one member of the replica set at least",
            ));
        }
        serialize_to_raw_document_buf(&concern).map_err(unwritable)
    }

    /// What the counters of keys wait for: a majority, whatever else writes wait for. A new primary that had not seen a number taken would give
    /// it again.
    pub(crate) fn counter_concern(&self) -> DBResult<RawDocumentBuf> {
        let mut concern = self.concern();
        concern.w = Some(Acknowledgment::Majority);
        serialize_to_raw_document_buf(&concern).map_err(unwritable)
    }

    pub(crate) fn read_concern(&self) -> DBResult<Option<RawDocumentBuf>> {
        let concern: Option<&ReadConcern> = self.client.as_ref().and_then(|client| client.read_concern.as_ref());
        concern.map(serialize_to_raw_document_buf).transpose().map_err(unwritable)
    }

    pub(crate) fn transaction_options(&self) -> TransactionOptions {
        TransactionOptions::builder()
            .read_concern(ReadConcern::snapshot())
            .write_concern(self.concern())
            .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
            .build()
    }
}

fn unwritable(error: mongodb::bson::error::Error) -> DBError {
    DBError::configuration(None, "a concern cannot be written").with_source(error)
}

/// A URL that the client refuses. Its message may quote the URL, so it is not shown; the option that it names is.
fn wrong(error: &Error, names: &[String]) -> DBError {
    use mongodb::error::ErrorKind as Kind;
    let Kind::InvalidArgument { message, .. } = &*error.kind else {
        return Failure::from(error.clone()).general(None);
    };
    let message = message.to_lowercase();
    let mentioned = |name: &&String| {
        let name = name.to_lowercase();
        // Whole words: `w` is in many others. Some messages write the name as words.
        message.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == name)
            || (name.len() > 3 && message.replace(' ', "").contains(&name))
    };
    match names.iter().find(mentioned) {
        Some(name) => DBError::configuration(Some(name), "MongoDB's client does not take this value"),
        None => DBError::configuration(
            None,
            "the URL is not one of MongoDB's: `mongodb://host/database?option=value`, with `%` before the code of each character of \
             `: / ? # [ ] @` in a name or password",
        ),
    }
}

#[cfg(test)]
mod tests {
    use ommi_core::ErrorKind;

    use super::*;

    async fn refused(url: &str) -> (Option<String>, String) {
        let error = MongoOptions::parse(url).await.unwrap_err();
        match error.kind() {
            ErrorKind::Configuration { option, .. } => (option.clone(), format!("{error} {error:?}")),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_bad_option_is_named() {
        for (parameters, option) in [
            ("colour=red", "colour"),
            ("keyBlock=0", "keyBlock"),
            ("transactions=maybe", "transactions"),
            ("maxPoolSize=lots", "maxPoolSize"),
            ("readpreference=nearby", "readPreference"),
            ("tls=true&TLS=false", "tls"),
        ] {
            let (named, _) = refused(&format!("mongodb://localhost/shop?{parameters}")).await;
            assert_eq!(named.as_deref(), Some(option), "{parameters}");
        }
    }

    /// Before the server is looked for.
    #[tokio::test]
    async fn writes_of_which_nothing_is_heard_are_refused() {
        let options = MongoOptions::parse("mongodb://db.invalid/shop?w=0").await.unwrap();
        let error = options.connect().await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Configuration { option: Some(option), .. } if option == "w"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn no_password_is_printed() {
        for url in
            ["mongodb://ann:s3cr3t@localhost/", "mongodb://ann:s3cr3t@:x/shop", "mongodb://ann:s3cr3t@localhost/s?w=-7"]
        {
            let (_, text) = refused(url).await;
            assert!(!text.contains("s3cr3t"), "{text}");
        }
        let options = MongoOptions::parse("mongodb://ann:s3cr3t@localhost/shop?keyBlock=8&w=1").await.unwrap();
        assert_eq!((options.key_block, options.database.as_str()), (8, "shop"));
        assert!(!format!("{options:?}").contains("s3cr3t"));
        assert_eq!(options.write_concern().unwrap(), mongodb::bson::rawdoc! { "w": 1 });
    }

    #[tokio::test]
    async fn counters_wait_for_a_majority_whatever_writes_wait_for() {
        for (parameters, concern) in [
            ("", mongodb::bson::rawdoc! { "w": "majority" }),
            ("?w=1", mongodb::bson::rawdoc! { "w": "majority" }),
            ("?w=3&journal=true", mongodb::bson::rawdoc! { "w": "majority", "j": true }),
        ] {
            let options = MongoOptions::parse(&format!("mongodb://localhost/shop{parameters}")).await.unwrap();
            assert_eq!(options.counter_concern().unwrap(), concern, "{parameters}");
        }
    }
}
