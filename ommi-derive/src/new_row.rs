//! `new!`: from a literal of a model to a draft, with a check of the names given.
//!
//! Each name is set as a field of the draft, so that the compiler finds unknown names and wrong types where they
//! stand, and completion and renaming work. Only what is *not* there needs a check of its own: a constant that
//! compares the names given with those that the model requires.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, Ident, Path, Token, braced, bracketed, token};

use crate::errors::Errors;
use crate::naming::unraw;

/// The draft as an expression, or what is wrong.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    match (|input: ParseStream<'_>| read(input, &mut errors)).parse2(input) {
        Ok(row) if errors.is_empty() => emit(&row),
        Ok(_) => expression(errors),
        Err(error) => {
            errors.push(error);
            expression(errors)
        }
    }
}

/// Several `compile_error!`s where one expression is expected.
fn expression(errors: Errors) -> TokenStream {
    let errors = errors.into_tokens();
    quote!({ #errors })
}

/// `path; User { email: "x", name }`
struct Row {
    krate: TokenStream,
    model: Path,
    columns: Vec<(Ident, Given)>,
    /// Whether `..` says that something else gives the columns that are not named.
    open: bool,
}

/// What a column or relation is given.
enum Given {
    Value(Expr),
    /// The rows that belong to the new one.
    Rows(Vec<Literal>),
}

/// `{ title: "x" }`, of a model that the relation knows.
struct Literal {
    brace: Span,
    columns: Vec<(Ident, Given)>,
}

fn read(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Row> {
    let mut krate = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![;]) {
        krate.extend([input.parse::<TokenTree>()?]);
    }
    input.parse::<Token![;]>()?;

    let form = "`new!` takes a model and its columns: `new!(User { name: \"Ann\" })`";
    if input.is_empty() {
        return Err(syn::Error::new(Span::call_site(), form));
    }
    let at = input.span();
    let model = input.parse::<Path>().map_err(|_| syn::Error::new(at, form))?;
    if let Some(first) = model.segments.first().filter(|first| first.ident == "Self") {
        errors.at(first, "`new!` needs the model's name: what it checks cannot depend on `Self`");
    }
    if !input.peek(token::Brace) {
        return Err(syn::Error::new_spanned(&model, form));
    }
    let content;
    braced!(content in input);
    if !input.is_empty() {
        return Err(input.error("`new!` takes one row and nothing after it"));
    }
    let (columns, open) = columns(&content, errors)?;
    Ok(Row { krate, model, columns, open })
}

fn columns(content: ParseStream<'_>, errors: &mut Errors) -> syn::Result<(Vec<(Ident, Given)>, bool)> {
    let mut columns: Vec<(Ident, Given)> = Vec::new();
    while !content.is_empty() {
        if content.peek(Token![..]) {
            let message = "`new!` takes no `..rest`: columns that are not named get their defaults by themselves";
            let rest = content.error(message);
            content.parse::<Token![..]>()?;
            return if content.is_empty() { Ok((columns, true)) } else { Err(rest) };
        }
        let name = content.call(column_name)?;
        let value = if content.peek(Token![:]) {
            content.parse::<Token![:]>()?;
            given(content, errors)?
        } else {
            let name = name.clone();
            Given::Value(syn::parse_quote!(#name))
        };
        if columns.iter().any(|(other, _)| unraw(other) == unraw(&name)) {
            errors.at(&name, format!("the column `{}` is given twice", unraw(&name)));
        }
        columns.push((name, value));
        if content.is_empty() {
            break;
        }
        content.parse::<Token![,]>()?;
    }
    Ok((columns, false))
}

/// A value, or the rows that belong to the new one.
fn given(content: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Given> {
    if content.peek(token::Brace) && is_literal(&content.fork()) {
        return Ok(Given::Rows(vec![literal(content, errors)?]));
    }
    if content.peek(token::Bracket) && is_list(&content.fork()) {
        let list;
        bracketed!(list in content);
        let mut rows = Vec::new();
        while !list.is_empty() {
            rows.push(literal(&list, errors)?);
            if list.is_empty() {
                break;
            }
            list.parse::<Token![,]>()?;
        }
        return Ok(Given::Rows(rows));
    }
    content.parse().map(Given::Value)
}

fn literal(content: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Literal> {
    let inner;
    let brace = braced!(inner in content);
    let (columns, open) = columns(&inner, errors)?;
    if open {
        errors.at(quote_spanned!(brace.span.join()=> {}), "a nested row takes no `..`");
    }
    Ok(Literal { brace: brace.span.join(), columns })
}

/// Whether a block is a row: nothing, or a name and a colon or comma.
fn is_literal(content: ParseStream<'_>) -> bool {
    let read = |content: ParseStream<'_>| -> syn::Result<bool> {
        let inner;
        braced!(inner in content);
        if inner.is_empty() {
            return Ok(true);
        }
        inner.call(Ident::parse_any)?;
        Ok(inner.is_empty() || inner.peek(Token![,]) || (inner.peek(Token![:]) && !inner.peek(Token![::])))
    };
    read(content).unwrap_or(false)
}

/// Whether a list is one of rows.
fn is_list(content: ParseStream<'_>) -> bool {
    let read = |content: ParseStream<'_>| -> syn::Result<bool> {
        let inner;
        bracketed!(inner in content);
        Ok(inner.peek(token::Brace) && is_literal(&inner))
    };
    read(content).unwrap_or(false)
}

fn column_name(content: ParseStream<'_>) -> syn::Result<Ident> {
    if content.peek(Ident) {
        return content.parse();
    }
    if content.peek(Ident::peek_any) {
        let keyword = content.call(Ident::parse_any)?;
        let message = format!("`{keyword}` is a keyword: the column is `r#{keyword}`");
        return Err(syn::Error::new(keyword.span(), message));
    }
    Err(content.error("expected the name of a column"))
}

fn emit(row: &Row) -> TokenStream {
    let Row { krate, model, columns, open } = row;
    let private = quote!(#krate::__private);
    let names = columns.iter().map(|(name, _)| unraw(name));
    // What is forgotten is missing at the model's name.
    let at_model = Span::mixed_site().located_at(model.span());
    let check = match open {
        true => TokenStream::new(),
        false => quote_spanned!(at_model=> const _: () = #private::check_new_row::<#model>(&[#(#names),*]);),
    };
    let draft = quote_spanned!(at_model=>
        <<#model as #private::Model>::Draft as ::core::default::Default>::default());
    if columns.is_empty() {
        return quote!({ #check #draft });
    }
    let this = Ident::new("row", Span::mixed_site());
    let sets = columns.iter().map(|(name, given)| set(&this, 0, name, given, &private));
    quote!({
        #check
        let mut #this = #draft;
        #(#sets)*
        #this
    })
}

/// Gives a column of a draft its value, or a relation its rows. `depth` tells the draft from those around it.
fn set(this: &Ident, depth: usize, name: &Ident, given: &Given, private: &TokenStream) -> TokenStream {
    match given {
        Given::Value(value) => {
            let set = quote_spanned!(Span::mixed_site().located_at(value.span())=> set);
            quote!(#this.#name.#set(#value);)
        }
        Given::Rows(rows) => {
            let rows = rows.iter().map(|Literal { brace, columns }| {
                let names = columns.iter().map(|(name, _)| unraw(name));
                let inner = Ident::new(&format!("nested_{depth}"), Span::mixed_site());
                let sets = columns.iter().map(|(name, given)| set(&inner, depth + 1, name, given, private));
                let nested = quote_spanned!(Span::mixed_site().located_at(*brace)=> nested);
                let mutable = (!columns.is_empty()).then(|| quote!(mut));
                quote!({
                    // Items are not hygienic, and what the user wrote stands within their reach.
                    struct __OmmiGiven;
                    impl #private::GivenColumns for __OmmiGiven {
                        const NAMES: &'static [&'static str] = &[#(#names),*];
                    }
                    let #mutable #inner = #this.#name.#nested::<__OmmiGiven>();
                    #(#sets)*
                    #this.#name.push(#inner);
                })
            });
            quote!(#(#rows)*)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(input: &str) -> String {
        expand(input.parse().unwrap()).to_string()
    }

    #[test]
    fn names_are_checked_without_their_mark_and_set_with_it() {
        let code = expanded("ommi; models::User { r#type: 1 + 1, name, }");
        assert!(code.contains(r#"check_new_row :: < models :: User > (& ["type" , "name"])"#), "{code}");
        assert!(code.contains("row . r#type . set (1 + 1)") && code.contains("row . name . set (name)"), "{code}");
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (input, expected) in [
            ("ommi; User { a: 1, a: 2 }", "`a` is given twice"),
            ("ommi; User { ..other }", "takes no `..rest`"),
            ("ommi; Self { a: 1 }", "needs the model's name"),
            ("ommi; User", "takes a model and its columns"),
            ("ommi; ", "takes a model and its columns"),
            ("ommi; User { type: 1 }", "the column is `r#type`"),
            ("ommi; User { a: 1 } more", "one row and nothing after it"),
            ("ommi; User { 1 }", "expected the name of a column"),
        ] {
            let code = expanded(input);
            assert!(code.contains(expected), "{input}: {code}");
        }
    }
}
