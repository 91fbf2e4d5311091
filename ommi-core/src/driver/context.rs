//! What an operation carries to the driver besides its statement.

use std::future::Future;
use std::time::{Duration, Instant};

use super::Inside;
use crate::error::{DBError, DBResult};

/// The circumstances of one operation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Context {
    /// When the operation must have ended, and the time that was given to it.
    pub limit: Option<(Instant, Duration)>,
    /// How many rows a piece of a stream holds.
    pub batch: usize,
    /// How many transactions it stands in beside the outermost: see [`DriverTransaction`](super::DriverTransaction).
    pub level: u32,
    /// The transactions in whose closures it is awaited, though it is not theirs. To wait for what one of them holds is to wait for ever.
    pub inside: Inside,
}

impl Context {
    /// No limit of time.
    pub const fn new() -> Context {
        Context { limit: None, batch: Context::DEFAULT_BATCH, level: 0, inside: Inside { writes: false, reads: false } }
    }

    /// The rows in a piece of a stream, unless said otherwise.
    pub const DEFAULT_BATCH: usize = 256;

    /// Ends the operation so long from now. A time too far away to be counted is no limit.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Option<Duration>) -> Context {
        self.limit = timeout.and_then(|timeout| Some((Instant::now().checked_add(timeout)?, timeout)));
        self
    }

    /// Ends the operation no later than this, whatever else was said.
    #[must_use]
    pub(crate) fn within(mut self, limit: Option<(Instant, Duration)>) -> Context {
        self.limit = match (self.limit, limit) {
            (Some(own), Some(outer)) => Some(if outer.0 < own.0 { outer } else { own }),
            (own, outer) => own.or(outer),
        };
        self
    }

    /// When the operation must have ended.
    pub fn deadline(&self) -> Option<Instant> {
        self.limit.map(|(deadline, _)| deadline)
    }

    /// Whether there is time left, for drivers that look at it now and then while they work.
    ///
    /// # Errors
    /// `Timeout`, with the time that was given, when it has passed.
    pub fn check_time(&self) -> DBResult<()> {
        match self.limit {
            Some((deadline, given)) if Instant::now() >= deadline => Err(DBError::timeout(given)),
            _ => Ok(()),
        }
    }

    /// Waits for somebody else, and no longer than the operation may take.
    pub(crate) async fn wait<T>(&self, wait: impl Future<Output = T>) -> DBResult<T> {
        let Some((deadline, given)) = self.limit else { return Ok(wait.await) };
        tokio::time::timeout_at(deadline.into(), wait).await.map_err(|_| DBError::timeout(given))
    }
}

impl Default for Context {
    fn default() -> Context {
        Context::new()
    }
}
