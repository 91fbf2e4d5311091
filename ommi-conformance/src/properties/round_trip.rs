//! Every value of every type comes back as it went in, and is found by equality.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use ommi::ast::{CompareOp, Condition, Expr};
use ommi::driver::Values;
use ommi::prelude::*;
use ommi::value::Value;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use uuid::Uuid;

use super::generate::{any_value, precision, row};
use crate::Database;
use crate::evaluator::Row;

/// A column of each type, required and optional.
#[derive(Debug, Clone, PartialEq, Model)]
struct Everything {
    id: i64,
    flag: bool,
    int8: i8,
    int16: i16,
    int32: i32,
    int64: i64,
    uint8: u8,
    uint16: u16,
    uint32: u32,
    uint64: u64,
    single: f32,
    double: f64,
    text: String,
    data: Vec<u8>,
    uuid: Uuid,
    day: NaiveDate,
    time: NaiveTime,
    moment: NaiveDateTime,
    instant: DateTime<Utc>,
    maybe_flag: Option<bool>,
    maybe_int8: Option<i8>,
    maybe_int64: Option<i64>,
    maybe_uint32: Option<u32>,
    maybe_uint64: Option<u64>,
    maybe_single: Option<f32>,
    maybe_double: Option<f64>,
    maybe_text: Option<String>,
    maybe_data: Option<Vec<u8>>,
    maybe_uuid: Option<Uuid>,
    maybe_day: Option<NaiveDate>,
    maybe_time: Option<NaiveTime>,
    maybe_moment: Option<NaiveDateTime>,
    maybe_instant: Option<DateTime<Utc>>,
}

/// A row as its struct, under this key.
fn decoded(row: &Row, id: i64) -> DBResult<Everything> {
    let mut values = row.clone();
    if let Some(key) = values.first_mut() {
        *key = Value::Int(id);
    }
    Everything::decode(&mut Values::new(&mut values))
}

/// Runs the property with so many cases, on one database.
///
/// # Panics
/// When the driver does not have it.
pub fn round_trip(setup: impl AsyncFn() -> DBResult<Database>, cases: u32) {
    super::check(
        setup,
        cases,
        |capabilities| {
            let precision = precision(capabilities);
            let rows = row(&Everything::schema(), |ty| any_value(ty, precision));
            (rows.clone(), rows)
        },
        async |db| db.create_tables::<Everything>().await,
        async |db, (first, second)| holds(db, &first, &second).await,
    );
}

async fn holds(db: &Ommi, first: &Row, second: &Row) -> Result<(), TestCaseError> {
    let result = try_holds(db, first, second).await;
    // What a failed case left behind would be in the way of the next.
    db.find_all::<Everything>().delete().await?;
    result
}

/// That a column holds this value.
fn equality(column: u16, value: &Value<'static>) -> Condition {
    let column = Expr::Column(column);
    match value {
        Value::Null => Condition::IsNull { expr: column, negated: false },
        value => Condition::compare(CompareOp::Eq, column, Expr::Value(value.clone())),
    }
}

async fn try_holds(db: &Ommi, first: &Row, second: &Row) -> Result<(), TestCaseError> {
    let a = decoded(first, 1)?;
    let b = decoded(second, 2)?;
    prop_assert_eq!(&db.add(a.clone()).await?, &a, "as add gives it back");
    prop_assert_eq!(db.add_all([b.clone()]).await?, vec![b.clone()], "as add_all gives it back");
    prop_assert_eq!(&db.get::<Everything>(1).await?, &a);
    prop_assert_eq!(&db.find_all::<Everything>().sort(Everything::id).all().await?, &[a.clone(), b]);

    // All at once: only when that fails, one after the other, to name the column.
    let found = async |condition| db.find(Predicate::new(condition) & Everything::id.eq(1)).count().await;
    let equal: Vec<Condition> = (0u16..).zip(first).skip(1).map(|(column, value)| equality(column, value)).collect();
    if found(Condition::And(equal.clone())).await? != 1 {
        for (condition, (value, column)) in
            equal.into_iter().zip(first.iter().zip(&Everything::schema().columns).skip(1))
        {
            prop_assert_eq!(found(condition).await?, 1, "`{}` is not found by {}", column.field, value.reveal());
        }
        prop_assert!(false, "the row is found by each of its columns, and not by all of them together");
    }

    let mut changed = decoded(second, 1)?;
    db.save(&mut changed).await?;
    prop_assert_eq!(&db.get::<Everything>(1).await?, &changed, "after save");
    let again = db.upsert(a.clone()).on(Everything::id).update(Everything::text.set(&a.text)).await?;
    prop_assert_eq!(again, Everything { text: a.text, ..changed }, "as upsert gives it back");
    Ok(())
}
