//! Relations as queries name them: `User::posts`.

use std::fmt;
use std::marker::PhantomData;

use super::count::Count;
use super::fields::{self, BelongsTo, HasMany, HasOne, One, RelationField, Via};
use super::include::Include;
use super::missing::{missing, own_key};
use super::{Key, RelationInfo};
use crate::ast::{Condition, Direction, Expr, Related, RelatedExpr, Sort};
use crate::error::DBResult;
use crate::handle::Handle;
use crate::model::Model;
use crate::pending::{Operation, Pending};
use crate::query::{Column, IntoPredicate, IntoSorts, Predicate, Problem, SortBy};
use crate::value::InvalidValue;

/// A relation of `M` whose field is an `F`. The derive makes one for each such field: `User::posts`.
pub struct Relation<M, F> {
    slot: u16,
    field: fn(&M) -> &F,
}

impl<M, F> Clone for Relation<M, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, F> Copy for Relation<M, F> {}

impl<M, F> fmt::Debug for Relation<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relation({})", self.slot)
    }
}

impl<M, F> Relation<M, F> {
    /// The relation at this place of the model's. For generated code.
    #[doc(hidden)]
    pub const fn new(slot: u16, field: fn(&M) -> &F) -> Relation<M, F> {
        Relation { slot, field }
    }

    pub(crate) fn slot(self) -> u16 {
        self.slot
    }
}

impl<M: Model, F: RelationField> Relation<M, F> {
    pub(crate) fn info(self) -> Result<&'static RelationInfo, InvalidValue> {
        M::RELATIONS.get(usize::from(self.slot)).ok_or_else(|| InvalidValue::new("a relation that the model lacks"))
    }

    /// The related rows that this says something of, from the row's side.
    fn related(self, end: impl FnOnce(Related) -> Related) -> Result<Related, InvalidValue> {
        let info = self.info()?;
        let on = info.near.iter().copied().zip(info.far.iter().copied()).collect();
        Ok(match &info.through {
            None => end(Related::new(F::Target::schema(), on)),
            Some(through) => {
                // Of the association's rows those that lead to such a row.
                let on_target = through.near.iter().copied().zip(through.far.iter().copied()).collect();
                let related = Box::new(end(Related::new(F::Target::schema(), on_target)));
                Related::new((through.schema)(), on).filter(Condition::Exists { related, negated: false })
            }
        })
    }

    fn exists(self, negated: bool, end: impl FnOnce(Related) -> Related) -> Predicate<M> {
        Predicate::of(self.related(end).map(|related| Condition::Exists { related: Box::new(related), negated }))
    }

    fn exists_where(self, negated: bool, predicate: impl IntoPredicate<F::Target>) -> Predicate<M> {
        let predicate = predicate.into_predicate();
        let mut made = match predicate.condition {
            // Said as what it is: a condition that leaves nothing out must not hide from those who ask whether every row is meant.
            Condition::False => constant(negated),
            condition => self.exists(negated, |related| related.filter(condition)),
        };
        made.problem = made.problem.or(elsewhere::<F::Target>(predicate.problem));
        made
    }

    /// What an include loads of this relation.
    fn included(self) -> Include<M, F> {
        Include::new(self)
    }

    /// Loads relations of the related rows too.
    pub fn include(self, includes: impl super::IntoIncludes<F::Target>) -> Include<M, F> {
        self.included().include(includes)
    }
}

/// Conditions on the rows that belong to a row. None of them is ever unknown.
impl<M: Model, T: Model, V: Via> Relation<M, HasMany<T, V>> {
    /// Some related row meets the condition.
    pub fn any(self, predicate: impl IntoPredicate<T>) -> Predicate<M> {
        self.exists_where(false, predicate)
    }

    /// No related row meets the condition.
    pub fn none(self, predicate: impl IntoPredicate<T>) -> Predicate<M> {
        self.exists_where(true, predicate)
    }

    /// There is no related row for which the condition is not true: every one meets it, or there is none.
    pub fn all(self, predicate: impl IntoPredicate<T>) -> Predicate<M> {
        let predicate = predicate.into_predicate();
        let mut made = match predicate.condition {
            Condition::True => constant(true),
            condition => self.exists(true, |related| related.not_true(condition)),
        };
        made.problem = made.problem.or(elsewhere::<T>(predicate.problem));
        made
    }

    /// There is no related row.
    pub fn is_empty(self) -> Predicate<M> {
        self.exists(true, |related| related)
    }

    /// The number of related rows, to be compared: `User::posts.count().ge(3)`.
    pub fn count(self) -> Count<M> {
        self.count_of(None)
    }

    /// The number of related rows that meet a condition, to be compared.
    pub fn count_where(self, predicate: impl IntoPredicate<T>) -> Count<M> {
        self.count_of(Some(predicate.into_predicate()))
    }

    fn count_of(self, predicate: Option<Predicate<T>>) -> Count<M> {
        let (mut problem, mut most) = (None, i64::MAX as u64);
        let related = self.related(|related| match predicate {
            None => related,
            Some(predicate) => {
                problem = elsewhere::<T>(predicate.problem);
                if predicate.condition == Condition::False {
                    most = 0;
                }
                related.filter(predicate.condition)
            }
        });
        Count::new(related, most, problem)
    }

    /// Includes only the related rows that meet a condition.
    pub fn filter(self, predicate: impl IntoPredicate<T>) -> Include<M, HasMany<T, V>> {
        self.included().filter(predicate)
    }

    /// Includes the related rows in this order.
    pub fn sort(self, sorts: impl IntoSorts<T>) -> Include<M, HasMany<T, V>> {
        self.included().sort(sorts)
    }

    /// Includes at most so many related rows of each row.
    pub fn limit(self, rows: u64) -> Include<M, HasMany<T, V>> {
        self.included().limit(rows)
    }

    /// Leaves out so many related rows of each row.
    pub fn offset(self, rows: u64) -> Include<M, HasMany<T, V>> {
        self.included().offset(rows)
    }
}

/// True of every row, or of none.
pub(super) fn constant<M>(holds: bool) -> Predicate<M> {
    Predicate::new(if holds { Condition::True } else { Condition::False })
}

/// A problem of a condition on another model, told in that model's terms.
pub(super) fn elsewhere<T: Model>(problem: Option<Box<Problem>>) -> Option<Box<Problem>> {
    problem.map(|problem| Box::new(Problem::Elsewhere(problem.error(&T::schema()))))
}

/// A column of the row that belongs to a row, to sort by: `Post::author.then(User::name).desc()`.
pub struct RelatedColumn<M> {
    expr: Option<Expr>,
    model: PhantomData<fn() -> M>,
}

impl<M> RelatedColumn<M> {
    /// Least first; before all others those without a related row.
    pub fn asc(self) -> SortBy<M> {
        self.sort(Direction::Ascending)
    }

    /// Greatest first; after all others those without a related row.
    pub fn desc(self) -> SortBy<M> {
        self.sort(Direction::Descending)
    }

    fn sort(self, direction: Direction) -> SortBy<M> {
        // Without an expression it is of a relation that the model lacks, which generated code cannot name; the driver refuses the column.
        SortBy::new(Sort::new(self.expr.unwrap_or(Expr::Column(u16::MAX)), direction))
    }
}

impl<M> fmt::Debug for RelatedColumn<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RelatedColumn").field(&self.expr).finish()
    }
}

/// What `then` leads on to: a column of the related row, or of a row that belongs to that.
pub trait Further<T> {
    /// The expression, over the related row.
    #[doc(hidden)]
    fn further(self) -> Option<Expr>;
}

impl<T, C> Further<T> for Column<T, C> {
    fn further(self) -> Option<Expr> {
        Some(Expr::Column(self.index()))
    }
}

impl<T> Further<T> for RelatedColumn<T> {
    fn further(self) -> Option<Expr> {
        self.expr
    }
}

macro_rules! to_one {
    ([$($generics:tt)*] $field:ty, $target:ty) => {
        /// Conditions on the row that belongs to a row. None of them is ever unknown.
        impl<M: Model, $($generics)*> Relation<M, $field> {
            /// There is a related row, and it meets the condition.
            pub fn is(self, predicate: impl IntoPredicate<$target>) -> Predicate<M> {
                self.exists_where(false, predicate)
            }

            /// There is no related row: the reference is NULL, or leads to a row that is not there.
            pub fn is_none(self) -> Predicate<M> {
                self.exists(true, |related| related)
            }

            /// There is a related row.
            pub fn is_some(self) -> Predicate<M> {
                self.exists(false, |related| related)
            }

            /// A column of the related row, to sort by, or of a row that belongs to that. Rows without a related one sort as NULL does.
            ///
            /// Where several rows may belong to this one, which a `HasOne` allows whose reference is not unique, the query is a `Query` error,
            /// before anything is sent.
            pub fn then(self, further: impl Further<$target>) -> RelatedColumn<M> {
                let expr = further.further().zip(self.info().ok()).map(|(expr, info)| {
                    let on = info.near.iter().copied().zip(info.far.iter().copied()).collect();
                    Expr::Related(Box::new(RelatedExpr::new(<$target as Model>::schema(), on, expr)))
                });
                RelatedColumn { expr, model: PhantomData }
            }
        }
    };
}

to_one!([T: One] BelongsTo<T>, T::Model);
to_one!([T: Model] HasOne<T>, T);

/// `load` on a struct, for its relations.
pub trait LoadRelation: Model {
    /// What belongs to this row by the references that it has now. Where they are those that were read, this is what
    /// [`load`](HasMany::load) on the field does; where they have been changed, it is loaded for this row alone.
    ///
    /// ```text
    /// user.team_id = Some(7);
    /// let team = user.load(User::team, &db).await?;      // team 7, though the row is not saved yet
    /// ```
    fn load<'a, F: RelationField>(
        &'a self,
        relation: Relation<Self, F>,
        db: &(impl Handle + ?Sized),
    ) -> Pending<impl Operation<Output = DBResult<F::Loaded<'a>>, Future: Send> + Send> {
        let at = db.at();
        Pending::new(move |options| async move {
            let context = at.context(options);
            let info = relation.info().map_err(|invalid| crate::DBError::query(invalid.to_string()))?;
            let key = Key::of(self, info.near)?;
            let loaded = fields::load_by((relation.field)(self), at, key.clone(), &context).await;
            loaded.map_err(|error| match error.missing_row() {
                // Here the row itself is known, and the key that it refers by now.
                Some(_) => {
                    let value = |column| Some(self.value_of(column).ok()?.into_owned());
                    missing::<F::Target>(info, key, own_key(&Self::schema(), value))
                }
                None => error,
            })
        })
    }
}

impl<M: Model> LoadRelation for M {}
