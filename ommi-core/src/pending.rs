//! An operation that has not run yet.
//!
//! Every verb that reaches the database gives a [`Pending`]: one type, without a box. Nothing runs until it is awaited, so the
//! verbs of a result work before the await as well, and a time limit can still be set.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::{BoxFuture, FusedFuture, FutureExt};
use pin_project::pin_project;

use crate::error::{DBError, DBResult, DBResultExt};

/// What is set on an operation before it starts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub(crate) timeout: Option<Duration>,
}

/// Starts an operation. Implemented by functions from [`Options`] to a future.
pub trait Operation {
    /// What the operation gives.
    type Output;
    /// The running operation.
    type Future: Future<Output = Self::Output>;

    /// Starts it.
    fn start(self, options: Options) -> Self::Future;
}

impl<F, R> Operation for F
where
    F: FnOnce(Options) -> R,
    R: Future,
{
    type Output = R::Output;
    type Future = R;

    fn start(self, options: Options) -> R {
        self(options)
    }
}

/// An operation on the database that runs when it is awaited.
///
/// ```text
/// let user = db.get::<User>(7).await?;
/// let user = db.get::<User>(7).optional().await?;
/// let user = db.get::<User>(7).timeout(Duration::from_millis(50)).or_use(guest).await;
/// ```
#[pin_project]
#[must_use = "an operation does nothing unless it is awaited"]
pub struct Pending<O: Operation> {
    options: Options,
    #[pin]
    state: State<O>,
}

#[pin_project(project = StateProjection)]
enum State<O: Operation> {
    Waiting(Option<O>),
    Running(#[pin] O::Future),
    Done,
}

impl<F, R> Pending<F>
where
    F: FnOnce(Options) -> R,
    R: Future,
{
    pub(crate) fn new(operation: F) -> Pending<F> {
        Pending { options: Options::default(), state: State::Waiting(Some(operation)) }
    }
}

impl<O: Operation> Pending<O> {
    /// Ends the operation after this time with a `Timeout` error. The database is told to stop too.
    pub fn timeout(mut self, timeout: Duration) -> Pending<O> {
        self.options.timeout = Some(timeout);
        self
    }

    fn inherit(mut self, options: Options) -> Pending<O> {
        self.options.timeout = self.options.timeout.or(options.timeout);
        self
    }

    /// The operation as a boxed future, which has a type that can be named.
    pub fn boxed<'a>(self) -> BoxFuture<'a, O::Output>
    where
        O: Send + 'a,
        O::Future: Send,
    {
        FutureExt::boxed(self)
    }
}

impl<T, O> Pending<O>
where
    O: Operation<Output = DBResult<T>, Future: Send> + Send,
    T: Send,
{
    /// Gives an error of your own, through `From`.
    pub fn or_raise<E: From<DBError>>(self) -> Pending<impl Operation<Output = Result<T, E>, Future: Send> + Send> {
        Pending::new(move |options| async move { self.inherit(options).await.or_raise() })
    }

    /// Gives `fallback` on **any** failure, a lost connection included, which is logged at warn level.
    pub fn or_use(self, fallback: T) -> Pending<impl Operation<Output = T, Future: Send> + Send> {
        Pending::new(move |options| async move { self.inherit(options).await.or_use(fallback) })
    }

    /// As [`or_use`](Pending::or_use), with a fallback made from the error.
    pub fn or_use_with<F>(self, fallback: F) -> Pending<impl Operation<Output = T, Future: Send> + Send>
    where
        F: FnOnce(DBError) -> T + Send,
    {
        Pending::new(move |options| async move { self.inherit(options).await.or_use_with(fallback) })
    }

    /// Gives `None` when there is no row; every other failure stays one.
    pub fn optional(self) -> Pending<impl Operation<Output = DBResult<Option<T>>, Future: Send> + Send> {
        Pending::new(move |options| async move { self.inherit(options).await.optional() })
    }
}

impl<O: Operation> Future for Pending<O> {
    type Output = O::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<O::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Waiting(operation) => match operation.take() {
                    Some(operation) => {
                        let future = operation.start(*this.options);
                        this.state.set(State::Running(future));
                    }
                    // Starting it panicked before; there is nothing left to run.
                    None => return Poll::Pending,
                },
                StateProjection::Running(future) => {
                    let output = ready!(future.poll(context));
                    this.state.set(State::Done);
                    return Poll::Ready(output);
                }
                StateProjection::Done => return Poll::Pending,
            }
        }
    }
}

impl<O: Operation> FusedFuture for Pending<O> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

impl<O: Operation> fmt::Debug for Pending<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::ErrorKind;

    fn fails(kind: ErrorKind) -> Pending<impl Operation<Output = DBResult<u32>, Future: Send> + Send> {
        Pending::new(move |_| async move { Err(DBError::new(kind)) })
    }

    #[tokio::test]
    async fn nothing_runs_until_it_is_awaited() {
        let runs = AtomicU32::new(0);
        let operation = Pending::new(|_| async {
            runs.fetch_add(1, Ordering::Relaxed);
            Ok::<_, DBError>(7)
        });
        assert_eq!(runs.load(Ordering::Relaxed), 0);
        assert_eq!(operation.or_use(0).await, 7);
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn the_verbs_work_before_the_await_and_after_it() {
        #[derive(Debug)]
        struct Own(DBError);
        impl From<DBError> for Own {
            fn from(error: DBError) -> Own {
                Own(error)
            }
        }
        assert_eq!(fails(ErrorKind::Connection).or_use(3).await, 3);
        assert_eq!(fails(ErrorKind::Connection).await.or_use(3), 3);
        assert_eq!(fails(ErrorKind::Conflict).or_use_with(|error| u32::from(error.is_retryable())).await, 1);
        let missing = || DBError::not_found("User").kind().clone();
        assert_eq!(fails(missing()).optional().await.unwrap(), None);
        assert_eq!(fails(missing()).await.optional().unwrap(), None);
        assert!(fails(ErrorKind::Connection).optional().await.is_err());
        let Own(error) = fails(ErrorKind::Connection).or_raise::<Own>().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Connection));
    }

    #[tokio::test]
    async fn a_limit_reaches_the_operation_through_every_verb() {
        let limit = || Pending::new(|options: Options| async move { Ok::<_, DBError>(options.timeout) });
        let second = Some(Duration::from_secs(1));
        let minute = Duration::from_secs(60);
        assert_eq!(limit().await.unwrap(), None);
        assert_eq!(limit().timeout(Duration::from_secs(1)).await.unwrap(), second);
        assert_eq!(limit().or_use(None).timeout(Duration::from_secs(1)).await, second);
        assert_eq!(limit().timeout(Duration::from_secs(1)).optional().timeout(minute).await.unwrap(), Some(second));
    }

    #[tokio::test]
    async fn polling_after_the_end_waits_forever_instead_of_panicking() {
        let mut operation = std::pin::pin!(Pending::new(|_| async { 1 }));
        assert!(!operation.is_terminated());
        assert_eq!(operation.as_mut().await, 1);
        assert!(operation.is_terminated());
        assert!(futures::poll!(operation.as_mut()).is_pending());
    }

    #[test]
    fn an_operation_is_send_and_can_be_named_when_boxed() {
        fn send<T: Send>(value: T) -> T {
            value
        }
        let _named: BoxFuture<'static, DBResult<Option<u32>>> = send(fails(ErrorKind::Connection).optional()).boxed();
    }
}
