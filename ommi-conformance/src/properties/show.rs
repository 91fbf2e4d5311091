//! Cases in full, for whoever has to find out why one failed. Elsewhere conditions do not show their values.

use ommi::ast::{Assignment, Change, Condition, Expr, Related, Sort, TextOp, Truth};
use ommi::schema::SchemaRef;

fn expr(of: &Expr, schema: &SchemaRef) -> String {
    match of {
        Expr::Column(index) => {
            schema.column(*index).map_or_else(|| format!("#{index}"), |column| column.field.to_string())
        }
        Expr::Value(value) => value.reveal().to_string(),
        Expr::Related(related) => {
            let on = joined_on(&related.on, schema, &related.model);
            format!("({} of {} with {on})", expr(&related.expr, &related.model), related.model.name)
        }
        other => format!("{other:?}"),
    }
}

/// What makes rows of two models related.
fn joined_on(on: &[(u16, u16)], own: &SchemaRef, far: &SchemaRef) -> String {
    let column = |schema: &SchemaRef, index: u16| expr(&Expr::Column(index), schema);
    let pairs = on
        .iter()
        .map(|&(own_column, far_column)| format!("{} = its {}", column(own, own_column), column(far, far_column)));
    pairs.collect::<Vec<_>>().join(" and ")
}

fn related(of: &Related, schema: &SchemaRef) -> String {
    let on = joined_on(&of.on, schema, &of.model);
    let not = if of.wanted == Truth::NotTrue { "not true that " } else { "" };
    format!("{} with {on}, {not}{}", of.model.name, condition(&of.filter, &of.model))
}

/// A condition as it would be written.
pub(super) fn condition(of: &Condition, schema: &SchemaRef) -> String {
    let joined = |parts: &[Condition], word: &str, none: &str| {
        let parts: Vec<String> = parts.iter().map(|part| condition(part, schema)).collect();
        if parts.is_empty() { none.to_owned() } else { format!("({})", parts.join(word)) }
    };
    let not = |negated: bool| if negated { "not " } else { "" };
    match of {
        Condition::And(parts) => joined(parts, " and ", "all of nothing"),
        Condition::Or(parts) => joined(parts, " or ", "any of nothing"),
        Condition::Not(inner) => format!("not {}", condition(inner, schema)),
        Condition::Compare { op, left, right } => format!("{} {op:?} {}", expr(left, schema), expr(right, schema)),
        Condition::IsNull { expr: of, negated } => format!("{} is {}null", expr(of, schema), not(*negated)),
        Condition::Between { expr: of, low, high } => {
            format!("{} between {} and {}", expr(of, schema), expr(low, schema), expr(high, schema))
        }
        Condition::In { expr: of, list, negated } => {
            let values: Vec<String> = list.values().iter().map(|value| value.reveal().to_string()).collect();
            let null = if list.has_null() { " and NULL" } else { "" };
            format!("{} {}in [{}]{null}", expr(of, schema), not(*negated), values.join(", "))
        }
        Condition::Text { op, ignore_case, expr: of, needle } => {
            let case = if *ignore_case && *op != TextOp::Equals { " (any case)" } else { "" };
            format!("{} {op:?}{case} {}", expr(of, schema), expr(needle, schema))
        }
        Condition::Exists { related: of, negated } => format!("{}exists ({})", not(*negated), related(of, schema)),
        Condition::Count(count) => {
            format!("count of ({}) {:?} {}", related(&count.related, schema), count.op, count.number)
        }
        other => format!("{other:?}"),
    }
}

/// An order as it would be written.
pub(super) fn sorts(of: &[Sort], schema: &SchemaRef) -> String {
    let terms =
        of.iter().map(|sort| format!("{} {:?}, nulls {:?}", expr(&sort.expr, schema), sort.direction, sort.nulls));
    terms.collect::<Vec<_>>().join("; ")
}

/// Changes as they would be written.
pub(super) fn assignments(of: &[Assignment], schema: &SchemaRef) -> String {
    let change = |assignment: &Assignment| {
        let column = expr(&Expr::Column(assignment.column), schema);
        match &assignment.change {
            Change::Set(value) => format!("{column} = {}", expr(value, schema)),
            Change::Add(step) => format!("{column} + {}", step.reveal()),
            Change::Subtract(step) => format!("{column} - {}", step.reveal()),
            other => format!("{column} {other:?}"),
        }
    };
    of.iter().map(change).collect::<Vec<_>>().join(", ")
}
