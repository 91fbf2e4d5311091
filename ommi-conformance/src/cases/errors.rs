//! Errors: their kinds, their causes, and what they say.

use std::error::Error as _;

use ommi::prelude::*;

use crate::expect::{assert_kind, error};

#[derive(Debug, Clone, PartialEq, Model)]
struct User {
    #[ommi(auto)]
    id: i64,
    name: Option<String>,
    #[ommi(default = 0)]
    age: i64,
}

/// The error is that of the verb itself, not of something read later.
pub(crate) async fn a_missing_table_is_an_error_of_each_verb(db: &Ommi) -> DBResult<()> {
    let find = || db.find(User::age.gt(1));
    assert_kind!(find().all().await, ErrorKind::Database);
    assert_kind!(find().one().await, ErrorKind::Database);
    assert_kind!(find().one().optional().await, ErrorKind::Database);
    assert_kind!(find().first().await, ErrorKind::Database);
    assert_kind!(find().count().await, ErrorKind::Database);
    assert_kind!(find().exists().await, ErrorKind::Database);
    assert_kind!(find().update(User::age.set(1)).await, ErrorKind::Database);
    assert_kind!(find().delete().await, ErrorKind::Database);
    assert_kind!(db.get::<User>(1).await, ErrorKind::Database);
    assert_kind!(db.add(new!(User {})).await, ErrorKind::Database);
    assert_kind!(db.add_all([new!(User {}), new!(User {})]).await, ErrorKind::Database);
    assert_kind!(db.upsert(new!(User {})).on(User::id).ignore().await, ErrorKind::Database);
    let mut row = User { id: 1, name: None, age: 0 };
    assert_kind!(db.save(&mut row).await, ErrorKind::Database);
    assert_kind!(db.delete(&row).await, ErrorKind::Database);
    Ok(())
}

pub(crate) async fn a_missing_table_has_a_cause_that_names_it(db: &Ommi) -> DBResult<()> {
    let error = error(db.find_all::<User>().all().await);
    let Some(cause) = error.source() else { panic!("no cause: {error:?}") };
    assert!(cause.to_string().contains("users"), "{cause}");
    assert!(!error.is_retryable() && !error.is_not_found() && error.constraint().is_none());
    Ok(())
}

pub(crate) async fn after_an_error_the_database_is_usable(db: &Ommi) -> DBResult<()> {
    for _ in 0..40 {
        error(db.find_all::<User>().all().await);
        error(db.add(new!(User {})).await);
    }
    db.create_tables::<User>().await?;
    db.add(new!(User {})).await?;
    assert_eq!(db.find_all::<User>().count().await?, 1);
    Ok(())
}

/// The same table, read as what it is not.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "users")]
struct NarrowUser {
    id: i64,
    #[ommi(column = "age")]
    years: u8,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "users")]
struct NamedUser {
    id: i64,
    name: String,
}

pub(crate) async fn a_value_that_does_not_fit_names_table_and_column(db: &Ommi) -> DBResult<()> {
    db.create_tables::<User>().await?;
    db.add(new!(User { age: 77_777 })).await?;
    let error = error(db.find_all::<NarrowUser>().all().await);
    let ErrorKind::Decode { table, column, expected, found, .. } = error.kind() else { panic!("{error:?}") };
    assert_eq!((table.as_str(), column.as_str()), ("users", "age"));
    assert!(expected.contains("u8"), "{expected}");
    assert!(!found.contains("77"), "{found}");
    let text = error.to_string();
    assert!(text.contains("users") && text.contains("age"), "{text}");
    assert!(!text.contains("77") && !format!("{error:?}").contains("77"), "{error:?}");
    Ok(())
}

pub(crate) async fn null_for_a_required_field_names_table_and_column(db: &Ommi) -> DBResult<()> {
    db.create_tables::<User>().await?;
    let added = db.add(new!(User {})).await?;
    for result in [db.get::<NamedUser>(added.id).await, db.find_all::<NamedUser>().one().await] {
        let error = error(result);
        let ErrorKind::Decode { table, column, found, .. } = error.kind() else { panic!("{error:?}") };
        assert_eq!((table.as_str(), column.as_str()), ("users", "name"));
        assert!(found.contains("NULL"), "{found}");
    }
    assert_eq!(db.find_all::<NamedUser>().count().await?, 1, "counting reads no column");
    Ok(())
}

/// Cloning keeps kind, text and cause.
pub(crate) async fn an_error_is_cloned_with_its_cause(db: &Ommi) -> DBResult<()> {
    let error = error(db.find_all::<User>().all().await);
    let clone = error.clone();
    assert_eq!(error.to_string(), clone.to_string());
    assert!(clone.source().is_some());
    Ok(())
}

pub(crate) async fn a_closed_database_is_a_connection_error(db: &Ommi) -> DBResult<()> {
    db.create_tables::<User>().await?;
    db.close().await;
    assert_kind!(db.find_all::<User>().all().await, ErrorKind::Connection);
    assert_kind!(db.add(new!(User {})).await, ErrorKind::Connection);
    if db.driver().capabilities().transactions {
        assert_kind!(db.begin().await, ErrorKind::Connection);
    }
    assert_kind!(db.create_tables::<User>().await, ErrorKind::Connection);
    assert_kind!(db.find_all::<User>().stream().try_next().await, ErrorKind::Connection);
    db.close().await;
    Ok(())
}
