//! References that do not say what they can mean.

use ommi::prelude::*;

#[derive(Model)]
struct Team {
    id: i64,
}

#[derive(Model)]
#[ommi(references((a, b) = (Team::id)))]
#[ommi(references((a, team) = (Team::id, Team::id)))]
#[ommi(references((a, b) = (Team::id, Team::id), on_delete = "set null"))]
#[ommi(references(a = Team::id))]
struct User {
    id: i64,
    a: i64,
    b: Option<i64>,
    #[ommi(references)]
    c: i64,
    #[ommi(references = Team)]
    d: i64,
    #[ommi(references = "Team::id")]
    e: i64,
    #[ommi(references = Team::id, on_delete = "cascad")]
    f: i64,
    #[ommi(references = Team::id, on_delete = "explode")]
    g: i64,
    #[ommi(references = Team::id, on_delete = "set null")]
    h: i64,
    #[ommi(references = Team::id, on_update = "set default")]
    i: i64,
    #[ommi(on_delete = "cascade")]
    j: i64,
    #[ommi(references = Team::id, constraint = false, on_delete = "cascade")]
    k: i64,
    #[ommi(references = Team::id, references = Team::id)]
    l: i64,
    #[ommi(references = Team::id, constraint = "false")]
    m: i64,
}

fn main() {}
