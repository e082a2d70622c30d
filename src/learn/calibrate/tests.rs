//! Calibration against scikit-learn, by property, and the choice among its kinds.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::learn::compare::delong;
use crate::learn::folds::folds;
use crate::learn::scored::Scored;
use crate::learn::stack::stack;
use crate::models::price::DeLong;

/// `tests/fixtures/learn`: everything in it comes from scikit-learn.
#[derive(Deserialize)]
struct Fixture {
    /// The scores at which maps were applied.
    at: Vec<f64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    defective: Vec<bool>,
    scores: Vec<f64>,
    other: Vec<f64>,
    weights: Vec<f64>,
    platt: Option<Vec<f64>>,
    temperature: f64,
    beta: Option<Vec<f64>>,
    isotonic: Vec<f64>,
    stacked: Option<Vec<f64>>,
    log_loss: f64,
    auc: Option<f64>,
    average_precision: Option<f64>,
    delong: Option<DeLong>,
}

#[test]
fn fifty_sets_agree_with_scikit_learn() {
    let fixture: Fixture = serde_json::from_str(include_str!("../../../tests/fixtures/learn/cases.json")).unwrap();
    assert_eq!(fixture.cases.len(), 50);
    let (mut single, mut worst) = (0, 0.0_f64);
    for (number, case) in fixture.cases.iter().enumerate() {
        let sample = Sample { scores: &case.scores, defective: &case.defective, weights: &case.weights };
        let mut near = |what: &str, seen: f64, wanted: f64| {
            worst = worst.max((seen - wanted).abs());
            assert!((seen - wanted).abs() < 1e-6, "set {number}, {what}: {seen} is not {wanted}");
        };
        let follow = |map: Calibrator| fixture.at.iter().map(|at| map.apply(*at)).collect::<Vec<f64>>();
        if let Some(wanted) = &case.platt {
            let (slope, intercept) = platt(&sample).unwrap();
            follow(Calibrator::Platt { slope, intercept }).iter().zip(wanted).for_each(|(s, w)| near("Platt", *s, *w));
        }
        if let Some(wanted) = &case.beta {
            let (a, b, c) = beta(&sample).unwrap();
            follow(Calibrator::Beta { a, b, c }).iter().zip(wanted).for_each(|(s, w)| near("beta", *s, *w));
        }
        let slopes = [temperature(&sample), case.temperature];
        let [seen, wanted] = slopes.map(|slope| follow(Calibrator::Temperature { slope }));
        seen.iter().zip(&wanted).for_each(|(s, w)| near("temperature", *s, *w));
        follow(isotonic(&sample)).iter().zip(&case.isotonic).for_each(|(s, w)| near("isotonic", *s, *w));
        near("log loss", log_loss(&sample), case.log_loss);
        let stacked = stack(&[&case.scores, &case.other], &case.defective, &case.weights);
        assert_eq!(stacked.is_ok(), case.stacked.is_some(), "set {number}");
        if let (Ok(stacked), Some(wanted)) = (stacked, &case.stacked) {
            for ((one, other), wanted) in fixture.at.iter().zip(fixture.at.iter().rev()).zip(wanted) {
                near("stacking", stacked.apply(&[*one, *other]).unwrap(), *wanted);
            }
        }
        let test = delong(&case.defective, &case.scores, &case.other);
        assert_eq!(test.is_some(), case.delong.is_some(), "set {number}");
        for (seen, wanted) in test.iter().zip(&case.delong) {
            near("DeLong's difference", seen.difference, wanted.difference);
            near("DeLong's standard error", seen.standard_error, wanted.standard_error);
            near("DeLong's p", seen.p, wanted.p);
        }
        let scored = Scored::new(&case.defective, &case.scores);
        assert_eq!(scored.is_ok(), case.auc.is_some(), "set {number}: parts of one kind have no ROC curve");
        single += usize::from(scored.is_err());
        if let (Ok(scored), Some(wanted)) = (scored, case.auc) {
            let whole = vec![1; case.scores.len()];
            near("AUC", scored.auc(&whole), wanted);
            near("average precision", scored.average_precision(&whole), case.average_precision.unwrap());
        }
    }
    assert_eq!(single, 6);
    println!("the greatest difference is {worst:e}");
}

fn parts() -> impl Strategy<Value = (Vec<f64>, Vec<bool>, Vec<f64>)> {
    prop::collection::vec((0_u8..=16, any::<bool>(), 0.2..3.0f64), 4..60).prop_map(|parts| {
        let scores = parts.iter().map(|part| f64::from(part.0) / 16.0).collect();
        let mut defective: Vec<bool> = parts.iter().map(|part| part.1).collect();
        (defective[0], defective[1]) = (false, true);
        (scores, defective, parts.iter().map(|part| part.2).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_map_that_is_given_is_sound_and_the_free_ones_keep_the_mean((scores, defective, weights) in parts()) {
        let sample = Sample { scores: &scores, defective: &defective, weights: &weights };
        for kind in Kind::ALL {
            let Some(map) = kind.fit(&sample) else { continue };
            prop_assert!(map.is_sound(), "{:?}", map);
            let mean = |of: &dyn Fn(usize) -> f64| (0..scores.len()).map(|place| weights[place] * of(place)).sum::<f64>();
            let said = mean(&|place| map.apply(scores[place]));
            match kind {
                // An intercept makes the mean chance that of the targets, pooling that of the truth.
                Kind::Platt | Kind::Beta => {
                    let targets = sample.targets();
                    prop_assert!((said - mean(&|place| targets[place])).abs() < 1e-6, "{:?}", kind);
                }
                Kind::Isotonic => {
                    let truth = mean(&|place| f64::from(u8::from(defective[place])));
                    prop_assert!((said - truth).abs() < 1e-9);
                }
                Kind::None | Kind::Temperature => {}
            }
        }
    }

    #[test]
    fn no_rising_steps_are_nearer_than_the_isotonic_ones((scores, defective, weights) in parts(), other in parts()) {
        let sample = Sample { scores: &scores, defective: &defective, weights: &weights };
        let error = |map: &Calibrator| {
            let part = |(score, is, weight): (f64, bool, f64)| weight * (map.apply(score) - f64::from(u8::from(is))).powi(2);
            sample.iter().map(part).sum::<f64>()
        };
        let theirs = isotonic(&Sample { scores: &other.0, defective: &other.1, weights: &other.2 });
        let own = error(&isotonic(&sample));
        prop_assert!(own <= error(&theirs) + 1e-9);
        for slope in [0.5, 1.0, 2.0] {
            let other = error(&Calibrator::Temperature { slope });
            prop_assert!(own <= other + 1e-9);
        }
    }

    #[test]
    fn a_part_that_counts_twice_is_two_parts((scores, defective, _) in parts()) {
        let twice: Vec<f64> = scores.iter().map(|_| 2.0).collect();
        let doubled = |of: &[f64]| of.iter().chain(of).copied().collect::<Vec<f64>>();
        let (many, truth) = (doubled(&scores), [defective.clone(), defective.clone()].concat());
        let ones = vec![1.0; many.len()];
        let (one, two) = (
            Sample { scores: &scores, defective: &defective, weights: &twice },
            Sample { scores: &many, defective: &truth, weights: &ones },
        );
        for kind in [Kind::Temperature, Kind::Platt, Kind::Isotonic] {
            let (one, two) = (kind.fit(&one), kind.fit(&two));
            prop_assert_eq!(one.is_some(), two.is_some());
            for (one, two) in one.iter().zip(&two) {
                prop_assert!((one.apply(0.3) - two.apply(0.3)).abs() < 1e-6, "{:?}", kind);
            }
        }
    }
}

/// Scores whose log-odds are off by a slope and a shift.
fn bent(parts: usize, slope: f64, shift: f64) -> (Vec<f64>, Vec<bool>) {
    let mut random = fastrand::Rng::with_seed(5);
    let part = |_| {
        let chance = random.f64().clamp(0.01, 0.99);
        (logistic(slope * logit(chance) + shift), random.f64() < chance)
    };
    (0..parts).map(part).unzip()
}

#[test]
fn the_choice_is_the_kind_that_was_bent() {
    let weights = vec![1.0; 4000];
    let mut chosen = Vec::new();
    for (slope, shift) in [(1.0, 0.0), (3.0, 0.0), (2.0, 1.5)] {
        let (scores, defective) = bent(4000, slope, shift);
        let sample = Sample { scores: &scores, defective: &defective, weights: &weights };
        let folds = folds(&defective, None, 5, 1).unwrap();
        let found = choose(&sample, &folds);
        assert!((found.map.apply(logistic(slope * logit(0.3) + shift)) - 0.3).abs() < 0.03, "{found:?}");
        assert!(found.log_loss <= log_loss(&sample) + 1e-12, "never worse than nothing");
        chosen.push(found.kind);
    }
    assert!(chosen[2] != Kind::None && chosen[1] != Kind::None && chosen[2] != Kind::Temperature, "{chosen:?}");
}

#[test]
fn scores_that_fall_as_parts_get_worse_are_left_as_they_are() {
    let scores: Vec<f64> = (0..40).map(|place| f64::from(place) / 40.0).collect();
    let defective: Vec<bool> = (0..40).map(|place| place < 20 || place % 7 == 0).collect();
    let sample = Sample { scores: &scores, defective: &defective, weights: &[1.0; 40] };
    assert_eq!((Kind::Platt.fit(&sample), Kind::Beta.fit(&sample)), (None, None));
}
