//! The gate of adaptive weights: from members' chances and the quality of their pictures to whom to believe when. Pure.
//!
//! The fused chance is the mean of the members' calibrated chances under weights that move, so the likelihood of a part is a
//! mixture, and the gate is fitted by the EM-gradient algorithm: one Newton step on the expected complete log likelihood in
//! the place of each M step (K. Lange, "A gradient algorithm locally equivalent to the EM algorithm", JRSS B 57, 1995). It
//! begins at the plain weights and never gets worse than they are; a penalty holds it to them.

use super::newton::{Loss, descend};
use crate::fusion::adaptive::{Adaptive, Feature, Held, Quality, Scale, Tilt, Weighed, entropy};

/// The penalty on half the squared coefficients, against the sum of the log losses of pictures: what the pictures do not
/// plainly ask for stays with the plain weights.
const PENALTY: f64 = 1.0;

/// The least plain weight that a member starts from: one that is of no use in the mean may be of use in the dark.
const LEAST: f64 = 0.02;

/// What a gate is fitted to. All slices have one length.
#[derive(Debug, Clone, Copy)]
pub struct Pictures<'p> {
    /// For each member its calibrated chance of a defect, 0 to 1, for each part.
    pub members: &'p [Vec<f64>],
    /// Whether each part is really defective.
    pub defective: &'p [bool],
    /// How well each was taken.
    pub quality: &'p [Quality],
    /// How many copies of one picture there are: together they count as one.
    pub copies: f64,
}

/// The plain weights with none below a fiftieth, with sum 1.
#[must_use]
pub fn heard(weights: &[f64]) -> Vec<f64> {
    let held: Vec<f64> = weights.iter().map(|weight| weight.max(LEAST)).collect();
    let sum: f64 = held.iter().sum();
    held.iter().map(|weight| weight / sum).collect()
}

/// The gate over these plain weights, all above 0, with the least penalised log loss that is found from them downwards.
#[must_use]
pub fn fit(pictures: &Pictures<'_>, plain: &[f64]) -> Adaptive {
    let mut gate = blank(pictures);
    let held: Vec<Held> = pictures.quality.iter().map(|quality| gate.hold(quality)).collect();
    let mixture = Mixture { pictures, plain, held: &held, blank: gate.clone() };
    let size = plain.len() * (gate.features.len() + 1);
    let near = 1e-7 * mixture.sum();
    // Where it has not quite arrived it is still better than where it began.
    let (at, _) = descend(&mixture, vec![0.0; size], near);
    gate.members = mixture.tilts(&at);
    gate
}

/// The gate that moves nothing, with what was seen of each feature.
fn blank(pictures: &Pictures<'_>) -> Adaptive {
    let features = Feature::ALL.map(|feature| {
        let seen: Vec<f64> = pictures.quality.iter().map(|quality| feature.of(quality)).collect();
        scale(feature, &seen)
    });
    let entropies: Vec<f64> = pictures.members.iter().flatten().map(|chance| entropy(*chance)).collect();
    let tilt = Tilt { quality: vec![0.0; features.len()], uncertainty: 0.0 };
    Adaptive {
        features: features.into(),
        entropy_mean: mean(&entropies).clamp(0.0, 1.0),
        members: vec![tilt; pictures.members.len()],
    }
}

fn scale(feature: Feature, seen: &[f64]) -> Scale {
    let centre = mean(seen);
    let spread = mean(&seen.iter().map(|value| (value - centre).powi(2)).collect::<Vec<_>>()).sqrt();
    Scale {
        feature,
        mean: centre,
        // What does not move tells nothing; a spread of nearly nothing would make rounding a feature.
        spread: if spread > 1e-6 { spread } else { 1.0 },
        least: seen.iter().copied().fold(f64::INFINITY, f64::min),
        greatest: seen.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

struct Mixture<'m> {
    pictures: &'m Pictures<'m>,
    plain: &'m [f64],
    held: &'m [Held],
    blank: Adaptive,
}

impl Mixture<'_> {
    fn sum(&self) -> f64 {
        self.pictures.defective.iter().map(|_| 1.0 / self.pictures.copies).sum()
    }

    fn tilts(&self, at: &[f64]) -> Vec<Tilt> {
        let split = |at: &[f64]| at.split_last().map(|(last, rest)| (*last, rest.to_vec())).unwrap_or_default();
        let tilt = |(uncertainty, quality)| Tilt { quality, uncertainty };
        at.chunks(self.blank.features.len() + 1).map(|at| tilt(split(at))).collect()
    }

    /// The members' weights for a part under a gate, and their likelihoods of what the part is.
    fn part(&self, gate: &Adaptive, place: usize) -> (Vec<f64>, Vec<f64>) {
        let chances = || self.pictures.members.iter().map(|chances| chances[place]);
        let weighed = self.plain.iter().zip(chances()).enumerate();
        let held = Some(&self.held[place]);
        let weighed: Vec<Weighed<'_>> =
            weighed.map(|(voter, (weight, score))| Weighed { voter, weight: *weight, score, held }).collect();
        let is = self.pictures.defective[place];
        let likely = chances().map(|chance| (if is { chance } else { 1.0 - chance }).max(1e-15));
        (gate.weights(&weighed), likely.collect())
    }

    /// What a member's coefficients are multiplied with.
    fn row(&self, member: usize, place: usize) -> impl Iterator<Item = f64> + '_ {
        let doubt = entropy(self.pictures.members[member][place]) - self.blank.entropy_mean;
        self.held[place].features.iter().copied().chain(std::iter::once(doubt))
    }
}

impl Loss for Mixture<'_> {
    fn loss(&self, at: &[f64]) -> f64 {
        let gate = Adaptive { members: self.tilts(at), ..self.blank.clone() };
        let of = |place: usize| {
            let (weights, likely) = self.part(&gate, place);
            -weights.iter().zip(&likely).map(|(weight, likely)| weight * likely).sum::<f64>().max(1e-15).ln()
        };
        let parts: f64 = (0..self.held.len()).map(of).sum();
        parts / self.pictures.copies + PENALTY / 2.0 * at.iter().map(|at| at * at).sum::<f64>()
    }

    /// The curvature is that of the expected complete log likelihood.
    fn slopes(&self, at: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let gate = Adaptive { members: self.tilts(at), ..self.blank.clone() };
        let width = self.blank.features.len() + 1;
        let mut gradient: Vec<f64> = at.iter().map(|at| PENALTY * at).collect();
        let mut curvature: Vec<Vec<f64>> = (0..at.len())
            .map(|line| (0..at.len()).map(|cell| if line == cell { PENALTY } else { 0.0 }).collect())
            .collect();
        for place in 0..self.held.len() {
            let (weights, likely) = self.part(&gate, place);
            let whole: f64 =
                weights.iter().zip(&likely).map(|(weight, likely)| weight * likely).sum::<f64>().max(1e-15);
            let rows: Vec<Vec<f64>> = (0..weights.len()).map(|member| self.row(member, place).collect()).collect();
            for (member, weight) in weights.iter().enumerate() {
                let pull = (weight - weight * likely[member] / whole) / self.pictures.copies;
                for (at, value) in rows[member].iter().enumerate() {
                    gradient[member * width + at] += pull * value;
                }
                for (other, beside) in weights.iter().enumerate() {
                    let bend = weight * (if member == other { 1.0 } else { 0.0 } - beside) / self.pictures.copies;
                    bend_block(&mut curvature, (member * width, other * width), (&rows[member], &rows[other]), bend);
                }
            }
        }
        (gradient, curvature)
    }
}

/// Adds `bend` times the product of two rows to the block that begins there.
fn bend_block(curvature: &mut [Vec<f64>], (top, left): (usize, usize), (down, across): (&[f64], &[f64]), bend: f64) {
    for (line, one) in curvature.iter_mut().skip(top).zip(down) {
        for (cell, other) in line.iter_mut().skip(left).zip(across) {
            *cell += bend * one * other;
        }
    }
}

#[cfg(test)]
mod tests;
