//! Rows one after the other.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, FusedStream, Stream, StreamExt};
use tracing::Instrument;

use crate::ast::Select;
use crate::driver::{Context, RowSink, RowStream};
use crate::error::{DBError, DBResult, ErrorKind};
use crate::handle::{self, At};
use crate::model::Model;
use crate::pending::Options;
use crate::relation::{Batched, Included, load_all};

/// A stream of rows in bounded memory: they are read and decoded some hundreds at a time.
///
/// It is a [`Stream`] of `DBResult<M>`, and [`try_next`](Rows::try_next) reads it without any other crate. Dropping it ends the read.
/// After an error it ends.
#[must_use = "a stream does nothing until it is read"]
pub struct Rows<'h, M> {
    source: Source<'h, M>,
    ready: std::vec::IntoIter<M>,
}

enum Source<'h, M> {
    Waiting(Box<Start<'h>>, Includes<'h, M>),
    Running(BoxStream<'h, DBResult<Vec<M>>>),
    Ended,
}

struct Start<'h> {
    at: At<'h>,
    select: DBResult<Select>,
    batch: usize,
    timeout: Option<Duration>,
}

/// The relations to load for each piece, and where.
struct Includes<'h, M> {
    at: At<'h>,
    includes: Vec<Included<M>>,
}

impl<'h, M: Model> Rows<'h, M> {
    pub(super) fn new(at: At<'h>, select: DBResult<Select>, batch: usize, includes: Vec<Included<M>>) -> Rows<'h, M> {
        let start = Start { at, select, batch, timeout: None };
        Rows { source: Source::Waiting(Box::new(start), Includes { at, includes }), ready: Vec::new().into_iter() }
    }

    /// Ends the whole read after this time, counted from the first row asked for, with a `Timeout` error.
    pub fn timeout(mut self, timeout: Duration) -> Rows<'h, M> {
        if let Source::Waiting(start, _) = &mut self.source {
            start.timeout = Some(timeout);
        }
        self
    }

    /// The next row, or `None` at the end.
    ///
    /// # Errors
    /// What the database reports; the stream has ended then.
    pub async fn try_next(&mut self) -> DBResult<Option<M>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await.transpose()
    }
}

/// Where the stream of pieces stands between two of them.
enum State<'h> {
    Closed(Box<Start<'h>>),
    /// With the circumstances of the whole read, which hold for the relations of its pieces too.
    Open(Box<dyn RowStream + 'h>, Context),
    Ended,
}

/// A stream of pieces, each read in the span of the operation.
fn pieces<'h, M: Model>(start: Box<Start<'h>>, includes: Includes<'h, M>) -> BoxStream<'h, DBResult<Vec<M>>> {
    let span = handle::span("stream", start.select.as_ref().map_or("", |select| &select.model.name));
    let started = Instant::now();
    let includes = Arc::new(includes);
    futures::stream::unfold((State::Closed(start), 0), move |(state, rows)| {
        let (span, includes) = (span.clone(), includes.clone());
        async move {
            let (piece, state) = next(state, &includes).instrument(span.clone()).await?;
            let rows = rows + piece.as_ref().map_or(0, |piece: &Vec<M>| piece.len() as u64);
            handle::record(&span, started, piece.as_ref().map(|_| rows));
            Some((piece, (state, rows)))
        }
    })
    .boxed()
}

/// The next piece, and where the stream stands then.
async fn next<'h, M: Model>(state: State<'h>, includes: &Includes<'h, M>) -> Option<(DBResult<Vec<M>>, State<'h>)> {
    let (mut rows, context) = match state {
        State::Closed(start) => {
            let Start { at, select, batch, timeout } = *start;
            let context = Context { batch, ..at.context(Options { timeout }) };
            let opened = match select {
                Ok(_) if at.ending.is_some() && !includes.includes.is_empty() => Err(no_includes()),
                Ok(select) => at.executor.stream(select, Box::new(Batched::<M>::new()), context.clone()).await,
                Err(error) => Err(error),
            };
            match opened {
                Ok(rows) => (rows, context),
                Err(error) => return Some((Err(error), State::Ended)),
            }
        }
        State::Open(rows, context) => (rows, context),
        State::Ended => return None,
    };
    match rows.next().await {
        Ok(Some(piece)) => match downcast::<M>(piece) {
            Some(piece) => {
                let loaded = async {
                    let (piece, batch) = piece.finish()?;
                    if let Some(batch) = batch {
                        load_all(&includes.includes, includes.at, &batch, &context).await?;
                    }
                    Ok(piece)
                };
                match loaded.await {
                    Ok(piece) => Some((Ok(piece), State::Open(rows, context))),
                    Err(error) => Some((Err(error), State::Ended)),
                }
            }
            None => Some((Err(foreign_sink()), State::Ended)),
        },
        Ok(None) => None,
        Err(error) => Some((Err(error), State::Ended)),
    }
}

/// A stream holds its transaction until it has ended, and relations are statements of their own.
fn no_includes() -> DBError {
    DBError::query(
        "a stream in a transaction cannot load relations on its way: collect it with `all`, or read it outside of the transaction",
    )
}

fn downcast<M: Model>(piece: Box<dyn RowSink>) -> Option<Box<Batched<M>>> {
    piece.into_any().downcast().ok()
}

fn foreign_sink() -> DBError {
    DBError::new(ErrorKind::Database).with_detail("the driver gave a sink that is no fork of the one it was given")
}

impl<M> Unpin for Rows<'_, M> {}

impl<M: Model> Stream for Rows<'_, M> {
    type Item = DBResult<M>;

    fn poll_next(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<DBResult<M>>> {
        let this = self.get_mut();
        loop {
            if let Some(row) = this.ready.next() {
                return Poll::Ready(Some(Ok(row)));
            }
            match &mut this.source {
                Source::Waiting(..) => {
                    if let Source::Waiting(start, includes) = std::mem::replace(&mut this.source, Source::Ended) {
                        this.source = Source::Running(pieces(start, includes));
                    }
                }
                Source::Running(pieces) => match ready!(pieces.as_mut().poll_next(context)) {
                    Some(Ok(piece)) => this.ready = piece.into_iter(),
                    Some(Err(error)) => {
                        this.source = Source::Ended;
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => this.source = Source::Ended,
                },
                Source::Ended => return Poll::Ready(None),
            }
        }
    }
}

impl<M: Model> FusedStream for Rows<'_, M> {
    fn is_terminated(&self) -> bool {
        matches!(self.source, Source::Ended) && self.ready.as_slice().is_empty()
    }
}

impl<M> fmt::Debug for Rows<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rows")
    }
}
