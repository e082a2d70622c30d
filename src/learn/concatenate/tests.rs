//! The concatenation head against scikit-learn and by property.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::fusion::calibrator::logit;
use crate::learn::folds::folds;
use crate::name::Name;

/// `tests/fixtures/learn/heads.json`: everything in it comes from scikit-learn.
#[derive(Deserialize)]
struct Case {
    defective: Vec<bool>,
    numbers: Vec<Vec<f64>>,
    weights: Vec<f64>,
    penalty: f64,
    scores: Vec<f64>,
    slopes: Vec<f64>,
}

fn terms(numbers: Vec<Vec<f64>>) -> Terms {
    let says = |place: usize| (place, Says::Value(Name::new(&format!("v{place}")).unwrap()));
    Terms { says: (0..numbers.len()).map(says).collect(), numbers }
}

#[test]
fn thirty_sets_agree_with_scikit_learn() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/fixtures/learn/heads.json")).unwrap();
    assert_eq!(cases.len(), 30);
    let mut worst = 0.0_f64;
    for (number, case) in cases.iter().enumerate() {
        let terms = terms(case.numbers.clone());
        let head = with_penalty(&terms, &case.defective, &case.weights, case.penalty).unwrap();
        let mut near = |what: &str, seen: f64, wanted: f64| {
            worst = worst.max((seen - wanted).abs());
            assert!((seen - wanted).abs() < 1e-6, "set {number}, {what}: {seen} is not {wanted}");
        };
        for (place, wanted) in case.scores.iter().enumerate() {
            near("score", head.apply(&terms.said(place)).unwrap(), *wanted);
        }
        for (term, wanted) in head.terms.iter().zip(&case.slopes) {
            near("slope", term.weight, *wanted);
        }
    }
    println!("30 sets: scores and slopes at most {worst:.1e} from scikit-learn");
}

/// Three labels of a classifier of which the two defects look alike in their sum: only label by label is there something to know.
fn labels(parts: u32) -> (Terms, Vec<bool>) {
    let mut random = fastrand::Rng::with_seed(11);
    let mut defective = Vec::new();
    let mut numbers = vec![Vec::new(); 4];
    for place in 0..parts {
        let is = place % 3 == 0;
        // A defect moves chance from the second label to the third; the first says nothing, the fourth is noise.
        let moved = if is { 0.15 } else { -0.15 };
        let third = (0.35 + moved + 0.2 * (random.f64() - 0.5)).clamp(0.01, 0.99);
        numbers[0].push(logit(0.3));
        numbers[1].push(logit(0.7 - third));
        numbers[2].push(logit(third));
        numbers[3].push(4.0 * (random.f64() - 0.5));
        defective.push(is);
    }
    (terms(numbers), defective)
}

#[test]
fn what_tells_nothing_weighs_little_and_what_does_not_move_weighs_nothing() {
    let (terms, defective) = labels(300);
    let held = folds(&defective, None, 5, 1).unwrap();
    let head = concatenate(&terms, &defective, &[1.0; 300], Some(&held)).unwrap();
    assert!(PENALTIES.contains(&head.penalty), "{head:?}");
    let weights: Vec<f64> = head.terms.iter().map(|term| term.weight).collect();
    assert!(weights[0].abs() < 1e-9, "{weights:?}");
    assert!(weights[2] > 0.5 && weights[1] < -0.5, "{weights:?}");
    assert!(weights[3].abs() < weights[2] / 5.0, "{weights:?}");
}

#[test]
fn noise_alone_is_held_down_by_the_strongest_penalties() {
    let mut random = fastrand::Rng::with_seed(3);
    let defective: Vec<bool> = (0..120).map(|place| place % 2 == 0).collect();
    let numbers = (0..6).map(|_| (0..120).map(|_| random.f64()).collect()).collect();
    let held = folds(&defective, None, 5, 1).unwrap();
    let head = concatenate(&terms(numbers), &defective, &[1.0; 120], Some(&held)).unwrap();
    assert!(head.penalty >= 100.0, "{head:?}");
}

#[test]
fn parts_of_one_kind_are_refused() {
    let told = with_penalty(&terms(vec![vec![0.1, 0.2]]), &[true, true], &[1.0; 2], 1.0).unwrap_err();
    assert_eq!(told, "there are 0 good and 2 defective parts, want some of both");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Turning the members around turns their weights around and leaves every score.
    #[test]
    fn permuting_members_permutes_weights(
        mut parts in prop::collection::vec((any::<bool>(), prop::array::uniform3(-4.0..4.0_f64), 0.2..3.0_f64), 6..40),
        turn in 0_usize..3
    ) {
        (parts[0].0, parts[1].0) = (false, true);
        let defective: Vec<bool> = parts.iter().map(|part| part.0).collect();
        let counts: Vec<f64> = parts.iter().map(|part| part.2).collect();
        let column = |at: usize| parts.iter().map(|part| part.1[at]).collect::<Vec<f64>>();
        let mut turned = terms((0..3).map(column).collect());
        let straight = with_penalty(&turned, &defective, &counts, 1.0).unwrap();
        turned.says.rotate_left(turn);
        turned.numbers.rotate_left(turn);
        let mut found = with_penalty(&turned, &defective, &counts, 1.0).unwrap();
        prop_assert!((found.intercept - straight.intercept).abs() < 1e-7);
        found.terms.rotate_right(turn);
        for (one, other) in straight.terms.iter().zip(&found.terms) {
            prop_assert_eq!(&one.says, &other.says);
            prop_assert!((one.weight - other.weight).abs() < 1e-7, "{:?} {:?}", one, other);
        }
    }

    /// Another unit of a value changes its weight by the factor and no score.
    #[test]
    fn units_do_not_matter(
        mut parts in prop::collection::vec((any::<bool>(), -4.0..4.0_f64, -4.0..4.0_f64), 6..40),
        factor in 1e-3..1e3_f64, shift in -100.0..100.0_f64
    ) {
        (parts[0].0, parts[1].0) = (false, true);
        let defective: Vec<bool> = parts.iter().map(|part| part.0).collect();
        let (one, two): (Vec<f64>, Vec<f64>) = parts.iter().map(|part| (part.1, part.2)).unzip();
        let other = one.iter().map(|number| factor * number + shift).collect();
        let (plain, moved) = (terms(vec![one, two.clone()]), terms(vec![other, two]));
        let fit = |terms: &Terms| with_penalty(terms, &defective, &vec![1.0; defective.len()], 10.0).unwrap();
        let (straight, scaled) = (fit(&plain), fit(&moved));
        for place in 0..defective.len() {
            let (one, other) = (straight.apply(&plain.said(place)).unwrap(), scaled.apply(&moved.said(place)).unwrap());
            prop_assert!((one - other).abs() < 1e-6, "{} {}", one, other);
        }
    }
}
