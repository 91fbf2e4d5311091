//! New rows within new rows that name what is no column, or are of another model.

use ommi::prelude::*;

#[derive(Model)]
struct User {
    #[ommi(auto)]
    id: i64,
    name: String,
    posts: HasMany<Post>,
}

#[derive(Model)]
struct Post {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = User::id)]
    author_id: i64,
    title: String,
    author: BelongsTo<User>,
}

#[derive(Model)]
struct Tag {
    #[ommi(auto)]
    id: i64,
    title: String,
}

fn main() {
    // No such column.
    let _ = new!(User { name: "Ann", posts: [{ titel: "one" }] });
    // Rows of another model.
    let _ = new!(User { name: "Ann", posts: [new!(Tag { title: "rust" })] });
    let _ = new!(Post { title: "one", author: new!(Tag { title: "rust" }) });
    // No rows at all.
    let _ = new!(User { name: "Ann", posts: "one" });
}
