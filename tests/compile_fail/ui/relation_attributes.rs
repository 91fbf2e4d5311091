//! What is said of columns, said of relations.

use ommi::prelude::*;

#[derive(Model)]
struct Team {
    id: i64,
}

#[derive(Model)]
struct User {
    id: i64,
    #[ommi(references = Team::id)]
    team_id: i64,
    #[ommi(key)]
    a: BelongsTo<Team>,
    #[ommi(auto)]
    b: BelongsTo<Team>,
    #[ommi(default = 1)]
    c: BelongsTo<Team>,
    #[ommi(references = Team::id)]
    d: BelongsTo<Team>,
    #[ommi(skip)]
    e: BelongsTo<Team>,
    #[ommi(by)]
    f: BelongsTo<Team>,
    #[ommi(by = team_id, by = team_id)]
    g: BelongsTo<Team>,
}

fn main() {}
