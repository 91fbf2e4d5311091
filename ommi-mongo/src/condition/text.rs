//! Needles in text: patterns, and the range of what begins with one.

use ommi_core::ast::TextOp;

use super::expr::Place;

/// The longest pattern. Servers take 32 000 bytes; long before that a search without a pattern is as quick.
pub(super) const LONGEST_PATTERN: usize = 900;

/// The place where a predicate looks; none for one that this version does not know.
pub(super) fn place(op: TextOp) -> Option<Place> {
    Some(match op {
        TextOp::Contains => Place::Anywhere,
        TextOp::StartsWith => Place::Start,
        TextOp::EndsWith => Place::End,
        TextOp::Equals => Place::Whole,
        _ => return None,
    })
}

/// The pattern that finds the needle there, or none when it would be too long.
///
/// Nothing of the needle has a meaning in it. The end is `\z`: `$` matches before a last line break too. Letters that are to match in
/// either case become classes like `[aA]`: the option `i` folds all of Unicode, where `k` matches the KELVIN SIGN.
pub(super) fn pattern(place: Place, needle: &str, fold: bool) -> Option<String> {
    let mut pattern = String::with_capacity(needle.len() * 2 + 4);
    if matches!(place, Place::Start | Place::Whole) {
        pattern.push('^');
    }
    for character in needle.chars() {
        match character {
            '\\' | '^' | '$' | '.' | '|' | '?' | '*' | '+' | '(' | ')' | '[' | ']' | '{' | '}' => {
                pattern.push('\\');
                pattern.push(character);
            }
            letter if fold && letter.is_ascii_alphabetic() => {
                pattern.push('[');
                pattern.push(letter.to_ascii_lowercase());
                pattern.push(letter.to_ascii_uppercase());
                pattern.push(']');
            }
            other => pattern.push(other),
        }
        if pattern.len() > LONGEST_PATTERN {
            return None;
        }
    }
    if matches!(place, Place::End | Place::Whole) {
        pattern.push_str("\\z");
    }
    Some(pattern)
}

/// The least text above all that begins with this; none when nothing is above them.
///
/// Text compares by code points, so it is the text with its last code point one higher; from U+D7FF the next is U+E000, and the last
/// of all code points is dropped.
pub(super) fn above(prefix: &str) -> Option<String> {
    let mut characters = prefix.chars();
    while let Some(last) = characters.next_back() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            let mut text = characters.as_str().to_owned();
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_needle_has_a_meaning() {
        assert_eq!(pattern(Place::Anywhere, "a.c*", false).unwrap(), "a\\.c\\*");
        assert_eq!(pattern(Place::Start, "^x", false).unwrap(), "^\\^x");
        assert_eq!(pattern(Place::End, "$", false).unwrap(), "\\$\\z");
        assert_eq!(pattern(Place::Whole, "aÉ1", true).unwrap(), "^[aA]É1\\z");
        assert_eq!(pattern(Place::Anywhere, &"x".repeat(1_000), false), None);
        assert_eq!(pattern(Place::Anywhere, &"x".repeat(300), true), None);
    }

    #[test]
    fn a_prefix_ends_below_the_next_text() {
        assert_eq!(above("a").as_deref(), Some("b"));
        assert_eq!(above("az").as_deref(), Some("a{"));
        assert_eq!(above("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(above("a\u{10ffff}\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(above("\u{10ffff}"), None);
        assert_eq!(above(""), None);
    }
}
