//! What can be told of a type from its tokens alone.
//!
//! An alias or a macro hides a type from this; what must hold for every type is checked again where the types are
//! known, by the compiler or by the schema.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, Ident, PathArguments, PathSegment, Type};

/// The last segment of a type that is a path, behind the groups that macros put around it.
fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// What is in the `Option`, if the type is written as one.
pub(crate) fn option_inner(ty: &Type) -> Option<&Type> {
    let segment = last_segment(ty).filter(|segment| segment.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) => Some(inner),
        _ => None,
    }
}

/// A relation, as its type is written.
pub(crate) enum Relation {
    BelongsTo { target: Type },
    HasOne { target: Type },
    HasMany { target: Type, through: Option<Box<Type>> },
}

/// The relation that the type is written as, if it is one; the error where it is one that nothing leads to.
pub(crate) fn relation(ty: &Type) -> Option<syn::Result<Relation>> {
    let segment = last_segment(ty)?;
    let form = match segment.ident.to_string().as_str() {
        "BelongsTo" => "`BelongsTo<Team>` or `BelongsTo<Option<Team>>`",
        "HasOne" => "`HasOne<Profile>`",
        "HasMany" => "`HasMany<Post>` or `HasMany<Tag, Through<UserTag>>`",
        _ => return None,
    };
    let wrong = || Err(syn::Error::new_spanned(ty, format!("a relation names the model it leads to: {form}")));
    let arguments = generics(segment);
    let relation = match (segment.ident.to_string().as_str(), arguments.as_slice()) {
        ("BelongsTo", [target]) => Ok(Relation::BelongsTo { target: option_inner(target).unwrap_or(target).clone() }),
        ("HasOne", [target]) => Ok(Relation::HasOne { target: (*target).clone() }),
        ("HasMany", [target]) => Ok(Relation::HasMany { target: (*target).clone(), through: None }),
        ("HasMany", [target, via]) => match last_segment(via).filter(|via| via.ident == "Through").map(generics) {
            Some(association) => match association.as_slice() {
                [association] => {
                    Ok(Relation::HasMany { target: (*target).clone(), through: Some(Box::new((*association).clone())) })
                }
                _ => wrong(),
            },
            None => wrong(),
        },
        _ => wrong(),
    };
    Some(relation.and_then(|relation| match relation.no_model() {
        Some(other) => {
            let message = format!("`{}` is not a model; a relation names the model it leads to: {form}", text(other));
            Err(syn::Error::new_spanned(other, message))
        }
        None => Ok(relation),
    }))
}

impl Relation {
    /// A part of it that is no model for certain. Told here, it is one error; told by the compiler, one for each use.
    fn no_model(&self) -> Option<&Type> {
        let (target, through) = match self {
            Relation::BelongsTo { target } | Relation::HasOne { target } => (target, None),
            Relation::HasMany { target, through } => (target, through.as_deref()),
        };
        // A model may have the name of a generic type of the standard library, but no type of its own within it.
        let generic = |ty: &Type| last_segment(ty).is_some_and(|segment| !generics(segment).is_empty());
        let never = |ty: &&Type| {
            [INTEGERS, FLOATS, NO_MODELS].iter().any(|names| is_named(ty, names))
                || (is_named(ty, &["Option", "Vec", "Box", "Arc"]) && generic(ty))
        };
        [Some(target), through].into_iter().flatten().find(never)
    }
}

fn generics(segment: &PathSegment) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return Vec::new() };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

/// Whether the type is written as one of these.
pub(crate) fn is_named(ty: &Type, names: &[&str]) -> bool {
    last_segment(ty).is_some_and(|segment| names.iter().any(|name| segment.ident == name))
}

/// The floating-point types.
pub(crate) const FLOATS: &[&str] = &["f32", "f64"];
/// The integers that a column can hold.
pub(crate) const INTEGERS: &[&str] = &["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"];
/// What else is no model.
const NO_MODELS: &[&str] = &["bool", "String", "str", "char"];
/// What has no generated values, among the types that columns hold.
pub(crate) const NEVER_AUTO: &[&str] =
    &["bool", "f32", "f64", "String", "Vec", "NaiveDate", "NaiveTime", "NaiveDateTime", "DateTime"];

/// The type as its author would write it: `Option<Vec<u8>>`.
pub(crate) fn text(ty: &impl ToTokens) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (spaced, tight) in
        [(" :: ", "::"), (":: ", "::"), (" < ", "<"), (" > ", ">"), (" >", ">"), ("< ", "<"), (" ,", ","), (" ;", ";")]
    {
        text = text.replace(spaced, tight);
    }
    text
}

/// The tokens with the model's name for `Self`, which would mean something else, or nothing, where they are put.
pub(crate) fn without_self(tokens: TokenStream, model: &Ident) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                let mut model = model.clone();
                model.set_span(ident.span());
                TokenTree::Ident(model)
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), without_self(group.stream(), model));
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(text: &str) -> Type {
        syn::parse_str(text).unwrap()
    }

    #[test]
    fn options_are_seen_through_any_path() {
        for text in ["Option<i64>", "std::option::Option<i64>", "(::core::option::Option<i64>)"] {
            assert_eq!(option_inner(&ty(text)).map(super::text), Some("i64".to_owned()), "{text}");
        }
        for text in ["i64", "Vec<Option<i64>>", "Option", "(i64, i64)"] {
            assert!(option_inner(&ty(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn a_relation_leads_to_what_can_be_a_model() {
        let is_one = |text: &str| relation(&ty(text)).map(|relation| relation.is_ok());
        for text in [
            "HasMany<Post>",
            "BelongsTo<Option<blog::Team>>",
            "HasMany<Tag, ommi::Through<UserTag>>",
            "HasOne<Self>",
            "BelongsTo<Box>",
        ] {
            assert_eq!(is_one(text), Some(true), "{text}");
        }
        for text in
            ["HasMany<String>", "HasOne<i64>", "HasMany<Vec<Tag>>", "BelongsTo<Vec<Tag>>", "HasMany<Tag, Through<u8>>"]
        {
            assert_eq!(is_one(text), Some(false), "{text}");
        }
        assert_eq!(is_one("Vec<HasMany<Post>>"), None);
    }

    #[test]
    fn types_are_written_without_stray_spaces() {
        for text in ["String", "Option<Vec<u8>>", "uuid::Uuid", "Result<i64, String>", "[u8; 4]"] {
            assert_eq!(super::text(&ty(text)), text);
        }
    }

    #[test]
    fn self_becomes_the_model() {
        let model: Ident = syn::parse_str("User").unwrap();
        let tokens: TokenStream = "f(Self::X, [Self])".parse().unwrap();
        assert_eq!(text(&without_self(tokens, &model)), "f (User::X, [User])");
    }
}
