//! A skipped field is filled with its type's `Default`.

use ommi::prelude::*;

struct Cache;

#[derive(Model)]
struct User {
    id: i64,
    #[ommi(skip)]
    cache: Cache,
}

fn main() {}
