//! From a checked [`Model`] to code.
//!
//! The code is written so that the user's lints leave it alone, that no name of the user's can get in its way
//! (functions of traits are called by their full path), and that whatever depends on a field's type carries the
//! place of that type, where the compiler then reports what does not fit.

mod columns;
mod draft;
mod implementation;
mod relations;
mod schema;

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};

use crate::check::Model;

/// What the parts of the code refer to.
struct Names {
    /// `::ommi::__private`
    private: TokenStream,
    /// `UserDraft`
    draft: Ident,
}

impl Names {
    /// The path of what generated code refers to, as if it were written at this place: an error's place is that of
    /// a whole call, and half a call elsewhere would stretch it over the struct.
    fn private_at(&self, span: Span) -> TokenStream {
        let tokens = self.private.clone().into_iter().map(|mut token| {
            token.set_span(token.span().located_at(span));
            token
        });
        tokens.collect()
    }

    fn of(model: &Model) -> Names {
        let krate = &model.krate;
        let mut draft = format_ident!("{}Draft", model.name());
        draft.set_span(model.ident.span());
        Names { private: quote!(#krate::__private), draft }
    }
}

/// The code of a model.
pub(crate) fn model(model: &Model) -> TokenStream {
    let names = Names::of(model);
    let mut code = columns::emit(model, &names);
    code.extend(draft::emit(model, &names));
    code.extend(draft::rows(model, &names));
    code.extend(implementation::emit(model, &names));
    code
}

/// The code of a model with a mistake in it, which is reported beside this: enough for the queries of the model to
/// be checked, and nothing that needs the types of the fields to be columns.
pub(crate) fn shell(model: &Model) -> TokenStream {
    let names = Names::of(model);
    let mut code = columns::emit(model, &names);
    code.extend(draft::emit(model, &names));
    code.extend(draft::shell_of_rows(model, &names));
    code.extend(implementation::shell(model, &names));
    code
}

/// The place of a column, as the code writes it.
fn place(index: usize) -> Literal {
    Literal::usize_unsuffixed(index)
}

/// For generated code that is reported, when it does not compile, at the place of this span.
fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}
