//! Results that are read piece by piece.
//!
//! A statement that is being read goes nowhere without its connection, so a blocking thread reads and decodes, and hands the pieces over through a
//! channel that holds few of them: it waits when nobody takes them, and ends when nobody will, or when the runtime shuts down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::{Either, select};
use ommi_core::ast::Select;
use ommi_core::driver::{Answer, Context, RowSink, RowStream};
use ommi_core::{DBError, DBResult, ErrorKind};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Permit, Receiver, Sender, error::TrySendError};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::pool::{Pool, no_runtime};
use crate::row::SqliteRow;
use crate::run::{self, Halt, Rows, Task};
use crate::work::{Hold, Patience, Source, Ticket};

type Piece = Box<dyn RowSink>;

/// How many pieces wait to be taken.
const AHEAD: usize = 2;

/// A result under way. Dropped, it ends the read.
struct SqliteStream {
    pieces: Receiver<DBResult<Piece>>,
    /// Set when the read came to its end. Without it a channel that closes is no end: a field's decoding panicked, or the runtime shut down.
    complete: Arc<AtomicBool>,
    /// Stops also what gives no rows for a long time.
    _ticket: Ticket,
}

impl RowStream for SqliteStream {
    fn next<'a>(&'a mut self) -> Answer<'a, Option<Piece>> {
        match self.pieces.try_recv() {
            Ok(piece) => Answer::ready(piece.map(Some)),
            Err(_) => Answer::later(async {
                match self.pieces.recv().await {
                    Some(piece) => piece.map(Some),
                    None if self.complete.load(Ordering::Acquire) => Ok(None),
                    None => {
                        Err(DBError::new(ErrorKind::Connection).with_detail("the read ended before its result did"))
                    }
                }
            }),
        }
    }
}

/// Begins a stream.
pub(crate) fn start<'a>(
    source: Source<'a>,
    select: Select,
    sink: Piece,
    context: Context,
) -> Answer<'a, Box<dyn RowStream + 'a>> {
    Answer::later(async move {
        let mut hold = source.hold(&context).await?;
        let runtime = Handle::try_current().map_err(no_runtime)?;
        // Refused where it is asked for, and noted in the span that is current here.
        run::prepare(hold.connection()?, &select)?;
        let pool = match &mut hold {
            Hold::Lease(lease) => Some(lease.for_stream()),
            // Nobody else uses the connection of a transaction.
            Hold::Transaction(_) => None,
        };
        let ticket = Ticket::new(hold.connection()?.watch.clone());
        let (sender, pieces) = mpsc::channel(AHEAD);
        let patience = Patience::new(&context, source.busy_timeout());
        let complete = Arc::new(AtomicBool::new(false));
        let outlet = Outlet::new(sender, pool, runtime.clone(), complete.clone());
        // It ends by itself, and nobody waits for it.
        drop(runtime.spawn_blocking(move || read(hold, &select, sink, &context, patience, outlet)));
        Ok(Box::new(SqliteStream { pieces, complete, _ticket: ticket }) as Box<dyn RowStream + 'a>)
    })
}

/// Reads to the end, on a blocking thread.
fn read(mut hold: Hold, select: &Select, sink: Piece, context: &Context, mut patience: Patience, mut outlet: Outlet) {
    let task = Task::here(context).on_thread();
    let batch = context.batch.max(1);
    loop {
        let mut pieces = Pieces { piece: sink.fork(), sink: &*sink, batch, outlet: &mut outlet };
        let result = hold.with(&task, |connection| {
            run::fetch(connection, select, &mut pieces, &task)?;
            Ok(())
        });
        let last = pieces.piece;
        match result {
            Ok(()) if !last.is_empty() => drop(outlet.send(Ok(last))),
            Ok(()) => {}
            // A lock is met before the first row, so the read can begin again.
            Err(Halt::Busy(error)) => match patience.next(*error) {
                Ok(interval) if !outlet.sender.is_closed() => {
                    std::thread::sleep(interval);
                    continue;
                }
                Ok(_) => {}
                Err(error) => drop(outlet.send(Err(error))),
            },
            Err(Halt::Failed(error)) => drop(outlet.send(Err(error))),
            // Only what runs in place is asked to move.
            Err(Halt::Move) => {
                let error = DBError::new(ErrorKind::Database).with_detail("a stream found no place to run");
                let _ = outlet.send(Err(error));
            }
        }
        break;
    }
    // Free for others before the rest is taken.
    drop(hold);
    outlet.finish();
}

/// Cuts rows into pieces.
struct Pieces<'a> {
    piece: Piece,
    sink: &'a dyn RowSink,
    batch: usize,
    outlet: &'a mut Outlet,
}

impl Rows for &mut Pieces<'_> {
    fn row(&mut self, row: &mut SqliteRow<'_, '_>) -> DBResult<bool> {
        self.piece.row(row)?;
        if self.piece.len() < self.batch {
            return Ok(true);
        }
        let full = std::mem::replace(&mut self.piece, self.sink.fork());
        Ok(self.outlet.send(Ok(full)))
    }

    fn clear(&mut self) {
        self.piece.clear();
    }
}

/// The sending side of the channel.
///
/// A stream holds its connection until its last row was taken, and whoever reads it may need another one for every row. Where streams have all
/// connections (a database in memory has but one), each would wait for another to end. So when somebody waits then, one stream after the other reads
/// the rest of its result at once, keeps it here until it is taken, and lets go.
struct Outlet {
    sender: Sender<DBResult<Piece>>,
    pool: Option<Arc<Pool>>,
    runtime: Handle,
    /// Known once something was waited for.
    shutdown: Option<Shutdown>,
    kept: Vec<DBResult<Piece>>,
    /// Nobody will take anything any more, though nobody said so.
    gone: bool,
    complete: Arc<AtomicBool>,
}

/// What comes of waiting for room in the channel.
enum Room<'c> {
    Free(Permit<'c, DBResult<Piece>>),
    /// The stream is to let go of its connection.
    GivesWay,
    /// Nobody will take anything any more.
    Gone,
}

impl Outlet {
    fn new(
        sender: Sender<DBResult<Piece>>,
        pool: Option<Arc<Pool>>,
        runtime: Handle,
        complete: Arc<AtomicBool>,
    ) -> Outlet {
        Outlet { sender, pool, runtime, shutdown: None, kept: Vec::new(), gone: false, complete }
    }

    /// Sends a piece, or keeps it; false when nobody will take it.
    fn send(&mut self, piece: DBResult<Piece>) -> bool {
        if self.gone || self.sender.is_closed() {
            return false;
        }
        if !self.kept.is_empty() {
            self.kept.push(piece);
            return true;
        }
        match self.sender.try_send(piece) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(piece)) => self.wait_and_send(piece, true),
        }
    }

    /// Sends a piece when there is room for it; false when nobody will take it.
    fn wait_and_send(&mut self, piece: DBResult<Piece>, may_give_way: bool) -> bool {
        let shutdown = self.shutdown.get_or_insert_with(|| Shutdown::of(&self.runtime));
        let pool = self.pool.as_ref().filter(|_| may_give_way);
        let crowd = async {
            match pool {
                Some(pool) => pool.give_way().await,
                None => std::future::pending().await,
            }
        };
        let room = self.runtime.block_on(async {
            let (crowd, room) = (std::pin::pin!(crowd), std::pin::pin!(self.sender.reserve()));
            match select(room, select(crowd, &mut shutdown.came)).await {
                Either::Left((Ok(permit), _)) => Room::Free(permit),
                Either::Right((Either::Left(_), _)) => Room::GivesWay,
                Either::Left((Err(_), _)) | Either::Right((Either::Right(_), _)) => Room::Gone,
            }
        });
        match room {
            Room::Free(permit) => permit.send(piece),
            Room::GivesWay => self.kept.push(piece),
            Room::Gone => self.gone = true,
        }
        !self.gone
    }

    /// Sends what was kept.
    fn finish(mut self) {
        for piece in std::mem::take(&mut self.kept) {
            if self.gone || !self.wait_and_send(piece, false) {
                break;
            }
        }
        // What was not sent to its end is no whole result, whoever may still look at it.
        if !self.gone {
            self.complete.store(true, Ordering::Release);
        }
    }
}

/// That the runtime shuts down. It waits for its threads then, and who forgot a stream takes no pieces and does not say so: a thread that waited on
/// would be waited for without end. Tasks go before that, so a task that does nothing tells.
struct Shutdown {
    /// Comes when the task is dropped.
    came: oneshot::Receiver<()>,
    task: AbortHandle,
}

impl Shutdown {
    fn of(runtime: &Handle) -> Shutdown {
        let (held, came) = oneshot::channel();
        let task = runtime.spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        Shutdown { came, task: task.abort_handle() }
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        self.task.abort();
    }
}
