//! References: do they say what they can mean?

use syn::{Path, PathSegment};

use super::{Model, Reference, places};
use crate::errors::Errors;
use crate::input::{CompositeReference, FieldInput, ReferenceOptions, ReferentialAction};
use crate::types;

/// The reference of one field, which will be the column at this place.
pub(super) fn single(field: &mut FieldInput, place: usize, model: &Model, errors: &mut Errors) -> Option<Reference> {
    let options = std::mem::take(&mut field.options);
    let Some(target) = field.references.take() else {
        for name in field.given.iter().filter(|name| is_option(name)) {
            errors.at(name, format!("`{name}` needs a reference that it is about: `references = Team::id`"));
        }
        return None;
    };
    let optional = types::option_inner(&field.ty).is_some();
    let without_default = (field.default.is_none() && !optional).then_some(field.ident.to_string());
    let required = (!optional).then(|| (field.ident.to_string(), types::text(&field.ty)));
    check_options(&options, required.as_ref(), without_default.as_deref(), errors);
    Some(Reference { columns: vec![place], targets: vec![own_column(target, model)], options })
}

/// The reference of several fields.
pub(super) fn composite(reference: CompositeReference, model: &Model, errors: &mut Errors) -> Option<Reference> {
    let CompositeReference { name, fields, targets, options } = reference;
    if fields.is_empty() {
        errors.at(&name, "`references` names no field");
        return None;
    }
    if fields.len() != targets.len() {
        let message =
            format!("`references` needs as many columns as fields, and names {} for {}", targets.len(), fields.len());
        errors.at(&name, message);
        return None;
    }
    let columns = places(&fields, model, &name, errors);
    let resolved = || columns.iter().filter_map(|&place| model.columns.get(place));
    let optional = |column: &&super::Column| types::option_inner(&column.ty).is_some();
    // `set null` sets every column of the reference, so that each of them must take it.
    let required = resolved().find(|column| !optional(column));
    let required = required.map(|column| (column.field.clone(), types::text(&column.ty)));
    let without_default = resolved().find(|column| column.default.is_none() && !optional(column));
    check_options(&options, required.as_ref(), without_default.map(|column| column.field.as_str()), errors);
    if columns.len() != targets.len() {
        return None;
    }
    let targets = targets.into_iter().map(|target| own_column(target, model)).collect();
    Some(Reference { columns, targets, options })
}

/// `required` is a field that cannot be NULL, with its type; `without_default` one that has no default to be set to.
fn check_options(
    options: &ReferenceOptions,
    required: Option<&(String, String)>,
    without_default: Option<&str>,
    errors: &mut Errors,
) {
    for (name, given) in [("on_delete", &options.on_delete), ("on_update", &options.on_update)] {
        let Some((literal, action)) = given else { continue };
        match (action, required, without_default) {
            (ReferentialAction::SetNull, Some((field, ty)), _) => {
                errors.at(literal, format!("`{field}` cannot be NULL: `{name} = \"set null\"` needs an `Option<{ty}>`"))
            }
            (ReferentialAction::SetDefault, _, Some(field)) => {
                errors.at(literal, format!("`{field}` has no default: `{name} = \"set default\"` needs one"));
            }
            _ if options.constraint == Some(false) => errors.at(
                literal,
                format!("`constraint = false` keeps the database from acting on this reference, `{name}` included"),
            ),
            _ => {}
        }
    }
}

fn is_option(name: &syn::Ident) -> bool {
    ["on_delete", "on_update", "constraint"].iter().any(|option| name == option)
}

/// A reference to the model itself, by `Self` or by its name, goes to where its columns are.
fn own_column(mut path: Path, model: &Model) -> Path {
    let single = path.leading_colon.is_none() && path.segments.len() == 2;
    if let Some(first) = path.segments.first_mut()
        && single
        && (first.ident == "Self" || first.ident == model.ident)
    {
        let mut ident = model.columns_on.clone().unwrap_or_else(|| model.ident.clone());
        ident.set_span(first.ident.span());
        *first = PathSegment::from(ident);
    }
    path
}
