//! The terms of the plans: which plan judges a part, by when the part was captured.
//!
//! A reload begins a new term. Promises: a part is judged by the plan that was in force when it was captured, whenever it is
//! asked for, until whoever asks has let go of that time; then the oldest plan that is left judges. Asking costs no lock.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::Plan;
use crate::clock::Monotonic;

/// The plans in force, oldest first, at least one.
#[derive(Debug)]
pub struct Terms(ArcSwap<Vec<Term>>);

/// One plan and the time from which on it is in force.
#[derive(Debug, Clone)]
pub struct Term {
    /// The first capture time that it is for.
    since: Monotonic,
    /// The plan.
    pub plan: Arc<Plan>,
    /// The rung that is ordered, counted from the heaviest; always 0 where the plan has no ladder.
    pub rung: watch::Receiver<usize>,
}

impl Terms {
    /// `plan` is in force from the beginning.
    #[must_use]
    pub fn new(plan: Arc<Plan>, rung: watch::Receiver<usize>) -> Self {
        Self(ArcSwap::from_pointee(vec![Term { since: Monotonic::default(), plan, rung }]))
    }

    /// From `since` on parts are judged by `plan`.
    pub fn begin(&self, since: Monotonic, plan: &Arc<Plan>, rung: &watch::Receiver<usize>) {
        self.0.rcu(|terms| {
            let mut terms = Vec::clone(terms);
            terms.push(Term { since, plan: Arc::clone(plan), rung: rung.clone() });
            terms
        });
    }

    /// The plan for a part that was captured at `captured`, and the rung ordered now.
    #[must_use]
    pub fn at(&self, captured: Monotonic) -> (Arc<Plan>, usize) {
        let terms = self.0.load();
        let term = &terms[place(&terms, captured)];
        (Arc::clone(&term.plan), *term.rung.borrow())
    }

    /// The plan of the newest term.
    #[must_use]
    pub fn newest(&self) -> Arc<Plan> {
        self.at(Monotonic::from_nanos(u64::MAX)).0
    }

    /// Lets go of the terms that ended before `horizon`: no part captured before it will be asked for.
    pub fn let_go(&self, horizon: Monotonic) {
        if self.0.load().len() > 1 {
            self.0.rcu(|terms| terms[place(terms, horizon)..].to_vec());
        }
    }
}

/// The place of the term in force at `captured`: the last that has begun, or the oldest that is left.
fn place(terms: &[Term], captured: Monotonic) -> usize {
    terms.iter().rposition(|term| term.since <= captured).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan(hash: usize) -> Arc<Plan> {
        Arc::new(Plan { hash: hash.to_string(), ..Plan::without_models(Vec::new()) })
    }

    fn at(terms: &Terms, captured: u64) -> usize {
        terms.at(Monotonic::from_nanos(captured)).0.hash.parse().unwrap()
    }

    proptest! {
        /// A part gets the last plan that had begun when it was captured, and keeps it through whatever comes later: further
        /// terms, and letting go of what lies before it.
        #[test]
        fn a_part_keeps_the_plan_of_its_capture(begun in prop::collection::vec(1_u64..1000, 0..6), captured in 0_u64..1000, gone in 0_u64..1000, late in 0_u64..50) {
            let mut begun = begun;
            begun.sort_unstable();
            let rung = watch::channel(0).1;
            let terms = Terms::new(plan(0), rung.clone());
            for (place, since) in begun.iter().enumerate() {
                terms.begin(Monotonic::from_nanos(*since), &plan(place + 1), &rung);
            }
            let wanted = begun.iter().filter(|since| **since <= captured).count();
            prop_assert_eq!(at(&terms, captured), wanted);
            terms.begin(Monotonic::from_nanos(1000 + late), &plan(begun.len() + 1), &rung);
            prop_assert_eq!(at(&terms, captured), wanted);
            terms.let_go(Monotonic::from_nanos(gone));
            let oldest = begun.iter().filter(|since| **since <= gone).count();
            prop_assert_eq!(at(&terms, captured), wanted.max(oldest));
            prop_assert_eq!(at(&terms, 2000), begun.len() + 1);
        }
    }

    #[test]
    fn the_plan_that_was_let_go_is_held_by_nobody_and_each_term_has_its_own_rung() {
        let (order, rung) = watch::channel(2);
        let (old, new) = (plan(0), plan(1));
        let terms = Terms::new(Arc::clone(&old), rung);
        terms.begin(Monotonic::from_nanos(10), &new, &watch::channel(0).1);
        order.send_replace(3);
        assert_eq!((terms.at(Monotonic::from_nanos(9)).1, terms.at(Monotonic::from_nanos(10)).1), (3, 0));
        assert_eq!(Arc::strong_count(&old), 2);
        terms.let_go(Monotonic::from_nanos(9));
        assert_eq!(Arc::strong_count(&old), 2, "a part captured at 9 may still come");
        terms.let_go(Monotonic::from_nanos(10));
        assert_eq!(Arc::strong_count(&old), 1);
        assert_eq!(terms.newest().hash, "1");
    }
}
