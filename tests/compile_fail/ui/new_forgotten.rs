//! `new!` without a required column.

use ommi::prelude::*;

#[derive(Model)]
struct User {
    #[ommi(auto)]
    id: i64,
    email: String,
    name: String,
    #[ommi(default = 0)]
    visits: u32,
    nickname: Option<String>,
}

#[derive(Model)]
struct Note {
    id: i64,
}

fn main() {
    let _ = new!(User { name: "Ann" });
    let _ = new!(User { email: "ann@x.org", visits: 3 });
    let _ = new!(Note {});
}
