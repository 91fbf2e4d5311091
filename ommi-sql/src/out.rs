//! What a traversal writes to.

use ommi_core::DBResult;
use ommi_core::driver::Explanation;
use ommi_core::value::{ColumnType, Value};

/// Takes what a traversal of a statement gives: pieces of text, and the binds in the order of their placeholders.
pub trait Out {
    /// Whether the text is wanted. Where it is not, the traversal leaves out all work that only makes text.
    const TEXT: bool;

    /// Takes a piece of text.
    fn text(&mut self, text: &str);

    /// Takes what is bound to the next placeholder. `ty` is the type of the column it meets, where it meets one.
    ///
    /// # Errors
    /// The value cannot be bound; the traversal ends.
    fn bind(&mut self, bind: Bind<'_>, ty: Option<ColumnType>) -> DBResult<()>;
}

/// What is bound to one placeholder.
#[derive(Debug, Clone, PartialEq)]
pub enum Bind<'a> {
    /// A value: one of the statement's, or one derived from it.
    Value(Value<'a>),
    /// A whole list of values, as an array; see [`ListForm`](crate::ListForm).
    List(&'a [Value<'static>]),
    /// One column of several rows, as an array; see [`Dialect::rows_as_arrays`](crate::Dialect::rows_as_arrays).
    Column(Column<'a>),
}

/// The values of one column of rows that lie one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column<'a> {
    rows: &'a [Value<'static>],
    width: usize,
    place: usize,
}

impl<'a> Column<'a> {
    /// The values at this place of rows of this width.
    pub(crate) fn new(rows: &'a [Value<'static>], width: usize, place: usize) -> Column<'a> {
        Column { rows, width: width.max(1), place }
    }

    /// The values, in the order of the rows.
    pub fn values(self) -> impl Iterator<Item = &'a Value<'static>> + Clone {
        self.rows.iter().skip(self.place).step_by(self.width)
    }
}

/// Only the text.
#[derive(Debug, Default)]
pub struct SqlText(String);

impl SqlText {
    /// Empty.
    pub fn new() -> SqlText {
        SqlText::default()
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl Out for SqlText {
    const TEXT: bool = true;

    fn text(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn bind(&mut self, _: Bind<'_>, _: Option<ColumnType>) -> DBResult<()> {
        Ok(())
    }
}

/// The text and the binds, for people to read.
#[derive(Debug, Default)]
pub struct Explained {
    text: String,
    binds: Vec<Value<'static>>,
}

impl Explained {
    /// Empty.
    pub fn new() -> Explained {
        Explained::default()
    }

    /// The explanation. A list that is bound as a whole stands in it with all its values.
    pub fn finish(self) -> Explanation {
        Explanation::new(self.text, self.binds)
    }
}

impl Out for Explained {
    const TEXT: bool = true;

    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn bind(&mut self, bind: Bind<'_>, _: Option<ColumnType>) -> DBResult<()> {
        match bind {
            Bind::Value(value) => self.binds.push(value.into_owned()),
            Bind::List(values) => self.binds.extend_from_slice(values),
            Bind::Column(column) => self.binds.extend(column.values().cloned()),
        }
        Ok(())
    }
}
