//! What several statements use in turns: one at a time, in the order in which they asked.
//!
//! Most of them need it for a moment, in place. That takes a lock before and after, for no longer than it takes to see whether somebody waits. Whoever needs it for longer takes
//! it along, and then it goes from hand to hand.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Something that is used in turns.
pub(crate) struct Turns<S>(Mutex<Line<S>>);

struct Line<S> {
    /// None while somebody has it. While it is here, nobody waits.
    state: Option<S>,
    waiting: VecDeque<oneshot::Sender<Turn<S>>>,
}

/// A turn: what is used, until this is dropped.
pub(crate) struct Turn<S> {
    /// None only while it is dropped.
    state: Option<S>,
    turns: Arc<Turns<S>>,
}

/// A turn that ends where it began, also by a panic.
struct Lent<'t, S> {
    /// None only while it is dropped.
    state: Option<S>,
    turns: &'t Arc<Turns<S>>,
}

impl<S> Turns<S> {
    pub(crate) fn new(state: S) -> Turns<S> {
        Turns(Mutex::new(Line { state: Some(state), waiting: VecDeque::new() }))
    }

    fn line(&self) -> MutexGuard<'_, Line<S>> {
        // Held for moments only, and nothing that panics runs under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses it in place, if nobody has it.
    #[inline]
    pub(crate) fn try_use<T>(self: &Arc<Turns<S>>, work: impl FnOnce(&mut S) -> T) -> Option<T> {
        let state = self.line().state.take()?;
        let mut lent = Lent { state: Some(state), turns: self };
        lent.state.as_mut().map(work)
    }

    /// Takes it along, if nobody has it.
    pub(crate) fn try_take(self: &Arc<Turns<S>>) -> Option<Turn<S>> {
        let state = self.line().state.take()?;
        Some(self.turn(state))
    }

    /// Takes it along when it is this caller's turn. None says that it was lost, which does not happen.
    pub(crate) async fn take(self: &Arc<Turns<S>>) -> Option<Turn<S>> {
        let receiver = {
            let mut line = self.line();
            if let Some(state) = line.state.take() {
                return Some(self.turn(state));
            }
            // Those who gave up go before more room is made.
            if line.waiting.len() == line.waiting.capacity() {
                line.waiting.retain(|waiting| !waiting.is_closed());
            }
            let (sender, receiver) = oneshot::channel();
            line.waiting.push_back(sender);
            receiver
        };
        receiver.await.ok()
    }

    fn turn(self: &Arc<Turns<S>>, state: S) -> Turn<S> {
        Turn { state: Some(state), turns: self.clone() }
    }

    /// Gives it to who waits longest, or keeps it until it is asked for.
    fn put_back(self: &Arc<Turns<S>>, mut state: S) {
        loop {
            let next = {
                let mut line = self.line();
                match line.waiting.pop_front() {
                    Some(next) => next,
                    None => {
                        line.state = Some(state);
                        return;
                    }
                }
            };
            // Sent without the lock: a turn that is not taken comes back here.
            match next.send(self.turn(state)) {
                Ok(()) => return,
                Err(mut refused) => match refused.state.take() {
                    Some(kept) => state = kept,
                    None => return,
                },
            }
        }
    }
}

impl<S> Drop for Lent<'_, S> {
    #[inline]
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            self.turns.put_back(state);
        }
    }
}

impl<S> Turn<S> {
    /// What is used.
    pub(crate) fn get(&mut self) -> Option<&mut S> {
        self.state.as_mut()
    }
}

impl<S> Drop for Turn<S> {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            self.turns.put_back(state);
        }
    }
}

impl<S> fmt::Debug for Turns<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turns")
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use futures::FutureExt;
    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn it_goes_from_hand_to_hand_in_the_order_in_which_it_was_asked_for() {
        let turns = Arc::new(Turns::new(Vec::new()));
        let first = turns.try_take().unwrap();
        assert!(turns.try_take().is_none() && turns.try_use(|_| ()).is_none());
        let waiting = (0..5).map(|number| {
            let turns = turns.clone();
            async move {
                let mut turn = turns.take().await.unwrap();
                turn.get().unwrap().push(number);
                tokio::task::yield_now().await;
                // It is handed over, and so not to be had by others meanwhile.
                drop(turn);
                if number < 4 {
                    assert!(turns.try_use(|_| ()).is_none() && turns.try_take().is_none());
                }
            }
        });
        let end = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        futures::future::join(join_all(waiting), end).await;
        assert_eq!(turns.try_use(std::mem::take).unwrap(), [0, 1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn who_gives_up_is_passed_over_also_when_it_was_given_already() {
        let turns = Arc::new(Turns::new(0));
        let first = turns.try_take().unwrap();
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(turns.take())).collect();
        for taking in &mut waiting {
            assert!(taking.now_or_never().is_none());
        }
        // The first of them gives up before it is given, the second after.
        drop(waiting.remove(0));
        drop(first);
        drop(waiting.remove(0));
        let third = waiting.remove(0).await.unwrap();
        assert!(turns.try_take().is_none());
        drop(third);
        drop(waiting.remove(0).await.unwrap());
        assert!(turns.try_use(|_| ()).is_some());
    }

    #[tokio::test]
    async fn a_panic_in_its_use_is_no_end_of_it() {
        let turns = Arc::new(Turns::new(7));
        let panicking = || turns.try_use(|_| panic!("of the application"));
        assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
        assert_eq!(turns.try_use(|number| *number), Some(7));
        assert_eq!(turns.take().await.unwrap().get(), Some(&mut 7));
    }

    #[test]
    fn who_has_it_keeps_it_when_nobody_else_holds_on_to_it() {
        struct Told(std::sync::mpsc::Sender<()>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        let turns = Arc::new(Turns::new(Told(sender)));
        let turn = turns.try_take().unwrap();
        drop(turns);
        assert!(receiver.try_recv().is_err());
        drop(turn);
        assert!(receiver.try_recv().is_ok());
    }

    #[test]
    fn threads_that_use_it_at_once_lose_nothing() {
        let turns = Arc::new(Turns::new((0, 0)));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let turns = &turns;
                scope.spawn(move || {
                    for round in 0..500 {
                        let count = |state: &mut (i32, i32)| {
                            state.0 += 1;
                            std::thread::yield_now();
                            state.1 += 1;
                            assert_eq!(state.0, state.1);
                        };
                        if (thread + round) % 2 == 0 && turns.try_use(count).is_some() {
                            continue;
                        }
                        let mut turn = futures::executor::block_on(turns.take()).unwrap();
                        count(turn.get().unwrap());
                    }
                });
            }
        });
        assert_eq!(turns.try_use(|state| *state), Some((2_000, 2_000)));
    }
}
