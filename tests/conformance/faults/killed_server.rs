//! Servers that are killed in the midst of a transaction, and at each side of its commit, and come back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join;
use ommi::mongo::MongoOptions;
use ommi::postgres::PostgresOptions;
use ommi::{Retry, prelude::*};

use super::cut_connections::through_port;
use super::proxy::{Deed, Fault, Protocol, Proxy, Way, Which};
use super::{Entry, address, bounded, entry, lost, named, prepare, stored, told, unknown, use_again, work};
use crate::own_server::OwnServer;

/// A server of the test's own, and a database that is reached through a proxy before it.
struct Killed<C> {
    server: OwnServer,
    proxy: Proxy,
    db: Ommi,
    /// Connects to the server itself.
    connect: C,
    /// What a request to commit holds.
    commit: &'static str,
}

/// What became of a transaction while its server died at its commit.
#[derive(Debug, PartialEq)]
enum Became {
    /// The error says that it is not known, and it is not there.
    UnknownAndGone,
    /// The error says that it is not known, and it is there.
    UnknownAndThere,
    /// It was acknowledged, and is there.
    Committed,
    /// The error says that it may be run again, and it is not there.
    Undone,
}

impl<C: AsyncFn(&str) -> DBResult<Ommi>> Killed<C> {
    async fn direct(&self) -> Ommi {
        (self.connect)(&self.server.url).await.unwrap_or_else(|error| panic!("{}", told(&error)))
    }

    /// The parts of a transaction that are stored: all or none.
    async fn is_there(&self, run: i64) -> bool {
        let direct = self.direct().await;
        let stored = stored(&direct, run).await;
        let parts = ["outer", "within", "inner"].map(&stored);
        assert!(parts == [0; 3] || parts == [1; 3], "half of a transaction: {parts:?}");
        assert_eq!(stored("undone"), 0);
        direct.close().await;
        parts == [1; 3]
    }

    /// One error at most, of a connection that was not used while the server was away.
    async fn goes_on(&self, run: i64) {
        let errors = bounded("a database whose server came back", use_again(&self.db, run)).await;
        assert!(errors <= 1, "{errors} errors after the server came back");
        assert_eq!(use_again(&self.db, run).await, 0);
    }

    async fn in_the_midst(&mut self, run: i64) {
        prepare(&self.db, run).await.unwrap();
        let mut tx = self.db.begin().await.unwrap();
        work(&mut tx, run).await.unwrap();
        self.server.kill();
        lost(&bounded("a statement", tx.find(named(run, "outer")).count()).await.unwrap_err());
        let error = bounded("a commit", tx.commit()).await.unwrap_err();
        // That it can only be rolled back, or that not even that was possible; nothing of it is there in any case.
        assert!(matches!(error.kind(), ErrorKind::TransactionAborted | ErrorKind::Connection), "{}", told(&error));
        assert!(!error.is_outcome_unknown(), "{}", told(&error));
        self.server.start_again();
        assert!(!self.is_there(run).await);
        self.goes_on(run).await;
    }

    /// The server is killed before a request to commit arrives, or when it has answered; then the answer may still arrive.
    async fn at_the_commit(&mut self, run: i64, way: Way, answered: bool, back: bool) -> Became {
        prepare(&self.db, run).await.unwrap();
        let mut tx = self.db.begin().await.unwrap();
        work(&mut tx, run).await.unwrap();
        let which = Which::Holding(self.commit);
        self.proxy.arm(Fault { way, which, deed: Deed::Hold, reset: false });
        let (committed, ()) = join(bounded("a commit", tx.commit()), async {
            bounded("a request to commit", self.proxy.struck()).await;
            self.server.kill();
            if back {
                self.server.start_again();
            }
            self.proxy.release(answered);
        })
        .await;
        if !back {
            self.server.start_again();
        }
        let there = self.is_there(run).await;
        let became = match (committed, there) {
            (Ok(()), true) => Became::Committed,
            (Ok(()), false) => panic!("an acknowledged transaction is gone"),
            (Err(error), false) if error.is_retryable() => Became::Undone,
            (Err(error), there) => {
                unknown(&error);
                if there { Became::UnknownAndThere } else { Became::UnknownAndGone }
            }
        };
        self.goes_on(run).await;
        became
    }

    /// Work that is run again when it may be goes on as soon as the server is back.
    async fn run_again(self, run: i64) {
        let Killed { server, proxy: _proxy, db, connect, .. } = self;
        prepare(&db, run).await.unwrap();
        let url = server.url.clone();
        let server = Arc::new(Mutex::new(server));
        let dying = server.clone();
        let retry = Retry::default().attempts(20).delay(Duration::from_millis(20));
        let again = db.retry(retry).transaction(async move |tx| -> DBResult<u32> {
            tx.add(entry(run, "added again")).await?;
            if tx.attempt() == 1 {
                let mut server = dying.lock().unwrap();
                server.kill();
                server.start_again();
            }
            tx.find(named(run, "again")).update(Entry::count.increment(1)).await?;
            Ok(tx.attempt())
        });
        let attempts =
            bounded("a transaction that is run again", again).await.unwrap_or_else(|e| panic!("{}", told(&e)));
        assert!(attempts > 1);
        let direct = connect(&url).await.unwrap();
        let stored = stored(&direct, run).await;
        assert_eq!(["again", "added again"].map(&stored), [1; 2]);
        direct.close().await;
        db.close().await;
    }
}

#[tokio::test]
async fn postgres() -> DBResult<()> {
    let server = OwnServer::postgres();
    let proxy = Proxy::start(Protocol::Postgres, address(&server.url)).await;
    let options = PostgresOptions::parse(&server.url)?.host("127.0.0.1").port(proxy.port()).max_connections(4);
    let db = Ommi::new(options.connect().await?);
    db.create_tables::<Entry>().await?;
    let connect = async |url: &str| PostgresOptions::parse(url)?.connect().await.map(Ommi::new);
    let mut killed = Killed { server, proxy, db, connect, commit: "COMMIT" };
    killed.in_the_midst(1).await;
    assert_eq!(killed.at_the_commit(2, Way::Request, false, true).await, Became::UnknownAndGone);
    assert_eq!(killed.at_the_commit(3, Way::Answer, false, false).await, Became::UnknownAndThere);
    assert_eq!(killed.at_the_commit(4, Way::Answer, true, true).await, Became::Committed);
    killed.run_again(5).await;
    Ok(())
}

/// A commit that was not answered is sent again. While the server is away that fails too; when it is back, it says what became of the first. The
/// stand-in for MongoDB does so only where it was not committed: it forgets in a crash which transactions were, and MongoDB does not.
#[tokio::test]
async fn mongo() -> DBResult<()> {
    let server = OwnServer::mongo();
    let proxy = Proxy::start(Protocol::Mongo, address(&server.url)).await;
    let options = MongoOptions::parse(&through_port(&server.url, proxy.port())).await?;
    let driver = options.server_selection_timeout(Duration::from_secs(2)).connect().await?;
    let stands_in = crate::mongo::is_secantus(&driver).await;
    let db = Ommi::new(driver);
    db.create_tables::<Entry>().await?;
    let connect = async |url: &str| MongoOptions::parse(url).await?.connect().await.map(Ommi::new);
    let mut killed = Killed { server, proxy, db, connect, commit: "commitTransaction" };
    killed.in_the_midst(1).await;
    assert_eq!(killed.at_the_commit(2, Way::Request, false, false).await, Became::UnknownAndGone);
    assert_eq!(killed.at_the_commit(3, Way::Answer, false, false).await, Became::UnknownAndThere);
    assert_eq!(killed.at_the_commit(4, Way::Answer, true, false).await, Became::Committed);
    assert_eq!(killed.at_the_commit(5, Way::Request, false, true).await, Became::Undone);
    if !stands_in {
        assert_eq!(killed.at_the_commit(6, Way::Answer, false, true).await, Became::Committed);
    }
    killed.run_again(7).await;
    Ok(())
}
