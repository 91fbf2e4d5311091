//! Rows that are larger than a document may be: which one it was.

use std::error::Error;
use std::fmt;

use ommi_core::ast::{CompareOp, Condition, Expr};
use ommi_core::schema::ModelSchema;
use ommi_core::value::Value;
use ommi_core::{DBError, ErrorKind};

/// The row that takes more than the 16 MB of a document, or of the statement that writes it: the cause of a [`DBError`] of the kind [`TooLarge`](ErrorKind::TooLarge) where it is
/// known which row it was.
///
/// `Display` and `Debug` name the columns of its key and not their values, which are the user's.
pub struct LargeRow {
    model: String,
    key: Vec<(String, Value<'static>)>,
    cause: Option<DBError>,
}

impl LargeRow {
    /// The model's name.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The key: for each of its columns the name and the row's value.
    pub fn key(&self) -> impl ExactSizeIterator<Item = (&str, &Value<'static>)> {
        self.key.iter().map(|(column, value)| (column.as_str(), value))
    }

    /// Of a row whose columns have these values. None where its key is not known.
    pub(crate) fn new<'v>(model: &ModelSchema, value: impl Fn(u16) -> Option<Value<'v>>) -> Option<LargeRow> {
        let part = |column: &u16| Some((model.column(*column)?.name.to_string(), value(*column)?.into_owned()));
        let key = model.key.iter().map(part).collect::<Option<_>>()?;
        Some(LargeRow { model: model.name.to_string(), key, cause: None })
    }

    /// An error of a statement on one row, with that row as its cause where it was too large.
    pub(crate) fn named<'v>(error: DBError, model: &ModelSchema, value: impl Fn(u16) -> Option<Value<'v>>) -> DBError {
        let row = match error.kind() {
            ErrorKind::TooLarge => LargeRow::new(model, value),
            _ => None,
        };
        let Some(row) = row else { return error };
        let unsent = error.is_found_by_client();
        let row = LargeRow { cause: Some(error), ..row };
        let error = DBError::new(ErrorKind::TooLarge).with_detail(row.to_string()).with_source(row);
        if unsent { error.unsent() } else { error }
    }
}

/// The value that a condition demands of a column, if it says nothing but such: then nothing in it is large.
pub(crate) fn pinned(condition: &Condition, column: u16) -> Option<Value<'_>> {
    let parts = match condition {
        Condition::And(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let pins = parts.iter().map(|part| match part {
        Condition::Compare { op: CompareOp::Eq, left: Expr::Column(pinned), right: Expr::Value(value) } => {
            Some((*pinned, value))
        }
        _ => None,
    });
    let pins: Option<Vec<_>> = pins.collect();
    pins?.into_iter().find(|(pinned, _)| *pinned == column).map(|(_, value)| value.borrowed())
}

impl fmt::Display for LargeRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} with this ", self.model)?;
        for (place, (column, _)) in self.key.iter().enumerate() {
            let between = if place > 0 { ", " } else { "" };
            write!(f, "{between}`{column}`")?;
        }
        f.write_str(" takes more than 16 MB, as a document or in the statement")
    }
}

impl fmt::Debug for LargeRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LargeRow").field("model", &self.model).field("key", &self.key).finish_non_exhaustive()
    }
}

impl Error for LargeRow {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use ommi_core::schema::ColumnBuilder;
    use ommi_core::value::ColumnType;

    use super::*;

    #[test]
    fn the_key_is_there_and_is_not_shown() {
        let builder =
            ModelSchema::builder("Shelf", "shelves").column(ColumnBuilder::new("hall", ColumnType::Text).key());
        let model = builder.column(ColumnBuilder::new("number", ColumnType::I64).key()).build().unwrap();
        let hall = Condition::compare(CompareOp::Eq, Expr::Column(0), Expr::Value(Value::Text("secret".into())));
        let number = Condition::compare(CompareOp::Eq, Expr::Column(1), Expr::Value(Value::Int(4_711)));
        let both = hall.and(number);
        let other = LargeRow::named(DBError::new(ErrorKind::Query), &model, |column| pinned(&both, column));
        assert!(matches!(other.kind(), ErrorKind::Query));
        // A list beside it may be what is large.
        let list = ommi_core::ast::List::new([Value::Int(1), Value::Int(2)]);
        let more = both.clone().and(Condition::In { expr: Expr::Column(1), list, negated: false });
        let list = LargeRow::named(DBError::new(ErrorKind::TooLarge), &model, |column| pinned(&more, column));
        assert!(list.source().is_none());
        let error = LargeRow::named(DBError::new(ErrorKind::TooLarge), &model, |column| pinned(&both, column));
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("the Shelf with this `hall`, `number` takes more than 16 MB"), "{shown}");
        assert!(!shown.contains("secret") && !shown.contains("4711"), "{shown}");
        let row = error.source().and_then(|source| source.downcast_ref::<LargeRow>()).unwrap();
        let key: Vec<_> = row.key().map(|(name, value)| (name, value.clone())).collect();
        assert_eq!(key, [("hall", Value::Text("secret".into())), ("number", Value::Int(4_711))]);
        assert_eq!(row.model(), "Shelf");
        assert!(row.source().is_some_and(|cause| cause.is::<DBError>()));
    }
}
