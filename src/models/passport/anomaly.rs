//! How an anomaly model's outputs are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the score and the map stand, and what brings each to 0 to 1; one of the two there must be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Anomaly {
    /// The output with the score, one number; without it the score is taken from the map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// The output with the map: `[1, 1, height, width]`, or less axes of 1 in front.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// What brings the score to 0 to 1; without it the score is from 0 to 1 already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score_normalisation: Option<Normalisation>,
    /// What brings the map to 0 to 1, and the score that is taken from it where `score_normalisation` is not given;
    /// without it the map is from 0 to 1 already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_normalisation: Option<Normalisation>,
    /// Which quantile of the map the score is, where no output holds it; without it 1, the greatest number. Between two
    /// numbers it is interpolated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub map_quantile: Option<f64>,
}

/// What brings raw anomaly scores to 0 to 1, as Anomalib does after the network: `(x - threshold) / (maximum - minimum) +
/// 0.5`, cut off at 0 and 1. A raw score at the threshold becomes 0.5.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// The raw score that divides good from unusual.
    pub threshold: f64,
    /// The least raw score seen in validation.
    pub minimum: f64,
    /// The greatest raw score seen in validation, above `minimum`.
    pub maximum: f64,
}

impl Normalisation {
    /// A raw score, brought to 0 to 1.
    #[must_use]
    pub fn apply(&self, raw: f64) -> f64 {
        ((raw - self.threshold) / (self.maximum - self.minimum) + 0.5).clamp(0.0, 1.0)
    }
}
