//! How an anomaly model's outputs are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the score and the map stand, and what brings the score to 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Anomaly {
    /// The output with the score; without it the greatest value of the map is the score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// The output with the map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
}
