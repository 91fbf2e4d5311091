//! The typed columns: associated constants of the model, or of a type of their own.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::{Names, at, place};
use crate::check::Model;

/// `impl User { pub const name: Column<User, String> = ..; }`
pub(super) fn emit(model: &Model, names: &Names) -> TokenStream {
    let Names { private, .. } = names;
    let Model { ident, vis, .. } = model;
    let constants = model.columns.iter().enumerate().map(|(index, column)| {
        let crate::check::Column { ident: name, vis, ty, field, .. } = column;
        let doc = format!("The column of the field `{field}`.");
        let index = place(index);
        // Where a column clashes with a function, both definitions are shown.
        quote_spanned! {at(name.span())=>
            #[doc = #doc]
            #vis const #name: #private::Column<#ident, #ty> = #private::Column::new(#index);
        }
    });
    let relations = super::relations::constants(model, names);
    let (carrier, declaration) = match &model.columns_on {
        None => (ident, TokenStream::new()),
        Some(carrier) => {
            let doc = format!("The columns of [`{ident}`].");
            let declaration = quote! {
                #[doc = #doc]
                #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
                #[allow(dead_code, unreachable_pub)]
                #vis struct #carrier;
            };
            (carrier, declaration)
        }
    };
    quote! {
        #declaration
        #[automatically_derived]
        #[allow(non_upper_case_globals, dead_code, unreachable_pub)]
        impl #carrier {
            #(#constants)*
            #(#relations)*
        }
    }
}
