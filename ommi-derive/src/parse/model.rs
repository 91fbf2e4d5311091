//! The attributes on the struct.

use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, Token, Visibility, parenthesized, token};

use super::attribute::{Level, ident as one_ident, items, once, path, string};
use super::{default_crate, reference};
use crate::errors::Errors;
use crate::input::{FieldInput, FieldList, ModelInput};

/// Reads what stands on the struct.
pub(super) fn read(
    ident: Ident,
    vis: Visibility,
    attrs: &[Attribute],
    fields: Vec<FieldInput>,
    errors: &mut Errors,
) -> ModelInput {
    let mut krate = None;
    let mut model = ModelInput {
        ident,
        vis,
        krate: default_crate(),
        schema: None,
        table: None,
        columns: None,
        uniques: Vec::new(),
        indexes: Vec::new(),
        references: Vec::new(),
        fields,
    };
    items(attrs, Level::Model, errors, |name, input, errors| {
        match name.to_string().as_str() {
            "schema" => once(&mut model.schema, string(name, input)?, name, errors),
            "table" => once(&mut model.table, string(name, input)?, name, errors),
            "columns" => once(&mut model.columns, one_ident(name, input)?, name, errors),
            "unique" => model.uniques.push(field_list(name, input)?),
            "index" => model.indexes.push(field_list(name, input)?),
            "references" => model.references.push(reference::composite(name, input, errors)?),
            _ => once(&mut krate, path(name, input)?, name, errors),
        }
        Ok(())
    });
    if let Some(krate) = krate {
        model.krate = krate;
    }
    model
}

fn field_list(name: &Ident, input: ParseStream<'_>) -> syn::Result<FieldList> {
    if !input.peek(token::Paren) {
        let message = format!("`{name}` on a model needs a list of fields: `{name}(a, b)`");
        return Err(syn::Error::new(name.span(), message));
    }
    let content;
    parenthesized!(content in input);
    let fields = Punctuated::<Ident, Token![,]>::parse_terminated(&content)
        .map_err(|error| syn::Error::new(error.span(), format!("`{name}` lists names of fields: `{name}(a, b)`")))?;
    Ok(FieldList { name: name.clone(), fields: fields.into_iter().collect() })
}
