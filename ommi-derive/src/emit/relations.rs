//! Relations: their constants, and how their fields learn which row they belong to.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Names, at, place};
use crate::check::{Column, Model, Reference, Relation};
use crate::types;

/// `pub const posts: Relation<User, HasMany<Post>> = ..;`
pub(super) fn constants<'m>(model: &'m Model, names: &'m Names) -> impl Iterator<Item = TokenStream> + 'm {
    let private = &names.private;
    let model_ident = &model.ident;
    model.relations.iter().enumerate().map(move |(slot, relation)| {
        let Relation { ident, vis, ty, field, .. } = relation;
        let doc = format!("The relation of the field `{field}`.");
        let slot = place(slot);
        quote_spanned! {at(ident.span())=>
            #[doc = #doc]
            #vis const #ident: #private::Relation<#model_ident, #ty> =
                #private::Relation::new(#slot, |row: &#model_ident| &row.#ident);
        }
    })
}

/// What tells the model from others: its path and its place, since two functions of a module may each have a `User`.
pub(super) fn identity(model: &Model) -> TokenStream {
    let name = model.name();
    quote!(::core::concat!(
        ::core::module_path!(), "::", #name, " ", ::core::file!(), ":", ::core::line!(), ":", ::core::column!()
    ))
}

/// The references, as constants.
pub(super) fn references(model: &Model, names: &Names) -> TokenStream {
    let private = &names.private;
    let references = model.references.iter().map(|reference: &Reference| {
        let columns = reference.columns.iter().copied().map(place);
        let fields = reference.columns.iter().filter_map(|&column| Some(&model.columns.get(column)?.field));
        let targets = reference.targets.iter().map(|target| {
            let private = names.private_at(target.span());
            quote_spanned!(at(target.span())=> #private::Column::index(#target))
        });
        let target = reference.targets.first().map(|target| {
            let private = names.private_at(target.span());
            quote_spanned!(at(target.span())=> #private::identity_of(#target))
        });
        quote! {
            #private::ReferenceInfo {
                target: #target,
                columns: &[#(#columns),*],
                fields: &[#(#fields),*],
                target_columns: &[#(#targets),*],
            }
        }
    });
    quote!(&[#(#references),*])
}

/// The columns by which rows can be told apart, as constants.
pub(super) fn unique(model: &Model) -> TokenStream {
    let of = |which: fn(&Column) -> bool| {
        model.columns.iter().enumerate().filter(move |(_, column)| which(column)).map(|(index, _)| index)
    };
    let key: Vec<usize> = of(|column| column.key).collect();
    let single = of(|column| column.unique).map(|index| vec![index]);
    let sets = std::iter::once(key).chain(single).chain(model.uniques.iter().cloned()).map(|set| {
        let columns = set.into_iter().map(place);
        quote!(&[#(#columns),*])
    });
    quote!(&[#(#sets),*])
}

/// The relations, as constants. Each is one of its own, so that the compiler looks at all of them and reports what is wrong at each field.
pub(super) fn relations(model: &Model, names: &Names) -> TokenStream {
    let names_of: Vec<_> = (0..model.relations.len()).map(|slot| quote::format_ident!("RELATION_{slot}")).collect();
    let relations = model.relations.iter().zip(&names_of).map(|(relation, name)| {
        let private = names.private_at(relation.ty.span());
        let info = one(relation, model, names);
        quote_spanned!(at(relation.ty.span())=> const #name: #private::RelationInfo = #info;)
    });
    quote!({
        #(#relations)*
        &[#(#names_of),*]
    })
}

fn one(relation: &Relation, model: &Model, names: &Names) -> TokenStream {
    let Relation { field, kind, by, to, ty, .. } = relation;
    let (private, ident) = (names.private_at(ty.span()), &model.ident);
    let span = at(ty.span());
    match kind {
        types::Relation::BelongsTo { target } => quote_spanned! {span=>
            #private::belongs_to::<#ident, #target>(#field, &[#(#by),*])
        },
        types::Relation::HasOne { target } | types::Relation::HasMany { target, through: None } => {
            quote_spanned! {span=>
                #private::has::<#ident, #target>(#field, &[#(#by),*])
            }
        }
        types::Relation::HasMany { target, through: Some(association) } => quote_spanned! {span=>
            #private::through::<#ident, #association, #target>(#field, &[#(#by),*], &[#(#to),*])
        },
    }
}

/// `value_of`, `link` and `relink`.
pub(super) fn methods(model: &Model, names: &Names) -> TokenStream {
    let private = &names.private;
    let values = model.columns.iter().enumerate().filter(|&(index, column)| {
        let in_one = |lists: &[Vec<usize>]| lists.iter().any(|list| list.contains(&index));
        column.key
            || column.unique
            || in_one(&model.uniques)
            || model.references.iter().any(|reference| reference.columns.contains(&index))
    });
    let values = values.map(|(index, column)| {
        let (ident, ty, index) = (&column.ident, &column.ty, place(index));
        let private = names.private_at(ty.span());
        quote_spanned!(at(ty.span())=> #index => <#ty as #private::FieldType>::encode(&self.#ident),)
    });
    let fields: Vec<_> = model.relations.iter().map(|relation| &relation.ident).collect();
    let slots: Vec<_> = (0..fields.len()).map(place).collect();
    let (link, key) = if fields.is_empty() { (quote!(_), quote!(_)) } else { (quote!(link), quote!(key)) };
    quote! {
        fn value_of(
            &self,
            column: u16,
        ) -> ::core::result::Result<#private::Value<'_>, #private::InvalidValue> {
            match column {
                #(#values)*
                _ => ::core::result::Result::Err(#private::InvalidValue::new("no column that rows belong together by")),
            }
        }

        #[inline(always)]
        fn link(&mut self, slot: u16, #link: #private::Link) {
            match slot {
                #(#slots => #private::RelationField::set_link(&mut self.#fields, link),)*
                _ => {}
            }
        }

        fn relink(&mut self, slot: u16, #key: #private::Key) {
            match slot {
                #(#slots => #private::RelationField::relink(&mut self.#fields, key),)*
                _ => {}
            }
        }
    }
}

/// `refer`: gives the columns of references the values of the rows they refer to.
pub(super) fn refer(model: &Model, names: &Names, of_draft: bool) -> TokenStream {
    let private = &names.private;
    let mut columns: Vec<usize> = model.references.iter().flat_map(|reference| reference.columns.clone()).collect();
    columns.sort_unstable();
    columns.dedup();
    if columns.is_empty() {
        return TokenStream::new();
    }
    let arms = columns.into_iter().filter_map(|index| {
        let column = model.columns.get(index)?;
        let (ident, ty, index) = (&column.ident, &column.ty, place(index));
        let private = names.private_at(ty.span());
        let decoded = quote_spanned!(at(ty.span())=> <#ty as #private::FieldType>::decode(value)?);
        Some(match of_draft {
            true => quote_spanned!(at(ty.span())=> #index => #private::Slot::put(&mut self.#ident, #decoded),),
            false => quote_spanned!(at(ty.span())=> #index => self.#ident = #decoded,),
        })
    });
    quote! {
        fn refer(
            &mut self,
            column: u16,
            value: #private::Value<'_>,
        ) -> ::core::result::Result<(), #private::DecodeFailure> {
            match column {
                #(#arms)*
                _ => return ::core::result::Result::Err(#private::DecodeFailure::new("nothing", "a value")),
            }
            ::core::result::Result::Ok(())
        }
    }
}

/// `has_nested` and `nested`: the rows that are added with a draft.
pub(super) fn nested(model: &Model, names: &Names) -> TokenStream {
    if model.relations.is_empty() {
        return TokenStream::new();
    }
    let private = &names.private;
    let ident = &model.ident;
    let fields: Vec<_> = model.relations.iter().map(|relation| &relation.ident).collect();
    let slots = (0..fields.len()).map(place);
    quote! {
        const NESTS: bool = true;

        fn has_nested(&self) -> bool {
            #(!#private::NewRelated::is_empty(&self.#fields))||*
        }

        fn nested(drafts: &mut [Self]) -> #private::Nested<Self> {
            let mut nested: #private::Nested<Self> = ::core::default::Default::default();
            #(#private::Nested::take(
                &mut nested,
                drafts,
                &<#ident as #private::Model>::RELATIONS[#slots],
                |draft: &mut Self| &mut draft.#fields,
                |row: &mut #ident| &mut row.#fields,
            );)*
            nested
        }
    }
}
