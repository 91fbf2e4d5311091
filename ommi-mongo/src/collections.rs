//! What is known of the collections: that they exist, and what their documents hold where a writer does not know a column.
//!
//! A server fills in no defaults. So `create_tables` writes those of a model into the collection `ommi_models`, and whoever writes to the
//! collection by another model, an older one say, gives its documents the defaults of the columns that it does not know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mongodb::bson::{Document, RawDocument, RawDocumentBuf, doc};
use ommi_core::driver::Context;
use ommi_core::schema::ModelSchema;
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::driver::Inner;
use crate::error::{Failure, NoCollection, affected};
use crate::names::ID;
use crate::run::given;

/// The collection of the defaults: a document for each table that has some.
const MODELS: &str = "ommi_models";
const DEFAULTS: &str = "defaults";

/// The collections that are known to exist, each with its defaults.
#[derive(Debug, Default)]
pub(crate) struct Collections(Mutex<HashMap<String, Arc<RawDocumentBuf>>>);

impl Collections {
    fn get(&self, table: &str) -> Option<Arc<RawDocumentBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
    }

    /// Has the collection looked at again before it is used.
    pub(crate) fn forget(&self, table: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(table);
    }

    fn knows(&self, table: &str, defaults: Arc<RawDocumentBuf>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(table.to_owned(), defaults);
    }
}

impl Inner {
    /// Makes sure that statements on a model can run: the driver is open, what dropped transactions held is free, and the collection
    /// exists. A server reads from a collection that does not exist as from an empty one, and makes it when it is written to.
    ///
    /// Gives the defaults of the collection's columns.
    pub(crate) async fn ready(&self, model: &ModelSchema, context: &Context) -> DBResult<Arc<RawDocumentBuf>> {
        self.is_open()?;
        self.rollbacks.settled().await;
        if let Some(defaults) = self.collections.get(&model.table) {
            return Ok(defaults);
        }
        let list = doc! { "listCollections": 1, "nameOnly": true, "filter": { "name": { "$eq": &*model.table } } };
        let reply = self.database.run_command(list).await;
        let reply = reply.map_err(|error| Failure::from(error).general(given(context)))?;
        let found = reply.get_document("cursor").ok().and_then(|cursor| cursor.get_array("firstBatch").ok());
        if found.is_none_or(Vec::is_empty) {
            return Err(DBError::new(ErrorKind::Database).with_source(NoCollection(model.table.to_string())));
        }
        let defaults = RawDocumentBuf::try_from(&self.defaults(&model.table).await?);
        let defaults = Arc::new(defaults.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))?);
        self.collections.knows(&model.table, defaults.clone());
        Ok(defaults)
    }

    /// The defaults of a collection's columns.
    pub(crate) async fn defaults(&self, table: &str) -> DBResult<Document> {
        let find = doc! { "find": MODELS, "filter": { ID: { "$eq": table } }, "limit": 1 };
        let found = self.all_documents(find).await?.into_iter().next();
        Ok(found.and_then(|found| found.get_document(DEFAULTS).ok().cloned()).unwrap_or_default())
    }

    /// Notes defaults of columns that had none. The names are columns' and hold no point.
    pub(crate) async fn note_defaults(&self, table: &str, added: Document) -> DBResult<()> {
        if added.is_empty() {
            return Ok(());
        }
        let set: Document = added.into_iter().map(|(name, value)| (format!("{DEFAULTS}.{name}"), value)).collect();
        let update = doc! {
            "update": MODELS, "updates": [{ "q": { ID: { "$eq": table } }, "u": { "$set": set }, "upsert": true }],
        };
        let mut noted = affected(&self.plain(update.clone()).await?);
        if noted.as_ref().is_err_and(Failure::is_duplicate) {
            // Somebody else has made the document meanwhile.
            noted = affected(&self.plain(update).await?);
        }
        noted.map(drop).map_err(|failure| failure.general(None))
    }

    /// Forgets the defaults of a collection that was dropped.
    pub(crate) async fn drop_defaults(&self, table: &str) -> DBResult<()> {
        let delete = doc! { "delete": MODELS, "deletes": [{ "q": { ID: { "$eq": table } }, "limit": 1 }] };
        affected(&self.plain(delete).await?).map(drop).map_err(|failure| failure.general(None))
    }
}

/// Those of the defaults whose columns a model does not have.
pub(crate) fn unknown_to<'d>(
    model: &ModelSchema,
    defaults: &'d RawDocument,
) -> Vec<(&'d str, mongodb::bson::RawBsonRef<'d>)> {
    let fields = defaults.iter_elements().filter_map(|field| {
        let field = field.ok()?;
        Some((field.key().as_str(), field.value().ok()?))
    });
    fields.filter(|(name, _)| !model.columns.iter().any(|column| *column.name == **name)).collect()
}
