//! Drift: whether the newest parts of a line still look like those that its fit was made with. Pure; one part at a time.
//!
//! Every sixteenth of a window the newest parts are looked at: the last sixteenth each time, the last eighth every second
//! time, and so on to the whole window, so that a great change is seen soon and a small one at all. Parts come into one look
//! of each length. A look compares each statistic with the reference by Kolmogorov and Smirnov's exact test, corrected over
//! the statistics by Holm; a finding wants a population stability index of 0.1 as well, so that no change is told that is
//! sure and does not matter.
//!
//! The level is spent evenly over the parts, as in K. Lan and D. `DeMets`, "Discrete sequential boundaries for clinical trials"
//! (Biometrika 70, 1983), with a line that never ends: a look of n parts, of one length among five, may err with the chance
//! n / (5 x parts per false alarm). By the union bound the false alarms expected among N parts are then at most N / parts per
//! false alarm, at whatever moment anybody counts. Promised for parts that are drawn independently as the labelled ones
//! were: a line that makes its parts in batches of their own kind, or labelled parts that were picked, drift by that.

pub mod compare;
pub mod space;
pub mod trial;

use std::collections::VecDeque;

use crate::config::Drift;
use crate::models::fit::reference::{Reference, Seen, Statistic, Values};
use compare::{MODERATE, holm, kolmogorov_smirnov, population_stability_index};

/// The lengths of looks: a sixteenth, an eighth, a quarter, a half, the whole window.
const LENGTHS: usize = 5;

/// An alarm is over after a window in which no statistic differs with this corrected p value.
const OVER: f64 = 0.05;

/// How a line is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Watching {
    /// The parts of the longest look: a multiple of [`Drift::LOOKS`].
    pub window: usize,
    /// The parts of an undisturbed line among which at most one false alarm is to be expected, above 0.
    pub parts_per_false_alarm: f64,
}

impl From<&Drift> for Watching {
    #[expect(clippy::cast_precision_loss, reason = "at most 1,000,000,000")]
    fn from(told: &Drift) -> Self {
        Self { window: told.window, parts_per_false_alarm: told.parts_per_false_alarm as f64 }
    }
}

/// One statistic of one look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Which.
    pub statistic: Statistic,
    /// The population stability index.
    pub psi: f64,
    /// Kolmogorov and Smirnov's distance, 0 to 1.
    pub distance: f64,
    /// Its p value, corrected for the statistics of the look.
    pub p: f64,
    /// The median of the parts looked at.
    pub median: f64,
    /// The median of the reference.
    pub reference_median: f64,
}

/// What a look saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// How many of the newest parts were looked at.
    pub parts: usize,
    /// The corrected p value from which down a statistic differs.
    pub level: f64,
    /// Each statistic, in their order.
    pub differences: Vec<Difference>,
}

impl Look {
    /// The statistics that differ: surely and by more than a little.
    pub fn drifted(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|seen| seen.p <= self.level && seen.psi >= MODERATE)
    }

    fn is_drift(&self) -> bool {
        self.drifted().next().is_some()
    }
}

/// What a part changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// The line drifts from now on.
    Began(Look),
    /// It does no more: a whole window looks like the reference again.
    Over(Look),
}

/// A line that is watched.
#[derive(Debug, Clone)]
pub struct Watch {
    watching: Watching,
    newest: VecDeque<Values>,
    /// Parts since the last turn.
    parts: usize,
    drifting: bool,
}

impl Watch {
    /// A line of which nothing has been seen yet.
    #[must_use]
    pub fn new(watching: Watching) -> Self {
        Self { watching, newest: VecDeque::with_capacity(watching.window), parts: 0, drifting: false }
    }

    /// Whether the line drifts, as far as anybody knows.
    #[must_use]
    pub const fn is_drifting(&self) -> bool {
        self.drifting
    }

    /// Takes the next part; what it changed. The reference must be the same for each part.
    pub fn see(&mut self, seen: &Seen, reference: &Reference) -> Option<Turn> {
        if self.newest.len() >= self.watching.window {
            self.newest.pop_front();
        }
        self.newest.push_back(reference.values(seen));
        self.parts += 1;
        let turn = if self.drifting { self.over(reference) } else { self.began(reference) };
        if turn.is_some() {
            (self.drifting, self.parts) = (!self.drifting, 0);
            self.newest.clear();
        }
        turn
    }

    /// The first look that finds something, the shortest first.
    fn began(&self, reference: &Reference) -> Option<Turn> {
        let lengths = (0..LENGTHS).map(|length| (self.watching.window / Drift::LOOKS) << length);
        let due = lengths.filter(|parts| *parts > 0 && self.parts.is_multiple_of(*parts));
        due.map(|parts| self.look(parts, self.level(parts), reference)).find(Look::is_drift).map(Turn::Began)
    }

    fn over(&self, reference: &Reference) -> Option<Turn> {
        let whole = self.parts.is_multiple_of(self.watching.window);
        let look = whole.then(|| self.look(self.watching.window, OVER, reference))?;
        (!look.is_drift()).then_some(Turn::Over(look))
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
    fn level(&self, parts: usize) -> f64 {
        (parts as f64 / (LENGTHS as f64 * self.watching.parts_per_false_alarm)).min(1.0)
    }

    /// Looks at so many of the newest parts.
    fn look(&self, parts: usize, level: f64, reference: &Reference) -> Look {
        let newest = || self.newest.iter().skip(self.newest.len().saturating_sub(parts));
        let mut differences: Vec<Difference> = Vec::new();
        for distribution in &reference.distributions {
            let mut now: Vec<f64> = newest().filter_map(|values| values.get(distribution.statistic)).collect();
            now.sort_by(f64::total_cmp);
            let (Some(median), Some(reference_median)) = (median(&now), median(&distribution.values)) else { continue };
            let test = kolmogorov_smirnov(&now, &distribution.values);
            let psi = population_stability_index(&now, &distribution.values);
            let (statistic, distance, p) = (distribution.statistic, test.distance, test.p);
            differences.push(Difference { statistic, psi, distance, p, median, reference_median });
        }
        let corrected = holm(&differences.iter().map(|seen| seen.p).collect::<Vec<f64>>());
        for (seen, p) in differences.iter_mut().zip(corrected) {
            seen.p = p;
        }
        Look { parts, level, differences }
    }
}

/// The value in the middle of values in order, the lower one of two.
fn median(values: &[f64]) -> Option<f64> {
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests;
