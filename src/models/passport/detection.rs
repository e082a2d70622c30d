//! How a detector's outputs are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a detector's outputs are read, and which boxes are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// The form of the outputs.
    pub head: Head,
    /// The lowest confidence of a box that is kept, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub confidence_from: f64,
    /// Non-maximum suppression after the graph: boxes of a label that overlap a better one by more than this
    /// intersection over union are dropped. Without it nothing is dropped, for graphs that do it themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub overlap_up_to: Option<f64>,
    /// The most boxes that are kept, the best first.
    #[serde(default = "most")]
    #[schemars(range(min = 1, max = 10_000))]
    pub most: usize,
}

const fn most() -> usize {
    300
}

/// The form of a detector's outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Head {
    /// One output `[1, 4 + classes, boxes]`: centre x, centre y, width, height in input pixels, then a probability a
    /// class (Ultralytics `YOLOv8`, v9, 11).
    Yolov8,
}
