//! The body of `Model::schema`: the metadata, built on first use.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Names, at, place};
use crate::check::{Column, Default, Model, Reference};
use crate::input::{AutoKind, Precision, ReferentialAction};

/// A lazily built static, and a reference to it.
pub(super) fn emit(model: &Model, names: &Names) -> TokenStream {
    let private = &names.private;
    let (name, table) = (model.name(), &model.table);
    let in_schema = model.schema.as_ref().map(|schema| quote!(.in_schema(#schema)));
    let columns = model.columns.iter().map(|column| {
        let builder = self::column(column, names);
        quote!(.column(#builder))
    });
    let uniques = model.uniques.iter().map(|columns| {
        let columns = columns.iter().copied().map(place);
        quote!(.unique(&[#(#columns),*]))
    });
    let indexes = model.indexes.iter().map(|columns| {
        let columns = columns.iter().copied().map(place);
        quote!(.index(&[#(#columns),*]))
    });
    let references = model.references.iter().map(|reference| {
        let reference = self::reference(reference, model, names);
        quote!(.reference(#reference))
    });
    quote! {
        static __OMMI_SCHEMA: #private::LazyLock<#private::ModelSchema> = #private::LazyLock::new(|| {
            #private::ModelSchema::builder(#name, #table)
                #in_schema
                #(#columns)*
                #(#uniques)*
                #(#indexes)*
                #(#references)*
                .finish()
        });
        #private::SchemaRef::from_static(&__OMMI_SCHEMA)
    }
}

fn column(column: &Column, names: &Names) -> TokenStream {
    let Column { ty, field, stored, .. } = column;
    let private = &names.private_at(ty.span());
    let mut builder = quote_spanned!(at(ty.span())=> #private::ColumnBuilder::of::<#ty>(#field));
    if stored != field {
        builder.extend(quote!(.stored_as(#stored)));
    }
    for (given, method) in
        [(column.key, quote!(.key())), (column.unique, quote!(.unique())), (column.index, quote!(.index()))]
    {
        if given {
            builder.extend(method);
        }
    }
    if let Some(kind) = column.auto {
        let wanted = match kind {
            AutoKind::OfType => quote!(::core::option::Option::None),
            AutoKind::Increment => quote!(::core::option::Option::Some(#private::Auto::Increment)),
            AutoKind::UuidV4 => quote!(::core::option::Option::Some(#private::Auto::UuidV4)),
            AutoKind::UuidV7 => quote!(::core::option::Option::Some(#private::Auto::UuidV7)),
        };
        // A constant, so that a type for which it does not fit stops the compilation.
        let auto = quote_spanned!(at(ty.span())=> #private::Auto::of::<#ty>(#wanted));
        builder.extend(quote!(.auto({
            const AUTO: #private::Auto = #auto;
            AUTO
        })));
    }
    if let Some(precision) = column.precision {
        let precision = match precision {
            Precision::Milliseconds => quote!(Milliseconds),
            Precision::Microseconds => quote!(Microseconds),
            Precision::Nanoseconds => quote!(Nanoseconds),
        };
        builder.extend(quote!(.precision(#private::DatePrecision::#precision)));
    }
    if column.version {
        let check = quote_spanned!(at(ty.span())=> #private::check_version::<#ty>());
        builder.extend(quote!(.version()));
        // A constant, so that a type that cannot count stops the compilation.
        builder = quote!({
            const _: () = #check;
            #builder
        });
    }
    if column.truncate {
        builder.extend(quote!(.truncated()));
    }
    match &column.default {
        None => {}
        Some(Default::OfType) => {
            builder.extend(quote_spanned!(at(ty.span())=>
                .default_value(<#ty as ::core::default::Default>::default())));
        }
        Some(Default::Value(value)) => {
            let private = names.private_at(value.span());
            builder.extend(quote_spanned!(at(value.span())=>
                .default_value(#private::IntoField::<#ty>::into_field(#value))));
        }
    }
    builder
}

fn reference(reference: &Reference, model: &Model, names: &Names) -> TokenStream {
    let private = &names.private;
    let mut code = TokenStream::new();
    for (&index, target) in reference.columns.iter().zip(&reference.targets) {
        let Some(Column { ty, .. }) = model.columns.get(index) else { continue };
        let (place, column) = (place(index), names.private_at(target.span()));
        let refer = quote_spanned!(at(ty.span())=> .referred_to_by::<#ty>(#place));
        // The target is known before the field is compared with it, so that the message can name both types.
        let part = quote_spanned!(at(target.span())=> {
            let target: #column::Column<_, _> = #target;
            let part = target #refer;
            part
        });
        if code.is_empty() {
            code = part;
        } else {
            code.extend(quote_spanned!(at(target.span())=> .and(#part)));
        }
    }
    code.extend(quote!(.finish()));
    let options = &reference.options;
    for (method, given) in [(quote!(on_delete), &options.on_delete), (quote!(on_update), &options.on_update)] {
        if let Some((_, action)) = given {
            let action = match action {
                ReferentialAction::NoAction => quote!(NoAction),
                ReferentialAction::Restrict => quote!(Restrict),
                ReferentialAction::Cascade => quote!(Cascade),
                ReferentialAction::SetNull => quote!(SetNull),
                ReferentialAction::SetDefault => quote!(SetDefault),
            };
            code.extend(quote!(.#method(#private::ReferentialAction::#action)));
        }
    }
    if options.constraint == Some(false) {
        code.extend(quote!(.unenforced()));
    }
    code
}
