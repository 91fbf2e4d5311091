//! How finely a column keeps times, where its model says so.
//!
//! What the column would lose is refused, or cut off where the model allows it, before anything is sent: so the same on every store.

use crate::ast::{Assignment, Change, Expr};
use crate::driver::DatePrecision;
use crate::error::{DBError, DBResult};
use crate::schema::{ColumnSchema, ModelSchema};
use crate::value::{ColumnType, Moment, TimeOfDay, Value};

impl DatePrecision {
    /// The nanoseconds of its unit.
    const fn nanos(self) -> u32 {
        match self {
            DatePrecision::Milliseconds => 1_000_000,
            DatePrecision::Microseconds => 1_000,
            DatePrecision::Nanoseconds => 1,
        }
    }

    /// Its unit, as messages name it.
    pub(crate) const fn unit(self) -> &'static str {
        match self {
            DatePrecision::Milliseconds => "milliseconds",
            DatePrecision::Microseconds => "microseconds",
            DatePrecision::Nanoseconds => "nanoseconds",
        }
    }
}

impl ColumnType {
    /// Whether values of this type have fractions of a second.
    pub(crate) const fn has_time(self) -> bool {
        matches!(self, ColumnType::Time | ColumnType::DateTime | ColumnType::Timestamp)
    }
}

/// The greatest time of this precision that is not above the value, where that is another one.
pub(crate) fn rounded_down(value: &Value<'_>, precision: DatePrecision) -> Option<Value<'static>> {
    let unit = precision.nanos();
    let moment = |moment: Moment| match moment.nanos() % unit {
        0 => None,
        rest => Moment::new(moment.seconds(), moment.nanos() - rest),
    };
    match value {
        Value::Time(time) => match time.nanos() % u64::from(unit) {
            0 => None,
            rest => TimeOfDay::from_nanos(time.nanos() - rest).map(Value::Time),
        },
        Value::DateTime(at) => moment(*at).map(Value::DateTime),
        Value::Timestamp(at) => moment(*at).map(Value::Timestamp),
        _ => None,
    }
}

impl ColumnSchema {
    /// Makes of a value what the column keeps.
    ///
    /// # Errors
    /// What is wrong with it: it is finer than the column is, which may not cut it.
    pub(crate) fn keep(&self, value: Value<'static>) -> Result<Value<'static>, String> {
        let Some(precision) = self.precision else { return Ok(value) };
        match rounded_down(&value, precision) {
            None => Ok(value),
            Some(kept) if self.truncate => Ok(kept),
            Some(_) => Err(format!("the column keeps {}, and this time is finer", precision.unit())),
        }
    }
}

impl ModelSchema {
    /// Makes of the values that an update sets what their columns keep.
    pub(crate) fn keep(&self, assignments: &mut [Assignment]) -> DBResult<()> {
        for assignment in assignments {
            let Some(column) = self.column(assignment.column) else { continue };
            if let Change::Set(Expr::Value(value)) = &mut assignment.change {
                let kept = column.keep(std::mem::take(value));
                *value = kept.map_err(|problem| {
                    DBError::invalid_value(Some(&self.name), Some(&column.field)).with_detail(problem)
                })?;
            }
        }
        Ok(())
    }

    /// Whether values of one column fit into another as they are.
    pub(crate) fn is_as_fine(&self, from: &ColumnSchema, to: &ColumnSchema) -> bool {
        match (from.precision, to.precision) {
            (_, None) => true,
            (Some(from), Some(to)) => from <= to,
            // As fine as the store is, which differs.
            (None, Some(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ColumnBuilder;

    #[test]
    fn times_are_cut_downwards_or_refused() {
        let at = |seconds, nanos| Value::Timestamp(Moment::new(seconds, nanos).unwrap());
        let column = |builder: ColumnBuilder| {
            let id = ColumnBuilder::new("id", ColumnType::I64).key();
            ModelSchema::builder("T", "t").column(id).column(builder).build().unwrap().column(1).unwrap().clone()
        };
        let plain = column(ColumnBuilder::new("at", ColumnType::Timestamp));
        assert_eq!(plain.keep(at(-1, 999_999_999)).unwrap(), at(-1, 999_999_999));
        let strict = column(ColumnBuilder::new("at", ColumnType::Timestamp).precision(DatePrecision::Milliseconds));
        assert_eq!(strict.keep(at(-1, 999_000_000)).unwrap(), at(-1, 999_000_000));
        assert!(strict.keep(at(-1, 999_000_001)).unwrap_err().contains("milliseconds"));
        let cut = ColumnBuilder::new("at", ColumnType::Timestamp).precision(DatePrecision::Microseconds).truncated();
        assert_eq!(column(cut).keep(at(-1, 999_999_999)).unwrap(), at(-1, 999_999_000));
        let time = ColumnBuilder::new("at", ColumnType::Time).precision(DatePrecision::Milliseconds).truncated();
        let of = |nanos| Value::Time(TimeOfDay::from_nanos(nanos).unwrap());
        assert_eq!(column(time).keep(of(86_399_999_999_999)).unwrap(), of(86_399_999_000_000));
    }

    #[test]
    fn only_times_have_a_precision() {
        let build = |builder: ColumnBuilder| {
            let id = ColumnBuilder::new("id", ColumnType::I64).key();
            ModelSchema::builder("T", "t").column(id).column(builder).build().err().map(|error| error.to_string())
        };
        let date = ColumnBuilder::new("day", ColumnType::Date).precision(DatePrecision::Milliseconds);
        assert!(build(date).unwrap().contains("`day` has a precision"));
        let cut = ColumnBuilder::new("at", ColumnType::Timestamp).truncated();
        assert!(build(cut).unwrap().contains("truncates"));
    }
}
