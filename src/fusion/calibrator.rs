//! Calibrators: the maps that a fit puts in the place of a member's calibration, from a score to a chance of a defect.
//!
//! Applies them; fitting one is the business of [`crate::learn::calibrate`]. Every sound one never falls.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far from 0 and 1 a probability stays when its log-odds are taken: the log-odds then lie within 27.7 of 0.
pub const EDGE: f64 = 1e-12;

/// A map of scores, 0 to 1, to chances, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Calibrator {
    /// The score as it is.
    None,
    /// logit(chance) = slope x logit(score): temperature scaling, with temperature 1 / slope (Guo, Pleiss, Sun and
    /// Weinberger, "On calibration of modern neural networks", 2017).
    Temperature {
        /// Finite, above 0.
        slope: f64,
    },
    /// logit(chance) = slope x logit(score) + intercept (Platt, "Probabilistic outputs for support vector machines", 1999).
    Platt {
        /// Finite, above 0.
        slope: f64,
        /// Finite.
        intercept: f64,
    },
    /// logit(chance) = a ln(score) - b ln(1 - score) + c (Kull, Silva Filho and Flach, "Beta calibration", 2017).
    Beta {
        /// Finite, at least 0; not 0 together with `b`.
        a: f64,
        /// Finite, at least 0.
        b: f64,
        /// Finite.
        c: f64,
    },
    /// Straight lines between points, level before the first and after the last (Zadrozny and Elkan, "Transforming
    /// classifier scores into accurate multiclass probability estimates", 2002).
    Isotonic {
        /// Scores, each above the one before; at least one.
        scores: Vec<f64>,
        /// Their chances, 0 to 1, none below the one before.
        chances: Vec<f64>,
    },
}

impl Calibrator {
    /// Whether the numbers are in their ranges.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let rising = |slope: f64| slope.is_finite() && slope > 0.0;
        let weight = |weight: f64| weight.is_finite() && weight >= 0.0;
        match self {
            Self::None => true,
            Self::Temperature { slope } => rising(*slope),
            Self::Platt { slope, intercept } => rising(*slope) && intercept.is_finite(),
            Self::Beta { a, b, c } => weight(*a) && weight(*b) && a + b > 0.0 && c.is_finite(),
            Self::Isotonic { scores, chances } => {
                let ordered = scores.iter().zip(scores.iter().skip(1)).all(|(one, next)| one < next);
                let rising = chances.iter().zip(chances.iter().skip(1)).all(|(one, next)| one <= next);
                let bounded = chances.iter().all(|chance| (0.0..=1.0).contains(chance));
                let finite = scores.iter().all(|score| score.is_finite());
                !scores.is_empty() && scores.len() == chances.len() && ordered && rising && bounded && finite
            }
        }
    }

    /// The chance for `score`, both 0 to 1.
    #[must_use]
    pub fn apply(&self, score: f64) -> f64 {
        let held = score.clamp(EDGE, 1.0 - EDGE);
        match self {
            Self::None => score,
            Self::Temperature { slope } => logistic(slope * logit(score)),
            Self::Platt { slope, intercept } => logistic(slope * logit(score) + intercept),
            Self::Beta { a, b, c } => logistic(a * held.ln() - b * (1.0 - held).ln() + c),
            Self::Isotonic { scores, chances } => between(scores, chances, score),
        }
    }

    /// Its name in tables.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Temperature { .. } => "temperature",
            Self::Platt { .. } => "Platt",
            Self::Beta { .. } => "beta",
            Self::Isotonic { .. } => "isotonic",
        }
    }
}

/// The log-odds of a probability, which is held [`EDGE`] away from 0 and 1.
#[must_use]
pub fn logit(probability: f64) -> f64 {
    let held = probability.clamp(EDGE, 1.0 - EDGE);
    (held / (1.0 - held)).ln()
}

/// The probability of log-odds.
#[must_use]
pub fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// Follows the straight lines between points; 0 where there is none.
fn between(scores: &[f64], chances: &[f64], score: f64) -> f64 {
    let after = scores.partition_point(|&known| known < score);
    let at = |place: usize| Some((*scores.get(place)?, *chances.get(place)?));
    match (after.checked_sub(1).and_then(at), at(after)) {
        (Some((from, low)), Some((to, high))) => (low + (high - low) * ((score - from) / (to - from))).clamp(low, high),
        (Some((_, level)), None) | (None, Some((_, level))) => level,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::boxes::Calibration;
    use proptest::prelude::*;

    fn any_sound() -> impl Strategy<Value = Calibrator> {
        let points = prop::collection::vec((0.01..1.0f64, 0.0..1.0f64), 1..8).prop_map(|points| {
            let (mut at, mut scores, mut chances) = (0.0, Vec::new(), Vec::new());
            let mut sorted: Vec<f64> = points.iter().map(|point| point.1).collect();
            sorted.sort_by(f64::total_cmp);
            for ((step, _), chance) in points.iter().zip(sorted) {
                at += step / 8.0;
                scores.push(at);
                chances.push(chance);
            }
            Calibrator::Isotonic { scores, chances }
        });
        prop_oneof![
            Just(Calibrator::None),
            (0.1..5.0f64).prop_map(|slope| Calibrator::Temperature { slope }),
            (0.1..5.0f64, -3.0..3.0f64).prop_map(|(slope, intercept)| Calibrator::Platt { slope, intercept }),
            (0.0..5.0f64, 0.1..5.0f64, -3.0..3.0f64).prop_map(|(a, b, c)| Calibrator::Beta { a, b, c }),
            points,
        ]
    }

    proptest! {
        #[test]
        fn a_sound_one_stays_in_bounds_and_never_falls(map in any_sound(), one in 0.0..=1.0f64, other in 0.0..=1.0f64) {
            prop_assert!(map.is_sound());
            let (low, high) = (map.apply(one.min(other)), map.apply(one.max(other)));
            prop_assert!((0.0..=1.0).contains(&low) && (0.0..=1.0).contains(&high));
            prop_assert!(low <= high + 1e-15, "{} {}", low, high);
        }

        #[test]
        fn platt_and_beta_are_the_calibration_of_a_config(score in 0.001..0.999f64, slope in 0.1..5.0f64, shift in -3.0..3.0f64) {
            let wanted = Calibration { slope, intercept: shift }.apply(score);
            let platt = Calibrator::Platt { slope, intercept: shift };
            let beta = Calibrator::Beta { a: slope, b: slope, c: shift };
            prop_assert!((platt.apply(score) - wanted).abs() < 1e-12);
            prop_assert!((beta.apply(score) - wanted).abs() < 1e-9);
            let tempered = Calibrator::Temperature { slope }.apply(score);
            let wanted = Calibration { slope, intercept: 0.0 }.apply(score);
            prop_assert!((tempered - wanted).abs() < 1e-12);
        }
    }

    #[test]
    fn points_are_joined_by_straight_lines() {
        let map = Calibrator::Isotonic { scores: vec![0.2, 0.6, 0.8], chances: vec![0.1, 0.1, 0.9] };
        for (score, wanted) in [(0.0, 0.1), (0.2, 0.1), (0.4, 0.1), (0.7, 0.5), (0.8, 0.9), (1.0, 0.9)] {
            assert!((map.apply(score) - wanted).abs() < 1e-12, "{score}");
        }
    }

    #[test]
    fn what_falls_or_is_no_number_is_not_sound() {
        for map in [
            Calibrator::Temperature { slope: 0.0 },
            Calibrator::Platt { slope: 1.0, intercept: f64::NAN },
            Calibrator::Beta { a: 0.0, b: 0.0, c: 0.0 },
            Calibrator::Beta { a: -1.0, b: 2.0, c: 0.0 },
            Calibrator::Isotonic { scores: vec![0.2, 0.2], chances: vec![0.1, 0.2] },
            Calibrator::Isotonic { scores: vec![0.1, 0.2], chances: vec![0.3, 0.2] },
            Calibrator::Isotonic { scores: Vec::new(), chances: Vec::new() },
        ] {
            assert!(!map.is_sound(), "{map:?}");
        }
    }
}
