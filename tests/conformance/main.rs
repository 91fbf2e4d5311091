//! The conformance suite on every driver of this workspace, in each way that a database is opened.

mod dropped_connects;
mod faults;
mod forked_rows;
mod futures_of_transactions;
mod killed_client;
mod mongo;
mod mongo_keys;
mod mongo_on_delete;
mod mongo_rollbacks;
mod object_ids;
#[path = "../own_server.rs"]
mod own_server;
mod postgres;
mod property_failures;
mod sqlite_explain;
mod sqlite_locked;
mod sqlite_refused;
mod sqlite_shutdown;
mod support;

/// One connection, and no disk.
mod sqlite_memory {
    use ommi::prelude::*;
    use ommi_conformance::Database;

    async fn empty() -> DBResult<Database> {
        Ok(Database::new(Ommi::connect("sqlite::memory:").await?).one_connection())
    }

    ommi_conformance::suite!(empty);
}

/// One connection that writes, several that read.
mod sqlite_file {
    use ommi::prelude::*;
    use ommi::sqlite::{Mode, SqliteOptions};
    use ommi_conformance::Database;

    async fn empty() -> DBResult<Database> {
        let folder = tempfile::tempdir().map_err(|error| DBError::new(ErrorKind::Database).with_source(error))?;
        let options = SqliteOptions::file(folder.path().join("test.db")).mode(Mode::ReadWriteCreate);
        let driver = options.connect().await?;
        Ok(Database::new(Ommi::new(driver)).afterwards(async move { drop(folder) }))
    }

    ommi_conformance::suite!(empty);
}
