//! In whose transactions' closures the code stands that runs right now.
//!
//! A store with one connection that writes makes others wait for a transaction's end. Who waits in the closure of that transaction waits
//! for ever. It is found by where the code runs: while a closure's future is polled, its transaction is noted for the thread, so that what is
//! awaited in the closure is seen, and what other tasks await is not.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

use crate::driver::{Driver, Inside};

thread_local! {
    /// The transactions whose closures are being polled: their drivers, by address, and whether they only read.
    static OPEN: RefCell<Vec<(usize, bool)>> = const { RefCell::new(Vec::new()) };
}

fn address(driver: &dyn Driver) -> usize {
    std::ptr::from_ref(driver).cast::<()>().addr()
}

/// The transactions of this driver in whose closures this is called.
pub(super) fn of(driver: &dyn Driver) -> Inside {
    let mut inside = Inside::default();
    // A thread that is ending is in no closure.
    let _ = OPEN.try_with(|open| {
        let Ok(open) = open.try_borrow() else { return };
        if !open.is_empty() {
            let driver = address(driver);
            for &(_, read_only) in open.iter().filter(|(other, _)| *other == driver) {
                inside.reads |= read_only;
                inside.writes |= !read_only;
            }
        }
    });
    inside
}

/// Runs a closure's future, noted as inside of a transaction of this driver.
pub(super) fn inside<F>(driver: &dyn Driver, read_only: bool, future: F) -> Noted<F> {
    Noted { open: (address(driver), read_only), future }
}

#[pin_project]
pub(super) struct Noted<F> {
    open: (usize, bool),
    #[pin]
    future: F,
}

impl<F: Future> Future for Noted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _note = Note::new(*this.open);
        this.future.poll(context)
    }
}

/// Taken back when it is dropped, also when the poll panics.
struct Note;

impl Note {
    fn new(open: (usize, bool)) -> Note {
        let _ = OPEN.try_with(|all| all.try_borrow_mut().map(|mut all| all.push(open)));
        Note
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let _ = OPEN.try_with(|all| all.try_borrow_mut().map(|mut all| all.pop()));
    }
}
