//! Only plain structs with named fields, a key and a column are models.

use ommi::prelude::*;

#[derive(Model)]
enum Enum {
    A,
}

#[derive(Model)]
union Union {
    a: i64,
}

#[derive(Model)]
struct Tuple(i64, String);

#[derive(Model)]
struct Unit;

#[derive(Model)]
struct Generic<T> {
    id: T,
}

#[derive(Model)]
struct Lifetime<'a> {
    id: i64,
    name: &'a str,
}

#[derive(Model)]
struct Constant<const N: usize> {
    id: i64,
}

#[derive(Model)]
struct Where
where
    i64: Copy,
{
    id: i64,
}

#[derive(Model)]
struct Empty {}

#[derive(Model)]
struct AllSkipped {
    #[ommi(skip)]
    id: i64,
}

fn main() {}
