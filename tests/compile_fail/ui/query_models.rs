//! Columns of one model in the queries of another.

use ommi::prelude::*;

#[derive(Model)]
struct User {
    id: i64,
    name: String,
}

#[derive(Model)]
struct Post {
    id: i64,
    title: String,
}

async fn queries(db: &Ommi) -> DBResult<()> {
    let _ = User::name.eq(Post::title);
    let _ = User::id.eq(1) & Post::id.eq(1);
    let _ = User::id.eq(1) | Post::id.eq(1);
    let _ = all_of([User::id.eq(1), Post::id.eq(1)]);
    let _ = db.find(User::id.eq(1)).sort(Post::id.asc());
    let _ = db.find(User::id.eq(1)).sort((User::id, Post::id));
    let _ = db.find(User::id.eq(1)).update(Post::title.set("x"));
    let _ = db.find(User::id.eq(1)).update((User::name.set("x"), Post::title.set("x")));
    let _ = db.find(User::id.eq(1)).update(User::name);
    let _ = db.find(User::active);
    let _ = db.find(User::name);
    let _ = db.get::<User>("one");
    let _ = db.find_all::<String>();
    let _ = db.add("Ann");
    let _ = db.add_all(["Ann"]);
    Ok(())
}

fn main() {}
