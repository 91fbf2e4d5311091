//! SELECT.

use ommi_core::DBResult;
use ommi_core::ast::{Condition, Direction, Expr, Output, PerGroup, Select, Sort};
use ommi_core::value::{ColumnType, Value};

use crate::writer::Sql;
use crate::{Dialect, Out};

/// Writes a select. The rows it gives have the columns that [`Output`] says.
///
/// # Errors
/// `Unsupported` for a form that this version does not know, and what [`Out::bind`] gives.
pub fn select<D: Dialect, O: Out>(select: &Select, dialect: &D, out: &mut O) -> DBResult<()> {
    let mut sql = Sql::new(&select.model, dialect, out);
    if select.lock.is_some() && (select.output != Output::Model || select.per_group.is_some()) {
        return Err(sql.unsupported("locks on rows that are counted, looked for or grouped"));
    }
    let limited = select.limit.is_some() || select.offset.is_some();
    match select.output {
        Output::Model if select.per_group.is_some() => sql.per_group(select),
        Output::Model => {
            sql.text("SELECT ");
            sql.columns(select.model.all_columns())?;
            sql.text(" FROM ");
            sql.table();
            sql.filter(&select.filter)?;
            sql.sort(&select.sort)?;
            sql.limit(select)?;
            sql.lock(select)
        }
        // The order of the rows does not change how many they are.
        Output::Count if limited => {
            sql.text("SELECT count(*) FROM (SELECT 1 FROM ");
            sql.table();
            sql.filter(&select.filter)?;
            sql.limit(select)?;
            sql.text(") AS ");
            sql.name("counted");
            Ok(())
        }
        Output::Count => {
            sql.text("SELECT count(*) FROM ");
            sql.table();
            sql.filter(&select.filter)
        }
        Output::Exists => {
            sql.text("SELECT EXISTS(SELECT 1 FROM ");
            sql.table();
            sql.filter(&select.filter)?;
            sql.limit(select)?;
            sql.text(")");
            Ok(())
        }
        _ => Err(sql.unsupported("this output of a select")),
    }
}

impl<'s, D: Dialect, O: Out> Sql<'s, D, O> {
    /// WHERE, where there is anything to say.
    pub(crate) fn filter(&mut self, filter: &'s Condition) -> DBResult<()> {
        if let Condition::True = filter {
            return Ok(());
        }
        self.text(" WHERE ");
        self.condition(filter)
    }

    fn sort(&mut self, sort: &'s [Sort]) -> DBResult<()> {
        for (i, Sort { expr, direction, nulls, .. }) in sort.iter().enumerate() {
            self.text(if i == 0 { " ORDER BY " } else { ", " });
            let ty = self.ty(expr);
            self.ordered(expr, ty)?;
            if let Direction::Descending = direction {
                self.text(" DESC");
            }
            if O::TEXT {
                let nullable = match expr {
                    Expr::Column(column) => self.model.column(*column).is_none_or(|column| column.nullable),
                    _ => true,
                };
                self.text(self.dialect.nulls(*direction, *nulls, nullable));
            }
        }
        Ok(())
    }

    /// Numbers the rows of each group, and takes those whose numbers are wanted. The groups come mixed, each in its order.
    fn per_group(&mut self, select: &'s Select) -> DBResult<()> {
        let Some(PerGroup { columns, limit, offset, .. }) = &select.per_group else {
            return Ok(());
        };
        let number = self.free_name("place");
        self.text("SELECT ");
        self.columns(select.model.all_columns())?;
        self.text(" FROM (SELECT ");
        self.columns(select.model.all_columns())?;
        self.text(", row_number() OVER (PARTITION BY ");
        self.columns(columns)?;
        self.sort(&select.sort)?;
        self.text(") AS ");
        self.name(&number);
        self.text(" FROM ");
        self.table();
        self.filter(&select.filter)?;
        self.text(") AS ");
        self.name("numbered");
        let first = offset.unwrap_or(0);
        if let Some(offset) = *offset {
            self.text(" WHERE ");
            self.name(&number);
            self.text(" > ");
            self.count(offset)?;
        }
        if let Some(limit) = *limit {
            self.text(if offset.is_some() { " AND " } else { " WHERE " });
            self.name(&number);
            self.text(" <= ");
            self.count(first.saturating_add(limit))?;
        }
        self.text(" ORDER BY ");
        self.name(&number);
        Ok(())
    }

    /// A name that no column of the model has.
    fn free_name(&self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        while O::TEXT && self.model.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&name)) {
            name.push('_');
        }
        name
    }

    fn limit(&mut self, select: &Select) -> DBResult<()> {
        match (select.limit, select.offset) {
            (Some(limit), _) => {
                self.text(" LIMIT ");
                self.count(limit)?;
            }
            (None, Some(_)) => {
                if let Some(unlimited) = self.dialect.unlimited() {
                    self.text(" LIMIT ");
                    self.text(unlimited);
                }
            }
            (None, None) => {}
        }
        if let Some(offset) = select.offset {
            self.text(" OFFSET ");
            self.count(offset)?;
        }
        Ok(())
    }

    fn lock(&mut self, select: &Select) -> DBResult<()> {
        let Some(lock) = select.lock else { return Ok(()) };
        let text = self.dialect.row_lock(lock).ok_or_else(|| self.unsupported("locks on rows"))?;
        self.text(text);
        Ok(())
    }

    /// A number of rows. No table has more than `i64::MAX`, so what is above means the same.
    fn count(&mut self, count: u64) -> DBResult<()> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.value(&Value::Int(count), Some(ColumnType::I64))
    }
}
