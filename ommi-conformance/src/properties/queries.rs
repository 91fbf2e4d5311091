//! Random conditions, orders and pages over random rows give what the evaluator gives.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use ommi::ast::{Condition, Direction, Expr, Select, Sort};
use ommi::driver::Values;
use ommi::prelude::*;
use ommi::query::IntoSorts;
use ommi::value::Value;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use uuid::Uuid;

use super::generate::{common_value, condition, row, sorts};
use super::show;
use crate::Database;
use crate::evaluator::{self, Row};

/// Several columns of the types that are compared with each other most, and one of each other.
#[derive(Debug, Clone, PartialEq, Model)]
struct Sample {
    id: i64,
    a: Option<i64>,
    b: Option<i64>,
    n: i64,
    small: Option<i16>,
    unsigned: u32,
    x: Option<f64>,
    y: f64,
    s: Option<String>,
    t: String,
    u: Option<String>,
    flag: Option<bool>,
    data: Option<Vec<u8>>,
    day: Option<NaiveDate>,
    time: Option<NaiveTime>,
    at: Option<DateTime<Utc>>,
    uuid: Option<Uuid>,
}

/// Rows, and a query on them.
#[derive(Clone)]
struct Case {
    rows: Vec<Row>,
    condition: Condition,
    sorts: Vec<Sort>,
    limit: Option<u64>,
    offset: Option<u64>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = Sample::schema();
        writeln!(f, "find {}", show::condition(&self.condition, &schema))?;
        if !self.sorts.is_empty() {
            writeln!(f, "sort {}", show::sorts(&self.sorts, &schema))?;
        }
        writeln!(f, "limit {:?} offset {:?}, of", self.limit, self.offset)?;
        for row in &self.rows {
            match decoded(row) {
                Ok(row) => writeln!(f, "  {row:?}")?,
                Err(error) => writeln!(f, "  {error}")?,
            }
        }
        Ok(())
    }
}

fn decoded(row: &Row) -> DBResult<Sample> {
    Sample::decode(&mut Values::new(&mut row.clone()))
}

/// Sorts as the tree has them.
#[derive(Clone)]
struct Sorts(Vec<Sort>);

impl IntoSorts<Sample> for Sorts {
    fn collect(self, sorts: &mut Vec<Sort>) {
        sorts.extend(self.0);
    }
}

/// Several queries on the same rows.
fn strategy(bytes_order: bool) -> impl Strategy<Value = Vec<Case>> {
    let schema = Sample::schema();
    let row = || row(&schema, common_value);
    let rows = prop_oneof![1 => vec(row(), 0..3), 9 => vec(row(), 6..14)];
    let page = || option::weighted(0.3, 0..8u64);
    let query = (condition(&schema, bytes_order), sorts(&schema, bytes_order), page(), page());
    (rows, vec(query, QUERIES as usize)).prop_map(|(rows, queries)| {
        let numbered = (0..).zip(rows).map(|(id, mut row)| {
            if let Some(key) = row.first_mut() {
                *key = Value::Int(id);
            }
            row
        });
        let rows: Vec<Row> = numbered.collect();
        let case = |(condition, sorts, limit, offset)| Case { rows: rows.clone(), condition, sorts, limit, offset };
        queries.into_iter().map(case).collect()
    })
}

/// How many queries are run on the same rows. Each of them is a case.
const QUERIES: u32 = 4;

/// Runs the property with so many cases, on one database.
///
/// # Panics
/// When the driver does not have it.
pub fn queries(setup: impl AsyncFn() -> DBResult<Database>, cases: u32) {
    super::check(
        setup,
        cases.div_ceil(QUERIES),
        |capabilities| strategy(capabilities.bytes_order),
        async |db| db.create_tables::<Sample>().await,
        async |db, cases| holds(db, &cases).await,
    );
}

async fn holds(db: &Ommi, cases: &[Case]) -> Result<(), TestCaseError> {
    let result = try_holds(db, cases).await;
    // What a failed case left behind would be in the way of the next.
    db.find_all::<Sample>().delete().await?;
    result
}

async fn try_holds(db: &Ommi, cases: &[Case]) -> Result<(), TestCaseError> {
    let Some(last) = cases.last() else { return Ok(()) };
    let rows: Vec<Sample> = last.rows.iter().map(decoded).collect::<DBResult<_>>()?;
    prop_assert_eq!(&db.add_all(rows.clone()).await?, &rows);
    for case in cases {
        read(db, case).await?;
    }
    write(db, last, &rows).await
}

async fn read(db: &Ommi, case: &Case) -> Result<(), TestCaseError> {
    let predicate = || Predicate::new(case.condition.clone());
    let explained = || match db.find(predicate()).explain() {
        Ok(explanation) => explanation.with_values().to_string(),
        Err(error) => error.to_string(),
    };

    let mut matching = Select::new(Sample::schema());
    matching.filter = case.condition.clone();
    let matching = evaluated(&matching, &case.rows)?;

    let all = db.find(predicate()).sort(Sorts(case.sorts.clone())).all().await?;
    let mut by_key = all.clone();
    by_key.sort_by_key(|row| row.id);
    prop_assert_eq!(&by_key, &matching, "the rows of {}", explained());
    let keys: Vec<&Row> = all.iter().filter_map(|row| case.rows.get(usize::try_from(row.id).ok()?)).collect();
    for pair in keys.windows(2) {
        let order = evaluator::order(&case.sorts, pair[0], pair[1], &())?;
        prop_assert!(order.is_le(), "the order of {:?}", all.iter().map(|row| row.id).collect::<Vec<_>>());
    }
    prop_assert_eq!(db.find(predicate()).count().await?, matching.len() as u64, "the count");
    prop_assert_eq!(db.find(predicate()).exists().await?, !matching.is_empty(), "whether there is one");

    if case.limit.is_some() || case.offset.is_some() {
        page(db, case, &predicate).await?;
    }
    Ok(())
}

/// Updates what a query finds, and deletes it.
async fn write(db: &Ommi, case: &Case, rows: &[Sample]) -> Result<(), TestCaseError> {
    let predicate = || Predicate::new(case.condition.clone());
    let mut matching = Select::new(Sample::schema());
    matching.filter = case.condition.clone();
    let matching = evaluated(&matching, &case.rows)?;
    let updated = db.find_all::<Sample>().filter(predicate()).update(Sample::unsigned.set(77u32)).await?;
    prop_assert_eq!(updated, matching.len() as u64, "the rows updated by {:?}", case);
    let others: Vec<Sample> = rows.iter().filter(|row| !matching.contains(row)).cloned().collect();
    // The update may have changed what the condition says of a row, so they are deleted by key.
    let keys = matching.iter().map(|row| row.id);
    let changed = db.find(Sample::id.in_(keys) & Sample::unsigned.eq(77u32)).delete().await?;
    prop_assert_eq!(changed, matching.len() as u64, "the rows that were updated");
    prop_assert_eq!(db.find_all::<Sample>().sort(Sample::id).all().await?, others, "the other rows");

    db.add_all(matching.clone()).await?;
    let deleted = db.find_all::<Sample>().filter(predicate()).delete().await?;
    prop_assert_eq!(deleted, matching.len() as u64, "the rows deleted by {:?}", case);
    Ok(())
}

/// With a limit or an offset, the key decides between equal rows, so the page is known exactly.
async fn page(db: &Ommi, case: &Case, predicate: &impl Fn() -> Predicate<Sample>) -> Result<(), TestCaseError> {
    let mut select = Select::new(Sample::schema());
    select.filter = case.condition.clone();
    select.sort.clone_from(&case.sorts);
    select.sort.push(Sort::new(Expr::Column(Sample::id.index()), Direction::Ascending));
    (select.limit, select.offset) = (case.limit, case.offset);
    let expected = evaluated(&select, &case.rows)?;
    let find = || {
        let mut find = db.find(predicate()).sort(Sorts(case.sorts.clone()));
        if let Some(limit) = case.limit {
            find = find.limit(limit);
        }
        if let Some(offset) = case.offset {
            find = find.offset(offset);
        }
        find
    };
    prop_assert_eq!(&find().all().await?, &expected, "the page");
    prop_assert_eq!(find().count().await?, expected.len() as u64, "the count of the page");
    prop_assert_eq!(find().exists().await?, !expected.is_empty(), "whether the page has a row");
    prop_assert_eq!(find().first().await?, expected.into_iter().next(), "the first of the page");
    Ok(())
}

fn evaluated(select: &Select, rows: &[Row]) -> DBResult<Vec<Sample>> {
    evaluator::select(select, rows, &())?.iter().map(decoded).collect()
}

#[cfg(test)]
mod tests {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;

    /// The same condition, minding the case.
    fn minding_the_case(of: &Condition) -> Condition {
        let all = |parts: &[Condition]| parts.iter().map(minding_the_case).collect();
        match of {
            Condition::And(parts) => Condition::And(all(parts)),
            Condition::Or(parts) => Condition::Or(all(parts)),
            Condition::Not(inner) => Condition::Not(Box::new(minding_the_case(inner))),
            Condition::Text { op, expr, needle, .. } => {
                Condition::Text { op: *op, ignore_case: false, expr: expr.clone(), needle: needle.clone() }
            }
            other => other.clone(),
        }
    }

    /// Conditions that every row meets, or none, would find little.
    #[test]
    fn random_conditions_tell_rows_apart() {
        let mut runner = TestRunner::deterministic();
        let strategy = strategy(true);
        let (mut apart, mut by_case) = (0, 0);
        for _ in 0..500 {
            let case = strategy.new_tree(&mut runner).unwrap().current().remove(0);
            let found = |condition: &Condition| -> Vec<Option<bool>> {
                case.rows.iter().map(|row| evaluator::truth(condition, row, &()).unwrap()).collect()
            };
            let truths = found(&case.condition);
            apart += u32::from(truths.contains(&Some(true)) && truths.iter().any(|truth| *truth != Some(true)));
            by_case += u32::from(truths != found(&minding_the_case(&case.condition)));
        }
        assert!(apart > 200 && by_case > 10, "{apart} of 500 tell rows apart, {by_case} by the case of letters");
    }
}
