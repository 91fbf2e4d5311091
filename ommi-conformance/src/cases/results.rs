//! The verbs of a result, before the await and after it.

use ommi::prelude::*;

use crate::expect::{assert_kind, not_found};

#[derive(Debug, Clone, PartialEq, Model)]
struct User {
    id: i64,
    name: String,
}

fn guest() -> User {
    User { id: 0, name: "guest".to_owned() }
}

async fn ann(db: &Ommi) -> DBResult<User> {
    db.create_tables::<User>().await?;
    db.add(User { id: 1, name: "Ann".to_owned() }).await
}

pub(crate) async fn or_use_before_and_after_the_await(db: &Ommi) -> DBResult<()> {
    let ann = ann(db).await?;
    assert_eq!(db.get::<User>(1).or_use(guest()).await, ann);
    assert_eq!(db.get::<User>(1).await.or_use(guest()), ann);
    assert_eq!(db.get::<User>(9).or_use(guest()).await, guest());
    assert_eq!(db.get::<User>(9).await.or_use(guest()), guest());
    assert_eq!(db.find(User::id.gt(5)).count().or_use(7).await, 0, "no row is no failure of count");
    Ok(())
}

pub(crate) async fn or_use_takes_any_failure(db: &Ommi) -> DBResult<()> {
    // There is no table.
    assert_eq!(db.get::<User>(1).or_use(guest()).await, guest());
    assert_eq!(db.find_all::<User>().count().or_use(7).await, 7);
    assert_eq!(db.find_all::<User>().all().await.or_use(vec![guest()]), [guest()]);
    Ok(())
}

pub(crate) async fn or_use_with_is_given_the_error(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    let name = |error: DBError| User { id: 0, name: error.to_string() };
    assert!(db.get::<User>(9).or_use_with(name).await.name.contains("User"));
    assert!(db.get::<User>(9).await.or_use_with(name).name.contains("User"));
    assert_eq!(db.get::<User>(1).or_use_with(name).await.name, "Ann");
    Ok(())
}

pub(crate) async fn optional_is_none_without_a_row(db: &Ommi) -> DBResult<()> {
    let ann = ann(db).await?;
    assert_eq!(db.get::<User>(1).optional().await?, Some(ann.clone()));
    assert_eq!(db.get::<User>(9).optional().await?, None);
    assert_eq!(db.find(User::name.eq("Ann")).one().await.optional()?, Some(ann.clone()));
    assert_eq!(db.find(User::name.eq("Eve")).one().await.optional()?, None);
    assert_eq!(db.delete(&guest()).optional().await?, None);
    assert_eq!(db.delete(&ann).optional().await?, Some(()));
    Ok(())
}

/// Only absence becomes `None`.
pub(crate) async fn optional_keeps_every_other_failure(db: &Ommi) -> DBResult<()> {
    assert_kind!(db.get::<User>(1).optional().await, ErrorKind::Database);
    assert_kind!(db.get::<User>(1).await.optional(), ErrorKind::Database);
    Ok(())
}

#[derive(Debug)]
enum AppError {
    Missing,
    Other(DBError),
}

impl From<DBError> for AppError {
    fn from(error: DBError) -> AppError {
        if error.is_not_found() { AppError::Missing } else { AppError::Other(error) }
    }
}

pub(crate) async fn or_raise_gives_an_error_of_the_application(db: &Ommi) -> DBResult<()> {
    let before: Result<User, AppError> = db.get::<User>(1).or_raise().await;
    assert!(matches!(before, Err(AppError::Other(error)) if matches!(error.kind(), ErrorKind::Database)));
    ann(db).await?;
    assert!(matches!(db.get::<User>(9).or_raise::<AppError>().await, Err(AppError::Missing)));
    assert!(matches!(db.get::<User>(9).await.or_raise::<AppError>(), Err(AppError::Missing)));
    assert!(matches!(db.get::<User>(1).or_raise::<AppError>().await, Ok(user) if user.name == "Ann"));
    Ok(())
}

pub(crate) async fn an_operation_is_boxed_and_named(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    let operations = vec![db.get::<User>(1).boxed(), db.find(User::id.eq(1)).one().boxed()];
    for operation in operations {
        assert_eq!(operation.await?.name, "Ann");
    }
    not_found(db.get::<User>(5).boxed().await, "User");
    Ok(())
}

/// The verbs build on each other, and nothing is sent for what was replaced.
pub(crate) async fn verbs_chain(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    let user = db.get::<User>(9).optional().or_use(None).await;
    assert_eq!(user, None);
    let user = db.get::<User>(9).optional().await.or_use(Some(guest()));
    assert_eq!(user, None, "absence was no failure any more");
    Ok(())
}
