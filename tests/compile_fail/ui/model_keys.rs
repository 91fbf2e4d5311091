//! Keys: none, of types that cannot be keys, and generated where nothing can be generated.

use ommi::prelude::*;
use uuid::Uuid;

#[derive(Model)]
struct Keyless {
    name: String,
}

#[derive(Model)]
struct OptionalKey {
    #[ommi(key)]
    email: Option<String>,
}

#[derive(Model)]
struct FloatKey {
    id: f64,
}

#[derive(Model)]
struct AutoText {
    #[ommi(auto)]
    id: String,
}

#[derive(Model)]
struct AutoAside {
    id: i64,
    #[ommi(auto)]
    number: i64,
}

#[derive(Model)]
struct AutoPart {
    #[ommi(key, auto)]
    id: i64,
    #[ommi(key)]
    line: i64,
}

#[derive(Model)]
struct AutoUuidOnInteger {
    #[ommi(auto = "uuid_v7")]
    id: i64,
}

#[derive(Model)]
struct AutoIncrementOnUuid {
    #[ommi(auto = "increment")]
    id: Uuid,
}

#[derive(Model)]
struct AutoUnknown {
    #[ommi(auto = "random")]
    id: Uuid,
}

#[derive(Model)]
struct AutoAndDefault {
    #[ommi(auto, default = 1)]
    id: i64,
}

fn main() {}
