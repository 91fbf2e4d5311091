//! Results that are read piece by piece.
//!
//! One statement, whose rows are taken from the connection as they are asked for: the server waits while nobody reads. The future that
//! reads is polled by the stream itself, and hands the pieces over through a channel that holds one. A stream that is dropped stops the
//! statement on the server; else the rest of the result would have to be read.

use std::future::Future;
use std::task::{Context as TaskContext, Poll};

use futures::TryStreamExt;
use futures::future::BoxFuture;
use ommi_core::ast::Select;
use ommi_core::driver::{Answer, Context, RowSink, RowStream};
use ommi_core::{DBError, DBResult, ErrorKind};
use sqlx::Executor as _;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::driver::{Inner, PostgresDriver};
use crate::error::{self, Doing};
use crate::lease::{Lease, Work};
use crate::row::Reader;
use crate::run::{Job, Ready, prepare};
use crate::transaction::PostgresTransaction;

type Piece = Box<dyn RowSink>;

/// A result under way.
struct PostgresStream<'a> {
    pieces: Receiver<Piece>,
    state: State<'a>,
}

enum State<'a> {
    Reading(BoxFuture<'a, DBResult<()>>),
    /// How it ended, to be told after the pieces that came before.
    Ended(DBResult<()>),
}

impl RowStream for PostgresStream<'_> {
    fn next<'a>(&'a mut self) -> Answer<'a, Option<Piece>> {
        match self.pieces.try_recv() {
            Ok(piece) => Answer::ready(Ok(Some(piece))),
            Err(_) => Answer::later(std::future::poll_fn(|task| self.poll_piece(task))),
        }
    }
}

impl PostgresStream<'_> {
    fn poll_piece(&mut self, task: &mut TaskContext<'_>) -> Poll<DBResult<Option<Piece>>> {
        if let State::Reading(reading) = &mut self.state
            && let Poll::Ready(result) = reading.as_mut().poll(task)
        {
            // Frees the connection.
            self.state = State::Ended(result);
        }
        match (self.pieces.try_recv(), &mut self.state) {
            (Ok(piece), _) => Poll::Ready(Ok(Some(piece))),
            // It reads on only in here, so nothing comes in between.
            (Err(_), State::Reading(_)) => Poll::Pending,
            (Err(_), State::Ended(result)) => Poll::Ready(std::mem::replace(result, Ok(())).map(|()| None)),
        }
    }
}

/// The reading of a result.
struct Read {
    select: Select,
    sink: Piece,
    context: Context,
    pieces: Sender<Piece>,
}

impl Work<()> for &mut Read {
    async fn run(self, lease: &mut Lease) -> DBResult<()> {
        let Read { select, sink, context, pieces } = self;
        let ready = prepare(&lease.inner, Job::Select(select))?;
        // To be able to stop it.
        if lease.inner.prepared {
            lease.learn_pid().await?;
        } else {
            lease.begin().await?;
        }
        let mut piece = sink.fork();
        let mut result = read(lease, ready, sink, &mut piece, context, pieces).await;
        if let Err(Halt::Stale) = result {
            // Its table was made anew. Nothing was read yet.
            if lease.begun {
                lease.changes_tables();
            } else {
                lease.clear_statements().await?;
                let ready = prepare(&lease.inner, Job::Select(select))?;
                result = read(lease, ready, sink, &mut piece, context, pieces).await;
            }
        }
        let result = result.map_err(|halt| match halt {
            // The failure ended the transaction, or the table was made anew once more.
            Halt::Stale => DBError::new(ErrorKind::Conflict).with_detail("a table was changed meanwhile"),
            Halt::Failed(error) => error,
        });
        if !piece.is_empty() {
            // Whoever takes the pieces is the one that polls this.
            let _ = pieces.send(piece).await;
        }
        result
    }
}

/// Why a read ended early.
enum Halt {
    /// A kept statement does not fit its table any more.
    Stale,
    Failed(DBError),
}

impl From<DBError> for Halt {
    fn from(error: DBError) -> Halt {
        Halt::Failed(error)
    }
}

async fn read(
    lease: &mut Lease,
    ready: Ready<'_>,
    sink: &mut Piece,
    piece: &mut Piece,
    context: &Context,
    pieces: &Sender<Piece>,
) -> Result<(), Halt> {
    let persistent = lease.inner.prepared;
    let columns = ready.compiled.clone();
    let limit = lease.inner.limit(context);
    let failed = |error| error::on_statement(error, Doing::reading(&columns.columns.model, limit));
    let query = ready.query(persistent);
    let mut results = lease.start()?.fetch(query);
    let mut reader = Reader::new();
    loop {
        match results.try_next().await {
            Ok(Some(row)) => reader.take(&row, &columns.columns, &mut **piece)?,
            Ok(None) => break,
            Err(error) => {
                drop(results);
                lease.done(Some(&error));
                return Err(if error::is_stale_plan(&error) { Halt::Stale } else { Halt::Failed(failed(error)) });
            }
        }
        if piece.len() >= context.batch.max(1) {
            let full = std::mem::replace(piece, sink.fork());
            if pieces.send(full).await.is_err() {
                return Ok(());
            }
        }
    }
    drop(results);
    lease.done(None);
    Ok(())
}

/// Begins a stream on a connection of its own.
pub(crate) fn on_driver<'a>(
    driver: &'a PostgresDriver,
    select: Select,
    sink: Piece,
    context: Context,
) -> DBResult<Box<dyn RowStream + 'a>> {
    open(&driver.inner, select, sink, context, |mut read| async move {
        let context = read.context.clone();
        let mut lease = Lease::acquire(&driver.inner, &context).await?;
        lease.within(&context, &mut read).await?;
        lease.commit().await
    })
}

/// Begins a stream in a transaction, whose turn it has until it ends.
pub(crate) fn on_transaction<'a>(
    transaction: &'a PostgresTransaction,
    inner: &Inner,
    select: Select,
    sink: Piece,
    context: Context,
) -> DBResult<Box<dyn RowStream + 'a>> {
    open(inner, select, sink, context, |mut read| async move {
        let context = read.context.clone();
        let mut state = transaction.lock(&context).await?;
        state.run(&context, &mut read).await
    })
}

fn open<'a, F: Future<Output = DBResult<()>> + Send + 'a>(
    inner: &Inner,
    select: Select,
    sink: Piece,
    context: Context,
    start: impl FnOnce(Read) -> F,
) -> DBResult<Box<dyn RowStream + 'a>> {
    // Refused where it is asked for, and noted in the span that is current here.
    prepare(inner, Job::Select(&select))?;
    let (sender, pieces) = mpsc::channel(1);
    let reading = start(Read { select, sink, context, pieces: sender });
    Ok(Box::new(PostgresStream { pieces, state: State::Reading(Box::pin(reading)) }))
}
