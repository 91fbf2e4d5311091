//! Attributes that do not exist, stand in the wrong place, twice, or without their value.

use ommi::prelude::*;

#[derive(Model)]
#[ommi(tabel = "users", table = "users", table = "people")]
#[ommi(key)]
#[ommi(table)]
#[ommi(table = users)]
#[ommi(unique)]
#[ommi(index(email, 3))]
#[ommi(crate = "not a path")]
#[ommi]
#[ommi()]
struct User {
    #[ommi(key = true)]
    id: i64,
    #[ommi(uniqe)]
    email: String,
    #[ommi(table = "names")]
    name: String,
    #[ommi(banana)]
    fruit: String,
    #[ommi(column)]
    a: i64,
    #[ommi(column = 3)]
    b: i64,
    #[ommi(index, index)]
    c: i64,
    #[ommi(unique default = 3)]
    d: i64,
    #[ommi("text")]
    e: i64,
}

// A mistake in an attribute does not make the queries of the model mistakes.
fn main() {
    let _ = User::email.eq("ann@x.org") & User::fruit.eq("apple");
    let _ = new!(User { id: 1 });
}
