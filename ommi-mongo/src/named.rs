//! Conditions on related rows that a key names: those rows are read first, and then the rows that refer to them are found by what they hold.
//!
//! ```text
//!   Post::author.is(User::email.eq("a@b.c"))      email is unique
//!   {find users, email = "a@b.c"}: _id 7          the first command
//!   {author_id: {$eq: 7}}                         what the condition becomes
//! ```
//!
//! A `$lookup` would look for that user once for each post; this way an index on the reference serves. Within a transaction both
//! commands see its snapshot. Outside, they see two moments, but so does one command: a server that reads no snapshot follows each `$lookup` when
//! it comes to it.

use ommi_core::ast::{CompareOp, Condition, Expr, List, Related, Truth as Wanted};
use ommi_core::driver::{Context, Row};
use ommi_core::schema::ModelSchema;
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult};

use crate::bson::Writer;
use crate::condition::Truth;
use crate::driver::Inner;
use crate::error::Failure;
use crate::names::{ID, path};
use crate::row::MongoRow;
use crate::run::{Place, given};
use crate::select::{ONE_BATCH, begin_pipeline, end_pipeline};

/// The most rows that a condition may name.
const ROWS: usize = 1_000;
/// The most commands that are sent before the statement's own: each is a round trip.
const COMMANDS: usize = 4;

/// What the rows that are read first have in the columns that others refer to, as far as an explanation can tell.
const WHAT_THEY_HOLD: &str = "<what the rows of the command before hold>";

impl Inner {
    /// The condition with what its named rows hold in place of conditions on them. None where it names none.
    pub(crate) async fn with_named(
        &self,
        model: &ModelSchema,
        condition: &Condition,
        place: &mut Place<'_>,
        context: &Context,
    ) -> DBResult<Option<Condition>> {
        match naming(model, condition) {
            None => Ok(None),
            // Apart, so that the future of a statement is small.
            Some(condition) => Box::pin(self.read_all_named(condition, place, context)).await.map(Some),
        }
    }

    async fn read_all_named(
        &self,
        mut condition: Condition,
        place: &mut Place<'_>,
        context: &Context,
    ) -> DBResult<Condition> {
        for _ in 0..COMMANDS {
            let Some((next, related, negated)) = take_next(&mut condition) else { break };
            let values = self.held(&related, place, context).await?;
            *next = among(&related, values, negated);
        }
        Ok(condition)
    }

    /// What the related rows hold in the column by which they are related, each value once.
    async fn held(&self, related: &Related, place: &mut Place<'_>, context: &Context) -> DBResult<Vec<Value<'static>>> {
        let mut writer = Writer::new();
        let Some(column) = read_named(related, &mut writer)? else { return Ok(Vec::new()) };
        let model = &related.model;
        let on_model = |failure: Failure| failure.on_model(model, given(context));
        let found = self.read_all(place, writer, context).await.map_err(on_model)?;
        let mut values = Vec::with_capacity(found.len());
        for document in &found {
            let value = MongoRow::new(model, document).value(usize::from(column))?.into_owned();
            if !value.is_null() && !values.contains(&value) {
                values.push(value);
            }
        }
        Ok(values)
    }
}

/// The commands that read what a condition names, and the condition without it, for an explanation.
pub(crate) fn explained(model: &ModelSchema, condition: &Condition) -> DBResult<(Vec<Writer>, Option<Condition>)> {
    let mut writers = Vec::new();
    let Some(mut condition) = naming(model, condition) else { return Ok((writers, None)) };
    for _ in 0..COMMANDS {
        let Some((next, related, negated)) = take_next(&mut condition) else { break };
        let mut writer = Writer::explaining();
        let values = match read_named(&related, &mut writer)? {
            Some(_) => {
                writers.push(writer);
                vec![Value::Text(WHAT_THEY_HOLD.into())]
            }
            None => Vec::new(),
        };
        *next = among(&related, values, negated);
    }
    Ok((writers, Some(condition)))
}

/// A condition of this model that names related rows, for a change. Where it gives the whole key of its own row, a `$lookup` is made for that one only, and
/// saves a round trip.
fn naming(model: &ModelSchema, condition: &Condition) -> Option<Condition> {
    let is_one = model.key.iter().all(|key| condition.pinned_columns().any(|pinned| pinned == *key));
    (!is_one && names(condition)).then(|| condition.clone())
}

/// Whether there is a condition on named rows somewhere within.
fn names(condition: &Condition) -> bool {
    match condition {
        Condition::And(parts) | Condition::Or(parts) => parts.iter().any(names),
        Condition::Not(inner) => names(inner),
        Condition::Exists { related, .. } => is_named(related) || names(&related.filter),
        Condition::Count(count) => names(&count.related.filter),
        _ => false,
    }
}

/// The first of them that has none within.
fn next(condition: &mut Condition) -> Option<&mut Condition> {
    let is_it = match &*condition {
        Condition::Exists { related, .. } => !names(&related.filter) && is_named(related),
        _ => false,
    };
    if is_it {
        return Some(condition);
    }
    match condition {
        Condition::And(parts) | Condition::Or(parts) => parts.iter_mut().find_map(next),
        Condition::Not(inner) => next(inner),
        Condition::Exists { related, .. } => next(&mut related.filter),
        Condition::Count(count) => next(&mut count.related.filter),
        _ => None,
    }
}

/// The same, and what it says. What it becomes is to be put in its place.
fn take_next(condition: &mut Condition) -> Option<(&mut Condition, Related, bool)> {
    let place = next(condition)?;
    let said = match &*place {
        Condition::Exists { related, negated } => Some((related.as_ref().clone(), *negated)),
        _ => None,
    };
    said.map(|(related, negated)| (place, related, negated))
}

/// Whether a condition on related rows gives their key, or values of a unique set: then there are few, whatever the collection holds.
fn is_named(related: &Related) -> bool {
    let [_] = related.on.as_slice() else { return false };
    if !matches!(related.wanted, Wanted::True) {
        return false;
    }
    let model = &related.model;
    let sets = std::iter::once(&model.key).chain(model.uniques.iter().map(|unique| &unique.columns));
    let mut sets = sets.map(|set| {
        set.iter().try_fold(1usize, |rows, column| Some(rows.saturating_mul(values_given(&related.filter, *column)?)))
    });
    sets.any(|rows| rows.is_some_and(|rows| rows <= ROWS))
}

/// How many values of a column a condition admits, where it lists them.
fn values_given(condition: &Condition, column: u16) -> Option<usize> {
    let parts = match condition {
        Condition::And(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let given = parts.iter().filter_map(|part| match part {
        Condition::Compare { op: CompareOp::Eq, left: Expr::Column(given), right: Expr::Value(_) }
        | Condition::Compare { op: CompareOp::Eq, left: Expr::Value(_), right: Expr::Column(given) }
            if *given == column =>
        {
            Some(1)
        }
        Condition::In { expr: Expr::Column(given), list, negated: false } if *given == column => {
            Some(list.values().len())
        }
        _ => None,
    });
    given.min()
}

/// Writes the command that reads the column by which named rows are related. None where there are no such rows.
fn read_named(related: &Related, writer: &mut Writer) -> DBResult<Option<u16>> {
    let model = &related.model;
    let [(_, column)] = *related.on.as_slice() else {
        return Err(DBError::query("rows that are named are related by one column"));
    };
    let filter = Truth::new(model).filter(&related.filter)?;
    if filter.is_nothing() {
        return Ok(None);
    }
    begin_pipeline(model, writer);
    filter.stages(model, writer)?;
    writer.item_document();
    writer.begin_document("$project");
    let path = path(model, column)?;
    if path != ID && !path.starts_with("_id.") {
        writer.int32(ID, 0);
    }
    writer.int32(&path, 1);
    writer.end();
    writer.end();
    end_pipeline(ONE_BATCH, writer);
    Ok(Some(column))
}

/// That the row refers to one of those that hold these values, or not. Never unknown: NULL refers to none.
fn among(related: &Related, values: Vec<Value<'static>>, negated: bool) -> Condition {
    let near = related.on.first().map_or(0, |(near, _)| *near);
    let refers = if values.is_empty() {
        Condition::False
    } else {
        Condition::And(vec![
            Condition::IsNull { expr: Expr::Column(near), negated: true },
            Condition::In { expr: Expr::Column(near), list: List::new(values), negated: false },
        ])
    };
    if negated { Condition::Not(Box::new(refers)) } else { refers }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ommi_core::ast::{RelatedCount, Select, Statement, Update};
    use ommi_core::schema::{ColumnBuilder, SchemaRef};
    use ommi_core::value::ColumnType;

    use super::*;
    use crate::explain::explain;

    fn column(name: &'static str) -> ColumnBuilder {
        ColumnBuilder::new(name, ColumnType::I64)
    }

    /// 0 id, 1 code (unique), 2 hall, 3 number (unique together), 4 age
    fn users() -> SchemaRef {
        let builder = ModelSchema::builder("User", "users").column(column("id").key()).column(column("code").unique());
        let builder = builder.column(column("hall")).column(column("number").nullable()).column(column("age"));
        SchemaRef::from(Arc::new(builder.unique(&[2, 3]).build().unwrap()))
    }

    /// 0 id, 1 author_id
    fn posts() -> SchemaRef {
        let builder = ModelSchema::builder("Post", "posts").column(column("id").key());
        SchemaRef::from(Arc::new(builder.column(column("author_id").nullable()).build().unwrap()))
    }

    fn equal(column: u16, number: i64) -> Condition {
        Condition::compare(CompareOp::Eq, Expr::Column(column), Expr::Value(Value::Int(number)))
    }

    fn one_of(column: u16, numbers: std::ops::Range<i64>) -> Condition {
        Condition::In { expr: Expr::Column(column), list: List::new(numbers.map(Value::Int)), negated: false }
    }

    fn author(filter: Condition) -> Related {
        Related::new(users(), vec![(1, 0)]).filter(filter)
    }

    fn exists(related: Related, negated: bool) -> Condition {
        Condition::Exists { related: Box::new(related), negated }
    }

    fn sent(model: SchemaRef, filter: Condition) -> Vec<String> {
        let mut query = Select::new(model);
        query.filter = filter;
        explain(&Statement::Select(query)).unwrap().to_string().lines().map(str::to_owned).collect()
    }

    const USERS: &str = r#"{ "aggregate": "users", "pipeline": [{ "$match": { "code": { "$eq": ? } } }, { "$project": { "_id": 1 } }], "cursor": { "batchSize": 1000000 }, "allowDiskUse": true }"#;

    #[test]
    fn rows_with_a_unique_value_are_read_first() {
        let refers = r#"{ "find": "posts", "filter": { "$and": [{ "author_id": { "$ne": null } }, { "author_id": { "$eq": ? } }] }, "batchSize": 1000000 }"#;
        assert_eq!(sent(posts(), exists(author(equal(1, 7)), false)), [USERS, refers]);
        // NULL refers to none.
        let none = r#"{ "find": "posts", "filter": { "$or": [{ "author_id": { "$eq": null } }, { "author_id": { "$nin": [?, null] } }] }, "batchSize": 1000000 }"#;
        assert_eq!(sent(posts(), exists(author(equal(1, 7)), true)), [USERS, none]);
        assert_eq!(sent(posts(), Condition::Not(Box::new(exists(author(equal(1, 7)), false)))), [USERS, none]);
        // The other way round.
        let any = sent(users(), exists(Related::new(posts(), vec![(0, 1)]).filter(equal(0, 7)), false));
        assert!(any[0].contains(r#"{ "$project": { "_id": 0, "author_id": 1 } }"#), "{any:?}");
        assert!(any[1].starts_with(r#"{ "find": "users""#), "{any:?}");
    }

    #[test]
    fn what_does_not_name_rows_is_looked_up() {
        let is_looked_up = |filter: Condition| sent(posts(), filter).len() == 1;
        for (condition, named) in [
            (equal(0, 7), true),
            (equal(0, 7).and(equal(4, 3)), true),
            (one_of(1, 0..1_000), true),
            (one_of(1, 0..1_001), false),
            (equal(2, 1).and(equal(3, 1)), true),
            (one_of(2, 0..40).and(one_of(3, 0..25)), true),
            (one_of(2, 0..40).and(one_of(3, 0..26)), false),
            (equal(2, 1), false),
            (equal(4, 1), false),
            (Condition::In { expr: Expr::Column(1), list: List::new([Value::Int(1)]), negated: true }, false),
            (equal(0, 7).or(equal(4, 3)), false),
            (Condition::True, false),
        ] {
            assert_eq!(is_looked_up(exists(author(condition.clone()), false)), !named, "{condition:?}");
        }
        let not_true = Related::new(users(), vec![(1, 0)]).not_true(equal(0, 7));
        assert!(is_looked_up(exists(not_true, false)));
        // For one row a `$lookup` is as good, and saves a round trip.
        assert!(is_looked_up(exists(author(equal(0, 7)), false).and(equal(0, 1))));
        assert!(!is_looked_up(exists(author(equal(0, 7)), false).and(equal(1, 1))));
    }

    #[test]
    fn within_other_conditions() {
        let named = || exists(author(equal(1, 7)), false);
        assert_eq!(sent(posts(), named().or(equal(0, 3))).len(), 2);
        // Inside out: whose posts are by somebody with that code.
        let of_user = || Related::new(posts(), vec![(0, 1)]);
        let nested = sent(users(), exists(of_user().filter(named()), false));
        assert_eq!(nested[0], USERS);
        assert!(nested[1].contains(r#""from": "posts""#) && !nested[1].contains(r#""from": "users""#), "{nested:?}");
        let count = RelatedCount::new(of_user().filter(named()), CompareOp::Ge, 2);
        assert_eq!(sent(users(), Condition::Count(Box::new(count))).len(), 2);
        let both = sent(users(), exists(of_user().filter(named().and(equal(0, 1))), false));
        assert_eq!(both.len(), 3, "{both:?}");
        // Each is a round trip, so there are not many.
        let many = Condition::Or((0..9).map(|code| exists(author(equal(1, code)), false)).collect());
        assert_eq!(sent(posts(), many).len(), COMMANDS + 1);
    }

    #[test]
    fn before_a_write() {
        let update = Update::new(posts(), Vec::new(), exists(author(equal(1, 7)), false));
        let text = explain(&Statement::Update(update)).unwrap().to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (3, USERS), "{text}");
        assert!(lines[2].contains("<the keys>"), "{text}");
        // Nobody can be meant, so nothing is asked.
        let nobody = exists(author(equal(0, 7).and(Condition::False)), false);
        assert!(sent(posts(), nobody)[0].starts_with("nothing is sent"));
    }
}
