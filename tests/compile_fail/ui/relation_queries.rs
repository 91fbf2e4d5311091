//! Relations in queries that do not have them.

use ommi::prelude::*;

#[derive(Model)]
struct Team {
    id: i64,
    name: String,
    members: HasMany<User>,
}

#[derive(Model)]
struct User {
    id: i64,
    name: String,
    #[ommi(references = Team::id)]
    team_id: i64,
    team: BelongsTo<Team>,
}

async fn queries(db: &Ommi, team: &Team, user: &User) -> DBResult<()> {
    // Another model than the relation leads to.
    db.find(Team::members.any(Team::name.eq("x"))).all().await?;
    // A relation of another model.
    db.find_all::<User>().include(Team::members).all().await?;
    // A column of a model that no relation leads to.
    db.find(User::name.eq(Team::name)).all().await?;
    db.find_all::<User>().sort(Team::name).all().await?;
    // Nothing to narrow in what is one row.
    db.find_all::<User>().include(User::team.limit(3)).all().await?;
    // One row is `is`, many are `any`.
    db.find(User::team.any(Team::name.eq("x"))).all().await?;
    db.find(Team::members.is(User::name.eq("x"))).all().await?;
    // A relation is no value.
    let _: &[User] = team.members;
    let _: String = user.team.name;
    // A number of rows is compared.
    db.find(Team::members.count()).all().await?;
    db.find(Team::members.count().ge("3")).all().await?;
    Ok(())
}

fn main() {}
