//! Fields that cannot be columns as they are written.

use ommi::prelude::*;

#[derive(Model)]
#[ommi(unique(email, nam), index(cache), unique(email, email), index())]
struct User {
    id: i64,
    email: String,
    name: String,
    nickname: Option<Option<String>>,
    #[ommi(skip, unique, column = "cached")]
    cache: Vec<String>,
}

fn main() {}
