//! Related rows, as subqueries. Each level has a name of its own, by which its columns are told from those outside.

use ommi_core::DBResult;
use ommi_core::ast::{Condition, Related, RelatedCount, RelatedExpr, Truth};
use ommi_core::schema::ModelSchema;
use ommi_core::value::{ColumnType, Value};

use crate::condition::Level;
use crate::writer::Sql;
use crate::{Dialect, Out};

impl<'s, D: Dialect, O: Out> Sql<'s, D, O> {
    /// The end of a subquery over related rows, from FROM on.
    pub(crate) fn related_rows(&mut self, related: &'s Related) -> DBResult<()> {
        let Related { model, on, filter, wanted, .. } = related;
        let outside = self.enter(model);
        self.from(outside, on)?;
        match (filter, wanted) {
            (Condition::True, Truth::True) => {}
            (filter, Truth::True) => {
                self.text(" AND ");
                self.part(filter, Level::And)?;
            }
            (filter, Truth::NotTrue) => {
                self.text(" AND (");
                self.condition(filter)?;
                self.text(") IS NOT ");
                self.text(self.dialect.truth(true));
            }
            _ => return Err(self.unsupported("this condition on related rows")),
        }
        self.leave(outside);
        Ok(())
    }

    /// A comparison of the number of related rows.
    pub(crate) fn related_count(&mut self, count: &'s RelatedCount) -> DBResult<()> {
        self.text("(SELECT count(*)");
        self.related_rows(&count.related)?;
        self.text(")");
        self.operator(count.op)?;
        // No table has more rows than `i64::MAX`, so that a greater number compares alike.
        let number = i64::try_from(count.number).unwrap_or(i64::MAX);
        self.value(&Value::Int(number), Some(ColumnType::I64))
    }

    /// An expression over the one related row.
    pub(crate) fn related_expr(&mut self, related: &'s RelatedExpr, ty: Option<ColumnType>) -> DBResult<()> {
        let RelatedExpr { model, on, expr, .. } = related;
        self.text("(SELECT ");
        let outside = self.enter(model);
        self.expr(expr, ty)?;
        self.from(outside, on)?;
        self.leave(outside);
        self.text(")");
        Ok(())
    }

    /// Makes a row of this model the one whose columns are meant. Gives the one that was.
    fn enter(&mut self, model: &'s ModelSchema) -> (&'s ModelSchema, usize) {
        let outside = (self.model, self.row);
        self.rows += 1;
        (self.model, self.row) = (model, self.rows);
        outside
    }

    fn leave(&mut self, (model, row): (&'s ModelSchema, usize)) {
        (self.model, self.row) = (model, row);
    }

    /// FROM, and what relates the row to the one outside.
    fn from(&mut self, outside: (&'s ModelSchema, usize), on: &[(u16, u16)]) -> DBResult<()> {
        if !O::TEXT {
            return Ok(());
        }
        self.text(" FROM ");
        self.table();
        self.text(" AS ");
        self.alias(self.row);
        for (i, &(own, far)) in on.iter().enumerate() {
            self.text(if i == 0 { " WHERE " } else { " AND " });
            self.column(far)?;
            self.text(" = ");
            let inside = (self.model, self.row);
            self.leave(outside);
            if self.row == 0 {
                self.qualifier();
            }
            self.column(own)?;
            self.leave(inside);
        }
        Ok(())
    }
}
