//! What is known of the collections: that they exist, what their documents hold where a writer does not know a column, and what is noted of
//! them.
//!
//! A server fills in no defaults. So `create_tables` writes those of a model into the collection `ommi_models`, and whoever writes to the
//! collection by another model, an older one say, gives its documents the defaults of the columns that it does not know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mongodb::bson::{Document, RawDocument, RawDocumentBuf, doc};
use ommi_core::ast::{Condition, Expr, StatementRef};
use ommi_core::driver::Context;
use ommi_core::schema::ModelSchema;
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::driver::Inner;
use crate::error::{Failure, NoCollection, affected};
use crate::names::ID;
use crate::run::given;

/// The collection of what a server does not know of models: a document for each table of which there is something to know.
pub(crate) const MODELS: &str = "ommi_models";
/// In it, the defaults of the columns.
pub(crate) const DEFAULTS: &str = "defaults";
/// In it, the references: see [`crate::references`].
pub(crate) const REFERENCES: &str = "references";

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
        match self.collections.get(&model.table) {
            Some(defaults) => Ok(defaults),
            // Apart, so that the future of a statement is small.
            None => Box::pin(self.look_at(model, context)).await,
        }
    }

    /// Looks at a collection that is not known yet.
    async fn look_at(&self, model: &ModelSchema, context: &Context) -> DBResult<Arc<RawDocumentBuf>> {
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

    /// As [`ready`](Inner::ready), for every model that a statement names: to a `$lookup`, a collection that does not exist is an empty one.
    pub(crate) async fn all_ready<'a>(
        &self,
        statement: impl Into<StatementRef<'a>>,
        context: &Context,
    ) -> DBResult<()> {
        let statement = statement.into();
        self.ready(statement.model(), context).await?;
        for model in models(statement) {
            self.ready(model, context).await?;
        }
        Ok(())
    }

    /// The defaults of a collection's columns.
    async fn defaults(&self, table: &str) -> DBResult<Document> {
        Ok(self.noted(table).await?.get_document(DEFAULTS).cloned().unwrap_or_default())
    }

    /// What is noted of a table.
    pub(crate) async fn noted(&self, table: &str) -> DBResult<Document> {
        let find = doc! { "find": MODELS, "filter": { ID: { "$eq": table } }, "limit": 1 };
        Ok(self.all_documents(find).await?.into_iter().next().unwrap_or_default())
    }

    /// Notes something of a table: defaults of columns that had none, references. The names hold no point.
    pub(crate) async fn note(&self, table: &str, what: &str, added: Document) -> DBResult<()> {
        if added.is_empty() {
            return Ok(());
        }
        let set: Document = added.into_iter().map(|(name, value)| (format!("{what}.{name}"), value)).collect();
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

    /// Forgets what is noted of a collection that was dropped.
    pub(crate) async fn drop_notes(&self, table: &str) -> DBResult<()> {
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

/// The models of related rows that a statement speaks of, as often as it does.
fn models(statement: StatementRef<'_>) -> Vec<&ModelSchema> {
    let mut models = Vec::new();
    match statement {
        StatementRef::Select(select) => {
            of_condition(&select.filter, &mut models);
            select.sort.iter().for_each(|sort| of_expr(&sort.expr, &mut models));
        }
        StatementRef::Update(update) => of_condition(&update.filter, &mut models),
        StatementRef::Delete(delete) => of_condition(&delete.filter, &mut models),
        _ => {}
    }
    models
}

fn of_condition<'a>(condition: &'a Condition, models: &mut Vec<&'a ModelSchema>) {
    let related = match condition {
        Condition::And(parts) | Condition::Or(parts) => {
            return parts.iter().for_each(|part| of_condition(part, models));
        }
        Condition::Not(inner) => return of_condition(inner, models),
        Condition::Exists { related, .. } => related,
        Condition::Count(count) => &count.related,
        _ => return,
    };
    models.push(&related.model);
    of_condition(&related.filter, models);
}

fn of_expr<'a>(expr: &'a Expr, models: &mut Vec<&'a ModelSchema>) {
    if let Expr::Related(related) = expr {
        models.push(&related.model);
        of_expr(&related.expr, models);
    }
}
