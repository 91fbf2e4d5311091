//! What differs between SQL databases.

use ommi_core::ast::{Direction, Nulls, RowLock, TextOp};
use ommi_core::schema::ColumnSchema;
use ommi_core::value::{ColumnType, Value};

/// A database's kind of SQL: what the traversals and the DDL ask where databases differ.
///
/// The provided methods are standard SQL as PostgreSQL and SQLite share it.
pub trait Dialect {
    /// The driver's name, for `Unsupported`.
    fn name(&self) -> &'static str;

    /// The quote around a name; doubled within it.
    fn quote(&self) -> char {
        '"'
    }

    /// Writes a placeholder. `number` counts from 1; `ty` is the type of the column that the value meets.
    fn placeholder(&self, number: usize, ty: Option<ColumnType>, text: &mut dyn FnMut(&str));

    /// Writes the placeholder of a list that is bound as one array. `ty` is the type of its elements.
    fn array_placeholder(&self, number: usize, ty: Option<ColumnType>, text: &mut dyn FnMut(&str)) {
        self.placeholder(number, ty, text);
    }

    /// Whether an insert of several rows binds each column as one array, so that one text serves any number of rows. The array is
    /// read with `unnest(..) WITH ORDINALITY`, and the rows are written in its order.
    fn rows_as_arrays(&self) -> bool {
        false
    }

    /// A condition that is always true, or never.
    fn truth(&self, value: bool) -> &'static str;

    /// A condition that is always unknown.
    fn unknown(&self) -> &'static str;

    /// How a list of values is looked up.
    fn list(&self) -> ListForm;

    /// The form of a predicate on text. `Contains`, `StartsWith` and `EndsWith` may be asked for; the operands are in place of
    /// [`Piece::Left`] and [`Piece::Right`], both folded already where case does not matter.
    ///
    /// It must be unknown when either operand is NULL, true for the empty needle, and may name each operand any number of times.
    fn text_predicate(&self, op: TextOp) -> &'static [Piece];

    /// The sum (or difference) of a float column and a step, for which neither NaN nor, from finite numbers, infinity may come
    /// out, but a failure; where a plain `+` or `-` does that already, none. NULL stays NULL.
    fn float_sum(&self, ty: ColumnType, subtract: bool) -> Option<&'static [Piece]>;

    /// What to write before and after an expression to have its A-Z as a-z and nothing else changed.
    fn fold(&self) -> (&'static str, &'static str);

    /// What to write after text that is ordered, to have it ordered by its bytes; nothing where that is so anyhow.
    fn bytewise(&self) -> &'static str {
        ""
    }

    /// What to write after a sort term to have NULL where it is wanted; nothing where it goes there anyhow.
    fn nulls(&self, direction: Direction, nulls: Nulls, nullable: bool) -> &'static str;

    /// What stands for the limit in `LIMIT x OFFSET y` when there is only an offset; nothing where it may be left out.
    fn unlimited(&self) -> Option<&'static str> {
        None
    }

    /// What to write at the end of a select to have its rows locked; nothing where the database has no such locks.
    fn row_lock(&self, lock: RowLock) -> Option<&'static str> {
        let _ = lock;
        None
    }

    /// What fails as a key that is taken already does, where ON CONFLICT does not find a unique set that contains this key.
    fn key_apart(&self, key: &ColumnSchema) -> Option<&'static str> {
        let _ = key;
        None
    }

    /// The value in a VALUES list that has the database generate the key.
    fn generated_value(&self) -> &'static str {
        "DEFAULT"
    }

    /// The type of a column, in a table's definition.
    fn column_type(&self, column: &ColumnSchema) -> &'static str;

    /// What to write after the type of a key that the database counts, instead of `NOT NULL PRIMARY KEY`.
    fn auto_increment(&self) -> &'static str;

    /// What to write after a column in an index, to have the order of NULLs that sorts ask for.
    fn index_nulls(&self, column: &ColumnSchema) -> &'static str {
        let _ = column;
        ""
    }

    /// What to write after a table's closing parenthesis.
    fn table_options(&self) -> &'static str {
        ""
    }

    /// The condition that a column holds nothing but what its type may, where the type alone does not see to it:
    /// the values between these two.
    fn range_check(&self, column: &ColumnSchema) -> Option<(i64, i64)>;

    /// The condition that a column holds no number that is none, to be written after its name, where the database would store one.
    fn number_check(&self, column: &ColumnSchema) -> Option<&'static str> {
        let _ = column;
        None
    }

    /// Writes a value as it stands in a default.
    fn literal(&self, value: &Value<'_>, text: &mut String);

    /// How long the name of an index or constraint may be, in bytes.
    fn longest_name(&self) -> usize {
        63
    }
}

/// How `x IN (list)` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListForm {
    /// Binds lists of every length as one array, where otherwise short ones get a placeholder for each value.
    pub always_array: bool,
    /// What to write between the expression and the array's placeholder.
    pub before: &'static str,
    /// What to write after it.
    pub after: &'static str,
}

/// A piece of a form with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// This, as it is.
    Sql(&'static str),
    /// The left operand: the text that is searched, the column that is changed.
    Left,
    /// The right operand: what is looked for, the step.
    Right,
}
