//! Which columns a violated constraint has, as PostgreSQL tells it.
//!
//! The names stand in the detail of the report, `Key (email, "Last Name")=(..) already exists.`, in words that depend on the
//! server's language. Only what is between the first `(` and `)=(` is read; what follows are the user's values, and they go nowhere.

/// The columns in the detail of a report on a key; empty where there are none, or an expression is among them.
pub(crate) fn columns(detail: &str) -> Vec<String> {
    let Some((_, mut rest)) = detail.split_once('(') else {
        return Vec::new();
    };
    let mut columns = Vec::new();
    loop {
        let Some((name, after)) = identifier(rest) else {
            return Vec::new();
        };
        columns.push(name);
        if let Some(after) = after.strip_prefix(", ") {
            rest = after;
        } else if after.starts_with(")=(") {
            return columns;
        } else {
            return Vec::new();
        }
    }
}

/// A name as PostgreSQL writes it: bare, or in double quotes with those in it doubled.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', ')', '('])?;
        let (name, after) = text.split_at_checked(end)?;
        return (!name.is_empty() && !name.contains(' ')).then(|| (name.to_owned(), after));
    };
    let mut name = String::new();
    loop {
        let (piece, after) = rest.split_once('"')?;
        name.push_str(piece);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn names_are_read_in_any_language_and_values_are_not() {
        assert_eq!(columns("Key (email)=(x, y)=(z) already exists."), ["email"]);
        assert_eq!(columns("Schlüssel »(a, b)=(1, 2)« existiert bereits."), ["a", "b"]);
        assert_eq!(columns(r#"Key ("First, ""the"" )=(", b)=(1, 2) already exists."#), [r#"First, "the" )=("#, "b"]);
        assert!(columns("Key (lower(email))=(x) already exists.").is_empty());
        assert!(columns("Failing row contains (1, 2).").is_empty());
        assert!(columns("").is_empty());
    }
}
