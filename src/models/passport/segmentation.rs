//! How a semantic segmentation's output is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the first output becomes areas with labels. It is `[1, labels, height, width]` of logits or probabilities, as its
/// activation says; `[1, 1, height, width]` for the second of two labels; or `[1, height, width]` and `[1, 1, height,
/// width]` of whole numbers, the place of each pixel's label among the names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Segmentation {
    /// The smallest area of a label that counts, as a share of the frame, 0 to 1. The probability of a defect is the
    /// greatest that an area of this size reaches.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub area_from: f64,
}
