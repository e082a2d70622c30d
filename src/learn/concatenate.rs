//! A concatenation head: a logistic regression with an L2 penalty over everything that the members say. Pure.
//!
//! Numbers are brought to the mean 0 and the spread 1 on the parts that are fitted to, so that one penalty is fair to log-odds and
//! to millimetres alike. How strong it is, is chosen by cross-validation inside of whatever is fitted to. Of a panel whose members
//! each give one score this would be stacking over again, so it is not tried there.

use super::calibrate::{Sample, log_loss};
use super::newton::{Problem, solve};
use crate::fusion::concatenation::{Concatenation, Says, Term};

/// The penalties among which cross-validation chooses, on half the squared weights against the sum of the log losses:
/// scikit-learn's `C` is one over it.
pub const PENALTIES: [f64; 5] = [0.1, 1.0, 10.0, 100.0, 1000.0];

/// The penalty where parts are too few to choose one: that of stacking.
const PLAIN: f64 = 1.0;

/// Everything that members say of labelled parts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Terms {
    /// What each number is: the seat in the panel, and which of its numbers.
    pub says: Vec<(usize, Says)>,
    /// For each of them its number, finite, for each part.
    pub numbers: Vec<Vec<f64>>,
}

impl Terms {
    /// What is said of the parts at these places.
    #[must_use]
    pub fn at(&self, places: &[usize]) -> Self {
        let of = |numbers: &Vec<f64>| places.iter().map(|&place| numbers[place]).collect();
        Self { says: self.says.clone(), numbers: self.numbers.iter().map(of).collect() }
    }

    /// What is said of one part.
    #[must_use]
    pub fn said(&self, place: usize) -> Vec<f64> {
        self.numbers.iter().map(|numbers| numbers[place]).collect()
    }
}

/// The head with the penalty of the least cross-validated log loss, the strongest of equals. `weights` says how much each part
/// counts, `folds` which fold holds it out; without folds the penalty is 1.
///
/// # Errors
/// As [`with_penalty`].
pub fn concatenate(
    terms: &Terms,
    defective: &[bool],
    weights: &[f64],
    folds: Option<&[usize]>,
) -> Result<Concatenation, String> {
    let Some(folds) = folds else { return with_penalty(terms, defective, weights, PLAIN) };
    let mut best = (PLAIN, f64::INFINITY);
    for penalty in PENALTIES.into_iter().rev() {
        let scores = crossed(terms, defective, weights, folds, penalty)?;
        let loss = log_loss(&Sample { scores: &scores, defective, weights });
        if loss < best.1 {
            best = (penalty, loss);
        }
    }
    with_penalty(terms, defective, weights, best.0)
}

/// For each part its score by a head that was fitted to the other folds.
fn crossed(
    terms: &Terms,
    defective: &[bool],
    weights: &[f64],
    folds: &[usize],
    penalty: f64,
) -> Result<Vec<f64>, String> {
    let mut scores = vec![0.0; folds.len()];
    for fold in 0..=folds.iter().copied().max().unwrap_or(0) {
        let (held, rest): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|&place| folds[place] == fold);
        let (defective, weights): (Vec<bool>, Vec<f64>) =
            rest.iter().map(|&place| (defective[place], weights[place])).unzip();
        let head = with_penalty(&terms.at(&rest), &defective, &weights, penalty)?;
        for place in held {
            scores[place] = head.apply(&terms.said(place)).unwrap_or_default();
        }
    }
    Ok(scores)
}

/// The head with one penalty, above 0: scikit-learn's `LogisticRegression(C = 1 / penalty)` after its `StandardScaler`, both with
/// the weights of the parts.
///
/// # Errors
/// One sentence for parts without a good or without a defective one, to which the free intercept has no end.
pub fn with_penalty(terms: &Terms, defective: &[bool], weights: &[f64], penalty: f64) -> Result<Concatenation, String> {
    let bad = defective.iter().filter(|is| **is).count();
    if bad == 0 || bad == defective.len() {
        let good = defective.len() - bad;
        return Err(format!("there are {good} good and {bad} defective parts, want some of both"));
    }
    let scales: Vec<(f64, f64)> = terms.numbers.iter().map(|numbers| scale(numbers, weights)).collect();
    let number = |(numbers, (mean, spread)): (&Vec<f64>, &(f64, f64)), place: usize| (numbers[place] - mean) / spread;
    let row = |place: usize| {
        std::iter::once(1.0).chain(terms.numbers.iter().zip(&scales).map(|pair| number(pair, place))).collect()
    };
    let rows: Vec<Vec<f64>> = (0..defective.len()).map(row).collect();
    let targets: Vec<f64> = defective.iter().map(|is| f64::from(u8::from(*is))).collect();
    let penalties: Vec<f64> = std::iter::once(0.0).chain(scales.iter().map(|_| penalty)).collect();
    let at = solve(&Problem { rows: &rows, targets: &targets, weights, penalties: &penalties })?;
    let (free, slopes) = at.split_first().ok_or("nothing was fitted")?;
    let (mut intercept, mut joined) = (*free, Vec::new());
    for (((seat, says), (mean, spread)), slope) in terms.says.iter().zip(&scales).zip(slopes) {
        let (weight, neutral) = (slope / spread, if matches!(says, Says::Value(_)) { *mean } else { 0.0 });
        intercept += weight * (neutral - mean);
        joined.push(Term { seat: *seat, says: says.clone(), neutral, weight });
    }
    Ok(Concatenation { intercept, penalty, terms: joined })
}

/// The weighted mean of numbers and their standard deviation, which is 1 where they do not differ.
fn scale(numbers: &[f64], weights: &[f64]) -> (f64, f64) {
    let whole: f64 = weights.iter().sum();
    let mean = numbers.iter().zip(weights).map(|(number, weight)| weight * number).sum::<f64>() / whole;
    let square = |(number, weight): (&f64, &f64)| weight * (number - mean) * (number - mean);
    let spread = (numbers.iter().zip(weights).map(square).sum::<f64>() / whole).sqrt();
    // What is left of a difference that is none by the last bits.
    (mean, if spread > 1e-12 * (1.0 + mean.abs()) { spread } else { 1.0 })
}

#[cfg(test)]
mod tests;
