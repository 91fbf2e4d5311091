//! Adding a row, or dealing with the one that is there already.

use std::fmt;

use super::{At, add, traced};
use crate::ast::{Assignment, CompareOp, Condition, Expr, Insert, OnConflict, Select, Statement};
use crate::driver::{Collect, Context, Explanation, Row};
use crate::error::{DBError, DBResult, StaleRow};
use crate::model::Model;
use crate::new_row::NewRow;
use crate::pending::{Operation, Options, Pending};
use crate::query::{IntoAssignments, IntoColumns};
use crate::relation::alone;
use crate::schema::ColumnList;
use crate::value::{InvalidValue, Value};

/// An upsert that does not yet say by which columns a row is there already.
#[must_use = "an upsert does nothing until it says on which columns, and is awaited"]
pub struct Upsert<'h, N> {
    at: At<'h>,
    row: N,
}

/// An upsert that does not yet say what happens to the row that is there already.
#[must_use = "an upsert does nothing until it says what to do, and is awaited"]
pub struct UpsertOn<'h, N> {
    at: At<'h>,
    row: N,
    target: Vec<u16>,
}

impl<'h, N: NewRow> Upsert<'h, N> {
    pub(super) fn new(at: At<'h>, row: N) -> Upsert<'h, N> {
        Upsert { at, row }
    }

    /// The key, or a unique column or tuple of columns: a row with the same values there is the one meant. NULL is never the same as
    /// anything. A conflict on other columns is a `Constraint` error.
    pub fn on(self, columns: impl IntoColumns<N::Model>) -> UpsertOn<'h, N> {
        UpsertOn { at: self.at, row: self.row, target: columns.into_columns() }
    }
}

impl<'h, N: NewRow> UpsertOn<'h, N> {
    /// Changes the row that is there already. Gives the row as it is stored afterwards, whether new or changed.
    ///
    /// Where the model has a version, that of the row is raised by one. A new row that names its version, as one that was read does, says which version
    /// the row that is there must have: where it has another it is a `Conflict` about a [stale row](DBError::stale_row), and nothing is written. (`NotFound` where others add and delete that
    /// row again and again meanwhile.)
    ///
    /// Where a stored value of that row cannot be read, this is a `Decode` error, and outside of a transaction the change may have been written all
    /// the same.
    pub fn update(
        self,
        changes: impl IntoAssignments<N::Model>,
    ) -> Pending<impl Operation<Output = DBResult<N::Model>, Future: Send> + Send> {
        let mut assignments = Vec::new();
        let collected = changes.collect(&mut assignments);
        Pending::new(move |options| self.run_update(collected, assignments, options))
    }

    /// Leaves the row that is there already as it is. Gives the new row, or `None` when there was one.
    pub fn ignore(self) -> Pending<impl Operation<Output = DBResult<Option<N::Model>>, Future: Send> + Send> {
        Pending::new(move |options| self.run(Vec::new(), options))
    }

    /// What would be sent for [`update`](UpsertOn::update), without sending it. Values are not shown unless asked for.
    ///
    /// # Errors
    /// What is found wrong with the row or the changes before anything is sent.
    pub fn explain_update(self, changes: impl IntoAssignments<N::Model>) -> DBResult<Explanation> {
        let mut assignments = Vec::new();
        let collected = changes.collect(&mut assignments);
        changing::<N>(collected, &assignments)?;
        self.explain(assignments)
    }

    /// What would be sent for [`ignore`](UpsertOn::ignore), without sending it. Values are not shown unless asked for.
    ///
    /// # Errors
    /// What is found wrong with the row before anything is sent.
    pub fn explain_ignore(self) -> DBResult<Explanation> {
        self.explain(Vec::new())
    }

    fn explain(self, assignments: Vec<Assignment>) -> DBResult<Explanation> {
        let driver = self.at.driver;
        driver.explain(&Statement::Insert(self.into_insert(assignments)?))
    }

    async fn run_update(
        self,
        collected: Result<(), InvalidValue>,
        assignments: Vec<Assignment>,
        options: Options,
    ) -> DBResult<N::Model> {
        changing::<N>(collected, &assignments)?;
        self.run(assignments, options).await?.ok_or_else(|| DBError::not_found(N::Model::schema().name.clone()))
    }

    /// The statement.
    fn into_insert(self, mut assignments: Vec<Assignment>) -> DBResult<Insert> {
        let schema = N::Model::schema();
        schema.usable()?;
        if self.row.has_nested() {
            return Err(DBError::query(format!("an upsert of {} takes no rows that belong to it", schema.name)));
        }
        schema.keep(&mut assignments)?;
        // Without changes the row that is there stays as it is.
        if !assignments.is_empty() {
            schema.raise_version(&mut assignments)?;
        }
        let (mut insert, version) = add::one_row_again(&schema, self.row)?;
        let mut conflict = OnConflict::new(self.target, assignments);
        conflict.expected = version.filter(|_| !conflict.assignments.is_empty());
        insert.on_conflict = Some(conflict);
        insert.returning = ColumnList::all(&schema);
        Ok(insert)
    }

    async fn run(self, assignments: Vec<Assignment>, options: Options) -> DBResult<Option<N::Model>> {
        let at = self.at;
        let schema = N::Model::schema();
        let mut insert = self.into_insert(assignments)?;
        let context = at.context(options);
        let work = async {
            for _ in 0..TRIES {
                let mut rows = Collect::new(N::Model::decode);
                at.executor.insert(&mut insert, &mut rows, &context).await?;
                if let Some(mut row) = rows.rows.pop() {
                    alone(&mut row)?;
                    return Ok(Some(row));
                }
                let Some(met) = versioned(&insert) else { return Ok(None) };
                if let Some(stale) = Box::pin(not_changed::<N::Model>(at, met, &context)).await? {
                    return Err(DBError::stale(stale));
                }
                // It was there with another version, and has been deleted since: now it can be added.
            }
            Err(DBError::not_found(schema.name.clone()))
        };
        traced("upsert", &schema.name, work, |row| u64::from(row.is_some())).await
    }
}

/// What finds the row that an upsert may meet, where it must have the version that is expected.
fn versioned(insert: &Insert) -> Option<Condition> {
    let conflict = insert.on_conflict.as_ref()?;
    conflict.expected.as_ref()?;
    let equals = conflict.target.iter().map(|&column| {
        let value = Expr::Value(add::given(insert, column)?.clone());
        Some(Condition::compare(CompareOp::Eq, Expr::Column(column), value))
    });
    equals.collect::<Option<Vec<Condition>>>().map(Condition::And)
}

/// How often a row is to be added that comes and goes meanwhile.
const TRIES: usize = 5;

/// The row that was there with another version, and so was not changed, unless it has gone since.
async fn not_changed<M: Model>(at: At<'_>, met: Condition, context: &Context) -> DBResult<Option<StaleRow>> {
    let select = Select { filter: met, ..Select::new(M::schema()) };
    let mut rows = Collect::new(stale::<M>);
    at.executor.fetch(&select, &mut rows, context).await?;
    Ok(rows.rows.pop())
}

/// A row as one that was changed.
fn stale<M: Model>(row: &mut dyn Row) -> DBResult<StaleRow> {
    let schema = M::schema();
    let mut values = vec![Value::Null; schema.columns.len()];
    for &column in &schema.key {
        if let Some(value) = values.get_mut(usize::from(column)) {
            *value = row.value(usize::from(column))?.into_owned();
        }
    }
    Ok(StaleRow::of(&schema, &values))
}

/// Checks the changes of an upsert that is to change something.
fn changing<N: NewRow>(collected: Result<(), InvalidValue>, assignments: &[Assignment]) -> DBResult<()> {
    let schema = N::Model::schema();
    collected.map_err(|invalid| DBError::invalid_query(&schema, &invalid))?;
    if assignments.is_empty() {
        return Err(DBError::query(format!(
            "an upsert of {} that changes nothing; `ignore` leaves the row as it is",
            schema.name
        )));
    }
    Ok(())
}

impl<N> fmt::Debug for Upsert<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upsert")
    }
}

impl<N> fmt::Debug for UpsertOn<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpsertOn").field("target", &self.target).finish_non_exhaustive()
    }
}
