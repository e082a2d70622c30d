//! Intervals of figures that rest on few parts. Pure.
//!
//! A bootstrap of ten examples that are all told right has no width at all; these have.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::risk::clopper_pearson;
use crate::models::price::Estimate;

/// The quantile of the standard normal that leaves 2.5 % above it.
const NORMAL: f64 = 1.959_963_984_540_054;

/// A share with its exact interval at `confidence`, 0 to 1, from `events` among `parts`; from 0 to 1 where there are none.
#[must_use]
pub fn share(events: usize, parts: usize, confidence: f64) -> Estimate {
    let (low, high) = clopper_pearson(events as u64, parts as u64, confidence).unwrap_or((0.0, 1.0));
    Estimate { value: if parts == 0 { f64::midpoint(low, high) } else { count(events) / count(parts) }, low, high }
}

/// The mean of the shares of right answers of several classes, balanced accuracy, with an interval that holds with 95 % at
/// least: each class has its exact interval at a confidence of 1 - 0.05 / classes (Bonferroni), and the mean lies between the
/// means of their ends. `classes` gives (right, parts) of each.
#[must_use]
pub fn balanced_accuracy(classes: &[(usize, usize)]) -> Estimate {
    let many = count(classes.len().max(1));
    let shares: Vec<Estimate> = classes.iter().map(|(right, parts)| share(*right, *parts, 1.0 - 0.05 / many)).collect();
    let mean = |of: fn(&Estimate) -> f64| shares.iter().map(of).sum::<f64>() / many;
    Estimate { value: mean(|one| one.value), low: mean(|one| one.low), high: mean(|one| one.high) }
}

/// The 95 % interval of an area under the ROC curve over `good` and `bad` parts, wide enough for every shape of curve.
///
/// No area A has a greater variance than A (1 - A) / min(good, bad) (Z. Birnbaum and O. Klose, Annals of Mathematical Statistics
/// 28 (1957)), that of a share among so many parts: Wilson's interval of that share (E. Wilson, JASA 22 (1927)), which has a width
/// at 0 and 1 too.
#[must_use]
pub fn auc(value: f64, good: usize, bad: usize) -> Estimate {
    let (parts, z2) = (count(good.min(bad).max(1)), NORMAL * NORMAL);
    let middle = (value + z2 / (2.0 * parts)) / (1.0 + z2 / parts);
    let half = (value * (1.0 - value) / parts + z2 / (4.0 * parts * parts)).sqrt() * NORMAL / (1.0 + z2 / parts);
    Estimate { value, low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
}

/// The mean of repeated draws with its 95 % interval by Student's t; `None` of fewer than two.
#[must_use]
pub fn mean(values: &[f64]) -> Option<Estimate> {
    let draws = count(values.len());
    let value = values.iter().sum::<f64>() / draws;
    let squares: f64 = values.iter().map(|one| (one - value).powi(2)).sum();
    let t = StudentsT::new(0.0, 1.0, draws - 1.0).ok()?.inverse_cdf(0.975);
    let half = t * (squares / (draws - 1.0) / draws).sqrt();
    half.is_finite().then_some(Estimate { value, low: value - half, high: value + half })
}

#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
fn count(of: usize) -> f64 {
    of as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_intervals() {
        // All of n: 0.05 / 2 classes / 2 sides = 0.0125, and 0.0125^(1/n).
        let all = balanced_accuracy(&[(10, 10); 2]);
        assert!((all.low - 0.0125_f64.powf(0.1)).abs() < 1e-6 && (all.high - 1.0).abs() < 1e-12, "{all:?}");
        assert_eq!(share(0, 0, 0.95), Estimate { value: 0.5, low: 0.0, high: 1.0 });
        // Wilson of 10 of 10: 10 / (10 + 1.96^2).
        let perfect = auc(1.0, 10, 40);
        assert!((perfect.low - 10.0 / 13.841_458_8).abs() < 1e-6 && (perfect.high - 1.0).abs() < 1e-12, "{perfect:?}");
        // scipy.stats.t.ppf(0.975, 2) = 4.302653; the standard error of 1, 2, 3 is 0.577350.
        let three = mean(&[1.0, 2.0, 3.0]).unwrap();
        assert!((three.high - three.value - 4.302_653 * 0.577_350).abs() < 1e-4, "{three:?}");
        assert_eq!(mean(&[1.0]), None);
    }

    proptest! {
        #[test]
        fn every_interval_holds_its_value_and_more_parts_narrow_it(right in 0_usize..20, parts in 1_usize..20, area in 0.0..=1.0f64) {
            let right = right.min(parts);
            let (few, many) = (balanced_accuracy(&[(right, parts); 2]), balanced_accuracy(&[(right * 4, parts * 4); 2]));
            prop_assert!(few.low <= few.value && few.value <= few.high);
            prop_assert!(many.high - many.low < few.high - few.low);
            let (few, many) = (auc(area, parts, 30), auc(area, parts * 4, 120));
            prop_assert!(few.low <= area + 1e-12 && area <= few.high + 1e-12);
            prop_assert!(many.high - many.low < few.high - few.low);
        }
    }
}
