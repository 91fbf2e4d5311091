//! What a driver's author gives to each test.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use ommi::Ommi;

use crate::BEHAVIOURS;

/// How long closing a database may take.
const CLOSING: Duration = Duration::from_secs(30);

/// How long cleaning up may take. A server that hangs would keep the whole run, and nobody would hear which test met it.
const CLEANING: Duration = Duration::from_secs(180);

/// An empty database for one test.
pub struct Database {
    pub(crate) ommi: Ommi,
    pub(crate) one_connection: bool,
    excused: Vec<(&'static str, &'static str)>,
    afterwards: Option<BoxFuture<'static, ()>>,
}

impl Database {
    /// An empty database.
    pub fn new(ommi: Ommi) -> Database {
        Database { ommi, one_connection: false, excused: Vec::new(), afterwards: None }
    }

    /// Says that there is only one connection: who wants to read while a transaction is open waits for its end.
    #[must_use]
    pub fn one_connection(mut self) -> Database {
        self.one_connection = true;
        self
    }

    /// Leaves a behaviour out because the *server* of this run is not the one that the driver is written for, and differs there. The name is
    /// `topic::name`; the reason is printed. What a driver cannot do is said by its capabilities, not here.
    #[must_use]
    pub fn excuse(mut self, behaviour: &'static str, reason: &'static str) -> Database {
        self.excused.push((behaviour, reason));
        self
    }

    /// Why a behaviour is left out, if it is.
    pub(crate) fn excuse_for(&self, topic: &str, name: &str) -> Option<&'static str> {
        let is_meant = |behaviour: &str| behaviour.split_once("::") == Some((topic, name));
        self.excused.iter().find(|(behaviour, _)| is_meant(behaviour)).map(|(_, reason)| *reason)
    }

    /// Panics where an excuse names no behaviour.
    pub(crate) fn check_excuses(&self) {
        for (named, _) in &self.excused {
            let found = BEHAVIOURS.iter().any(|b| named.split_once("::") == Some((b.topic, b.name)));
            assert!(found, "there is no behaviour {named}");
        }
    }

    /// Does this after the test, once the database is closed, also when the test failed: drop the database, remove its
    /// folder. A test of what was forgotten leaves connections in use, and locks on the server with them: whoever cleans up there ends them.
    /// It has three minutes; what takes longer fails the test.
    #[must_use]
    pub fn afterwards(mut self, work: impl Future<Output = ()> + Send + 'static) -> Database {
        self.afterwards = Some(Box::pin(work));
        self
    }

    /// Cleans up, without closing the database first.
    pub(crate) async fn leave(self) {
        drop(self.ommi);
        clean_up(self.afterwards).await;
    }

    /// Closes the database and cleans up.
    pub(crate) async fn end(self) {
        let closed = tokio::time::timeout(CLOSING, self.ommi.close()).await;
        clean_up(self.afterwards).await;
        assert!(closed.is_ok(), "closing the database did not end within {CLOSING:?}");
    }
}

async fn clean_up(afterwards: Option<BoxFuture<'static, ()>>) {
    if let Some(work) = afterwards {
        let cleaned = tokio::time::timeout(CLEANING, work).await;
        assert!(cleaned.is_ok(), "cleaning up did not end within {CLEANING:?}");
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("ommi", &self.ommi)
            .field("one_connection", &self.one_connection)
            .finish_non_exhaustive()
    }
}
