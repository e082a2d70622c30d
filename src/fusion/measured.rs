//! One value of several: regressions that measure the same quantity become one calibrated value, and the value, by how far it is
//! usually off, the probability of being out of tolerance.
//!
//! Applies a linear regression; fitting it is the business of [`crate::learn::measured`]. Promises no value where a member is
//! missing: there is no regression over fewer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::models::passport::regression::RegressionValue;
use crate::name::Name;
use crate::task::{Quantity, regression};

/// value = intercept + the sum over the members of gain x the member's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// What is measured, by its name in the passports.
    pub quantity: Name,
    /// In the unit of the value, finite.
    pub intercept: f64,
    /// One for each seat of the panel, finite; 0 for one that does not vote.
    pub gains: Vec<f64>,
    /// The L2 penalty that cross-validation chose, at least 0: on the squared gains of values with the spread 1, against the sum of
    /// the squared errors. 0 is ordinary least squares.
    pub penalty: f64,
    /// The root mean squared error on parts that were not fitted to, in the unit of the value, above 0.
    pub standard_error: f64,
    /// The least good value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The greatest good value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
}

impl Measured {
    /// Whether the numbers are in their ranges, for a panel of so many members.
    #[must_use]
    pub fn is_sound(&self, members: usize) -> bool {
        let finite = self.intercept.is_finite() && self.gains.iter().all(|gain| gain.is_finite());
        let error = self.standard_error.is_finite() && self.standard_error > 0.0;
        let penalty = self.penalty.is_finite() && self.penalty >= 0.0;
        finite && error && penalty && self.gains.len() == members && self.limits().has_limits()
    }

    fn limits(&self) -> RegressionValue {
        let (name, standard_error) = (self.quantity.clone(), Some(self.standard_error));
        RegressionValue { name, at_least: self.at_least, at_most: self.at_most, standard_error }
    }

    /// The value of one value for each seat; those of seats without a gain do not matter.
    #[must_use]
    pub fn value(&self, values: &[f64]) -> Quantity {
        let value = self.intercept + self.gains.iter().zip(values).map(|(gain, value)| gain * value).sum::<f64>();
        Quantity { name: self.quantity.clone(), value, within: self.limits().within(value) }
    }

    /// The probability, 0 to 1, that the true value lies outside the limits.
    #[must_use]
    pub fn score(&self, value: &Quantity) -> f64 {
        regression::outside(value.value, &self.limits()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let measured = Measured {
            quantity: Name::new("width").unwrap(),
            intercept: -0.5,
            gains: vec![0.5, 0.0, 0.6],
            penalty: 0.0,
            standard_error: 0.1,
            at_least: Some(9.0),
            at_most: None,
        };
        let value = measured.value(&[8.0, f64::NAN, 9.0]);
        assert!(value.value.is_nan(), "a seat without a gain is given 0 by whoever reads it");
        let value = measured.value(&[8.0, 0.0, 9.0]);
        assert!((value.value - 8.9).abs() < 1e-12 && value.within == Some(false));
        // One standard error below the limit.
        assert!((measured.score(&value) - 0.841_344_746).abs() < 1e-6);
        assert!(measured.is_sound(3) && !measured.is_sound(2));
        assert!(!Measured { standard_error: 0.0, ..measured.clone() }.is_sound(3));
        assert!(!Measured { at_least: None, ..measured }.is_sound(3), "a value without limits says nothing of defects");
    }
}
