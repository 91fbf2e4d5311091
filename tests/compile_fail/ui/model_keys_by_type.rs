//! What only the type of a field tells of its key.

use ommi::prelude::*;

#[derive(Debug, FieldType)]
struct Code(String);

#[derive(Debug, FieldType)]
struct Number(i64);

#[derive(Model)]
struct AutoCode {
    #[ommi(auto)]
    id: Code,
}

#[derive(Model)]
struct UuidNumber {
    #[ommi(auto = "uuid_v4")]
    id: Number,
}

fn main() {}
