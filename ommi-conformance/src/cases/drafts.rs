//! New rows that are put together at run time.

use ommi::prelude::*;

use crate::expect::invalid_column;

#[derive(Debug, Clone, PartialEq, Model)]
struct User {
    #[ommi(auto)]
    id: i64,
    email: String,
    name: String,
    #[ommi(default = 1)]
    visits: u32,
    born: Option<i16>,
}

pub(crate) async fn by_methods(db: &Ommi) -> DBResult<()> {
    db.create_tables::<User>().await?;
    let added = db.add(UserDraft::new().email("ann@x.org").name("Ann").born(1990i16)).await?;
    assert_eq!(
        (added.email.as_str(), added.name.as_str(), added.visits, added.born),
        ("ann@x.org", "Ann", 1, Some(1990))
    );
    assert_eq!(db.get::<User>(added.id).await?, added);
    Ok(())
}

pub(crate) async fn by_slots(db: &Ommi) -> DBResult<()> {
    db.create_tables::<User>().await?;
    let mut row = UserDraft::default();
    row.email.set("ann@x.org");
    row.name.set("Ann");
    row.visits.set(7u32);
    row.visits.clear();
    assert!(!row.visits.is_set());
    assert_eq!(row.name.get().map(String::as_str), Some("Ann"));
    assert_eq!(db.add(row).await?.visits, 1);
    Ok(())
}

/// Found before anything is sent: there is no table.
pub(crate) async fn a_required_column_that_was_left_out_is_named(db: &Ommi) -> DBResult<()> {
    invalid_column(db.add(UserDraft::new().email("ann@x.org")).await, "User", "name");
    invalid_column(db.add(UserDraft::new().name("Ann")).await, "User", "email");
    let rows = vec![new!(User { email: "a", name: "b" }), UserDraft::new().email("ann@x.org")];
    invalid_column(db.add_all(rows).await, "User", "name");
    invalid_column(db.upsert(UserDraft::new()).on(User::id).ignore().await, "User", "email");
    Ok(())
}

pub(crate) async fn an_optional_column_can_be_none_by_name(db: &Ommi) -> DBResult<()> {
    db.create_tables::<User>().await?;
    let added = db.add(UserDraft::new().email("a").name("b").born(None)).await?;
    assert_eq!(added.born, None);
    let born: Option<i16> = Some(3);
    let name = String::from("owned");
    let added = db.add(new!(User { email: &name, name, born })).await?;
    assert_eq!((added.email.as_str(), added.born), ("owned", Some(3)));
    Ok(())
}
