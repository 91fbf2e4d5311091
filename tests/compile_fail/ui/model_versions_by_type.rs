//! Versions of types that only the compiler knows.

use ommi::prelude::*;

type Name = String;
type Perhaps = Option<i64>;

#[derive(Debug, Clone, PartialEq, FieldType)]
struct Email(String);

#[derive(Model)]
struct Aliased {
    id: i64,
    #[ommi(version)]
    version: Name,
}

#[derive(Model)]
struct AliasedOption {
    id: i64,
    #[ommi(version)]
    version: Perhaps,
}

#[derive(Model)]
struct Wrapped {
    id: i64,
    #[ommi(version)]
    version: Email,
}

fn main() {}
