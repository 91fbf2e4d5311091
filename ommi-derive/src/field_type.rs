//! `#[derive(FieldType)]`: a newtype is stored as what it holds.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Field, Ident, Member, Path, Type};

use crate::errors::Errors;
use crate::parse::{self, Level};
use crate::types;

/// The implementations, or what is wrong.
pub(crate) fn expand(input: DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let krate = krate(&input, &mut errors);
    let inner = inner(&input, &mut errors);
    match inner {
        Some((member, ty)) if errors.is_empty() => emit(&input.ident, &member, &ty, &krate),
        _ => errors.into_tokens(),
    }
}

fn krate(input: &DeriveInput, errors: &mut Errors) -> Path {
    let mut krate = None;
    parse::items(&input.attrs, Level::Newtype, errors, |name, input, errors| {
        parse::once(&mut krate, parse::path(name, input)?, name, errors);
        Ok(())
    });
    krate.unwrap_or_else(parse::default_crate)
}

/// The one field of the newtype.
fn inner(input: &DeriveInput, errors: &mut Errors) -> Option<(Member, Type)> {
    const BY_HAND: &str = "only a struct with one field has an obvious column; implement `FieldType` by hand for";
    let data = match &input.data {
        Data::Struct(data) => data,
        Data::Enum(data) => {
            errors.at(data.enum_token, format!("{BY_HAND} an enum: say which value stands for which variant"));
            return None;
        }
        Data::Union(data) => {
            errors.at(data.union_token, format!("{BY_HAND} a union"));
            return None;
        }
    };
    if !input.generics.params.is_empty() {
        errors.at(&input.generics.params, format!("{BY_HAND} a generic type"));
    }
    if let Some(clause) = &input.generics.where_clause {
        errors.at(clause, format!("{BY_HAND} a type with a `where` clause"));
    }
    let fields: Vec<&Field> = data.fields.iter().collect();
    match fields.as_slice() {
        [] => errors.at(&input.ident, format!("{BY_HAND} a struct without fields")),
        [field] if types::option_inner(&field.ty).is_some() => {
            let ident = &input.ident;
            let message = format!(
                "a field type is never NULL itself: hold the value here, and write `Option<{ident}>` in the model"
            );
            errors.at(&field.ty, message);
        }
        [field] => {
            let member = field.ident.clone().map_or_else(|| Member::from(0), Member::from);
            let ty = types::without_self(quote::ToTokens::to_token_stream(&field.ty), &input.ident);
            return Some((member, syn::parse2(ty).unwrap_or_else(|_| field.ty.clone())));
        }
        [_, second, ..] => errors.at(second, format!("{BY_HAND} a struct with several fields")),
    }
    None
}

fn emit(ident: &Ident, member: &Member, ty: &Type, krate: &Path) -> TokenStream {
    let private = quote!(#krate::__private);
    let span = proc_macro2::Span::mixed_site().located_at(ty.span());
    // Every use of the inner type has its place: a type that cannot be stored is reported there.
    let own = private.clone().into_iter().map(|mut token| {
        token.set_span(token.span().located_at(ty.span()));
        token
    });
    let own: TokenStream = own.collect();
    let inner = quote_spanned!(span=> <#ty as #own::FieldType>);
    let nullable = format!(
        "`{ident}` holds an `Option`, but a field type is never NULL itself: hold the value, and write `Option<{ident}>` in the model"
    );
    let check = quote_spanned!(span=> const _: () = ::core::assert!(!#inner::NULLABLE, #nullable););
    let marker = if types::is_named(ty, &["String"]) {
        quote! {
            #[automatically_derived]
            impl #private::TextField for #ident {}
        }
    } else if types::is_named(ty, types::INTEGERS) || types::is_named(ty, types::FLOATS) {
        quote! {
            #[automatically_derived]
            impl #private::NumericField for #ident {
                type Step = #ty;
            }
        }
    } else {
        TokenStream::new()
    };
    quote! {
        #check

        #[automatically_derived]
        #[allow(deprecated)]
        impl #private::FieldType for #ident {
            const TYPE: #private::ColumnType = #inner::TYPE;

            fn encode(&self) -> ::core::result::Result<#private::Value<'_>, #private::InvalidValue> {
                #inner::encode(&self.#member)
            }

            fn decode(
                value: #private::Value<'_>,
            ) -> ::core::result::Result<Self, #private::DecodeFailure> {
                ::core::result::Result::map(#inner::decode(value), |inner| #ident { #member: inner })
            }

            fn into_value(self) -> ::core::result::Result<#private::Value<'static>, #private::InvalidValue> {
                #inner::into_value(self.#member)
            }
        }

        #marker
    }
}
