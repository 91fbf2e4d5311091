//! Comparisons with another type, and predicates that a column's type does not have.

use ommi::prelude::*;

#[derive(Model)]
struct User {
    id: i64,
    name: String,
    visits: u32,
    nickname: Option<String>,
    active: bool,
}

fn main() {
    let _ = User::id.eq("one");
    let _ = User::name.eq(1);
    let _ = User::visits.gt(1.5);
    let _ = User::visits.gt(1i64);
    let _ = User::name.is_in(["a"]);
    let _ = User::id.in_(["a", "b"]);
    let _ = User::id.between(1, "two");
    let _ = User::name.eq(None);
    let _ = User::nickname.eq(Some("ann"));
    let _ = User::nickname.eq(3);
    let _ = User::id.eq(User::name);
    let _ = User::id.contains("1");
    let _ = User::name.contains(1);
    let _ = User::name.increment(1);
    let _ = User::visits.increment("one");
    let _ = User::visits.set("many");
    let _ = User::name.set(None);
    let _ = User::active & User::name.eq("Ann");
    let _ = User::nme.eq("Ann");
}
