//! `new!` with an unknown column, or values of other types.

use ommi::prelude::*;

#[derive(Model)]
struct User {
    #[ommi(auto)]
    id: i64,
    email: String,
    visits: u32,
    nickname: Option<String>,
    #[ommi(skip)]
    cache: i64,
}

fn main() {
    let email = "ann@x.org";
    let _ = new!(User { email, visits: 3, nick: "ann" });
    let _ = new!(User { email, visits: 3, cache: 1 });
    let _ = new!(User { email: 3, visits: 3 });
    let _ = new!(User { email, visits: "three" });
    let _ = new!(User { email, visits: -1i64 });
    let _ = new!(User { email, visits: 3, nickname: Some(3) });
    let _ = new!(User { email, visits: None });
}
