//! Stacking: a logistic regression over what the members say, as a fit found it (Wolpert, "Stacked generalization", 1992).
//! Applies one; fitting it is the business of [`crate::learn::stack`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calibrator::{logistic, logit};

/// logit(score) = intercept + the sum over the members of weight x logit(member's score).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stacking {
    /// Finite.
    pub intercept: f64,
    /// One for each member, in the order of the seats: finite, of either sign.
    pub weights: Vec<f64>,
}

impl Stacking {
    /// Whether the numbers are in their ranges, for so many members.
    #[must_use]
    pub fn is_sound(&self, members: usize) -> bool {
        self.intercept.is_finite()
            && self.weights.len() == members
            && self.weights.iter().all(|weight| weight.is_finite())
    }

    /// The fused score, 0 to 1, of one score for each member; `None` for another number of them.
    #[must_use]
    pub fn apply(&self, scores: &[f64]) -> Option<f64> {
        let sum = || self.weights.iter().zip(scores).map(|(weight, score)| weight * logit(*score)).sum::<f64>();
        (scores.len() == self.weights.len()).then(|| logistic(self.intercept + sum()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let stacking = Stacking { intercept: -(2_f64.ln()), weights: vec![1.0, 0.5] };
        // Odds 3 and 4 become 3 x 2 / 2.
        assert!((stacking.apply(&[0.75, 0.8]).unwrap() - 0.75).abs() < 1e-12);
        assert_eq!(stacking.apply(&[0.75]), None);
        assert!(stacking.is_sound(2) && !stacking.is_sound(1));
        assert!(!Stacking { intercept: f64::NAN, weights: Vec::new() }.is_sound(0));
        assert!(stacking.apply(&[0.0, 1.0]).unwrap().is_finite(), "certainty is held off its edge");
    }
}
