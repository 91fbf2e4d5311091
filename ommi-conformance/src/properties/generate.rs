//! Random values, rows and conditions.

use ommi::ast::{CompareOp, Condition, Direction, Expr, List, Nulls, Sort, TextOp};
use ommi::driver::{Capabilities, DatePrecision};
use ommi::schema::SchemaRef;
use ommi::value::{ColumnType, Date, Moment, TimeOfDay, Value};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::evaluator::Row;
use crate::samples::HOSTILE;

type Values = BoxedStrategy<Value<'static>>;

const NANOS: u64 = 1_000_000_000;
/// 0001-01-01 and 9999-12-31, in days since 1970.
const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;

/// How fine a store keeps times, in nanoseconds.
pub(super) fn precision(capabilities: &Capabilities) -> u32 {
    match capabilities.date_precision {
        DatePrecision::Nanoseconds => 1,
        DatePrecision::Microseconds => 1_000,
        _ => 1_000_000,
    }
}

/// The moment, as fine as a store keeps it.
fn moment(seconds: i64, nanos: u32, precision: u32) -> Moment {
    let nanos = nanos - nanos % precision;
    Moment::new(seconds, nanos).unwrap_or_else(|| panic!("{nanos} nanoseconds are a second or more"))
}

/// Any value of a type that every store can hold.
pub(super) fn any_value(ty: ColumnType, precision: u32) -> Values {
    if let Some((low, high)) = ty.integer_range() {
        return prop_oneof![
            low..=high,
            select(vec![low, high, 0, 1]),
            (-9..=9i64).prop_map(move |n| n.clamp(low, high))
        ]
        .prop_map(Value::Int)
        .boxed();
    }
    let float = {
        use proptest::num::f64::{INFINITE, NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
        POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO | INFINITE
    };
    let single = {
        use proptest::num::f32::{INFINITE, NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
        POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO | INFINITE
    };
    let seconds = (DAYS, 0..86_400i64).prop_map(|(day, second)| i64::from(day) * 86_400 + second);
    let moments = (seconds, 0..NANOS as u32).prop_map(move |(seconds, nanos)| moment(seconds, nanos, precision));
    match ty {
        ColumnType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        ColumnType::F32 => single.prop_map(|v| Value::Float(f64::from(v))).boxed(),
        ColumnType::F64 => float.prop_map(Value::Float).boxed(),
        ColumnType::Text => prop_oneof![
            3 => vec(any::<char>().prop_filter("NUL", |c| *c != '\0'), 0..40).prop_map(String::from_iter),
            1 => select(HOSTILE).prop_map(str::to_owned),
        ]
        .prop_map(|text| Value::Text(text.into()))
        .boxed(),
        ColumnType::Bytes => vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Bytes(bytes.into())).boxed(),
        ColumnType::Uuid => any::<[u8; 16]>().prop_map(Value::Uuid).boxed(),
        ColumnType::Date => DAYS.prop_map(|days| Value::Date(Date { days })).boxed(),
        ColumnType::Time => (0..86_400 * NANOS)
            .prop_filter_map("a time", move |nanos| TimeOfDay::from_nanos(nanos - nanos % u64::from(precision)))
            .prop_map(Value::Time)
            .boxed(),
        ColumnType::DateTime => moments.prop_map(Value::DateTime).boxed(),
        ColumnType::Timestamp => moments.prop_map(Value::Timestamp).boxed(),
        other => panic!("there is no strategy for {other}"),
    }
}

/// Few letters, so that many texts contain each other, in either case.
const LETTERS: &[char] = &['a', 'A', 'b', 'B'];

/// What is special in patterns, in quotes, or in Unicode.
const SPECIAL: &[char] = &[
    'k',
    'K',
    '\u{212a}',
    'é',
    'É',
    '%',
    '_',
    '*',
    '?',
    '[',
    ']',
    '^',
    '$',
    '.',
    '\\',
    '\'',
    '"',
    '\n',
    '😀',
    '\u{10ffff}',
];

fn common_text(length: std::ops::Range<usize>) -> Values {
    vec(prop_oneof![3 => select(LETTERS), 1 => select(SPECIAL)], length)
        .prop_map(|letters| Value::Text(String::from_iter(letters).into()))
        .boxed()
}

/// One of a few values of a type, so that equal ones meet.
pub(super) fn common_value(ty: ColumnType) -> Values {
    let day = |days| Value::Date(Date { days });
    let at = |seconds, millis: u32| moment(seconds, millis * 1_000_000, 1);
    let moments = || vec![at(-62_135_596_800, 0), at(-1, 999), at(0, 0), at(0, 10), at(0, 100), at(253_402_300_799, 0)];
    let time = |nanos| TimeOfDay::from_nanos(nanos).map_or(Value::Null, Value::Time);
    match ty {
        ColumnType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        ColumnType::F32 => select(vec![-1.5f32, -0.0, 0.0, 0.1, 2.0, f32::MAX, f32::INFINITY, f32::NEG_INFINITY])
            .prop_map(|v| Value::Float(f64::from(v)))
            .boxed(),
        ColumnType::F64 => select(vec![-1.5, -0.0, 0.0, 0.5, 2.0, 1e300, f64::INFINITY, f64::NEG_INFINITY])
            .prop_map(Value::Float)
            .boxed(),
        ColumnType::Text => common_text(0..6),
        ColumnType::Bytes => vec(select(vec![0, 1, 255]), 0..3).prop_map(|bytes| Value::Bytes(bytes.into())).boxed(),
        ColumnType::Uuid => select(vec![0, 1, 127, 128, 255]).prop_map(|byte| Value::Uuid([byte; 16])).boxed(),
        ColumnType::Date => select(vec![*DAYS.start(), -1, 0, 1, *DAYS.end()]).prop_map(day).boxed(),
        ColumnType::Time => select(vec![0, 1_000_000, 10_000_000, 43_200 * NANOS]).prop_map(time).boxed(),
        ColumnType::DateTime => select(moments()).prop_map(Value::DateTime).boxed(),
        ColumnType::Timestamp => select(moments()).prop_map(Value::Timestamp).boxed(),
        ColumnType::I64 => {
            let ends = select(vec![i64::MIN, i64::MAX, (1 << 53) + 1, 1 << 53]);
            prop_oneof![4 => -2..=3i64, 1 => ends].prop_map(Value::Int).boxed()
        }
        ty => {
            let (low, high) = ty.integer_range().unwrap_or((0, 0));
            prop_oneof![4 => (-2..=3i64).prop_map(move |n| n.clamp(low, high)), 1 => select(vec![low, high])]
                .prop_map(Value::Int)
                .boxed()
        }
    }
}

/// A row of a schema from one strategy per type, NULL now and then where it may be, without its key.
pub(super) fn row(schema: &SchemaRef, value: impl Fn(ColumnType) -> Values) -> BoxedStrategy<Row> {
    let columns: Vec<Values> = schema
        .columns
        .iter()
        .map(|column| {
            let values = value(column.ty);
            if column.nullable { prop_oneof![1 => Just(Value::Null), 3 => values].boxed() } else { values }
        })
        .collect();
    columns.boxed()
}

/// The columns of one type, which compare with each other.
#[derive(Debug, Clone)]
pub(super) struct Group {
    ty: ColumnType,
    columns: Vec<u16>,
}

fn groups(schema: &SchemaRef) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, column) in (0..).zip(&schema.columns) {
        match groups.iter_mut().find(|group| group.ty == column.ty) {
            Some(group) => group.columns.push(index),
            None => groups.push(Group { ty: column.ty, columns: vec![index] }),
        }
    }
    groups
}

impl Group {
    fn column(&self) -> BoxedStrategy<Expr> {
        select(self.columns.clone()).prop_map(Expr::Column).boxed()
    }

    /// A value to compare with, NULL now and then.
    fn bind(&self) -> BoxedStrategy<Expr> {
        prop_oneof![1 => Just(Value::Null), 14 => common_value(self.ty)].prop_map(Expr::Value).boxed()
    }

    fn any(&self) -> BoxedStrategy<Expr> {
        prop_oneof![self.column(), self.bind()].boxed()
    }

    /// Two things to compare, mostly a column and something else.
    fn pair(&self) -> BoxedStrategy<(Expr, Expr)> {
        prop_oneof![
            6 => (self.column(), self.bind()),
            3 => (self.column(), self.column()),
            1 => (self.bind(), self.any()),
        ]
        .boxed()
    }

    fn list(&self) -> BoxedStrategy<List> {
        let value = || prop_oneof![1 => Just(Value::Null), 12 => common_value(self.ty)];
        let short = vec(value(), 0..5);
        let long = vec(value(), 30..80);
        prop_oneof![6 => short, 1 => long].prop_map(List::new).boxed()
    }

    /// One condition on columns of this type.
    fn leaf(&self, bytes_order: bool) -> BoxedStrategy<Condition> {
        let ordered = self.ty != ColumnType::Bytes || bytes_order;
        let compare = |ops: Vec<CompareOp>| {
            (select(ops), self.pair()).prop_map(|(op, (left, right))| Condition::Compare { op, left, right })
        };
        let equal = compare(vec![CompareOp::Eq, CompareOp::Ne]);
        let null = (self.any(), any::<bool>()).prop_map(|(expr, negated)| Condition::IsNull { expr, negated });
        let within = (prop_oneof![9 => self.column(), 1 => self.bind()], self.list(), any::<bool>())
            .prop_map(|(expr, list, negated)| Condition::In { expr, list, negated });
        let mut leaves = vec![equal.boxed(), null.boxed(), within.boxed()];
        if ordered {
            leaves.push(compare(vec![CompareOp::Lt, CompareOp::Le, CompareOp::Gt, CompareOp::Ge]).boxed());
            let between = (self.column(), self.any(), self.any()).prop_map(|(expr, low, high)| Condition::Between {
                expr,
                low,
                high,
            });
            leaves.push(between.boxed());
        }
        if self.ty == ColumnType::Text {
            leaves.extend([self.text(), self.text(), self.text(), self.text()]);
        }
        proptest::strategy::Union::new(leaves).boxed()
    }

    fn text(&self) -> BoxedStrategy<Condition> {
        let op = select(vec![TextOp::Contains, TextOp::StartsWith, TextOp::EndsWith, TextOp::Equals]);
        let needle = common_text(1..3).prop_map(Expr::Value);
        let operands = prop_oneof![3 => (self.column(), needle), 1 => self.pair()];
        (op, any::<bool>(), operands)
            .prop_map(|(op, ignore_case, (expr, needle))| {
                // Equality that minds the case is a comparison.
                let ignore_case = ignore_case || op == TextOp::Equals;
                Condition::Text { op, ignore_case, expr, needle }
            })
            .boxed()
    }
}

/// A condition on a schema's columns, of every form, four levels deep.
pub(super) fn condition(schema: &SchemaRef, bytes_order: bool) -> BoxedStrategy<Condition> {
    let leaves = groups(schema).into_iter().map(|group| {
        let weight = if group.ty == ColumnType::Text { 8 } else { 1 + u32::from(group.columns.len() > 1) };
        (weight, group.leaf(bytes_order))
    });
    let leaf = proptest::strategy::Union::new_weighted(leaves.collect());
    let leaf = leaf.boxed();
    let constant =
        select(vec![Condition::True, Condition::False, Condition::And(Vec::new()), Condition::Or(Vec::new())]);
    let tree = prop_oneof![40 => leaf.clone(), 1 => constant].prop_recursive(4, 16, 3, |inner| {
        let several = || vec(inner.clone(), 1..4);
        prop_oneof![
            several().prop_map(Condition::And),
            several().prop_map(Condition::Or),
            inner.clone().prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    });
    // What a leaf gets wrong shows best when it stands alone.
    let contrary = leaf.clone().prop_map(|leaf| Condition::Not(Box::new(leaf)));
    prop_oneof![1 => leaf, 1 => contrary, 2 => tree].boxed()
}

/// An order by up to three columns.
pub(super) fn sorts(schema: &SchemaRef, bytes_order: bool) -> BoxedStrategy<Vec<Sort>> {
    let columns: Vec<u16> = (0..)
        .zip(&schema.columns)
        .filter(|(_, column)| column.ty != ColumnType::Bytes || bytes_order)
        .map(|(index, _)| index)
        .collect();
    let direction = select(vec![Direction::Ascending, Direction::Descending]);
    let term = (select(columns), direction, option::of(select(vec![Nulls::First, Nulls::Last])));
    vec(term, 0..4)
        .prop_map(|terms| {
            let sort = |(column, direction, nulls): (u16, Direction, Option<Nulls>)| {
                let mut sort = Sort::new(Expr::Column(column), direction);
                sort.nulls = nulls.unwrap_or(sort.nulls);
                sort
            };
            terms.into_iter().map(sort).collect()
        })
        .boxed()
}
