//! Columns and drafts are as private as the fields.

use ommi::prelude::*;

mod models {
    use ommi::prelude::*;

    #[derive(Model)]
    pub struct User {
        pub id: i64,
        name: String,
    }
}

use models::User;

fn main() {
    let _ = User::name.eq("Ann");
    let _ = new!(User { id: 1, name: "Ann" });
}
