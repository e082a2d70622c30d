//! Turns: how many models run at once, and who goes first when more want to.
//!
//! A model's thread takes a turn before it runs and gives it back after. Required members come before optional ones,
//! dearer before cheaper, earlier before later; so the seats a verdict cannot do without are never kept waiting by one it
//! can. Bounds the processor's work, not the queue: those who wait are at most as many as there are models.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How urgent a question is; the greater goes first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Urgency {
    /// Whether the part stays undecided without the answer.
    pub required: bool,
    /// What the answer is worth beside those of other optional members.
    pub value: f64,
}

impl Urgency {
    /// Nothing goes before it.
    pub const REQUIRED: Self = Self { required: true, value: 0.0 };

    /// A place in a line in which the first is the least.
    fn place(self) -> Place {
        // The order of the bits of a finite number, as `f64::total_cmp` has it.
        let bits = self.value.to_bits().cast_signed();
        let ordered = bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed();
        (Reverse(self.required), Reverse(ordered))
    }
}

type Place = (Reverse<bool>, Reverse<i64>);

/// Hands out turns.
#[derive(Debug)]
pub struct Turns {
    line: Mutex<Line>,
    moved: Condvar,
}

#[derive(Debug)]
struct Line {
    free: usize,
    waiting: BTreeSet<(Place, u64)>,
    tickets: u64,
}

/// A turn; given back when dropped.
#[derive(Debug)]
pub struct Turn<'t> {
    turns: &'t Turns,
}

impl Turns {
    /// `at_once` turns, at least one.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        let line = Line { free: at_once.max(1), waiting: BTreeSet::new(), tickets: 0 };
        Self { line: Mutex::new(line), moved: Condvar::new() }
    }

    /// Waits for a turn: until one is free and nobody more urgent waits.
    #[must_use]
    pub fn take(&self, urgency: Urgency) -> Turn<'_> {
        let mut line = self.line();
        line.tickets += 1;
        let ticket = (urgency.place(), line.tickets);
        line.waiting.insert(ticket);
        while line.free == 0 || line.waiting.first() != Some(&ticket) {
            line = self.moved.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        line.waiting.remove(&ticket);
        line.free -= 1;
        if line.free > 0 && !line.waiting.is_empty() {
            self.moved.notify_all();
        }
        Turn { turns: self }
    }

    /// The line; a thread that panicked while it held it left it whole, for nothing here can panic half way.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut line = self.turns.line();
        line.free += 1;
        if !line.waiting.is_empty() {
            self.turns.moved.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    const fn optional(value: f64) -> Urgency {
        Urgency { required: false, value }
    }

    #[test]
    fn the_most_urgent_goes_first() {
        let turns = Arc::new(Turns::new(1));
        let held = turns.take(Urgency::REQUIRED);
        let (told, order) = mpsc::channel();
        let urgencies = [optional(1.0), optional(-2.0), optional(7.0), Urgency::REQUIRED];
        let threads: Vec<_> = urgencies
            .into_iter()
            .enumerate()
            .map(|(place, urgency)| {
                let (turns, told) = (Arc::clone(&turns), told.clone());
                std::thread::spawn(move || {
                    let _turn = turns.take(urgency);
                    told.send(place).unwrap();
                })
            })
            .collect();
        while turns.line().waiting.len() < 4 {
            std::thread::yield_now();
        }
        drop(held);
        for thread in threads {
            thread.join().unwrap();
        }
        drop(told);
        assert_eq!(order.iter().collect::<Vec<_>>(), [3, 2, 0, 1]);
    }

    #[test]
    fn never_more_than_there_are_turns() {
        let (turns, running, most) = (Turns::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _turn = turns.take(Urgency::REQUIRED);
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        running.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 2);
        assert_eq!(turns.line().free, 2);
    }

    proptest! {
        #[test]
        fn places_follow_worth(a in -1e300..1e300_f64, b in -1e300..1e300_f64) {
            prop_assert_eq!(optional(a).place() < optional(b).place(), a > b);
            prop_assert!(Urgency::REQUIRED.place() < optional(a).place());
        }
    }
}
