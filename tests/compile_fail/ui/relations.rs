//! Relations that lead nowhere, or to several places.

use ommi::prelude::*;

#[derive(Model)]
struct Team {
    id: i64,
    name: String,
    members: HasMany<User>,
    fans: HasMany<User, Through<Fan>>,
}

#[derive(Model)]
struct User {
    id: i64,
    #[ommi(references = Team::id)]
    team_id: Option<i64>,
    #[ommi(references = Team::id)]
    former_team_id: Option<i64>,
    team: BelongsTo<Option<Team>>,
    #[ommi(by = old_team_id)]
    former: BelongsTo<Option<Team>>,
    posts: HasMany<Post>,
    friends: HasMany<User, Through<Friend>>,
}

#[derive(Model)]
struct Post {
    id: i64,
    author: BelongsTo<User>,
}

#[derive(Model)]
struct Fan {
    #[ommi(key, references = User::id)]
    user_id: i64,
    #[ommi(key)]
    team_id: i64,
}

#[derive(Model)]
struct Friend {
    #[ommi(key, references = User::id)]
    one: i64,
    #[ommi(key, references = User::id)]
    other: i64,
}

#[derive(Model)]
struct Wrong {
    id: i64,
    #[ommi(unique, column = "x")]
    a: HasMany<Team>,
    b: HasMany,
    c: HasMany<Team, User>,
    #[ommi(to = id)]
    d: HasOne<Team>,
    #[ommi(by = id)]
    e: i64,
    #[ommi(by = "id")]
    g: BelongsTo<Team>,
}

fn main() {}
