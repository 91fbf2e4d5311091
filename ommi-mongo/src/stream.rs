//! Results that are read piece by piece: a piece is a batch of the server's.

use ommi_core::ast::Select;
use ommi_core::driver::{Answer, Context, RowSink, RowStream};
use ommi_core::schema::SchemaRef;
use ommi_core::{DBError, DBResult};

use crate::error::Failure;
use crate::row::MongoRow;
use crate::run::{Batches, Place, given, within};
use crate::work::no_document;

/// A result under way. Dropping its cursor ends it on the server too.
pub(crate) struct Pieces {
    model: SchemaRef,
    /// None: the answer is known to be empty, or all of it was read.
    batches: Option<Batches>,
    sink: Box<dyn RowSink>,
    context: Context,
    /// What went wrong after rows that can still be given.
    pending: Option<DBError>,
}

impl Pieces {
    pub(crate) fn new(select: Select, batches: Option<Batches>, sink: Box<dyn RowSink>, context: Context) -> Pieces {
        Pieces { model: select.model, batches, sink, context, pending: None }
    }

    /// The next piece.
    pub(crate) async fn next(&mut self, mut place: Place<'_>) -> DBResult<Option<Box<dyn RowSink>>> {
        if let Some(error) = self.pending.take() {
            self.batches = None;
            return Err(error);
        }
        loop {
            let Some(batches) = &mut self.batches else { return Ok(None) };
            let next = async {
                let batch = batches.next(&mut place).await;
                batch.map_err(|failure: Failure| failure.on_model(&self.model, given(&self.context)))
            };
            let Some(batch) = within(&self.context, next).await? else {
                self.batches = None;
                return Ok(None);
            };
            let mut piece = self.sink.fork();
            let documents = batch.doc_slices().map_err(|error| Failure::from(error).general(None))?;
            for document in documents {
                let document = document.ok().and_then(|value| value.as_document()).ok_or_else(no_document);
                let taken = document.and_then(|document| piece.row(&mut MongoRow::new(&self.model, document)));
                if let Err(error) = taken {
                    if piece.is_empty() {
                        self.batches = None;
                        return Err(error);
                    }
                    // The rows before it still come.
                    self.pending = Some(error);
                    break;
                }
            }
            // The last batch may be empty.
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }
}

/// A stream outside a transaction.
pub(crate) struct MongoStream(pub(crate) Pieces);

impl RowStream for MongoStream {
    fn next<'a>(&'a mut self) -> Answer<'a, Option<Box<dyn RowSink>>> {
        Answer::later(self.0.next(Place::Alone))
    }
}
