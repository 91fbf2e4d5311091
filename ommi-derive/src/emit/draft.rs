//! The draft of a new row, and how a draft and a whole model are written as rows.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Names, at, place};
use crate::check::Model;

/// `pub struct UserDraft { pub name: Slot<String>, .. }`, and its methods.
pub(super) fn emit(model: &Model, names: &Names) -> TokenStream {
    let Names { private, draft } = names;
    let Model { ident, vis, .. } = model;
    let slots = model.columns.iter().map(|column| {
        let crate::check::Column { ident, vis, ty, field, .. } = column;
        let doc = format!("The column `{field}`.");
        let slot = quote_spanned!(at(ty.span())=> #private::Slot<#ty>);
        quote! {
            #[doc = #doc]
            #vis #ident: #slot
        }
    });
    let methods = model.columns.iter().map(|column| {
        let crate::check::Column { ident, vis, ty, field, .. } = column;
        let doc = format!("Gives the column `{field}` a value.");
        quote! {
            #[doc = #doc]
            #[must_use]
            #[inline]
            #vis fn #ident(mut self, value: impl #private::IntoField<#ty>) -> Self {
                #private::Slot::set(&mut self.#ident, value);
                self
            }
        }
    });
    let related = model.relations.iter().enumerate().map(|(slot, relation)| {
        let crate::check::Relation { ident: name, vis, ty, field, .. } = relation;
        let doc = format!("The rows of the relation `{field}` that are added with this one.");
        let target = relation.target();
        let slot = place(slot);
        let slot = quote_spanned!(at(ty.span())=> #private::NewRelated<#ident, #target, #slot>);
        quote! {
            #[doc = #doc]
            #vis #name: #slot
        }
    });
    let related_methods = model.relations.iter().map(|relation| {
        let crate::check::Relation { ident: name, vis, field, .. } = relation;
        let doc = format!("Adds rows with this one, for the relation `{field}`.");
        let target = relation.target();
        quote! {
            #[doc = #doc]
            #[must_use]
            #[inline]
            #vis fn #name(mut self, rows: impl #private::IntoNewRelated<#target>) -> Self {
                #private::NewRelated::set(&mut self.#name, rows);
                self
            }
        }
    });
    // A method of a column comes first.
    let new = (!model.columns.iter().any(|column| column.field == "new")).then(|| {
        quote! {
            /// A row that names nothing yet.
            #[must_use]
            #[inline]
            #vis fn new() -> Self {
                ::core::default::Default::default()
            }
        }
    });
    let doc = format!("A new row of [`{ident}`], whose columns may be left out: what `new!` builds.");
    quote! {
        #[doc = #doc]
        #[derive(::core::clone::Clone, ::core::fmt::Debug, ::core::default::Default)]
        #[must_use = "a new row does nothing until it is added"]
        #[allow(dead_code, unreachable_pub, non_snake_case, clippy::struct_field_names)]
        #vis struct #draft {
            #(#slots,)*
            #(#related,)*
        }

        #[automatically_derived]
        #[allow(
            dead_code,
            unreachable_pub,
            non_snake_case,
            clippy::double_must_use,
            clippy::impl_trait_in_params,
            clippy::return_self_not_must_use,
            clippy::same_name_method,
            clippy::should_implement_trait,
            clippy::wrong_self_convention
        )]
        impl #draft {
            #new
            #(#methods)*
            #(#related_methods)*
        }
    }
}

/// `NewRow` for the draft and for the model.
pub(super) fn rows(model: &Model, names: &Names) -> TokenStream {
    let writes_of_draft = model.columns.iter().map(|column| write(column, names, "slot"));
    let writes_of_model = model.columns.iter().map(|column| write(column, names, "value"));
    let draft = new_row(model, names, quote!(#(#writes_of_draft)*), true);
    let whole = new_row(model, names, quote!(#(#writes_of_model)*), false);
    quote!(#draft #whole)
}

/// The same without a look at the fields.
pub(super) fn shell_of_rows(model: &Model, names: &Names) -> TokenStream {
    let draft = new_row(model, names, TokenStream::new(), true);
    let whole = new_row(model, names, TokenStream::new(), false);
    quote!(#draft #whole)
}

fn new_row(model: &Model, names: &Names, writes: TokenStream, of_draft: bool) -> TokenStream {
    let Names { private, draft } = names;
    let ident = &model.ident;
    let this = if of_draft { draft } else { ident };
    let references = super::relations::refer(model, names, of_draft);
    let nested = if of_draft { super::relations::nested(model, names) } else { TokenStream::new() };
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #private::NewRow for #this {
            type Model = #ident;

            fn write(self, row: &mut #private::RowWriter<'_>) {
                #writes
            }

            #references
            #nested
        }
    }
}

fn write(column: &crate::check::Column, names: &Names, method: &str) -> TokenStream {
    let crate::check::Column { ident, ty, .. } = column;
    let private = names.private_at(ty.span());
    let method = syn::Ident::new(method, at(ty.span()));
    quote_spanned!(at(ty.span())=> #private::RowWriter::#method::<#ty>(row, self.#ident);)
}
