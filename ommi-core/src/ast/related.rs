//! Rows of other models that belong to a row, as conditions and expressions name them.

use super::condition::{CompareOp, Condition, Expr};
use super::statement::{Change, StatementRef};
use crate::schema::SchemaRef;

/// The rows of another model, or of the same, that belong to a row: those of which every pair of columns in `on` is equal.
///
/// In `filter`, [`Expr::Column`] is a column of the related row; nothing there names a column of the row outside. The filter may speak of
/// rows that belong to the related one in turn, as deep as [`MAX_DEPTH`](super::MAX_DEPTH) allows, and of the same model again.
///
/// In an update and a delete, related rows are those that were there before the statement changed anything.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Related {
    /// The model of the related rows.
    pub model: SchemaRef,
    /// What makes a row a related one: the row's column (first) equals the related row's (second), for all of these. NULL equals nothing.
    pub on: Vec<(u16, u16)>,
    /// Which of the related rows.
    pub filter: Condition,
    /// What the filter must be for a related row to count.
    pub wanted: Truth,
}

/// What a condition must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Truth {
    /// True.
    True,
    /// False or unknown: `(condition) IS NOT TRUE`.
    NotTrue,
}

/// An expression over the one row that belongs to a row, and NULL where there is none, or where the row's column is NULL. The related columns
/// are the key or unique, so that there cannot be two. In `expr`, [`Expr::Column`] is a column of the related row, and [`Expr::Related`] leads
/// on from there.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RelatedExpr {
    /// The model of the related row.
    pub model: SchemaRef,
    /// As [`Related::on`].
    pub on: Vec<(u16, u16)>,
    /// Over the related row.
    pub expr: Expr,
}

/// A condition on the number of related rows; never unknown. A row that several rows lead to counts for each of them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RelatedCount {
    /// Which rows are counted.
    pub related: Related,
    /// How the number is compared.
    pub op: CompareOp,
    /// With what.
    pub number: u64,
}

impl Related {
    /// All rows of this model whose columns are as the row's.
    pub fn new(model: SchemaRef, on: Vec<(u16, u16)>) -> Related {
        Related { model, on, filter: Condition::True, wanted: Truth::True }
    }

    /// Those for which this is true.
    #[must_use]
    pub fn filter(mut self, filter: Condition) -> Related {
        self.filter = filter;
        self
    }

    /// Those for which this is not true, but false or unknown.
    #[must_use]
    pub fn not_true(mut self, filter: Condition) -> Related {
        self.filter = filter;
        self.wanted = Truth::NotTrue;
        self
    }
}

impl RelatedExpr {
    /// This expression over the row of this model whose columns are as the row's.
    pub fn new(model: SchemaRef, on: Vec<(u16, u16)>, expr: Expr) -> RelatedExpr {
        RelatedExpr { model, on, expr }
    }
}

impl RelatedCount {
    /// The number of these rows, compared.
    pub fn new(related: Related, op: CompareOp, number: u64) -> RelatedCount {
        RelatedCount { related, op, number }
    }
}

/// The models that a statement names besides its own, each once, as far as they are not there for the whole program anyway. Whoever keeps a
/// [`Shape`](super::Shape) keeps these too: it knows them by their addresses.
pub fn related_models<'a>(statement: impl Into<StatementRef<'a>>) -> Vec<SchemaRef> {
    let mut models = Vec::new();
    match statement.into() {
        StatementRef::Select(select) => {
            select.sort.iter().for_each(|sort| of_expr(&sort.expr, &mut models));
            of_condition(&select.filter, &mut models);
        }
        StatementRef::Insert(insert) => {
            let changes = insert.on_conflict.iter().flat_map(|conflict| &conflict.assignments);
            changes.for_each(|assignment| of_change(&assignment.change, &mut models));
        }
        StatementRef::Update(update) => {
            update.assignments.iter().for_each(|assignment| of_change(&assignment.change, &mut models));
            of_condition(&update.filter, &mut models);
        }
        StatementRef::Delete(delete) => of_condition(&delete.filter, &mut models),
    }
    models
}

fn add(model: &SchemaRef, models: &mut Vec<SchemaRef>) {
    if model.as_static().is_none() && !models.contains(model) {
        models.push(model.clone());
    }
}

fn of_change(change: &Change, models: &mut Vec<SchemaRef>) {
    if let Change::Set(expr) = change {
        of_expr(expr, models);
    }
}

fn of_expr(expr: &Expr, models: &mut Vec<SchemaRef>) {
    if let Expr::Related(related) = expr {
        add(&related.model, models);
        of_expr(&related.expr, models);
    }
}

fn of_condition(condition: &Condition, models: &mut Vec<SchemaRef>) {
    match condition {
        Condition::True | Condition::False => {}
        Condition::And(parts) | Condition::Or(parts) => parts.iter().for_each(|part| of_condition(part, models)),
        Condition::Not(inner) => of_condition(inner, models),
        Condition::Compare { left, right, .. } => [left, right].into_iter().for_each(|expr| of_expr(expr, models)),
        Condition::IsNull { expr, .. } | Condition::In { expr, .. } => of_expr(expr, models),
        Condition::Between { expr, low, high } => [expr, low, high].into_iter().for_each(|expr| of_expr(expr, models)),
        Condition::Text { expr, needle, .. } => [expr, needle].into_iter().for_each(|expr| of_expr(expr, models)),
        Condition::Exists { related, .. } => of_related(related, models),
        Condition::Count(count) => of_related(&count.related, models),
    }
}

fn of_related(related: &Related, models: &mut Vec<SchemaRef>) {
    add(&related.model, models);
    of_condition(&related.filter, models);
}
