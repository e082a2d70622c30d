//! The terms: which plan judges a part and which recipe it is made by, by when the part was captured.
//!
//! A reload begins a new term with another plan, a changeover one with another recipe. Promises: a part is judged by the plan
//! and has the recipe that were in force when it was captured, whenever it is asked for, until whoever asks has let go of that
//! time; then those of the oldest term that is left. Asking costs no lock.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::Plan;
use crate::clock::Monotonic;
use crate::name::Name;

/// The terms, oldest first, at least one.
#[derive(Debug)]
pub struct Terms(ArcSwap<Vec<Term>>);

/// One plan and one recipe, and the time from which on they are in force.
#[derive(Debug, Clone)]
struct Term {
    /// The first capture time that it is for.
    since: Monotonic,
    plan: Arc<Plan>,
    /// The rung that is ordered, counted from the heaviest; always 0 where the plan has no ladder.
    rung: watch::Receiver<usize>,
    recipe: Name,
}

/// What is in force for a part.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The plan that judges it.
    pub plan: Arc<Plan>,
    /// The rung ordered now, counted from the heaviest; always 0 where the plan has no ladder.
    pub rung: usize,
    /// The line's recipe.
    pub recipe: Name,
}

impl Terms {
    /// `plan` and `recipe` are in force from the beginning.
    #[must_use]
    pub fn new(plan: Arc<Plan>, rung: watch::Receiver<usize>, recipe: Name) -> Self {
        Self(ArcSwap::from_pointee(vec![Term { since: Monotonic::default(), plan, rung, recipe }]))
    }

    /// From `since` on parts are judged by `plan`; the recipe stays.
    pub fn begin(&self, since: Monotonic, plan: &Arc<Plan>, rung: &watch::Receiver<usize>) {
        self.follow(|last| Term { since, plan: Arc::clone(plan), rung: rung.clone(), ..last });
    }

    /// From `since` on parts are made by `recipe`; the plan stays.
    pub fn change_over(&self, since: Monotonic, recipe: &Name) {
        self.follow(|last| Term { since, recipe: recipe.clone(), ..last });
    }

    /// A further term, made of the last.
    fn follow(&self, next: impl Fn(Term) -> Term) {
        self.0.rcu(|terms| {
            let mut terms = Vec::clone(terms);
            terms.extend(terms.last().cloned().map(&next));
            terms
        });
    }

    /// What is in force for a part that was captured at `captured`.
    #[must_use]
    pub fn at(&self, captured: Monotonic) -> InForce {
        let terms = self.0.load();
        let Term { plan, rung, recipe, .. } = &terms[place(&terms, captured)];
        InForce { plan: Arc::clone(plan), rung: *rung.borrow(), recipe: recipe.clone() }
    }

    /// What is in force for parts that are captured now.
    #[must_use]
    pub fn newest(&self) -> InForce {
        self.at(Monotonic::from_nanos(u64::MAX))
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

    fn at(terms: &Terms, captured: u64) -> (usize, usize) {
        let InForce { plan, recipe, .. } = terms.at(Monotonic::from_nanos(captured));
        (plan.hash.parse().unwrap(), recipe.as_str().parse().unwrap())
    }

    fn recipe(number: usize) -> Name {
        Name::new(&number.to_string()).unwrap()
    }

    proptest! {
        /// A part gets the last plan and the last recipe that had begun when it was captured, and keeps them through whatever
        /// comes later: further terms, and letting go of what lies before it.
        #[test]
        fn a_part_keeps_the_plan_and_the_recipe_of_its_capture(
            begun in prop::collection::vec((1_u64..1000, any::<bool>()), 0..8),
            captured in 0_u64..1000,
            gone in 0_u64..1000,
            late in 0_u64..50,
        ) {
            let mut begun = begun;
            begun.sort_unstable();
            let rung = watch::channel(0).1;
            let terms = Terms::new(plan(0), rung.clone(), recipe(0));
            // Plans and recipes are numbered by themselves, in the order in which they come.
            let mut numbers = (0, 0);
            for (since, is_plan) in &begun {
                let since = Monotonic::from_nanos(*since);
                if *is_plan {
                    numbers.0 += 1;
                    terms.begin(since, &plan(numbers.0), &rung);
                } else {
                    numbers.1 += 1;
                    terms.change_over(since, &recipe(numbers.1));
                }
            }
            let by = |time: u64, is_plan: bool| begun.iter().filter(|(since, is)| *since <= time && *is == is_plan).count();
            let wanted = |time: u64| (by(time, true), by(time, false));
            prop_assert_eq!(at(&terms, captured), wanted(captured));
            let (last_plan, last_recipe) = numbers;
            terms.begin(Monotonic::from_nanos(1000 + late), &plan(last_plan + 1), &rung);
            terms.change_over(Monotonic::from_nanos(1050 + late), &recipe(last_recipe + 1));
            prop_assert_eq!(at(&terms, captured), wanted(captured));
            terms.let_go(Monotonic::from_nanos(gone));
            prop_assert_eq!(at(&terms, captured), wanted(captured.max(gone)));
            prop_assert_eq!(at(&terms, 1000 + late), (last_plan + 1, last_recipe), "a reload leaves the recipe");
            prop_assert_eq!(at(&terms, 2000), (last_plan + 1, last_recipe + 1), "a changeover leaves the plan");
        }
    }

    #[test]
    fn the_plan_that_was_let_go_is_held_by_nobody_and_each_term_has_its_own_rung() {
        let (order, rung) = watch::channel(2);
        let (old, new) = (plan(0), plan(1));
        let terms = Terms::new(Arc::clone(&old), rung, recipe(0));
        terms.begin(Monotonic::from_nanos(10), &new, &watch::channel(0).1);
        order.send_replace(3);
        let rung = |captured: u64| terms.at(Monotonic::from_nanos(captured)).rung;
        assert_eq!((rung(9), rung(10)), (3, 0));
        assert_eq!(Arc::strong_count(&old), 2);
        terms.let_go(Monotonic::from_nanos(9));
        assert_eq!(Arc::strong_count(&old), 2, "a part captured at 9 may still come");
        terms.let_go(Monotonic::from_nanos(10));
        assert_eq!(Arc::strong_count(&old), 1);
        assert_eq!(terms.newest().plan.hash, "1");
    }
}
