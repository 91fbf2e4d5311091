//! Relations whose reference is not said, does not fit, or leads to several rows.

use ommi::prelude::*;

#[derive(Model)]
struct Team {
    id: i64,
    name: String,
    // Two references of the other model.
    captain: HasOne<User>,
    // By no field of a reference of it.
    #[ommi(by = id)]
    members: HasMany<User>,
    // By what several teams may have.
    fans: HasMany<Fan>,
}

#[derive(Model)]
struct User {
    id: i64,
    #[ommi(references = Team::id)]
    team_id: i64,
    #[ommi(references = Team::id)]
    former_team_id: i64,
    friendships: HasMany<Friend, Through<Friend>>,
    // The second one is not said, and there are two.
    #[ommi(by = one)]
    friends: HasMany<User, Through<Friend>>,
    // Both are the same.
    #[ommi(by = one, to = one)]
    same: HasMany<User, Through<Friend>>,
    // No reference has such a field.
    #[ommi(by = one, to = third)]
    named: HasMany<User, Through<Friend>>,
    // There is no second one.
    #[ommi(by = one)]
    alone: HasMany<User, Through<Loner>>,
    // To what it does not refer to.
    teams: HasMany<Team, Through<Loner>>,
}

#[derive(Model)]
struct Friend {
    #[ommi(key, references = User::id)]
    one: i64,
    #[ommi(key, references = User::id)]
    other: i64,
}

#[derive(Model)]
struct Loner {
    #[ommi(key, references = User::id)]
    one: i64,
}

#[derive(Model)]
struct Fan {
    id: i64,
    #[ommi(references = Team::name, constraint = false)]
    team_name: String,
    team: BelongsTo<Option<Team>>,
}

fn main() {}
