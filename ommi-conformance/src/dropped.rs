//! Operations that are polled so many times and dropped.

use std::fmt::Debug;
use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use ommi::DBResult;

use crate::run::chain;

/// Polls a future so many times, each time that it asks to be, and drops it. Gives its output if it came to its end.
pub async fn drop_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut done = 0;
    std::future::poll_fn(|context| {
        if done == polls {
            return Poll::Ready(None);
        }
        done += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // It would wake nobody any more.
            Poll::Pending if done == polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// More polls than any of the operations here takes, even on a machine that is busy.
const MOST_POLLS: usize = 3_000;

/// Up to here each number of polls is tried. What takes more repeats itself: the pieces of a large answer, or polls that found nothing new.
/// From there on they are ever fewer, so that it comes to its end in time.
const EACH: usize = 250;

/// The numbers of polls that are tried.
pub(crate) fn polls() -> impl Iterator<Item = usize> {
    let next = |polls: &usize| Some(polls + 1 + polls.saturating_sub(EACH) / 24);
    std::iter::successors(Some(0usize), next).take_while(|polls| *polls < MOST_POLLS)
}

/// An operation under way.
pub(crate) trait Outcome: Future<Output = DBResult<Self::Value>> {
    type Value;
}

impl<T, F: Future<Output = DBResult<T>>> Outcome for F {
    type Value = T;
}

/// Drops an operation after every number of polls, until it comes to its end. After each, what `look` sees is as before or as after; `look` also finds
/// out whether others get their turn.
pub(crate) async fn drop_everywhere<S, L, F, U>(
    look: impl Fn() -> L,
    operation: impl Fn() -> F,
    undo: impl Fn() -> U,
    after: impl Fn(S) -> S,
) -> DBResult<()>
where
    S: Clone + PartialEq + Debug,
    L: Outcome<Value = S>,
    F: Outcome,
    U: Outcome,
{
    let before = look().await?;
    let after = after(before.clone());
    for polls in polls() {
        let dropped = drop_after(polls, operation()).await.transpose();
        let finished = dropped.unwrap_or_else(|error| panic!("with {polls} polls: {}", chain(&error))).is_some();
        if !finished {
            // A write that a server was sent takes place there, wholly, though nobody waits for its answer.
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        let now = look().await?;
        assert!(now == after || (now == before && !finished), "after {polls} polls: {now:?}");
        if finished {
            return Ok(());
        }
        if now != before {
            undo().await.unwrap_or_else(|error| panic!("undoing after {polls} polls: {}", chain(&error)));
            assert_eq!(look().await?, before, "undone after {polls} polls");
        }
    }
    panic!("it has not come to its end after {MOST_POLLS} polls");
}
