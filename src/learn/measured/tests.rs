//! Measured values against scikit-learn and by property.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// `tests/fixtures/learn/gauges.json`: everything in it comes from scikit-learn.
#[derive(Deserialize)]
struct Case {
    values: Vec<Vec<f64>>,
    truth: Vec<f64>,
    weights: Vec<f64>,
    penalty: f64,
    intercept: f64,
    gains: Vec<f64>,
    predicted: Vec<f64>,
}

#[test]
fn thirty_sets_agree_with_scikit_learn() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/fixtures/learn/gauges.json")).unwrap();
    assert_eq!(cases.len(), 30);
    assert!(cases.iter().any(|case| case.penalty <= 0.0), "least squares is among them");
    let mut worst = 0.0_f64;
    for (number, case) in cases.iter().enumerate() {
        let (intercept, gains) = ridge(&case.values, &case.truth, &case.weights, case.penalty).unwrap();
        let mut near = |what: &str, seen: f64, wanted: f64| {
            worst = worst.max((seen - wanted).abs());
            assert!((seen - wanted).abs() < 1e-6, "set {number}, {what}: {seen} is not {wanted}");
        };
        near("intercept", intercept, case.intercept);
        for (seen, wanted) in gains.iter().zip(&case.gains) {
            near("gain", *seen, *wanted);
        }
        for (place, wanted) in case.predicted.iter().enumerate() {
            let sum: f64 = gains.iter().zip(&case.values).map(|(gain, values)| gain * values[place]).sum();
            near("value", intercept + sum, *wanted);
        }
    }
    println!("30 sets: intercepts, gains and values at most {worst:.1e} from scikit-learn");
}

/// Two gauges with noise of their own; the first reads too little, the second too much.
fn gauges(parts: usize, noise: [f64; 2]) -> Measurements {
    let mut random = fastrand::Rng::with_seed(5);
    let mut normal = move || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
    let truth: Vec<f64> = (0..parts).map(|_| 10.0 + normal()).collect();
    let mut read = |gain: f64, offset: f64, noise: f64| -> Vec<f64> {
        truth.iter().map(|value| gain * value + offset + noise * normal()).collect()
    };
    let values = vec![read(0.9, 0.25, noise[0]), read(1.1, 0.75, noise[1])];
    let quantity = Name::new("width").unwrap();
    Measurements { quantity, at_least: Some(9.0), at_most: Some(11.0), truth, values }
}

#[test]
fn two_gauges_are_nearer_than_one_and_the_standard_error_is_that_of_new_parts() {
    let parts = gauges(400, [0.4, 0.4]);
    let names = ["a".to_owned(), "b".to_owned()];
    let held: Vec<usize> = (0..400).map(|place| place % 5).collect();
    let told = evidence(&parts, &names, &[1.0; 400], None, &held).unwrap();
    let rmse = |name: &str| told.values.iter().find(|value| value.name == name).unwrap().rmse;
    assert!(
        rmse("fused") < 0.85 * rmse("a, calibrated") && rmse("a, calibrated") < 0.6 * rmse("a, as read"),
        "{told:?}"
    );
    assert!(told.test.unwrap().p < 0.001 && told.test.unwrap().difference > 0.0);
    let measured = measure(&parts, &[1.0; 400], None).unwrap();
    // New parts of the same kind: the error is the one that was told.
    let new = gauges(4000, [0.4, 0.4]).at(&(400..4000).collect::<Vec<usize>>());
    let off = |place: usize| measured.value(&new.said(place)).value - new.truth[place];
    let square: f64 = (0..3600).map(|place| off(place).powi(2)).sum::<f64>() / 3600.0;
    assert!((square.sqrt() / measured.standard_error - 1.0).abs() < 0.1, "{} {measured:?}", square.sqrt());
}

#[test]
fn a_gauge_that_measures_nothing_has_a_small_gain_and_nothing_is_gained() {
    let mut parts = gauges(200, [0.2, 0.2]);
    parts.values[1] = gauges(600, [0.2, 0.2]).values[0][400..].to_vec();
    let measured = measure(&parts, &[1.0; 200], None).unwrap();
    assert!(measured.gains[1].abs() < 0.05 && measured.gains[0] > 0.9, "{measured:?}");
    let held: Vec<usize> = (0..200).map(|place| place % 5).collect();
    let told = evidence(&parts, &["a".into(), "b".into()], &[1.0; 200], None, &held).unwrap();
    assert_eq!(told.than, "a, calibrated");
    assert!(told.test.unwrap().difference <= 0.0 || told.test.unwrap().p > 0.05, "{told:?}");
}

#[test]
fn what_tells_nothing_of_a_gain_is_refused() {
    assert!(ridge(&[vec![1.0]], &[1.0], &[1.0], 0.0).unwrap_err().starts_with("1 measured parts tell nothing"));
    let told = ridge(&[vec![2.0; 3]], &[1.0, 2.0, 3.0], &[1.0; 3], 0.0).unwrap_err();
    assert_eq!(told, "the values of member 0 do not differ, so there is no gain");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Turning the members around turns their gains around.
    #[test]
    fn permuting_members_permutes_gains(
        parts in prop::collection::vec((-4.0..4.0_f64, prop::array::uniform3(-4.0..4.0_f64), 0.2..3.0_f64), 8..40),
        turn in 0_usize..3
    ) {
        let truth: Vec<f64> = parts.iter().map(|part| part.0).collect();
        let counts: Vec<f64> = parts.iter().map(|part| part.2).collect();
        let mut values: Vec<Vec<f64>> = (0..3).map(|at| parts.iter().map(|part| part.1[at]).collect()).collect();
        let straight = ridge(&values, &truth, &counts, 1.0).unwrap();
        values.rotate_left(turn);
        let mut found = ridge(&values, &truth, &counts, 1.0).unwrap();
        found.1.rotate_right(turn);
        prop_assert!((straight.0 - found.0).abs() < 1e-8);
        for (one, other) in straight.1.iter().zip(&found.1) {
            prop_assert!((one - other).abs() < 1e-8, "{} {}", one, other);
        }
    }
}
