//! How a semantic segmentation's output is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the first output, `[1, classes, height, width]`, becomes areas with labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Segmentation {
    /// The smallest area of a label that counts, as a share of the frame, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub area_from: f64,
}
