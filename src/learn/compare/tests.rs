//! Both tests against independent implementations, their definitions, and what must not change them.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::learn::scored::Scored;

/// One case of `tests/fixtures/compare`, whose figures come from scikit-learn, scipy and numpy.
#[derive(Deserialize)]
struct Case {
    defective: Vec<bool>,
    model: Vec<f64>,
    teacher: Vec<f64>,
    figures: Figures,
    delong: DeLong,
    mcnemar: McNemar,
}

#[derive(Deserialize)]
struct Figures {
    accuracy: f64,
    balanced_accuracy: f64,
    auc: f64,
    escapes: f64,
}

#[track_caller]
fn near(seen: f64, wanted: f64) {
    assert!((seen - wanted).abs() < 1e-9, "{seen} is not {wanted}");
}

#[test]
fn the_figures_are_those_of_independent_implementations() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../tests/fixtures/compare/cases.json")).unwrap();
    assert!(cases.len() >= 4);
    for Case { defective, model, teacher, figures, delong: wanted, mcnemar: discordant } in cases {
        let scored = [&model, &teacher].map(|scores| Scored::new(&defective, scores).unwrap());
        let whole = vec![1; defective.len()];
        near(scored[0].accuracy(&whole, 0.5), figures.accuracy);
        near(scored[0].balanced_accuracy(&whole, 0.5), figures.balanced_accuracy);
        near(scored[0].auc(&whole), figures.auc);
        near(scored[0].at_false_reject_rate(&whole, 0.05).escapes, figures.escapes);
        let seen = delong(&defective, &model, &teacher).unwrap();
        near(seen.difference, wanted.difference);
        near(seen.standard_error, wanted.standard_error);
        near(seen.p, wanted.p);
        let seen = mcnemar(&scored[0].right(0.5), &scored[1].right(0.5));
        assert_eq!((seen.only_model, seen.only_teacher), (discordant.only_model, discordant.only_teacher));
        near(seen.p, discordant.p);
    }
}

/// The placements by their definition: for each part of one kind the mean over all parts of the other.
fn by_pairs(of: &[f64], over: &[f64], wins: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    let win = |one: f64, other: f64| match (wins(one, other), wins(other, one)) {
        (true, false) => 1.0,
        (false, false) => 0.5,
        _ => 0.0,
    };
    of.iter().map(|one| over.iter().map(|other| win(*one, *other)).sum::<f64>() / count(over)).collect()
}

fn kinds(defective: &[bool], scores: &[f64]) -> [Vec<f64>; 2] {
    [false, true]
        .map(|wanted| scores.iter().zip(defective).filter(|(_, is)| **is == wanted).map(|(score, _)| *score).collect())
}

/// DeLong's covariance by its definition: the error of the difference of two areas.
fn error_by_definition(defective: &[bool], model: &[f64], teacher: &[f64]) -> f64 {
    let placed = [model, teacher].map(|scores| {
        let [good, bad] = kinds(defective, scores);
        (by_pairs(&bad, &good, |b, g| b > g), by_pairs(&good, &bad, |g, b| g < b))
    });
    let covariance = |one: &[f64], other: &[f64]| {
        let (mean_one, mean_other) = (one.iter().sum::<f64>() / count(one), other.iter().sum::<f64>() / count(other));
        let products = one.iter().zip(other).map(|(a, b)| (a - mean_one) * (b - mean_other));
        products.sum::<f64>() / (count(one) - 1.0) / count(one)
    };
    let entry = |a: usize, b: usize| covariance(&placed[a].0, &placed[b].0) + covariance(&placed[a].1, &placed[b].1);
    (entry(0, 0) + entry(1, 1) - 2.0 * entry(0, 1)).max(0.0).sqrt()
}

/// Parts, two good and two defective at least, with the scores of two models.
fn pairs() -> impl Strategy<Value = (Vec<bool>, Vec<f64>, Vec<f64>)> {
    let part = (any::<bool>(), 0_u8..10, 0_u8..10);
    prop::collection::vec(part, 4..50).prop_map(|parts| {
        let mut defective: Vec<bool> = parts.iter().map(|part| part.0).collect();
        defective[..4].copy_from_slice(&[false, false, true, true]);
        let scores = |of: fn(&(bool, u8, u8)) -> u8| parts.iter().map(|part| f64::from(of(part)) / 9.0).collect();
        (defective, scores(|part| part.1), scores(|part| part.2))
    })
}

proptest! {
    #[test]
    fn placements_are_those_over_all_pairs((defective, scores, _) in pairs()) {
        let [good, bad] = kinds(&defective, &scores);
        let placed = Placements::of(&defective, &scores, &vec![1.0; scores.len()]);
        for (seen, wanted) in placed.bad.iter().zip(by_pairs(&bad, &good, |b, g| b > g)) {
            prop_assert!((seen - wanted).abs() < 1e-12);
        }
        for (seen, wanted) in placed.good.iter().zip(by_pairs(&good, &bad, |g, b| g < b)) {
            prop_assert!((seen - wanted).abs() < 1e-12);
        }
        let auc = Scored::new(&defective, &scores).unwrap().auc(&vec![1; scores.len()]);
        prop_assert!((placed.bad.iter().sum::<f64>() / count(&bad) - auc).abs() < 1e-12);
    }

    #[test]
    fn copies_of_one_picture_add_no_certainty((defective, model, teacher) in pairs()) {
        let plain = delong(&defective, &model, &teacher).unwrap();
        let thrice = |of: &[f64]| of.iter().flat_map(|value| [*value; 3]).collect::<Vec<f64>>();
        let pictures: Vec<usize> = (0..defective.len()).flat_map(|place| [place; 3]).collect();
        let truth: Vec<bool> = defective.iter().flat_map(|is| [*is; 3]).collect();
        let copied = delong_weighted(&truth, &thrice(&model), &thrice(&teacher), &pictures, &vec![1.0; truth.len()]).unwrap();
        prop_assert!((copied.difference - plain.difference).abs() < 1e-9);
        prop_assert!((copied.standard_error - plain.standard_error).abs() < 1e-9);
    }

    #[test]
    fn a_weight_is_so_many_copies_of_one_picture(
        (defective, model, teacher) in pairs(), drawn in prop::collection::vec(1_u8..5, 50)
    ) {
        let times = |place: usize| usize::from(drawn[place]);
        let repeat = |of: &[f64]| -> Vec<f64> {
            of.iter().enumerate().flat_map(|(place, value)| std::iter::repeat_n(*value, times(place))).collect()
        };
        let pictures: Vec<usize> = (0..defective.len()).flat_map(|place| std::iter::repeat_n(place, times(place))).collect();
        let truth: Vec<bool> = pictures.iter().map(|place| defective[*place]).collect();
        let ones = vec![1.0; truth.len()];
        let copied = delong_weighted(&truth, &repeat(&model), &repeat(&teacher), &pictures, &ones).unwrap();
        let weights: Vec<f64> = (0..defective.len()).map(|place| f64::from(drawn[place])).collect();
        let own: Vec<usize> = (0..defective.len()).collect();
        let seen = delong_weighted(&defective, &model, &teacher, &own, &weights).unwrap();
        prop_assert!((copied.difference - seen.difference).abs() < 1e-9);
        prop_assert!((copied.standard_error - seen.standard_error).abs() < 1e-9);
    }

    #[test]
    fn delong_is_its_definition_and_symmetric((defective, model, teacher) in pairs()) {
        let seen = delong(&defective, &model, &teacher).unwrap();
        let auc = |scores: &[f64]| Scored::new(&defective, scores).unwrap().auc(&vec![1; scores.len()]);
        prop_assert!((seen.difference - (auc(&model) - auc(&teacher))).abs() < 1e-12);
        prop_assert!((seen.standard_error - error_by_definition(&defective, &model, &teacher)).abs() < 1e-7);
        let turned = delong(&defective, &teacher, &model).unwrap();
        prop_assert!((seen.difference + turned.difference).abs() < 1e-12 && (seen.p - turned.p).abs() < 1e-9);
        prop_assert!((0.0..=1.0).contains(&seen.p));
    }

    #[test]
    fn only_the_order_of_scores_matters_to_delong((defective, model, teacher) in pairs()) {
        let seen = delong(&defective, &model, &teacher).unwrap();
        let stretch = |scores: &[f64]| scores.iter().map(|score| score.powi(3) * 1e6 - 4.0).collect::<Vec<_>>();
        let same = delong(&defective, &stretch(&model), &teacher).unwrap();
        prop_assert_eq!(seen, same);
        let itself = delong(&defective, &stretch(&model), &model).unwrap();
        prop_assert_eq!((itself.difference, itself.p), (0.0, 1.0));
    }

    #[test]
    fn mcnemar_is_the_sum_of_the_binomial(model in prop::collection::vec(any::<bool>(), 0..40), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let teacher: Vec<bool> = model.iter().map(|_| random.bool()).collect();
        let McNemar { only_model, only_teacher, p } = mcnemar(&model, &teacher);
        let all = only_model + only_teacher;
        // From the top of Pascal's triangle: ways to have so many of `all`, each 1 in 2^all.
        let ways = |of: u32| (0..of).fold(1.0, |ways, k| ways * f64::from(all - k) / f64::from(k + 1));
        let tail: f64 = (0..=only_model.min(only_teacher)).map(ways).sum();
        prop_assert!((p - (2.0 * tail / 2_f64.powi(i32::try_from(all).unwrap())).min(1.0)).abs() < 1e-9, "{}", p);
        let turned = mcnemar(&teacher, &model);
        prop_assert_eq!((turned.only_model, turned.only_teacher, turned.p), (only_teacher, only_model, p));
    }
}

#[test]
fn extremes_have_plain_answers() {
    let defective = [false, false, true, true];
    let (right, wrong) = ([0.1, 0.2, 0.8, 0.9], [0.9, 0.8, 0.2, 0.1]);
    let DeLong { difference, standard_error, p } = delong(&defective, &right, &wrong).unwrap();
    assert_eq!((difference, standard_error, p), (1.0, 0.0, 0.0), "no part speaks for the other");
    near(delong(&defective, &right, &right).unwrap().p, 1.0);
    assert_eq!(delong(&[false, true, true], &[0.1, 0.2, 0.3], &[0.1, 0.2, 0.3]), None, "one good part has no variance");
    near(mcnemar(&[true; 3], &[true; 3]).p, 1.0);
    // All of 6 on one side: 2 x 1/64.
    near(mcnemar(&[true; 6], &[false; 6]).p, 0.031_25);
}
