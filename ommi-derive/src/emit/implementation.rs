//! The implementation of `Model`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Names, at, place, relations, schema};
use crate::check::{Column, Model};
use crate::types;

/// `impl Model for User { .. }`
pub(super) fn emit(model: &Model, names: &Names) -> TokenStream {
    let ident = &model.ident;
    let required = model.columns.iter().map(|column| new_row_column(column, model, names));
    let schema = schema::emit(model, names);
    let decoded = model.columns.iter().enumerate().map(|(index, column)| {
        let Column { ident: name, ty, .. } = column;
        let (index, private) = (place(index), names.private_at(ty.span()));
        quote_spanned!(at(ty.span())=>
            #name: #private::field::<#ty>(row, <#ident as #private::Model>::schema, #index)?)
    });
    let decoded: Vec<_> = decoded.collect();
    let default = |name: &syn::Ident| quote_spanned!(at(name.span())=> #name: ::core::default::Default::default());
    let skipped: Vec<_> = model.skipped.iter().map(default).collect();
    let encoded = model.columns.iter().map(|column| {
        let Column { ident: name, ty, .. } = column;
        let private = names.private_at(ty.span());
        quote_spanned!(at(ty.span())=> #private::RowWriter::borrowed::<#ty>(row, &self.#name);)
    });
    let related = model.relations.iter().map(|relation| default(&relation.ident));
    let linked = model.relations.iter().enumerate().map(|(slot, relation)| {
        let (name, slot) = (&relation.ident, place(slot));
        let private = names.private_at(name.span());
        quote_spanned!(at(name.span())=> #name: #private::RelationField::linked(links, #slot))
    });
    let (identity, references, constants) =
        (relations::identity(model), relations::references(model, names), relations::relations(model, names));
    let unique = relations::unique(model);
    let private = &names.private;
    let mut methods = relations::methods(model, names);
    methods.extend(set_version(model, names));
    implementation(
        model,
        names,
        quote! {
            const IDENTITY: &'static str = #identity;
            const REFERENCES: &'static [#private::ReferenceInfo] = #references;
            const UNIQUE: &'static [&'static [u16]] = #unique;
            const RELATIONS: &'static [#private::RelationInfo] = #constants;
            const NEW_ROW: &'static [#private::NewRowColumn] = &[#(#required),*];
        },
        schema,
        Decoding {
            alone: quote!(::core::result::Result::Ok(#ident { #(#decoded,)* #(#skipped,)* #(#related,)* })),
            onto: quote! {
                if rows.len() == rows.capacity() {
                    return ::core::result::Result::Err(#private::no_room());
                }
                rows.push(#ident { #(#decoded,)* #(#skipped,)* #(#linked,)* });
                ::core::result::Result::Ok(())
            },
        },
        quote!(#(#encoded)*),
        methods,
    )
}

/// `set_version`, in a model that has one.
fn set_version(model: &Model, names: &Names) -> Option<TokenStream> {
    let Column { ident, ty, .. } = model.columns.iter().find(|column| column.version)?;
    let (private, at_type) = (&names.private, names.private_at(ty.span()));
    let decoded = quote_spanned!(at(ty.span())=>
        <#ty as #at_type::FieldType>::decode(#at_type::Value::Int(version))?);
    Some(quote! {
        fn set_version(&mut self, version: i64) -> ::core::result::Result<(), #private::DecodeFailure> {
            self.#ident = #decoded;
            ::core::result::Result::Ok(())
        }
    })
}

/// The same without a look at the fields. It is never run: what it stands beside does not compile.
pub(super) fn shell(model: &Model, names: &Names) -> TokenStream {
    let never = quote!(loop {});
    let (private, identity) = (&names.private, relations::identity(model));
    let constants = quote! {
        const IDENTITY: &'static str = #identity;
        const REFERENCES: &'static [#private::ReferenceInfo] = &[];
        const UNIQUE: &'static [&'static [u16]] = &[];
        const RELATIONS: &'static [#private::RelationInfo] = &[];
        const NEW_ROW: &'static [#private::NewRowColumn] = &[];
    };
    let methods = quote! {
        fn value_of(&self, _: u16) -> ::core::result::Result<#private::Value<'_>, #private::InvalidValue> {
            loop {}
        }

        fn link(&mut self, _: u16, _: #private::Link) {}

        fn relink(&mut self, _: u16, _: #private::Key) {}
    };
    let decoding = Decoding { alone: never.clone(), onto: never.clone() };
    implementation(model, names, constants, never, decoding, TokenStream::new(), methods)
}

/// How a struct is made from a row: by itself, and as the next of a list.
struct Decoding {
    alone: TokenStream,
    onto: TokenStream,
}

fn implementation(
    model: &Model,
    names: &Names,
    constants: TokenStream,
    schema: TokenStream,
    decoding: Decoding,
    encode: TokenStream,
    methods: TokenStream,
) -> TokenStream {
    let Names { private, draft } = names;
    let ident = &model.ident;
    let key = key(model);
    let Decoding { alone, onto } = decoding;
    quote! {
        #[automatically_derived]
        #[allow(deprecated)]
        impl #private::Model for #ident {
            type Draft = #draft;
            type Key = #key;

            #constants

            fn schema() -> #private::SchemaRef {
                #schema
            }

            fn decode(row: &mut dyn #private::Row) -> #private::DBResult<Self> {
                #alone
            }

            fn decode_onto(
                row: &mut dyn #private::Row,
                links: &#private::Links,
                rows: &mut ::std::vec::Vec<Self>,
            ) -> #private::DBResult<()> {
                #onto
            }

            fn encode(&self, row: &mut #private::RowWriter<'_>) {
                #encode
            }

            #methods
        }
    }
}

/// The type of a single key, a tuple of those of a composite one.
fn key(model: &Model) -> TokenStream {
    let types: Vec<_> = model.columns.iter().filter(|column| column.key).map(|column| &column.ty).collect();
    match types.as_slice() {
        [single] => quote!(#single),
        types => quote!((#(#types,)*)),
    }
}

/// What `new!` knows of a column: it may be left out where something else gives the value.
fn new_row_column(column: &Column, model: &Model, names: &Names) -> TokenStream {
    let private = &names.private;
    let Column { ty, field, .. } = column;
    let model = model.name();
    let message = format!("`new!({model} {{ .. }})` forgets the required column `{field}` ({})", types::text(ty));
    let filled_in = column.auto.is_some() || column.default.is_some() || column.version;
    let forgotten = if filled_in || types::option_inner(ty).is_some() {
        quote!(::core::option::Option::None)
    } else {
        let private = names.private_at(ty.span());
        quote_spanned! {at(ty.span())=>
            if <#ty as #private::FieldType>::NULLABLE {
                ::core::option::Option::None
            } else {
                ::core::option::Option::Some(#message)
            }
        }
    };
    quote!(#private::NewRowColumn { name: #field, forgotten: #forgotten })
}
