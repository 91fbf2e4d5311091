//! Connections that are cut at each step of the protocol, one cut in each run, until a run comes to its end without being cut.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use ommi::mongo::MongoOptions;
use ommi::postgres::{PostgresOptions, SslMode, sqlx};
use ommi::prelude::*;

use super::proxy::{Among, Deed, Fault, Protocol, Way, Which};
use super::{Entry, Store, address, bounded, check, everything, lost, prepare, use_again};
use crate::own_server::OwnServer;

/// Tells of a run that failed where it was cut.
struct Run(i64, Fault);

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in run {} with {:?}", self.0, self.1);
        }
    }
}

impl<F: AsyncFn(u16) -> DBResult<Ommi>> Store<F> {
    /// Does everything once, with this cut; whether it came to that.
    async fn run(&self, run: i64, fault: Fault) -> bool {
        let _run = Run(run, fault);
        prepare(&self.direct, run).await.unwrap();
        let proxy = self.proxy().await;
        proxy.arm(fault);
        let mut errors = 0;
        let db = match (self.through)(proxy.port()).await {
            Ok(db) => db,
            Err(error) => {
                lost(&error);
                errors += 1;
                (self.through)(proxy.port()).await.unwrap()
            }
        };
        let outcome = everything(&db, run).await;
        let struck = proxy.disarm();
        errors += outcome.errors().len();
        check(&self.direct, run, &outcome).await;
        // The same handle works, without help, and what it left is in nobody's way.
        errors += use_again(&db, run).await;
        assert!(errors <= usize::from(struck), "{errors} errors of one cut: {outcome:?}");
        let free = self.direct.find(Entry::run.eq(run)).update(Entry::count.increment(0));
        assert!(free.timeout(Duration::from_secs(20)).await.unwrap() >= 3);
        db.close().await;
        struck
    }

    /// A cut at every so many'th message that goes this way; how many there were.
    async fn cut_at_every(&self, step: usize, way: Way, among: Among, deed: Deed) -> usize {
        static RUN: AtomicI64 = AtomicI64::new(1);
        let (number, cuts, through) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        // A few at a time: MongoDB's client waits half a second between looks at a server that it lost.
        futures::future::join_all((0..6).map(|_| async {
            while !through.load(Ordering::Relaxed) {
                let number = number.fetch_add(step, Ordering::Relaxed);
                let fault = Fault { way, which: Which::Number(number, among), deed, reset: number % 2 == 0 };
                let run = RUN.fetch_add(1, Ordering::Relaxed);
                match bounded("a run", self.run(run, fault)).await {
                    true => cuts.fetch_add(1, Ordering::Relaxed),
                    false => usize::from(through.swap(true, Ordering::Relaxed)),
                };
            }
        }))
        .await;
        println!("{way:?} {among:?} {deed:?}: {} cuts", cuts.load(Ordering::Relaxed));
        cuts.into_inner()
    }
}

/// Cuts connections to a server by a name that no other test uses, with these options but for the address.
async fn cut_on_postgres(
    protocol: Protocol,
    (url, name): (&str, &str),
    options: PostgresOptions,
    step: usize,
    faults: &[(Way, Deed)],
) -> DBResult<()> {
    let direct = PostgresOptions::parse(url)?.connect().await?;
    let pool = direct.pool().clone();
    let direct = Ommi::new(direct);
    direct.create_tables::<Entry>().await?;
    let through = async |port| {
        let options = options.clone().host("127.0.0.1").port(port).application_name(name).max_connections(2);
        options.connect().await.map(Ommi::new)
    };
    let store = Store { protocol, server: address(url).to_owned(), direct, through };
    for &(way, deed) in faults {
        let cuts = store.cut_at_every(step, way, Among::All, deed).await;
        // Of records of TLS there are fewer than of messages, since one can hold several.
        let all = if way == Way::Answer && protocol == Protocol::Postgres { 100 } else { 40 };
        assert!(cuts > all / step, "{way:?} {deed:?}: {cuts} cuts");
    }
    // The server has nothing left of all that: no connection, no transaction.
    bounded("a connection that was cut", async {
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        while sqlx::query_scalar::<_, i64>(sessions).bind(name).fetch_one(&pool).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    store.direct.close().await;
    Ok(())
}

async fn on_postgres(prepared: bool, step: usize, faults: &[(Way, Deed)]) -> DBResult<()> {
    crate::postgres::in_a_schema(async |url| {
        let schema = url.rsplit_once("search_path=").map(|(_, schema)| schema).unwrap_or_default();
        let options = PostgresOptions::parse(&url)?.sslmode(SslMode::Disable).prepared(prepared);
        cut_on_postgres(Protocol::Postgres, (&url, schema), options, step, faults).await
    })
    .await
}

#[tokio::test]
async fn on_postgres_with_each_request() -> DBResult<()> {
    on_postgres(true, 1, &[Deed::CutBefore, Deed::CutWithin, Deed::CutAfter].map(|deed| (Way::Request, deed))).await
}

#[tokio::test]
async fn on_postgres_with_each_answer() -> DBResult<()> {
    on_postgres(true, 1, &[Deed::CutBefore, Deed::CutWithin, Deed::CutAfter].map(|deed| (Way::Answer, deed))).await
}

/// As behind a pooler that knows no prepared statements. What the client makes of a cut is the same, so that some are enough.
#[tokio::test]
async fn on_postgres_unprepared() -> DBResult<()> {
    let faults = [(Way::Request, Deed::CutBefore), (Way::Request, Deed::CutAfter), (Way::Answer, Deed::CutWithin)];
    on_postgres(false, 13, &faults).await
}

/// A connection that ends without TLS's own goodbye is a lost one, and not one to a server that is not trusted.
#[tokio::test]
async fn on_postgres_encrypted() -> DBResult<()> {
    let server = OwnServer::encrypted();
    let options = PostgresOptions::parse(&server.url)?.sslmode(SslMode::Require);
    let faults = [(Way::Request, Deed::CutAfter), (Way::Answer, Deed::CutWithin)];
    cut_on_postgres(Protocol::EncryptedPostgres, (&server.url, "cut"), options, 11, &faults).await
}

#[tokio::test]
async fn on_mongo() -> DBResult<()> {
    let (direct, url, server) = crate::mongo::connect_to_lose_clients().await?;
    let direct = Ommi::new(direct);
    direct.create_tables::<Entry>().await?;
    let through = async |port| MongoOptions::parse(&through_port(&url, port)).await?.connect().await.map(Ommi::new);
    let store = Store { protocol: Protocol::Mongo, server: address(&url).to_owned(), direct, through };
    for (way, among, deed, least) in [
        (Way::Request, Among::Commands, Deed::CutBefore, 20),
        (Way::Request, Among::Commands, Deed::CutAfter, 20),
        (Way::Answer, Among::Commands, Deed::CutBefore, 20),
        (Way::Answer, Among::Commands, Deed::CutWithin, 20),
        (Way::Request, Among::Greetings, Deed::CutAfter, 2),
        (Way::Answer, Among::Greetings, Deed::CutWithin, 2),
    ] {
        let cuts = store.cut_at_every(1, way, among, deed).await;
        assert!(cuts >= least, "{way:?} {among:?} {deed:?}: {cuts} cuts");
    }
    store.direct.close().await;
    crate::mongo::end_without_clients(&url, server).await;
    Ok(())
}

/// A URL with its servers replaced by one on this port, which is to be used as it is, whatever it says of a replica set.
pub(super) fn through_port(url: &str, port: u16) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("mongodb", url));
    let (hosts, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let user = hosts.rsplit_once('@').map(|(user, _)| format!("{user}@")).unwrap_or_default();
    let separator = if rest.contains('?') { '&' } else { '?' };
    format!("{scheme}://{user}127.0.0.1:{port}/{rest}{separator}directConnection=true")
}
