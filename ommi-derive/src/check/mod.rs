//! From a [`ModelInput`] to a [`Model`]: names are resolved to columns, and what cannot be a model is refused.
//!
//! A model comes out also when something is wrong, as far as it was understood, so that a mistake in one field does
//! not make every query of the model one.

mod column;
mod reference;
mod relation;

use syn::{Ident, LitStr, Path, Type, Visibility};

use crate::errors::Errors;
use crate::input::{AutoKind, CompositeReference, FieldInput, FieldList, ModelInput, Precision, ReferenceOptions};
use crate::naming::{self, unraw};
use crate::types;

/// A model that can be emitted. Columns are known by their place.
pub(crate) struct Model {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) krate: Path,
    /// The schema of the database, if the model names one.
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
    /// The type that carries the columns, if not the model.
    pub(crate) columns_on: Option<Ident>,
    pub(crate) columns: Vec<Column>,
    /// Fields that are no columns.
    pub(crate) skipped: Vec<Ident>,
    pub(crate) uniques: Vec<Vec<usize>>,
    pub(crate) indexes: Vec<Vec<usize>>,
    pub(crate) references: Vec<Reference>,
    pub(crate) relations: Vec<Relation>,
}

/// A field that is a column.
pub(crate) struct Column {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) ty: Type,
    /// The field's name, without `r#`.
    pub(crate) field: String,
    pub(crate) stored: String,
    pub(crate) key: bool,
    pub(crate) auto: Option<AutoKind>,
    pub(crate) unique: bool,
    pub(crate) index: bool,
    pub(crate) default: Option<Default>,
    pub(crate) precision: Option<Precision>,
    pub(crate) truncate: bool,
    pub(crate) version: bool,
}

/// The value of a new row that names none.
pub(crate) enum Default {
    OfType,
    Value(syn::Expr),
}

/// A reference, of one column or several, to as many.
pub(crate) struct Reference {
    pub(crate) columns: Vec<usize>,
    pub(crate) targets: Vec<Path>,
    pub(crate) options: ReferenceOptions,
}

/// A field that leads to another model.
pub(crate) struct Relation {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) ty: Type,
    /// The field's name, without `r#`.
    pub(crate) field: String,
    pub(crate) kind: types::Relation,
    /// The fields of the reference that it goes by, if they are given.
    pub(crate) by: Vec<String>,
    /// Those of the association model's second reference.
    pub(crate) to: Vec<String>,
}

impl Relation {
    /// The model that it leads to.
    pub(crate) fn target(&self) -> &Type {
        match &self.kind {
            types::Relation::BelongsTo { target }
            | types::Relation::HasOne { target }
            | types::Relation::HasMany { target, .. } => target,
        }
    }
}

impl Model {
    /// The struct's name, without `r#`.
    pub(crate) fn name(&self) -> String {
        unraw(&self.ident)
    }
}

/// Checks and resolves a model.
pub(crate) fn model(input: ModelInput, errors: &mut Errors) -> Model {
    let mut model = Model {
        schema: input.schema.as_ref().map(LitStr::value),
        table: naming::table(&unraw(&input.ident)),
        ident: input.ident,
        vis: input.vis,
        krate: input.krate,
        columns_on: input.columns,
        columns: Vec::new(),
        skipped: Vec::new(),
        uniques: Vec::new(),
        indexes: Vec::new(),
        references: Vec::new(),
        relations: Vec::new(),
    };
    if let Some(literal) = input.schema
        && let Some(problem) = naming::unusable(&literal.value())
    {
        errors.at(literal, format!("this is no name of a schema: it {problem}"));
    }
    if let Some(literal) = input.table {
        model.table = literal.value();
        if let Some(problem) = naming::unusable(&model.table) {
            let hint = match model.table.contains('.') {
                true => "; a schema has an attribute of its own: `schema = \"sales\"`",
                false => "",
            };
            errors.at(literal, format!("the name of a table cannot be stored everywhere: it {problem}{hint}"));
        }
    }

    let fields = with_a_key(input.fields, &model.ident, errors);
    let key_columns = fields.iter().filter(|field| field.key.is_some() && is_column(field)).count();
    for field in fields {
        if field.skip.is_some() {
            column::refuse_other_attributes(&field, errors);
            model.skipped.push(field.ident);
        } else if let Some(kind) = types::relation(&field.ty) {
            let relation = relation::resolve(field, kind, &model, errors);
            model.relations.extend(relation);
        } else {
            let place = model.columns.len();
            let (column, reference) = column::resolve(field, place, &model, key_columns, errors);
            model.columns.push(column);
            model.references.extend(reference);
        }
    }
    if model.columns.is_empty() {
        errors.at(&model.ident, format!("`{}` has no columns: a model needs at least a key", model.ident));
    }

    refuse_versions(&input.uniques, &input.references, &model, errors);
    model.uniques = lists(input.uniques, &model, errors);
    model.indexes = lists(input.indexes, &model, errors);
    for composite in input.references {
        let reference = reference::composite(composite, &model, errors);
        model.references.extend(reference);
    }
    model
}

/// Refuses the version where rows have to differ in it, and where it would have to be another row's key.
fn refuse_versions(uniques: &[FieldList], references: &[CompositeReference], model: &Model, errors: &mut Errors) {
    let is_version = |ident: &&Ident| model.columns.iter().any(|column| column.version && column.field == unraw(ident));
    for list in uniques {
        if let [field] = list.fields.as_slice()
            && is_version(&field)
        {
            errors.at(field, "a version cannot be unique: rows have the same versions");
        }
    }
    for field in references.iter().flat_map(|reference| &reference.fields).filter(is_version) {
        errors.at(field, "a version cannot be part of a reference: it counts the writes of its row");
    }
}

fn is_column(field: &FieldInput) -> bool {
    field.skip.is_none() && types::relation(&field.ty).is_none()
}

/// Makes the field `id` the key where no field says that it is.
fn with_a_key(mut fields: Vec<FieldInput>, model: &Ident, errors: &mut Errors) -> Vec<FieldInput> {
    let none_is_a_column = !fields.iter().any(is_column);
    if none_is_a_column || fields.iter().any(|field| field.key.is_some()) {
        return fields;
    }
    match fields.iter_mut().find(|field| is_column(field) && unraw(&field.ident) == "id") {
        Some(id) => id.key = Some(id.ident.clone()),
        None => errors.at(
            model,
            format!(
                "`{model}` has no key: mark the field that identifies a row with `#[ommi(key)]`, or name it `id` \
                 (several fields with `#[ommi(key)]` are a composite key)"
            ),
        ),
    }
    fields
}

fn lists(lists: Vec<FieldList>, model: &Model, errors: &mut Errors) -> Vec<Vec<usize>> {
    let mut resolved = Vec::with_capacity(lists.len());
    for list in lists {
        if list.fields.is_empty() {
            errors.at(&list.name, format!("`{}` names no field", list.name));
        }
        resolved.push(places(&list.fields, model, &list.name, errors));
    }
    resolved
}

/// The places of these fields, each of which must be a column and stand once.
fn places(fields: &[Ident], model: &Model, attribute: &Ident, errors: &mut Errors) -> Vec<usize> {
    let mut places = Vec::with_capacity(fields.len());
    for ident in fields {
        let name = unraw(ident);
        match model.columns.iter().position(|column| column.field == name) {
            Some(place) if places.contains(&place) => {
                errors.at(ident, format!("`{attribute}` names `{name}` twice"));
            }
            Some(place) => places.push(place),
            None if model.skipped.iter().any(|skipped| unraw(skipped) == name) => {
                errors.at(ident, format!("`{name}` is skipped and no column"));
            }
            None if model.relations.iter().any(|relation| relation.field == name) => {
                errors.at(ident, format!("`{name}` is a relation and no column"));
            }
            None => {
                let known = model.columns.iter().map(|column| column.field.as_str());
                let mut message = format!("`{}` has no field `{name}`", model.ident);
                if let Some(near) = crate::suggest::nearest(&name, known) {
                    message.push_str(&format!(": did you mean `{near}`?"));
                }
                errors.at(ident, message);
            }
        }
    }
    places
}

#[cfg(test)]
mod tests;
