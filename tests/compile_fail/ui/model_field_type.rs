//! A field whose type no column holds.

use ommi::prelude::*;

struct Address {
    street: String,
}

#[derive(Model)]
struct User {
    id: i64,
    address: Address,
}

fn main() {}
