//! What would be sent.

use std::fmt;

use crate::value::Value;

/// What a driver would send for a statement.
///
/// `Display` and `Debug` print the text with its placeholders and no values; [`with_values`](Explanation::with_values) prints those too.
#[derive(Debug, Clone)]
pub struct Explanation {
    statement: String,
    binds: Vec<Value<'static>>,
}

impl Explanation {
    /// A statement and what is bound to its placeholders, in order.
    pub fn new(statement: impl Into<String>, binds: Vec<Value<'static>>) -> Explanation {
        Explanation { statement: statement.into(), binds }
    }

    /// The native text.
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// What is bound to the placeholders, in order.
    pub fn binds(&self) -> &[Value<'static>] {
        &self.binds
    }

    /// Prints the values alone, separated by commas. They are the user's data: not for logs.
    pub fn values(&self) -> impl fmt::Display + '_ {
        Binds(self)
    }

    /// Prints the statement with its values. They are the user's data: not for logs.
    pub fn with_values(&self) -> impl fmt::Display + '_ {
        WithValues(self)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.statement)
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
        if self.0.binds.is_empty() { Ok(()) } else { write!(f, " -- {}", self.0.values()) }
    }
}
