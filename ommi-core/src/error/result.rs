//! The verbs of a result. The same verbs exist on an operation that has not run yet
//! ([`Pending`](crate::Pending)), so that both `op.or_use(x).await` and `op.await.or_use(x)` read well.

use super::DBError;

/// What every operation gives: an ordinary `Result`, for `?`, `match` and all combinators of the
/// standard library.
pub type DBResult<T> = Result<T, DBError>;

/// What Ommi adds to a [`DBResult`].
pub trait DBResultExt<T> {
    /// The value, or the error as an `E` of your own.
    ///
    /// # Errors
    /// The same failure, through `E: From<DBError>`.
    fn or_raise<E: From<DBError>>(self) -> Result<T, E>;

    /// The value, or `fallback` on **any** failure, a lost connection included. The failure is
    /// logged at warn level. Use [`optional`](DBResultExt::optional) where only absence is expected.
    fn or_use(self, fallback: T) -> T;

    /// As [`or_use`](DBResultExt::or_use), with a fallback made from the error.
    fn or_use_with(self, fallback: impl FnOnce(DBError) -> T) -> T;

    /// `None` when there was no row. Every other failure stays one.
    ///
    /// # Errors
    /// Every failure but [`ErrorKind::NotFound`](super::ErrorKind::NotFound).
    fn optional(self) -> DBResult<Option<T>>;
}

impl<T> DBResultExt<T> for DBResult<T> {
    fn or_raise<E: From<DBError>>(self) -> Result<T, E> {
        self.map_err(E::from)
    }

    fn or_use(self, fallback: T) -> T {
        self.or_use_with(|_| fallback)
    }

    fn or_use_with(self, fallback: impl FnOnce(DBError) -> T) -> T {
        match self {
            Ok(value) => value,
            Err(error) => {
                tracing::warn!(target: "ommi", %error, "an operation failed and its fallback is used");
                fallback(error)
            }
        }
    }

    fn optional(self) -> DBResult<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
