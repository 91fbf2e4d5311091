//! What `new!` cannot read.

use ommi::prelude::*;

#[derive(Model)]
struct User {
    id: i64,
    name: String,
}

impl User {
    fn make(other: User) {
        let _ = new!(Self { id: 1, name: "Ann" });
        let _ = new!(User { id: 1, ..other });
    }
}

fn main() {
    let _ = new!();
    let _ = new!(User);
    let _ = new!(User { id: 1, name: "Ann", id: 2 });
    let _ = new!(User { id: 1, type: 2 });
    let _ = new!(User { id: 1 name: "Ann" });
    let _ = new!(User { id: 1, "Ann" });
    let _ = new!(User { id: 1, name: "Ann" }, User { id: 2, name: "Bob" });
}
