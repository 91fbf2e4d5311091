//! New rows within new rows that forget a column. What is forgotten here is found when the program is built, not when it is checked.

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
    comments: HasMany<Comment>,
}

#[derive(Model)]
struct Comment {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Post::id)]
    post_id: i64,
    text: String,
}

fn main() {
    // The title; who wrote it is the user around it.
    let _ = new!(User { name: "Ann", posts: [{ author_id: 1 }] });
    // The name of whom it refers to.
    let _ = new!(Post { title: "one", author: { id: 7 } });
    // The text, of one of two and two levels below.
    let _ = new!(User { name: "Ann", posts: [{ title: "one", comments: [{ text: "well" }, { id: 7 }] }] });
}
