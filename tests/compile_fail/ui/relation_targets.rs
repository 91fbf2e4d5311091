//! Relations to what is no model.

use ommi::prelude::*;

#[derive(Model)]
struct User {
    id: i64,
    names: HasMany<String>,
    age: HasOne<i32>,
    team: HasMany<Option<Team>>,
    teams: HasMany<Vec<Team>>,
    tags: HasMany<Team, Through<i64>>,
}

#[derive(Model)]
struct Team {
    id: i64,
    name: BelongsTo<String>,
}

fn main() {}
