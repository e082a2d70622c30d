//! The settings of a fusion of boxes: which method, with what limits. Read from configuration; checked, not applied, here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How boxes that overlap become fewer. Overlap is intersection over union; "above" leaves the limit itself out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum BoxFusion {
    /// Greedy non-maximum suppression: the best box stays, those that overlap it go. Upright and oriented boxes.
    Nms {
        /// A box goes when its overlap with a better one is above this, 0 to 1.
        #[schemars(range(min = 0.0, max = 1.0))]
        iou_above: f64,
        /// Candidates whose calibrated confidence is below this, 0 to 1, are left out.
        #[serde(default)]
        #[schemars(range(min = 0.0, max = 1.0))]
        skip_below: f64,
    },
    /// Soft-NMS with linear decay: a confidence is multiplied by 1 - overlap. Upright and oriented boxes.
    SoftNmsLinear {
        /// A confidence decays when the overlap with a better box is above this, 0 to 1.
        #[schemars(range(min = 0.0, max = 1.0))]
        iou_above: f64,
        /// Candidates whose weighted confidence is, or has decayed, below this, 0 to 1, are left out.
        #[serde(default)]
        #[schemars(range(min = 0.0, max = 1.0))]
        skip_below: f64,
    },
    /// Soft-NMS with Gaussian decay: a confidence is multiplied by exp(-overlap^2 / sigma). Upright and oriented boxes.
    SoftNmsGaussian {
        /// How mild the decay is: finite, above 0; 0.5 in the paper.
        #[schemars(extend("exclusiveMinimum" = 0))]
        sigma: f64,
        /// Candidates whose weighted confidence is, or has decayed, below this, 0 to 1, are left out.
        #[serde(default)]
        #[schemars(range(min = 0.0, max = 1.0))]
        skip_below: f64,
    },
    /// Weighted boxes fusion: boxes that overlap are averaged by weighted confidence. Upright boxes only.
    WeightedBoxes {
        /// A box joins the fused box that it overlaps most when that overlap is above this, 0 to 1.
        #[schemars(range(min = 0.0, max = 1.0))]
        iou_above: f64,
        /// Candidates whose calibrated confidence is below this, 0 to 1, are left out.
        #[serde(default)]
        #[schemars(range(min = 0.0, max = 1.0))]
        skip_below: f64,
        /// What the confidence of a fused box is.
        #[serde(default)]
        confidence: Agreement,
    },
}

/// What the confidence of a box is that several boxes were fused into by weighted boxes fusion.
///
/// With the n boxes of a cluster, their confidences c and their members' weights w; W sums the weights of all members,
/// whether they found anything or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// sum(w c) / n x min(n, members) / W: `avg` of `ensemble-boxes` without overflow. With unequal weights, or several
    /// boxes of one heavy member, this can exceed 1 and is then taken as 1.
    Average,
    /// sum(w c) / sum(w) x (the weights of the members present, each once) / W: `box_and_model_avg` of `ensemble-boxes`.
    /// Never exceeds the most confident box.
    #[default]
    BoxAndModelAverage,
}

impl BoxFusion {
    /// What is wrong with the settings, a sentence each; nothing when they are in their ranges.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let (iou_above, sigma) = match *self {
            Self::Nms { iou_above, .. }
            | Self::SoftNmsLinear { iou_above, .. }
            | Self::WeightedBoxes { iou_above, .. } => (Some(iou_above), None),
            Self::SoftNmsGaussian { sigma, .. } => (None, Some(sigma)),
        };
        for (name, value) in [("iou_above", iou_above), ("skip_below", Some(self.skip_below()))] {
            if let Some(value) = value.filter(|value| !(0.0..=1.0).contains(value)) {
                findings.push(format!("{name} is {value}: want a number from 0 to 1"));
            }
        }
        if let Some(sigma) = sigma.filter(|sigma| !(sigma.is_finite() && *sigma > 0.0)) {
            findings.push(format!("sigma is {sigma}: want a finite number above 0"));
        }
        findings
    }

    /// Whether this method can fuse oriented boxes.
    #[must_use]
    pub fn takes_oriented(&self) -> bool {
        !matches!(self, Self::WeightedBoxes { .. })
    }

    pub(super) fn skip_below(&self) -> f64 {
        match *self {
            Self::Nms { skip_below, .. }
            | Self::SoftNmsLinear { skip_below, .. }
            | Self::SoftNmsGaussian { skip_below, .. }
            | Self::WeightedBoxes { skip_below, .. } => skip_below,
        }
    }
}
