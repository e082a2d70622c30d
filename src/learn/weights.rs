//! The weights of a mean: on the simplex, with the least log loss. Pure.

/// Steps after which the weights are taken as they are.
const STEPS: usize = 5000;

/// How much lower, in nats a part, the log loss of the best weights may be.
const GAP: f64 = 1e-7;

/// The weights, at least 0 with sum 1, with which the mean of the members' chances has the least log loss.
///
/// With weights on the simplex, the chance that the mean gives to what a part really is, is the mean of the chances that the
/// members give to it: finding them is finding the shares of a mixture, and expectation maximisation climbs (A. Dempster,
/// N. Laird and D. Rubin, JRSS B 39, 1977). At shares w, with g the mean over the parts of a member's chance over the
/// mixture's, no weights are better than these by more than ln(max g), which says when to end.
///
/// `members` holds for each member its chance of a defect, 0 to 1, for each part; `parts` how much each part counts.
#[must_use]
pub fn simplex(members: &[Vec<f64>], defective: &[bool], parts: &[f64]) -> Vec<f64> {
    let count = u32::try_from(members.len()).unwrap_or(u32::MAX).max(1);
    let mut weights = vec![1.0 / f64::from(count); members.len()];
    let likelihood = |chance: f64, is: bool| (if is { chance } else { 1.0 - chance }).max(1e-15);
    let given: Vec<Vec<f64>> = members
        .iter()
        .map(|chances| chances.iter().zip(defective).map(|(chance, is)| likelihood(*chance, *is)).collect())
        .collect();
    let whole: f64 = parts.iter().sum();
    for _ in 0..STEPS {
        let gains = gains(&given, &weights, parts, whole);
        if gains.iter().copied().fold(0.0, f64::max).ln() <= GAP {
            break;
        }
        for (weight, gain) in weights.iter_mut().zip(&gains) {
            *weight *= gain;
        }
    }
    tidy(weights)
}

/// For each member the weighted mean over the parts of its likelihood over that of the mixture.
fn gains(given: &[Vec<f64>], weights: &[f64], parts: &[f64], whole: f64) -> Vec<f64> {
    let mut gains = vec![0.0; given.len()];
    for (place, part) in parts.iter().enumerate() {
        let mixture: f64 = given.iter().zip(weights).map(|(given, weight)| weight * given[place]).sum();
        for (gain, given) in gains.iter_mut().zip(given) {
            *gain += part / whole * given[place] / mixture;
        }
    }
    gains
}

/// Makes weights below a thousandth 0 and the sum 1: a member that hardly counts is better not asked.
fn tidy(mut weights: Vec<f64>) -> Vec<f64> {
    for weight in &mut weights {
        if *weight < 1e-3 {
            *weight = 0.0;
        }
    }
    let sum: f64 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= sum;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::calibrate::{Sample, log_loss};
    use proptest::prelude::*;

    fn loss(members: &[Vec<f64>], defective: &[bool], weights: &[f64]) -> f64 {
        let mean = |place: usize| members.iter().zip(weights).map(|(member, weight)| weight * member[place]).sum();
        let scores: Vec<f64> = (0..defective.len()).map(mean).collect();
        log_loss(&Sample { scores: &scores, defective, weights: &vec![1.0; defective.len()] })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_weights_on_the_simplex_are_better(
            parts in prop::collection::vec((any::<bool>(), 0.02..0.98f64, 0.02..0.98f64, 0.02..0.98f64), 10..60),
            other in (0.0..1.0f64, 0.0..1.0f64, 0.01..1.0f64)
        ) {
            let defective: Vec<bool> = parts.iter().map(|part| part.0).collect();
            let member = |of: fn(&(bool, f64, f64, f64)) -> f64| parts.iter().map(of).collect::<Vec<f64>>();
            let members = [member(|part| part.1), member(|part| part.2), member(|part| part.3)];
            let weights = simplex(&members, &defective, &vec![1.0; defective.len()]);
            prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(weights.iter().all(|weight| *weight >= 0.0));
            let sum = other.0 + other.1 + other.2;
            let best = loss(&members, &defective, &weights);
            // Making the smallest weights 0 may cost a little.
            for other in [[other.0 / sum, other.1 / sum, other.2 / sum], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] {
                prop_assert!(loss(&members, &defective, &other) >= best - 1e-3, "{:?} beats {:?}", other, weights);
            }
        }
    }

    #[test]
    fn who_knows_nothing_has_no_weight() {
        let defective: Vec<bool> = (0..100).map(|place| place % 3 == 0).collect();
        let knows = defective.iter().enumerate().map(|(place, is)| if *is == (place % 10 != 0) { 0.9 } else { 0.1 });
        let weights = simplex(&[knows.collect(), vec![0.5; 100]], &defective, &[1.0; 100]);
        assert_eq!(weights, [1.0, 0.0]);
        // Two that are equally good and never wrong together share the weight.
        let half = |of: usize| {
            let say = move |(place, is): (usize, &bool)| if place % 2 == of { f64::from(u8::from(*is)) } else { 0.5 };
            defective.iter().enumerate().map(say).collect::<Vec<f64>>()
        };
        let weights = simplex(&[half(0), half(1)], &defective, &[1.0; 100]);
        assert!((weights[0] - 0.5).abs() < 1e-3, "{weights:?}");
    }
}
