//! Encrypted connections, and those that should have been.

use ommi::postgres::{PostgresOptions, SslMode};
use ommi::prelude::*;

use crate::own_server::OwnServer;
use crate::support;

async fn connected(options: PostgresOptions) -> DBResult<Ommi> {
    options.connect().await.map(Ommi::new)
}

/// A failure to connect that trying again does not mend.
fn refused(result: DBResult<Ommi>) -> DBError {
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Connection) && !error.is_retryable(), "{error:?}");
    error
}

/// The server of the tests has no certificate.
#[tokio::test]
async fn encryption_that_the_server_does_not_have_is_a_connection_error() {
    for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
        let error = refused(connected(support::options().sslmode(mode)).await);
        assert!(error.to_string().contains("TLS"), "{error}");
    }
}

#[tokio::test]
async fn the_server_is_known_by_its_certificate() {
    let server = OwnServer::encrypted();
    let options = || PostgresOptions::parse(&server.url).unwrap();
    let secret = connected(options()).await.unwrap();
    secret.close().await;
    // The server takes no plain connection.
    let plain = connected(options().sslmode(SslMode::Disable)).await.unwrap_err();
    assert!(matches!(plain.kind(), ErrorKind::Connection), "{plain:?}");
    // Nobody whom this machine trusts has signed its certificate.
    for mode in [SslMode::VerifyCa, SslMode::VerifyFull] {
        refused(connected(options().sslmode(mode)).await);
    }
    for mode in ["verify-ca", "verify-full"] {
        let base = server.url.split_once('?').unwrap().0;
        let url = format!("{base}?sslmode={mode}&sslrootcert={}", server.authority);
        let driver = PostgresOptions::parse(&url).unwrap().connect().await.unwrap();
        let used: bool = ommi::postgres::sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            .fetch_one(driver.pool())
            .await
            .unwrap();
        assert!(used);
    }
    // It is signed for 127.0.0.1, and not for this name of the same address.
    let other = options().host("localhost").sslrootcert(&server.authority);
    refused(connected(other.clone().sslmode(SslMode::VerifyFull)).await);
    connected(other.sslmode(SslMode::VerifyCa)).await.unwrap();
    // A file that is not there.
    let missing = connected(options().sslmode(SslMode::VerifyFull).sslrootcert("/there/is/no/such.crt")).await;
    let kind = missing.unwrap_err().kind().clone();
    assert!(
        matches!(&kind, ErrorKind::Configuration { option: Some(option), .. } if option == "sslrootcert"),
        "{kind:?}"
    );
}
