//! Models of random shapes, from schemas that are made at run time: on each table some queries, some updates and a delete, all of which
//! must give what the evaluator gives.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use ommi::ast::{Assignment, Change, Condition, Delete, Direction, Expr, Insert, Output, Select, Sort, Update};
use ommi::driver::{Capabilities, Context};
use ommi::schema::{ColumnBuilder, ColumnList, ModelSchema, SchemaRef};
use ommi::value::{ColumnType, Value};
use ommi::{DBError, DBResult, ErrorKind, Handle, Ommi};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;

use super::generate::{common_value, condition, row, sorts};
use super::show;
use crate::Database;
use crate::evaluator::{self, Row};
use crate::rows::Rows;

/// How many queries are run on one table. Each of them is a case.
const QUERIES: u32 = 8;

const TYPES: &[ColumnType] = &[
    ColumnType::Bool,
    ColumnType::I8,
    ColumnType::I16,
    ColumnType::I32,
    ColumnType::I64,
    ColumnType::U8,
    ColumnType::U16,
    ColumnType::U32,
    ColumnType::U64,
    ColumnType::F32,
    ColumnType::F64,
    ColumnType::Text,
    ColumnType::Text,
    ColumnType::Bytes,
    ColumnType::Uuid,
    ColumnType::Date,
    ColumnType::Time,
    ColumnType::DateTime,
    ColumnType::Timestamp,
];

/// The types of the key's columns.
const KEYS: &[&[ColumnType]] = &[
    &[ColumnType::I64],
    &[ColumnType::Text],
    &[ColumnType::Uuid],
    &[ColumnType::U16],
    &[ColumnType::Date],
    &[ColumnType::I64, ColumnType::Text],
    &[ColumnType::Text, ColumnType::I64],
    &[ColumnType::Bool, ColumnType::I32, ColumnType::Text],
];

/// A table, what is asked of it, and what is done to it.
#[derive(Clone)]
struct Case {
    schema: SchemaRef,
    rows: Vec<Row>,
    queries: Vec<Query>,
    updates: Vec<(Vec<Assignment>, Condition)>,
    delete: Condition,
}

#[derive(Debug, Clone)]
struct Query {
    condition: Condition,
    sorts: Vec<Sort>,
    limit: Option<u64>,
    offset: Option<u64>,
    batch: usize,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = &self.schema;
        writeln!(f, "a table of")?;
        for (index, column) in (0u16..).zip(&schema.columns) {
            let key = if schema.key.contains(&index) { ", in the key" } else { "" };
            let null = if column.nullable { ", or NULL" } else { "" };
            writeln!(f, "  {}: {}{null}{key}", column.field, column.ty)?;
        }
        for row in &self.rows {
            let values: Vec<String> = row.iter().map(|value| value.reveal().to_string()).collect();
            writeln!(f, "  {}", values.join(" | "))?;
        }
        for query in &self.queries {
            let (condition, sorts) = (show::condition(&query.condition, schema), show::sorts(&query.sorts, schema));
            writeln!(f, "find {condition} sort {sorts} limit {:?} offset {:?}", query.limit, query.offset)?;
        }
        for (assignments, condition) in &self.updates {
            let changes = show::assignments(assignments, schema);
            writeln!(f, "update {changes} where {}", show::condition(condition, schema))?;
        }
        writeln!(f, "delete {}", show::condition(&self.delete, schema))
    }
}

/// A schema with such a key, and columns of such types that take NULL or do not.
fn schema(key: &[ColumnType], columns: &[(ColumnType, bool)]) -> SchemaRef {
    let mut builder = ModelSchema::builder("Random", "random_rows");
    for (i, ty) in key.iter().enumerate() {
        builder = builder.column(ColumnBuilder::new(format!("k{i}"), *ty).key());
    }
    for (i, (ty, nullable)) in columns.iter().enumerate() {
        let column = ColumnBuilder::new(format!("c{i}"), *ty).stored_as(format!("column {i}"));
        builder = builder.column(if *nullable { column.nullable() } else { column });
    }
    match builder.build() {
        Ok(schema) => SchemaRef::from(Arc::new(schema)),
        Err(error) => panic!("a random schema cannot be: {error}"),
    }
}

/// The value in column `part` of the key of row `row`, of a key of so many columns: no two rows have the same in all.
fn key_value(ty: ColumnType, row: usize, part: usize, parts: usize) -> Value<'static> {
    // Each part but the last has few values, so that the later ones decide.
    let n = if part + 1 < parts { row >> part & 1 } else { row >> part };
    let letters = ["b", "B", "a", "é", "Z", "", " ", "😀"];
    match ty {
        ColumnType::Bool => Value::Bool(n > 0),
        ColumnType::Text => {
            let letter = letters.get(n % letters.len()).copied().unwrap_or_default();
            Value::Text(format!("{letter}{}", n / letters.len()).into())
        }
        ColumnType::Uuid => Value::Uuid([255 - n as u8; 16]),
        ColumnType::Date => Value::Date(ommi::value::Date { days: n as i32 - 5 }),
        _ => Value::Int(n as i64),
    }
}

fn strategy(capabilities: &Capabilities) -> impl Strategy<Value = Case> + use<> {
    let bytes_order = capabilities.bytes_order;
    let sums = capabilities.checks && capabilities.atomic_statements;
    let columns = vec((select(TYPES), any::<bool>()), 1..7);
    (select(KEYS), columns).prop_flat_map(move |(key, columns)| {
        let schema = schema(key, &columns);
        let page = || option::weighted(0.4, 0..8u64);
        let condition = || condition(&schema, bytes_order);
        let query = (condition(), sorts(&schema, bytes_order), page(), page(), 1..4usize)
            .prop_map(|(condition, sorts, limit, offset, batch)| Query { condition, sorts, limit, offset, batch });
        let parts = key.len();
        let rows = vec(row(&schema, common_value), 0..14).prop_map(move |mut rows| {
            for (number, row) in rows.iter_mut().enumerate() {
                for (part, (value, ty)) in row.iter_mut().zip(key).enumerate() {
                    *value = key_value(*ty, number, part, parts);
                }
            }
            rows
        });
        let updates = vec((assignments(&schema, sums), condition()), 2);
        (Just(schema.clone()), rows, vec(query, QUERIES as usize), updates, condition())
            .prop_map(|(schema, rows, queries, updates, delete)| Case { schema, rows, queries, updates, delete })
    })
}

/// Changes of one to three columns that are not in the key.
fn assignments(schema: &SchemaRef, sums: bool) -> BoxedStrategy<Vec<Assignment>> {
    let columns: Vec<u16> = (schema.key.len() as u16..schema.columns.len() as u16).collect();
    let most = columns.len().min(3);
    let schema = schema.clone();
    proptest::sample::subsequence(columns, 1..=most)
        .prop_flat_map(move |columns| {
            let changes: Vec<_> = columns.into_iter().map(|column| assignment(&schema, column, sums)).collect();
            changes
        })
        .boxed()
}

fn assignment(schema: &SchemaRef, index: u16, sums: bool) -> BoxedStrategy<Assignment> {
    let Some(column) = schema.column(index) else { panic!("there is no column {index}") };
    let value = common_value(column.ty);
    let value = if column.nullable { prop_oneof![1 => Just(Value::Null), 4 => value].boxed() } else { value };
    let sources: Vec<u16> = (0..)
        .zip(&schema.columns)
        .filter(|(_, other)| other.ty == column.ty && (column.nullable || !other.nullable))
        .map(|(other, _)| other)
        .collect();
    let set = value.prop_map(|value| Change::Set(Expr::Value(value)));
    let copied = select(sources).prop_map(|column| Change::Set(Expr::Column(column)));
    let number = column.ty.integer_range().is_some() || matches!(column.ty, ColumnType::F32 | ColumnType::F64);
    let change = if number && sums {
        let step = (common_value(column.ty), any::<bool>()).prop_map(|(step, subtract)| match subtract {
            true => Change::Subtract(step),
            false => Change::Add(step),
        });
        prop_oneof![2 => set, 1 => copied, 3 => step].boxed()
    } else {
        prop_oneof![2 => set, 1 => copied].boxed()
    };
    change.prop_map(move |change| Assignment::new(index, change)).boxed()
}

/// Runs the property with so many queries, some on each table.
///
/// # Panics
/// When the driver does not have it.
pub fn shapes(setup: impl AsyncFn() -> DBResult<Database>, cases: u32) {
    let tables = cases.div_ceil(QUERIES);
    super::check(setup, tables, strategy, async |_| Ok(()), async |db, case| holds(db, &case).await);
}

async fn holds(db: &Ommi, case: &Case) -> Result<(), TestCaseError> {
    let result = try_holds(db, case).await;
    // What a failed case left behind would be in the way of the next.
    db.driver().schema().drop(std::slice::from_ref(&case.schema), &Context::new()).await.told("dropping")?;
    result
}

async fn try_holds(db: &Ommi, case: &Case) -> Result<(), TestCaseError> {
    let (schema, context) = (&case.schema, Context::new());
    db.create_schemas(vec![schema.clone()]).await.told("creating")?;
    let mut rows = case.rows.clone();
    if !rows.is_empty() {
        let values = rows.iter().flatten().cloned().collect();
        let mut insert = Insert::new(schema.clone(), ColumnList::all(schema), values, rows.len());
        let written = db.driver().insert(&mut insert, &mut Rows::new(0), &context).await.told("adding")?;
        prop_assert_eq!(written, rows.len() as u64, "the rows written");
    }
    for query in &case.queries {
        read(db, schema, &rows, query).await?;
    }
    for (assignments, filter) in &case.updates {
        let update = Update::new(schema.clone(), assignments.clone(), filter.clone());
        let given = db.driver().update(&update, &context).await;
        let shown = || format!("update {}", show::assignments(assignments, schema));
        match (updated(&update, &rows), given) {
            (Ok((count, after)), Ok(given)) => {
                prop_assert_eq!(given, count, "the rows of {}", shown());
                rows = after;
            }
            (Err(expected), Err(given)) => {
                let same = std::mem::discriminant(expected.kind()) == std::mem::discriminant(given.kind());
                prop_assert!(same, "{}: {:?} instead of {:?}", shown(), given, expected);
            }
            (Ok(_), Err(given)) => return Err(failed(&shown(), &given)),
            (Err(expected), Ok(_)) => prop_assert!(false, "{} should have been {:?}", shown(), expected),
        }
        same_rows(&shown(), schema, &fetch(db, &Select::new(schema.clone())).await.told("find all")?, &rows)?;
    }
    let deleted =
        db.driver().delete(&Delete::new(schema.clone(), case.delete.clone()), &context).await.told("the delete")?;
    let mut kept = Vec::new();
    for row in &rows {
        if evaluator::truth(&case.delete, row, &())? != Some(true) {
            kept.push(row.clone());
        }
    }
    prop_assert_eq!(deleted, (rows.len() - kept.len()) as u64, "the rows deleted");
    same_rows("the delete", schema, &fetch(db, &Select::new(schema.clone())).await.told("find all")?, &kept)
}

/// The error of a statement with all its causes.
trait Told<T> {
    fn told(self, doing: &str) -> Result<T, TestCaseError>;
}

impl<T> Told<T> for DBResult<T> {
    fn told(self, doing: &str) -> Result<T, TestCaseError> {
        self.map_err(|error| failed(doing, &error))
    }
}

fn failed(doing: &str, error: &DBError) -> TestCaseError {
    TestCaseError::fail(format!("{doing}: {}", crate::run::chain(error)))
}

/// What the evaluator says of an update: the number of rows, and all rows after it.
fn updated(update: &Update, rows: &[Row]) -> DBResult<(u64, Vec<Row>)> {
    let mut count = 0;
    let mut after = rows.to_vec();
    for row in &mut after {
        if evaluator::truth(&update.filter, row, &())? == Some(true) {
            count += 1;
            let before = row.clone();
            for assignment in &update.assignments {
                let value = evaluator::assigned(assignment, &update.model, &before)?;
                if let Some(column) = row.get_mut(usize::from(assignment.column)) {
                    *column = value;
                }
            }
        }
    }
    Ok((count, after))
}

async fn fetch(db: &Ommi, select: &Select) -> DBResult<Vec<Row>> {
    let mut rows = Rows::new(select.model.columns.len());
    db.driver().fetch(select, &mut rows, &Context::new()).await?;
    Ok(rows.rows)
}

async fn one_value(db: &Ommi, select: &Select) -> DBResult<Value<'static>> {
    let mut answer = Rows::new(1);
    db.driver().fetch(select, &mut answer, &Context::new()).await?;
    let value = answer.rows.pop().and_then(|mut row| row.pop());
    value.ok_or_else(|| DBError::new(ErrorKind::Database).with_detail("no answer"))
}

async fn read(db: &Ommi, schema: &SchemaRef, rows: &[Row], query: &Query) -> Result<(), TestCaseError> {
    let shown = || format!("find {}", show::condition(&query.condition, schema));
    let mut all = Select::new(schema.clone());
    all.filter = query.condition.clone();
    all.sort.clone_from(&query.sorts);
    let found = fetch(db, &all).await.told(&shown())?;
    same_rows(&shown(), schema, &found, &evaluator::select(&all, rows, &())?)?;
    for pair in found.windows(2) {
        prop_assert!(evaluator::order(&query.sorts, &pair[0], &pair[1], &())?.is_le(), "the order of {}", shown());
    }

    // With the key at the end of the order, every page is known exactly.
    let mut page = all.clone();
    page.sort.extend(by_key(schema));
    (page.limit, page.offset) = (query.limit, query.offset);
    let expected = evaluator::select(&page, rows, &())?;
    let mut count = page.clone();
    (count.output, count.sort) = (Output::Count, Vec::new());
    prop_assert!(
        one_value(db, &count).await.told("count")? == Value::Int(expected.len() as i64),
        "the count of {}",
        shown()
    );
    let mut exists = count.clone();
    exists.output = Output::Exists;
    prop_assert!(
        one_value(db, &exists).await.told("exists")? == Value::Bool(!expected.is_empty()),
        "whether there is {}",
        shown()
    );
    let mut streamed = Vec::new();
    let mut context = Context::new();
    context.batch = query.batch;
    let mut stream =
        db.driver().stream(page, Box::new(Rows::new(schema.columns.len())), context).await.told("stream")?;
    while let Some(piece) = stream.next().await.told("the next piece")? {
        if let Ok(piece) = piece.into_any().downcast::<Rows>() {
            streamed.extend(piece.rows);
        }
    }
    prop_assert!(streamed == expected, "the page of {}: {} rows, expected {}", shown(), streamed.len(), expected.len());
    Ok(())
}

fn by_key(schema: &SchemaRef) -> impl Iterator<Item = Sort> + '_ {
    schema.key.iter().map(|&column| Sort::new(Expr::Column(column), Direction::Ascending))
}

/// Compares rows in any order: each has a key of its own.
fn same_rows(doing: &str, schema: &SchemaRef, found: &[Row], expected: &[Row]) -> Result<(), TestCaseError> {
    let key: Vec<Sort> = by_key(schema).collect();
    let sorted = |rows: &[Row]| {
        let mut rows = rows.to_vec();
        rows.sort_by(|left, right| evaluator::order(&key, left, right, &()).unwrap_or(Ordering::Equal));
        rows
    };
    let (found, expected) = (sorted(found), sorted(expected));
    let text = |rows: &[Row]| -> Vec<String> {
        rows.iter()
            .map(|row| row.iter().map(|value| value.reveal().to_string()).collect::<Vec<_>>().join(" | "))
            .collect()
    };
    prop_assert!(found == expected, "{} gives\n{:#?}\nand not\n{:#?}", doing, text(&found), text(&expected));
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;

    /// Rows have keys of their own, and updates and queries find some rows and not others.
    #[test]
    fn random_tables_are_worth_asking() {
        let mut capabilities = Capabilities::none("any");
        (capabilities.checks, capabilities.atomic_statements, capabilities.bytes_order) = (true, true, true);
        let mut runner = TestRunner::deterministic();
        let strategy = strategy(&capabilities);
        let (mut apart, mut changed, mut refused) = (0, 0, 0);
        for _ in 0..200 {
            let case = strategy.new_tree(&mut runner).unwrap().current();
            let key: Vec<Sort> = by_key(&case.schema).collect();
            for (i, row) in case.rows.iter().enumerate() {
                let same = |other: &Row| evaluator::order(&key, row, other, &()).unwrap().is_eq();
                assert!(!case.rows.iter().skip(i + 1).any(same), "{case:?}");
            }
            for query in &case.queries {
                let found =
                    case.rows.iter().filter(|row| evaluator::truth(&query.condition, row, &()).unwrap() == Some(true));
                apart += usize::from((1..case.rows.len()).contains(&found.count()));
            }
            for (assignments, filter) in &case.updates {
                let update = Update::new(case.schema.clone(), assignments.clone(), filter.clone());
                match updated(&update, &case.rows) {
                    Ok((_, after)) => changed += usize::from(after != case.rows),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(apart > 300 && changed > 100 && refused > 5, "{apart} apart, {changed} changed, {refused} refused");
    }
}
