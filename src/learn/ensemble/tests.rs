//! What an ensemble may claim: twins are found, a useless second member beats nothing, two that know different things do.

use super::*;
use crate::fusion::adaptive::Quality;
use crate::fusion::calibrator::{logistic, logit};
use crate::fusion::concatenation::Says;
use crate::learn::concatenate::Terms;
use crate::learn::sampling::weights;

/// Members that see the truth through noise of their own, of these strengths.
fn drawn(parts: usize, strengths: &[f64], seed: u64) -> Parts {
    let mut random = fastrand::Rng::with_seed(seed);
    // The sum of twelve uniform numbers less 6 is near enough to a normal one.
    let mut normal = move || (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
    let defective: Vec<bool> = (0..parts).map(|place| place % 3 == 0).collect();
    let mut member = |strength: f64| {
        let score = |is: &bool| logistic(strength * if *is { 1.0 } else { -1.0 } + normal());
        defective.iter().map(score).collect::<Vec<f64>>()
    };
    let members: Vec<Vec<f64>> = strengths.iter().map(|strength| member(*strength)).collect();
    let names = (0..members.len()).map(|place| format!("m{place}")).collect();
    Parts { names, members, defective, weights: vec![1.0; parts], ..Parts::default() }
}

#[test]
fn two_that_know_different_things_beat_the_better_one() {
    let parts = drawn(600, &[0.8, 0.8], 1);
    let evidence = evidence(&parts, &parts.methods()).unwrap().0;
    let control = evidence.control.unwrap();
    assert!(control.beaten && control.significant, "{control:?}");
    assert!(evidence.fused.auc.value > control.auc.value + 0.02);
    assert_eq!(evidence.methods.len(), 4);
    let fused = fit(&parts, &parts.methods()).unwrap();
    let score = fused.score(&parts, 0);
    assert!((0.0..=1.0).contains(&score));
    if let Some(stacking) = &fused.stacking {
        assert!((score - stacking.apply(&parts.said(0)).unwrap()).abs() < 1e-12);
    }
}

#[test]
fn who_knows_nothing_adds_nothing() {
    let parts = drawn(300, &[1.0, 0.0], 2);
    let evidence = evidence(&parts, &parts.methods()).unwrap().0;
    let control = evidence.control.unwrap();
    assert_eq!(control.name, "m0");
    assert!(!control.significant, "{control:?}");
}

#[test]
fn copies_are_found_and_beat_nobody() {
    let mut parts = drawn(200, &[1.0, 0.7], 3);
    assert_eq!(parts.twins(), None);
    parts.members.push(parts.members[0].clone());
    parts.names.push("copy".into());
    assert_eq!(parts.twins(), Some(("m0", "copy")));
    parts.members = vec![parts.members[0].clone(); 3];
    let control = evidence(&parts, &parts.methods()).unwrap().0.control.unwrap();
    assert!(!control.significant, "three copies of one member: {control:?}");
}

#[test]
fn a_single_member_is_calibrated_and_has_no_control() {
    let mut parts = drawn(900, &[0.8], 4);
    for score in &mut parts.members[0] {
        *score = logistic(3.0 * logit(*score) + 1.0);
    }
    let evidence = evidence(&parts, &parts.methods()).unwrap().0;
    assert!(evidence.control.is_none());
    assert!(evidence.fused.log_loss < evidence.members[0].log_loss - 0.05, "{evidence:?}");
    let fused = fit(&parts, &parts.methods()).unwrap();
    assert_eq!((fused.method, fused.weights.as_slice()), (Method::Single, [1.0].as_slice()));
    assert_ne!(fused.calibrators, [Calibrator::None]);
}

/// Pictures that are there twice, sharp and blurred; each member knows the one kind, and is as sure and wrong of the other.
fn blurred(pictures: usize) -> Parts {
    let mut random = fastrand::Rng::with_seed(7);
    let places: Vec<(bool, bool)> = (0..2 * pictures).map(|place| (place / 2 % 3 == 0, place % 2 == 0)).collect();
    let mut member = |of: bool| {
        let mut say = |(is, sharp): &(bool, bool)| {
            let believed = if *sharp == of { *is } else { random.u8(..3) == 0 };
            logistic(3.0 * if believed { 1.0 } else { -1.0 } + 3.0 * (random.f64() + random.f64() - 1.0))
        };
        places.iter().map(&mut say).collect::<Vec<f64>>()
    };
    let members = vec![member(true), member(false)];
    let sharpness = |sharp: bool| if sharp { 400.0 } else { 20.0 };
    let quality = |sharp| Quality { sharpness: sharpness(sharp), brightness: 0.5, clipped: 0.0, noise: 1.0 };
    let picture: Vec<usize> = (0..2 * pictures).map(|place| place / 2).collect();
    Parts {
        names: vec!["sharp".into(), "blurred".into()],
        members,
        defective: places.iter().map(|(is, _)| *is).collect(),
        weights: vec![1.0; 2 * pictures],
        groups: Some(picture.clone()),
        copies: Some(Copies {
            picture,
            as_taken: places.iter().map(|(_, sharp)| *sharp).collect(),
            quality: places.iter().map(|(_, sharp)| quality(*sharp)).collect(),
            each: 2,
        }),
        ..Parts::default()
    }
}

#[test]
fn adaptive_weights_win_where_the_quality_tells_whom_to_believe() {
    let parts = blurred(300);
    let held = parts.folds(FOLDS).unwrap();
    assert!((0..600).all(|place| held[place] == held[place / 2 * 2]), "copies stand on one side");
    let evidence = evidence(&parts, &parts.methods()).unwrap().0;
    let loss = |method: Method| {
        let found = evidence.methods.iter().find(|ranked| ranked.name == method.as_str());
        found.unwrap_or_else(|| panic!("{evidence:?}")).log_loss
    };
    assert!(Method::ENSEMBLES.into_iter().all(|other| loss(Method::Adaptive) < loss(other) - 0.02), "{evidence:?}");
    let fused = fit(&parts, &parts.methods()).unwrap();
    assert_eq!(fused.method, Method::Adaptive);
    assert_eq!(parts.as_taken().len(), 300);
}

#[test]
fn passes_that_few_looked_at_weigh_as_many() {
    // Of 6,000 parts all are labelled whose score rejects, and a tenth of the others: as if all had been.
    let all = drawn(6000, &[1.0], 6);
    let mut random = fastrand::Rng::with_seed(8);
    let chance = |place: usize| if all.members[0][place] >= 0.5 { 1.0 } else { 0.1 };
    let seen: Vec<usize> = (0..all.len()).filter(|&place| random.f64() < chance(place)).collect();
    let plain = all.at(&seen);
    let chances: Vec<f64> = seen.iter().map(|&place| chance(place)).collect();
    let weighted = Parts { weights: weights(&chances), ..plain.clone() };
    let of = |Parts { members, defective, weights, .. }: &Parts| {
        let scores = &members[0];
        let area = Scored::weighted(defective, scores, weights).unwrap().auc(&vec![1; scores.len()]);
        let escapes = |passes: bool| -> f64 {
            let parts = scores.iter().zip(defective).zip(weights);
            parts.filter(|((score, is), _)| **is && (!passes || **score < 0.5)).map(|(_, weight)| weight).sum()
        };
        [area, log_loss(&Sample { scores, defective, weights }), escapes(true) / escapes(false)]
    };
    for ((found, biased), wanted) in of(&weighted).into_iter().zip(of(&plain)).zip(of(&all)) {
        assert!(
            (found - wanted).abs() < (biased - wanted).abs() / 3.0,
            "{found} against {wanted}, unweighted {biased}"
        );
    }
}

#[test]
fn too_few_parts_are_told() {
    let parts = drawn(9, &[1.0], 5);
    assert_eq!(
        fit(&parts, &parts.methods()).unwrap_err(),
        "there are 3 defective parts, want at least one in each of 5 folds"
    );
}

#[test]
fn batches_are_held_out_whole_and_the_same_parts_give_the_same_fit() {
    let mut parts = drawn(300, &[0.8, 0.6], 6);
    parts.groups = Some((0..300).map(|place| place / 10).collect());
    let held = parts.folds(FOLDS).unwrap();
    assert!((0..300).all(|place| held[place] == held[place / 10 * 10]));
    assert_eq!(fit(&parts, &parts.methods()).unwrap(), fit(&parts, &parts.methods()).unwrap());
}

#[test]
fn weights_by_class_win_where_each_member_knows_a_class_of_its_own_and_only_there() {
    let of = |classes: crate::learn::class_weights::Classes| {
        let count = classes.truth.len();
        let defective: Vec<bool> = classes.truth.iter().map(|truth| classes.defects[truth.unwrap()]).collect();
        let score = |labels: &Vec<Option<Vec<f64>>>, place: usize| 1.0 - labels[2].as_ref().unwrap()[place];
        let member = |labels| (0..count).map(|place| score(labels, place)).collect();
        let members: Vec<Vec<f64>> = classes.said.iter().map(member).collect();
        let names = vec!["cracks".into(), "stains".into()];
        Parts { names, members, defective, weights: vec![1.0; count], classes: Some(classes), ..Parts::default() }
    };
    let parts = of(crate::learn::class_weights::tests::drawn(600, 4));
    assert_eq!(parts.methods(), Method::BY_CLASS);
    let evidence = evidence(&parts, &parts.methods()).unwrap().0;
    let loss = |name: &str| evidence.methods.iter().find(|ranked| ranked.name == name).unwrap().log_loss;
    assert!(loss("class weights") < loss("weighted mean") - 0.01, "{evidence:?}");
    let better: Vec<bool> = evidence.classes.iter().map(|of| of.log_loss_by_class < of.log_loss).collect();
    assert_eq!((better[0], better[3]), (true, true), "cracks and stains: {:?}", evidence.classes);
    let fused = fit(&parts, &parts.methods()).unwrap();
    assert_eq!(fused.method, Method::ClassWeights);
    assert!((fused.weights.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{fused:?}");
}

#[test]
fn a_concatenation_is_tried_where_there_is_more_than_scores_and_loses_to_no_one_where_it_knows_more() {
    let mut parts = drawn(600, &[0.4, 0.4], 7);
    assert!(!parts.methods().contains(&Method::Concatenation));
    // A value that tells more than any score.
    let mut random = fastrand::Rng::with_seed(9);
    let value: Vec<f64> =
        parts.defective.iter().map(|is| 20.0 + f64::from(u8::from(*is)) + 1.5 * random.f64()).collect();
    let scores = parts.members.iter().map(|scores| scores.iter().map(|score| logit(*score)).collect());
    let name = crate::name::Name::new("width").unwrap();
    let says = vec![(0, Says::Defect), (1, Says::Defect), (2, Says::Value(name))];
    parts.terms = Some(Terms { says, numbers: scores.chain([value]).collect() });
    assert_eq!(parts.methods().len(), 5);
    let fused = fit(&parts, &parts.methods()).unwrap();
    assert_eq!(fused.method, Method::Concatenation);
    let evidence = evidence(&parts, &parts.methods()).unwrap().0;
    assert!(evidence.control.unwrap().significant && evidence.fused.auc.value > 0.85);
}
