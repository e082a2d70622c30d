//! A gate learns whom to believe when, and stays with the plain weights where there is nothing to learn.

use proptest::prelude::*;

use super::*;
use crate::fusion::calibrator::logistic;

/// Parts of which `knows(member, sharp)` says how much a member knows of a sharp or a blurred one.
fn drawn(parts: usize, knows: impl Fn(usize, bool) -> f64) -> (Vec<Vec<f64>>, Vec<bool>, Vec<Quality>) {
    let mut random = fastrand::Rng::with_seed(5);
    let mut normal = move || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
    let (mut members, mut defective, mut quality) = (vec![Vec::new(); 2], Vec::new(), Vec::new());
    for place in 0..parts {
        let (is, sharp) = (place % 3 == 0, place % 2 == 0);
        for (member, chances) in members.iter_mut().enumerate() {
            let strength = knows(member, sharp);
            let seen = strength * (if is { 1.0 } else { -1.0 } + normal());
            chances.push(logistic(2.0 * strength * seen - 0.7));
        }
        defective.push(is);
        let sharpness = if sharp { 400.0 } else { 20.0 };
        quality.push(Quality { sharpness, brightness: 0.5, clipped: 0.0, noise: 2.0 });
    }
    (members, defective, quality)
}

fn loss(gate: &Adaptive, plain: &[f64], pictures: &Pictures<'_>) -> f64 {
    let held: Vec<Held> = pictures.quality.iter().map(|quality| gate.hold(quality)).collect();
    let mixture = Mixture { pictures, plain, held: &held, blank: gate.clone() };
    let at: Vec<f64> =
        gate.members.iter().flat_map(|tilt| tilt.quality.iter().copied().chain([tilt.uncertainty])).collect();
    mixture.loss(&at)
}

#[test]
fn who_sees_better_when_it_is_blurred_is_believed_then() {
    let (members, defective, quality) = drawn(1200, |member, sharp| if (member == 0) == sharp { 1.2 } else { 0.1 });
    let pictures = Pictures { members: &members, defective: &defective, quality: &quality, copies: 1.0 };
    let plain = [0.5, 0.5];
    let gate = fit(&pictures, &plain);
    assert!(gate.is_sound(2), "{gate:?}");
    let weights = |place: usize| {
        let held = gate.hold(&quality[place]);
        let weighed = |voter| Weighed { voter, weight: 0.5, score: 0.5, held: Some(&held) };
        gate.weights(&[weighed(0), weighed(1)])
    };
    assert!(weights(0)[0] > 0.7, "sharp: {:?}", weights(0));
    assert!(weights(1)[1] > 0.7, "blurred: {:?}", weights(1));
    assert!(loss(&gate, &plain, &pictures) < loss(&blank(&pictures), &plain, &pictures) - 20.0);
}

#[test]
fn where_the_quality_tells_nothing_the_weights_hardly_move() {
    let (members, defective, mut quality) = drawn(1200, |member, _| if member == 0 { 0.9 } else { 0.5 });
    for quality in &mut quality {
        quality.sharpness = 100.0;
    }
    let pictures = Pictures { members: &members, defective: &defective, quality: &quality, copies: 1.0 };
    let gate = fit(&pictures, &[0.6, 0.4]);
    assert!(gate.is_sound(2), "{gate:?}");
    // Nothing of the quality moved, so no coefficient of it has.
    assert!(gate.members.iter().flat_map(|tilt| &tilt.quality).all(|by| by.abs() < 1e-9), "{gate:?}");
}

#[test]
fn nobody_starts_unheard() {
    let heard = heard(&[1.0, 0.0]);
    assert!((heard[0] - 1.0 / 1.02).abs() < 1e-12 && (heard.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_gate_is_sound_and_never_worse_than_the_plain_weights(
        parts in prop::collection::vec(
            (any::<bool>(), 0.0..=1.0f64, 0.0..=1.0f64, (0.0..1e5f64, 0.0..=1.0f64, 0.0..=1.0f64, 0.0..100.0f64)), 1..40),
        plain in 0.05..0.95f64,
    ) {
        let members = vec![parts.iter().map(|part| part.1).collect(), parts.iter().map(|part| part.2).collect()];
        let defective: Vec<bool> = parts.iter().map(|part| part.0).collect();
        let quality = |part: &(bool, f64, f64, (f64, f64, f64, f64))| {
            let (sharpness, brightness, clipped, noise) = part.3;
            Quality { sharpness, brightness, clipped, noise }
        };
        let quality: Vec<Quality> = parts.iter().map(quality).collect();
        let pictures = Pictures { members: &members, defective: &defective, quality: &quality, copies: 1.0 };
        let plain = [plain, 1.0 - plain];
        let gate = fit(&pictures, &plain);
        prop_assert!(gate.is_sound(2), "{:?}", gate);
        prop_assert!(loss(&gate, &plain, &pictures) <= loss(&blank(&pictures), &plain, &pictures) + 1e-9);
    }

    #[test]
    fn the_slopes_are_those_of_the_loss(at in prop::collection::vec(-1.0..1.0f64, 10)) {
        let (members, defective, quality) = drawn(30, |member, sharp| if (member == 0) == sharp { 1.0 } else { 0.4 });
        let pictures = Pictures { members: &members, defective: &defective, quality: &quality, copies: 2.0 };
        let blank = blank(&pictures);
        let held: Vec<Held> = quality.iter().map(|quality| blank.hold(quality)).collect();
        let mixture = Mixture { pictures: &pictures, plain: &[0.3, 0.7], held: &held, blank };
        let (gradient, _) = mixture.slopes(&at);
        for place in 0..at.len() {
            let beside = |by: f64| { let mut at = at.clone(); at[place] += by; mixture.loss(&at) };
            let slope = (beside(1e-5) - beside(-1e-5)) / 2e-5;
            prop_assert!((slope - gradient[place]).abs() < 1e-5 * (1.0 + slope.abs()), "{} {}", slope, gradient[place]);
        }
    }
}
