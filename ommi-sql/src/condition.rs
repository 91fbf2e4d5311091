//! Conditions, with SQL's three-valued logic, which is Ommi's.

use ommi_core::DBResult;
use ommi_core::ast::{CompareOp, Condition, Expr, List, ListClass};

use crate::text::Form;
use crate::writer::{Sql, values_type};
use crate::{Bind, Dialect, Out};

/// How tightly a condition's text holds together. One that is looser than its place asks for goes into parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Or,
    And,
    Not,
    Predicate,
}

/// How many conditions stand in one chain. SQLite parses 1 000 levels.
const LONGEST_CHAIN: usize = 200;

impl<'s, D: Dialect, O: Out> Sql<'s, D, O> {
    /// A condition that stands alone.
    pub(crate) fn condition(&mut self, condition: &'s Condition) -> DBResult<()> {
        self.part(condition, Level::Or)
    }

    /// A condition in a place that asks for this level.
    pub(crate) fn part(&mut self, condition: &'s Condition, place: Level) -> DBResult<()> {
        match condition {
            Condition::True => self.truth(true),
            Condition::False => self.truth(false),
            Condition::And(parts) => self.chain(parts, " AND ", Level::And, true, place),
            Condition::Or(parts) => self.chain(parts, " OR ", Level::Or, false, place),
            Condition::Not(inner) => {
                let enclosed = self.open(Level::Not, place);
                self.text("NOT (");
                self.condition(inner)?;
                self.text(")");
                self.close(enclosed);
                Ok(())
            }
            Condition::Compare { op, left, right } => self.compare(*op, left, right),
            Condition::IsNull { expr, negated } => {
                self.expr(expr, None)?;
                self.text(if *negated { " IS NOT NULL" } else { " IS NULL" });
                Ok(())
            }
            Condition::Between { expr, low, high } => {
                let ty = self.common_ty(&[expr, low, high]);
                self.ordered(expr, ty)?;
                self.text(" BETWEEN ");
                self.expr(low, ty)?;
                self.text(" AND ");
                self.expr(high, ty)
            }
            Condition::In { expr, list, negated } => self.list(expr, list, *negated, place),
            Condition::Text { op, ignore_case, expr, needle } => {
                let form = self.text_form(*op, *ignore_case, needle)?;
                let level = match form {
                    Form::Prefix(_, Some(_)) => Level::And,
                    _ => Level::Predicate,
                };
                let enclosed = self.open(level, place);
                self.text_predicate(&form, *ignore_case, expr, needle)?;
                self.close(enclosed);
                Ok(())
            }
            Condition::Exists { related, negated } => {
                let enclosed = self.open(if *negated { Level::Not } else { Level::Predicate }, place);
                self.text(if *negated { "NOT EXISTS(SELECT 1" } else { "EXISTS(SELECT 1" });
                self.related_rows(related)?;
                self.text(")");
                self.close(enclosed);
                Ok(())
            }
            Condition::Count(count) => self.related_count(count),
            _ => Err(self.unsupported("this condition")),
        }
    }

    fn truth(&mut self, value: bool) -> DBResult<()> {
        self.text(self.dialect.truth(value));
        Ok(())
    }

    fn chain(
        &mut self,
        parts: &'s [Condition],
        operator: &str,
        level: Level,
        when_empty: bool,
        place: Level,
    ) -> DBResult<()> {
        match parts {
            [] => self.truth(when_empty),
            [one] => self.part(one, place),
            _ => {
                let enclosed = self.open(level, place);
                self.links(parts, operator, level)?;
                self.close(enclosed);
                Ok(())
            }
        }
    }

    /// The parts of a chain. Parsers lean a flat chain to one side and limit its depth, so a long one becomes a chain of chains.
    fn links(&mut self, parts: &'s [Condition], operator: &str, level: Level) -> DBResult<()> {
        if parts.len() > LONGEST_CHAIN {
            let size = parts.len().div_ceil(LONGEST_CHAIN).max(LONGEST_CHAIN);
            for (i, group) in parts.chunks(size).enumerate() {
                self.text(if i > 0 { operator } else { "" });
                self.text("(");
                self.links(group, operator, level)?;
                self.text(")");
            }
            return Ok(());
        }
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.text(operator);
            }
            self.part(part, level)?;
        }
        Ok(())
    }

    fn compare(&mut self, op: CompareOp, left: &'s Expr, right: &'s Expr) -> DBResult<()> {
        let ty = self.common_ty(&[left, right]);
        match op {
            CompareOp::Eq | CompareOp::Ne => self.expr(left, ty)?,
            _ => self.ordered(left, ty)?,
        }
        self.operator(op)?;
        self.expr(right, ty)
    }

    pub(crate) fn operator(&mut self, op: CompareOp) -> DBResult<()> {
        self.text(match op {
            CompareOp::Eq => " = ",
            CompareOp::Ne => " <> ",
            CompareOp::Lt => " < ",
            CompareOp::Le => " <= ",
            CompareOp::Gt => " > ",
            CompareOp::Ge => " >= ",
            _ => return Err(self.unsupported("this comparison")),
        });
        Ok(())
    }

    /// A list that holds NULL cannot say no: what is not among its values is unknown.
    fn list(&mut self, expr: &'s Expr, list: &'s List, negated: bool, place: Level) -> DBResult<()> {
        let ty = self.ty(expr).or_else(|| values_type(list.values()));
        let form = self.dialect.list();
        let (is_in, values) = (if negated { " NOT IN (" } else { " IN (" }, list.values());
        match ListClass::of(values.len()) {
            ListClass::Empty if list.has_null() => {
                self.text(self.dialect.unknown());
                Ok(())
            }
            ListClass::Empty => self.truth(negated),
            ListClass::Fixed(places) if !form.always_array => {
                self.expr(expr, ty)?;
                self.text(is_in);
                // The last value fills the places that are left over: to look for it twice changes nothing.
                let padded = values.iter().chain(values.last().into_iter().cycle());
                for (i, value) in padded.take(usize::from(places)).enumerate() {
                    if i > 0 {
                        self.text(", ");
                    }
                    self.value(value, ty)?;
                }
                self.text(if list.has_null() { ", NULL)" } else { ")" });
                Ok(())
            }
            _ => {
                let level = match (negated, list.has_null()) {
                    (true, _) => Level::Not,
                    (false, true) => Level::Or,
                    (false, false) => Level::Predicate,
                };
                let enclosed = self.open(level, place);
                if negated {
                    self.text("NOT (");
                }
                self.expr(expr, ty)?;
                self.text(form.before);
                self.bind(Bind::List(values), ty)?;
                self.text(form.after);
                if list.has_null() {
                    self.text(" OR ");
                    self.text(self.dialect.unknown());
                }
                if negated {
                    self.text(")");
                }
                self.close(enclosed);
                Ok(())
            }
        }
    }

    /// Opens a parenthesis where the place asks for one, and says whether.
    fn open(&mut self, level: Level, place: Level) -> bool {
        let enclosed = level < place;
        if enclosed {
            self.text("(");
        }
        enclosed
    }

    fn close(&mut self, enclosed: bool) {
        if enclosed {
            self.text(")");
        }
    }
}
