//! The shape of `[drift]` and `[golden]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// How the line is watched for drift.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drift {
    /// The parts of the longest look back, a multiple of 16: more see a smaller change, and later.
    #[schemars(range(min = 32, max = 4096))]
    pub window: usize,
    /// At most one false alarm is to be expected among so many parts of a line that does not drift.
    #[schemars(range(min = 100, max = 1_000_000_000))]
    pub parts_per_false_alarm: u64,
    /// While the line drifts, the band of undecided reaches so much further to both sides: taken from `pass_below` and added to
    /// `reject_from`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub widen: f64,
}

impl Default for Drift {
    fn default() -> Self {
        Self { window: 256, parts_per_false_alarm: 100_000, widen: 0.0 }
    }
}

/// Labelled pictures with a verdict that is expected.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// A folder with `good/` and `defective/`, or a CSV list, as `kenpin eval` takes it: good ones are to pass, defective ones to
    /// be rejected.
    #[schemars(required)]
    pub path: Option<PathBuf>,
    /// The camera whose frames they stand for; the only one without it.
    pub camera: Option<Name>,
}
