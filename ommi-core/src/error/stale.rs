//! Rows that were changed since they were read.

use std::fmt;

use crate::schema::Name;
use crate::value::Value;

/// A row that was to be written as it was read, and is no longer as it was.
///
/// `Debug` and `Display` name the columns of the key and show no values: values are the user's data.
#[derive(Clone, PartialEq)]
pub struct StaleRow {
    model: Name,
    key: Vec<(Name, Value<'static>)>,
}

impl StaleRow {
    pub(crate) fn new(model: Name, key: Vec<(Name, Value<'static>)>) -> StaleRow {
        StaleRow { model, key }
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The key: for each of its columns the field's name and the row's value.
    pub fn key(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'static>)> {
        self.key.iter().map(|(field, value)| (&**field, value))
    }
}

impl fmt::Display for StaleRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} with this ", self.model)?;
        for (place, (field, _)) in self.key.iter().enumerate() {
            let between = if place > 0 { ", " } else { "" };
            write!(f, "{between}`{field}`")?;
        }
        f.write_str(" was changed since it was read")
    }
}

impl fmt::Debug for StaleRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaleRow").field("model", &self.model).field("key", &self.key).finish()
    }
}
