//! How the outputs of text detection and text recognition are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the first output, a map `[1, 1, height, width]` of the probability of text, becomes lines (differentiable
/// binarisation, Liao et al. 2020).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextDetection {
    /// The lowest probability of a pixel of text, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub pixel_from: f64,
    /// The lowest mean probability of a line that is kept, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub line_from: f64,
    /// How far a line is grown: its area times this over its perimeter.
    pub grow: f64,
}

/// How the first output, `[1, steps, characters]`, becomes a text (greedy decoding of connectionist temporal
/// classification, Graves et al. 2006).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextRecognition {
    /// The characters by class, the blank left out.
    #[schemars(length(min = 1))]
    pub characters: Vec<String>,
}
