//! Thresholds by their definition, and the promise of a bound on made parts whose risk is known.

use proptest::prelude::*;

use super::*;

fn sample<'s>(scores: &'s [f64], defective: &'s [bool], weights: &'s [f64]) -> Sample<'s> {
    Sample { scores, defective, weights }
}

/// What rejecting from a score costs.
fn cost(sample: &Sample<'_>, from: f64, escape_cost: f64) -> f64 {
    let part = |((score, is), weight): ((&f64, &bool), &f64)| match (*score >= from, *is) {
        (true, false) => *weight,
        (false, true) => escape_cost * weight,
        _ => 0.0,
    };
    sample.scores.iter().zip(sample.defective).zip(sample.weights).map(part).sum()
}

proptest! {
    #[test]
    fn no_threshold_costs_less(
        parts in prop::collection::vec((0_u8..11, any::<bool>(), 0.5..2.0f64), 1..40), escape_cost in 0.1..20.0f64
    ) {
        let scores: Vec<f64> = parts.iter().map(|part| f64::from(part.0) / 12.0).collect();
        let defective: Vec<bool> = parts.iter().map(|part| part.1).collect();
        let weights: Vec<f64> = parts.iter().map(|part| part.2).collect();
        let sample = sample(&scores, &defective, &weights);
        let from = by_cost(&sample, escape_cost);
        prop_assert!((0.0..=1.0).contains(&from));
        let best = cost(&sample, from, escape_cost);
        for other in scores.iter().copied().chain([0.0, 1.0]) {
            prop_assert!(cost(&sample, other, escape_cost) >= best - 1e-9, "{} costs less than {}", other, from);
        }
    }

    #[test]
    fn a_cleared_score_lets_no_more_escape_than_the_test_allows(
        scores in prop::collection::vec(0_u8..50, 60..200), escapes in 0.05..0.4f64, more in 0.0..0.3f64
    ) {
        let scores: Vec<f64> = scores.into_iter().map(|score| f64::from(score) / 50.0).collect();
        let parts = scores.len() as u64;
        let below = bounded(&scores, escapes, 0.95).unwrap();
        let escaped = scores.iter().filter(|score| **score < below).count() as u64;
        prop_assert!(at_most(escaped, parts, escapes) <= 0.05);
        prop_assert!(bounded(&scores, escapes + more, 0.95).unwrap() >= below, "a looser bound passes no less");
        prop_assert!(bounded(&scores, escapes, 0.9).unwrap() >= below, "less confidence passes no less");
        // The next score up would let too many escape.
        if let Some(next) = scores.iter().copied().filter(|score| *score > below).reduce(f64::min) {
            let escaped = scores.iter().filter(|score| **score < next).count() as u64;
            prop_assert!(at_most(escaped, parts, escapes) > 0.05 || below >= next);
        }
    }

    #[test]
    fn thresholds_are_in_order(
        parts in prop::collection::vec((0.0..1.0f64, any::<bool>()), 200..300), escapes in 0.1..0.5f64
    ) {
        let (scores, mut defective): (Vec<f64>, Vec<bool>) = parts.into_iter().unzip();
        defective[..60].fill(true);
        let weights = vec![1.0; scores.len()];
        let sample = sample(&scores, &defective, &weights);
        let Thresholds { reject_from, pass_below } =
            choose(Aim::Bound { escapes, confidence: 0.95 }, &sample, &sample).unwrap();
        prop_assert!(pass_below <= reject_from && pass_below >= 0.0 && reject_from <= 1.0);
    }
}

#[test]
fn too_few_defects_are_refused_with_the_number_that_is_wanted() {
    let told = bounded(&[0.9; 298], 0.01, 0.95).unwrap_err();
    assert_eq!(
        told,
        "298 defective parts cannot show that at most 1 % of them escape with a confidence of 95 %: want 299 that nothing was \
         fitted to"
    );
    assert!((bounded(&[0.9; 299], 0.01, 0.95).unwrap() - 0.9).abs() < 1e-12);
}

#[test]
fn where_a_bound_cannot_be_kept_nothing_passes() {
    // Every tenth defective part looks perfectly good.
    let scores: Vec<f64> = (0..400).map(|place| if place % 10 == 0 { 0.0 } else { 0.8 }).collect();
    let below = bounded(&scores, 0.01, 0.95).unwrap();
    assert!(below <= 0.0, "a score is never below 0: nobody passes");
    assert!((bounded(&scores, 0.2, 0.95).unwrap() - 0.8).abs() < 1e-12);
}

/// 500 draws of calibration parts whose escapes are known: the score of a defective part is uniform, so that passing below t
/// lets exactly t of them escape.
#[test]
fn the_promise_is_broken_no_more_often_than_was_said() {
    let mut random = fastrand::Rng::with_seed(7);
    let (runs, delta) = (500_u32, 0.05);
    // Three standard errors of the share of 500 runs.
    let error = 3.0 * (delta * (1.0 - delta) / f64::from(runs)).sqrt();
    for (bound, parts) in [(0.01, 400), (0.02, 400), (0.05, 150)] {
        let (mut exceeded, mut passed) = (0_u32, 0.0);
        for _ in 0..runs {
            let scores: Vec<f64> = (0..parts).map(|_| random.f64()).collect();
            let below = bounded(&scores, bound, 1.0 - delta).unwrap();
            exceeded += u32::from(below > bound);
            passed += below / f64::from(runs);
        }
        let share = f64::from(exceeded) / f64::from(runs);
        assert!(share <= delta + error, "the bound of {bound} was exceeded in {share} of the runs");
        // And it is not kept by passing nobody.
        assert!(passed > bound / 20.0, "{passed} of {bound}");
        // With 400 parts and 1 % the test allows 0 escapes, whose share is Beta(1, 400): it exceeds in 0.99^400 = 1.8 %.
        println!("bound {bound}, {parts} defects: exceeded in {share} of {runs} runs, {passed:.4} escaped on average");
    }
}
