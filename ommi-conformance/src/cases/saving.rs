//! Writing a whole row by its key.

use ommi::{ConstraintKind, prelude::*};

use crate::expect::{not_found, violation};

#[derive(Debug, Clone, PartialEq, Model)]
struct User {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    email: String,
    name: Option<String>,
    #[ommi(default = 0)]
    visits: i64,
}

async fn users(db: &Ommi) -> DBResult<(User, User)> {
    db.create_tables::<User>().await?;
    let ann = db.add(new!(User { email: "ann@x.org", name: "Ann", visits: 5 })).await?;
    let bob = db.add(new!(User { email: "bob@x.org", name: "Bob" })).await?;
    Ok((ann, bob))
}

pub(crate) async fn writes_every_column_of_that_row(db: &Ommi) -> DBResult<()> {
    let (mut ann, bob) = users(db).await?;
    ann.email = "ann@y.org".to_owned();
    ann.name = None;
    ann.visits = -1;
    db.save(&mut ann).await?;
    assert_eq!(db.get::<User>(ann.id).await?, ann);
    assert_eq!(db.get::<User>(bob.id).await?, bob, "and no other");
    Ok(())
}

pub(crate) async fn an_unchanged_row(db: &Ommi) -> DBResult<()> {
    let (mut ann, _) = users(db).await?;
    db.save(&mut ann).await?;
    db.save(&mut ann).await?;
    assert_eq!(db.get::<User>(ann.id).await?, ann);
    Ok(())
}

pub(crate) async fn a_row_that_has_gone_is_not_found(db: &Ommi) -> DBResult<()> {
    let (mut ann, bob) = users(db).await?;
    db.delete(&ann).await?;
    not_found(db.save(&mut ann).await, "User");
    assert_eq!(db.find_all::<User>().all().await?, [bob], "it is not added again");
    Ok(())
}

pub(crate) async fn a_violation_changes_nothing(db: &Ommi) -> DBResult<()> {
    let (ann, _) = users(db).await?;
    let mut changed = User { email: "bob@x.org".to_owned(), visits: 99, ..ann.clone() };
    violation(db.save(&mut changed).await, ConstraintKind::Unique, "users", &["email"]);
    assert_eq!(db.get::<User>(ann.id).await?, ann);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Seat {
    #[ommi(key)]
    region: String,
    holder: Option<String>,
    #[ommi(key)]
    number: i32,
}

pub(crate) async fn by_a_composite_key(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Seat>().await?;
    let seat = |region: &str, number, holder: Option<&str>| Seat {
        region: region.to_owned(),
        number,
        holder: holder.map(str::to_owned),
    };
    db.add_all([seat("US", 1, None), seat("US", 2, None), seat("EU", 1, None)]).await?;
    db.save(&mut seat("US", 2, Some("Ann"))).await?;
    let all = db.find_all::<Seat>().sort((Seat::region, Seat::number)).all().await?;
    assert_eq!(all, [seat("EU", 1, None), seat("US", 1, None), seat("US", 2, Some("Ann"))]);
    not_found(db.save(&mut seat("EU", 2, None)).await, "Seat");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Membership {
    #[ommi(key)]
    user: i64,
    #[ommi(key)]
    team: i64,
}

/// There is nothing to write, but still a row that may have gone.
pub(crate) async fn a_row_of_nothing_but_its_key(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Membership>().await?;
    let mut row = db.add(Membership { user: 1, team: 2 }).await?;
    db.save(&mut row).await?;
    not_found(db.save(&mut Membership { user: 2, team: 1 }).await, "Membership");
    Ok(())
}
