//! What would be sent.

use std::fmt;

use crate::value::Value;

/// What a driver would send for a statement.
///
/// `Display` and `Debug` print the text with its placeholders and no values, and then the notes, each on a line of its own that begins with `--`;
/// [`with_values`](Explanation::with_values) prints the values too.
#[derive(Debug, Clone)]
pub struct Explanation {
    statement: String,
    binds: Vec<Value<'static>>,
    notes: Vec<String>,
}

impl Explanation {
    /// A statement and what is bound to its placeholders, in order.
    pub fn new(statement: impl Into<String>, binds: Vec<Value<'static>>) -> Explanation {
        Explanation { statement: statement.into(), binds, notes: Vec::new() }
    }

    /// Adds what the driver has to say of it. A driver must put no value of the statement into it.
    #[must_use]
    pub fn with_notes(mut self, notes: impl IntoIterator<Item = impl Into<String>>) -> Explanation {
        self.notes.extend(notes.into_iter().map(Into::into));
        self
    }

    /// The native text.
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// What is bound to the placeholders, in order.
    pub fn binds(&self) -> &[Value<'static>] {
        &self.binds
    }

    /// What the driver has to say of it, a sentence each: on MongoDB, which conditions no index serves.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Prints the values alone, separated by commas. They are the user's data: not for logs.
    pub fn values(&self) -> impl fmt::Display + '_ {
        Binds(self)
    }

    fn print_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.notes.iter().try_for_each(|note| write!(f, "\n-- {note}"))
    }

    /// Prints the statement with its values. They are the user's data: not for logs.
    pub fn with_values(&self) -> impl fmt::Display + '_ {
        WithValues(self)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.statement)?;
        self.print_notes(f)
    }
}

struct Binds<'a>(&'a Explanation);

impl fmt::Display for Binds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.binds.iter().enumerate().try_for_each(|(i, value)| {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{} = {}", i + 1, value.reveal())
        })
    }
}

struct WithValues<'a>(&'a Explanation);

impl fmt::Display for WithValues<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.statement)?;
        if !self.0.binds.is_empty() {
            write!(f, " -- {}", self.0.values())?;
        }
        self.0.print_notes(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_follow_the_statement_on_lines_of_their_own() {
        let explanation = Explanation::new("find ?", vec![Value::Int(7)]);
        assert_eq!((explanation.to_string(), explanation.notes().len()), ("find ?".to_owned(), 0));
        let explanation = explanation.with_notes(["it is slow"]).with_notes(["and long"]);
        assert_eq!(explanation.to_string(), "find ?\n-- it is slow\n-- and long");
        assert_eq!(explanation.with_values().to_string(), "find ? -- 1 = 7\n-- it is slow\n-- and long");
        assert_eq!(
            (explanation.statement(), explanation.notes()),
            ("find ?", &["it is slow".to_owned(), "and long".to_owned()][..])
        );
    }
}
