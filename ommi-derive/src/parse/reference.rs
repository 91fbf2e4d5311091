//! References, on one field and on several, and their options.

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, Path, Token, parenthesized, token};

use super::attribute::{boolean, expression, once, string};
use crate::errors::Errors;
use crate::input::{CompositeReference, ReferenceOptions, ReferentialAction};
use crate::suggest;

const ACTIONS: [(&str, ReferentialAction); 5] = [
    ("cascade", ReferentialAction::Cascade),
    ("restrict", ReferentialAction::Restrict),
    ("set null", ReferentialAction::SetNull),
    ("set default", ReferentialAction::SetDefault),
    ("no action", ReferentialAction::NoAction),
];

/// `references = Team::id`.
pub(super) fn single(name: &Ident, input: ParseStream<'_>) -> syn::Result<Path> {
    column(expression(name, input, "Team::id")?)
}

/// `references((a, b) = (Other::x, Other::y), on_delete = "..")`.
pub(super) fn composite(name: &Ident, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<CompositeReference> {
    let form = || {
        let message = "`references` on a model needs fields and columns: `references((a, b) = (Other::x, Other::y))`";
        syn::Error::new(name.span(), message)
    };
    if !input.peek(token::Paren) {
        return Err(form());
    }
    let content;
    parenthesized!(content in input);
    if !content.peek(token::Paren) {
        return Err(form());
    }
    let (fields, targets);
    parenthesized!(fields in content);
    let fields = Punctuated::<Ident, Token![,]>::parse_terminated(&fields)?;
    content.parse::<Token![=]>().map_err(|_| form())?;
    if !content.peek(token::Paren) {
        return Err(form());
    }
    parenthesized!(targets in content);
    let targets = Punctuated::<Expr, Token![,]>::parse_terminated(&targets)?;
    let mut options = ReferenceOptions::default();
    while !content.is_empty() {
        content.parse::<Token![,]>()?;
        if content.is_empty() {
            break;
        }
        let option_name = content.call(Ident::parse_any)?;
        option(&mut options, &option_name, &content, errors)?;
    }
    Ok(CompositeReference {
        name: name.clone(),
        fields: fields.into_iter().collect(),
        targets: targets.into_iter().map(column).collect::<syn::Result<_>>()?,
        options,
    })
}

/// One of `on_delete`, `on_update` and `constraint`.
pub(super) fn option(
    options: &mut ReferenceOptions,
    name: &Ident,
    input: ParseStream<'_>,
    errors: &mut Errors,
) -> syn::Result<()> {
    let slot = match name.to_string().as_str() {
        "on_delete" => &mut options.on_delete,
        "on_update" => &mut options.on_update,
        "constraint" => {
            once(&mut options.constraint, boolean(name, input)?, name, errors);
            return Ok(());
        }
        _ => {
            let message = format!("unknown option `{name}`: a reference takes `on_delete`, `on_update`, `constraint`");
            return Err(syn::Error::new(name.span(), message));
        }
    };
    let literal = string(name, input)?;
    let value = literal.value();
    match ACTIONS.iter().find(|(text, _)| *text == value) {
        Some((_, action)) => once(slot, (literal, *action), name, errors),
        None => {
            let texts = ACTIONS.map(|(text, _)| text);
            let mut message = format!("unknown action `{value}`: ");
            if let Some(near) = suggest::nearest(&value, texts) {
                message.push_str(&format!("did you mean \"{near}\"?"));
            } else {
                message.push_str(&format!("`{name}` is one of \"{}\"", texts.join("\", \"")));
            }
            errors.at(literal, message);
        }
    }
    Ok(())
}

/// A path that can lead to a model's column.
fn column(expr: Expr) -> syn::Result<Path> {
    match expr {
        Expr::Path(path) if path.qself.is_none() && path.path.segments.len() > 1 => Ok(path.path),
        other => {
            let message = "a reference names a model's column: `references = Team::id`";
            Err(syn::Error::new_spanned(other, message))
        }
    }
}
