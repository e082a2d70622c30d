//! A fit for the tests of whoever reads one, and what is refused of its numbers.

use super::*;
use crate::models::price::{DeLong, Estimate};

/// A fit of the route `all` with two members, with everything in it that the method wants.
pub(crate) fn fit(number: u32) -> Fit {
    let name = |text: &str| Name::new(text).unwrap();
    let estimate = Estimate { value: 0.9, low: 0.875, high: 0.925 };
    let ranked = |name: &str| Ranked { name: name.into(), log_loss: 0.5, average_precision: 0.75, auc: estimate };
    let member = |model: &str, weight, calibrator| FittedMember {
        model: name(model),
        sha256: "9f4ce5f9f4e25096145807d5cf60a82bdde3b91f809ee1a5c36a58888f92dbd5".into(),
        weight,
        calibrator,
    };
    let delong = Some(DeLong { difference: 0.02, standard_error: 0.005, p: 0.0001 });
    let control = Control { name: "one".into(), auc: estimate, delong, beaten: true, significant: true };
    Fit {
        schema: SCHEMA.into(),
        kenpin: "0.1.0".into(),
        fitted: "2026-11-25T12:00:00Z".parse().unwrap(),
        number,
        route: name("all"),
        rung: None,
        over: Over::Defect,
        method: Method::WeightedMean,
        thresholds: Thresholds { reject_from: 0.5, pass_below: 0.25 },
        promise: Promise::Cost { escape_cost: 10.0 },
        members: vec![
            member("brightness", 0.75, Calibrator::Platt { slope: 0.5, intercept: 0.0 }),
            member("brightness", 0.25, Calibrator::None),
        ],
        stacking: None,
        concatenation: None,
        classes: Vec::new(),
        measured: None,
        adaptive: None,
        cascade: None,
        boxes: None,
        labels: MeasuredSet { path: "set".into(), sha256: "2".repeat(64), parts: 20, defective: 8 },
        simulated: Vec::new(),
        scores: "models".into(),
        reviewed: None,
        evidence: Some(Evidence {
            parts: 20,
            defective: 8,
            folds: 5,
            members: vec![ranked("one"), ranked("two")],
            methods: vec![ranked("mean")],
            fused: ranked("fused"),
            control: Some(control),
            classes: Vec::new(),
            measured: None,
        }),
        reference: None,
    }
}

#[test]
fn numbers_out_of_their_range_are_told() {
    let told = |change: fn(&mut Fit)| {
        let mut fit = fit(1);
        change(&mut fit);
        fit.check().unwrap_err()
    };
    assert_eq!(fit(1).check(), Ok(()));
    assert!(told(|fit| fit.thresholds.reject_from = 1.5).starts_with("its thresholds are 0.25 and 1.5"));
    assert!(told(|fit| fit.members[0].weight = f64::NAN).starts_with("the weight of brightness is NaN"));
    assert!(told(|fit| fit.members.iter_mut().for_each(|member| member.weight = 0.0)).starts_with("no member has"));
    assert!(
        told(|fit| fit.members[1].calibrator = Calibrator::Temperature { slope: -1.0 }).contains("none that rises")
    );
    assert!(told(|fit| fit.method = Method::Stacking).starts_with("`stacking` belongs"));
    assert!(told(|fit| fit.method = Method::Adaptive).starts_with("`adaptive` belongs"));
    assert!(told(|fit| fit.method = Method::Concatenation).starts_with("`concatenation` belongs"));
    assert!(told(|fit| fit.method = Method::ClassWeights).starts_with("`classes` belongs"));
    assert!(told(|fit| fit.method = Method::Regression).starts_with("`measured` belongs"));
    let boxes = told(|fit| fit.over = Over::Boxes);
    assert_eq!(boxes, "the method weighted mean is none for a fusion over Boxes");
    assert!(told(|fit| fit.method = Method::Cascade).starts_with("`cascade` belongs"));
    assert!(told(|fit| fit.method = Method::Boxes).starts_with("`boxes` belongs"));
    assert!(told(|fit| fit.evidence = None).starts_with("`boxes` belongs"));
}
