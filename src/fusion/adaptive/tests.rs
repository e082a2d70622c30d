//! Whatever the picture: weights on the simplex, and the plain ones where nothing speaks for or against a member.

use proptest::prelude::*;

use super::*;

fn scale(feature: Feature, (mean, spread): (f64, f64), (least, greatest): (f64, f64)) -> Scale {
    Scale { feature, mean, spread, least, greatest }
}

/// A gate of two members: the second is believed where it is sharp, the first where it is sure.
fn gate() -> Adaptive {
    Adaptive {
        features: vec![
            scale(Feature::Sharpness, (3.0, 1.0), (1.0, 5.0)),
            scale(Feature::Brightness, (0.5, 0.25), (0.25, 0.75)),
        ],
        entropy_mean: 0.5,
        members: vec![
            Tilt { quality: vec![0.0, 0.0], uncertainty: -2.0 },
            Tilt { quality: vec![1.0, 0.5], uncertainty: 0.0 },
        ],
    }
}

fn taken(sharpness: f64, brightness: f64) -> Quality {
    Quality { sharpness, brightness, clipped: 0.0, noise: 0.0 }
}

fn weights(gate: &Adaptive, quality: &Quality, plain: [f64; 2], scores: [f64; 2]) -> Vec<f64> {
    let held = gate.hold(quality);
    let weighed = |voter: usize| Weighed { voter, weight: plain[voter], score: scores[voter], held: Some(&held) };
    gate.weights(&[weighed(0), weighed(1)])
}

#[test]
fn by_hand() {
    assert!(gate().is_sound(2) && !gate().is_sound(1));
    assert_eq!((entropy(0.5), entropy(0.0), entropy(1.0)), (1.0, 0.0, 0.0));
    // One deviation sharper raises the second by e; being wholly unsure lowers the first by e: together e^2 to 1.
    let found = weights(&gate(), &taken(4_f64.exp() - 1.0, 0.5), [0.5, 0.5], [0.5, 0.9]);
    assert!((found[1] / found[0] - 2_f64.exp()).abs() < 1e-9, "{found:?}");
}

#[test]
fn what_lies_beyond_is_held_at_the_border_and_named() {
    let gate = gate();
    let held = gate.hold(&taken(1e6, 0.1));
    assert_eq!(
        (held.features.as_slice(), held.beyond.as_slice()),
        ([2.0, -1.0].as_slice(), Feature::ALL[..2].as_ref())
    );
    assert_eq!(gate.hold(&taken(20.0, 0.5)).beyond, []);
}

#[test]
fn a_gate_of_wild_numbers_is_not_sound() {
    let told = |change: fn(&mut Adaptive)| {
        let mut gate = gate();
        change(&mut gate);
        gate.is_sound(2)
    };
    assert!(told(|_| ()));
    assert!(!told(|gate| gate.features[0].spread = 0.0));
    assert!(!told(|gate| gate.features[0].least = 9.0));
    assert!(!told(|gate| gate.features[0].spread = 1e-300));
    assert!(!told(|gate| gate.features[1].feature = Feature::Sharpness));
    assert!(!told(|gate| gate.members[1].quality = vec![1.0]));
    assert!(!told(|gate| gate.members[1].uncertainty = f64::NAN));
    assert!(!told(|gate| gate.entropy_mean = 1.5));
}

proptest! {
    #[test]
    fn weights_are_on_the_simplex(
        by in prop::collection::vec(-MOST..MOST, 6),
        taken in (0.0..1e6f64, 0.0..=1.0f64),
        plain in (0.0..10.0f64, 0.001..10.0f64),
        scores in (0.0..=1.0f64, 0.0..=1.0f64),
    ) {
        let mut gate = gate();
        gate.members = by.chunks(3).map(|by| Tilt { quality: by[..2].to_vec(), uncertainty: by[2] }).collect();
        prop_assert!(gate.is_sound(2));
        let quality = super::tests::taken(taken.0, taken.1);
        let found = weights(&gate, &quality, [plain.0, plain.1], [scores.0, scores.1]);
        prop_assert!(found.iter().all(|weight| (0.0..=1.0).contains(weight)), "{:?}", found);
        prop_assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{:?}", found);
    }

    #[test]
    fn where_nothing_speaks_for_a_member_the_weights_are_the_plain_ones(
        by in (-5.0..5.0f64, -5.0..5.0f64, -5.0..5.0f64),
        taken in (0.0..1e6f64, 0.0..=1.0f64),
        plain in 0.0..=1.0f64,
        score in 0.0..=1.0f64,
    ) {
        // Both move alike with the quality and their own doubt, and doubt alike.
        let mut gate = gate();
        gate.members = vec![Tilt { quality: vec![by.0, by.1], uncertainty: by.2 }; 2];
        let quality = super::tests::taken(taken.0, taken.1);
        let found = weights(&gate, &quality, [plain, 1.0 - plain], [score, 1.0 - score]);
        prop_assert!((found[0] - plain).abs() < 1e-9 && (found[1] - 1.0 + plain).abs() < 1e-9, "{:?}", found);
        // At the mean of everything it is so for every gate.
        gate.members[1] = Tilt { quality: vec![by.2, by.0], uncertainty: by.1 };
        let (mean, unsure) = (super::tests::taken(3_f64.exp() - 1.0, 0.5), 0.110_027_864_438_5);
        let found = weights(&gate, &mean, [plain, 1.0 - plain], [unsure, unsure]);
        prop_assert!((found[0] - plain).abs() < 1e-6, "{:?}", found);
    }
}
