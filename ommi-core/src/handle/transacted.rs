//! Several statements that make one operation: in the transaction that is there, else in one of their own.

use super::At;
use super::guarded::Guarded;
use crate::driver::{Begin, Context};
use crate::error::{DBError, DBResult};

/// Where such statements run.
pub(crate) struct Transacted<'h> {
    outside: At<'h>,
    own: Option<Guarded<'static>>,
    /// How many statements the transaction that was there already had seen before.
    before: u32,
    done: bool,
}

impl<'h> Transacted<'h> {
    /// Begins a transaction where there is none.
    pub(crate) async fn begin(at: At<'h>, context: &Context) -> DBResult<Transacted<'h>> {
        let own = match at.ending {
            Some(_) => None,
            None => Some(Guarded::begin(at.driver, &Begin::of_operation(), context).await?),
        };
        Ok(Transacted::new(at, own))
    }

    /// Begins a transaction that only reads; where there is none.
    pub(crate) async fn read_only(at: At<'h>, context: &Context) -> DBResult<Transacted<'h>> {
        let mut begin = Begin::of_operation();
        begin.options.read_only = true;
        let own = Some(Guarded::begin(at.driver, &begin, context).await?);
        Ok(Transacted::new(at, own))
    }

    fn new(outside: At<'h>, own: Option<Guarded<'static>>) -> Transacted<'h> {
        let before = outside.ending.map_or(0, |ending| ending.statements());
        Transacted { outside, own, before, done: false }
    }

    /// Where the statements run.
    pub(crate) fn at(&self) -> At<'_> {
        match &self.own {
            None => self.outside,
            Some(own) => At { executor: own, ending: Some(own.ending()), level: own.level(), ..self.outside },
        }
    }

    /// Commits what was begun if it went well. Else, or dropped without this, that is rolled back; a transaction that was there already, and holds half
    /// of the operation, can only be rolled back then.
    pub(crate) async fn end<T>(mut self, result: DBResult<T>, context: &Context) -> DBResult<T> {
        match &result {
            Err(error) => self.spoil(Some(error.clone())),
            Ok(_) => {
                self.done = true;
                if let Some(own) = self.own.take() {
                    own.commit(context).await?;
                }
            }
        }
        result
    }

    /// What failed before anything was sent leaves no half of itself behind.
    fn spoil(&mut self, error: Option<DBError>) {
        if let (false, None, Some(ending)) = (std::mem::replace(&mut self.done, true), &self.own, self.outside.ending)
            && ending.statements() != self.before
        {
            ending.spoil(error);
        }
    }
}

impl Drop for Transacted<'_> {
    fn drop(&mut self) {
        self.spoil(None);
    }
}
