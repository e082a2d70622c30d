//! Two models on the same labelled parts: are they equally often right, and do they rank equally well? Pure.

use std::collections::BTreeMap;

use statrs::distribution::{Binomial, DiscreteCDF as _};
use statrs::function::erf::erfc;

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
/// Source: E. DeLong, D. DeLong and D. Clarke-Pearson, Biometrics 44 (1988); the placements from midranks as X. Sun and
/// W. Xu, IEEE Signal Processing Letters 21 (2014).
///
/// The three slices have one length; numbers are finite.
#[must_use]
pub fn delong(defective: &[bool], model: &[f64], teacher: &[f64]) -> Option<DeLong> {
    let pictures: Vec<usize> = (0..defective.len()).collect();
    delong_of_copies(defective, model, teacher, &pictures)
}

/// As [`delong`] for parts of which several are copies of one picture, `pictures` telling of which: what is off together is
/// summed before it is squared, so that copies add no certainty. Copies of a picture are all good or all defective.
///
/// Source: N. Obuchowski, "Nonparametric analysis of clustered ROC curve data", Biometrics 53 (1997).
#[must_use]
pub fn delong_of_copies(defective: &[bool], model: &[f64], teacher: &[f64], pictures: &[usize]) -> Option<DeLong> {
    let (model, teacher) = (Placements::of(defective, model), Placements::of(defective, teacher));
    let less = |model: &[f64], teacher: &[f64]| -> Vec<f64> { model.iter().zip(teacher).map(|(m, t)| m - t).collect() };
    let (bad, good) = (less(&model.bad, &teacher.bad), less(&model.good, &teacher.good));
    let of = |wanted: bool| -> Vec<usize> {
        pictures.iter().zip(defective).filter(|(_, is)| **is == wanted).map(|(picture, _)| *picture).collect()
    };
    let (difference, variance) = mean_and_its_variance(&bad, &of(true))?;
    let standard_error = (variance + mean_and_its_variance(&good, &of(false))?.1).sqrt();
    let z = if difference == 0.0 { 0.0 } else { difference / standard_error };
    Some(DeLong { difference, standard_error, p: erfc(z.abs() / std::f64::consts::SQRT_2) })
}

/// How each part stands to those of the other kind.
struct Placements {
    /// For each defective part the share of good ones below it.
    bad: Vec<f64>,
    /// For each good part the share of defective ones above it.
    good: Vec<f64>,
}

impl Placements {
    /// From the midrank of each part among all, less that among its own kind.
    fn of(defective: &[bool], scores: &[f64]) -> Self {
        let own = |wanted: bool| -> Vec<f64> {
            scores.iter().zip(defective).filter(|(_, is)| **is == wanted).map(|(score, _)| *score).collect()
        };
        let (all, bad, good) = (midranks(scores), own(true), own(false));
        let (mut bad_ranks, mut good_ranks) = (midranks(&bad).into_iter(), midranks(&good).into_iter());
        let (goods, bads) = (count(&good), count(&bad));
        let mut placed = Self { bad: Vec::new(), good: Vec::new() };
        for (rank, is) in all.iter().zip(defective) {
            if *is {
                placed.bad.extend(bad_ranks.next().map(|own| (rank - own) / goods));
            } else {
                placed.good.extend(good_ranks.next().map(|own| 1.0 - (rank - own) / bads));
            }
        }
        placed
    }
}

/// The rank of each number from 1, equal numbers sharing the mean of their ranks.
fn midranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<(usize, f64)> = numbers.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut ranks = vec![0.0; numbers.len()];
    let mut before = 0.0;
    for tied in order.chunk_by(|a, b| a.1 >= b.1) {
        let many = count(tied);
        for (place, _) in tied {
            if let Some(rank) = ranks.get_mut(*place) {
                *rank = before + f64::midpoint(many, 1.0);
            }
        }
        before += many;
    }
    ranks
}

/// The mean of numbers and the variance of that mean, numbers of one group being off together; `None` of fewer than two groups.
fn mean_and_its_variance(numbers: &[f64], groups: &[usize]) -> Option<(f64, f64)> {
    let mean = numbers.iter().sum::<f64>() / count(numbers);
    let mut off: BTreeMap<usize, f64> = BTreeMap::new();
    for (number, group) in numbers.iter().zip(groups) {
        *off.entry(*group).or_default() += number - mean;
    }
    let off: Vec<f64> = off.into_values().collect();
    if off.len() < 2 {
        return None;
    }
    let squares: f64 = off.iter().map(|off| off * off).sum();
    Some((mean, squares * count(&off) / (count(&off) - 1.0) / count(numbers).powi(2)))
}

#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
fn count<T>(of: &[T]) -> f64 {
    of.len() as f64
}

#[cfg(test)]
mod tests;
