//! Stored names that some store cannot address or tell apart.

use ommi::prelude::*;

#[derive(Model)]
#[ommi(table = "app.users")]
struct Dot {
    id: i64,
    #[ommi(column = "a.b")]
    a: i64,
    #[ommi(column = "")]
    b: i64,
    #[ommi(column = "$c")]
    c: i64,
    #[ommi(column = "d\0")]
    d: i64,
}

#[derive(Model)]
#[ommi(table = "")]
struct Nameless {
    id: i64,
}

#[derive(Model)]
struct Case {
    id: i64,
    name: String,
    #[ommi(column = "Name")]
    full_name: String,
    #[ommi(column = "id")]
    other: i64,
}

fn main() {}
