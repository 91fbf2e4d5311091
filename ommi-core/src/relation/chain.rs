//! Where rows, and the batches that they share, keep what was loaded for them.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use once_cell::race::OnceBox;

use super::Loaded;
use super::key::Key;
use crate::handle::Ending;
use crate::model::Model;

/// What was loaded one after the other for the same relation. Who holds on to something older keeps it: nothing is replaced.
///
/// Every row has one for each of its relations, mostly empty: it is one word, where a `OnceLock` would be two.
#[derive(Debug, Default)]
pub(crate) struct Chain(OnceBox<Arc<Link>>);

/// Something that was loaded. Its type is that of the relation's other side, which a batch of rows no longer knows.
#[derive(Debug)]
struct Link {
    loaded: Box<dyn Any + Send + Sync>,
    key: Option<Key>,
    ending: Option<Arc<Ending>>,
    next: Chain,
}

impl Chain {
    pub(crate) const fn new() -> Chain {
        Chain(OnceBox::new())
    }

    /// Puts something at the end: what was loaded in the transaction of this ending, and for this key if not for the row's own.
    pub(crate) fn push<T: Model>(&self, loaded: Loaded<T>, key: Option<Key>, ending: Option<Arc<Ending>>) {
        let mut link = Box::new(Arc::new(Link { loaded: Box::new(loaded), key, ending, next: Chain::new() }));
        let mut chain = self;
        while let Err(refused) = chain.0.set(link) {
            link = refused;
            match chain.0.get() {
                Some(other) => chain = &other.next,
                // It was set, or it would not have refused.
                None => return,
            }
        }
    }

    fn links(&self) -> impl Iterator<Item = &Link> {
        std::iter::successors(self.0.get(), |link| link.next.0.get()).map(|link| &**link)
    }

    /// The latest that holds for this key, and that whoever is at this ending may see: what was loaded outside of transactions, in one that was
    /// committed, or in the same or one around it.
    ///
    /// What was loaded in a transaction comes before what was loaded outside of any, whichever was put there later: it was loaded only because nothing
    /// could be seen there, so that what came from outside came before the commit.
    pub(crate) fn find<T: Model>(&self, key: Option<&Key>, at: Option<&Arc<Ending>>) -> Option<&Loaded<T>> {
        let of_key = self.links().filter(|link| link.key.as_ref() == key);
        let rank = |link: &&Link| match &link.ending {
            None => Some(0),
            Some(ending) if !ending.is_seen_from(at) => None,
            Some(ending) if ending.is_committed() => Some(1),
            Some(_) => Some(2),
        };
        of_key.filter_map(|link| Some((rank(&link)?, link))).max_by_key(|(rank, _)| *rank)?.1.loaded.downcast_ref()
    }

    /// The latest that was not undone, by the same order.
    pub(crate) fn latest<T: Model>(&self) -> Option<&Loaded<T>> {
        let own = self.links().filter(|link| link.key.is_none());
        let rank = |link: &&Link| match &link.ending {
            None => Some(false),
            Some(ending) => (!ending.undone()).then_some(true),
        };
        own.filter_map(|link| Some((rank(&link)?, link))).max_by_key(|(rank, _)| *rank)?.1.loaded.downcast_ref()
    }
}

impl Clone for Chain {
    fn clone(&self) -> Chain {
        Chain(self.0.clone())
    }
}

/// Rows hold what was loaded for them, those rows what was loaded for them, and so on, as long as somebody goes from row to row. Dropped one within the
/// other, a long row of them would overflow the stack.
impl Drop for Chain {
    #[inline]
    fn drop(&mut self) {
        if self.0.get().is_some() {
            drop_in_turn(std::mem::replace(&mut self.0, OnceBox::new()));
        }
    }
}

/// What is in one word of a chain.
type Held = OnceBox<Arc<Link>>;

thread_local! {
    /// What is still to be dropped, while something is.
    static LATER: RefCell<Option<Vec<Held>>> = const { RefCell::new(None) };
}

/// Drops it; or leaves it to the drop within which this happens.
fn drop_in_turn(held: Held) {
    let mut held = Some(held);
    let begun = LATER.try_with(|later| match later.try_borrow_mut().as_deref_mut() {
        Ok(Some(later)) => {
            later.extend(held.take());
            false
        }
        Ok(none) => {
            *none = Some(Vec::new());
            true
        }
        Err(_) => false,
    });
    if !matches!(begun, Ok(true)) {
        // Left to another; or dropped here, on a thread that ends.
        return;
    }
    let _turn = Turn;
    while let Some(next) = held {
        drop(next);
        held = LATER.try_with(|later| later.try_borrow_mut().ok()?.as_mut()?.pop()).ok().flatten();
    }
}

/// The outermost drop. It ends also where a drop within it panics.
struct Turn;

impl Drop for Turn {
    fn drop(&mut self) {
        let rest = LATER.try_with(|later| later.try_borrow_mut().ok()?.take());
        drop(rest);
    }
}
