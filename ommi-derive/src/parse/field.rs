//! The attributes on a field.

use syn::parse::ParseStream;
use syn::{Field, Ident, Token};

use super::attribute::{Level, expression, fields, flag, items, once, string};
use super::reference;
use crate::errors::Errors;
use crate::input::{AutoInput, AutoKind, DefaultInput, FieldInput, Precision, ReferenceOptions};

/// Reads a field with a name; others cannot stand in the struct that has them.
pub(super) fn read(field: Field, errors: &mut Errors) -> Option<FieldInput> {
    let mut this = FieldInput {
        ident: field.ident?,
        vis: field.vis,
        ty: field.ty,
        key: None,
        auto: None,
        column: None,
        unique: None,
        index: None,
        default: None,
        precision: None,
        truncate: None,
        version: None,
        references: None,
        options: ReferenceOptions::default(),
        skip: None,
        by: None,
        to: None,
        given: Vec::new(),
    };
    items(&field.attrs, Level::Field, errors, |name, input, errors| {
        this.given.push(name.clone());
        let word = match name.to_string().as_str() {
            "key" => &mut this.key,
            "unique" => &mut this.unique,
            "index" => &mut this.index,
            "skip" => &mut this.skip,
            "truncate" => &mut this.truncate,
            "version" => &mut this.version,
            "by" => {
                once(&mut this.by, fields(name, input)?, name, errors);
                return Ok(());
            }
            "to" => {
                once(&mut this.to, fields(name, input)?, name, errors);
                return Ok(());
            }
            "auto" => {
                once(&mut this.auto, auto(name, input)?, name, errors);
                return Ok(());
            }
            "column" => {
                once(&mut this.column, string(name, input)?, name, errors);
                return Ok(());
            }
            "default" => {
                once(&mut this.default, default(name, input)?, name, errors);
                return Ok(());
            }
            "precision" => {
                once(&mut this.precision, precision(name, input)?, name, errors);
                return Ok(());
            }
            "references" => {
                once(&mut this.references, reference::single(name, input)?, name, errors);
                return Ok(());
            }
            _ => return reference::option(&mut this.options, name, input, errors),
        };
        once(word, name.clone(), name, errors);
        flag(name, input)
    });
    Some(this)
}

fn auto(name: &Ident, input: ParseStream<'_>) -> syn::Result<AutoInput> {
    let kind = if input.peek(Token![=]) {
        let literal = string(name, input)?;
        match literal.value().as_str() {
            "increment" => AutoKind::Increment,
            "uuid_v4" => AutoKind::UuidV4,
            "uuid_v7" => AutoKind::UuidV7,
            other => {
                let message = format!("unknown way `{other}`: `auto` is \"increment\", \"uuid_v4\" or \"uuid_v7\"");
                return Err(syn::Error::new(literal.span(), message));
            }
        }
    } else {
        flag(name, input)?;
        AutoKind::OfType
    };
    Ok(AutoInput { name: name.clone(), kind })
}

fn precision(name: &Ident, input: ParseStream<'_>) -> syn::Result<Precision> {
    let literal = string(name, input)?;
    match literal.value().as_str() {
        "ms" => Ok(Precision::Milliseconds),
        "us" => Ok(Precision::Microseconds),
        "ns" => Ok(Precision::Nanoseconds),
        other => {
            let message = format!("unknown unit `{other}`: `precision` is \"ms\", \"us\" or \"ns\"");
            Err(syn::Error::new(literal.span(), message))
        }
    }
}

fn default(name: &Ident, input: ParseStream<'_>) -> syn::Result<DefaultInput> {
    let bare = input.is_empty() || input.peek(Token![,]);
    let value = if bare { None } else { Some(expression(name, input, "value")?) };
    Ok(DefaultInput { name: name.clone(), value })
}
