//! What an ensemble may claim: twins are found, a useless second member beats nothing, two that know different things do.

use super::*;
use crate::fusion::calibrator::{logistic, logit};

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
    Parts { names, members, defective, groups: None, copies: None }
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
