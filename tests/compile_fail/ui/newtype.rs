//! Newtypes that have no obvious column.

use ommi::prelude::*;

#[derive(FieldType)]
enum Enum {
    A,
}

#[derive(FieldType)]
struct Two(String, i64);

#[derive(FieldType)]
struct None;

#[derive(FieldType)]
struct Generic<T>(T);

#[derive(FieldType)]
struct Nullable(Option<String>);

#[derive(FieldType)]
#[ommi(table = "x")]
struct Attribute(String);

fn main() {}
