//! What would be done for a statement: the tree itself, and the values in it.

use ommi_core::ast::{self, Assignment, Change, Condition, Expr, Statement};
use ommi_core::driver::Explanation;
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult};

pub(crate) fn explain(statement: &Statement) -> DBResult<Explanation> {
    statement.model().usable()?;
    ast::check(statement, &crate::capabilities())?;
    let mut binds = Binds(Vec::new());
    match statement {
        Statement::Select(select) => binds.condition(&select.filter),
        Statement::Insert(insert) => {
            binds.0.extend(insert.values.iter().cloned());
            binds.assignments(insert.on_conflict.iter().flat_map(|conflict| &conflict.assignments));
            binds.0.extend(
                insert.on_conflict.iter().flat_map(|conflict| conflict.expected.clone()).map(|(_, value)| value),
            );
        }
        Statement::Update(update) => {
            binds.assignments(&update.assignments);
            binds.condition(&update.filter);
        }
        Statement::Delete(delete) => binds.condition(&delete.filter),
        _ => return Err(DBError::unsupported(crate::NAME, "this statement")),
    }
    // A value in the tree prints its kind and not itself.
    Ok(Explanation::new(format!("{statement:?}"), binds.0))
}

struct Binds(Vec<Value<'static>>);

impl Binds {
    fn expr(&mut self, expr: &Expr) {
        if let Expr::Value(value) = expr {
            self.0.push(value.clone());
        }
    }

    fn assignments<'a>(&mut self, assignments: impl IntoIterator<Item = &'a Assignment>) {
        for assignment in assignments {
            match &assignment.change {
                Change::Set(expr) => self.expr(expr),
                Change::Add(value) | Change::Subtract(value) => self.0.push(value.clone()),
                _ => {}
            }
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::And(parts) | Condition::Or(parts) => parts.iter().for_each(|part| self.condition(part)),
            Condition::Not(inner) => self.condition(inner),
            Condition::Compare { left, right, .. } => [left, right].into_iter().for_each(|expr| self.expr(expr)),
            Condition::IsNull { expr, .. } => self.expr(expr),
            Condition::Between { expr, low, high } => [expr, low, high].into_iter().for_each(|expr| self.expr(expr)),
            Condition::In { expr, list, .. } => {
                self.expr(expr);
                self.0.extend(list.values().iter().cloned());
            }
            Condition::Text { expr, needle, .. } => [expr, needle].into_iter().for_each(|expr| self.expr(expr)),
            _ => {}
        }
    }
}
