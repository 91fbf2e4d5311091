//! One field: is it a column, and do its attributes agree with each other and with its type?

use quote::ToTokens;
use syn::Type;

use super::{Column, Default, Model, Reference, reference};
use crate::errors::Errors;
use crate::input::{AutoKind, FieldInput};
use crate::naming::{self, unraw};
use crate::types;

/// Refuses whatever else stands on a skipped field.
pub(super) fn refuse_other_attributes(field: &FieldInput, errors: &mut Errors) {
    for name in field.given.iter().filter(|name| *name != "skip") {
        errors.at(name, format!("`{}` is skipped: `{name}` has no meaning for a field that is no column", field.ident));
    }
}

/// Refuses what only a relation takes.
fn refuse_relation_attributes(field: &FieldInput, errors: &mut Errors) {
    for list in [&field.by, &field.to].into_iter().flatten() {
        let message = format!("`{}` is for relations, and `{}` is a column", list.name, field.ident);
        errors.at(&list.name, message);
    }
}

/// Makes a column of a field that will stand at this place, behind the columns that the model has already.
pub(super) fn resolve(
    mut field: FieldInput,
    place: usize,
    model: &Model,
    key_columns: usize,
    errors: &mut Errors,
) -> (Column, Option<Reference>) {
    let name = unraw(&field.ident);
    field.ty = own_type(field.ty, model);
    refuse_nested_option(&field.ty, errors);
    refuse_relation_attributes(&field, errors);
    check_key(&field, errors);
    check_auto(&field, key_columns, errors);
    check_default(&field, errors);
    check_version(&field, model, errors);
    if let (Some(truncate), None) = (&field.truncate, &field.precision) {
        errors.at(truncate, "`truncate` cuts off what is finer than a `precision`: say which");
    }

    let stored = match &field.column {
        Some(literal) => {
            if let Some(problem) = naming::unusable(&literal.value()) {
                errors.at(literal, format!("the name of a column cannot be stored everywhere: it {problem}"));
            }
            literal.value()
        }
        None => name.clone(),
    };
    if let Some(other) = model.columns.iter().find(|column| column.stored.eq_ignore_ascii_case(&stored)) {
        let message = if other.stored == stored {
            format!("`{}` and `{name}` are both stored as `{stored}`", other.field)
        } else {
            format!(
                "`{}` and `{name}` are stored as `{}` and `{stored}`, which differ only in case: not every store \
                 tells them apart; name one differently with `#[ommi(column = \"..\")]`",
                other.field, other.stored
            )
        };
        match &field.column {
            Some(literal) => errors.at(literal, message),
            None => errors.at(&field.ident, message),
        }
    }

    let reference = reference::single(&mut field, place, model, errors);
    let column = Column {
        field: name,
        stored,
        key: field.key.is_some(),
        auto: field.auto.map(|auto| auto.kind),
        unique: field.unique.is_some(),
        index: field.index.is_some(),
        default: field.default.map(|default| match default.value {
            Some(value) => Default::Value(own_expression(value, model)),
            None => Default::OfType,
        }),
        precision: field.precision,
        truncate: field.truncate.is_some(),
        version: field.version.is_some(),
        ident: field.ident,
        vis: field.vis,
        ty: field.ty,
    };
    (column, reference)
}

/// The type as it reads outside of the struct, where `Self` is something else.
pub(super) fn own_type(ty: Type, model: &Model) -> Type {
    let tokens = types::without_self(ty.to_token_stream(), &model.ident);
    syn::parse2(tokens).unwrap_or(ty)
}

fn own_expression(value: syn::Expr, model: &Model) -> syn::Expr {
    let tokens = types::without_self(value.to_token_stream(), &model.ident);
    syn::parse2(tokens).unwrap_or(value)
}

fn refuse_nested_option(ty: &Type, errors: &mut Errors) {
    if types::option_inner(ty).and_then(types::option_inner).is_some() {
        errors.at(ty, "an `Option` of an `Option` cannot be a column: NULL has one meaning");
    }
}

fn check_key(field: &FieldInput, errors: &mut Errors) {
    if field.key.is_none() {
        return;
    }
    if types::option_inner(&field.ty).is_some() {
        let message = format!("a key cannot be optional: a row without `{}` could not be found again", field.ident);
        errors.at(&field.ty, message);
    }
    if types::is_named(&field.ty, types::FLOATS) {
        errors.at(&field.ty, "a key cannot be a float, which is not always equal to what was stored");
    }
}

fn check_auto(field: &FieldInput, key_columns: usize, errors: &mut Errors) {
    let Some(auto) = field.auto.as_ref().filter(|_| field.version.is_none()) else { return };
    if field.key.is_none() {
        errors.at(
            &auto.name,
            format!("`auto` makes keys, and `{}` is none: mark it with `key`, or give it a `default`", field.ident),
        );
        return;
    }
    // For an optional key one message is enough.
    if types::option_inner(&field.ty).is_some() {
        return;
    }
    let integer = types::is_named(&field.ty, types::INTEGERS);
    let uuid = types::is_named(&field.ty, &["Uuid"]);
    let ty = types::text(&field.ty);
    match auto.kind {
        AutoKind::OfType if types::is_named(&field.ty, types::NEVER_AUTO) => errors.at(
            &field.ty,
            format!("`auto` cannot make a `{ty}`: it counts integers in the database, or makes a `Uuid`"),
        ),
        AutoKind::Increment if uuid || types::is_named(&field.ty, types::NEVER_AUTO) => {
            errors.at(&field.ty, format!("`auto = \"increment\"` counts integers, and `{ty}` is none"));
        }
        AutoKind::UuidV4 | AutoKind::UuidV7 if integer || types::is_named(&field.ty, types::NEVER_AUTO) => {
            errors.at(&field.ty, format!("this `auto` makes a `Uuid`, and `{ty}` is none"));
        }
        AutoKind::OfType | AutoKind::Increment if integer && key_columns > 1 => errors.at(
            &auto.name,
            "a part of a composite key cannot count by itself: only an integer that is the whole key can",
        ),
        _ => {}
    }
}

fn check_default(field: &FieldInput, errors: &mut Errors) {
    if let (Some(default), Some(_)) = (&field.default, &field.auto) {
        errors.at(&default.name, "a column is either made by `auto` or has a `default`, not both");
    }
}

fn check_version(field: &FieldInput, model: &Model, errors: &mut Errors) {
    let Some(version) = &field.version else { return };
    if let Some(other) = model.columns.iter().find(|column| column.version) {
        let message = format!("`{}` is the version already, and a model has one at most", other.field);
        errors.at(version, message);
    }
    if types::option_inner(&field.ty).is_some() {
        errors.at(&field.ty, "a version cannot be optional: it has to count the writes of every row");
    } else if types::is_named(&field.ty, types::NEVER_AUTO) || types::is_named(&field.ty, &["Uuid", "ObjectId"]) {
        errors.at(&field.ty, format!("a version counts, and `{}` is no integer", types::text(&field.ty)));
    }
    if let Some(key) = &field.key {
        errors.at(key, "a version cannot be part of the key, by which its row is found again");
    }
    if let Some(unique) = &field.unique {
        errors.at(unique, "a version cannot be unique: rows have the same versions");
    }
    if let Some(default) = &field.default {
        errors.at(&default.name, "a version has no `default`: it begins at 1");
    }
    if let Some(auto) = &field.auto {
        errors.at(&auto.name, "a version has no `auto`: it begins at 1 and counts the writes of its row");
    }
    if let Some(target) = &field.references {
        errors.at(target, "a version cannot be a reference: it counts the writes of its row");
    }
}
