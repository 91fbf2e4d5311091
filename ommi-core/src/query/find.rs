//! A query that is being put together, and the verbs that run it.

use std::fmt;
use std::marker::PhantomData;

use futures::FutureExt;

use super::predicate::Problem;
use super::{IntoAssignments, IntoPredicate, IntoSorts, Predicate, Rows};
use crate::ast::{
    Assignment, Condition, Delete, Expr, LockStrength, LockWait, Output, RowLock, Select, Sort, Statement, Update,
};
use crate::driver::{Context, Explanation, First, Row};
use crate::error::{DBError, DBResult, ErrorKind};
use crate::handle::{At, Transacted, traced};
use crate::key::{IntoKey, KeyWriter};
use crate::model::Model;
use crate::pending::{Operation, Options, Pending};
use crate::relation::{Batched, Included, IntoIncludes, alone, load_all};
use crate::value::Value;

/// The rows of `M` that meet a condition: refine it, then run it with a verb.
///
/// Building sends nothing. The value may be cloned and run many times; a verb never changes it.
///
/// `Debug` prints the query without its values.
#[must_use = "a query does nothing until one of its verbs is awaited"]
pub struct Find<'h, M> {
    at: At<'h>,
    select: Select,
    /// Whether every row was asked for by name, which an update or delete of every row needs.
    whole: bool,
    problem: Option<Box<Problem>>,
    batch: usize,
    includes: Vec<Included<M>>,
    /// What is wrong with the locks that were asked for.
    bad_lock: Option<&'static str>,
    model: PhantomData<fn() -> M>,
}

impl<'h, M: Model> Find<'h, M> {
    pub(crate) fn new(at: At<'h>, predicate: Predicate<M>) -> Find<'h, M> {
        let mut select = Select::new(M::schema());
        select.filter = predicate.condition;
        Find {
            at,
            select,
            whole: false,
            problem: predicate.problem,
            batch: Context::DEFAULT_BATCH,
            includes: Vec::new(),
            bad_lock: None,
            model: PhantomData,
        }
    }

    pub(crate) fn whole(at: At<'h>) -> Find<'h, M> {
        Find { whole: true, ..Find::new(at, Predicate::new(Condition::True)) }
    }

    pub(crate) fn by_key(at: At<'h>, key: impl IntoKey<M::Key>) -> Find<'h, M> {
        let schema = M::schema();
        let mut writer = KeyWriter::new(&schema);
        let written = key.write(&mut writer);
        Find::new(at, Predicate::of(written.map(|()| writer.finish())))
    }

    /// Narrows the query: the rows that meet this condition too. `None` asks for nothing.
    pub fn filter(mut self, predicate: impl IntoPredicate<M>) -> Find<'h, M> {
        let predicate = predicate.into_predicate();
        self.select.filter = self.select.filter.and(predicate.condition);
        self.problem = self.problem.or(predicate.problem);
        self
    }

    /// Orders the rows; a second call adds terms that decide between rows that are equal so far. NULL comes first in ascending and last in
    /// descending order unless a term says otherwise.
    pub fn sort(mut self, sorts: impl IntoSorts<M>) -> Find<'h, M> {
        sorts.collect(&mut self.select.sort);
        self
    }

    /// At most so many rows. Rows that the sort leaves equal are told apart by the key, so that pages neither repeat nor skip rows.
    pub fn limit(mut self, rows: u64) -> Find<'h, M> {
        self.select.limit = Some(rows);
        self
    }

    /// Leaves out so many rows first.
    pub fn offset(mut self, rows: u64) -> Find<'h, M> {
        self.select.offset = Some(rows);
        self
    }

    /// The page of this number, counted from 0, of pages of `size` rows.
    pub fn page(self, number: u64, size: u64) -> Find<'h, M> {
        self.offset(number.saturating_mul(size)).limit(size)
    }

    /// How many rows a stream decodes at a time; 256 unless said otherwise, and at least 1.
    pub fn batch(mut self, rows: usize) -> Find<'h, M> {
        self.batch = rows.max(1);
        self
    }

    /// Loads relations of the rows with them: `User::posts`, `User::posts.sort(Post::id.desc()).limit(3)`, or a tuple of such. The number of
    /// statements depends on what is included and not on the number of rows.
    ///
    /// A relation that is included twice is loaded once, with what is nested in either. If the two ask for different rows, in their filters, sorts,
    /// limits or offsets, that is a `Query` error, and nothing is sent.
    ///
    /// On SQLite all of it is of one moment. Elsewhere, outside of a transaction, each statement sees the database at its own, and includes
    /// that do not depend on each other run at the same time.
    pub fn include(mut self, includes: impl IntoIncludes<M>) -> Find<'h, M> {
        includes.collect(&mut self.includes);
        self
    }

    /// Locks the rows that are read until the end of the transaction: nobody else can lock, change or delete them, and rows that others have
    /// locked are waited for, unless [`skip_locked`](Find::skip_locked) or [`nowait`](Find::nowait) says otherwise. What is included with the
    /// rows is not locked.
    ///
    /// `Query` outside of a transaction, where a lock would be gone at once, in one that only reads, and with verbs that give no rows: `count`, `exists`, `update` and
    /// `delete`, of which the last two lock what they write by themselves. `Unsupported` where the store has no
    /// [such locks](crate::driver::Capabilities::row_locks).
    pub fn for_update(self) -> Find<'h, M> {
        self.locked(LockStrength::Update)
    }

    /// As [`for_update`](Find::for_update), but others can lock the rows with `for_share` too. Nobody can change or delete them.
    pub fn for_share(self) -> Find<'h, M> {
        self.locked(LockStrength::Share)
    }

    /// After [`for_update`](Find::for_update) or [`for_share`](Find::for_share): leaves out rows that others have locked, instead of waiting
    /// for them. With a limit, so many free rows are given: this is how several workers take tasks from one table.
    pub fn skip_locked(self) -> Find<'h, M> {
        self.waiting(LockWait::SkipLocked)
    }

    /// After [`for_update`](Find::for_update) or [`for_share`](Find::for_share): fails at once where others have locked a row, with a
    /// `Conflict` that is [retryable](DBError::is_retryable), instead of waiting for it.
    pub fn nowait(self) -> Find<'h, M> {
        self.waiting(LockWait::NoWait)
    }

    fn locked(mut self, strength: LockStrength) -> Find<'h, M> {
        if self.select.lock.replace(RowLock::new(strength)).is_some() {
            self.bad_lock = Some("rows are locked once, by `for_update` or `for_share`");
        }
        self
    }

    fn waiting(mut self, wait: LockWait) -> Find<'h, M> {
        match &mut self.select.lock {
            Some(lock) if lock.wait == LockWait::Wait => lock.wait = wait,
            Some(_) => self.bad_lock = Some("rows that are locked are skipped or refused, one of the two"),
            None => self.bad_lock = Some("`skip_locked` and `nowait` come after `for_update` or `for_share`"),
        }
        self
    }

    // ---- reading ------------------------------------------------------------------

    /// The rows.
    pub fn all(self) -> Pending<impl Operation<Output = DBResult<Vec<M>>, Future: Send> + Send> {
        Pending::new(move |options| self.run_all(options))
    }

    /// The row, or `NotFound` when there is none; the first in order when there are several.
    pub fn one(self) -> Pending<impl Operation<Output = DBResult<M>, Future: Send> + Send> {
        Pending::new(move |options| {
            self.run_first(options).map(|found| found?.ok_or_else(|| DBError::not_found(M::schema().name.clone())))
        })
    }

    /// The first row in order, or `None` when there is none.
    pub fn first(self) -> Pending<impl Operation<Output = DBResult<Option<M>>, Future: Send> + Send> {
        Pending::new(move |options| self.run_first(options))
    }

    /// The number of rows, `limit` and `offset` observed.
    pub fn count(self) -> Pending<impl Operation<Output = DBResult<u64>, Future: Send> + Send> {
        Pending::new(move |options| self.run_count(options))
    }

    /// Whether there is a row.
    pub fn exists(self) -> Pending<impl Operation<Output = DBResult<bool>, Future: Send> + Send> {
        Pending::new(move |options| self.run_exists(options))
    }

    /// The rows one after the other, in bounded memory. Nothing is sent until the first is asked for.
    ///
    /// In a transaction no other statement can run while the stream is open; one that is tried gives a `Query` error, and so does a stream with
    /// includes.
    pub fn stream(self) -> Rows<'h, M> {
        let (at, batch) = (self.at, self.batch);
        let includes = self.includes.clone();
        Rows::new(at, self.readable(), batch, includes)
    }

    /// What would be sent for [`all`](Find::all), includes aside, without sending it. Values are not shown unless asked for.
    ///
    /// # Errors
    /// What is found wrong with the query before anything is sent.
    pub fn explain(self) -> DBResult<Explanation> {
        let driver = self.at.driver;
        driver.explain(&Statement::Select(self.readable()?))
    }

    /// What would be sent for [`count`](Find::count), without sending it.
    ///
    /// # Errors
    /// What is found wrong with the query before anything is sent.
    pub fn explain_count(self) -> DBResult<Explanation> {
        self.explain_asking(Output::Count)
    }

    /// What would be sent for [`exists`](Find::exists), without sending it.
    ///
    /// # Errors
    /// What is found wrong with the query before anything is sent.
    pub fn explain_exists(self) -> DBResult<Explanation> {
        self.explain_asking(Output::Exists)
    }

    fn explain_asking(self, output: Output) -> DBResult<Explanation> {
        let driver = self.at.driver;
        driver.explain(&Statement::Select(self.asking(output)?))
    }

    // ---- writing ------------------------------------------------------------------

    /// Changes every row that meets the condition, and gives their number. A table is changed as a whole only if the query began with
    /// [`find_all`](crate::Handle::find_all).
    pub fn update(
        self,
        changes: impl IntoAssignments<M>,
    ) -> Pending<impl Operation<Output = DBResult<u64>, Future: Send> + Send> {
        let update = self.to_update(changes);
        let at = self.at;
        Pending::new(move |options| async move {
            let update = update?;
            let context = at.context(options);
            // In a block, because a driver may run the statement when it is called, and that is to be in the span.
            let work = async { at.executor.update(&update, &context).await };
            traced("update", &update.model.name, work, |rows| *rows).await
        })
    }

    /// Deletes every row that meets the condition, and gives their number. A table is emptied only if the query began with
    /// [`find_all`](crate::Handle::find_all).
    pub fn delete(self) -> Pending<impl Operation<Output = DBResult<u64>, Future: Send> + Send> {
        let delete = self.to_delete();
        let at = self.at;
        Pending::new(move |options| async move {
            let delete = delete?;
            let context = at.context(options);
            // In a block, because a driver may run the statement when it is called, and that is to be in the span.
            let work = async { at.executor.delete(&delete, &context).await };
            traced("delete", &delete.model.name, work, |rows| *rows).await
        })
    }

    /// What would be sent for [`update`](Find::update), without sending it.
    ///
    /// # Errors
    /// What is found wrong with the query before anything is sent.
    pub fn explain_update(self, changes: impl IntoAssignments<M>) -> DBResult<Explanation> {
        let update = self.to_update(changes)?;
        self.at.driver.explain(&Statement::Update(update))
    }

    /// What would be sent for [`delete`](Find::delete), without sending it.
    ///
    /// # Errors
    /// What is found wrong with the query before anything is sent.
    pub fn explain_delete(self) -> DBResult<Explanation> {
        let delete = self.to_delete()?;
        self.at.driver.explain(&Statement::Delete(delete))
    }

    // ---- how ----------------------------------------------------------------------

    fn usable(&self) -> DBResult<()> {
        self.select.model.usable()?;
        if self.select.lock.is_some() || self.bad_lock.is_some() {
            self.lockable()?;
        }
        match &self.problem {
            Some(problem) => Err(problem.error(&self.select.model)),
            None => self.includes.iter().try_for_each(|include| include.usable()),
        }
    }

    /// Whether the rows can be locked here, whatever is asked of them.
    fn lockable(&self) -> DBResult<()> {
        if let Some(problem) = self.bad_lock {
            return Err(DBError::query(problem));
        }
        self.at.driver.capabilities().can_lock_rows()?;
        match self.at.ending {
            Some(_) => Ok(()),
            None => Err(DBError::query(format!(
                "locks on rows of {} would be gone at once: they are held until the end of a transaction, and this is in none",
                self.select.model.name
            ))),
        }
    }

    /// Refuses a lock with a verb that gives no rows.
    fn without_lock(&self, verb: &str) -> DBResult<()> {
        match self.select.lock {
            None => Ok(()),
            Some(_) => Err(DBError::query(format!(
                "`{verb}` of {} gives no rows that `for_update` or `for_share` could lock",
                self.select.model.name
            ))),
        }
    }

    /// The select as it is run: where a page is asked for, the key decides between rows that the sort leaves equal.
    fn readable(self) -> DBResult<Select> {
        Ok(self.parts()?.0)
    }

    /// The same, and what is included with its rows.
    fn parts(mut self) -> DBResult<(Select, Vec<Included<M>>)> {
        self.usable()?;
        let select = &mut self.select;
        let paged = select.limit.is_some() || select.offset.is_some();
        if paged && !select.is_point() {
            let sorted = |column| select.sort.iter().any(|sort| sort.expr == Expr::Column(column));
            let missing: Vec<u16> = select.model.key.iter().copied().filter(|&column| !sorted(column)).collect();
            let ascending = crate::ast::Direction::Ascending;
            select.sort.extend(missing.into_iter().map(|column| Sort::new(Expr::Column(column), ascending)));
        }
        Ok((self.select, self.includes))
    }

    // What follows is taken apart before the future begins, which then borrows the parts where they are: each time that a future's value is
    // moved within it, it has room for one more, and it is copied as a whole, also before it has begun.

    fn run_all(self, options: Options) -> impl Future<Output = DBResult<Vec<M>>> + Send + use<'h, M> {
        let at = self.at;
        let context = at.context(options);
        let parts = self.parts();
        async move {
            let (select, includes) = match parts {
                Ok((ref select, ref includes)) => (select, includes),
                Err(error) => return Err(error),
            };
            let work = async { read_with(select, includes, at, &context).await };
            traced("all", &select.model.name, work, |rows: &Vec<M>| rows.len() as u64).await
        }
    }

    fn run_first(mut self, options: Options) -> impl Future<Output = DBResult<Option<M>>> + Send + use<'h, M> {
        let at = self.at;
        // A limit would only say what the condition says already, and cost a second shape.
        if !self.select.is_point() || self.select.limit == Some(0) || self.select.offset.is_some() {
            self.select.limit = Some(self.select.limit.unwrap_or(1).min(1));
        } else {
            self.select.limit = None;
            self.select.sort.clear();
        }
        let context = at.context(options);
        let parts = self.parts();
        async move {
            let (select, includes) = match parts {
                Ok((ref select, ref includes)) => (select, includes),
                Err(error) => return Err(error),
            };
            let work = async {
                if !includes.is_empty() {
                    // Boxed, to be no part of the future of those without.
                    let mut rows: Vec<M> = Box::pin(read_with(select, includes, at, &context)).await?;
                    rows.truncate(1);
                    return Ok(rows.pop());
                }
                let mut first = First::new(M::decode);
                at.executor.fetch(select, &mut first, &context).await?;
                if let Some(row) = &mut first.row {
                    alone(row)?;
                }
                Ok(first.row)
            };
            traced("first", &select.model.name, work, |row| u64::from(row.is_some())).await
        }
    }

    async fn run_count(self, options: Options) -> DBResult<u64> {
        match self.ask(Output::Count, "count", options).await? {
            Value::Int(rows) if rows >= 0 => Ok(rows as u64),
            _ => Err(no_answer()),
        }
    }

    async fn run_exists(self, options: Options) -> DBResult<bool> {
        match self.ask(Output::Exists, "exists", options).await? {
            Value::Bool(exists) => Ok(exists),
            _ => Err(no_answer()),
        }
    }

    /// The select that asks for one value; the order does not matter to it.
    fn asking(mut self, output: Output) -> DBResult<Select> {
        self.usable()?;
        self.without_lock(if output == Output::Count { "count" } else { "exists" })?;
        self.select.output = output;
        self.select.sort.clear();
        Ok(self.select)
    }

    /// Asks for one value.
    async fn ask(self, output: Output, operation: &'static str, options: Options) -> DBResult<Value<'static>> {
        let at = self.at;
        let select = self.asking(output)?;
        let context = at.context(options);
        let work = async {
            let mut first = First::new(|row: &mut dyn Row| Ok(row.value(0)?.into_owned()));
            at.executor.fetch(&select, &mut first, &context).await?;
            first.row.ok_or_else(no_answer)
        };
        traced(operation, &select.model.name, work, |_| 1).await
    }

    fn to_update(&self, changes: impl IntoAssignments<M>) -> DBResult<Update> {
        self.writable("update")?;
        let mut assignments: Vec<Assignment> = Vec::new();
        let model = &self.select.model;
        changes.collect(&mut assignments).map_err(|invalid| DBError::invalid_query(model, &invalid))?;
        if assignments.is_empty() {
            return Err(DBError::query(format!("an update of {} that changes nothing", model.name)));
        }
        model.keep(&mut assignments)?;
        model.raise_version(&mut assignments)?;
        Ok(Update::new(model.clone(), assignments, self.select.filter.clone()))
    }

    fn to_delete(&self) -> DBResult<Delete> {
        self.writable("delete")?;
        Ok(Delete::new(self.select.model.clone(), self.select.filter.clone()))
    }

    fn writable(&self, verb: &str) -> DBResult<()> {
        self.usable()?;
        self.without_lock(verb)?;
        let model = &self.select.model.name;
        if self.select.limit.is_some() || self.select.offset.is_some() || !self.select.sort.is_empty() {
            return Err(DBError::query(format!("`{verb}` of {model} takes no sort, limit or offset")));
        }
        if self.select.filter == Condition::True && !self.whole {
            return Err(DBError::query(format!(
                "this would {verb} every {model}, since no condition is left; say so with `find_all::<{model}>()`"
            )));
        }
        Ok(())
    }
}

/// Reads rows, and what is included with them: at one moment, where the store gives that for nothing.
async fn read_with<M: Model>(
    select: &Select,
    includes: &[Included<M>],
    at: At<'_>,
    context: &Context,
) -> DBResult<Vec<M>> {
    if includes.is_empty() || at.ending.is_some() || !at.driver.capabilities().snapshot_includes {
        return read(select, includes, at, context).await;
    }
    let snapshot = Transacted::read_only(at, context).await?;
    let rows = read(select, includes, snapshot.at(), context).await;
    snapshot.end(rows, context).await
}

async fn read<M: Model>(select: &Select, includes: &[Included<M>], at: At<'_>, context: &Context) -> DBResult<Vec<M>> {
    let mut sink = Batched::<M>::new();
    at.executor.fetch(select, &mut sink, context).await?;
    let (rows, batch) = sink.finish()?;
    if let Some(batch) = batch {
        if rows.len() == 1 && (select.limit == Some(1) || select.is_point()) {
            batch.set_single();
        }
        load_all(includes, at, &batch, context).await?;
    }
    Ok(rows)
}

fn no_answer() -> DBError {
    DBError::new(ErrorKind::Database).with_detail("the driver did not answer a count or existence query with one value")
}

impl<M> Clone for Find<'_, M> {
    fn clone(&self) -> Self {
        Find {
            at: self.at,
            select: self.select.clone(),
            whole: self.whole,
            problem: self.problem.clone(),
            batch: self.batch,
            includes: self.includes.clone(),
            bad_lock: self.bad_lock,
            model: PhantomData,
        }
    }
}

impl<M> fmt::Debug for Find<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Find").field(&self.select).finish()
    }
}
