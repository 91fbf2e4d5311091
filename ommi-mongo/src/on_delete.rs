//! Deleting rows that others refer to: what `on_delete` says of those, in one transaction with the deletion.
//!
//! First all is read, then all is written. What goes is found from collection to collection until nothing new goes, so circles end; rows that
//! hold a deletion up are found before anything is written. Then references are cleared, and rows deleted, those that refer before those that
//! they refer to: where the server has no transactions, what stops half-way leaves no row that refers to nothing, and can be done again.
//!
//! - *no action*: refused, if the row that refers does not go too.
//! - *restrict*: refused, if the row that refers is not one of those that the statement itself deletes.
//!
//! Nobody checks that a row refers to one that exists, so another program may add such a row while this goes on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mongodb::bson::{RawBsonRef, RawDocument, RawDocumentBuf};
use ommi_core::driver::Context;
use ommi_core::schema::ModelSchema;
use ommi_core::{Constraint, ConstraintKind, DBError, DBResult, ErrorKind};

use crate::bson::Writer;
use crate::by_key::parts;
use crate::condition::Filter;
use crate::delete;
use crate::driver::Inner;
use crate::error::Failure;
use crate::names::{ID, unsupported};
use crate::references::{OnDelete, Reference, References};
use crate::run::{Place, Work};
use crate::select::{ONE_BATCH, begin_pipeline, end_pipeline};
use crate::stored::Stored;

/// The most values of one condition on a column, and the most on several columns.
const VALUES: usize = 1_000;
const PAIRS: usize = 100;

/// A deletion from a collection that others refer to.
pub(crate) struct Deletion<'s> {
    pub(crate) model: &'s ModelSchema,
    pub(crate) filter: &'s Filter<'s>,
    pub(crate) references: Arc<References>,
}

/// The values of the columns that a reference leads to.
type Target = Vec<Stored>;

/// A row that goes.
struct Row {
    key: Stored,
    document: RawDocumentBuf,
}

/// Rows of one collection that go.
struct Going {
    table: String,
    rows: Vec<Row>,
}

/// What is to be done.
#[derive(Default)]
pub(crate) struct Plan {
    /// In the order in which they were found; the first are the statement's own.
    going: Vec<Going>,
    /// Which rows go, by their collections.
    seen: HashMap<String, HashSet<Stored>>,
    /// References to be cleared, or set to their defaults.
    cleared: Vec<(Arc<Reference>, Vec<Target>)>,
    /// References that are to lead from nothing that stays.
    held: Vec<(Arc<Reference>, Vec<Target>)>,
}

impl Work for Deletion<'_> {
    async fn run(&self, inner: &Inner, place: &mut Place<'_>, context: &Context) -> Result<u64, Failure> {
        self.plan(inner, place, context).await?.carry_out(inner, place, context).await
    }
}

impl Deletion<'_> {
    /// Reads what is to be done. That it is refused is found here.
    pub(crate) async fn plan(&self, inner: &Inner, place: &mut Place<'_>, context: &Context) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        let mut query = Writer::new();
        begin_pipeline(self.model, &mut query);
        self.filter.stages(self.model, &mut query)?;
        let fields = self.fields(&self.model.table);
        project(&fields, &mut query);
        end_pipeline(ONE_BATCH, &mut query);
        let own = inner.read_all(place, query, context).await?;
        plan.add(&self.model.table, own)?;

        let mut next = 0;
        while let Some(going) = plan.going.get(next) {
            next += 1;
            for reference in self.references.to(&going.table) {
                let Some(going) = plan.going.get(next - 1) else { break };
                let targets = targets(reference, &going.rows)?;
                if !targets.is_empty() {
                    self.follow(reference, targets, &mut plan, inner, place, context).await?;
                }
            }
        }
        for (reference, targets) in &plan.held {
            let gone = plan.seen.get(&reference.table);
            self.refuse(reference, targets, gone, inner, place, context).await?;
        }
        Ok(plan)
    }

    /// Notes what is to be done about the rows that refer to these.
    async fn follow(
        &self,
        reference: &Arc<Reference>,
        targets: Vec<Target>,
        plan: &mut Plan,
        inner: &Inner,
        place: &mut Place<'_>,
        context: &Context,
    ) -> Result<(), Failure> {
        match &reference.on_delete {
            OnDelete::NoAction => plan.held.push((reference.clone(), targets)),
            OnDelete::Restrict => {
                let own: Option<HashSet<Stored>> = match plan.going.first() {
                    Some(own) if own.table == reference.table => {
                        Some(own.rows.iter().map(|row| row.key.clone()).collect())
                    }
                    _ => None,
                };
                self.refuse(reference, &targets, own.as_ref(), inner, place, context).await?;
            }
            OnDelete::Cascade => {
                let fields = self.fields(&reference.table);
                let mut found = Vec::new();
                for targets in parts(&targets, most(reference), size) {
                    found.extend(
                        inner.read_all(place, referring(reference, targets, Some(&fields), None), context).await?,
                    );
                }
                plan.add(&reference.table, found)?;
            }
            OnDelete::Set(_) => {
                if reference.paths.iter().any(|path| path == ID || path.starts_with("_id.")) {
                    // The server changes no key. Where nothing refers, nothing is to be changed.
                    for targets in parts(&targets, most(reference), size) {
                        let query = referring(reference, targets, Some(&[]), Some(1));
                        if !inner.read_all(place, query, context).await?.is_empty() {
                            return Err(unsupported("`on_delete` that sets a part of a key").into());
                        }
                    }
                    return Ok(());
                }
                plan.cleared.push((reference.clone(), targets));
            }
            OnDelete::Unknown => return Err(unsupported("the `on_delete` that a newer version has noted").into()),
        }
        Ok(())
    }

    /// An error where a row refers to one of these and is not among those that go.
    async fn refuse(
        &self,
        reference: &Reference,
        targets: &[Target],
        gone: Option<&HashSet<Stored>>,
        inner: &Inner,
        place: &mut Place<'_>,
        context: &Context,
    ) -> Result<(), Failure> {
        for targets in parts(targets, most(reference), size) {
            let limit = if gone.is_some() { None } else { Some(1) };
            for document in inner.read_all(place, referring(reference, targets, Some(&[]), limit), context).await? {
                let key = Stored::key(&document)?;
                if gone.is_none_or(|gone| !gone.contains(&key)) {
                    let constraint = Constraint::new(ConstraintKind::ForeignKey).on_table(&reference.table);
                    let kind = ErrorKind::Constraint(constraint.on_columns(&reference.columns));
                    return Err(DBError::new(kind).into());
                }
            }
        }
        Ok(())
    }

    /// The fields of a collection that others refer to, the key aside.
    fn fields(&self, table: &str) -> Vec<&str> {
        let mut fields: Vec<&str> = Vec::new();
        for target in self.references.to(table).iter().flat_map(|reference| &reference.targets) {
            if target != ID && !target.starts_with("_id.") && !fields.contains(&target.as_str()) {
                fields.push(target);
            }
        }
        fields
    }
}

impl Plan {
    /// Does it, and gives the number of the statement's own rows.
    pub(crate) async fn carry_out(
        &self,
        inner: &Inner,
        place: &mut Place<'_>,
        context: &Context,
    ) -> Result<u64, Failure> {
        for (reference, targets) in &self.cleared {
            let OnDelete::Set(values) = &reference.on_delete else { continue };
            for targets in parts(targets, most(reference), size) {
                let mut writer = Writer::new();
                clear(reference, values, targets, &mut writer);
                inner.write(place, &[writer], context).await?;
            }
        }
        let mut deleted = 0;
        for going in self.going.iter().rev() {
            let mut command = Writer::new();
            delete::of_keys(&going.table, &mut command);
            let keys: Vec<Stored> = going.rows.iter().map(|row| row.key.clone()).collect();
            // In the end that of the statement's own rows: what goes with them is not counted.
            deleted = inner.write_keys(place, &command, &keys, context).await?;
        }
        Ok(deleted)
    }

    /// How many rows go.
    pub(crate) fn len(&self) -> usize {
        self.going.iter().map(|going| going.rows.len()).sum()
    }

    /// The documents that it deletes and changes, whole, each with its collection.
    pub(crate) async fn before(
        &self,
        inner: &Inner,
        place: &mut Place<'_>,
        context: &Context,
    ) -> Result<Vec<(&str, Vec<RawDocumentBuf>)>, Failure> {
        let mut before = Vec::new();
        for going in &self.going {
            for rows in parts(&going.rows, VALUES, |row| row.key.size()) {
                let mut query = Writer::new();
                query.string("find", &going.table);
                query.begin_document("filter");
                query.begin_document(ID);
                query.begin_array("$in");
                rows.iter().for_each(|row| row.key.write_item(&mut query));
                query.end();
                query.end();
                query.end();
                query.int64("batchSize", ONE_BATCH);
                before.push((going.table.as_str(), inner.read_all(place, query, context).await?));
            }
        }
        for (reference, targets) in &self.cleared {
            for targets in parts(targets, most(reference), size) {
                let query = referring(reference, targets, None, None);
                before.push((reference.table.as_str(), inner.read_all(place, query, context).await?));
            }
        }
        Ok(before)
    }

    /// Notes rows that go, as far as they are not noted.
    fn add(&mut self, table: &str, documents: Vec<RawDocumentBuf>) -> DBResult<()> {
        let seen = self.seen.entry(table.to_owned()).or_default();
        let mut rows = Vec::with_capacity(documents.len());
        for document in documents {
            let key = Stored::key(&document)?;
            if seen.insert(key.clone()) {
                rows.push(Row { key, document });
            }
        }
        if !rows.is_empty() {
            self.going.push(Going { table: table.to_owned(), rows });
        }
        Ok(())
    }
}

/// How many values of a reference go into one condition.
fn most(reference: &Reference) -> usize {
    if reference.paths.len() == 1 { VALUES } else { PAIRS }
}

fn size(target: &Target) -> usize {
    target.iter().map(Stored::size).sum()
}

/// What a reference to these rows holds, each once. NULL is referred to by nothing.
fn targets(reference: &Reference, rows: &[Row]) -> DBResult<Vec<Target>> {
    let mut seen = HashSet::new();
    let mut targets = Vec::new();
    for row in rows {
        let values = reference.targets.iter().map(|path| match value(&row.document, path) {
            None | Some(RawBsonRef::Null) => Ok(None),
            Some(value) => Stored::of(value).map(Some),
        });
        if let Some(target) = values.collect::<DBResult<Option<Target>>>()?
            && seen.insert(target.clone())
        {
            targets.push(target);
        }
    }
    Ok(targets)
}

/// The value of a field, or of one of the key's parts.
fn value<'d>(document: &'d RawDocument, path: &str) -> Option<RawBsonRef<'d>> {
    match path.split_once('.') {
        None => document.get(path).ok().flatten(),
        Some((outer, inner)) => match document.get(outer).ok().flatten()? {
            RawBsonRef::Document(document) => document.get(inner).ok().flatten(),
            _ => None,
        },
    }
}

/// Writes the stage that leaves the key and some fields of each document.
fn project(fields: &[&str], writer: &mut Writer) {
    writer.item_document();
    writer.begin_document("$project");
    writer.int32(ID, 1);
    fields.iter().for_each(|field| writer.int32(field, 1));
    writer.end();
    writer.end();
}

/// The command that reads the rows which refer to one of these: the key and some fields, or all.
fn referring(reference: &Reference, targets: &[Target], fields: Option<&[&str]>, limit: Option<i64>) -> Writer {
    let mut writer = Writer::new();
    writer.string("find", &reference.table);
    writer.begin_document("filter");
    refers(reference, targets, &mut writer);
    writer.end();
    if let Some(fields) = fields {
        writer.begin_document("projection");
        writer.int32(ID, 1);
        fields.iter().for_each(|field| writer.int32(field, 1));
        writer.end();
    }
    if let Some(limit) = limit {
        writer.int64("limit", limit);
    }
    writer.int64("batchSize", ONE_BATCH);
    writer
}

/// Writes the fields of a filter of the rows which refer to one of these.
fn refers(reference: &Reference, targets: &[Target], writer: &mut Writer) {
    if let [path] = reference.paths.as_slice() {
        writer.begin_document(path);
        writer.begin_array("$in");
        targets.iter().flatten().for_each(|value| value.write_item(writer));
        writer.end();
        writer.end();
        return;
    }
    writer.begin_array("$or");
    for target in targets {
        writer.item_document();
        for (path, value) in reference.paths.iter().zip(target) {
            writer.begin_document(path);
            value.write("$eq", writer);
            writer.end();
        }
        writer.end();
    }
    writer.end();
}

/// Writes the command that sets the columns of the rows which refer to one of these.
fn clear(reference: &Reference, values: &[Stored], targets: &[Target], writer: &mut Writer) {
    writer.string("update", &reference.table);
    writer.begin_array("updates");
    writer.item_document();
    writer.begin_document("q");
    refers(reference, targets, writer);
    writer.end();
    writer.begin_document("u");
    writer.begin_document("$set");
    for (path, value) in reference.paths.iter().zip(values) {
        value.write(path, writer);
    }
    writer.end();
    writer.end();
    writer.bool("multi", true);
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Bson, Document, doc};

    use super::*;

    fn reference(columns: &[&str], targets: &[&str], on_delete: OnDelete) -> Reference {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let (columns, targets) = (texts(columns), texts(targets));
        Reference { table: "books".to_owned(), paths: columns.clone(), columns, targets, on_delete }
    }

    fn rows(documents: &[Document]) -> Vec<Row> {
        let raw = documents.iter().map(|document| RawDocumentBuf::try_from(document).unwrap());
        raw.map(|document| Row { key: Stored::key(&document).unwrap(), document }).collect()
    }

    fn written(writer: Writer) -> Document {
        Document::try_from(writer.finish().unwrap().0.as_ref()).unwrap()
    }

    #[test]
    fn what_refers_to_rows_is_read_by_their_values() {
        let reference = reference(&["to"], &["name"], OnDelete::Cascade);
        let rows = rows(&[
            doc! { "_id": 1i64, "name": "a" },
            doc! { "_id": 2i64, "name": "b" },
            doc! { "_id": 3i64, "name": "a" },
            // NULL is referred to by nothing.
            doc! { "_id": 4i64, "name": Bson::Null },
            doc! { "_id": 5i64 },
        ]);
        let targets = targets(&reference, &rows).unwrap();
        assert_eq!(
            written(referring(&reference, &targets, Some(&["isbn"]), Some(1))),
            doc! {
                "find": "books", "filter": { "to": { "$in": ["a", "b"] } }, "projection": { "_id": 1, "isbn": 1 }, "limit": 1i64,
                "batchSize": ONE_BATCH,
            }
        );
    }

    #[test]
    fn several_columns_are_set_together() {
        let null = Stored::of(RawBsonRef::Null).unwrap();
        let zero = Stored::of(RawBsonRef::Int64(0)).unwrap();
        let values = vec![null, zero];
        let reference = reference(&["hall", "number"], &["_id.hall", "_id.number"], OnDelete::Set(values.clone()));
        let shelf = |hall: Bson, number: Bson| doc! { "_id": { "hall": hall, "number": number } };
        let rows = rows(&[shelf("A".into(), 1.into()), shelf(Bson::Null, 2.into()), shelf("B".into(), 1.into())]);
        let targets = targets(&reference, &rows).unwrap();
        let mut writer = Writer::new();
        clear(&reference, &values, &targets, &mut writer);
        let pair = |hall: &str| doc! { "hall": { "$eq": hall }, "number": { "$eq": 1 } };
        assert_eq!(
            written(writer),
            doc! { "update": "books", "updates": [{
                "q": { "$or": [pair("A"), pair("B")] }, "u": { "$set": { "hall": Bson::Null, "number": 0i64 } }, "multi": true,
            }] }
        );
    }

    #[test]
    fn a_row_goes_once() {
        let mut plan = Plan::default();
        let document = |id: i64| RawDocumentBuf::try_from(&doc! { "_id": id }).unwrap();
        plan.add("nodes", vec![document(1), document(2), document(1)]).unwrap();
        plan.add("nodes", vec![document(2), document(1)]).unwrap();
        plan.add("others", vec![document(2)]).unwrap();
        let found: Vec<(&str, usize)> = plan.going.iter().map(|going| (&*going.table, going.rows.len())).collect();
        assert_eq!(found, [("nodes", 2), ("others", 1)]);
    }
}
