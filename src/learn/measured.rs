//! One calibrated value of several measurements: a linear regression from what the members measure to what was really measured.
//! Pure.
//!
//! Ordinary least squares, or ridge regression where that has the lesser squared error on parts that were not fitted to: gauges of
//! one quantity say nearly the same, and then least squares may lean on their difference. The error of the value is that on such
//! parts, too.

use super::compare::paired;
use super::newton::cholesky;
use crate::fusion::measured::Measured;
use crate::models::fit::{MeasuredEvidence, RankedValue};
use crate::name::Name;

/// The penalties among which cross-validation chooses, on the squared gains of values with the spread 1 against the sum of the
/// squared errors; 0 is ordinary least squares.
pub const PENALTIES: [f64; 6] = [0.0, 0.01, 0.1, 1.0, 10.0, 100.0];

/// Folds of the choice.
const FOLDS: usize = 5;

/// Labelled parts of which the value was measured. All of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurements {
    /// What was measured.
    pub quantity: Name,
    /// The least good value.
    pub at_least: Option<f64>,
    /// The greatest good value.
    pub at_most: Option<f64>,
    /// The measured values, finite.
    pub truth: Vec<f64>,
    /// For each member what it says, finite, for each part.
    pub values: Vec<Vec<f64>>,
}

/// Intercept and gains.
type Line = (f64, Vec<f64>);

impl Measurements {
    /// Those of the parts at these places.
    #[must_use]
    pub fn at(&self, places: &[usize]) -> Self {
        let of = |values: &Vec<f64>| places.iter().map(|&place| values[place]).collect::<Vec<f64>>();
        Self { truth: of(&self.truth), values: self.values.iter().map(of).collect(), ..self.clone() }
    }

    /// What the members say of one part.
    #[must_use]
    pub fn said(&self, place: usize) -> Vec<f64> {
        self.values.iter().map(|values| values[place]).collect()
    }

    /// Those of one member alone.
    fn alone(&self, member: usize) -> Self {
        Self { values: vec![self.values[member].clone()], ..self.clone() }
    }
}

/// The value with the penalty of the least squared error by folds, the weakest of equals. `weights` says how much each part counts,
/// `groups` which batch it is of: a batch is held out whole.
///
/// # Errors
/// One sentence where some fold leaves fewer than two parts, or values that do not differ.
pub fn measure(parts: &Measurements, weights: &[f64], groups: Option<&[usize]>) -> Result<Measured, String> {
    let held: Vec<usize> = (0..weights.len()).map(|place| groups.map_or(place, |of| of[place]) % FOLDS).collect();
    let mut best = (0.0, f64::INFINITY);
    for penalty in PENALTIES {
        let found = crossed(parts, weights, &held, |rest, counts| ridge(&rest.values, &rest.truth, counts, penalty))?;
        let error = mean_square(&found, &parts.truth, weights);
        if error < best.1 {
            best = (penalty, error);
        }
    }
    let (penalty, square) = best;
    let (intercept, gains) = ridge(&parts.values, &parts.truth, weights, penalty)?;
    let Measurements { quantity, at_least, at_most, .. } = parts.clone();
    // Values without any error at all still have the one of their last digits.
    let standard_error = square.sqrt().max(1e-9 * (1.0 + intercept.abs()));
    Ok(Measured { quantity, intercept, gains, penalty, standard_error, at_least, at_most })
}

/// For each part its value by a line that was fitted to the other folds.
fn crossed(
    parts: &Measurements,
    weights: &[f64],
    held: &[usize],
    fit: impl Fn(&Measurements, &[f64]) -> Result<Line, String>,
) -> Result<Vec<f64>, String> {
    let mut found = vec![0.0; held.len()];
    for fold in 0..=held.iter().copied().max().unwrap_or(0) {
        let (out, rest): (Vec<usize>, Vec<usize>) = (0..held.len()).partition(|&place| held[place] == fold);
        let counts: Vec<f64> = rest.iter().map(|&place| weights[place]).collect();
        let (intercept, gains) = fit(&parts.at(&rest), &counts)?;
        for place in out {
            let sum: f64 = gains.iter().zip(parts.said(place)).map(|(gain, value)| gain * value).sum();
            found[place] = intercept + sum;
        }
    }
    Ok(found)
}

/// Ridge regression over values that are brought to the mean 0 and the spread 1: scikit-learn's `Ridge(alpha = penalty)`, with 0 its
/// `LinearRegression`, after its `StandardScaler`, with the weights of the parts. Gives intercept and gains for the values as they are.
///
/// # Errors
/// One sentence for fewer than two parts, or a member whose values do not differ.
pub fn ridge(values: &[Vec<f64>], truth: &[f64], weights: &[f64], penalty: f64) -> Result<Line, String> {
    if truth.len() < 2 {
        return Err(format!(
            "{} measured parts tell nothing of a gain, want at least 2 outside of every fold",
            truth.len()
        ));
    }
    let whole: f64 = weights.iter().sum();
    let mean = |of: &[f64]| of.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>() / whole;
    let middle = mean(truth);
    let mut centred: Vec<(f64, f64, Vec<f64>)> = Vec::new();
    for (member, values) in values.iter().enumerate() {
        let own = mean(values);
        let off: Vec<f64> = values.iter().map(|value| value - own).collect();
        let spread = mean(&off.iter().map(|off| off * off).collect::<Vec<f64>>()).sqrt();
        if spread <= 1e-12 * (1.0 + own.abs()) {
            return Err(format!("the values of member {member} do not differ, so there is no gain"));
        }
        centred.push((own, spread, off.iter().map(|off| off / spread).collect()));
    }
    let product = |one: &[f64], other: &[f64]| -> f64 {
        one.iter().zip(other).zip(weights).map(|((one, other), weight)| weight * one * other).sum()
    };
    let off: Vec<f64> = truth.iter().map(|value| value - middle).collect();
    let mut matrix: Vec<Vec<f64>> =
        centred.iter().map(|one| centred.iter().map(|other| product(&one.2, &other.2)).collect()).collect();
    for (place, row) in matrix.iter_mut().enumerate() {
        row[place] += penalty;
    }
    let right: Vec<f64> = centred.iter().map(|one| product(&one.2, &off)).collect();
    let slopes = cholesky(matrix, &right).ok_or("the members' values cannot be told apart")?;
    let gains: Vec<f64> = slopes.iter().zip(&centred).map(|(slope, (_, spread, _))| slope / spread).collect();
    let at_mean: f64 = gains.iter().zip(&centred).map(|(gain, (own, _, _))| gain * own).sum();
    Ok((middle - at_mean, gains))
}

/// How near members and fused value come, by folds that did not hold the part (`held`, a number from 0 on for each part): each member as
/// it says, each with gain and offset of its own, and all together.
///
/// # Errors
/// As [`measure`].
pub fn evidence(
    parts: &Measurements,
    names: &[String],
    weights: &[f64],
    groups: Option<&[usize]>,
    held: &[usize],
) -> Result<MeasuredEvidence, String> {
    let mut values = Vec::new();
    let mut best: Option<(String, Vec<f64>, f64)> = None;
    for (member, name) in names.iter().enumerate() {
        let plain =
            crossed(&parts.alone(member), weights, held, |rest, counts| ridge(&rest.values, &rest.truth, counts, 0.0))?;
        values.push(ranked(format!("{name}, as read"), &parts.values[member], &parts.truth, weights));
        let own = ranked(format!("{name}, calibrated"), &plain, &parts.truth, weights);
        if best.as_ref().is_none_or(|best| own.rmse < best.2) {
            best = Some((own.name.clone(), plain, own.rmse));
        }
        values.push(own);
    }
    let group = |rest: &[usize]| groups.map(|of| rest.iter().map(|&place| of[place]).collect::<Vec<usize>>());
    let mut fused = vec![0.0; held.len()];
    for fold in 0..=held.iter().copied().max().unwrap_or(0) {
        let (out, rest): (Vec<usize>, Vec<usize>) = (0..held.len()).partition(|&place| held[place] == fold);
        let counts: Vec<f64> = rest.iter().map(|&place| weights[place]).collect();
        let measured = measure(&parts.at(&rest), &counts, group(&rest).as_deref())?;
        for place in out {
            fused[place] = measured.value(&parts.said(place)).value;
        }
    }
    values.push(ranked("fused".into(), &fused, &parts.truth, weights));
    let square = |found: &[f64]| found.iter().zip(&parts.truth).map(|(f, t)| (f - t) * (f - t)).collect::<Vec<f64>>();
    let (than, plain, _) = best.ok_or("a panel without members cannot be fitted")?;
    let test = paired(&square(&plain), &square(&fused), weights);
    Ok(MeasuredEvidence { values, than, test })
}

/// How near values come to the truth.
fn ranked(name: String, found: &[f64], truth: &[f64], weights: &[f64]) -> RankedValue {
    let whole: f64 = weights.iter().sum();
    let middle = truth.iter().zip(weights).map(|(value, weight)| value * weight).sum::<f64>() / whole;
    let square = mean_square(found, truth, weights);
    let absolute = found.iter().zip(truth).zip(weights).map(|((f, t), weight)| weight * (f - t).abs());
    let all = mean_square(&vec![middle; truth.len()], truth, weights);
    RankedValue {
        name,
        rmse: square.sqrt(),
        mae: absolute.sum::<f64>() / whole,
        r2: 1.0 - square / all.max(f64::MIN_POSITIVE),
    }
}

fn mean_square(found: &[f64], truth: &[f64], weights: &[f64]) -> f64 {
    let squares = found.iter().zip(truth).zip(weights).map(|((found, truth), weight)| weight * (found - truth).powi(2));
    squares.sum::<f64>() / weights.iter().sum::<f64>()
}

#[cfg(test)]
mod tests;
