//! An operation that has not run yet.
//!
//! Every verb that reaches the database gives a [`Pending`]: one type, without a box. Nothing runs until it is awaited, so the
//! verbs of a result work before the await as well, and a time limit can still be set.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, FusedFuture, FutureExt};
use pin_project::pin_project;

use crate::error::{DBError, DBResult, DBResultExt};

/// What is set on an operation before it starts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub(crate) timeout: Option<Duration>,
}

/// What an operation does when it is started.
pub trait Operation {
    /// What the operation gives.
    type Output;
    /// The running operation.
    type Future: Future<Output = Self::Output>;

    /// Starts it, once. Gives what it comes to if it is over with that, else leaves what is to go on.
    // Started where it lies: what it takes would be moved from place to place otherwise, most of it in larger parts than it was just written in, which a processor
    // waits for.
    fn start(&mut self, options: Options, later: &mut Option<Self::Future>) -> Poll<Self::Output>;
}

/// An operation that is a future from its start on.
#[doc(hidden)]
pub struct Later<F>(Option<F>);

impl<F, R> Operation for Later<F>
where
    F: FnOnce(Options) -> R,
    R: Future,
{
    type Output = R::Output;
    type Future = R;

    #[inline]
    fn start(&mut self, options: Options, later: &mut Option<R>) -> Poll<R::Output> {
        *later = self.0.take().map(|operation| operation(options));
        Poll::Pending
    }
}

/// An operation that may be over as soon as it is started: what it takes, and a function that does as [`Operation::start`] with that.
#[doc(hidden)]
pub struct AtOnce<T, F, R> {
    taken: Option<T>,
    run: F,
    future: PhantomData<fn() -> R>,
}

impl<T, F, R> Operation for AtOnce<T, F, R>
where
    F: Fn(&mut Option<T>, Options, &mut Option<R>) -> Poll<R::Output>,
    R: Future,
{
    type Output = R::Output;
    type Future = R;

    #[inline]
    fn start(&mut self, options: Options, later: &mut Option<R>) -> Poll<R::Output> {
        (self.run)(&mut self.taken, options, later)
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
    Waiting(O),
    /// Without one it is over.
    Running(#[pin] Option<O::Future>),
}

impl<F, R> Pending<Later<F>>
where
    F: FnOnce(Options) -> R,
    R: Future,
{
    pub(crate) fn new(operation: F) -> Pending<Later<F>> {
        Pending { options: Options::default(), state: State::Waiting(Later(Some(operation))) }
    }
}

impl<T, F, R> Pending<AtOnce<T, F, R>>
where
    F: Fn(&mut Option<T>, Options, &mut Option<R>) -> Poll<R::Output>,
    R: Future,
{
    /// One that may be over as soon as it is started, of what it takes.
    #[inline]
    pub(crate) fn at_once(taken: T, run: F) -> Pending<AtOnce<T, F, R>> {
        let operation = AtOnce { taken: Some(taken), run, future: PhantomData };
        Pending { options: Options::default(), state: State::Waiting(operation) }
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
        let mut output;
        match this.state.as_mut().project() {
            StateProjection::Running(_) => output = Poll::Pending,
            StateProjection::Waiting(operation) => {
                let mut later = None;
                output = operation.start(*this.options, &mut later);
                // Apart, so that no room for a future is moved where there is none.
                match later {
                    None => this.state.set(State::Running(None)),
                    later => this.state.set(State::Running(later)),
                }
            }
        }
        if output.is_pending()
            && let StateProjection::Running(mut place) = this.state.project()
            && let Some(future) = place.as_mut().as_pin_mut()
        {
            output = future.poll(context);
            if output.is_ready() {
                place.set(None);
            }
        }
        output
    }
}

impl<O: Operation> FusedFuture for Pending<O> {
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Running(None))
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

    #[tokio::test]
    async fn what_is_over_at_once_takes_no_future_and_the_rest_goes_on_in_its_place() {
        let later = AtomicU32::new(0);
        let half = |number: u32| {
            let later = &later;
            Pending::at_once(number, move |number: &mut Option<u32>, options: Options, place: &mut Option<_>| {
                let Some(number) = number.take() else { return Poll::Pending };
                if number.is_multiple_of(2) {
                    return Poll::Ready(Ok::<_, DBError>((number / 2, options.timeout)));
                }
                *place = Some(async move {
                    tokio::task::yield_now().await;
                    later.fetch_add(1, Ordering::Relaxed);
                    Err(DBError::query("an odd number"))
                });
                Poll::Pending
            })
        };
        let second = Duration::from_secs(1);
        assert_eq!(half(8).timeout(second).await.unwrap(), (4, Some(second)));
        assert_eq!(half(8).or_use((0, None)).await, (4, None));
        assert_eq!(later.load(Ordering::Relaxed), 0);
        assert!(half(7).await.is_err());
        assert_eq!(half(7).or_use((0, None)).await, (0, None));
        assert_eq!(later.load(Ordering::Relaxed), 2);
        for number in [7, 8] {
            let mut operation = std::pin::pin!(half(number));
            assert!(!operation.is_terminated());
            let _ = operation.as_mut().await;
            assert!(operation.is_terminated());
            assert!(futures::poll!(operation.as_mut()).is_pending());
        }
    }

    #[test]
    fn an_operation_is_send_and_can_be_named_when_boxed() {
        fn send<T: Send>(value: T) -> T {
            value
        }
        let _named: BoxFuture<'static, DBResult<Option<u32>>> = send(fails(ErrorKind::Connection).optional()).boxed();
    }
}
