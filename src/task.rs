//! What a model's tensors mean: one file a task. Pure functions, no I/O, no clock.

pub mod classification;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// The probability a model gives to one of its labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassScore {
    /// The label.
    pub label: Name,
    /// Its probability, 0 to 1.
    pub probability: f64,
}

/// What a model found: a closed set, one variant a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Findings {
    /// A probability for each label, in the passport's order.
    Classification {
        /// The scores.
        classes: Vec<ClassScore>,
    },
}
