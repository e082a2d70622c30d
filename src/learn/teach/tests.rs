//! Heads held against closed forms, and examples held out against teaching by hand.

use proptest::prelude::*;

use super::held_out::{figures, guessed_slope, held_out, slope};
use super::*;

/// Examples of `classes` classes, at least two each, in a few dimensions.
pub(in crate::learn) fn examples(classes: usize) -> impl Strategy<Value = Examples> {
    let one = prop::collection::vec(-3.0..3.0f64, 4);
    prop::collection::vec(one, 2 * classes..5 * classes).prop_map(move |vectors| Examples {
        classes: (0..vectors.len()).map(|place| place % classes).collect(),
        vectors,
        count: classes,
    })
}

fn near(one: &[f64], other: &[f64], bound: f64) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| (one - other).abs() < bound)
}

/// A ridge regression by its own equations in the plain space: the gradient of its loss at the lifted weights.
fn ridge_gradient(examples: &Examples, weights: &[f64], bias: f64) -> Vec<f64> {
    let middle = mean(examples.vectors.iter().map(Vec::as_slice));
    let squares: f64 = examples.vectors.iter().map(|one| distance(one, &middle).powi(2)).sum();
    let scale2 = squares / number(examples.vectors.len());
    let mut gradient: Vec<f64> = weights.iter().map(|weight| PENALTY * weight * scale2).collect();
    gradient.push(0.0);
    for ((vector, class), counts) in examples.vectors.iter().zip(&examples.classes).zip(examples.weights()) {
        let off = dot(weights, vector) + bias - if *class == 1 { 1.0 } else { -1.0 };
        gradient.iter_mut().zip(vector.iter().chain([&1.0])).for_each(|(slope, value)| *slope += counts * off * value);
    }
    gradient
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_nearest_mean_answers(examples in examples(3), part in prop::collection::vec(-3.0..3.0f64, 4)) {
        let head = teach(Learner::Prototype, &examples).unwrap();
        let means: Vec<Vec<f64>> = (0..3).map(|class| {
            let of_class = examples.vectors.iter().zip(&examples.classes).filter(|(_, one)| **one == class);
            mean(of_class.map(|(vector, _)| vector.as_slice()))
        }).collect();
        let squares: Vec<f64> = means.iter().map(|mean| -distance(mean, &part).powi(2)).collect();
        // The same chances: what all classes share falls out of the softmax.
        prop_assert!(near(&chances(&head.scores(&part)), &chances(&squares), 1e-9));
    }

    #[test]
    fn the_order_of_examples_does_not_matter(examples in examples(2), seed in any::<u64>(), part in prop::collection::vec(-3.0..3.0f64, 4)) {
        let mut order: Vec<usize> = (0..examples.classes.len()).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        let turned = Examples {
            vectors: order.iter().map(|&place| examples.vectors[place].clone()).collect(),
            classes: order.iter().map(|&place| examples.classes[place]).collect(),
            count: 2,
        };
        for learner in Learner::ALL {
            let scores = |examples| teach(learner, examples).unwrap().scores(&part);
            prop_assert!(near(&scores(&examples), &scores(&turned), 1e-6), "{:?}", learner);
        }
    }

    #[test]
    fn ridge_stands_where_its_gradient_is_nothing(examples in examples(2)) {
        let head = teach(Learner::Ridge, &examples).unwrap();
        let weights: Vec<f64> = head.weights[1].iter().map(|weight| 2.0 * weight).collect();
        let gradient = ridge_gradient(&examples, &weights, 2.0 * head.biases[1]);
        prop_assert!(gradient.iter().all(|slope| slope.abs() < 1e-7), "{:?}", gradient);
    }

    #[test]
    fn ridge_of_one_number_is_its_closed_form(values in prop::collection::vec(-3.0..3.0f64, 1..5)) {
        // As many good as defective examples, mirrored: the mean is 0, no intercept, w = sum(x y) / (sum(x^2) + scale^2).
        let vectors: Vec<Vec<f64>> = values.iter().flat_map(|value| [vec![-value - 0.1], vec![value + 0.1]]).collect();
        let classes: Vec<usize> = (0..vectors.len()).map(|place| place % 2).collect();
        let (all, squares) = (number(vectors.len()), vectors.iter().map(|one| one[0].powi(2)).sum::<f64>());
        let products: f64 = vectors.iter().zip(&classes).map(|(one, class)| if *class == 1 { one[0] } else { -one[0] }).sum();
        let wanted = products / (squares + squares / all);
        let head = teach(Learner::Ridge, &Examples { vectors, classes, count: 2 }).unwrap();
        prop_assert!((head.weights[1][0] * 2.0 - wanted).abs() < 1e-8, "{} {}", head.weights[1][0], wanted);
        prop_assert!(head.biases[1].abs() < 1e-8);
    }

    #[test]
    fn an_example_held_out_is_judged_as_if_it_had_never_been_there(examples in examples(2)) {
        prop_assume!(examples.counts().iter().all(|count| *count >= 2));
        for learner in Learner::ALL {
            let told = held_out(learner, &examples).unwrap();
            for place in 0..examples.classes.len() {
                let (mut vectors, mut classes) = (examples.vectors.clone(), examples.classes.clone());
                let (part, _) = (vectors.remove(place), classes.remove(place));
                let head = teach(learner, &Examples { vectors, classes, count: 2 }).unwrap();
                prop_assert!(near(&told.scores[place], &head.scores(&part), 1e-12));
            }
        }
    }

    #[test]
    fn a_prototype_without_the_example_is_its_mean_less_a_share(examples in examples(2)) {
        let counts = examples.counts();
        let told = held_out(Learner::Prototype, &examples).unwrap();
        let means: Vec<Vec<f64>> = (0..2).map(|class| {
            let of_class = examples.vectors.iter().zip(&examples.classes).filter(|(_, one)| **one == class);
            mean(of_class.map(|(vector, _)| vector.as_slice()))
        }).collect();
        for (place, (part, class)) in examples.vectors.iter().zip(&examples.classes).enumerate() {
            // (n m - x) / (n - 1) - x = n / (n - 1) (m - x)
            let all = number(counts[*class]);
            let own = distance(&means[*class], part) * all / (all - 1.0);
            let other = distance(&means[1 - class], part);
            let margin = told.scores[place][*class] - told.scores[place][1 - class];
            prop_assert!((margin - (other.powi(2) - own.powi(2))).abs() < 1e-7);
        }
    }

    #[test]
    fn a_slope_changes_no_answer_and_no_other_fits_better(examples in examples(3)) {
        prop_assume!(examples.counts().iter().all(|count| *count >= 2));
        let told = held_out(Learner::Ridge, &examples).unwrap();
        let best = slope(&told.scores, &examples);
        let (counts, weights) = (examples.counts(), examples.weights());
        let loss = |slope: f64| -> f64 {
            told.scores.iter().zip(&examples.classes).zip(&weights).map(|((scores, of), weight)| {
                let few = 1.0 / (number(counts[*of]) + 2.0);
                let scaled: Vec<f64> = scores.iter().map(|score| slope * score).collect();
                let chances = chances(&scaled);
                let each = chances.iter().enumerate().map(|(class, chance)| {
                    let target = if class == *of { 1.0 - few } else { few / 2.0 };
                    -target * chance.max(1e-300).ln()
                });
                weight * each.sum::<f64>()
            }).sum()
        };
        let typical = 0.5 / guessed_slope(&told.scores);
        for other in [0.5, 0.9, 1.1, 2.0].map(|share| best * share) {
            let allowed = (0.05..=5.0).contains(&(other * typical));
            prop_assert!(!allowed || loss(best) <= loss(other) + 1e-9);
        }
    }
}

#[test]
fn examples_that_cannot_teach_are_told() {
    let one = Examples { vectors: vec![vec![1.0]], classes: vec![0], count: 2 };
    assert!(teach(Learner::Ridge, &one).unwrap_err().starts_with("class 1 has no example"));
    let single = Examples { vectors: vec![vec![1.0]], classes: vec![0], count: 1 };
    assert!(teach(Learner::Ridge, &single).unwrap_err().starts_with("there are 1 classes"));
    let pair = Examples { vectors: vec![vec![1.0], vec![2.0]], classes: vec![0, 1], count: 2 };
    assert!(held_out(Learner::Ridge, &pair).unwrap_err().contains("fewer than two examples"));
    for learner in Learner::ALL {
        assert_eq!(answer(&teach(learner, &pair).unwrap().scores(&[3.0])), 1, "one example each is enough to teach");
    }
}

#[test]
fn figures_count_only_what_is_counted() {
    let examples = Examples { vectors: vec![vec![0.0]; 4], classes: vec![0, 0, 1, 1], count: 2 };
    let scores = vec![vec![1.0, 0.0], vec![0.0, 1.0], vec![0.0, 2.0], vec![0.0, 3.0]];
    let (accuracy, area) = figures(&scores, &examples, |_| true).unwrap();
    assert_eq!((accuracy.value, area.value), (0.75, 1.0));
    assert!(accuracy.low < 0.2 && area.low < 0.4, "two examples a class say little: {accuracy:?} {area:?}");
    let (accuracy, _) = figures(&scores, &examples, |place| place != 1).unwrap();
    assert!((accuracy.value - 1.0).abs() < 1e-12);
    assert!(figures(&scores, &examples, |place| place < 2).unwrap_err().contains("2 good and 0 defective"));
}
