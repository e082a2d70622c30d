//! Fusion label by label: every label's probability is joined by itself, over the members that know the label, by weights that
//! may differ from label to label. Then the defect labels together are weighed against the rest.
//!
//! Applies weights by class; fitting them is the business of [`crate::learn::class_weights`]. Promises no answer for a label of
//! which only members without a weight for it have spoken.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ballot, Fused, Rule};
use crate::name::Name;

/// What each member's word is worth for one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassWeights {
    /// The label, by the name that the panel shares.
    pub label: Name,
    /// The labelled parts that really are of this class.
    pub parts: usize,
    /// Whether the weights were fitted to this class; else it has too few parts, and they are those of the route.
    pub own: bool,
    /// One for each seat of the panel, at least 0 with sum 1; 0 for a member that does not vote or does not know the label.
    pub weights: Vec<f64>,
}

impl ClassWeights {
    /// Whether the numbers are in their ranges, for a panel of so many members.
    #[must_use]
    pub fn is_sound(&self, members: usize) -> bool {
        let whole: f64 = self.weights.iter().sum();
        let weight = |weight: &f64| weight.is_finite() && *weight >= 0.0;
        self.weights.len() == members && self.weights.iter().all(weight) && (whole - 1.0).abs() < 1e-6
    }
}

/// Joins ballots, each from one of the `seats`, by weights of each class; `None` where there are none.
///
/// # Errors
/// One sentence that names a label without weights, or one of which nobody with a weight for it has spoken.
pub fn weighted(ballots: &[Ballot<'_>], seats: &[usize], classes: &[ClassWeights]) -> Result<Option<Fused>, String> {
    let weight = |ballot: usize, label: &Name| {
        let of = classes.iter().find(|of| of.label == *label);
        let of = of.ok_or_else(|| format!("the fit has no weights for the label {label}"))?;
        Ok(seats.get(ballot).and_then(|&seat| of.weights.get(seat)).copied().unwrap_or(0.0))
    };
    joined(Rule::WeightedMean, ballots, weight)
}

/// Joins each label by itself, over the ballots that know it; then weighs the defects against the rest. `weight` says what a
/// ballot, by its place, is worth for a label.
///
/// With D the sum over defect labels and G the sum over the others, the score is D / (D + G); where every label is
/// a defect there is nothing to weigh against and the score is the most probable one.
///
/// # Errors
/// That of `weight`, or one sentence that names a label for which no ballot has a weight.
pub(super) fn joined(
    rule: Rule,
    ballots: &[Ballot<'_>],
    weight: impl Fn(usize, &Name) -> Result<f64, String>,
) -> Result<Option<Fused>, String> {
    let mut votes: BTreeMap<&Name, Vec<(f64, f64)>> = BTreeMap::new();
    for (place, ballot) in ballots.iter().enumerate() {
        for &(label, probability) in ballot.classes {
            votes.entry(label).or_default().push((probability, weight(place, label)?));
        }
    }
    let mut classes: Vec<(Name, f64)> = Vec::new();
    for (label, votes) in votes {
        if votes.iter().all(|(_, weight)| *weight <= 0.0) {
            return Err(format!("label {label}: no member with a weight for it has spoken"));
        }
        classes.extend(rule.join(votes.into_iter()).map(|chance| (label.clone(), chance)));
    }
    let defect = |label: &Name| ballots.iter().any(|ballot| ballot.defects.contains(label));
    let (defects, others): (Vec<_>, Vec<_>) = classes.iter().partition(|(label, _)| defect(label));
    let sum = |part: &[&(Name, f64)]| part.iter().map(|(_, probability)| probability).sum::<f64>();
    let (bad, good) = (sum(&defects), sum(&others));
    let score = if others.is_empty() {
        defects.iter().map(|(_, probability)| *probability).fold(0.0, f64::max)
    } else if bad + good > 0.0 {
        bad / (bad + good)
    } else {
        0.0
    };
    Ok((!classes.is_empty()).then_some(Fused { score: score.clamp(0.0, 1.0), classes, measured: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::{Fusion, Over};
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn of(label: &str, weights: &[f64]) -> ClassWeights {
        ClassWeights { label: name(label), parts: 40, own: true, weights: weights.to_vec() }
    }

    #[test]
    fn each_label_listens_to_its_own_member() {
        let (good, crack, stain) = (name("good"), name("crack"), name("stain"));
        let first = [(&good, 0.1), (&crack, 0.8), (&stain, 0.1)];
        let second = [(&good, 0.6), (&crack, 0.2), (&stain, 0.2)];
        let defects = [crack.clone(), stain.clone()];
        let ballot = |classes| Ballot { weight: 1.0, score: 0.0, classes, defects: &defects };
        let ballots = [ballot(&first[..]), ballot(&second[..])];
        let weights = [of("good", &[0.5, 0.0, 0.5]), of("crack", &[1.0, 0.0, 0.0]), of("stain", &[0.0, 0.0, 1.0])];
        let fused = weighted(&ballots, &[0, 2], &weights).unwrap().unwrap();
        let chances: Vec<f64> = fused.classes.iter().map(|(_, chance)| *chance).collect();
        for (seen, wanted) in chances.iter().zip([0.8, 0.35, 0.2]) {
            assert!((seen - wanted).abs() < 1e-12, "{fused:?}");
        }
        assert!((fused.score - 1.0 / 1.35).abs() < 1e-12, "{fused:?}");
        // The one that knows cracks is silent: nobody else may speak for it.
        let told = weighted(&ballots[1..], &[2], &weights).unwrap_err();
        assert_eq!(told, "label crack: no member with a weight for it has spoken");
        let told = weighted(&ballots, &[0, 2], &weights[..1]).unwrap_err();
        assert_eq!(told, "the fit has no weights for the label crack");
        assert_eq!(weighted(&[], &[], &weights), Ok(None));
    }

    #[test]
    fn weights_off_the_simplex_are_not_sound() {
        assert!(of("crack", &[0.25, 0.75]).is_sound(2));
        for weights in [&[0.25, 0.5][..], &[1.5, -0.5], &[f64::NAN, 1.0], &[1.0]] {
            assert!(!of("crack", weights).is_sound(2), "{weights:?}");
        }
    }

    proptest! {
        /// With the same weights for every class, it is the route's weighted mean; and the order of the ballots does not matter.
        #[test]
        fn one_weight_for_all_classes_is_the_plain_weighted_mean(
            votes in prop::collection::vec((0.0..=1.0f64, 0.01..1.0f64), 1..6), turn in 0_usize..6
        ) {
            let labels = [name("crack"), name("good")];
            let whole: f64 = votes.iter().map(|vote| vote.1).sum();
            let weights: Vec<f64> = votes.iter().map(|vote| vote.1 / whole).collect();
            let classes: Vec<_> = votes.iter().map(|vote| [(&labels[0], vote.0), (&labels[1], 1.0 - vote.0)]).collect();
            let mut ballots: Vec<_> = classes.iter().zip(&weights)
                .map(|(classes, weight)| Ballot { weight: *weight, score: classes[0].1, classes, defects: &labels[..1] }).collect();
            let mut seats: Vec<usize> = (0..votes.len()).collect();
            let by = [of("crack", &weights), of("good", &weights)];
            let plain = Fusion { rule: Rule::WeightedMean, over: Over::Classes, boxes: None }.apply(&ballots).unwrap();
            let turn = turn % votes.len();
            ballots.rotate_left(turn);
            seats.rotate_left(turn);
            prop_assert_eq!(weighted(&ballots, &seats, &by).unwrap().unwrap(), plain);
        }
    }
}
