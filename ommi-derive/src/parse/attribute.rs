//! The form that all attributes share: `#[ommi(name, name = value, name(..))]`.

use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, LitBool, LitStr, Path, Token, parenthesized, token};

use crate::errors::Errors;
use crate::input::FieldList;
use crate::suggest;

/// What an attribute stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Model,
    Field,
    Newtype,
}

impl Level {
    fn noun(self) -> &'static str {
        match self {
            Level::Model => "a model",
            Level::Field => "a field",
            Level::Newtype => "a newtype",
        }
    }

    fn known(self) -> &'static [&'static str] {
        match self {
            Level::Model => &["table", "schema", "columns", "unique", "index", "references", "crate"],
            Level::Field => &[
                "key",
                "auto",
                "column",
                "unique",
                "index",
                "default",
                "precision",
                "truncate",
                "version",
                "references",
                "on_delete",
                "on_update",
                "constraint",
                "skip",
                "by",
                "to",
            ],
            Level::Newtype => &["crate"],
        }
    }
}

/// Calls `read` with the name of each item of the `ommi` attributes and the tokens after it. `read` takes the item's
/// value and nothing more.
pub(crate) fn items(
    attrs: &[Attribute],
    level: Level,
    errors: &mut Errors,
    mut read: impl FnMut(&Ident, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("ommi")) {
        let parsed = attr.parse_args_with(|input: ParseStream<'_>| {
            if input.is_empty() {
                errors.at(attr, format!("an empty attribute: {}", list(level)));
            }
            while !input.is_empty() {
                let name = input
                    .call(Ident::parse_any)
                    .map_err(|error| syn::Error::new(error.span(), format!("expected a name: {}", list(level))))?;
                if level.known().iter().any(|known| name == known) {
                    read(&name, input, errors)?;
                } else {
                    errors.at(&name, unknown(&name, level));
                    skip_value(input)?;
                }
                if input.is_empty() {
                    break;
                }
                if !input.peek(Token![,]) {
                    return Err(input.error(format!("expected a comma before what follows `{name}`")));
                }
                input.parse::<Token![,]>()?;
            }
            Ok(())
        });
        if let Err(error) = parsed {
            errors.push(error);
        }
    }
}

fn list(level: Level) -> String {
    let known: Vec<String> = level.known().iter().map(|known| format!("`{known}`")).collect();
    format!("{} takes {}", level.noun(), known.join(", "))
}

fn unknown(name: &Ident, level: Level) -> String {
    let text = name.to_string();
    if let Some(near) = suggest::nearest(&text, level.known().iter().copied()) {
        return format!("unknown attribute `{name}`: did you mean `{near}`?");
    }
    let other = if level == Level::Model { Level::Field } else { Level::Model };
    if level != Level::Newtype && other.known().contains(&text.as_str()) {
        return format!("`{name}` stands on {}, not on {}", other.noun(), level.noun());
    }
    format!("unknown attribute `{name}`: {}", list(level))
}

/// Passes over a value that nobody reads.
fn skip_value(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<proc_macro2::TokenTree>()?;
    }
    Ok(())
}

/// Keeps the value of an item that may stand once.
pub(crate) fn once<T>(slot: &mut Option<T>, value: T, name: &Ident, errors: &mut Errors) {
    if slot.is_some() {
        errors.at(name, format!("`{name}` is given twice"));
    }
    *slot = Some(value);
}

/// An item that is its name and nothing more.
pub(crate) fn flag(name: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(());
    }
    skip_value(input)?;
    Err(syn::Error::new(name.span(), format!("`{name}` takes no value")))
}

/// `name = "text"`.
pub(crate) fn string(name: &Ident, input: ParseStream<'_>) -> syn::Result<LitStr> {
    value(name, input, "\"..\"")
}

/// `name = true`.
pub(crate) fn boolean(name: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
    value::<LitBool>(name, input, "false").map(|literal| literal.value)
}

/// `name = Name`.
pub(crate) fn ident(name: &Ident, input: ParseStream<'_>) -> syn::Result<Ident> {
    value(name, input, "Name")
}

/// `name = field`, or `name = (field, field)`.
pub(crate) fn fields(name: &Ident, input: ParseStream<'_>) -> syn::Result<FieldList> {
    equals(name, input, "field")?;
    let at = input.span();
    let form = || syn::Error::new(at, format!("`{name}` needs the name of a field: `{name} = author_id`"));
    let fields: Vec<Ident> = if input.peek(token::Paren) {
        let content;
        parenthesized!(content in input);
        let fields = Punctuated::<Ident, Token![,]>::parse_terminated_with(&content, Ident::parse_any);
        fields.map_err(|_| form())?.into_iter().collect()
    } else {
        vec![input.call(Ident::parse_any).map_err(|_| form())?]
    };
    let ended = input.is_empty() || input.peek(Token![,]);
    if fields.is_empty() || !ended {
        return Err(form());
    }
    Ok(FieldList { name: name.clone(), fields })
}

/// `name = expression`.
pub(crate) fn expression(name: &Ident, input: ParseStream<'_>, form: &str) -> syn::Result<Expr> {
    equals(name, input, form)?;
    input.parse()
}

/// `crate = "path"`.
pub(crate) fn path(name: &Ident, input: ParseStream<'_>) -> syn::Result<Path> {
    let literal = value::<LitStr>(name, input, "\"path::to::ommi\"")?;
    let message = format!("`{name}` needs a path: `{name} = \"path::to::ommi\"`");
    literal.parse_with(Path::parse_mod_style).map_err(|_| syn::Error::new(literal.span(), message))
}

fn value<T: Parse>(name: &Ident, input: ParseStream<'_>, form: &str) -> syn::Result<T> {
    equals(name, input, form)?;
    let message = format!("`{name}` needs a value of another form: `{name} = {form}`");
    let at = input.span();
    let parsed = input.parse().map_err(|_| syn::Error::new(at, message.clone()))?;
    if input.is_empty() || input.peek(Token![,]) { Ok(parsed) } else { Err(syn::Error::new(at, message)) }
}

fn equals(name: &Ident, input: ParseStream<'_>, form: &str) -> syn::Result<()> {
    let missing = || syn::Error::new(name.span(), format!("`{name}` needs a value: `{name} = {form}`"));
    if input.peek(token::Paren) || !input.peek(Token![=]) {
        return Err(missing());
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) { Err(missing()) } else { Ok(()) }
}
