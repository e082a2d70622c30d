//! The cascade: a cheap student judges first, and the teacher is woken only where the student's score lies between two
//! bounds. Chooses the bounds so that as few parts as possible wake the teacher and the mistakes that the student adds stay
//! below a bound. Pure.
//!
//! A mistake is added where the student alone decides worse than the teacher would have: an escape where the teacher rejects
//! or asks a person, or a false reject where it passes or asks. What the student does better is not counted against it, so the
//! bound is on the safe side. The way from "wake always" to "wake never" is found on one half of the parts and walked on the
//! other half, testing each step (split fixed-sequence testing, see [`super::risk`]).

use super::risk::mean_at_most;
use crate::config::Thresholds;

/// One part with the scores of both. Scores are 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// What the student says, as it is compared with the bounds.
    pub student: f64,
    /// What the teacher says, as it is compared with its thresholds.
    pub teacher: f64,
    /// Whether the part is really defective.
    pub defective: bool,
}

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Promise {
    /// What an escape costs, in false rejects: finite, above 0.
    pub escape_cost: f64,
    /// The greatest expected cost, in false rejects for each part, that the student may add: above 0.
    pub bound: f64,
    /// The confidence, between 0 and 1, ends excluded.
    pub confidence: f64,
}

/// The chosen bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cascade {
    /// The teacher sleeps where the student's score is below `pass_below`, which passes, or at least `reject_from`, which
    /// rejects.
    pub bounds: Thresholds,
    /// The share of the tested parts that wake the teacher, 0 to 1.
    pub woken: f64,
    /// The mean cost that the student added on the tested parts, in false rejects a part.
    pub added: f64,
    /// How many parts were tested.
    pub tested: usize,
}

/// Steps of the way on each side.
const STEPS: usize = 64;

/// A score is never below the first nor at the second, so that these bounds wake the teacher always. Scores end at 1.
const ALWAYS: Thresholds = Thresholds { pass_below: 0.0, reject_from: 2.0 };

impl Promise {
    /// The greatest cost of one part.
    fn most(&self) -> f64 {
        self.escape_cost.max(1.0)
    }

    /// What the student adds by deciding this part without the teacher; `None` where the teacher is woken.
    fn added(&self, pair: &Pair, bounds: Thresholds, teacher: Thresholds) -> Option<f64> {
        let (rejects, passes) = (pair.student >= bounds.reject_from, pair.student < bounds.pass_below);
        let wrong_of_teacher =
            if pair.defective { pair.teacher < teacher.pass_below } else { pair.teacher >= teacher.reject_from };
        let wrong = if pair.defective { passes && !rejects } else { rejects };
        let cost = if pair.defective { self.escape_cost } else { 1.0 };
        (rejects || passes).then_some(if wrong && !wrong_of_teacher { cost } else { 0.0 })
    }
}

/// Chooses the bounds: the way is found on `learn`, the promise tested on `test`; the two share no part. `teacher` are the
/// thresholds of the teacher's own score.
///
/// `None` where not even the first step can be cleared: the teacher is then woken always, and the cascade is of no use.
#[must_use]
pub fn choose(learn: &[Pair], test: &[Pair], teacher: Thresholds, promise: Promise) -> Option<Cascade> {
    let mut chosen = None;
    for bounds in way(learn, teacher, promise) {
        let tried = measure(test, bounds, teacher, promise);
        let p = mean_at_most(tried.added / promise.most(), test.len(), promise.bound / promise.most());
        if p > 1.0 - promise.confidence {
            break;
        }
        chosen = Some(tried);
    }
    // A way whose cleared steps let the teacher sleep nowhere is no cascade.
    chosen.filter(|cascade: &Cascade| cascade.woken < 1.0)
}

/// What bounds do to parts.
#[must_use]
pub fn measure(pairs: &[Pair], bounds: Thresholds, teacher: Thresholds, promise: Promise) -> Cascade {
    let added: Vec<Option<f64>> = pairs.iter().map(|pair| promise.added(pair, bounds, teacher)).collect();
    let mean = |sum: f64| if pairs.is_empty() { 0.0 } else { sum / count(pairs.len()) };
    let woken = mean(count(added.iter().filter(|added| added.is_none()).count()));
    Cascade { bounds, woken, added: mean(added.iter().flatten().sum()), tested: pairs.len() }
}

/// Bounds from "always" to "never", each inside the one before: of the two sides the one goes on whose next step adds less for
/// each part that it lets the teacher sleep at.
fn way(pairs: &[Pair], teacher: Thresholds, promise: Promise) -> Vec<Thresholds> {
    let mut scores: Vec<f64> = pairs.iter().map(|pair| pair.student).collect();
    scores.sort_by(f64::total_cmp);
    let mut steps: Vec<f64> = (1..STEPS).filter_map(|step| scores.get(step * scores.len() / STEPS)).copied().collect();
    steps.dedup();
    let (mut low, mut high) = (0, steps.len());
    let mut at = ALWAYS;
    let mut before = measure(pairs, at, teacher, promise);
    let mut way = Vec::new();
    while low < high {
        let lower = Thresholds { pass_below: steps[low], ..at };
        let higher = Thresholds { reject_from: steps[high - 1], ..at };
        let price = |bounds| {
            let tried = measure(pairs, bounds, teacher, promise);
            let asleep = before.woken - tried.woken;
            let price = if asleep > 0.0 { (tried.added - before.added) / asleep } else { 0.0 };
            (price, tried)
        };
        let (of_lower, of_higher) = (price(lower), price(higher));
        if of_lower.0 <= of_higher.0 {
            (low, at, before) = (low + 1, lower, of_lower.1);
        } else {
            (high, at, before) = (high - 1, higher, of_higher.1);
        }
        way.push(at);
    }
    way
}

#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
fn count(of: usize) -> f64 {
    of as f64
}

#[cfg(test)]
mod tests;
