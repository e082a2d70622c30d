//! Many shifts: every policy on the same drawn boards, and what became of them as distributions. All policies of a draw see
//! the same board, the same arrivals and the same noise; the same seed gives the same figures on any number of threads.

use fastrand::Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::board::Board;
use super::oracle::Oracle;
use super::plant::Plant;
use super::policy::{Kind, Policy};
use super::scenario::Scenario;
use super::shift::{Moment, Outcome, Setting, play};
use crate::govern::ladder::Ladder;
use crate::govern::step::Settings;
use crate::learn::metrics::percentile;

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'t> {
    /// The board around whose figures is drawn.
    pub board: &'t Board,
    /// The rungs.
    pub ladder: &'t Ladder,
    /// The governor's settings.
    pub settings: &'t Settings,
    /// Seconds of a shift.
    pub seconds: u32,
    /// Boards that are drawn.
    pub draws: u32,
    /// Where the random numbers begin.
    pub seed: u64,
    /// Whether the boards have a power monitor.
    pub monitor: bool,
}

/// The outcomes of one policy, one for each draw.
pub type Outcomes = Vec<Outcome>;

impl Trial<'_> {
    /// Plays every scenario with every draw and policy on all processors; `each` is told after every draw of a scenario. Gives for
    /// each scenario the outcomes of each policy, in the order they were named.
    pub fn run(&self, scenarios: &[Scenario], policies: &[Kind], each: impl Fn() + Sync) -> Vec<Vec<Outcomes>> {
        let draws = self.draws as usize;
        let jobs = (0..scenarios.len() * draws).into_par_iter().filter_map(|job| {
            let (scenario, draw) = (scenarios.get(job / draws)?, u32::try_from(job % draws).ok()?);
            let outcomes = policies.iter().map(|kind| self.shift(scenario, draw, *kind, |_| ())).collect();
            each();
            Some(outcomes)
        });
        let done: Vec<Vec<Outcome>> = jobs.collect();
        let of = |drawn: &[Vec<Outcome>]| {
            (0..policies.len())
                .map(|policy| drawn.iter().filter_map(|outcomes| outcomes.get(policy).copied()).collect())
                .collect()
        };
        done.chunks(draws.max(1)).map(of).collect()
    }

    /// Plays one shift; `each` is told every second.
    pub fn shift(&self, scenario: &Scenario, draw: u32, kind: Kind, each: impl FnMut(Moment)) -> Outcome {
        let seed = self.seed.wrapping_add(u64::from(draw).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let plant = Plant::draw(self.board, scenario.around(0.0).celsius, &mut Rng::with_seed(seed));
        let setting = Setting { ladder: self.ladder, scenario, seconds: self.seconds, monitor: self.monitor, seed };
        let mut policy = Policy::new(kind, self.ladder, self.settings, &plant, scenario, self.seconds);
        if kind == Kind::Oracle {
            best_plan(setting, &plant, policy, each)
        } else {
            play(setting, plant, &mut policy, each)
        }
    }
}

/// Plays the oracle's bold plan; where that is not without fault, also the cautious one and the lightest rung alone, and
/// takes the best of them.
fn best_plan(setting: Setting<'_>, plant: &Plant, bold: Policy<'_>, each: impl FnMut(Moment)) -> Outcome {
    let Setting { ladder, scenario, seconds, .. } = setting;
    let played = |mut plan: Policy<'_>| {
        let mut moments = Vec::new();
        let outcome = play(setting, plant.clone(), &mut plan, |moment| moments.push(moment));
        (outcome, moments)
    };
    let mut best = played(bold);
    if best.0.missed > 0.0 || best.0.seconds_above_trip > 0 {
        let cautious = Policy::Oracle(Box::new(Oracle::new(ladder, plant, scenario, seconds, true)));
        for other in [cautious, Policy::Fixed(ladder.lightest_judging())].map(played) {
            if better(&other.0, &best.0) {
                best = other;
            }
        }
    }
    best.1.into_iter().for_each(each);
    best.0
}

/// Whether one outcome is better than another in the oracle's order: fewer parts missed, then fewer seconds above the trip, then
/// more parts right.
fn better(one: &Outcome, other: &Outcome) -> bool {
    let missed = one.missed.total_cmp(&other.missed);
    let above = missed.then(one.seconds_above_trip.cmp(&other.seconds_above_trip));
    above.then(other.expected_accuracy.total_cmp(&one.expected_accuracy)).is_lt()
}

/// A figure over the draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Distribution {
    /// The mean.
    pub mean: f64,
    /// The 5th percentile, by the nearest rank.
    pub p5: f64,
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The greatest.
    pub max: f64,
}

impl Distribution {
    /// Of a figure of each outcome; zeros without outcomes.
    #[must_use]
    pub fn of(outcomes: &[Outcome], figure: impl Fn(&Outcome) -> f64) -> Self {
        let figures: Vec<f64> = outcomes.iter().map(figure).collect();
        let at = |share| percentile(&figures, share).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "draws stay far below 2^53")]
        let mean = if figures.is_empty() { 0.0 } else { figures.iter().sum::<f64>() / figures.len() as f64 };
        Self { mean, p5: at(0.05), p50: at(0.5), p95: at(0.95), max: figures.iter().copied().fold(0.0, f64::max) }
    }
}

/// The share of the oracle's gain in mean accuracy over the student that a policy reaches; `None` where there is none to reach.
#[must_use]
pub fn gain(policy: &Distribution, student: &Distribution, oracle: &Distribution) -> Option<f64> {
    let most = oracle.mean - student.mean;
    (most > 1e-9).then(|| (policy.mean - student.mean) / most)
}

#[cfg(test)]
mod tests;
