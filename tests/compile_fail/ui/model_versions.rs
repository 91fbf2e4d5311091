//! Versions: of types that do not count, where something else is meant, and more than one.

use ommi::prelude::*;
use uuid::Uuid;

#[derive(Model)]
struct Optional {
    id: i64,
    #[ommi(version)]
    version: Option<i64>,
}

#[derive(Model)]
struct Text {
    id: i64,
    #[ommi(version)]
    version: String,
}

#[derive(Model)]
struct Float {
    id: i64,
    #[ommi(version)]
    version: f64,
}

#[derive(Model)]
struct Identifier {
    id: i64,
    #[ommi(version)]
    version: Uuid,
}

#[derive(Model)]
struct PartOfTheKey {
    id: i64,
    #[ommi(key, version)]
    version: i64,
}

#[derive(Model)]
struct TheKey {
    #[ommi(version)]
    id: i64,
}

#[derive(Model)]
struct Two {
    id: i64,
    #[ommi(version)]
    first: i64,
    #[ommi(version)]
    second: i64,
}

#[derive(Model)]
struct Reference {
    id: i64,
    #[ommi(version, references = TheKey::id)]
    version: i64,
}

#[derive(Model)]
#[ommi(references((a, version) = (Other::a, Other::b)))]
struct PartOfAReference {
    id: i64,
    a: i64,
    #[ommi(version)]
    version: i64,
}

#[derive(Model)]
#[ommi(unique(other), unique(version))]
struct Unique {
    id: i64,
    other: i64,
    #[ommi(version)]
    version: i64,
}

#[derive(Model)]
struct UniqueField {
    id: i64,
    #[ommi(version, unique)]
    version: i64,
}

#[derive(Model)]
struct WithDefault {
    id: i64,
    #[ommi(version, default = 7)]
    version: i64,
}

#[derive(Model)]
struct Automatic {
    id: i64,
    #[ommi(version, auto)]
    version: i64,
}

#[derive(Model)]
struct Skipped {
    id: i64,
    #[ommi(version, skip)]
    version: i64,
}

#[derive(Model)]
struct WithAValue {
    id: i64,
    #[ommi(version = 1)]
    version: i64,
}

#[derive(Model)]
#[ommi(version)]
struct OnTheModel {
    id: i64,
}

#[derive(Model)]
struct OfARelation {
    id: i64,
    #[ommi(version)]
    two: HasMany<Two>,
}

fn main() {}
