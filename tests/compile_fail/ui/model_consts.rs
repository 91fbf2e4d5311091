//! A column clashes with a function of the model; `columns = ..` is the way out.

use ommi::prelude::*;

#[derive(Model)]
struct User {
    id: i64,
    name: String,
}

impl User {
    fn name(&self) -> &str {
        &self.name
    }
}

fn main() {}
