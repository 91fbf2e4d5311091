//! What no store holds is refused before anything is sent, wherever it stands.
//!
//! Most cases make no table: an error of the database would show that something was sent.

use ommi::prelude::*;
use ommi::value::{ColumnType, DecodeFailure, InvalidValue, Value};

use crate::expect::{assert_kind, invalid_column, invalid_in_query};

#[derive(Debug, Clone, PartialEq, Model)]
struct Reading {
    #[ommi(auto)]
    id: i64,
    #[ommi(default = 0.0)]
    value: f64,
    ratio: Option<f32>,
    #[ommi(default = "")]
    text: String,
    note: Option<String>,
    #[ommi(default = 0u64)]
    count: u64,
    total: Option<u64>,
}

const BEYOND: u64 = i64::MAX as u64 + 1;
const NUL: &str = "with\0NUL";

pub(crate) async fn nan_in_a_new_row(db: &Ommi) -> DBResult<()> {
    invalid_column(db.add(new!(Reading { value: f64::NAN })).await, "Reading", "value");
    invalid_column(db.add(new!(Reading { value: -f64::NAN })).await, "Reading", "value");
    invalid_column(db.add(new!(Reading { ratio: f32::NAN })).await, "Reading", "ratio");
    Ok(())
}

pub(crate) async fn nul_in_the_text_of_a_new_row(db: &Ommi) -> DBResult<()> {
    invalid_column(db.add(new!(Reading { text: NUL })).await, "Reading", "text");
    invalid_column(db.add(new!(Reading { text: "\0" })).await, "Reading", "text");
    invalid_column(db.add(new!(Reading { note: NUL })).await, "Reading", "note");
    Ok(())
}

pub(crate) async fn a_u64_beyond_i64_in_a_new_row(db: &Ommi) -> DBResult<()> {
    invalid_column(db.add(new!(Reading { count: BEYOND })).await, "Reading", "count");
    invalid_column(db.add(new!(Reading { count: u64::MAX })).await, "Reading", "count");
    invalid_column(db.add(new!(Reading { total: u64::MAX })).await, "Reading", "total");
    Ok(())
}

pub(crate) async fn one_bad_row_among_many_adds_none(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Reading>().await?;
    let mut rows: Vec<_> = (0..100).map(|n| new!(Reading { value: f64::from(n) })).collect();
    rows.push(new!(Reading { value: f64::NAN }));
    invalid_column(db.add_all(rows).await, "Reading", "value");
    assert_eq!(db.find_all::<Reading>().count().await?, 0);
    Ok(())
}

pub(crate) async fn in_comparisons(db: &Ommi) -> DBResult<()> {
    for predicate in [
        Reading::value.eq(f64::NAN),
        Reading::value.ne(f64::NAN),
        Reading::ratio.lt(f32::NAN),
        Reading::ratio.ge(Some(f32::NAN)),
        Reading::text.eq(NUL),
        Reading::note.ne(NUL),
        Reading::note.eq(Some(NUL.to_owned())),
        Reading::note.eq_opt(Some(NUL)),
        Reading::count.eq(BEYOND),
        Reading::total.gt(u64::MAX),
        Reading::value.between(f64::NAN, 1.0),
        Reading::value.between(0.0, f64::NAN),
        Reading::count.between(0u64, BEYOND),
    ] {
        invalid_in_query(db.find(predicate).all().await, "Reading");
    }
    Ok(())
}

pub(crate) async fn in_lists(db: &Ommi) -> DBResult<()> {
    for predicate in [
        Reading::value.in_([1.0, f64::NAN]),
        Reading::value.not_in([f64::NAN]),
        Reading::text.in_(["fine", NUL]),
        Reading::note.not_in([Some(NUL.to_owned()), None]),
        Reading::count.in_((0..1_000).chain([BEYOND])),
    ] {
        invalid_in_query(db.find(predicate).all().await, "Reading");
    }
    Ok(())
}

pub(crate) async fn in_text_predicates(db: &Ommi) -> DBResult<()> {
    for predicate in [
        Reading::text.contains(NUL),
        Reading::text.starts_with("\0"),
        Reading::note.ends_with("\0"),
        Reading::text.ieq(NUL),
        Reading::note.icontains(NUL),
        Reading::text.istarts_with(NUL),
        Reading::text.iends_with(NUL),
    ] {
        invalid_in_query(db.find(predicate).all().await, "Reading");
    }
    Ok(())
}

/// `or`, `not` and optional conditions must not lose it, though the rest would decide.
pub(crate) async fn deep_in_a_condition(db: &Ommi) -> DBResult<()> {
    let bad = || Reading::value.eq(f64::NAN);
    let fine = || Reading::count.eq(1u64);
    for predicate in [
        !bad(),
        fine() | bad(),
        bad() | fine(),
        fine() & bad(),
        !(fine() & !(bad() | fine())),
        all_of([Some(fine()), None, Some(bad())]),
        any_of([fine(), bad()]),
        fine() & any_of::<Reading>([]) & bad(),
    ] {
        invalid_in_query(db.find(predicate).all().await, "Reading");
    }
    invalid_in_query(db.find(fine()).filter(Some(bad())).all().await, "Reading");
    Ok(())
}

pub(crate) async fn in_every_verb(db: &Ommi) -> DBResult<()> {
    let bad = || db.find(Reading::value.eq(f64::NAN));
    invalid_in_query(bad().all().await, "Reading");
    invalid_in_query(bad().one().await, "Reading");
    invalid_in_query(bad().one().optional().await, "Reading");
    invalid_in_query(bad().first().await, "Reading");
    invalid_in_query(bad().count().await, "Reading");
    invalid_in_query(bad().exists().await, "Reading");
    invalid_in_query(bad().stream().try_next().await, "Reading");
    invalid_in_query(bad().update(Reading::count.set(1u64)).await, "Reading");
    invalid_in_query(bad().delete().await, "Reading");
    invalid_in_query(bad().explain(), "Reading");
    Ok(())
}

pub(crate) async fn in_an_update_nothing_changes(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Reading>().await?;
    let before = db.add(new!(Reading { value: 1.5, text: "as it was", count: 3u64 })).await?;
    let find = || db.find(Reading::id.eq(before.id));
    invalid_in_query(find().update(Reading::value.set(f64::NAN)).await, "Reading");
    invalid_in_query(find().update(Reading::value.increment(f64::NAN)).await, "Reading");
    invalid_in_query(find().update(Reading::text.set(NUL)).await, "Reading");
    invalid_in_query(find().update(Reading::count.set(BEYOND)).await, "Reading");
    invalid_in_query(find().update(Reading::count.decrement(u64::MAX)).await, "Reading");
    let changes = (Reading::text.set("changed"), Reading::ratio.set(f32::NAN));
    invalid_in_query(find().update(changes).await, "Reading");
    assert_eq!(db.get::<Reading>(before.id).await?, before);
    Ok(())
}

pub(crate) async fn in_a_save_nothing_changes(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Reading>().await?;
    let before = db.add(new!(Reading { value: 1.5, text: "as it was" })).await?;
    let mut changed = Reading { text: "changed".to_owned(), total: Some(BEYOND), ..before.clone() };
    invalid_column(db.save(&mut changed).await, "Reading", "total");
    assert_eq!(db.get::<Reading>(before.id).await?, before);
    Ok(())
}

pub(crate) async fn in_an_upsert(db: &Ommi) -> DBResult<()> {
    let bad = || new!(Reading { id: 1, value: f64::NAN });
    invalid_column(db.upsert(bad()).on(Reading::id).ignore().await, "Reading", "value");
    invalid_column(db.upsert(bad()).on(Reading::id).update(Reading::count.set(1u64)).await, "Reading", "value");
    let fine = new!(Reading { id: 1 });
    invalid_in_query(db.upsert(fine).on(Reading::id).update(Reading::value.set(f64::NAN)).await, "Reading");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Numbered {
    #[ommi(key)]
    number: u64,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Named {
    #[ommi(key)]
    name: String,
}

pub(crate) async fn in_a_key(db: &Ommi) -> DBResult<()> {
    invalid_in_query(db.get::<Numbered>(BEYOND).await, "Numbered");
    invalid_in_query(db.get::<Named>(NUL).optional().await, "Named");
    invalid_column(db.delete(&Numbered { number: BEYOND }).await, "Numbered", "number");
    invalid_column(db.save(&mut Named { name: NUL.to_owned() }).await, "Named", "name");
    Ok(())
}

/// It was found before anything was sent, so the transaction has not failed.
pub(crate) async fn leaves_a_transaction_usable(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Reading>().await?;
    db.transaction(async |tx| -> DBResult<()> {
        tx.add(new!(Reading { count: 1u64 })).await?;
        invalid_column(tx.add(new!(Reading { value: f64::NAN })).await, "Reading", "value");
        invalid_in_query(tx.find(Reading::text.contains(NUL)).all().await, "Reading");
        tx.add(new!(Reading { count: 2u64 })).await?;
        Ok(())
    })
    .await?;
    assert_eq!(db.find_all::<Reading>().count().await?, 2);
    Ok(())
}

/// A type that holds even numbers only.
#[derive(Debug, Clone, PartialEq)]
struct Even(i64);

impl FieldType for Even {
    const TYPE: ColumnType = ColumnType::I64;

    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        if self.0 % 2 == 0 { Ok(Value::Int(self.0)) } else { Err(InvalidValue::new("an odd number is not even")) }
    }

    fn decode(value: Value<'_>) -> Result<Even, DecodeFailure> {
        match value {
            Value::Int(number) if number % 2 == 0 => Ok(Even(number)),
            other => Err(DecodeFailure::new("an even number", other.kind())),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Pair {
    #[ommi(auto)]
    id: i64,
    size: Even,
}

pub(crate) async fn refused_by_a_type_of_the_application(db: &Ommi) -> DBResult<()> {
    let error = assert_kind!(db.add(new!(Pair { size: Even(3) })).await, ErrorKind::InvalidValue { .. });
    assert!(error.to_string().contains("an odd number is not even"), "{error}");
    let error = assert_kind!(db.find(Pair::size.eq(Even(3))).all().await, ErrorKind::InvalidValue { .. });
    assert!(error.to_string().contains("an odd number is not even"), "{error}");
    Ok(())
}
