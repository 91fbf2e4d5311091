//! An association that is no model.

use ommi::prelude::*;

#[derive(Model)]
struct User {
    id: i64,
    tags: HasMany<Tag, Through<UserTag>>,
}

#[derive(Model)]
struct Tag {
    id: i64,
}

struct UserTag;

fn main() {}
