//! Defaults that are not of the column's type.

use ommi::prelude::*;

#[derive(Model)]
struct User {
    id: i64,
    #[ommi(default = "many")]
    visits: u32,
    #[ommi(default = 3)]
    name: String,
    #[ommi(default = None)]
    email: String,
    #[ommi(default = unknown)]
    rank: i64,
}

fn main() {}
