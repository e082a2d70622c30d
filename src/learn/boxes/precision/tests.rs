//! Figures as `pycocotools` has them, by hand, and what holds for every set.

use super::*;
use crate::fusion::boxes::Shape;
use proptest::prelude::*;
use serde::Deserialize;

fn outline([left, top, right, bottom]: [f64; 4]) -> Outline {
    Outline::of(&Shape::Upright([left, top, right, bottom])).unwrap()
}

/// `tests/fixtures/precision`: everything in it comes from `pycocotools`.
#[derive(Deserialize)]
struct Case {
    pictures: Vec<Boxes>,
    at_50: Option<f64>,
    over_all: Option<f64>,
    labels: Vec<[Option<f64>; 2]>,
}

#[derive(Deserialize)]
struct Boxes {
    truths: Vec<(usize, f64, f64, f64, f64)>,
    found: Vec<(usize, f64, f64, f64, f64, f64)>,
}

type Owned = Vec<(Vec<Truth>, Vec<Found>)>;

fn matches(pictures: &Owned) -> Matches {
    Matches::of(&pictures.iter().map(|(truths, found)| (truths.as_slice(), found.as_slice())).collect::<Vec<_>>())
}

fn mean(pictures: &Owned) -> Option<Precision> {
    matches(pictures).mean(&vec![1; pictures.len()])
}

/// The distance of a figure to that of the package: where one has none, the other must have none.
fn apart(seen: Option<f64>, wanted: Option<f64>) -> f64 {
    assert_eq!(seen.is_some(), wanted.is_some());
    seen.zip(wanted).map_or(0.0, |(seen, wanted)| (seen - wanted).abs())
}

#[test]
fn the_figures_are_those_of_pycocotools() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../../tests/fixtures/precision/cases.json")).unwrap();
    let (mut farthest, mut figures, mut most) = (0.0, 0, 0);
    for case in &cases {
        let truth = |&(label, left, top, right, bottom)| Truth { outline: outline([left, top, right, bottom]), label };
        let found = |&(label, confidence, left, top, right, bottom)| Found {
            outline: outline([left, top, right, bottom]),
            confidence,
            label,
        };
        let pictures: Owned = case
            .pictures
            .iter()
            .map(|one| (one.truths.iter().map(truth).collect(), one.found.iter().map(found).collect()))
            .collect();
        most = pictures.iter().map(|(_, found)| found.len()).fold(most, usize::max);
        let whole = vec![1; pictures.len()];
        let matches = matches(&pictures);
        let mut hold = |seen: Option<Precision>, [at_50, over_all]: [Option<f64>; 2]| {
            farthest = f64::max(farthest, apart(seen.map(|seen| seen.at_50), at_50));
            farthest = f64::max(farthest, apart(seen.map(|seen| seen.over_all), over_all));
            figures += 2;
        };
        hold(matches.mean(&whole), [case.at_50, case.over_all]);
        for (label, wanted) in case.labels.iter().enumerate() {
            hold(matches.of_label(label, &whole), *wanted);
        }
    }
    println!("{} sets, {figures} figures, farthest {farthest:.1e}", cases.len());
    assert!(cases.len() >= 50 && most > MOST, "{} sets, {most} boxes", cases.len());
    assert!(cases.iter().any(|case| case.over_all.is_none()), "no set without labelled boxes");
    assert!(farthest < 1e-6, "{farthest}");
}

#[test]
fn by_hand() {
    let truth = |corners| Truth { outline: outline(corners), label: 0 };
    let found = |corners, confidence| Found { outline: outline(corners), confidence, label: 0 };
    let [a, b] = [[0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0]];
    // Right, wrong, right: precision 1 up to a recall of 0.5 (51 recalls), then 2/3 (50 recalls).
    let picture = (vec![truth(a), truth(b)], vec![found(a, 0.9), found([50.0, 0.0, 60.0, 10.0], 0.8), found(b, 0.7)]);
    let Precision { at_50, over_all } = mean(&vec![picture]).unwrap();
    let wanted = (51.0 + 50.0 * 2.0 / 3.0) / 101.0;
    assert!((at_50 - wanted).abs() < 1e-12 && (over_all - wanted).abs() < 1e-12, "{at_50} {over_all}");
    // An overlap of 0.6 is enough at 0.50, 0.55 and 0.60 only.
    let off = (vec![truth(a)], vec![found([0.0, 0.0, 10.0, 6.0], 0.5)]);
    let Precision { at_50, over_all } = mean(&vec![off]).unwrap();
    assert!((at_50 - 1.0).abs() < 1e-12 && (over_all - 0.3).abs() < 1e-12, "{at_50} {over_all}");
    // The second box on one thing is wrong, for the thing is taken.
    let twice = (vec![truth(a), truth(b)], vec![found(a, 0.9), found(a, 0.8)]);
    let at_50 = mean(&vec![twice]).unwrap().at_50;
    assert!((at_50 - 51.0 / 101.0).abs() < 1e-12, "{at_50}");
    assert_eq!(mean(&vec![(Vec::new(), vec![found(a, 0.9)])]), None, "there is nothing to find");
    // Oriented boxes: a square and the same turned by 45 degrees overlap by 0.7071, enough up to 0.70.
    let half = 2f64.sqrt();
    let diamond = Shape::Oriented([[half, 0.0], [0.0, half], [-half, 0.0], [0.0, -half]]);
    let turned = Found { outline: Outline::of(&diamond).unwrap(), confidence: 0.5, label: 0 };
    let over_all = mean(&vec![(vec![truth([-1.0, -1.0, 1.0, 1.0])], vec![turned])]).unwrap().over_all;
    assert!((over_all - 0.5).abs() < 1e-12, "{over_all}");
}

fn any_box() -> impl Strategy<Value = (usize, [f64; 4])> {
    (0_usize..3, 0_u8..40, 0_u8..40, 3_u8..20, 3_u8..20).prop_map(|(label, left, top, width, height)| {
        let [left, top, width, height] = [left, top, width, height].map(f64::from);
        (label, [left, top, left + width, top + height])
    })
}

/// Pictures in which no two boxes are equally sure.
fn any_pictures() -> impl Strategy<Value = Owned> {
    let picture = (prop::collection::vec(any_box(), 0..5), prop::collection::vec((any_box(), 0.1..1.0f64), 0..8));
    prop::collection::vec(picture, 1..6).prop_map(|pictures| {
        let mut number = 0.0;
        let mut of = |((label, corners), confidence): ((usize, [f64; 4]), f64)| {
            number += 1.0;
            Found { outline: outline(corners), confidence: confidence - number * 1e-9, label }
        };
        let truth = |(label, corners)| Truth { outline: outline(corners), label };
        pictures
            .into_iter()
            .map(|(truths, found)| (truths.into_iter().map(truth).collect(), found.into_iter().map(&mut of).collect()))
            .collect()
    })
}

fn bits(precision: Option<Precision>) -> Option<(u64, u64)> {
    precision.map(|Precision { at_50, over_all }| (at_50.to_bits(), over_all.to_bits()))
}

proptest! {
    #[test]
    fn the_order_of_pictures_and_boxes_does_not_matter(mut pictures in any_pictures(), seed in any::<u64>()) {
        let before = mean(&pictures);
        if let Some(Precision { at_50, over_all }) = before {
            prop_assert!((0.0..=1.0).contains(&at_50) && (0.0..=1.0).contains(&over_all));
        }
        let mut random = fastrand::Rng::with_seed(seed);
        random.shuffle(&mut pictures);
        for (_, found) in &mut pictures {
            random.shuffle(found);
        }
        prop_assert_eq!(bits(mean(&pictures)), bits(before));
    }

    #[test]
    fn equal_pictures_may_change_places_whatever_is_equally_sure(mut pictures in any_pictures(), times in 2_usize..4) {
        for (_, found) in &mut pictures {
            for found in found.iter_mut() {
                found.confidence = 0.5;
            }
        }
        let copies: Owned = pictures.iter().flat_map(|one| std::iter::repeat_n(one.clone(), times)).collect();
        let mut other = copies.clone();
        for chunk in other.chunks_mut(times) {
            chunk.reverse();
        }
        prop_assert_eq!(bits(mean(&copies)), bits(mean(&other)));
    }

    #[test]
    fn who_finds_all_and_nothing_else_has_1(mut pictures in any_pictures()) {
        for (truths, found) in &mut pictures {
            let sure = |(place, truth): (usize, &Truth)| Found {
                outline: truth.outline,
                confidence: 1.0 / f64::from(u32::try_from(place + 1).unwrap()),
                label: truth.label,
            };
            *found = truths.iter().enumerate().map(sure).collect();
        }
        if let Some(Precision { at_50, over_all }) = mean(&pictures) {
            prop_assert!((at_50 - 1.0).abs() < 1e-12 && (over_all - 1.0).abs() < 1e-12, "{} {}", at_50, over_all);
        }
    }

    #[test]
    fn a_false_box_below_all_others_never_raises_it(mut pictures in any_pictures(), label in 0_usize..3) {
        let before = mean(&pictures);
        let far = Found { outline: outline([500.0, 500.0, 510.0, 510.0]), confidence: 0.01, label };
        pictures[0].1.push(far);
        let after = mean(&pictures);
        prop_assert_eq!(bits(after), bits(before), "below all right boxes it changes nothing");
        pictures[0].1.last_mut().unwrap().confidence = 1.0;
        let above = mean(&pictures);
        if let Some((above, before)) = above.zip(before) {
            prop_assert!(above.at_50 <= before.at_50 && above.over_all <= before.over_all);
        }
    }

    #[test]
    fn a_picture_that_counts_twice_is_two_pictures(pictures in any_pictures(), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let drawn: Vec<u32> = pictures.iter().map(|_| random.u32(0..4)).collect();
        let times = |(one, drawn): (&(Vec<Truth>, Vec<Found>), &u32)| std::iter::repeat_n(one.clone(), *drawn as usize);
        let copies: Owned = pictures.iter().zip(&drawn).flat_map(times).collect();
        let (seen, wanted) = (matches(&pictures).mean(&drawn), mean(&copies));
        prop_assert_eq!(seen.is_some(), wanted.is_some());
        if let Some((seen, wanted)) = seen.zip(wanted) {
            prop_assert!((seen.at_50 - wanted.at_50).abs() < 1e-12 && (seen.over_all - wanted.over_all).abs() < 1e-12);
        }
    }
}
