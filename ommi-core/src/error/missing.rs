//! Rows that others refer to, and that are not there.

use std::fmt;

use crate::schema::Name;
use crate::value::Value;

/// A row that another one refers to, and that is not there.
///
/// `Debug` and `Display` name columns and show no values: values are the user's data.
#[derive(Clone, PartialEq)]
pub struct MissingRow {
    relation: String,
    by: Vec<Name>,
    model: Name,
    columns: Vec<Name>,
    key: Vec<(Name, Value<'static>)>,
    referring: Vec<(Name, Value<'static>)>,
}

impl MissingRow {
    /// A row of this model, which `relation` goes to: by these fields of its own, to these of the other model.
    pub(crate) fn new(relation: String, by: Vec<Name>, model: Name, columns: Vec<Name>) -> MissingRow {
        MissingRow { relation, by, model, columns, key: Vec::new(), referring: Vec::new() }
    }

    /// It was looked for by these values.
    pub(crate) fn with_key(mut self, values: impl IntoIterator<Item = Value<'static>>) -> MissingRow {
        self.key = self.columns.iter().cloned().zip(values).collect();
        self
    }

    /// The row that refers to it has this key.
    pub(crate) fn with_referring(mut self, key: Vec<(Name, Value<'static>)>) -> MissingRow {
        self.referring = key;
        self
    }

    /// The model and the field that lead to it: `Ticket.seat`.
    pub fn relation(&self) -> &str {
        &self.relation
    }

    /// The fields of the row that refers to it in which it is named.
    pub fn by(&self) -> impl ExactSizeIterator<Item = &str> {
        self.by.iter().map(|field| &**field)
    }

    /// The name of its model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What was looked for: for each column that is referred to the field's name and the value. Nothing, where the reference is NULL.
    pub fn key(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'static>)> {
        self.key.iter().map(|(field, value)| (&**field, value))
    }

    /// The key of the row that refers to it, as far as that is known: always to [`load`](crate::relation::LoadRelation::load) on the struct; to
    /// `load` on the field only where its rows' relations go by the key, as those do to rows that refer to them.
    pub fn referring_key(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'static>)> {
        self.referring.iter().map(|(field, value)| (&**field, value))
    }
}

/// Names of fields.
fn names(f: &mut fmt::Formatter<'_>, fields: &[Name]) -> fmt::Result {
    for (place, field) in fields.iter().enumerate() {
        let between = if place > 0 { ", " } else { "" };
        write!(f, "{between}`{field}`")?;
    }
    Ok(())
}

impl fmt::Display for MissingRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` refers by ", self.relation)?;
        names(f, &self.by)?;
        if self.key.is_empty() {
            return f.write_str(" to none, since that is NULL");
        }
        f.write_str(" to a row with a ")?;
        names(f, &self.columns)?;
        write!(f, " that no {} has", self.model)
    }
}

impl fmt::Debug for MissingRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MissingRow")
            .field("relation", &self.relation)
            .field("by", &self.by)
            .field("model", &self.model)
            .field("key", &self.key)
            .field("referring_key", &self.referring)
            .finish_non_exhaustive()
    }
}
