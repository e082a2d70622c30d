//! What whoever sent a trigger holds for it: the word that it was accepted and, should nothing come of it, that it was missed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Asker, PartId};
use crate::telemetry::{Event, Telemetry};

/// The receipt of a trigger, shared by all who look after its part. Promises: the sender is told `accepted PART` before anything
/// else, and `missed PART: WHY` at most once, whoever finds out first; a miss is counted also where nobody is told. The sender's
/// connection is held until the last clone is gone: then nothing more can be said.
#[derive(Debug, Clone)]
pub struct Receipt(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    part: PartId,
    asker: Option<Asker>,
    telemetry: Telemetry,
    state: Mutex<State>,
}

/// How far it has come.
#[derive(Debug)]
enum State {
    /// Not accepted yet.
    Asked,
    /// Missed before the word of acceptance was out, for this reason.
    MissedEarly(String),
    /// Accepted.
    Accepted,
    /// Missed, and told.
    Missed,
}

impl Receipt {
    /// The receipt of the trigger for `part`, not accepted yet.
    #[must_use]
    pub fn new(part: PartId, asker: Option<Asker>, telemetry: Telemetry) -> Self {
        Self(Arc::new(Inner { part, asker, telemetry, state: Mutex::new(State::Asked) }))
    }

    /// Tells the sender that its trigger was accepted; `lacks` follows the part.
    pub fn accept(&self, lacks: fmt::Arguments<'_>) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(format_args!("accepted {}{lacks}", self.0.part));
        *state = match std::mem::replace(&mut *state, State::Accepted) {
            State::MissedEarly(why) => {
                self.tell(format_args!("missed {}: {why}", self.0.part));
                State::Missed
            }
            State::Missed => State::Missed,
            State::Asked | State::Accepted => State::Accepted,
        };
    }

    /// Counts that the trigger was missed, and tells its sender why; the second time nothing.
    pub fn miss(&self, why: fmt::Arguments<'_>) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match *state {
            State::Asked => State::MissedEarly(why.to_string()),
            State::Accepted => {
                self.tell(format_args!("missed {}: {why}", self.0.part));
                State::Missed
            }
            State::MissedEarly(_) | State::Missed => return,
        };
        *state = next;
        self.0.telemetry.tell(Event::TriggerMissed, format_args!("part {}: {why}", self.0.part));
    }

    fn tell(&self, word: fmt::Arguments<'_>) {
        self.0.asker.iter().for_each(|asker| asker.tell(word));
    }
}

impl PartialEq for Receipt {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Receipt {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::flow::fakes::id;

    /// What is told when a receipt is accepted after so many misses and missed so often after that, and how often it counts.
    fn told(before: usize, after: usize) -> (Vec<String>, u64) {
        let (asker, mut words) = Asker::new(CancellationToken::new());
        let telemetry = Telemetry::default();
        let receipt = Receipt::new(id("a"), Some(asker), telemetry.clone());
        let miss = |turn: usize| receipt.clone().miss(format_args!("for reason {turn}"));
        (0..before).for_each(miss);
        receipt.accept(format_args!(", without camera side: it has ended"));
        (before..before + after).for_each(miss);
        drop(receipt);
        let told = std::iter::from_fn(|| words.blocking_recv()).collect();
        (told, telemetry.count(Event::TriggerMissed))
    }

    #[test]
    fn nothing_comes_before_the_acceptance_and_nothing_is_told_of_a_part_that_came() {
        let accepted = "accepted a, without camera side: it has ended".to_owned();
        assert_eq!(told(0, 0), (vec![accepted.clone()], 0));
        assert_eq!(told(0, 1), (vec![accepted.clone(), "missed a: for reason 0".into()], 1));
        assert_eq!(told(1, 1), (vec![accepted, "missed a: for reason 0".into()], 1), "the first reason stands");
    }

    #[test]
    fn a_miss_counts_also_where_nobody_is_told() {
        let telemetry = Telemetry::default();
        let receipt = Receipt::new(id("a"), None, telemetry.clone());
        receipt.accept(format_args!(""));
        receipt.miss(format_args!("no frame came"));
        assert_eq!(telemetry.count(Event::TriggerMissed), 1);
        assert_eq!((receipt.clone() == receipt, Receipt::new(id("a"), None, telemetry) == receipt), (true, false));
    }

    proptest! {
        #[test]
        fn a_miss_is_told_and_counted_at_most_once(before in 0_usize..4, after in 0_usize..4) {
            let (told, count) = told(before, after);
            prop_assert!(told[0].starts_with("accepted a"));
            prop_assert_eq!((told.len() - 1, count), if before + after > 0 { (1, 1) } else { (0, 0) });
        }
    }
}
