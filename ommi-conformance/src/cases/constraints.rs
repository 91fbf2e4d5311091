//! What the database refuses, and how it says so: kind, table and columns.

use ommi::{ConstraintKind, prelude::*};

use crate::expect::{assert_kind, error, violation};

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "people", unique(first, last), unique(code, number))]
struct Person {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique, column = "mail_address")]
    email: Option<String>,
    first: String,
    last: String,
    code: Option<String>,
    #[ommi(default = 0)]
    number: i32,
}

async fn ann(db: &Ommi) -> DBResult<Person> {
    db.create_tables::<Person>().await?;
    db.add(new!(Person { email: "ann@x.org", first: "Ann", last: "Lee", code: "c", number: 1 })).await
}

pub(crate) async fn a_unique_column(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    let row = new!(Person { email: "ann@x.org", first: "a", last: "b" });
    // The stored name, as it is in the database.
    let error = violation(db.add(row).await, ConstraintKind::Unique, "people", &["mail_address"]);
    assert!(error.is_unique_violation());
    assert!(!error.is_retryable());
    let text = error.to_string();
    assert!(text.contains("people") && text.contains("mail_address"), "{text}");
    assert_eq!(db.find_all::<Person>().count().await?, 1);
    Ok(())
}

pub(crate) async fn a_unique_column_minds_the_case(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    db.add(new!(Person { email: "ANN@x.org", first: "a", last: "b" })).await?;
    db.add(new!(Person { email: "ann@x.org ", first: "c", last: "d" })).await?;
    db.add(new!(Person { email: "\u{e4}nn@x.org", first: "e", last: "f" })).await?;
    assert_eq!(db.find_all::<Person>().count().await?, 4);
    Ok(())
}

pub(crate) async fn a_unique_set_of_columns(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    db.add(new!(Person { first: "Ann", last: "May" })).await?;
    db.add(new!(Person { first: "Bob", last: "Lee" })).await?;
    let row = new!(Person { first: "Ann", last: "Lee" });
    violation(db.add(row).await, ConstraintKind::Unique, "people", &["first", "last"]);
    Ok(())
}

pub(crate) async fn null_is_never_the_same_in_a_unique_column(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    for first in ["a", "b", "c"] {
        db.add(new!(Person { email: None, first, last: "x", code: None, number: 1 })).await?;
    }
    assert_eq!(db.find(Person::email.is_null()).count().await?, 3);
    let row = new!(Person { first: "d", last: "x", code: "c", number: 1 });
    violation(db.add(row).await, ConstraintKind::Unique, "people", &["code", "number"]);
    Ok(())
}

pub(crate) async fn the_key(db: &Ommi) -> DBResult<()> {
    let ann = ann(db).await?;
    let row = new!(Person { id: ann.id, first: "a", last: "b" });
    violation(db.add(row).await, ConstraintKind::Unique, "people", &["id"]);
    Ok(())
}

pub(crate) async fn in_an_update(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    let bob = db.add(new!(Person { email: "bob@x.org", first: "Bob", last: "Lee" })).await?;
    let find = || db.find(Person::id.eq(bob.id));
    let result = find().update(Person::email.set("ann@x.org")).await;
    violation(result, ConstraintKind::Unique, "people", &["mail_address"]);
    violation(find().update(Person::first.set("Ann")).await, ConstraintKind::Unique, "people", &["first", "last"]);
    assert_eq!(db.get::<Person>(bob.id).await?, bob);
    Ok(())
}

pub(crate) async fn the_cause_is_kept(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    let row = new!(Person { email: "ann@x.org", first: "a", last: "b" });
    let error = error(db.add(row).await);
    assert!(std::error::Error::source(&error).is_some(), "{error:?}");
    Ok(())
}

/// The same table, with what the database must refuse.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "strict")]
struct Loose {
    id: i64,
    name: Option<String>,
    small: i64,
    count: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "strict")]
struct Strict {
    id: i64,
    name: String,
    small: u8,
    count: u64,
}

pub(crate) async fn null_in_a_required_column(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Strict>().await?;
    let row = Loose { id: 1, name: None, small: 0, count: 0 };
    violation(db.add(row).await, ConstraintKind::NotNull, "strict", &["name"]);
    db.add(Loose { id: 2, name: Some("x".to_owned()), small: 0, count: 0 }).await?;
    let result = db.find(Loose::id.eq(2)).update(Loose::name.set(None)).await;
    violation(result, ConstraintKind::NotNull, "strict", &["name"]);
    assert_eq!(db.find_all::<Strict>().one().await?.name, "x");
    Ok(())
}

/// Whoever writes: the database holds the range of the column.
pub(crate) async fn a_number_beyond_its_column(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Strict>().await?;
    let row = |small, count| Loose { id: 1, name: Some(String::new()), small, count };
    for row in [row(256, 0), row(-1, 0), row(0, -1), row(i64::MAX, 0)] {
        assert_kind!(db.add(row).await, ErrorKind::OutOfRange { table, .. } if table == "strict");
    }
    db.add(row(255, i64::MAX)).await?;
    assert_kind!(db.find(Loose::id.eq(1)).update(Loose::small.set(256)).await, ErrorKind::OutOfRange { .. });
    let stored = db.find_all::<Strict>().one().await?;
    assert_eq!((stored.small, stored.count), (255, i64::MAX as u64));
    Ok(())
}
