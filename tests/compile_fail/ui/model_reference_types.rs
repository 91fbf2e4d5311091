//! References to what is of another type, no column, no model, or of two models at once.

use ommi::prelude::*;

#[derive(Model)]
struct Team {
    id: i64,
}

#[derive(Model)]
struct City {
    id: i64,
}

struct Plain;

impl Plain {
    #[allow(non_upper_case_globals)]
    const id: i64 = 1;
}

#[derive(Model)]
#[ommi(references((town, city) = (Team::id, City::id)))]
struct User {
    id: i64,
    #[ommi(references = Team::id)]
    team: String,
    #[ommi(references = Team::id)]
    narrow: Option<i32>,
    #[ommi(references = Team::ident)]
    missing: i64,
    #[ommi(references = Plain::id)]
    plain: i64,
    town: i64,
    city: i64,
}

fn main() {}
