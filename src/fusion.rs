//! Fusion: how the opinions of several models become one. Pure; shared by inspect and learn.

pub mod adaptive;
pub mod boxes;
pub mod calibrator;
pub mod classes;
pub mod concatenation;
pub mod maps;
pub mod measured;
pub mod stacking;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::Name;
use crate::task::Quantity;

/// How the members of a panel are fused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fusion {
    /// The rule that joins the votes.
    pub rule: Rule,
    /// What the rule is applied to.
    #[serde(default)]
    pub over: Over,
    /// How boxes of several members become one set; with [`Over::Boxes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<boxes::BoxFusion>,
}

/// The rule that joins votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The arithmetic mean; weights are not used.
    Mean,
    /// The mean weighted by the members' weights.
    WeightedMean,
    /// The greatest vote: one alarmed member is enough.
    Maximum,
}

/// What a rule is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// Each member's probability of any defect.
    #[default]
    Defect,
    /// Each label's probability by itself, labels matched by name; then the defect labels together.
    Classes,
    /// The boxes of all detectors together, labels matched by name; the surest box of a defect is one vote, which is
    /// then joined with those of the other members.
    Boxes,
    /// The maps of all members that give one, pixel by pixel; the greatest value is one vote, which is then joined with
    /// those of the other members.
    Maps,
}

/// One vote as fusion sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ballot<'a> {
    /// The voter's weight: finite and above 0.
    pub weight: f64,
    /// The voter's probability of any defect, 0 to 1.
    pub score: f64,
    /// The voter's probability of each of its labels, 0 to 1.
    pub classes: &'a [(&'a Name, f64)],
    /// Which of the labels are defects.
    pub defects: &'a [Name],
}

/// What comes out of a fusion.
#[derive(Debug, Clone, PartialEq)]
pub struct Fused {
    /// The probability of a defect, 0 to 1.
    pub score: f64,
    /// The fused probability of each label, in the order of the names; empty when only scores were fused.
    pub classes: Vec<(Name, f64)>,
    /// The one value of what the members measured, where their values were joined.
    pub measured: Option<Quantity>,
}

impl Fusion {
    /// Fuses the ballots; `None` when there are none.
    ///
    /// The result does not depend on the order of the ballots, to the last bit: votes are summed in the order of their
    /// values.
    #[must_use]
    pub fn apply(self, ballots: &[Ballot<'_>]) -> Option<Fused> {
        let score = self.rule.join(ballots.iter().map(|ballot| (ballot.score, ballot.weight)))?;
        match self.over {
            Over::Defect | Over::Boxes | Over::Maps => Some(Fused { score, classes: Vec::new(), measured: None }),
            // Every ballot has a weight above 0, so there is one for every label.
            Over::Classes => {
                let weight =
                    |place: usize, _: &Name| Ok(ballots.get(place).map_or(0.0, |ballot: &Ballot<'_>| ballot.weight));
                classes::joined(self.rule, ballots, weight).ok().flatten()
            }
        }
    }
}

impl Rule {
    /// Joins `(value, weight)` votes; `None` when there are none. The result lies within the votes' hull.
    fn join(self, votes: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
        let mut votes: Vec<(f64, f64)> = votes.collect();
        votes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let (&(least, _), &(greatest, _)) = (votes.first()?, votes.last()?);
        let mean = |weight: fn(f64) -> f64| {
            let total: f64 = votes.iter().map(|vote| weight(vote.1)).sum();
            votes.iter().map(|vote| vote.0 * (weight(vote.1) / total)).sum::<f64>()
        };
        let joined = match self {
            Self::Mean => mean(|_| 1.0),
            Self::WeightedMean => mean(|weight| weight),
            Self::Maximum => greatest,
        };
        Some(joined.clamp(least, greatest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn scores(rule: Rule, votes: &[(f64, f64)]) -> Option<f64> {
        let ballots: Vec<_> =
            votes.iter().map(|&(score, weight)| Ballot { weight, score, classes: &[], defects: &[] }).collect();
        Fusion { rule, over: Over::Defect, boxes: None }.apply(&ballots).map(|fused| fused.score)
    }

    #[test]
    fn the_three_rules_by_hand() {
        let votes = [(0.2, 1.0), (0.8, 3.0)];
        assert_eq!(scores(Rule::Mean, &votes), Some(0.5));
        assert!((scores(Rule::WeightedMean, &votes).unwrap() - 0.65).abs() < 1e-12);
        assert_eq!(scores(Rule::Maximum, &votes), Some(0.8));
        assert_eq!(scores(Rule::Mean, &[]), None);
    }

    #[test]
    fn labels_are_matched_by_name_across_members() {
        let (good, crack, scratch) = (name("good"), name("crack"), name("scratch"));
        let first = [(&good, 0.6), (&crack, 0.4)];
        let second = [(&crack, 0.2), (&good, 0.5), (&scratch, 0.3)];
        let defects = [crack.clone(), scratch.clone()];
        let ballots = [
            Ballot { weight: 1.0, score: 0.4, classes: &first, defects: &defects[..1] },
            Ballot { weight: 1.0, score: 0.5, classes: &second, defects: &defects },
        ];
        let fused = Fusion { rule: Rule::Maximum, over: Over::Classes, boxes: None }.apply(&ballots).unwrap();
        assert_eq!(fused.classes, [(crack, 0.4), (good, 0.6), (scratch, 0.3)]);
        assert!((fused.score - 0.7 / 1.3).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn fusion_is_order_free_bounded_and_keeps_unanimity(
            votes in proptest::collection::vec((0.0..=1.0f64, 0.01..100.0f64), 1..9), turn in 0usize..9, over in 0..2
        ) {
            let label = [name("defective"), name("good")];
            let classes: Vec<_> = votes.iter().map(|v| [(&label[0], v.0), (&label[1], 1.0 - v.0)]).collect();
            let mut ballots: Vec<_> = votes.iter().zip(&classes)
                .map(|(&(score, weight), classes)| Ballot { weight, score, classes, defects: &label[..1] }).collect();
            let over = if over == 0 { Over::Defect } else { Over::Classes };
            for rule in [Rule::Mean, Rule::WeightedMean, Rule::Maximum] {
                let fusion = Fusion { rule, over, boxes: None };
                let straight = fusion.apply(&ballots).unwrap();
                let places = ballots.len();
                ballots.rotate_left(turn % places);
                prop_assert_eq!(&straight, &fusion.apply(&ballots).unwrap());
                prop_assert!((0.0..=1.0).contains(&straight.score));
                let same: Vec<_> = ballots.iter().map(|b| Ballot { score: ballots[0].score, classes: ballots[0].classes, ..*b }).collect();
                prop_assert!((fusion.apply(&same).unwrap().score - ballots[0].score).abs() < 1e-9);
            }
        }

        #[test]
        fn the_mean_of_exclusive_labels_equals_the_mean_of_scores(votes in proptest::collection::vec(0.0..=1.0f64, 1..9)) {
            let label = [name("defective"), name("good")];
            let classes: Vec<_> = votes.iter().map(|v| [(&label[0], *v), (&label[1], 1.0 - v)]).collect();
            let ballots: Vec<_> = votes.iter().zip(&classes)
                .map(|(&score, classes)| Ballot { weight: 1.0, score, classes, defects: &label[..1] }).collect();
            let by = |over| Fusion { rule: Rule::Mean, over, boxes: None }.apply(&ballots).unwrap().score;
            prop_assert!((by(Over::Defect) - by(Over::Classes)).abs() < 1e-9);
        }
    }
}
