//! Looking for unique values before a write that would violate them.
//!
//! A write that the server refuses ends the whole transaction there. Within a part of one, which is to fail by itself, what can be known is
//! found out first: one `find`.

use std::collections::HashSet;

use mongodb::bson::RawDocumentBuf;
use ommi_core::ast::{Change, CompareOp, Condition, Expr, Insert, List, Select, Update};
use ommi_core::driver::Row as _;
use ommi_core::schema::{ModelSchema, SchemaRef};
use ommi_core::value::Value;
use ommi_core::{Constraint, ConstraintKind, DBError, DBResult, ErrorKind};

use crate::bson::Writer;
use crate::insert::rows;
use crate::journal::id_of;
use crate::names::type_of;
use crate::row::MongoRow;
use crate::schema::indexes;

/// A set of columns whose values no two rows share: the key, or a unique set with the name of its index.
struct Set {
    name: Option<String>,
    columns: Vec<u16>,
}

fn sets(model: &ModelSchema) -> Vec<Set> {
    let mut sets = vec![Set { name: None, columns: model.key.clone() }];
    let unique = indexes::wanted(model).into_iter().filter(|index| index.unique);
    sets.extend(unique.map(|index| Set { name: Some(index.name), columns: index.columns }));
    sets
}

/// What a write would put into unique sets.
pub(crate) struct Claims {
    model: SchemaRef,
    sets: Vec<Set>,
    /// Values of a set, by its number. None of them is NULL: NULL equals nothing.
    claims: Vec<(usize, Vec<Value<'static>>)>,
    /// The same, to be looked for.
    seen: HashSet<(usize, Vec<u8>)>,
    /// Two rows of the write claim the same.
    twice: Option<usize>,
    /// The documents that the write changes, whose values may stay as they are.
    own: HashSet<Vec<u8>>,
}

impl Claims {
    fn new(model: &SchemaRef) -> Claims {
        Claims {
            model: model.clone(),
            sets: sets(model),
            claims: Vec::new(),
            seen: HashSet::new(),
            twice: None,
            own: HashSet::new(),
        }
    }

    /// What these of the new rows claim. A key that is generated is nobody's yet.
    pub(crate) fn of_insert(insert: &Insert, is_new: impl Fn(usize) -> bool) -> Claims {
        let mut claims = Claims::new(&insert.model);
        let places: Vec<Option<Vec<Option<usize>>>> = claims
            .sets
            .iter()
            .map(|set| {
                let place = |column: &u16| insert.columns.iter().position(|given| given == column);
                let places: Vec<Option<usize>> = set.columns.iter().map(place).collect();
                places.iter().any(Option::is_some).then_some(places)
            })
            .collect();
        let rows = rows(&insert.values, insert.columns.len(), insert.rows).enumerate();
        for (_, row) in rows.filter(|(row, _)| is_new(*row)) {
            for (number, places) in places.iter().enumerate() {
                let Some(places) = places else { continue };
                let columns = claims.sets.get(number).map(|set| set.columns.clone()).unwrap_or_default();
                let values = places.iter().zip(columns).map(|(place, column)| match place {
                    Some(place) => row.get(*place).cloned(),
                    None => insert.model.column(column).and_then(|column| column.default.clone()),
                });
                let values = values.map(|value| value.unwrap_or_default()).collect();
                claims.claim(number, values);
            }
        }
        claims
    }

    /// What rows claim after a change, as far as it is known before.
    pub(crate) fn of_update(update: &Update, before: &[RawDocumentBuf]) -> DBResult<Claims> {
        let mut claims = Claims::new(&update.model);
        claims.own = before.iter().map(|document| id_of(document).into_bytes()).collect();
        let assigned = |column: &u16| update.assignments.iter().find(|assignment| assignment.column == *column);
        for number in 0..claims.sets.len() {
            let columns = claims.sets.get(number).map(|set| set.columns.clone()).unwrap_or_default();
            if !columns.iter().any(|column| assigned(column).is_some()) {
                continue;
            }
            for document in before {
                let mut row = MongoRow::new(&update.model, document);
                let mut values = Vec::with_capacity(columns.len());
                for column in &columns {
                    match assigned(column).map(|assignment| &assignment.change) {
                        None => values.push(row.value(usize::from(*column))?.into_owned()),
                        Some(Change::Set(Expr::Value(value))) => values.push(value.clone()),
                        // Worked out by the server.
                        Some(_) => break,
                    }
                }
                if values.len() == columns.len() {
                    claims.claim(number, values);
                }
            }
        }
        Ok(claims)
    }

    fn claim(&mut self, set: usize, values: Vec<Value<'static>>) {
        if values.iter().any(Value::is_null) {
            return;
        }
        if self.seen.insert((set, self.encoded(set, &values))) {
            self.claims.push((set, values));
        } else {
            self.twice.get_or_insert(set);
        }
    }

    /// Values as the store compares them.
    fn encoded(&self, set: usize, values: &[Value<'_>]) -> Vec<u8> {
        let mut writer = Writer::new();
        let columns = self.sets.get(set).map(|set| set.columns.as_slice()).unwrap_or_default();
        for (column, value) in columns.iter().zip(values) {
            writer.value("", type_of(&self.model, *column), value);
        }
        writer.finish().map(|(document, _)| document.into_bytes()).unwrap_or_default()
    }

    /// What finds the rows that have one of them already; nothing where there is nothing to look for.
    ///
    /// # Errors
    /// Where two rows of the write itself claim the same.
    pub(crate) fn search(&self) -> DBResult<Option<Select>> {
        if let Some(set) = self.twice {
            return Err(self.violation(set));
        }
        let mut conditions = Vec::new();
        for (number, set) in self.sets.iter().enumerate() {
            let claims = || self.claims.iter().filter(move |(of, _)| *of == number).map(|(_, values)| values);
            if let [column] = set.columns.as_slice() {
                let values: Vec<Value<'static>> = claims().flatten().cloned().collect();
                if !values.is_empty() {
                    let (expr, list) = (Expr::Column(*column), List::new(values));
                    conditions.push(Condition::In { expr, list, negated: false });
                }
                continue;
            }
            conditions.extend(claims().map(|values| {
                let equal = |(column, value): (&u16, &Value<'static>)| {
                    Condition::compare(CompareOp::Eq, Expr::Column(*column), Expr::Value(value.clone()))
                };
                Condition::And(set.columns.iter().zip(values).map(equal).collect())
            }));
        }
        if conditions.is_empty() {
            return Ok(None);
        }
        let mut search = Select::new(self.model.clone());
        // A single one by itself: a whole key is looked up as one then.
        search.filter = match conditions.len() {
            1 => conditions.swap_remove(0),
            _ => Condition::Or(conditions),
        };
        Ok(Some(search))
    }

    /// Judges the rows that were found.
    ///
    /// # Errors
    /// `Constraint`, as the server would have it.
    pub(crate) fn judge(&self, found: &[RawDocumentBuf]) -> DBResult<()> {
        for document in found {
            if self.own.contains(id_of(document).as_bytes()) {
                continue;
            }
            let mut row = MongoRow::new(&self.model, document);
            for (number, set) in self.sets.iter().enumerate() {
                let values: DBResult<Vec<Value<'static>>> =
                    set.columns.iter().map(|column| row.value(usize::from(*column)).map(Value::into_owned)).collect();
                if self.seen.contains(&(number, self.encoded(number, &values?))) {
                    return Err(self.violation(number));
                }
            }
        }
        Ok(())
    }

    fn violation(&self, set: usize) -> DBError {
        let mut constraint = Constraint::new(ConstraintKind::Unique).on_table(&*self.model.table);
        if let Some(set) = self.sets.get(set) {
            constraint = constraint.on_columns(self.model.names(&set.columns));
            if let Some(name) = &set.name {
                constraint = constraint.named(name);
            }
        }
        DBError::new(ErrorKind::Constraint(constraint)).with_detail("it was found before the statement was sent")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mongodb::bson::{Document, doc};
    use ommi_core::ast::Assignment;
    use ommi_core::schema::ColumnBuilder;
    use ommi_core::value::ColumnType;

    use super::*;

    /// 0 id, 1 code (optional, unique), 2 hall and 3 number (with a default), unique together
    fn model() -> SchemaRef {
        let column = ColumnBuilder::new;
        let model = ModelSchema::builder("Seat", "seats")
            .column(column("id", ColumnType::I64).key())
            .column(column("code", ColumnType::Text).nullable().unique())
            .column(column("hall", ColumnType::I64).nullable())
            .column(column("number", ColumnType::I64).default_value(1i64))
            .unique(&[2, 3]);
        SchemaRef::from(Arc::new(model.build().unwrap()))
    }

    fn raw(document: Document) -> RawDocumentBuf {
        RawDocumentBuf::try_from(&document).unwrap()
    }

    /// Of rows that give the key, the code and the hall.
    fn inserting(rows: &[(i64, Option<&str>, Option<i64>)]) -> Claims {
        let code = |code: Option<&str>| code.map_or(Value::Null, |code| Value::Text(code.to_owned().into()));
        let hall = |hall: Option<i64>| hall.map_or(Value::Null, Value::Int);
        let values = rows.iter().flat_map(|row| [Value::Int(row.0), code(row.1), hall(row.2)]).collect();
        Claims::of_insert(&Insert::new(model(), [0, 1, 2], values, rows.len()), |_| true)
    }

    fn violated(judged: DBResult<()>) -> Vec<String> {
        judged.unwrap_err().constraint().unwrap().columns().to_vec()
    }

    #[test]
    fn null_is_claimed_by_nobody() {
        let claims = inserting(&[(1, None, None), (2, None, None)]);
        let search = claims.search().unwrap().unwrap();
        let Condition::In { expr: Expr::Column(0), list, .. } = &search.filter else {
            panic!("only keys are looked for")
        };
        assert_eq!(list.values(), [Value::Int(1), Value::Int(2)]);
        // A row with NULL, in a column that every row has and in one that is missing.
        claims.judge(&[raw(doc! { "_id": 3i64, "code": null, "number": 1i64 })]).unwrap();
    }

    #[test]
    fn a_column_that_is_left_out_claims_its_default() {
        let claims = inserting(&[(1, None, Some(7))]);
        assert_eq!(
            violated(claims.judge(&[raw(doc! { "_id": 3i64, "hall": 7i64, "number": 1i64 })])),
            ["hall", "number"]
        );
        claims.judge(&[raw(doc! { "_id": 3i64, "hall": 7i64, "number": 2i64 })]).unwrap();
    }

    #[test]
    fn two_rows_that_claim_the_same_need_no_third() {
        assert_eq!(violated(inserting(&[(1, Some("a"), None), (2, Some("a"), None)]).search().map(drop)), ["code"]);
        assert!(inserting(&[(1, Some("a"), Some(7)), (2, Some("b"), Some(8))]).search().unwrap().is_some());
    }

    #[test]
    fn what_a_row_has_already_it_may_keep() {
        let before = [raw(doc! { "_id": 1i64, "code": "a", "hall": 7i64, "number": 1i64 })];
        let update = |changes: &[(u16, Change)]| {
            let changes = changes.iter().map(|(column, change)| Assignment::new(*column, change.clone())).collect();
            Claims::of_update(&Update::new(model(), changes, Condition::True), &before).unwrap()
        };
        let set = |value| Change::Set(Expr::Value(value));
        let other = |id: i64| raw(doc! { "_id": id, "code": "b", "hall": 7i64, "number": 2i64 });
        let claims = update(&[(1, set(Value::Text("b".into()))), (3, set(Value::Int(2)))]);
        claims.judge(&[other(1)]).unwrap();
        assert_eq!(violated(claims.judge(&[other(2)])), ["code"]);
        // What the server works out is known after it; what is not changed claims nothing.
        for changes in [&[(3, Change::Add(Value::Int(1)))][..], &[(1, Change::Set(Expr::Value(Value::Null)))], &[]] {
            assert!(update(changes).search().unwrap().is_none(), "{changes:?}");
        }
    }
}
