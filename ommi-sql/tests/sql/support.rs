//! The dialect, the model, and both ways to run a traversal.

use std::sync::Arc;

use ommi_core::DBResult;
use ommi_core::ast::{Condition, Direction, Expr, LockStrength, LockWait, Nulls, RowLock, TextOp};
use ommi_core::schema::{ColumnBuilder, ColumnSchema, ModelBuilder, ModelSchema, SchemaRef};
use ommi_core::value::{ColumnType, Value};
use ommi_sql::{Bind, Dialect, Explained, ListForm, Out, Piece};

pub(crate) struct Other;

impl Dialect for Other {
    fn name(&self) -> &'static str {
        "other"
    }

    fn quote(&self) -> char {
        '`'
    }

    fn placeholder(&self, number: usize, ty: Option<ColumnType>, text: &mut dyn FnMut(&str)) {
        text("$");
        text(&number.to_string());
        if let Some(ty) = ty {
            text(":");
            text(ty.name());
        }
    }

    fn truth(&self, value: bool) -> &'static str {
        if value { "TRUE" } else { "FALSE" }
    }

    fn unknown(&self) -> &'static str {
        "NULL::bool"
    }

    fn list(&self) -> ListForm {
        ListForm { always_array: true, before: " = ANY(", after: ")" }
    }

    fn text_predicate(&self, op: TextOp) -> &'static [Piece] {
        match op {
            TextOp::StartsWith => {
                &[Piece::Sql("starts("), Piece::Left, Piece::Sql(", "), Piece::Right, Piece::Sql(")")]
            }
            TextOp::EndsWith => &[Piece::Sql("ends("), Piece::Right, Piece::Sql(", "), Piece::Left, Piece::Sql(")")],
            _ => &[Piece::Sql("has("), Piece::Left, Piece::Sql(", "), Piece::Right, Piece::Sql(")")],
        }
    }

    fn float_sum(&self, _: ColumnType, subtract: bool) -> Option<&'static [Piece]> {
        const PLUS: &[Piece] = &[Piece::Sql("plus("), Piece::Left, Piece::Sql(", "), Piece::Right, Piece::Sql(")")];
        if subtract { None } else { Some(PLUS) }
    }

    fn fold(&self) -> (&'static str, &'static str) {
        ("fold(", ")")
    }

    fn nulls(&self, _: Direction, nulls: Nulls, nullable: bool) -> &'static str {
        match nulls {
            _ if !nullable => "",
            Nulls::First => " NULLS FIRST",
            Nulls::Last => " NULLS LAST",
        }
    }

    fn row_lock(&self, lock: RowLock) -> Option<&'static str> {
        match (lock.strength, lock.wait) {
            (LockStrength::Update, LockWait::Wait) => Some(" FOR UPDATE"),
            (LockStrength::Update, LockWait::SkipLocked) => Some(" FOR UPDATE SKIP LOCKED"),
            (LockStrength::Update, LockWait::NoWait) => Some(" FOR UPDATE NOWAIT"),
            (LockStrength::Share, LockWait::Wait) => Some(" FOR SHARE"),
            (LockStrength::Share, LockWait::SkipLocked) => Some(" FOR SHARE SKIP LOCKED"),
            (LockStrength::Share, LockWait::NoWait) => Some(" FOR SHARE NOWAIT"),
            _ => None,
        }
    }

    fn column_type(&self, column: &ColumnSchema) -> &'static str {
        column.ty.name()
    }

    fn auto_increment(&self) -> &'static str {
        " COUNTED PRIMARY KEY"
    }

    fn range_check(&self, column: &ColumnSchema) -> Option<(i64, i64)> {
        (column.ty == ColumnType::U8).then_some((0, 255))
    }

    fn literal(&self, value: &Value<'_>, text: &mut String) {
        text.push_str(&value.reveal().to_string());
    }

    fn longest_name(&self) -> usize {
        24
    }
}

/// Takes binds only, as a driver does on every run but the first.
#[derive(Default)]
pub(crate) struct Binds(Vec<Value<'static>>);

impl Out for Binds {
    const TEXT: bool = false;

    fn text(&mut self, _: &str) {}

    fn bind(&mut self, bind: Bind<'_>, _: Option<ColumnType>) -> DBResult<()> {
        match bind {
            Bind::Value(value) => self.0.push(value.into_owned()),
            Bind::List(values) => self.0.extend_from_slice(values),
            Bind::Column(column) => self.0.extend(column.values().cloned()),
        }
        Ok(())
    }
}

/// Runs a traversal for text and binds, and again for binds alone, which must be the same ones.
macro_rules! written {
    (|$out:ident| $traverse:expr) => {{
        let explanation = crate::support::explained(|$out| $traverse);
        let binds = crate::support::bound(|$out| $traverse);
        assert!(explanation.binds() == binds, "{explanation}");
        explanation.with_values().to_string()
    }};
}

pub(crate) use written;

pub(crate) fn explained(traverse: impl FnOnce(&mut Explained) -> DBResult<()>) -> ommi_core::driver::Explanation {
    let mut out = Explained::new();
    traverse(&mut out).unwrap();
    out.finish()
}

pub(crate) fn bound(traverse: impl FnOnce(&mut Binds) -> DBResult<()>) -> Vec<Value<'static>> {
    let mut out = Binds::default();
    traverse(&mut out).unwrap();
    out.0
}

/// `t(id, name, n null)`
pub(crate) fn model() -> SchemaRef {
    build(
        ModelSchema::builder("T", "t")
            .column(ColumnBuilder::new("id", ColumnType::I64).key().auto_increment())
            .column(ColumnBuilder::new("name", ColumnType::Text).unique())
            .column(ColumnBuilder::new("n", ColumnType::I32).nullable()),
    )
}

pub(crate) fn build(builder: ModelBuilder) -> SchemaRef {
    SchemaRef::from(Arc::new(builder.build().unwrap()))
}

pub(crate) fn col(column: u16) -> Expr {
    Expr::Column(column)
}

pub(crate) fn int(value: i64) -> Expr {
    Expr::Value(Value::Int(value))
}

pub(crate) fn text(value: &str) -> Expr {
    Expr::Value(Value::Text(value.to_owned().into()))
}

pub(crate) fn eq(column: u16, value: i64) -> Condition {
    Condition::compare(ommi_core::ast::CompareOp::Eq, col(column), int(value))
}
