//! Whom to believe of which class: on the simplex, by the one who knows, and by nobody where parts are too few.

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// Parts of four classes; the first member knows cracks, the second stains, nobody knows dust. Each gives four chances with the
/// sum 1.
pub(in crate::learn) fn drawn(parts: usize, seed: u64) -> Classes {
    let mut random = fastrand::Rng::with_seed(seed);
    let labels = ["crack", "dust", "good", "stain"];
    let truth: Vec<usize> = (0..parts).map(|place| [0, 2, 2, 3, 2, 1][place % 6]).collect();
    let mut member = |knows: usize| {
        let mut of_labels = vec![Some(Vec::new()); labels.len()];
        for &is in &truth {
            // Where it does not know the class it says good or anything.
            let believed = if is == knows || is == 2 { is } else { [2, 2, random.usize(0..4)][random.usize(0..3)] };
            let raw: Vec<f64> = (0..4).map(|label| random.f64() + if label == believed { 4.0 } else { 0.2 }).collect();
            let whole: f64 = raw.iter().sum();
            for (chances, raw) in of_labels.iter_mut().zip(&raw) {
                chances.as_mut().unwrap().push(raw / whole);
            }
        }
        of_labels
    };
    Classes {
        labels: labels.map(name).to_vec(),
        defects: vec![true, true, false, true],
        said: vec![member(0), member(3)],
        truth: truth.into_iter().map(Some).collect(),
    }
}

#[test]
fn each_class_listens_to_the_member_that_knows_it() {
    let classes = drawn(600, 1);
    let route = route_weights(&classes, &[1.0; 600]);
    assert!((0.2..0.8).contains(&route[0]), "{route:?}");
    let found = class_weights(&classes, &[1.0; 600], &route);
    let of = |label: &str| found.iter().find(|of| of.label == name(label)).unwrap();
    assert!(of("crack").weights[0] > 0.9 && of("stain").weights[1] > 0.9, "{found:?}");
    assert!(found.iter().all(|of| of.own && of.parts >= 100));
}

#[test]
fn a_class_with_too_few_parts_keeps_the_weights_of_the_route() {
    let mut classes = drawn(600, 2);
    assert_eq!(classes.wanted(0), 10, "two members, one free weight");
    // Of all cracks but nine nobody says the class.
    let mut left = 9_usize;
    for truth in classes.truth.iter_mut().filter(|truth| **truth == Some(0)) {
        if left == 0 {
            *truth = None;
        }
        left = left.saturating_sub(1);
    }
    let found = class_weights(&classes, &[1.0; 600], &[0.25, 0.75]);
    assert_eq!((found[0].own, found[0].parts, found[0].weights.as_slice()), (false, 9, [0.25, 0.75].as_slice()));
    assert!(found[3].own && found[3].weights[1] > 0.9);
}

#[test]
fn who_does_not_know_a_label_has_no_weight_for_it() {
    let mut classes = drawn(600, 3);
    classes.said[1][0] = None;
    let found = class_weights(&classes, &[1.0; 600], &[0.5, 0.5]);
    assert_eq!(found[0].weights, [1.0, 0.0]);
    classes.truth = vec![None; 600];
    let found = class_weights(&classes, &[1.0; 600], &[0.5, 0.5]);
    assert!(found.iter().all(|of| !of.own));
    assert_eq!(
        (found[0].weights.as_slice(), found[1].weights.as_slice()),
        ([1.0, 0.0].as_slice(), [0.5; 2].as_slice())
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Weights lie on the simplex, and turning the members around turns them around.
    #[test]
    fn weights_lie_on_the_simplex_and_follow_their_members(
        parts in prop::collection::vec((0_usize..3, prop::array::uniform3(prop::array::uniform3(0.01..1.0_f64)), 0.2..3.0_f64), 30..80)
    ) {
        let counts: Vec<f64> = parts.iter().map(|part| part.2).collect();
        let chance = |member: usize, label: usize| {
            let of = |part: &(usize, [[f64; 3]; 3], f64)| part.1[member][label] / part.1[member].iter().sum::<f64>();
            Some(parts.iter().map(of).collect::<Vec<f64>>())
        };
        let member = |member: usize| (0..3).map(|label| chance(member, label)).collect::<Vec<_>>();
        let mut classes = Classes {
            labels: ["a", "b", "c"].map(name).to_vec(),
            defects: vec![true, false, true],
            truth: parts.iter().map(|part| Some(part.0)).collect(),
            said: (0..3).map(member).collect(),
        };
        let route = [0.5, 0.3, 0.2];
        let found = class_weights(&classes, &counts, &route);
        for of in &found {
            prop_assert!(of.is_sound(3), "{:?}", of);
        }
        classes.said.rotate_left(1);
        let turned = class_weights(&classes, &counts, &[0.3, 0.2, 0.5]);
        for (one, mut other) in found.into_iter().zip(turned) {
            other.weights.rotate_right(1);
            prop_assert_eq!(one.own, other.own);
            for (one, other) in one.weights.iter().zip(&other.weights) {
                prop_assert!((one - other).abs() < 1e-6, "{} {}", one, other);
            }
        }
    }
}
