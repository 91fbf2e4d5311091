//! SQLite's kind of SQL.

use ommi_core::ast::{Direction, Expr, Nulls, Sort, TextOp};
use ommi_core::schema::ColumnSchema;
use ommi_core::value::{ColumnType, Value};
use ommi_sql::{Dialect, ListForm, Piece};

/// SQLite's kind of SQL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sqlite;

pub(crate) const NAME: &str = "sqlite";

/// A sum within the greatest finite number; one of infinity and a finite number; NULL of NULL; else a failure. What opens and closes
/// rounds the sum to what the column holds.
macro_rules! float_sum {
    ($operator:literal, $greatest:literal, $open:literal, $close:literal) => {
        &[
            Piece::Sql("CASE WHEN "),
            Piece::Left,
            Piece::Sql(concat!(" IS NULL OR abs(", $open)),
            Piece::Left,
            Piece::Sql($operator),
            Piece::Right,
            Piece::Sql(concat!($close, ") <= ", $greatest, " OR (")),
            Piece::Left,
            Piece::Sql($operator),
            Piece::Right,
            Piece::Sql(" IS NOT NULL AND (abs("),
            Piece::Left,
            Piece::Sql(concat!(") > ", $greatest, " OR abs(")),
            Piece::Right,
            Piece::Sql(concat!(") > ", $greatest, ")) THEN ", $open)),
            Piece::Left,
            Piece::Sql($operator),
            Piece::Right,
            Piece::Sql(concat!($close, " ELSE abs((")),
            Piece::Left,
            Piece::Sql(" IS NULL) - 9223372036854775807 - 1) END"),
        ]
    };
}

/// The function that rounds a number to an `f32`, which SQLite does not have. Each connection is given it.
pub(crate) const SINGLE: &str = "ommi_single";

/// The function that fails as a key does which is taken already. Each connection is given it too.
pub(crate) const TAKEN: &str = "ommi_taken";

impl Dialect for Sqlite {
    fn name(&self) -> &'static str {
        NAME
    }

    fn placeholder(&self, _: usize, _: Option<ColumnType>, text: &mut dyn FnMut(&str)) {
        text("?");
    }

    // TRUE and FALSE are names in SQLite, which a column can have.
    fn truth(&self, value: bool) -> &'static str {
        if value { "1" } else { "0" }
    }

    fn unknown(&self) -> &'static str {
        "NULL"
    }

    fn list(&self) -> ListForm {
        ListForm { always_array: false, before: " IN rarray(", after: ")" }
    }

    // `instr` and `substr` count characters; `substr` from zero or from before the text gives less than the needle is long.
    fn text_predicate(&self, op: TextOp) -> &'static [Piece] {
        match op {
            TextOp::StartsWith => &[
                Piece::Sql("substr("),
                Piece::Left,
                Piece::Sql(", 1, length("),
                Piece::Right,
                Piece::Sql(")) = "),
                Piece::Right,
            ],
            TextOp::EndsWith => &[
                Piece::Sql("substr("),
                Piece::Left,
                Piece::Sql(", length("),
                Piece::Left,
                Piece::Sql(") - length("),
                Piece::Right,
                Piece::Sql(") + 1) = "),
                Piece::Right,
            ],
            _ => &[Piece::Sql("instr("), Piece::Left, Piece::Sql(", "), Piece::Right, Piece::Sql(") > 0")],
        }
    }

    // SQLite computes on: infinity is a value to it, and NaN is NULL. `abs` of the least integer is the one function that fails
    // for certain ("integer overflow"); the zero that is added keeps it from being computed in advance.
    fn float_sum(&self, ty: ColumnType, subtract: bool) -> Option<&'static [Piece]> {
        Some(match (ty, subtract) {
            (ColumnType::F32, false) => float_sum!(" + ", "3.4028234663852886e38", "ommi_single(", ")"),
            (ColumnType::F32, true) => float_sum!(" - ", "3.4028234663852886e38", "ommi_single(", ")"),
            (_, false) => float_sum!(" + ", "1.7976931348623157e308", "", ""),
            (_, true) => float_sum!(" - ", "1.7976931348623157e308", "", ""),
        })
    }

    // SQLite's own `lower` knows ASCII only.
    fn fold(&self) -> (&'static str, &'static str) {
        ("lower(", ")")
    }

    fn nulls(&self, direction: Direction, nulls: Nulls, nullable: bool) -> &'static str {
        let sort = Sort::new(Expr::Value(Value::Null), direction);
        match nulls {
            _ if !nullable || sort.nulls == nulls => "",
            Nulls::First => " NULLS FIRST",
            Nulls::Last => " NULLS LAST",
        }
    }

    fn unlimited(&self) -> Option<&'static str> {
        Some("-1")
    }

    // SQLite has no DEFAULT here; NULL in an INTEGER PRIMARY KEY is the next number.
    fn generated_value(&self) -> &'static str {
        "NULL"
    }

    fn column_type(&self, column: &ColumnSchema) -> &'static str {
        storage(column.ty)
    }

    // An integer key is the row's own number, which SQLite does not find among the columns of an index.
    fn key_apart(&self, key: &ColumnSchema) -> Option<&'static str> {
        (self.column_type(key) == "INTEGER").then_some("ommi_taken()")
    }

    fn auto_increment(&self) -> &'static str {
        " PRIMARY KEY AUTOINCREMENT"
    }

    fn table_options(&self) -> &'static str {
        " STRICT"
    }

    fn range_check(&self, column: &ColumnSchema) -> Option<(i64, i64)> {
        match column.ty {
            ColumnType::Bool => Some((0, 1)),
            ColumnType::I64 => None,
            ty => ty.integer_range(),
        }
    }

    fn literal(&self, value: &Value<'_>, text: &mut String) {
        match value {
            Value::Bool(value) => text.push_str(if *value { "1" } else { "0" }),
            Value::Int(number) => text.push_str(&number.to_string()),
            Value::Float(number) if number.is_infinite() => {
                text.push_str(if *number > 0.0 { "9e999" } else { "-9e999" });
            }
            Value::Float(number) => text.push_str(&format!("{number:?}")),
            Value::Text(value) => push_text(value, text),
            Value::Bytes(bytes) => push_blob(bytes, text),
            Value::Uuid(bytes) => push_blob(bytes, text),
            Value::Date(value) => push_text(&value.to_string(), text),
            Value::Time(value) => push_text(&value.to_string(), text),
            Value::DateTime(value) | Value::Timestamp(value) => push_text(&value.to_string(), text),
            _ => text.push_str("NULL"),
        }
    }

    fn longest_name(&self) -> usize {
        usize::MAX
    }
}

/// The declared type of columns of this type; in a STRICT table it is what they store.
pub(crate) fn storage(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::F32 | ColumnType::F64 => "REAL",
        ColumnType::Bytes | ColumnType::Uuid => "BLOB",
        ColumnType::Text | ColumnType::Date | ColumnType::Time | ColumnType::DateTime | ColumnType::Timestamp => "TEXT",
        _ => "INTEGER",
    }
}

fn push_text(value: &str, text: &mut String) {
    text.push('\'');
    text.push_str(&value.replace('\'', "''"));
    text.push('\'');
}

fn push_blob(bytes: &[u8], text: &mut String) {
    text.push_str("x'");
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text.push('\'');
}
