//! The crews of the plans in force: each part is walked by the crew of its own plan.
//!
//! Promises: a crew is retired only when its plan is held by nobody else any more, and then no part can come for it.

use std::sync::{Arc, Mutex, PoisonError};

use super::Crew;
use crate::flow::plan::Plan;
use crate::flow::{Part, Walked};

/// Plans with their crews, oldest first, at least one.
#[derive(Debug)]
pub struct Crews(Mutex<Vec<(Arc<Plan>, Arc<Crew>)>>);

impl Crews {
    /// One plan and its crew.
    #[must_use]
    pub fn new(plan: Arc<Plan>, crew: Arc<Crew>) -> Self {
        Self(Mutex::new(vec![(plan, crew)]))
    }

    /// Parts of `plan` are walked by `crew`, which may be that of another plan with the same models.
    pub fn add(&self, plan: Arc<Plan>, crew: Arc<Crew>) {
        self.all().push((plan, crew));
    }

    /// The crew of the newest plan.
    ///
    /// # Panics
    /// Never: there is always one.
    #[must_use]
    pub fn newest(&self) -> Arc<Crew> {
        let all = self.all();
        Arc::clone(&all[all.len() - 1].1)
    }

    /// Walks a part to its end with the crew of its plan.
    pub async fn walk(&self, part: Part) -> Walked {
        let crew = self.of(&part.plan);
        crew.walk(part).await
    }

    /// The crew of `plan`; the newest where the plan is not known, which answers that it does not know the model.
    fn of(&self, plan: &Arc<Plan>) -> Arc<Crew> {
        let all = self.all();
        let own = all.iter().find(|(known, _)| Arc::ptr_eq(known, plan));
        Arc::clone(&own.unwrap_or(&all[all.len() - 1]).1)
    }

    /// Sends a heartbeat through the threads of all crews.
    pub fn heartbeat(&self) {
        self.all().iter().for_each(|(_, crew)| crew.heartbeat());
    }

    /// Takes out the crews whose plans nobody holds any more, but for the newest, to be closed; one that walks parts of another
    /// plan too stays.
    #[must_use]
    pub fn retire(&self) -> Vec<Crew> {
        let mut all = self.all();
        let newest = all.len() - 1;
        let mut place = 0;
        let gone: Vec<_> = all
            .extract_if(.., |(plan, _)| {
                place += 1;
                place <= newest && Arc::strong_count(plan) == 1
            })
            .collect();
        drop(all);
        gone.into_iter().filter_map(|(_, crew)| Arc::into_inner(crew)).collect()
    }

    /// Takes out every crew, when the road is empty; `None` where somebody still holds one.
    #[must_use]
    pub fn into_all(self) -> Option<Vec<Crew>> {
        let all = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut crews: Vec<Arc<Crew>> = all.into_iter().map(|(_, crew)| crew).collect();
        crews.sort_by_key(Arc::as_ptr);
        crews.dedup_by(|one, other| Arc::ptr_eq(one, other));
        crews.into_iter().map(Arc::into_inner).collect()
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<Plan>, Arc<Crew>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::crew::tests::{Behaviour, frame, member, opened, panel, part, plan};
    use super::*;
    use crate::flow::Findings;

    fn bright(walked: &Walked) -> f64 {
        let Ok(Findings::Classification { classes }) = &walked.answers[0].answer.findings else { panic!("{walked:?}") };
        classes[0].probability
    }

    #[tokio::test]
    async fn a_part_is_walked_by_the_crew_of_its_plan_and_a_crew_goes_with_the_last_part_of_its_plan() {
        let make = || plan(&["m"], vec![("only", panel(vec![member("m", None)]))]);
        let (old, new) = (make(), make());
        let crews = Crews::new(Arc::clone(&old), Arc::new(opened(&old, &[Behaviour::Says([9.0, 0.0])]).await));
        crews.add(Arc::clone(&new), Arc::new(opened(&new, &[Behaviour::Says([0.0, 9.0])]).await));
        let (early, late) = (part("a", &old, vec![frame("c", 1)]), part("b", &new, vec![frame("c", 1)]));
        assert!(bright(&crews.walk(late).await) < 0.5);
        drop(old);
        assert!(crews.retire().is_empty(), "a part of the old plan is still on its way");
        assert!(bright(&crews.walk(early).await) > 0.5);
        drop(new);
        let gone = crews.retire();
        assert_eq!(gone.len(), 1, "the newest stays, though nobody holds its plan");
        gone.into_iter().for_each(Crew::close);
        crews.into_all().unwrap().into_iter().for_each(Crew::close);
    }

    #[tokio::test]
    async fn a_crew_of_two_plans_is_closed_once() {
        let (old, new) = (plan(&["m"], vec![]), plan(&["m"], vec![]));
        let crew = Arc::new(opened(&old, &[Behaviour::Looks]).await);
        let crews = Crews::new(old, Arc::clone(&crew));
        crews.add(new, crew);
        assert!(crews.retire().is_empty(), "it walks the parts of the new plan");
        let left = crews.into_all().unwrap();
        assert_eq!(left.len(), 1);
        left.into_iter().for_each(Crew::close);
    }
}
