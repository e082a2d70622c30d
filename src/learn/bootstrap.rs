//! The stratified bootstrap: how far a figure of a labelled set could have been off, had other parts been drawn. Pure, and
//! seeded: the same set gives the same resamples, so figures of several models on one set are paired.
//!
//! Source: B. Efron and R. Tibshirani, *An Introduction to the Bootstrap* (1993), chapters 13 (percentile interval) and 8
//! (two samples).

use super::metrics::percentile;
use crate::models::price::Estimate;

/// Resamples of one interval.
pub const RESAMPLES: usize = 2000;

/// Where the random numbers begin.
const SEED: u64 = 0x6b65_6e70_696e;

/// How often each part is drawn in each resample: as many good parts as the set has, drawn with replacement among its good
/// ones, and so for the defective. Each resample has the length of `defective`.
pub fn resamples(defective: &[bool]) -> impl Iterator<Item = Vec<u32>> {
    let places = |wanted: bool| -> Vec<usize> {
        defective.iter().enumerate().filter(|(_, is)| **is == wanted).map(|(place, _)| place).collect()
    };
    let (strata, parts) = ([places(false), places(true)], defective.len());
    let mut random = fastrand::Rng::with_seed(SEED);
    (0..RESAMPLES).map(move |_| {
        let mut drawn = vec![0; parts];
        for stratum in &strata {
            for _ in stratum {
                if let Some(drawn) = random.choice(stratum).and_then(|&place| drawn.get_mut(place)) {
                    *drawn += 1;
                }
            }
        }
        drawn
    })
}

/// A figure of the whole set with its 95 % percentile interval: from the 2.5th to the 97.5th percentile, by the nearest
/// rank, of the figure over the resamples.
///
/// `figure` is given how often each part counts.
pub fn estimate(defective: &[bool], figure: impl Fn(&[u32]) -> f64) -> Estimate {
    let pictures: Vec<usize> = (0..defective.len()).collect();
    estimate_of_copies(defective, &pictures, figure)
}

/// As [`estimate`] for parts of which several are copies of one picture, `pictures` telling of which, from 0 on without gaps:
/// pictures are drawn, each with all of its copies, which are all good or all defective.
pub fn estimate_of_copies(defective: &[bool], pictures: &[usize], figure: impl Fn(&[u32]) -> f64) -> Estimate {
    let mut truth = vec![false; pictures.iter().max().map_or(0, |most| most + 1)];
    for (picture, is) in pictures.iter().zip(defective) {
        truth[*picture] = *is;
    }
    let value = figure(&vec![1; defective.len()]);
    let of = |drawn: &[u32]| pictures.iter().map(|picture| drawn[*picture]).collect::<Vec<u32>>();
    let figures: Vec<f64> = resamples(&truth).map(|drawn| figure(&of(&drawn))).collect();
    let at = |share| percentile(&figures, share).unwrap_or(value);
    Estimate { value, low: at(0.025), high: at(0.975) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn every_resample_keeps_both_counts(defective in prop::collection::vec(any::<bool>(), 0..30)) {
            let of = |drawn: &[u32], wanted: bool| -> u32 {
                drawn.iter().zip(&defective).filter(|(_, is)| **is == wanted).map(|(drawn, _)| drawn).sum()
            };
            let whole = vec![1; defective.len()];
            let mut count = 0;
            for drawn in resamples(&defective) {
                prop_assert_eq!(drawn.len(), defective.len());
                for wanted in [false, true] {
                    prop_assert_eq!(of(&drawn, wanted), of(&whole, wanted));
                }
                count += 1;
            }
            prop_assert_eq!(count, RESAMPLES);
            prop_assert!(resamples(&defective).eq(resamples(&defective)), "the same set, the same resamples");
        }
    }

    #[test]
    fn the_interval_of_a_share_is_that_of_the_binomial() {
        // 100 good parts of which 30 count: the standard error is sqrt(0.3 x 0.7 / 100) = 0.0458; 1.96 of them are 0.09.
        let defective = vec![false; 100];
        let share = |drawn: &[u32]| f64::from(drawn.iter().take(30).sum::<u32>()) / 100.0;
        let Estimate { value, low, high } = estimate(&defective, share);
        assert!((value - 0.3).abs() < 1e-12);
        assert!((low - 0.21).abs() <= 0.011 && (high - 0.39).abs() <= 0.011, "{low} {high}");
        // Three copies of each are no more certain.
        let pictures: Vec<usize> = (0..300).map(|place| place / 3).collect();
        let share = |drawn: &[u32]| f64::from(drawn.iter().take(90).sum::<u32>()) / 300.0;
        assert_eq!(estimate_of_copies(&[false; 300], &pictures, share), Estimate { value, low, high });
    }
}
