//! Newtypes of what is no column, or NULL.

use ommi::prelude::*;

type Maybe = Option<i64>;

#[derive(FieldType)]
struct Hidden(Maybe);

#[derive(FieldType)]
struct NoColumn(std::collections::HashMap<String, String>);

fn main() {}
