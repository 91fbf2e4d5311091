//! Making and dropping collections.
//!
//! What is there is read first and compared with the models; any misfit, and nothing is changed. Then what is missing is made:
//! collections with their validators, indexes, counters; and to existing collections what they lack and can be given.

pub(crate) mod indexes;
mod plan;
pub(crate) mod validator;

use mongodb::bson::{Bson, Document, doc};
use ommi_core::schema::SchemaRef;
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::collections::{DEFAULTS, REFERENCES};
use crate::driver::{Inner, no_context};
use crate::error::{Failure, affected};
use crate::keys::COUNTERS;
use crate::names::{ID, path, too_long};
use indexes::WantedIndex;
use plan::{Plan, Step, plan};

/// The level of a validator that looks at every document that is written.
const STRICT: &str = "strict";
/// What a validator does with a document that does not fit: refuse it.
const REFUSED: &str = "error";

/// A collection as the server describes it.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    pub(crate) kind: String,
    pub(crate) options: Document,
    pub(crate) indexes: Vec<Document>,
    pub(crate) is_empty: bool,
    /// The defaults of its columns.
    pub(crate) defaults: Document,
    /// Its references, as they are noted.
    pub(crate) references: Document,
}

/// Makes what is missing.
pub(crate) async fn create(inner: &Inner, schemas: &[SchemaRef]) -> DBResult<()> {
    check_names(inner, schemas)?;
    let mut plans: Vec<(&SchemaRef, Plan)> = Vec::new();
    for schema in schemas {
        plans.push((schema, plan_now(inner, schema).await?));
    }
    let misfits: Vec<String> = plans.iter_mut().flat_map(|(_, plan)| std::mem::take(&mut plan.misfits)).collect();
    if !misfits.is_empty() {
        return Err(DBError::schema(misfits));
    }
    for (schema, plan) in plans {
        // What is written meanwhile looks at the collection again.
        inner.collections.forget(&schema.table);
        let is_new = carry_out(inner, schema, plan).await?;
        if schema.generated_column().is_some() {
            // After the greatest key that is stored: the collection may be older than its counter.
            let greatest = if is_new { 0 } else { inner.greatest_key(schema).await? };
            inner.at_least(schema, greatest, no_context()).await?;
        }
        inner.collections.forget(&schema.table);
    }
    inner.references.forget();
    Ok(())
}

/// Compares a model with what is there at this moment.
async fn plan_now(inner: &Inner, schema: &SchemaRef) -> DBResult<Plan> {
    let collection = read(inner, &schema.table).await?;
    let mut plan = plan(schema, collection.as_ref());
    if collection.is_some_and(|collection| !collection.is_empty) {
        let mut problems = Vec::new();
        for index in plan.unique_indexes() {
            if has_duplicates(inner, schema, index).await? {
                problems.push(duplicates(schema, index));
            }
        }
        plan.misfits.extend(problems);
    }
    Ok(plan)
}

/// How often a plan is made anew because others make and drop the same collection meanwhile.
const MOST_PLANS: u32 = 8;

/// Takes the steps of a plan. Where somebody else has made the collection since it was made, another plan says what that one lacks. Whether the
/// collection is new is told.
async fn carry_out(inner: &Inner, schema: &SchemaRef, mut plan: Plan) -> DBResult<bool> {
    for _ in 0..MOST_PLANS {
        if !plan.misfits.is_empty() {
            return Err(DBError::schema(plan.misfits));
        }
        if plan.is_new {
            // One of this name may have been dropped by other means, and what is noted of it with it.
            inner.drop_notes(&schema.table).await?;
        }
        match take(inner, schema, plan.steps).await? {
            Taken::All => return Ok(plan.is_new),
            Taken::Overtaken => plan = plan_now(inner, schema).await?,
        }
    }
    let detail = format!("collection `{}` is made and dropped by others all the time", schema.table);
    Err(DBError::new(ErrorKind::Conflict).with_detail(detail))
}

/// What became of the steps of a plan.
enum Taken {
    All,
    /// The collection was not there when the plan was made, and is there now.
    Overtaken,
}

async fn take(inner: &Inner, schema: &SchemaRef, steps: Vec<Step>) -> DBResult<Taken> {
    for step in steps {
        if let Taken::Overtaken = apply(inner, schema, step).await? {
            return Ok(Taken::Overtaken);
        }
    }
    Ok(Taken::All)
}

/// Checks that a server takes the names, before it is asked anything.
fn check_names(inner: &Inner, schemas: &[SchemaRef]) -> DBResult<()> {
    let database = inner.database.name();
    let problems: Vec<String> = schemas.iter().filter_map(|schema| too_long(database, &schema.table)).collect();
    if problems.is_empty() { Ok(()) } else { Err(DBError::schema(problems)) }
}

/// What the server has under a name.
async fn read(inner: &Inner, table: &str) -> DBResult<Option<Collection>> {
    let list = doc! { "listCollections": 1, "filter": { "name": { "$eq": table } } };
    let Some(found) = inner.all_documents(list).await?.into_iter().next() else { return Ok(None) };
    let kind = found.get_str("type").unwrap_or("collection").to_owned();
    let options = found.get_document("options").cloned().unwrap_or_default();
    if kind != "collection" {
        return Ok(Some(Collection { kind, options, ..Collection::default() }));
    }
    let indexes = inner.all_documents(doc! { "listIndexes": table }).await?;
    let any = inner.all_documents(doc! { "find": table, "limit": 1, "projection": { ID: 1 } }).await?;
    let noted = inner.noted(table).await?;
    let part = |name: &str| noted.get_document(name).cloned().unwrap_or_default();
    let (defaults, references) = (part(DEFAULTS), part(REFERENCES));
    Ok(Some(Collection { kind, options, indexes, is_empty: any.is_empty(), defaults, references }))
}

async fn apply(inner: &Inner, schema: &SchemaRef, step: Step) -> DBResult<Taken> {
    let table = &*schema.table;
    match step {
        Step::Create => {
            let create = doc! {
                "create": table,
                "validator": { "$jsonSchema": validator::schema(schema) },
                "validationLevel": STRICT,
                "validationAction": REFUSED,
            };
            match inner.database.run_command(create).await.map_err(Failure::from) {
                Ok(_) => {}
                // NamespaceExists: somebody else has made it meanwhile.
                Err(Failure::Server(error)) if error.code() == 48 => return Ok(Taken::Overtaken),
                Err(failure) => return Err(failure.general(None)),
            }
        }
        Step::Fill { field, value, nullable } => {
            let mut set = Document::new();
            set.insert(field.clone(), value);
            // A row of an older model has no such field. NULL stands there where somebody wrote it, and stays where it may.
            let missing = match nullable {
                true => doc! { field: { "$exists": false } },
                false => doc! { field: { "$eq": Bson::Null } },
            };
            let update = doc! {
                "update": table,
                "updates": [{ "q": missing, "u": { "$set": set }, "multi": true }],
            };
            let reply = inner.plain(update).await?;
            affected(&reply).map_err(|failure| failure.on_model(schema, None))?;
        }
        Step::Validate(rules) => {
            let modify = doc! {
                "collMod": table,
                "validator": { "$jsonSchema": rules },
                "validationLevel": STRICT,
                "validationAction": REFUSED,
            };
            inner.plain(modify).await?;
        }
        Step::Defaults(added) => inner.note(table, DEFAULTS, added).await?,
        Step::References(added) => inner.note(table, REFERENCES, added).await?,
        Step::Index(index) => create_index(inner, schema, &index).await?,
    }
    Ok(Taken::All)
}

fn duplicates(schema: &SchemaRef, index: &WantedIndex) -> String {
    let columns = schema.names(&index.columns).collect::<Vec<_>>().join("`, `");
    format!("columns `{columns}` of collection `{}` hold duplicates, and are to be unique", schema.table)
}

/// Whether documents are there that a unique index would not take. The server says so too, but by then other things have been made.
async fn has_duplicates(inner: &Inner, schema: &SchemaRef, index: &WantedIndex) -> DBResult<bool> {
    let mut key = Document::new();
    let mut matching = Document::new();
    for (number, &column) in index.columns.iter().enumerate() {
        let path = path(schema, column)?;
        if schema.column(column).is_some_and(|column| column.nullable) {
            matching.insert(path.as_ref(), doc! { "$ne": Bson::Null });
        }
        key.insert(format!("c{number}"), format!("${path}"));
    }
    let aggregate = doc! {
        "aggregate": &*schema.table,
        "pipeline": [
            { "$match": matching },
            { "$group": { ID: key, "n": { "$sum": 1 } } },
            { "$match": { "n": { "$gt": 1 } } },
            { "$limit": 1 },
        ],
        "cursor": {},
        "allowDiskUse": true,
    };
    Ok(!inner.all_documents(aggregate).await?.is_empty())
}

async fn create_index(inner: &Inner, schema: &SchemaRef, index: &WantedIndex) -> DBResult<()> {
    let create = doc! { "createIndexes": &*schema.table, "indexes": [index.specification(schema)] };
    match inner.database.run_command(create).await.map_err(Failure::from) {
        Ok(_) => Ok(()),
        Err(Failure::Server(error)) if matches!(error.code(), 11_000 | 85 | 86) => {
            let problem = match error.code() {
                11_000 => duplicates(schema, index),
                _ => format!("collection `{}` has another index where `{}` is wanted", schema.table, index.name),
            };
            Err(DBError::schema(vec![problem]).with_source(*error))
        }
        Err(failure) => Err(failure.general(None)),
    }
}

/// The collections that refer to these and are not among them, as they are noted at this moment. Those that were dropped by other means are still noted, and do not
/// count.
async fn referring(inner: &Inner, schemas: &[SchemaRef]) -> DBResult<Vec<String>> {
    let goes = |table: &str| schemas.iter().any(|schema| *schema.table == *table);
    // As it is now: another program may have made collections since it was read.
    inner.references.forget();
    let references = inner.references().await?;
    let mut found: Vec<(&str, &str)> = Vec::new();
    for schema in schemas {
        let others = references.to(&schema.table).iter().map(|reference| &*reference.table);
        found.extend(others.filter(|other| !goes(other)).map(|other| (other, &*schema.table)));
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = found.iter().map(|(other, _)| *other).collect();
    let list = doc! { "listCollections": 1, "nameOnly": true, "filter": { "name": { "$in": names } } };
    let there = inner.all_documents(list).await?;
    let exists =
        |name: &str| there.iter().any(|collection| collection.get_str("name").is_ok_and(|other| other == name));
    found.retain(|(other, _)| exists(other));
    found.sort_unstable();
    found.dedup();
    let misfit = |(other, table): (&str, &str)| {
        format!("collection `{other}` refers to collection `{table}` and would have to be dropped with it")
    };
    Ok(found.into_iter().map(misfit).collect())
}

/// Drops collections and their counters.
pub(crate) async fn drop(inner: &Inner, schemas: &[SchemaRef]) -> DBResult<()> {
    check_names(inner, schemas)?;
    let misfits = referring(inner, schemas).await?;
    if !misfits.is_empty() {
        return Err(DBError::schema(misfits));
    }
    for schema in schemas {
        match inner.database.run_command(doc! { "drop": &*schema.table }).await.map_err(Failure::from) {
            Ok(_) => {}
            // There is none.
            Err(Failure::Server(error)) if error.code() == 26 => {}
            Err(failure) => return Err(failure.general(None)),
        }
        if schema.generated_column().is_some() {
            let delete =
                doc! { "delete": COUNTERS, "deletes": [{ "q": { ID: { "$eq": &*schema.table } }, "limit": 1 }] };
            affected(&inner.plain(delete).await?).map_err(|failure| failure.general(None))?;
        }
        inner.drop_notes(&schema.table).await?;
        inner.forget(&schema.table);
    }
    inner.references.forget();
    Ok(())
}

/// A value of a default, as a document holds it.
pub(crate) fn default_of(schema: &SchemaRef, column: u16) -> DBResult<Option<Bson>> {
    let Some((column, value)) = schema.column(column).and_then(|c| Some((c, c.default.as_ref()?))) else {
        return Ok(None);
    };
    let mut writer = crate::bson::Writer::new();
    writer.value("v", column.ty, value);
    let (document, _) = writer.finish()?;
    let failed = |error: mongodb::bson::error::Error| DBError::new(ErrorKind::Database).with_source(error);
    Ok(Document::try_from(document.as_ref()).map_err(failed)?.remove("v"))
}
