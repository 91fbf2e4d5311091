//! The derive macros of Ommi. Applications use them through the `ommi` crate, which documents them with examples.
//!
//! `#[derive(Model)]` goes three ways, one module each: `parse` turns the tokens into a plain description,
//! `check` resolves names and refuses what cannot be a model, `emit` writes the code. All mistakes that one
//! pass meets are reported together, each at the word that is wrong.

mod check;
mod emit;
mod errors;
mod field_type;
mod input;
mod naming;
mod new_row;
mod parse;
mod suggest;
mod types;

use proc_macro::TokenStream;

/// Makes a struct with named fields a model: one table, one column per field.
///
/// Next to the implementation of `Model` it generates typed columns as associated constants (`User::name`) and the
/// draft of a new row (`UserDraft`), which `new!` builds. Both take the visibility of the fields.
///
/// # On the struct
///
/// - `table = "users"`: the stored name; without it the plural of the struct's name in snake case
/// - `schema = "sales"`: the schema of the database that the table is in. SQLite and MongoDB have none and refuse such a model with
///   `Unsupported`
/// - `columns = UserColumns`: puts the columns on a type of that name, where they would clash with functions of the model
/// - `unique(a, b)`, `index(a, b)`: sets of fields; may be repeated. Several are also said in one: `index((a, b), (a, c))`, which is the
///   way for sets that share a field: `clippy::duplicated_attributes` takes a field that is named twice for a slip
/// - `references((a, b) = (Other::x, Other::y))`: a reference of several columns; may be repeated. The options of a single one stand within:
///   `references((a, b) = (Other::x, Other::y), on_delete = "cascade")`
/// - `crate = "path"`: where the `ommi` crate is, if not at `::ommi`
///
/// # On a field
///
/// - `key`: the key, or a part of it; without any, the field named `id` is the key
/// - `auto`: new rows get their key by themselves: an integer that is the whole key counts in the database (`auto = "increment"` says the same),
///   UUIDs are made by the client (`auto = "uuid_v7"`, which is meant when nothing is said, or `"uuid_v4"`), as MongoDB's ObjectIds are
/// - `column = "stored"`: the stored name
/// - `unique`, `index`
/// - `default`, `default = 0`: the value of a new row that names none; without one given, the type's `Default`
/// - `precision = "ms"`, `"us"`, `"ns"`: how finely the column keeps times, on every store: a finer value is refused, or cut off with
///   `truncate`; a store that is less fine refuses the model. Without it a column is as fine as its store
/// - `version`: an integer that begins at 1 and that every write to a row raises, so that a write of a row that was changed meanwhile is a
///   `Conflict` that changes nothing; one of a model
/// - `references = Team::id`: the column holds a value of another model's key or unique column. With
///   `on_delete = "cascade"`, `"restrict"`, `"set null"`, `"set default"` or `"no action"`, and `on_update` alike;
///   `constraint = false` keeps the database from enforcing it
/// - on a field of type `BelongsTo<..>`, `HasOne<..>` or `HasMany<..>`, which is a relation and no column: `by = field` says which
///   reference it goes by where there are several (of this model for `BelongsTo`, else of the other or the association model), and
///   `to = field` which second one, where both references of an association model lead to one model. A reference of several columns is named
///   by all of its fields: `by = (a, b)`
/// - `skip`: no column; rows that are read get the type's `Default`
#[proc_macro_derive(Model, attributes(ommi))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    let mut errors = errors::Errors::default();
    let code = parse::model(input, &mut errors).map(|input| {
        let model = check::model(input, &mut errors);
        if errors.is_empty() { emit::model(&model) } else { emit::shell(&model) }
    });
    let mut tokens = errors.into_tokens();
    tokens.extend(code);
    tokens.into()
}

/// Makes a newtype a column: `struct Email(String);` is stored as its `String` is.
///
/// A newtype of `String` is a text column, one of a number is a numeric column. `#[ommi(crate = "path")]` says where
/// the `ommi` crate is.
#[proc_macro_derive(FieldType, attributes(ommi))]
pub fn derive_field_type(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    field_type::expand(input).into()
}

/// What `ommi::new!` expands to, given the facade's path and the literal: `path; User { name: "Ann" }`.
#[doc(hidden)]
#[proc_macro]
pub fn __new(input: TokenStream) -> TokenStream {
    new_row::expand(input.into()).into()
}
