//! Running a transaction again when others were in the way.

use std::ops::AsyncFnOnce;
use std::time::{Duration, Instant};

use super::closure::{self, Failure, InTransaction};
use super::{Ommi, Transaction};
use crate::driver::{Begin, TransactionOptions};
use crate::error::DBError;

/// How often a transaction is tried, and how long is waited in between.
///
/// Before attempt n + 1 a time is waited that is chosen at random between nothing and `delay · 2ⁿ⁻¹`, at most `max_delay` ("full
/// jitter": those who were in each other's way come back at different times).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    attempts: u32,
    delay: Duration,
    max_delay: Duration,
    within: Duration,
}

impl Default for Retry {
    /// Ten attempts, waits of up to 10 ms that grow to 1 s, all within 30 s.
    fn default() -> Retry {
        Retry {
            attempts: 10,
            delay: Duration::from_millis(10),
            max_delay: Duration::from_secs(1),
            within: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// At most so many attempts, the first included. None is taken for one.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Retry {
        self.attempts = attempts.max(1);
        self
    }

    /// The longest wait before the second attempt. It doubles with each further one.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Retry {
        self.delay = delay;
        self
    }

    /// The longest wait of all.
    #[must_use]
    pub fn max_delay(mut self, max_delay: Duration) -> Retry {
        self.max_delay = max_delay;
        self
    }

    /// No attempt begins later than this after the first. One that is under way is not interrupted; `timeout` on the transaction does that.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Retry {
        self.within = within;
        self
    }

    /// The longest wait after so many attempts.
    fn longest_wait(&self, attempts: u32) -> Duration {
        let doublings = 1u32.checked_shl(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        self.delay.saturating_mul(doublings).min(self.max_delay)
    }

    /// The wait after so many attempts: another one each time.
    fn wait(&self, attempts: u32) -> Duration {
        self.longest_wait(attempts).mul_f64(fastrand::f64())
    }
}

/// Transactions that are run again: what [`Ommi::retry`] gives.
#[derive(Debug, Clone, Copy)]
#[must_use = "nothing begins before `transaction`"]
pub struct Retrying<'h> {
    db: &'h Ommi,
    options: TransactionOptions,
    policy: Retry,
}

impl<'h> Retrying<'h> {
    pub(super) fn new(db: &'h Ommi, options: TransactionOptions, policy: Retry) -> Retrying<'h> {
        Retrying { db, options, policy }
    }

    /// Runs a closure in a transaction, and a clone of it again in a new one when the database said that it may succeed then
    /// ([`is_retryable`](DBError::is_retryable)): after a serialization failure, a deadlock, a lock that was not free in time, a lost connection.
    /// It goes by what the statements in the transaction and its ends gave, whatever the closure made of it.
    ///
    /// Nothing else is run again, in particular no commit whose [outcome is unknown](DBError::is_outcome_unknown).
    ///
    /// # Errors
    /// Of the last attempt: the closure's own, or what beginning and committing give, through `From`.
    #[track_caller]
    pub fn transaction<T, E, F>(self, work: F) -> InTransaction<impl Future<Output = Result<T, E>> + use<'h, T, E, F>>
    where
        F: AsyncFnOnce(&mut Transaction<'_>) -> Result<T, E> + Clone,
        E: From<DBError>,
    {
        let begin = Begin::new(self.options);
        let (db, policy) = (self.db, self.policy);
        InTransaction::new(move |limit| async move {
            let started = Instant::now();
            let mut attempt = 1;
            loop {
                let Failure { error, reason } = match closure::run(db, begin, attempt, work.clone(), &limit).await {
                    Ok(value) => return Ok(value),
                    Err(failure) => failure,
                };
                let again = reason.filter(|reason| reason.is_retryable() && attempt < policy.attempts);
                let wait = policy.wait(attempt);
                let Some(reason) = again.filter(|_| started.elapsed().saturating_add(wait) <= policy.within) else {
                    return Err(error);
                };
                tracing::debug!(target: "ommi", error = %reason, attempt, "a transaction is run again");
                tokio::time::sleep(wait).await;
                attempt += 1;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let retry = Retry::default().delay(Duration::from_millis(10)).max_delay(Duration::from_millis(35));
        let waits: Vec<u128> = (1..=4).map(|attempt| retry.longest_wait(attempt).as_millis()).collect();
        assert_eq!(waits, [10, 20, 35, 35]);
        assert_eq!(retry.longest_wait(u32::MAX), Duration::from_millis(35));
        let longest = Retry::default().delay(Duration::MAX).max_delay(Duration::MAX);
        assert_eq!(longest.longest_wait(9), Duration::MAX);
        assert!(longest.wait(9) > Duration::ZERO);
    }

    #[test]
    fn waits_are_chosen_at_random_up_to_the_longest() {
        let retry = Retry::default().delay(Duration::from_secs(1)).max_delay(Duration::from_secs(4));
        for attempt in 1..=4 {
            let longest = retry.longest_wait(attempt);
            let waits: Vec<Duration> = (0..200).map(|_| retry.wait(attempt)).collect();
            assert!(waits.iter().all(|wait| *wait <= longest), "{waits:?}");
            // A quarter of them is in each quarter. That none of 200 is, comes once in 10²⁴ runs.
            for quarter in 0..4 {
                let bounds = longest * quarter / 4..longest * (quarter + 1) / 4;
                assert!(waits.iter().any(|wait| bounds.contains(wait)), "none in {bounds:?}");
            }
            let mut different = waits.clone();
            different.sort_unstable();
            different.dedup();
            assert!(different.len() > 190, "{} different waits", different.len());
        }
        assert_eq!(Retry::default().delay(Duration::ZERO).wait(1), Duration::ZERO);
    }
}
