//! Calibration: what a model's confidence is worth, said before confidences of several models are joined.
//!
//! Platt scaling on the log-odds (Platt, "Probabilistic outputs for support vector machines", 1999); an intercept of 0 is
//! temperature scaling with temperature 1 / slope (Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural
//! networks", 2017). Applies a calibration; fitting one is the business of whoever has labelled parts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rising map of confidences: logit(p) becomes slope x logit(p) + intercept.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// What the log-odds are multiplied by: finite, above 0; below 1 for a model that is too sure.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub slope: f64,
    /// What is then added to the log-odds: finite.
    pub intercept: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self::IDENTITY
    }
}

impl Calibration {
    /// Leaves every confidence as it is, to the last bit.
    pub const IDENTITY: Self = Self { slope: 1.0, intercept: 0.0 };

    /// Whether the numbers are in their ranges.
    #[must_use]
    pub fn is_sound(self) -> bool {
        self.slope.is_finite() && self.slope > 0.0 && self.intercept.is_finite()
    }

    /// The calibrated confidence of `confidence`, both 0 to 1. 0 stays 0 and 1 stays 1.
    #[must_use]
    pub fn apply(self, confidence: f64) -> f64 {
        if self == Self::IDENTITY {
            return confidence;
        }
        let logit = (confidence / (1.0 - confidence)).ln();
        1.0 / (1.0 + (-(self.slope * logit + self.intercept)).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        let near = |seen: f64, wanted: f64| assert!((seen - wanted).abs() < 1e-12, "{seen}, want {wanted}");
        let tempered = Calibration { slope: 0.5, intercept: 0.0 };
        near(tempered.apply(0.9), 0.75); // odds 9 become odds 3
        near(tempered.apply(0.5), 0.5);
        let shifted = Calibration { slope: 1.0, intercept: -(3f64.ln()) };
        near(shifted.apply(0.75), 0.5); // odds 3 become odds 1
        for calibration in [tempered, shifted, Calibration::IDENTITY] {
            near(calibration.apply(0.0), 0.0);
            near(calibration.apply(1.0), 1.0);
        }
        assert!(!Calibration { slope: 0.0, intercept: 0.0 }.is_sound());
        assert!(!Calibration { slope: 1.0, intercept: f64::NAN }.is_sound());
    }

    proptest! {
        #[test]
        fn it_rises_stays_in_bounds_and_can_be_undone(
            low in 0.001..0.999f64, high in 0.001..0.999f64, slope in 0.1..5.0f64, intercept in -3.0..3.0f64
        ) {
            let calibration = Calibration { slope, intercept };
            let (first, second) = (calibration.apply(low), calibration.apply(high));
            prop_assert!((0.0..=1.0).contains(&first));
            prop_assert!(low >= high || first <= second + 1e-15);
            let back = Calibration { slope: 1.0 / slope, intercept: -intercept / slope };
            let squeezed = !(1e-9..1.0 - 1e-9).contains(&first);
            prop_assert!(squeezed || (back.apply(first) - low).abs() < 1e-5);
            prop_assert_eq!(Calibration::IDENTITY.apply(low).to_bits(), low.to_bits());
        }
    }
}
