//! The four statements.

use super::Condition;
use super::condition::Expr;
use crate::schema::{ColumnList, SchemaRef};
use crate::value::Value;

/// Any statement.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Statement {
    /// Reads rows.
    Select(Select),
    /// Adds rows.
    Insert(Insert),
    /// Changes rows.
    Update(Update),
    /// Deletes rows.
    Delete(Delete),
}

/// Reads rows of one model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Select {
    /// The model.
    pub model: SchemaRef,
    /// What is asked of the rows.
    pub output: Output,
    /// Which rows.
    pub filter: Condition,
    /// In which order; any order when empty.
    pub sort: Vec<Sort>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// After leaving out so many.
    pub offset: Option<u64>,
    /// Takes the rows in groups, and only some of each.
    pub per_group: Option<PerGroup>,
    /// Locks the rows that it gives until the end of the transaction. Only where [`Output::Model`] is asked for, without groups.
    pub lock: Option<RowLock>,
}

/// A lock on each row that a select gives, held until the end of the transaction.
///
/// Rows are locked after filter, order, limit and offset are applied. A row that another transaction changed while it was waited for is looked at
/// again, and is left out where it does not meet the filter any more. Of rows that the filter or the order look at beside those of the model,
/// none is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RowLock {
    /// What nobody else can do meanwhile.
    pub strength: LockStrength,
    /// What happens about a row that another transaction has locked.
    pub wait: LockWait,
}

impl RowLock {
    /// A lock of this strength, which waits for others.
    pub const fn new(strength: LockStrength) -> RowLock {
        RowLock { strength, wait: LockWait::Wait }
    }
}

/// How strong a lock on a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LockStrength {
    /// Nobody else can lock, change or delete the row.
    Update,
    /// Others can lock the row likewise, and nobody can change or delete it.
    Share,
}

/// What a select does about a row that another transaction has locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LockWait {
    /// Waits until it is free.
    Wait,
    /// Leaves it out.
    SkipLocked,
    /// Fails at once, with a retryable [`Conflict`](crate::ErrorKind::Conflict).
    NoWait,
}

/// Of the rows that have the same values in some columns, only some. NULL is the same as NULL here.
///
/// It comes after the filter: first the rows that meet it, then their order, then of each group those that are wanted; what is left stays in the
/// order of the sort, whose groups may lie in between each other. A select that has this has no limit and no offset of its own, and its
/// sort decides between any two rows of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PerGroup {
    /// The columns whose values a group has in common.
    pub columns: Vec<u16>,
    /// At most so many rows of each group, in the order of the sort.
    pub limit: Option<u64>,
    /// After leaving out so many of it.
    pub offset: Option<u64>,
}

impl PerGroup {
    /// So many rows of each group.
    pub fn new(columns: Vec<u16>, limit: Option<u64>, offset: Option<u64>) -> PerGroup {
        PerGroup { columns, limit, offset }
    }
}

/// What a select gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Output {
    /// Rows with every column of the model, in the schema's order.
    Model,
    /// One row with one integer: the number of rows, `limit` and `offset` observed.
    Count,
    /// One row with one bool: whether there is a row.
    Exists,
}

/// One term of an order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sort {
    /// What is sorted by.
    pub expr: Expr,
    /// Upwards or downwards.
    pub direction: Direction,
    /// Where NULL goes.
    pub nulls: Nulls,
}

/// Upwards or downwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Least first.
    Ascending,
    /// Greatest first.
    Descending,
}

/// Where NULL goes in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nulls {
    /// Before all values.
    First,
    /// After all values.
    Last,
}

impl Sort {
    /// A term with NULL where it goes by default: first upwards, last downwards.
    pub fn new(expr: Expr, direction: Direction) -> Sort {
        let nulls = match direction {
            Direction::Ascending => Nulls::First,
            Direction::Descending => Nulls::Last,
        };
        Sort { expr, direction, nulls }
    }

    /// Whether NULL goes where it goes by default.
    pub fn has_default_nulls(&self) -> bool {
        matches!(
            (self.direction, self.nulls),
            (Direction::Ascending, Nulls::First) | (Direction::Descending, Nulls::Last)
        )
    }
}

/// Adds rows to one model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Insert {
    /// The model.
    pub model: SchemaRef,
    /// The columns that `values` gives, in this order; empty for rows of nothing but a generated key.
    ///
    /// The model's columns that are not here are [generated](crate::schema::Auto::Increment) by the store. What the table has and the
    /// model does not know gets the default that it was created with, or NULL.
    pub columns: ColumnList,
    /// The rows, one after the other, each as wide as `columns`.
    pub values: Vec<Value<'static>>,
    /// The number of rows; at least one.
    pub rows: usize,
    /// What happens when a row is there already; without it that is an error.
    pub on_conflict: Option<OnConflict>,
    /// The columns to give back of each row that was written, in the order of the rows. Empty: none.
    pub returning: ColumnList,
}

/// What an insert does about a row that is there already.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OnConflict {
    /// The key or unique set of columns by which the row is there. A violation of another constraint stays an error.
    pub target: Vec<u16>,
    /// Changes to that row; it stays as it is when empty, and is then not given back.
    pub assignments: Vec<Assignment>,
    /// A column, and the value that the row that is there must have in it to be changed. Where it has another it stays as it is, and is not given back.
    /// Whether it does is seen in one piece with the change: no other writer comes between. Not looked at where nothing is changed.
    pub expected: Option<(u16, Value<'static>)>,
}

/// Changes rows of one model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Update {
    /// The model.
    pub model: SchemaRef,
    /// The changes. Each sees the row as it was before all of them. Never empty.
    pub assignments: Vec<Assignment>,
    /// Which rows.
    pub filter: Condition,
}

/// Deletes rows of one model.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Delete {
    /// The model.
    pub model: SchemaRef,
    /// Which rows.
    pub filter: Condition,
}

/// A change to one column.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Assignment {
    /// The column.
    pub column: u16,
    /// Its new value.
    pub change: Change,
}

/// The new value of a column.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// This expression.
    Set(Expr),
    /// The old value and this number; NULL stays NULL, and leaving the column's range is
    /// [`OutOfRange`](crate::ErrorKind::OutOfRange).
    Add(Value<'static>),
    /// The old value less this number, likewise.
    Subtract(Value<'static>),
}

/// Any statement, borrowed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum StatementRef<'a> {
    /// Reads rows.
    Select(&'a Select),
    /// Adds rows.
    Insert(&'a Insert),
    /// Changes rows.
    Update(&'a Update),
    /// Deletes rows.
    Delete(&'a Delete),
}

macro_rules! borrow {
    ($($name:ident)*) => {$(
        impl<'a> From<&'a $name> for StatementRef<'a> {
            fn from(statement: &'a $name) -> StatementRef<'a> {
                StatementRef::$name(statement)
            }
        }
    )*};
}

borrow!(Select Insert Update Delete);

impl<'a> From<&'a Statement> for StatementRef<'a> {
    fn from(statement: &'a Statement) -> StatementRef<'a> {
        match statement {
            Statement::Select(select) => StatementRef::Select(select),
            Statement::Insert(insert) => StatementRef::Insert(insert),
            Statement::Update(update) => StatementRef::Update(update),
            Statement::Delete(delete) => StatementRef::Delete(delete),
        }
    }
}

impl Statement {
    /// The model.
    pub fn model(&self) -> &SchemaRef {
        StatementRef::from(self).model()
    }
}

impl<'a> StatementRef<'a> {
    /// The model.
    pub fn model(self) -> &'a SchemaRef {
        match self {
            StatementRef::Select(select) => &select.model,
            StatementRef::Insert(insert) => &insert.model,
            StatementRef::Update(update) => &update.model,
            StatementRef::Delete(delete) => &delete.model,
        }
    }
}

impl Select {
    /// All rows of a model, in any order.
    pub fn new(model: SchemaRef) -> Select {
        Select {
            model,
            output: Output::Model,
            filter: Condition::True,
            sort: Vec::new(),
            limit: None,
            offset: None,
            per_group: None,
            lock: None,
        }
    }

    /// Whether the filter names a key or unique set in full, so that at most one row is meant.
    pub fn is_point(&self) -> bool {
        is_point(&self.model, &self.filter)
    }
}

impl Insert {
    /// Rows with these columns.
    pub fn new(model: SchemaRef, columns: impl Into<ColumnList>, values: Vec<Value<'static>>, rows: usize) -> Insert {
        Insert { model, columns: columns.into(), values, rows, on_conflict: None, returning: ColumnList::NONE }
    }
}

/// What tells an insert of one row from others of the kind, without a look at its lists: where they lie, and its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UsualInsert {
    model: usize,
    columns: (usize, usize),
    returning: (usize, usize),
}

impl Insert {
    /// What tells it apart where it is of the usual kind: one row of a model that is there for the whole program, so that no other gets its address, with lists of
    /// the model's own.
    pub(super) fn usual(&self) -> Option<UsualInsert> {
        if self.rows != 1 || self.on_conflict.is_some() {
            return None;
        }
        self.model.as_static()?;
        Some(UsualInsert {
            model: self.model.address(),
            columns: self.columns.address()?,
            returning: self.returning.address()?,
        })
    }
}

impl OnConflict {
    /// Changes the row that has the same values in `target`; leaves it alone without assignments.
    pub fn new(target: Vec<u16>, assignments: Vec<Assignment>) -> OnConflict {
        OnConflict { target, assignments, expected: None }
    }
}

impl Update {
    /// Changes the rows that meet the filter.
    pub fn new(model: SchemaRef, assignments: Vec<Assignment>, filter: Condition) -> Update {
        Update { model, assignments, filter }
    }

    /// Whether at most one row is meant.
    pub fn is_point(&self) -> bool {
        is_point(&self.model, &self.filter)
    }
}

impl Delete {
    /// Deletes the rows that meet the filter.
    pub fn new(model: SchemaRef, filter: Condition) -> Delete {
        Delete { model, filter }
    }

    /// Whether at most one row is meant.
    pub fn is_point(&self) -> bool {
        is_point(&self.model, &self.filter)
    }
}

impl Assignment {
    /// A change to a column.
    pub fn new(column: u16, change: Change) -> Assignment {
        Assignment { column, change }
    }
}

fn is_point(model: &SchemaRef, filter: &Condition) -> bool {
    let pinned = |columns: &[u16]| columns.iter().all(|column| filter.pinned_columns().any(|p| p == *column));
    pinned(&model.key) || model.uniques.iter().any(|unique| pinned(&unique.columns))
}
