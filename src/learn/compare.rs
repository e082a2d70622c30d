//! Two models on the same labelled parts: are they equally often right, and do they rank equally well? Pure.

use std::collections::BTreeMap;

use statrs::distribution::{Binomial, DiscreteCDF as _};
use statrs::function::erf::erfc;

use crate::models::fit::Paired;
use crate::models::price::{DeLong, McNemar};

/// McNemar's exact test, from whether each model decides each part right.
///
/// Of the b + c parts that one decides right and the other wrong, each is as likely either way where the models are equally
/// good. p = min(1, 2 P(X <= min(b, c))) with X binomial over b + c and 1/2; 1 where they never differ.
///
/// Source: Q. McNemar, Psychometrika 12 (1947); the exact form as A. Agresti, *Categorical Data Analysis*, 10.1.4.
#[must_use]
pub fn mcnemar(model_right: &[bool], teacher_right: &[bool]) -> McNemar {
    let only = |wanted: (bool, bool)| {
        let pairs = model_right.iter().zip(teacher_right).filter(|(model, teacher)| (**model, **teacher) == wanted);
        u32::try_from(pairs.count()).unwrap_or(u32::MAX)
    };
    let (only_model, only_teacher) = (only((true, false)), only((false, true)));
    let (fewer, all) = (u64::from(only_model.min(only_teacher)), u64::from(only_model) + u64::from(only_teacher));
    // One half is a probability, so there is always a distribution.
    let p = Binomial::new(0.5, all).map_or(1.0, |differing| (2.0 * differing.cdf(fewer)).min(1.0));
    McNemar { only_model, only_teacher, p }
}

/// DeLong's test on the areas under two ROC curves over the same parts; `None` with fewer than two good or two defective
/// parts, which have no variance.
///
/// The variance of the difference is var(V10) / m + var(V01) / n, where V10 of each of the m defective parts is the
/// difference, model less teacher, of the shares of good parts it stands above (ties half), and V01 of each of the n good
/// parts that of the shares of defective parts which stand above it. p is that of a standard normal, two-sided; 1 where all
/// differences are 0.
///
/// Source: E. DeLong, D. DeLong and D. Clarke-Pearson, Biometrics 44 (1988); the placements from the sorted scores as X. Sun and
/// W. Xu, IEEE Signal Processing Letters 21 (2014).
///
/// The three slices have one length; numbers are finite.
#[must_use]
pub fn delong(defective: &[bool], model: &[f64], teacher: &[f64]) -> Option<DeLong> {
    let pictures: Vec<usize> = (0..defective.len()).collect();
    delong_weighted(defective, model, teacher, &pictures, &vec![1.0; defective.len()])
}

/// As [`delong`] for parts of which several are copies of one picture, `pictures` telling of which, and of which each counts
/// as often as `weights` says (finite, above 0; weights of 1 are [`delong`] to the last bit). What is off together is summed
/// before it is squared, so that copies add no certainty; a part of weight 2 is two copies of one picture. Copies of a picture
/// are all good or all defective.
///
/// Sources: N. Obuchowski, "Nonparametric analysis of clustered ROC curve data", Biometrics 53 (1997); the variance of a
/// weighted mean by linearisation as C.-E. Särndal, B. Swensson and J. Wretman, *Model Assisted Survey Sampling* (1992), 5.7.
#[must_use]
pub fn delong_weighted(
    defective: &[bool],
    model: &[f64],
    teacher: &[f64],
    pictures: &[usize],
    weights: &[f64],
) -> Option<DeLong> {
    let (model, teacher) = (Placements::of(defective, model, weights), Placements::of(defective, teacher, weights));
    let less = |model: &[f64], teacher: &[f64]| -> Vec<f64> { model.iter().zip(teacher).map(|(m, t)| m - t).collect() };
    let (bad, good) = (less(&model.bad, &teacher.bad), less(&model.good, &teacher.good));
    let of = |wanted: bool| -> Vec<(usize, f64)> {
        let parts = pictures.iter().zip(weights).zip(defective).filter(|(_, is)| **is == wanted);
        parts.map(|((picture, weight), _)| (*picture, *weight)).collect()
    };
    let (difference, variance) = mean_and_its_variance(&bad, &of(true))?;
    let standard_error = (variance + mean_and_its_variance(&good, &of(false))?.1).sqrt();
    let z = if difference == 0.0 { 0.0 } else { difference / standard_error };
    Some(DeLong { difference, standard_error, p: erfc(z.abs() / std::f64::consts::SQRT_2) })
}

/// How much greater numbers are in the mean than others on the same parts, of which each counts as much as `weights` says; p is that of a
/// standard normal, two-sided, so it wants some thirty parts. `None` of fewer than two.
#[must_use]
pub fn paired(numbers: &[f64], others: &[f64], weights: &[f64]) -> Option<Paired> {
    let less: Vec<f64> = numbers.iter().zip(others).map(|(number, other)| number - other).collect();
    let parts: Vec<(usize, f64)> = weights.iter().copied().enumerate().collect();
    let (difference, variance) = mean_and_its_variance(&less, &parts)?;
    let standard_error = variance.sqrt();
    let z = if difference == 0.0 { 0.0 } else { difference / standard_error };
    Some(Paired { difference, standard_error, p: erfc(z.abs() / std::f64::consts::SQRT_2) })
}

/// How each part stands to those of the other kind.
struct Placements {
    /// For each defective part the share of good ones below it.
    bad: Vec<f64>,
    /// For each good part the share of defective ones above it.
    good: Vec<f64>,
}

impl Placements {
    /// Scores from the lowest up, in runs of equal ones: below a part stands the weight of the other kind so far, and half of
    /// that in its run.
    fn of(defective: &[bool], scores: &[f64], weights: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let weight = |places: &[usize], wanted: bool| -> f64 {
            places.iter().filter(|&&place| defective[place] == wanted).map(|&place| weights[place]).sum()
        };
        let (goods, bads) = (weight(&order, false), weight(&order, true));
        let mut below = vec![0.0; scores.len()];
        let (mut good_below, mut bad_below) = (0.0, 0.0);
        for tied in order.chunk_by(|&a, &b| scores[a] >= scores[b]) {
            let (good, bad) = (weight(tied, false), weight(tied, true));
            for &place in tied {
                below[place] = if defective[place] { good_below + good / 2.0 } else { bad_below + bad / 2.0 };
            }
            (good_below, bad_below) = (good_below + good, bad_below + bad);
        }
        let mut placed = Self { bad: Vec::new(), good: Vec::new() };
        for (below, is) in below.iter().zip(defective) {
            if *is {
                placed.bad.push(below / goods);
            } else {
                placed.good.push(1.0 - below / bads);
            }
        }
        placed
    }
}

/// The weighted mean of numbers and the variance of that mean, numbers of one group being off together; each number comes with
/// its group and its weight. `None` of fewer than two groups.
fn mean_and_its_variance(numbers: &[f64], parts: &[(usize, f64)]) -> Option<(f64, f64)> {
    let whole: f64 = parts.iter().map(|(_, weight)| weight).sum();
    let mean = numbers.iter().zip(parts).map(|(number, (_, weight))| weight * number).sum::<f64>() / whole;
    let mut off: BTreeMap<usize, f64> = BTreeMap::new();
    for (number, (group, weight)) in numbers.iter().zip(parts) {
        *off.entry(*group).or_default() += weight * (number - mean);
    }
    let off: Vec<f64> = off.into_values().collect();
    if off.len() < 2 {
        return None;
    }
    let squares: f64 = off.iter().map(|off| off * off).sum();
    Some((mean, squares * count(&off) / (count(&off) - 1.0) / whole.powi(2)))
}

#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
fn count<T>(of: &[T]) -> f64 {
    of.len() as f64
}

#[cfg(test)]
mod tests;
