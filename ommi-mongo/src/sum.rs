//! The old value of a column and a number, as an expression that fails where the sum leaves the column's range.
//!
//! NULL stays NULL, and a field that is missing becomes it: so does every operator here with what is NULL or missing. Sums of integers that leave 64 bits become doubles in an expression, and sums of doubles become infinite. There is no
//! operator that fails, so a text that is no number is converted to one: a server reports 241, and the text says why.

use ommi_core::DBResult;
use ommi_core::schema::ModelSchema;
use ommi_core::value::{ColumnType, Value};

use crate::bson::Writer;
use crate::names::{reference, type_of};
use crate::value::is_narrow;

/// Begins the text that is converted to a number where a sum leaves its column's range, and so the message of that error.
pub(crate) const OVERFLOW: &str = "number overflow ";

/// Writes the sum (`$add`) or the difference (`$subtract`) of a column and a value.
pub(crate) fn sum(
    model: &ModelSchema,
    column: u16,
    operator: &str,
    value: &Value<'_>,
    key: &str,
    writer: &mut Writer,
) -> DBResult<()> {
    let ty = type_of(model, column);
    let field = reference(model, column)?;
    writer.begin_document(key);
    writer.begin_document("$let");
    writer.begin_document("vars");
    writer.begin_document("r");
    writer.begin_array(operator);
    writer.item_string(&field);
    writer.item_literal(ty, value);
    writer.end();
    writer.end();
    writer.end();
    writer.begin_document("in");
    writer.begin_array("$cond");
    writer.item_document();
    match ty.integer_range() {
        Some(range) => leaves_integers(range, writer),
        None => leaves_floats(ty, &field, operator, value, writer),
    }
    writer.end();
    writer.item_document();
    writer.begin_document("$toLong");
    writer.begin_array("$concat");
    writer.item_string(OVERFLOW);
    writer.item_document();
    writer.string("$toString", "$$r");
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    match ty {
        ColumnType::F32 => single(writer),
        ty if is_narrow(ty) => {
            writer.item_document();
            writer.string("$toInt", "$$r");
            writer.end();
        }
        _ => writer.item_string("$$r"),
    }
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    Ok(())
}

/// `$or` of what shows that an integer sum is no integer of this range. NULL is below every number, and what is said of it is NULL again: so it
/// needs no guard.
fn leaves_integers((low, high): (i64, i64), writer: &mut Writer) {
    writer.begin_array("$or");
    writer.item_document();
    writer.begin_array("$in");
    writer.item_document();
    writer.string("$type", "$$r");
    writer.end();
    writer.item_array();
    writer.item_string("double");
    writer.item_string("decimal");
    writer.end();
    writer.end();
    writer.end();
    if high < i64::MAX {
        writer.item_document();
        writer.begin_array("$gt");
        writer.item_string("$$r");
        writer.item_int(high);
        writer.end();
        writer.end();
    }
    if low > i64::MIN {
        writer.item_document();
        writer.begin_array("$lt");
        writer.item_string("$$r");
        writer.item_int(low);
        writer.end();
        writer.end();
    }
    writer.end();
}

/// Whether a sum is infinite that has no infinite part, or beyond an `f32`; or the sum of two opposite infinities, which is no number.
fn leaves_floats(ty: ColumnType, field: &str, operator: &str, value: &Value<'_>, writer: &mut Writer) {
    let step = if let Value::Float(step) = value { *step } else { 0.0 };
    if step.is_infinite() {
        let opposite = if operator == "$subtract" { step } else { -step };
        writer.begin_array("$eq");
        writer.item_string(field);
        writer.item_literal(ty, &Value::Float(opposite));
        writer.end();
        return;
    }
    // What is nearer to the greatest `f32` than to the number that would come next is rounded to it.
    let greatest = if ty == ColumnType::F32 { (f64::from(f32::MAX) + 2f64.powi(103)).next_down() } else { f64::MAX };
    writer.begin_array("$and");
    for (operator, operand) in [("$gt", "$$r"), ("$lte", field)] {
        writer.item_document();
        writer.begin_array(operator);
        writer.item_abs(operand);
        let index = writer.index();
        writer.double(index.as_str(), greatest);
        writer.end();
        writer.end();
    }
    writer.end();
}

/// Rounds the sum to an `f32`, as the next element of an array: to the nearest, and to the even one of two.
///
/// An expression knows doubles only. A double to which 1.5 · 2^52 units are added, and from which they are taken away again, is rounded to a
/// multiple of the unit, by the rules of IEEE 754; the unit of an `f32` follows from its exponent. A logarithm may be wrong by one next to a power of two,
/// so that it is compared with the powers. Zero and the infinities stay as they are; NULL stays NULL, since it makes the last difference NULL.
fn single(writer: &mut Writer) {
    writer.item_document();
    writer.begin_array("$cond");
    writer.item_document();
    writer.begin_array("$in");
    writer.item_abs("$$r");
    writer.item_array();
    writer.item_double(0.0);
    writer.item_double(f64::INFINITY);
    writer.end();
    writer.end();
    writer.end();
    writer.item_string("$$r");
    // The exponent as the logarithm has it.
    writer.item_document();
    writer.begin_document("$let");
    writer.begin_document("vars");
    writer.begin_document("a");
    writer.string("$abs", "$$r");
    writer.end();
    writer.begin_document("e");
    writer.begin_document("$floor");
    writer.begin_array("$log");
    writer.item_abs("$$r");
    writer.item_double(2.0);
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.begin_document("in");
    // What is added and taken away: by the right exponent, which is that of the least normal number for all below.
    writer.begin_document("$let");
    writer.begin_document("vars");
    writer.begin_document("m");
    writer.begin_array("$multiply");
    writer.item_double(1.5 * 2f64.powi(52));
    writer.item_document();
    writer.begin_array("$pow");
    writer.item_double(2.0);
    writer.item_document();
    writer.begin_array("$subtract");
    writer.item_document();
    writer.begin_array("$max");
    writer.item_document();
    writer.begin_array("$add");
    writer.item_string("$$e");
    writer.item_document();
    writer.begin_array("$cond");
    compare_power("$gt", 0.0, writer);
    writer.item_double(-1.0);
    writer.item_document();
    writer.begin_array("$cond");
    compare_power("$lte", 1.0, writer);
    writer.item_double(1.0);
    writer.item_double(0.0);
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.item_double(-126.0);
    writer.end();
    writer.end();
    writer.item_double(23.0);
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.begin_document("in");
    writer.begin_array("$subtract");
    writer.item_document();
    writer.begin_array("$add");
    writer.item_string("$$r");
    writer.item_string("$$m");
    writer.end();
    writer.end();
    writer.item_string("$$m");
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.end();
}

/// Compares two to the power of the exponent and `more` with the amount of the sum.
fn compare_power(operator: &str, more: f64, writer: &mut Writer) {
    writer.item_document();
    writer.begin_array(operator);
    writer.item_document();
    writer.begin_array("$pow");
    writer.item_double(2.0);
    writer.item_document();
    writer.begin_array("$add");
    writer.item_string("$$e");
    writer.item_double(more);
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.item_string("$$a");
    writer.end();
    writer.end();
}

impl Writer {
    /// The amount of a number, as the next element of an array.
    fn item_abs(&mut self, operand: &str) {
        self.item_document();
        self.string("$abs", operand);
        self.end();
    }

    /// A number as the next element of an array.
    fn item_double(&mut self, number: f64) {
        let index = self.index();
        self.double(index.as_str(), number);
    }
}
