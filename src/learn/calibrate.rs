//! Calibration: from scores beside the truth to a map that says what a score is worth. Pure; every fit is a function of
//! (score, truth, weight), every answer a [`Calibrator`].
//!
//! Which map is taken is decided by the log loss on parts that it was not fitted to, see [`choose`].

mod isotonic;

use super::newton::{Problem, solve};
use crate::fusion::calibrator::{Calibrator, EDGE, logistic, logit};

pub use isotonic::isotonic;

/// How close to 0 and 1 a chance is held where its logarithm is taken: one part that was called impossible costs 34.5.
const IMPOSSIBLE: f64 = 1e-15;

/// The bounds of ln(slope / 2) of temperature scaling, those of scikit-learn's `_TemperatureScaling`: parts that a score tells
/// apart without error would want an endless slope.
const LOG_SLOPE: f64 = 10.0;

/// Parts with the score of one member. All slices have one length.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'s> {
    /// The scores, 0 to 1.
    pub scores: &'s [f64],
    /// Whether each part is really defective.
    pub defective: &'s [bool],
    /// How much each part counts: finite, above 0.
    pub weights: &'s [f64],
}

impl Sample<'_> {
    fn iter(&self) -> impl Iterator<Item = (f64, bool, f64)> + '_ {
        self.scores.iter().zip(self.defective).zip(self.weights).map(|((score, is), weight)| (*score, *is, *weight))
    }

    /// The parts at these places.
    #[must_use]
    pub fn at(&self, places: &[usize]) -> Owned {
        Owned {
            scores: places.iter().map(|&place| self.scores[place]).collect(),
            defective: places.iter().map(|&place| self.defective[place]).collect(),
            weights: places.iter().map(|&place| self.weights[place]).collect(),
        }
    }

    /// Platt's targets: (d + 1) / (d + 2) for a defective part, 1 / (g + 2) for a good one, with the weights d and g of all
    /// defective and good ones. A part of which there are few is not called certain, and no fit runs away.
    fn targets(&self) -> Vec<f64> {
        let weight = |wanted: bool| self.iter().filter(|part| part.1 == wanted).map(|part| part.2).sum::<f64>();
        let (good, bad) = (1.0 / (weight(false) + 2.0), (weight(true) + 1.0) / (weight(true) + 2.0));
        self.defective.iter().map(|&is| if is { bad } else { good }).collect()
    }
}

/// A [`Sample`] that owns its parts.
#[derive(Debug, Clone, Default)]
pub struct Owned {
    scores: Vec<f64>,
    defective: Vec<bool>,
    weights: Vec<f64>,
}

impl Owned {
    /// Parts that all count once.
    #[must_use]
    pub fn new(scores: Vec<f64>, defective: Vec<bool>) -> Self {
        let weights = vec![1.0; scores.len()];
        Self::weighted(scores, defective, weights)
    }

    /// Parts of which each counts as much as `weights` says. All of one length.
    #[must_use]
    pub fn weighted(scores: Vec<f64>, defective: Vec<bool>, weights: Vec<f64>) -> Self {
        Self { scores, defective, weights }
    }

    /// The sample.
    #[must_use]
    pub fn sample(&self) -> Sample<'_> {
        Sample { scores: &self.scores, defective: &self.defective, weights: &self.weights }
    }
}

/// The weighted mean of -ln(chance of what the part is), with chances held 1e-15 from 0 and 1.
#[must_use]
pub fn log_loss(sample: &Sample<'_>) -> f64 {
    let loss = |(score, is, weight): (f64, bool, f64)| {
        let chance = if is { score } else { 1.0 - score };
        -weight * chance.clamp(IMPOSSIBLE, 1.0 - IMPOSSIBLE).ln()
    };
    sample.iter().map(loss).sum::<f64>() / sample.weights.iter().sum::<f64>()
}

/// Temperature scaling: the slope of the log-odds, from 2 e^-10 to 2 e^10, with the least log loss.
#[must_use]
pub fn temperature(sample: &Sample<'_>) -> f64 {
    // The loss is convex in the slope, so its derivative changes its sign once.
    let rises = |log_slope: f64| {
        let slope = 2.0 * log_slope.exp();
        let pull = |(score, is, weight): (f64, bool, f64)| {
            let z = logit(score);
            weight * z * (logistic(slope * z) - f64::from(u8::from(is)))
        };
        sample.iter().map(pull).sum::<f64>() > 0.0
    };
    let (mut low, mut high) = (-LOG_SLOPE, LOG_SLOPE);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if rises(middle) { high = middle } else { low = middle }
    }
    2.0 * f64::midpoint(low, high).exp()
}

/// Platt scaling: slope and intercept of the log-odds, with Platt's targets. A slope of 0 or below is one of scores that
/// fall as parts get worse.
///
/// # Errors
/// One sentence where the regression has no end, for which Platt's targets leave no cause.
pub fn platt(sample: &Sample<'_>) -> Result<(f64, f64), String> {
    let rows: Vec<Vec<f64>> = sample.scores.iter().map(|score| vec![1.0, logit(*score)]).collect();
    let at = regress(sample, &rows)?;
    Ok((at[1], at[0]))
}

/// Beta calibration with Platt's targets: `a`, `b` and `c` of logit(chance) = a ln(score) - b ln(1 - score) + c. As its
/// authors do, a negative one of `a` and `b` is made 0 and the others are fitted again.
///
/// # Errors
/// As [`platt`].
pub fn beta(sample: &Sample<'_>) -> Result<(f64, f64, f64), String> {
    let held = |score: &f64| score.clamp(EDGE, 1.0 - EDGE);
    let fit = |first: bool, second: bool| {
        let row = |score: &f64| {
            let mut row = vec![1.0];
            row.extend(first.then(|| held(score).ln()));
            row.extend(second.then(|| -(1.0 - held(score)).ln()));
            row
        };
        regress(sample, &sample.scores.iter().map(row).collect::<Vec<_>>())
    };
    let both = fit(true, true)?;
    if both[1] < 0.0 {
        let at = fit(false, true)?;
        Ok((0.0, at[1], at[0]))
    } else if both[2] < 0.0 {
        let at = fit(true, false)?;
        Ok((at[1], 0.0, at[0]))
    } else {
        Ok((both[1], both[2], both[0]))
    }
}

/// Logistic regression on Platt's targets, without a penalty.
fn regress(sample: &Sample<'_>, rows: &[Vec<f64>]) -> Result<Vec<f64>, String> {
    let penalties = vec![0.0; rows.first().map_or(0, Vec::len)];
    solve(&Problem { rows, targets: &sample.targets(), weights: sample.weights, penalties: &penalties })
}

/// The kinds of map, the plainest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The score as it is.
    None,
    /// Temperature scaling.
    Temperature,
    /// Platt scaling.
    Platt,
    /// Beta calibration.
    Beta,
    /// Isotonic regression.
    Isotonic,
}

impl Kind {
    /// All kinds, the plainest first.
    pub const ALL: [Self; 5] = [Self::None, Self::Temperature, Self::Platt, Self::Beta, Self::Isotonic];

    /// Fits a map of this kind; `None` where the scores do not rise as parts get worse, or nothing can be fitted.
    #[must_use]
    pub fn fit(self, sample: &Sample<'_>) -> Option<Calibrator> {
        let map = match self {
            Self::None => Calibrator::None,
            Self::Temperature => Calibrator::Temperature { slope: temperature(sample) },
            Self::Platt => {
                let (slope, intercept) = platt(sample).ok()?;
                Calibrator::Platt { slope, intercept }
            }
            Self::Beta => {
                let (a, b, c) = beta(sample).ok()?;
                Calibrator::Beta { a, b, c }
            }
            Self::Isotonic => isotonic(sample),
        };
        map.is_sound().then_some(map)
    }
}

/// A kind of map with what it makes of parts that it was not fitted to.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The kind.
    pub kind: Kind,
    /// The map, fitted to all parts.
    pub map: Calibrator,
    /// For each part its chance by a map of this kind that was fitted to the other folds.
    pub crossed: Vec<f64>,
    /// The log loss of these chances.
    pub log_loss: f64,
}

/// The kind with the least cross-validated log loss, the plainest of equals.
///
/// `folds` says for each part which fold holds it out. A kind that cannot be fitted to the parts outside of some fold is not
/// taken; the score as it is always can.
#[must_use]
pub fn choose(sample: &Sample<'_>, folds: &[usize]) -> Chosen {
    let as_it_is = crossed(Kind::None, sample, folds).unwrap_or_else(|| sample.scores.to_vec());
    let log_loss_of = |scores: &[f64]| log_loss(&Sample { scores, ..*sample });
    let mut best =
        Chosen { kind: Kind::None, map: Calibrator::None, log_loss: log_loss_of(&as_it_is), crossed: as_it_is };
    for kind in Kind::ALL {
        let Some((map, crossed)) = kind.fit(sample).zip(crossed(kind, sample, folds)) else { continue };
        let log_loss = log_loss_of(&crossed);
        if log_loss < best.log_loss {
            best = Chosen { kind, map, crossed, log_loss };
        }
    }
    best
}

/// For each part its chance by a map of `kind` fitted to the other folds; `None` where one cannot be fitted.
fn crossed(kind: Kind, sample: &Sample<'_>, folds: &[usize]) -> Option<Vec<f64>> {
    let mut chances = vec![0.0; folds.len()];
    for fold in 0..=folds.iter().copied().max().unwrap_or(0) {
        let rest: Vec<usize> = (0..folds.len()).filter(|&place| folds[place] != fold).collect();
        let map = kind.fit(&sample.at(&rest).sample())?;
        for ((chance, score), _) in chances.iter_mut().zip(sample.scores).zip(folds).filter(|(_, of)| **of == fold) {
            *chance = map.apply(*score);
        }
    }
    Some(chances)
}

#[cfg(test)]
mod tests;
