//! One field that leads to another model.

use super::{Model, Relation, column};
use crate::errors::Errors;
use crate::input::FieldInput;
use crate::naming::unraw;
use crate::types;

/// Makes a relation of a field. Which reference it goes by is found where all models are known: by the compiler.
pub(super) fn resolve(
    field: FieldInput,
    kind: syn::Result<types::Relation>,
    model: &Model,
    errors: &mut Errors,
) -> Option<Relation> {
    for name in field.given.iter().filter(|name| *name != "by" && *name != "to") {
        errors.at(
            name,
            format!("`{}` is a relation: `{name}` has no meaning for a field that is no column", field.ident),
        );
    }
    let kind = kind.map_err(|error| errors.push(error)).ok()?;
    if let Some(to) = &field.to
        && !matches!(kind, types::Relation::HasMany { through: Some(_), .. })
    {
        errors.at(&to.name, "`to` is for relations through an association model: `HasMany<Tag, Through<UserTag>>`");
    }
    let names = |list: Option<crate::input::FieldList>| -> Vec<String> {
        list.iter().flat_map(|list| &list.fields).map(unraw).collect()
    };
    let own = |ty| column::own_type(ty, model);
    Some(Relation {
        field: unraw(&field.ident),
        ident: field.ident,
        vis: field.vis,
        ty: own(field.ty),
        kind: match kind {
            types::Relation::BelongsTo { target } => types::Relation::BelongsTo { target: own(target) },
            types::Relation::HasOne { target } => types::Relation::HasOne { target: own(target) },
            types::Relation::HasMany { target, through } => types::Relation::HasMany {
                target: own(target),
                through: through.map(|through| Box::new(own(*through))),
            },
        },
        by: names(field.by),
        to: names(field.to),
    })
}
