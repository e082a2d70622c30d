//! How a regression's output is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// What each number of the first output means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// The values, in order.
    #[schemars(length(min = 1))]
    pub values: Vec<RegressionValue>,
}

impl Regression {
    /// Whether any value has a limit, so that the model says something of defects.
    #[must_use]
    pub fn has_limits(&self) -> bool {
        self.values.iter().any(RegressionValue::has_limits)
    }
}

/// One number of the output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegressionValue {
    /// What it is.
    pub name: Name,
    /// The least good value; what is below is a defect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The greatest good value; what is above is a defect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// How far the model is usually off, as its root mean squared error in validation, above 0. With it the probability
    /// of a defect is that of the true value lying outside the limits; without it, 1 outside and 0 within.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
}

impl RegressionValue {
    /// Whether it has a limit.
    #[must_use]
    pub const fn has_limits(&self) -> bool {
        self.at_least.is_some() || self.at_most.is_some()
    }

    /// Whether `value` lies within the limits, each itself included; `None` when there are none.
    #[must_use]
    pub fn within(&self, value: f64) -> Option<bool> {
        let good = self.at_least.is_none_or(|least| value >= least) && self.at_most.is_none_or(|most| value <= most);
        self.has_limits().then_some(good)
    }
}
