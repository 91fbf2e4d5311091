//! An answer that may be there already.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;

use crate::error::DBResult;

/// What an [`Executor`](super::Executor) gives back: the result itself where it did not have to wait, else a future.
///
/// A driver that runs in place so needs no allocation per statement.
#[must_use = "an answer does nothing unless it is awaited"]
pub enum Answer<'a, T> {
    /// The result. Empty once it has been taken.
    Ready(Option<DBResult<T>>),
    /// The result, later.
    Later(BoxFuture<'a, DBResult<T>>),
}

impl<'a, T> Answer<'a, T> {
    /// A result that is there.
    pub fn ready(result: DBResult<T>) -> Answer<'a, T> {
        Answer::Ready(Some(result))
    }

    /// A result that has to be waited for.
    pub fn later(future: impl Future<Output = DBResult<T>> + Send + 'a) -> Answer<'a, T> {
        Answer::Later(Box::pin(future))
    }
}

/// `Answer` holds its value unpinned and its future boxed, so it may move.
impl<T> Unpin for Answer<'_, T> {}

impl<T> Future for Answer<'_, T> {
    type Output = DBResult<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<DBResult<T>> {
        match self.get_mut() {
            // Polled after its end: it stays pending, as a fused future does.
            Answer::Ready(result) => result.take().map_or(Poll::Pending, Poll::Ready),
            Answer::Later(future) => future.as_mut().poll(context),
        }
    }
}
