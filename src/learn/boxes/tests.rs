//! Simulated members on simulated pictures: whoever sees what others do not is worth more together, noise is not.

use super::*;
use crate::fusion::boxes::{BoxFusion, Outline, Shape};

/// What one simulated member sees of the things in a picture.
type Sees = fn(place: usize, random: &mut fastrand::Rng) -> bool;

fn outline(corners: [f64; 4]) -> Outline {
    Outline::of(&Shape::Upright(corners)).unwrap()
}

/// Pictures with 0 to 3 things (every fifth with none where `good`), each of which a member finds a little off where it sees it,
/// and with `noise` false boxes of each member.
fn simulated(count: usize, good: bool, sees: &[Sees], noise: &[usize], seed: u64) -> Set {
    let mut random = fastrand::Rng::with_seed(seed);
    let place = |random: &mut fastrand::Rng| {
        let [left, top] = [random.f64() * 500.0, random.f64() * 300.0];
        [left, top, left + 30.0 + random.f64() * 40.0, top + 30.0 + random.f64() * 40.0]
    };
    let mut number = 0;
    let pictures = (0..count).map(|picture| {
        let things = if good && picture % 5 == 0 { 0 } else { 1 + picture % 3 };
        let things: Vec<[f64; 4]> = (0..things).map(|_| place(&mut random)).collect();
        let mut found = vec![Vec::new(); sees.len()];
        for thing in &things {
            number += 1;
            for (sees, found) in sees.iter().zip(&mut found) {
                if sees(number, &mut random) {
                    let off = thing.map(|corner| corner + 6.0 * (random.f64() - 0.5));
                    found.push(Found { outline: outline(off), confidence: 0.4 + 0.6 * random.f64(), label: 0 });
                }
            }
        }
        for (noise, found) in noise.iter().zip(&mut found) {
            for _ in 0..*noise {
                found.push(Found { outline: outline(place(&mut random)), confidence: random.f64(), label: 0 });
            }
        }
        Picture { truths: things.iter().map(|thing| Truth { outline: outline(*thing), label: 0 }).collect(), found }
    });
    Set {
        members: (0..sees.len()).map(|member| format!("member {member}")).collect(),
        labels: vec![Name::new("spot").unwrap()],
        defects: BTreeSet::from([0]),
        pictures: pictures.collect(),
    }
}

fn learned(set: &Set) -> Fitted {
    fit(set, Aim::Cost(1.0), &|| ()).unwrap()
}

#[test]
fn two_members_of_which_each_sees_half_beat_either() {
    let set = simulated(60, true, &[|thing, _| thing % 2 == 0, |thing, _| thing % 2 == 1], &[1, 1], 1);
    let fitted = learned(&set);
    let control = fitted.evidence.control.clone().unwrap();
    assert!(control.beaten && control.significant && control.p < 0.01, "{control:?}");
    assert!(control.difference.low > 0.1, "{control:?}");
    assert!(fitted.joined.weights.iter().all(|weight| *weight > 0.0), "{:?}", fitted.joined);
    assert!(fitted.thresholds.is_some());
    assert_eq!(fitted, learned(&set), "the same set, the same fit");
    assert_eq!(fitted.evidence.labels[0].boxes, fitted.evidence.boxes);
}

#[test]
fn a_member_of_pure_noise_loses_its_weight() {
    let set = simulated(60, true, &[|_, random| random.f64() < 0.9, |_, _| false], &[1, 6], 2);
    let fitted = learned(&set);
    let control = fitted.evidence.control.clone().unwrap();
    assert_eq!(control.name, "member 0");
    assert!(!control.significant, "{control:?}");
    assert!(fitted.joined.weights[0] >= 1.0 && fitted.joined.weights[1] <= 0.25, "{:?}", fitted.joined);
}

#[test]
fn without_good_pictures_the_thresholds_stay_and_a_bound_is_refused() {
    let set = simulated(30, false, &[|thing, _| thing % 2 == 0, |thing, _| thing % 3 != 0], &[1, 1], 3);
    let fitted = learned(&set);
    assert_eq!((fitted.thresholds, &fitted.promise), (None, &Promise::AsConfigured));
    let told = fit(&set, Aim::Bound { escapes: 0.2, confidence: 0.9 }, &|| ()).unwrap_err();
    assert_eq!(
        told,
        "a bound on escapes wants at least 5 pictures with a defect and as many without, there are 30 and 0"
    );
}

#[test]
fn a_bound_is_tested_on_the_half_that_chose_nothing() {
    let set = simulated(100, true, &[|thing, _| thing % 2 == 0, |thing, _| thing % 2 == 1], &[0, 0], 4);
    let fitted = fit(&set, Aim::Bound { escapes: 0.1, confidence: 0.9 }, &|| ()).unwrap();
    let Promise::EscapeBound { defective, escaped, .. } = fitted.promise else { panic!("{:?}", fitted.promise) };
    assert_eq!(defective, 40);
    // At most 1 of 40: P(X <= 1) at 10 % is 0.080, P(X <= 2) is 0.223.
    assert!(escaped <= 1, "{escaped}");
}

#[test]
fn what_is_no_ensemble_or_no_set_is_refused() {
    let sees: Sees = |_, _| true;
    let told = |set: &Set| fit(set, Aim::Cost(1.0), &|| ()).unwrap_err();
    assert!(told(&simulated(30, true, &[sees], &[1], 5)).starts_with("there is one member"));
    let mut twins = simulated(30, true, &[sees, sees], &[1, 1], 5);
    for picture in &mut twins.pictures {
        picture.found[1] = picture.found[0].clone();
    }
    assert_eq!(told(&twins), "member 0 and member 1 find the same in every picture: one member counted twice");
    let few = told(&simulated(6, true, &[sees, sees], &[1, 1], 5));
    assert_eq!(few, "there are 6 pictures, 4 of them with labelled boxes: want at least 10, 5 of them with boxes");
}

#[test]
fn oriented_boxes_are_never_averaged() {
    let mut set = simulated(20, true, &[|thing, _| thing % 2 == 0, |thing, _| thing % 2 == 1], &[1, 1], 6);
    for found in set.pictures.iter_mut().flat_map(|picture| picture.found.iter_mut().flatten()) {
        let [left, top, right, bottom] = found.outline.bounds();
        let turned = [[left, top], [right, top], [right, bottom], [left, bottom]];
        found.outline = Outline::of(&Shape::Oriented(turned)).unwrap();
    }
    let fitted = learned(&set);
    assert!(!matches!(fitted.joined.fusion, BoxFusion::WeightedBoxes { .. }));
}
