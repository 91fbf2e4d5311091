//! What a transaction costs beside its statements, by what goes over the wire: nothing where there are none, `begin` with the first, and for a level
//! within it one message to open it, none to keep it, and one to undo it; on MongoDB none until it is undone.

use ommi::mongo::MongoOptions;
use ommi::postgres::{PostgresOptions, SslMode};
use ommi::prelude::*;

use super::cut_connections::through_port;
use super::proxy::{Protocol, Proxy};
use super::{Entry, address, named, prepare};

/// Transactions without a statement, with every end, and others within them.
async fn empty_ones(db: &Ommi) -> DBResult<()> {
    db.begin().await?.commit().await?;
    db.begin().await?.rollback().await?;
    drop(db.begin().await?);
    db.transaction(async |tx| tx.transaction(async |_| Ok::<_, DBError>(())).await).await?;
    let mut tx = db.begin().await?;
    tx.begin().await?.commit().await?;
    tx.begin().await?.rollback().await?;
    drop(tx.begin().await?);
    tx.commit().await
}

async fn change(handle: &impl Handle) -> DBResult<()> {
    let changed = handle.find(named(1, "alone")).update(Entry::count.increment(1)).await?;
    assert_eq!(changed, 1);
    Ok(())
}

/// What was sent with PostgreSQL's protocol: the first word of each statement of each simple query, and a dot for each run of a prepared statement. What only asks
/// whether a connection still lives is neither.
fn queries(proxy: &Proxy) -> Vec<String> {
    let heard = proxy.heard();
    let shown = heard.iter().filter_map(|message| match message.first() {
        Some(b'Q') => {
            let text = String::from_utf8_lossy(message.get(5..).unwrap_or_default()).into_owned();
            let statements = text.trim_end_matches(['\0', ' ', ';']).split("; ");
            let words: Vec<&str> = statements.filter_map(|statement| statement.split(' ').next()).collect();
            Some(words.join("; "))
        }
        Some(b'E') => Some(".".to_owned()),
        _ => None,
    });
    shown.collect()
}

#[tokio::test]
async fn on_postgres() -> DBResult<()> {
    crate::postgres::in_a_schema(async |url| {
        let options = PostgresOptions::parse(&url)?;
        let direct = Ommi::new(options.clone().connect().await?);
        direct.create_tables::<Entry>().await?;
        prepare(&direct, 1).await?;
        let proxy = Proxy::start(Protocol::Postgres, address(&url)).await;
        let options = options.host("127.0.0.1").port(proxy.port()).sslmode(SslMode::Disable).max_connections(1);
        let db = Ommi::new(options.connect().await?);
        let none: [&str; 0] = [];
        // The connection is opened, and the statement prepared.
        db.transaction(async |tx| change(tx).await).await?;
        queries(&proxy);

        empty_ones(&db).await?;
        assert_eq!(queries(&proxy), none, "of empty transactions");
        let mut tx = db.begin().await?;
        assert_eq!(queries(&proxy), none, "of begin");
        change(&tx).await?;
        assert_eq!(queries(&proxy), ["BEGIN", "."]);

        let inner = tx.begin().await?;
        assert_eq!(queries(&proxy), none, "of a level's begin");
        change(&inner).await?;
        change(&inner).await?;
        assert_eq!(queries(&proxy), ["SAVEPOINT", ".", "."]);
        inner.commit().await?;
        change(&tx).await?;
        assert_eq!(queries(&proxy), ["."], "of a level that is kept");

        let inner = tx.begin().await?;
        change(&inner).await?;
        assert_eq!(queries(&proxy), ["RELEASE; SAVEPOINT", "."]);
        inner.rollback().await?;
        assert_eq!(queries(&proxy), ["ROLLBACK; RELEASE"]);

        let inner = tx.begin().await?;
        change(&inner).await?;
        drop(inner);
        assert_eq!(queries(&proxy), ["SAVEPOINT", "."], "of a drop");
        change(&tx).await?;
        assert_eq!(queries(&proxy), ["ROLLBACK; RELEASE", "."]);
        let mut inner = tx.begin().await?;
        let innermost = inner.begin().await?;
        change(&innermost).await?;
        assert_eq!(queries(&proxy), ["SAVEPOINT; SAVEPOINT", "."]);
        innermost.commit().await?;
        inner.commit().await?;
        tx.commit().await?;
        assert_eq!(queries(&proxy), ["COMMIT"]);
        db.close().await;
        direct.close().await;
        Ok(())
    })
    .await
}

/// The names of the commands that were sent.
fn commands(proxy: &Proxy) -> Vec<String> {
    let name = |message: &Vec<u8>| {
        let name = message.get(26..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(name).into_owned()
    };
    // Sessions that are over are told of at any time.
    proxy.heard().iter().map(name).filter(|name| name != "endSessions").collect()
}

#[tokio::test]
async fn on_mongo() -> DBResult<()> {
    let (direct, url) = crate::mongo::connect(|options| options).await?;
    let direct = Ommi::new(direct);
    direct.create_tables::<Entry>().await?;
    prepare(&direct, 1).await?;
    let proxy = Proxy::start(Protocol::Mongo, address(&url)).await;
    let db = Ommi::new(MongoOptions::parse(&through_port(&url, proxy.port())).await?.connect().await?);
    let none: [&str; 0] = [];
    // The collection is looked at once.
    db.transaction(async |tx| change(tx).await).await?;
    commands(&proxy);

    empty_ones(&db).await?;
    assert_eq!(commands(&proxy), none, "of empty transactions");
    let mut tx = db.begin().await?;
    assert_eq!(commands(&proxy), none, "of begin");
    change(&tx).await?;
    assert_eq!(commands(&proxy), ["update"]);

    let inner = tx.begin().await?;
    inner.find(named(1, "within")).all().await?;
    assert_eq!(commands(&proxy), ["find"], "a level of reads");
    inner.rollback().await?;
    assert_eq!(commands(&proxy), none, "where nothing was written");

    let inner = tx.begin().await?;
    change(&inner).await?;
    change(&inner).await?;
    // What is there is looked at before it is changed.
    assert_eq!(commands(&proxy), ["find", "update", "find", "update"]);
    inner.commit().await?;
    assert_eq!(commands(&proxy), none, "of a level's commit");

    let inner = tx.begin().await?;
    change(&inner).await?;
    commands(&proxy);
    inner.rollback().await?;
    assert_eq!(commands(&proxy), ["delete", "insert"], "of a level's rollback");
    tx.commit().await?;
    assert_eq!(commands(&proxy), ["commitTransaction"]);
    db.close().await;
    direct.close().await;
    crate::mongo::drop_database(&url).await;
    Ok(())
}
