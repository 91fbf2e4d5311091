//! Names: the table of a model that names none, and what cannot be stored.

use syn::Ident;
use syn::ext::IdentExt;

/// The table of a struct of this name: snake case, in the plural.
///
/// The plural is that of regular nouns and nothing more: a final `y` after a consonant becomes `ies`, `es` follows
/// `s`, `x`, `z`, `ch` and `sh`, and everything else takes `s`. Whoever has a `Person` writes `table = "people"`.
pub(crate) fn table(model: &str) -> String {
    plural(&snake_case(model))
}

/// The text of an identifier, without `r#`.
pub(crate) fn unraw(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// `HttpLog` and `HTTPLog` become `http_log`: a word begins at a capital that follows a small letter or a digit, or
/// that is followed by a small letter.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut previous: Option<char> = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        if c.is_uppercase() {
            let after_small = previous.is_some_and(|p| p.is_lowercase() || p.is_numeric());
            let after_capital = previous.is_some_and(char::is_uppercase);
            if after_small || (after_capital && rest.peek().is_some_and(|next| next.is_lowercase())) {
                snake.push('_');
            }
        }
        snake.extend(c.to_lowercase());
        previous = Some(c);
    }
    snake
}

fn plural(word: &str) -> String {
    if let Some(stem) = word.strip_suffix('y') {
        let vowel = stem.ends_with(['a', 'e', 'i', 'o', 'u']);
        if !vowel && stem.ends_with(char::is_alphabetic) {
            return format!("{stem}ies");
        }
    }
    if ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end)) {
        return format!("{word}es");
    }
    format!("{word}s")
}

/// Why no store, or not every one, can address a table or column of this name.
pub(crate) fn unusable(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("is empty")
    } else if name.contains('\0') {
        Some("contains a NUL character")
    } else if name.starts_with('$') {
        Some("begins with a dollar sign")
    } else if name.contains('.') {
        Some("contains a dot")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_regular_plurals_in_snake_case() {
        for (model, expected) in [
            ("User", "users"),
            ("UserTag", "user_tags"),
            ("Category", "categories"),
            ("Day", "days"),
            ("Box", "boxes"),
            ("Bus", "buses"),
            ("Branch", "branches"),
            ("Wish", "wishes"),
            ("Quiz", "quizes"),
            ("HTTPLog", "http_logs"),
            ("OAuth2Token", "o_auth2_tokens"),
            ("Y", "ys"),
            ("A", "as"),
            ("Élan", "élans"),
        ] {
            assert_eq!(table(model), expected);
        }
    }

    #[test]
    fn raw_identifiers_lose_their_mark() {
        let ident: Ident = syn::parse_str("r#type").unwrap();
        assert_eq!(unraw(&ident), "type");
    }

    #[test]
    fn names_that_cannot_be_addressed_are_refused() {
        for name in ["", "a.b", "$a", "a\0"] {
            assert!(unusable(name).is_some(), "{name:?}");
        }
        for name in ["select", "a b", "a$", "näme", "\""] {
            assert!(unusable(name).is_none(), "{name:?}");
        }
    }
}
