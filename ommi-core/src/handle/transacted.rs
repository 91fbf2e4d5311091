//! Several statements that make one operation: in the transaction that is there, else in one of their own.

use super::At;
use super::guarded::Guarded;
use crate::driver::{Begin, Context};
use crate::error::DBResult;

/// Where such statements run.
pub(crate) struct Transacted<'h> {
    outside: At<'h>,
    own: Option<Guarded<'static>>,
    done: bool,
}

impl<'h> Transacted<'h> {
    /// Begins a transaction where there is none.
    pub(crate) async fn begin(at: At<'h>, context: &Context) -> DBResult<Transacted<'h>> {
        let own = match at.ending {
            Some(_) => None,
            None => Some(Guarded::begin(at.driver, &Begin::of_operation(), context).await?),
        };
        Ok(Transacted { outside: at, own, done: false })
    }

    /// Begins a transaction that only reads; where there is none.
    pub(crate) async fn read_only(at: At<'h>, context: &Context) -> DBResult<Transacted<'h>> {
        let mut begin = Begin::of_operation();
        begin.options.read_only = true;
        let own = Some(Guarded::begin(at.driver, &begin, context).await?);
        Ok(Transacted { outside: at, own, done: false })
    }

    /// Where the statements run.
    pub(crate) fn at(&self) -> At<'_> {
        match &self.own {
            None => self.outside,
            Some(own) => At { executor: own, ending: Some(own.ending()), level: own.level(), ..self.outside },
        }
    }

    /// Commits what was begun. Dropped without it, that is rolled back; a transaction that was there already, and holds half of the
    /// operation, can only be rolled back then.
    pub(crate) async fn commit(mut self, context: &Context) -> DBResult<()> {
        self.done = true;
        match self.own.take() {
            None => Ok(()),
            Some(own) => own.commit(context).await,
        }
    }
}

impl Drop for Transacted<'_> {
    fn drop(&mut self) {
        if let (false, None, Some(ending)) = (self.done, &self.own, self.outside.ending) {
            ending.spoil();
        }
    }
}
