//! `new!` of what is no model.

use ommi::prelude::*;

struct Plain {
    id: i64,
}

fn main() {
    let _ = new!(Plain { id: 1 });
    let _ = new!(Missing { id: 1 });
}
