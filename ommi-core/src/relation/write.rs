//! Changing which rows belong to a row.

use super::batch::alone;
use super::fields::{HasMany, RelationField, Through};
use super::key::Key;
use super::required::{self, check_bare};
use super::tree::{self, null_key};
use super::{RelationInfo, ThroughInfo};
use crate::ast::{
    Assignment, Change, CompareOp, Condition, Delete, Expr, Insert, List, OnConflict, Output, Select, Update,
};
use crate::driver::{Collect, Context, Row};
use crate::error::{DBError, DBResult};
use crate::handle::{At, Handle, Transacted, add_rows, add_trees, delete, one_row, traced};
use crate::model::Model;
use crate::new_row::NewRow;
use crate::pending::{Operation, Pending};
use crate::schema::{ColumnList, SchemaRef};
use crate::value::Value;

impl<T: Model> HasMany<T> {
    /// Adds a row that belongs to this one: its reference is set here, and need not be named: `new!(Post { title: "Hello", .. })`. What is
    /// loaded stays as it is.
    pub fn add<N: NewRow<Model = T>>(
        &self,
        db: &(impl Handle + ?Sized),
        row: N,
    ) -> Pending<impl Operation<Output = DBResult<T>, Future: Send> + Send> {
        let at = db.at();
        Pending::new(move |options| async move {
            let context = at.context(options);
            let (relation, key) = self.ends()?;
            let mut row = row;
            for (&column, value) in relation.far.iter().zip(key) {
                tree::set(&mut row, column, value)?;
            }
            let work = async {
                match row.has_nested() {
                    true => add_trees(at, vec![row], &context).await,
                    false => add_rows(at, vec![row], &context).await,
                }
            };
            only(traced("add", &T::schema().name, work, |_| 1).await?)
        })
    }

    /// Makes a row belong to this one, by setting its reference. `NotFound` when it has gone; when it does already, nothing changes but its
    /// version, where it has one. That is not checked: nothing but the reference is written, so no change of another's is lost.
    pub fn link(
        &self,
        db: &(impl Handle + ?Sized),
        row: &T,
    ) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        let at = db.at();
        Pending::new(move |options| async move {
            let (relation, key) = self.ends()?;
            let assignments = relation.far.iter().zip(key).map(|(&column, value)| set(column, value)).collect();
            self.change(at, assignments, own_key(row)?, &at.context(options)).await
        })
    }

    /// Makes a row that belongs to this one belong to none, by setting its reference to NULL. `NotFound` when there is no such row, and an
    /// error when the reference cannot be NULL: such a row has to be [removed](HasMany::remove).
    pub fn unlink(
        &self,
        db: &(impl Handle + ?Sized),
        row: &T,
    ) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        let at = db.at();
        Pending::new(move |options| async move {
            let (relation, key) = self.ends()?;
            let schema = T::schema();
            // One column that is NULL is enough, and others may serve another reference too.
            let nullable = |column: &u16| schema.column(*column).is_some_and(|column| column.nullable);
            let Some(&column) = relation.far.iter().find(|column| nullable(column)) else {
                return Err(DBError::query(format!(
                    "a {} of `{}` cannot be without its reference; `remove` deletes it",
                    schema.name,
                    relation.full_name()
                )));
            };
            let filter = own_key(row)?.and(equal(relation.far, key));
            self.change(at, vec![set(column, Value::Null)], filter, &at.context(options)).await
        })
    }

    /// Deletes a row that belongs to this one. `NotFound` when there is no such row; a `Conflict` when it was changed since it was read, if the model
    /// has a version.
    pub fn remove(
        &self,
        db: &(impl Handle + ?Sized),
        row: &T,
    ) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        let at = db.at();
        Pending::new(move |options| async move {
            let (relation, key) = self.ends()?;
            delete(at, row, equal(relation.far, key), options).await
        })
    }

    async fn change(
        &self,
        at: At<'_>,
        mut assignments: Vec<Assignment>,
        filter: Condition,
        context: &Context,
    ) -> DBResult<()> {
        let schema = T::schema();
        schema.raise_version(&mut assignments)?;
        let update = Update::new(schema.clone(), assignments, filter);
        let work = async { at.executor.update(&update, context).await };
        match traced("update", &schema.name, work, |rows| *rows).await? {
            0 => Err(DBError::not_found(schema.name.clone())),
            _ => Ok(()),
        }
    }

    /// The relation, and the values by which rows belong to this one.
    fn ends(&self) -> DBResult<(&'static RelationInfo, Vec<Value<'static>>)> {
        let (relation, key) = self.lazy().ends()?;
        Ok((relation, values(relation, key)?))
    }
}

impl<T: Model, A: Model> HasMany<T, Through<A>> {
    /// Makes a row belong to this one, by a row of the association model. Nothing happens when it does already.
    ///
    /// An association that requires more columns than those of its two references takes [`link_with`](Self::link_with): there, this does not
    /// compile, or is `InvalidValue` where the compiler cannot tell which references are meant.
    pub fn link(
        &self,
        db: &(impl Handle + ?Sized),
        row: &T,
    ) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        const { check_bare::<A, T>("link") };
        self.link_by(db, row, A::Draft::default(), Some("link"))
    }

    /// As [`link`](Self::link), with more columns of the association's row: `new!(UserTag { weight: 3, .. })`. An association that is there
    /// already is left as it is.
    pub fn link_with<N: NewRow<Model = A>>(
        &self,
        db: &(impl Handle + ?Sized),
        row: &T,
        association: N,
    ) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        self.link_by(db, row, association, None)
    }

    fn link_by<N: NewRow<Model = A>>(
        &self,
        db: &(impl Handle + ?Sized),
        row: &T,
        association: N,
        bare: Option<&'static str>,
    ) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        let at = db.at();
        Pending::new(move |options| async move {
            let context = at.context(options);
            let ends = self.ends(bare)?;
            let work = async {
                let values = ends.values_to(row)?;
                if ends.columns_are_unique() {
                    return ends.link(at, values, association, &context).await;
                }
                // Nothing in the database keeps the same two rows from being associated twice.
                let transacted = Transacted::begin(at, &context).await?;
                let linked = ends.link(transacted.at(), values, association, &context).await;
                transacted.end(linked, &context).await
            };
            traced("link", &A::schema().name, work, |()| 1).await
        })
    }

    /// Makes a row belong to this one no more, by deleting the association's row. Nothing happens when it does not. The row itself stays.
    ///
    /// A row that could not belong to this one, because both references hold a column in which the two differ, is an error here too.
    pub fn unlink(
        &self,
        db: &(impl Handle + ?Sized),
        row: &T,
    ) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        let at = db.at();
        Pending::new(move |options| async move {
            let context = at.context(options);
            let ends = self.ends(None)?;
            let (columns, values): (Vec<u16>, Vec<_>) = ends.values_to(row)?.into_iter().unzip();
            let delete = Delete::new(A::schema(), equal(&columns, values));
            let work = async { at.executor.delete(&delete, &context).await };
            traced("unlink", &A::schema().name, work, |rows| *rows).await.map(drop)
        })
    }

    /// Makes these rows, and no others, belong to this one. Associations that are there and stay are left as they are.
    ///
    /// No row is locked: of two at the same moment for one row, neither sees what the other adds, and the rows of both may stay. That is so
    /// wherever writers do not take turns, which they do on SQLite.
    ///
    /// As with [`link`](Self::link), an association that requires more columns takes [`replace_with`](Self::replace_with).
    pub fn replace<'r>(
        &self,
        db: &(impl Handle + ?Sized),
        rows: impl IntoIterator<Item = &'r T>,
    ) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        const { check_bare::<A, T>("replace") };
        let rows = rows.into_iter().map(|row| (row, A::Draft::default())).collect();
        self.replace_by(db, rows, Some("replace"))
    }

    /// As [`replace`](Self::replace), with more columns of the associations' rows: `[(&tag, new!(UserTag { weight: 3, .. }))]`.
    ///
    /// The columns are those of new associations. One that is there and stays keeps its own; of a row that is given twice, the first counts.
    pub fn replace_with<'r, N: NewRow<Model = A>>(
        &self,
        db: &(impl Handle + ?Sized),
        rows: impl IntoIterator<Item = (&'r T, N)>,
    ) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        self.replace_by(db, rows.into_iter().collect(), None)
    }

    fn replace_by<N: NewRow<Model = A>>(
        &self,
        db: &(impl Handle + ?Sized),
        rows: Vec<(&T, N)>,
        bare: Option<&'static str>,
    ) -> Pending<impl Operation<Output = DBResult<()>, Future: Send> + Send> {
        let at = db.at();
        Pending::new(move |options| async move {
            let context = at.context(options);
            let ends = self.ends(bare)?;
            let count = rows.len() as u64;
            let work = async {
                let wanted = rows.into_iter().map(|(row, association)| Ok((ends.values_to(row)?, association)));
                let wanted = wanted.collect::<DBResult<Vec<_>>>()?;
                let transacted = Transacted::begin(at, &context).await?;
                let replaced = ends.replace(transacted.at(), wanted, &context).await;
                transacted.end(replaced, &context).await
            };
            traced("replace", &A::schema().name, work, |()| count).await
        })
    }

    /// Adds a row and makes it belong to this one.
    ///
    /// As with [`link`](Self::link), an association that requires more columns takes [`add_with`](Self::add_with).
    pub fn add<N: NewRow<Model = T>>(
        &self,
        db: &(impl Handle + ?Sized),
        row: N,
    ) -> Pending<impl Operation<Output = DBResult<T>, Future: Send> + Send> {
        const { check_bare::<A, T>("add") };
        self.add_by(db, row, A::Draft::default(), Some("add"))
    }

    /// As [`add`](Self::add), with more columns of the association's row: `new!(UserTag { weight: 3, .. })`.
    pub fn add_with<N: NewRow<Model = T>, B: NewRow<Model = A>>(
        &self,
        db: &(impl Handle + ?Sized),
        row: N,
        association: B,
    ) -> Pending<impl Operation<Output = DBResult<T>, Future: Send> + Send> {
        self.add_by(db, row, association, None)
    }

    fn add_by<N: NewRow<Model = T>, B: NewRow<Model = A>>(
        &self,
        db: &(impl Handle + ?Sized),
        row: N,
        association: B,
        bare: Option<&'static str>,
    ) -> Pending<impl Operation<Output = DBResult<T>, Future: Send> + Send> {
        let at = db.at();
        Pending::new(move |options| async move {
            let context = at.context(options);
            let ends = self.ends(bare)?;
            let work = async {
                let transacted = Transacted::begin(at, &context).await?;
                let added = ends.add(transacted.at(), row, association, &context).await;
                transacted.end(added, &context).await
            };
            traced("add", &T::schema().name, work, |_| 1).await
        })
    }

    /// What an association is to hold. `bare` is the method that gives it nothing else, where one does.
    fn ends(&self, bare: Option<&str>) -> DBResult<Ends<A>> {
        let (relation, key) = self.lazy().ends()?;
        let through = relation.through.as_ref().ok_or_else(|| DBError::query("a relation without its association"))?;
        if let Some(method) = bare {
            required::bare(relation, through, method)?;
        }
        Ok(Ends { relation, through, key: values(relation, key)?, association: std::marker::PhantomData })
    }
}

/// What a row of the association model is to hold.
struct Ends<A> {
    relation: &'static RelationInfo,
    through: &'static ThroughInfo,
    /// The values by which it belongs to this side.
    key: Vec<Value<'static>>,
    association: std::marker::PhantomData<fn() -> A>,
}

impl<A: Model> Ends<A> {
    /// The values of an association with this row.
    fn values_to<T: Model>(&self, row: &T) -> DBResult<Vec<(u16, Value<'static>)>> {
        let near = self.relation.far.iter().copied().zip(self.key.iter().cloned()).collect();
        tree::pair(self.relation, self.through, near, row)
    }

    /// The columns of both references, each once.
    fn columns(&self) -> Vec<u16> {
        let mut columns = self.relation.far.to_vec();
        columns.extend(self.through.near.iter().filter(|column| !self.relation.far.contains(column)));
        columns
    }

    fn columns_are_unique(&self) -> bool {
        A::schema().is_unique(&self.columns())
    }

    /// Adds a row, and associates it.
    async fn add<N: NewRow, B: NewRow<Model = A>>(
        &self,
        at: At<'_>,
        row: N,
        association: B,
        context: &Context,
    ) -> DBResult<N::Model> {
        let added = only(tree::add(vec![row], at, context).await?)?;
        self.link(at, self.values_to(&added)?, association, context).await?;
        Ok(added)
    }

    /// Deletes all associations but these, and adds those of them that are not there.
    async fn replace<N: NewRow<Model = A>>(
        &self,
        at: At<'_>,
        wanted: Vec<(Vec<(u16, Value<'static>)>, N)>,
        context: &Context,
    ) -> DBResult<()> {
        let own = equal(self.relation.far, self.key.clone());
        let targets =
            wanted.iter().map(|(values, _)| values.iter().filter(|(column, _)| self.through.near.contains(column)));
        let others = match self.through.near {
            // One list, however many they are.
            [column] => {
                let list = List::new(targets.flatten().map(|(_, value)| value.clone()));
                Condition::In { expr: Expr::Column(*column), list, negated: true }
            }
            _ => targets.fold(Condition::True, |others, target| {
                let (columns, values): (Vec<u16>, Vec<_>) = target.cloned().unzip();
                others.and(!equal(&columns, values))
            }),
        };
        at.executor.delete(&Delete::new(A::schema(), own.and(others)), context).await?;
        for (values, association) in wanted {
            self.link(at, values, association, context).await?;
        }
        Ok(())
    }

    /// Adds the association's row, unless it is there.
    async fn link<N: NewRow<Model = A>>(
        &self,
        at: At<'_>,
        values: Vec<(u16, Value<'static>)>,
        association: N,
        context: &Context,
    ) -> DBResult<()> {
        let schema = A::schema();
        let mut row = association;
        for (column, value) in &values {
            tree::set(&mut row, *column, value.clone())?;
        }
        if self.columns_are_unique() {
            let mut insert: Insert = one_row(&schema, row)?;
            insert.on_conflict = Some(OnConflict::new(self.columns(), Vec::new()));
            insert.returning = ColumnList::all(&schema);
            let mut added = Collect::new(|_: &mut dyn Row| Ok(()));
            return at.executor.insert(&mut insert, &mut added, context).await.map(drop);
        }
        let (columns, values): (Vec<u16>, Vec<_>) = values.into_iter().unzip();
        let filter = equal(&columns, values);
        let select = Select { output: Output::Exists, filter, ..Select::new(schema) };
        let mut exists = Collect::new(|row: &mut dyn Row| Ok(row.value(0)? == Value::Bool(true)));
        at.executor.fetch(&select, &mut exists, context).await?;
        match exists.rows.contains(&true) {
            true => Ok(()),
            false => add_rows(at, vec![row], context).await.map(drop),
        }
    }
}

/// The one row that was added. It came alone.
fn only<T: Model>(mut added: Vec<T>) -> DBResult<T> {
    let mut row = added.pop().ok_or_else(|| DBError::not_found(T::schema().name.clone()))?;
    alone(&mut row)?;
    Ok(row)
}

fn values(relation: &RelationInfo, key: Key) -> DBResult<Vec<Value<'static>>> {
    match key {
        Key::Null => Err(null_key(relation)),
        key => Ok(key.into_values()),
    }
}

fn set(column: u16, value: Value<'static>) -> Assignment {
    Assignment::new(column, Change::Set(Expr::Value(value)))
}

fn equal(columns: &[u16], values: Vec<Value<'static>>) -> Condition {
    let equals = columns
        .iter()
        .zip(values)
        .map(|(&column, value)| Condition::compare(CompareOp::Eq, Expr::Column(column), Expr::Value(value)));
    equals.fold(Condition::True, Condition::and)
}

/// The condition that a row has this row's key.
fn own_key<T: Model>(row: &T) -> DBResult<Condition> {
    let schema: SchemaRef = T::schema();
    let mut values = Vec::with_capacity(schema.key.len());
    for &column in &schema.key {
        let value = row.value_of(column).map_err(|invalid| DBError::invalid_query(&schema, &invalid.at(column)))?;
        values.push(value.into_owned());
    }
    Ok(equal(&schema.key, values))
}
