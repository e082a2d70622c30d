//! The part of a fit that is for a panel which fuses boxes: the method with its numbers, and what members and ensemble are worth
//! on pictures with labelled boxes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fit, Method};
use crate::fusion::boxes::BoxFusion;
use crate::fusion::calibrator::Calibrator;
use crate::models::price::Estimate;
use crate::name::Name;

/// How the boxes of a panel become one set, with the method `boxes`. The weights stand with the members; confidences are taken
/// as the models give them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FittedBoxes {
    /// The method with its numbers.
    pub fusion: BoxFusion,
    /// Pictures without a file of labels, taken to have no box.
    pub without_file: usize,
    /// What members and ensemble are worth.
    pub evidence: BoxEvidence,
}

/// What members and ensemble are worth on pictures with labelled boxes; figures of the ensemble by cross-validation, from
/// pictures that had no part in choosing it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoxEvidence {
    /// How many pictures.
    pub pictures: usize,
    /// Those of them in which a box is labelled.
    pub with_boxes: usize,
    /// How many boxes are labelled.
    pub boxes: usize,
    /// The folds of the cross-validation.
    pub folds: usize,
    /// Each member's own boxes.
    pub members: Vec<BoxRanked>,
    /// Each member's own boxes, joined among themselves by what is best for them alone, by the same folds.
    pub alone: Vec<BoxRanked>,
    /// The fused boxes.
    pub fused: BoxRanked,
    /// The fused boxes of each label that is labelled.
    pub labels: Vec<LabelPrecision>,
    /// The best single member, its boxes as they are or joined among themselves, against the fused boxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<BoxControl>,
}

/// Mean average precision of one source of boxes, with its 95 % bootstrap interval over pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoxRanked {
    /// Whose boxes.
    pub name: String,
    /// Where an overlap (intersection over union) of 0.5 is enough.
    pub map50: Estimate,
    /// The mean over the overlaps 0.50, 0.55, ... 0.95.
    pub map50_95: Estimate,
}

/// Average precision of one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelPrecision {
    /// The label.
    pub label: Name,
    /// How many boxes of it are labelled.
    pub boxes: usize,
    /// Where an overlap of 0.5 is enough.
    pub map50: f64,
    /// The mean over the overlaps 0.50, 0.55, ... 0.95.
    pub map50_95: f64,
}

/// The best single member, held against the fused boxes by their mean average precision over all overlaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoxControl {
    /// The member.
    pub name: String,
    /// Whether the fused boxes are better.
    pub beaten: bool,
    /// Whether they are better with p < 0.05 by the paired bootstrap over pictures.
    pub significant: bool,
    /// The figure of the fused boxes less the member's, with its 95 % interval.
    pub difference: Estimate,
    /// The two-sided p value.
    pub p: f64,
}

impl Fit {
    /// What is wrong with the part for boxes, in one sentence: a fit has either that or the evidence of scores, as its method wants.
    pub(super) fn check_boxes(&self) -> Result<(), String> {
        let wanted = self.method == Method::Boxes;
        if self.boxes.is_some() != wanted || self.evidence.is_some() == wanted {
            return Err("`boxes` belongs to the method boxes, and `evidence` to every other".into());
        }
        let Some(boxes) = &self.boxes else { return Ok(()) };
        if let Some(finding) = boxes.fusion.check().into_iter().next() {
            return Err(format!("its fusion of boxes is none: {finding}"));
        }
        if let Some(member) = self.members.iter().find(|member| member.calibrator != Calibrator::None) {
            return Err(format!(
                "the calibrator of {} is {:?}, want none with the method boxes",
                member.model, member.calibrator
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fusion::Over;
    use crate::models::fit::Promise;
    use crate::models::fit::tests::fit;

    /// Makes a fit of scores one of boxes.
    pub(crate) fn of_boxes(fit: &mut Fit) {
        let estimate = |value: f64| Estimate { value, low: value - 0.0625, high: value + 0.0625 };
        let ranked = |name: &str, value: f64| BoxRanked {
            name: name.into(),
            map50: estimate(value),
            map50_95: estimate(value / 2.0),
        };
        let control =
            BoxControl { name: "one".into(), beaten: true, significant: true, difference: estimate(0.125), p: 0.001 };
        (fit.over, fit.method) = (Over::Boxes, Method::Boxes);
        fit.evidence = None;
        for member in &mut fit.members {
            member.calibrator = Calibrator::None;
        }
        fit.boxes = Some(FittedBoxes {
            fusion: BoxFusion::SoftNmsGaussian { sigma: 0.25, skip_below: 0.125 },
            without_file: 3,
            evidence: BoxEvidence {
                pictures: 20,
                with_boxes: 12,
                boxes: 30,
                folds: 5,
                members: vec![ranked("one", 0.5), ranked("two", 0.25)],
                alone: vec![ranked("one", 0.5), ranked("two", 0.25)],
                fused: ranked("fused", 0.75),
                labels: vec![LabelPrecision {
                    label: Name::new("crack").unwrap(),
                    boxes: 30,
                    map50: 0.75,
                    map50_95: 0.375,
                }],
                control: Some(control),
            },
        });
    }

    #[test]
    fn a_fit_of_boxes_is_written_and_read_as_it_is() {
        let mut told = fit(1);
        of_boxes(&mut told);
        told.promise = Promise::AsConfigured;
        assert_eq!(told.check(), Ok(()));
        let folder = tempfile::tempdir().unwrap();
        let path = crate::models::fit::shelf::write(folder.path(), &told).unwrap();
        assert_eq!(crate::models::fit::shelf::read(&path).unwrap().fit, told);
    }

    #[test]
    fn what_does_not_belong_to_boxes_is_told() {
        let told = |change: fn(&mut Fit)| {
            let mut fit = fit(1);
            of_boxes(&mut fit);
            change(&mut fit);
            fit.check().unwrap_err()
        };
        assert!(told(|fit| fit.method = Method::Mean).starts_with("`boxes` belongs to the method boxes"));
        assert!(told(|fit| fit.boxes = None).starts_with("`boxes` belongs to the method boxes"));
        let calibrated = told(|fit| fit.members[0].calibrator = Calibrator::Temperature { slope: 0.5 });
        assert!(calibrated.contains("want none with the method boxes"), "{calibrated}");
        let wide = told(|fit| {
            let boxes = fit.boxes.as_mut().unwrap();
            boxes.fusion = BoxFusion::Nms { iou_above: 1.5, skip_below: 0.0 };
        });
        assert_eq!(wide, "its fusion of boxes is none: iou_above is 1.5: want a number from 0 to 1");
    }
}
