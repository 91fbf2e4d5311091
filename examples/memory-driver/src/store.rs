//! Tables, and what each statement does to them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use ommi_conformance::evaluator::{self, Tables, truth};
use ommi_core::ast::{self, Assignment, Condition, Delete, Insert, Output, Select, StatementRef, Update};
use ommi_core::driver::Context;
use ommi_core::schema::{ColumnSchema, ModelSchema, SchemaRef};
use ommi_core::value::Value;
use ommi_core::{Constraint, ConstraintKind, DBError, DBResult, ErrorKind};

pub(crate) use ommi_conformance::evaluator::Row;

/// All tables, by name. A copy shares the tables until one of the two changes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) tables: BTreeMap<String, Arc<Table>>,
}

/// A table. Models that have it may know fewer of its columns, in another order.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<ColumnSchema>,
    /// The key first, then the other unique sets of columns.
    pub(crate) uniques: Vec<Vec<usize>>,
    pub(crate) rows: Vec<Row>,
    /// The key of the next row that names none.
    pub(crate) next: i64,
    /// The tables that it refers to. Nobody checks its rows for that, but those tables stay as long as it does.
    pub(crate) refers_to: BTreeSet<String>,
}

/// Where the columns of a model are in its table.
struct Places(Vec<usize>);

impl Places {
    fn of(&self, column: u16) -> DBResult<usize> {
        self.0.get(usize::from(column)).copied().ok_or_else(|| DBError::query("there is no such column"))
    }

    /// A row of the table, as the model sees it.
    fn view(&self, row: &Row) -> Row {
        self.0.iter().map(|&place| row.get(place).cloned().unwrap_or_default()).collect()
    }
}

fn database(cause: String) -> DBError {
    DBError::new(ErrorKind::Database).with_source(cause)
}

fn check<'a>(statement: impl Into<StatementRef<'a>>, context: &Context) -> DBResult<()> {
    let statement = statement.into();
    statement.model().usable()?;
    ast::check(statement, &crate::capabilities())?;
    context.check_time()
}

fn put(row: &mut Row, place: usize, value: Value<'static>) {
    if let Some(column) = row.get_mut(place) {
        *column = value;
    }
}

impl State {
    fn table(&self, name: &str) -> DBResult<&Table> {
        self.tables.get(name).map(|table| &**table).ok_or_else(|| database(format!("there is no table {name}")))
    }

    fn table_mut(&mut self, name: &str) -> DBResult<&mut Table> {
        let table = self.tables.get_mut(name).ok_or_else(|| database(format!("there is no table {name}")))?;
        Ok(Arc::make_mut(table))
    }

    pub(crate) fn drop_tables(&mut self, models: &[SchemaRef]) -> DBResult<()> {
        let goes = |table: &str| models.iter().any(|model| *model.table == *table);
        let staying = self.tables.values().filter(|table| !goes(&table.name));
        let misfits: Vec<String> = staying
            .flat_map(|table| {
                let lost = table.refers_to.iter().filter(|other| goes(other));
                lost.map(|other| {
                    format!("table {} refers to table {other} and would have to be dropped with it", table.name)
                })
            })
            .collect();
        if !misfits.is_empty() {
            return Err(DBError::schema(misfits));
        }
        models.iter().for_each(|model| drop(self.tables.remove(&*model.table)));
        Ok(())
    }

    pub(crate) fn select(&self, select: &Select, context: &Context) -> DBResult<Vec<Row>> {
        check(select, context)?;
        let table = self.table(&select.model.table)?;
        let places = table.places(&select.model)?;
        let mut found = Vec::new();
        for row in &table.rows {
            let row = places.view(row);
            if meets(&select.filter, &row, self, context)? {
                found.push(row);
            }
        }
        let found = evaluator::arrange(select, found, self)?;
        Ok(match select.output {
            Output::Model => found,
            Output::Count => vec![vec![Value::Int(i64::try_from(found.len()).unwrap_or(i64::MAX))]],
            Output::Exists => vec![vec![Value::Bool(!found.is_empty())]],
            _ => return Err(DBError::unsupported(crate::NAME, "this output of a select")),
        })
    }

    /// Gives the number of rows written, and what is to be given back of each.
    pub(crate) fn insert(&mut self, insert: &Insert, context: &Context) -> DBResult<(u64, Vec<Row>)> {
        check(insert, context)?;
        let table = self.table_mut(&insert.model.table)?;
        let places = table.places(&insert.model)?;
        let mut written = Vec::new();
        let mut values = insert.values.iter();
        for _ in 0..insert.rows {
            context.check_time()?;
            let row = table.new_row(&places, insert.columns.iter().zip(&mut values))?;
            let Some(conflict) = &insert.on_conflict else {
                written.push(table.rows.len());
                table.rows.push(row);
                continue;
            };
            let target: Vec<usize> = conflict.target.iter().map(|&c| places.of(c)).collect::<DBResult<_>>()?;
            let same = unique_text(&row, &target);
            let there =
                same.and_then(|same| table.rows.iter().position(|r| unique_text(r, &target).as_ref() == Some(&same)));
            match there {
                None => {
                    written.push(table.rows.len());
                    table.rows.push(row);
                }
                Some(_) if conflict.assignments.is_empty() => {}
                Some(there) => {
                    if let Some((column, value)) = &conflict.expected {
                        let place = places.of(*column)?;
                        if table.rows.get(there).and_then(|row| row.get(place)) != Some(value) {
                            continue;
                        }
                    }
                    table.change(there, &conflict.assignments, &insert.model, &places)?;
                    written.push(there);
                }
            }
        }
        table.check_uniques(|_| true)?;
        let returning: Vec<usize> = insert.returning.iter().map(|&c| places.of(c)).collect::<DBResult<_>>()?;
        let given = |&row: &usize| Places(returning.clone()).view(table.rows.get(row).unwrap_or(&Vec::new()));
        let returned = if returning.is_empty() { Vec::new() } else { written.iter().map(given).collect() };
        Ok((written.len() as u64, returned))
    }

    pub(crate) fn update(&mut self, update: &Update, context: &Context) -> DBResult<u64> {
        check(update, context)?;
        // Conditions on related rows see all tables as they were before.
        let before = self.clone();
        let table = self.table_mut(&update.model.table)?;
        let places = table.places(&update.model)?;
        let mut changed = 0;
        for row in 0..table.rows.len() {
            let seen = table.rows.get(row).map(|row| places.view(row)).unwrap_or_default();
            if meets(&update.filter, &seen, &before, context)? {
                table.change(row, &update.assignments, &update.model, &places)?;
                changed += 1;
            }
        }
        let assigned: Vec<usize> = update.assignments.iter().map(|a| places.of(a.column)).collect::<DBResult<_>>()?;
        table.check_uniques(|set| set.iter().any(|column| assigned.contains(column)))?;
        Ok(changed)
    }

    pub(crate) fn delete(&mut self, delete: &Delete, context: &Context) -> DBResult<u64> {
        check(delete, context)?;
        let before = self.clone();
        let table = self.table_mut(&delete.model.table)?;
        let places = table.places(&delete.model)?;
        let rows = table.rows.len();
        let mut kept = Vec::new();
        for row in table.rows.drain(..) {
            if !meets(&delete.filter, &places.view(&row), &before, context)? {
                kept.push(row);
            }
        }
        table.rows = kept;
        Ok((rows - table.rows.len()) as u64)
    }
}

/// Whether a condition is true of a row; looks at the time, since one row may have many conditions.
fn meets(filter: &Condition, row: &Row, tables: &State, context: &Context) -> DBResult<bool> {
    context.check_time()?;
    Ok(truth(filter, row, tables)? == Some(true))
}

/// For conditions on related rows.
impl Tables for State {
    fn rows(&self, model: &ModelSchema) -> DBResult<Cow<'_, [Row]>> {
        let table = self.table(&model.table)?;
        let places = table.places(model)?;
        if places.0.iter().copied().eq(0..table.columns.len()) {
            return Ok(Cow::Borrowed(&table.rows));
        }
        Ok(table.rows.iter().map(|row| places.view(row)).collect())
    }
}

impl Table {
    fn places(&self, model: &ModelSchema) -> DBResult<Places> {
        let place = |column: &ColumnSchema| {
            let found = self.columns.iter().position(|c| c.name == column.name);
            found.ok_or_else(|| database(format!("the table {} has no column {}", self.name, column.name)))
        };
        Ok(Places(model.columns.iter().map(place).collect::<DBResult<_>>()?))
    }

    /// A row with these values; columns that are not among them get their default, the next key, or NULL.
    fn new_row<'v>(
        &mut self,
        places: &Places,
        values: impl Iterator<Item = (&'v u16, &'v Value<'static>)>,
    ) -> DBResult<Row> {
        let mut row: Row = self.columns.iter().map(|column| column.default.clone().unwrap_or_default()).collect();
        let mut named = HashSet::new();
        for (&column, value) in values {
            let place = places.of(column)?;
            named.insert(place);
            put(&mut row, place, value.clone());
        }
        for (place, column) in self.columns.iter().enumerate().filter(|(_, column)| column.auto.is_some()) {
            match row.get_mut(place) {
                Some(value) if !named.contains(&place) => {
                    *value = Value::Int(self.next);
                    self.next = self.next.checked_add(1).ok_or_else(|| self.out_of_range(column))?;
                }
                // Keys that are made after one that was given lie above it.
                Some(Value::Int(given)) if *given >= self.next => {
                    self.next = given.checked_add(1).unwrap_or(i64::MAX);
                }
                _ => {}
            }
        }
        self.check_row(&row)?;
        Ok(row)
    }

    fn change(&mut self, row: usize, changes: &[Assignment], model: &ModelSchema, places: &Places) -> DBResult<()> {
        let Some(old) = self.rows.get(row) else { return Ok(()) };
        let (seen, mut new) = (places.view(old), old.clone());
        for assignment in changes {
            let value = evaluator::assigned(assignment, model, &seen)?;
            put(&mut new, places.of(assignment.column)?, value);
        }
        self.check_row(&new)?;
        if let Some(old) = self.rows.get_mut(row) {
            *old = new;
        }
        Ok(())
    }

    /// Refuses NULL in a required column, and a number out of its column's range, whatever the model says that writes them.
    fn check_row(&self, row: &Row) -> DBResult<()> {
        for (column, value) in self.columns.iter().zip(row) {
            if value.is_null() && !column.nullable {
                let violated =
                    Constraint::new(ConstraintKind::NotNull).on_table(&*self.name).on_columns([&*column.name]);
                return Err(DBError::new(ErrorKind::Constraint(violated)).with_source("a required column"));
            }
            if !column.ty.accepts(value) {
                return Err(match value {
                    Value::Int(_) if column.ty.integer_range().is_some() => self.out_of_range(column),
                    _ => database(format!("{} in a column of {}", value.kind(), column.ty)),
                });
            }
        }
        Ok(())
    }

    fn out_of_range(&self, column: &ColumnSchema) -> DBError {
        DBError::out_of_range(&*self.name, Some(column.name.to_string()))
    }

    /// Refuses two rows that are the same in one of these unique sets of columns.
    pub(crate) fn check_uniques(&self, which: impl Fn(&[usize]) -> bool) -> DBResult<()> {
        for set in self.uniques.iter().filter(|set| which(set)) {
            let mut seen = HashSet::new();
            if !self.rows.iter().filter_map(|row| unique_text(row, set)).all(|text| seen.insert(text)) {
                let names = set.iter().filter_map(|&column| self.columns.get(column)).map(|column| &*column.name);
                let violated = Constraint::new(ConstraintKind::Unique).on_table(&*self.name).on_columns(names);
                return Err(DBError::new(ErrorKind::Constraint(violated)).with_source("a row is there already"));
            }
        }
        Ok(())
    }
}

/// The values of these columns as one text, to be compared; none where one of them is NULL, which is never the same as anything.
fn unique_text(row: &Row, columns: &[usize]) -> Option<String> {
    let mut text = String::new();
    for &column in columns {
        match row.get(column)? {
            Value::Null => return None,
            // Adding zero makes the negative one positive: the two are equal.
            Value::Float(v) => write!(text, "{:?}, ", v + 0.0).ok()?,
            value => write!(text, "{}, ", value.reveal()).ok()?,
        }
    }
    Some(text)
}
