//! From tokens to a [`ModelInput`]: the shape of the struct, and its attributes.

mod attribute;
mod field;
mod model;
mod reference;

use syn::{Data, DeriveInput, Fields, Path, parse_quote};

use crate::errors::Errors;
use crate::input::ModelInput;

pub(crate) use attribute::{Level, items, once, path};

/// Reads a model. `None` where the item is no plain struct, about which nothing more can be said.
pub(crate) fn model(input: DeriveInput, errors: &mut Errors) -> Option<ModelInput> {
    let DeriveInput { attrs, vis, ident, generics, data } = input;
    let named = match data {
        Data::Struct(data) => match data.fields {
            Fields::Named(fields) => Some(fields.named),
            Fields::Unnamed(fields) => {
                errors.at(fields, "a model needs named fields: `struct User { id: i64, .. }`");
                None
            }
            Fields::Unit => {
                errors.at(&ident, "a model needs named fields: `struct User { id: i64, .. }`");
                None
            }
        },
        Data::Enum(data) => {
            errors.at(data.enum_token, "a model is a struct with named fields, not an enum");
            None
        }
        Data::Union(data) => {
            errors.at(data.union_token, "a model is a struct with named fields, not a union");
            None
        }
    };
    if !generics.params.is_empty() {
        let message = "a model cannot be generic: each model is one table, with columns of known types";
        errors.at(&generics.params, message);
    }
    if let Some(clause) = &generics.where_clause {
        errors.at(clause, "a model takes no `where` clause");
    }
    if !generics.params.is_empty() || generics.where_clause.is_some() {
        return None;
    }
    let fields = named?.into_iter().filter_map(|field| field::read(field, errors)).collect();
    Some(model::read(ident, vis, &attrs, fields, errors))
}

/// Where the `ommi` crate is when nothing is said.
pub(crate) fn default_crate() -> Path {
    parse_quote!(::ommi)
}
