//! How votes became one score, and what each of them adds to it.
//!
//! A weighted mean and a logistic regression over log-odds are linear, so the parts add up exactly: to the score, or to its
//! log-odds. Each part is what the member adds against a member that knows nothing and says one half. A maximum is not linear:
//! there the greatest vote decides alone. A concatenation is linear in more numbers than one a member; what a member adds is the sum
//! over its own, against a member whose numbers are neutral.

use serde::Serialize;

use crate::fusion::calibrator::logit;
use crate::fusion::concatenation::Concatenation;
use crate::fusion::stacking::Stacking;
use crate::fusion::{Ballot, Fusion, Over, Rule};

/// What a member says that knows nothing.
pub const NEUTRAL: f64 = 0.5;

/// One vote: the score as it entered fusion, 0 to 1, and its weight, above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    /// The calibrated score, 0 to 1.
    pub score: f64,
    /// The weight for this part, above 0; a rule without weights does not look at it.
    pub weight: f64,
}

/// How votes become one score.
#[derive(Debug, Clone, PartialEq)]
pub enum Joining {
    /// By a rule over the scores.
    Rule(Rule),
    /// By a regression, with one weight for each vote.
    Stacking(Stacking),
}

/// What the parts of a score are added up in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// The score itself.
    Score,
    /// Its log-odds, ln(score / (1 - score)).
    LogOdds,
}

/// The parts of a fused score: `base` and all of `each` add up to `total`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contributions {
    /// What they are added up in.
    pub scale: Scale,
    /// What would come out if every member said one half.
    pub base: f64,
    /// What each vote adds to that, in the order of the votes.
    pub each: Vec<f64>,
    /// The fused score on that scale.
    pub total: f64,
}

impl Contributions {
    /// The parts of a score that a concatenation found in `numbers`, one for each term: what each of `seats` adds. `None` for another
    /// count of numbers, or where a term's seat is not among `seats`.
    #[must_use]
    pub fn of_concatenation(head: &Concatenation, numbers: &[f64], seats: &[usize]) -> Option<Self> {
        let mut each = vec![0.0; seats.len()];
        for (term, part) in head.terms.iter().zip(head.parts(numbers)?) {
            *each.get_mut(seats.iter().position(|seat| *seat == term.seat)?)? += part;
        }
        let total = head.intercept + each.iter().sum::<f64>();
        Some(Self { scale: Scale::LogOdds, base: head.intercept, each, total })
    }
}

impl Joining {
    /// The fused score, 0 to 1; `None` of no votes, or of another number than a regression has weights.
    #[must_use]
    pub fn score(&self, votes: &[Said]) -> Option<f64> {
        match self {
            Self::Rule(rule) => {
                let ballot =
                    |said: &Said| Ballot { weight: said.weight, score: said.score, classes: &[], defects: &[] };
                let ballots: Vec<Ballot<'_>> = votes.iter().map(ballot).collect();
                let fusion = Fusion { rule: *rule, over: Over::Defect, boxes: None };
                fusion.apply(&ballots).map(|fused| fused.score)
            }
            Self::Stacking(stacking) => {
                let scores: Vec<f64> = votes.iter().map(|said| said.score).collect();
                stacking.apply(&scores).filter(|_| !votes.is_empty())
            }
        }
    }

    /// The parts of the score; `None` where it is no sum: of a maximum, and where there is no score.
    #[must_use]
    pub fn contributions(&self, votes: &[Said]) -> Option<Contributions> {
        let score = self.score(votes)?;
        match self {
            Self::Rule(Rule::Maximum) => None,
            Self::Rule(Rule::Mean | Rule::WeightedMean) => {
                let shares = self.shares(votes);
                let each = votes.iter().zip(shares).map(|(said, share)| share * (said.score - NEUTRAL));
                Some(Contributions { scale: Scale::Score, base: NEUTRAL, each: each.collect(), total: score })
            }
            Self::Stacking(Stacking { intercept, weights }) => {
                let each: Vec<f64> =
                    votes.iter().zip(weights).map(|(said, weight)| weight * logit(said.score)).collect();
                let total = intercept + each.iter().sum::<f64>();
                Some(Contributions { scale: Scale::LogOdds, base: *intercept, each, total })
            }
        }
    }

    /// The places of the votes that decided alone: those with the greatest score of a maximum; none where the score is a sum.
    #[must_use]
    pub fn deciding(&self, votes: &[Said]) -> Vec<usize> {
        if *self != Self::Rule(Rule::Maximum) {
            return Vec::new();
        }
        let greatest = votes.iter().map(|said| said.score).fold(f64::NEG_INFINITY, f64::max);
        (0..votes.len()).filter(|&place| votes[place].score >= greatest).collect()
    }

    /// By how much the sum moves where a vote moves by one: the slope of each vote. 0 to 1 with sum 1 for a mean, of either sign for
    /// a regression; empty for a maximum.
    pub(super) fn shares(&self, votes: &[Said]) -> Vec<f64> {
        let weight = |said: &Said| if *self == Self::Rule(Rule::Mean) { 1.0 } else { said.weight };
        match self {
            Self::Rule(Rule::Maximum) => Vec::new(),
            Self::Rule(Rule::Mean | Rule::WeightedMean) => {
                let total: f64 = votes.iter().map(weight).sum();
                votes.iter().map(|said| weight(said) / total).collect()
            }
            Self::Stacking(stacking) => stacking.weights.clone(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::fusion::calibrator::logistic;
    use crate::fusion::concatenation::{Says, Term};
    use crate::name::Name;
    use proptest::prelude::*;

    fn said(votes: &[(f64, f64)]) -> Vec<Said> {
        votes.iter().map(|&(score, weight)| Said { score, weight }).collect()
    }

    /// Votes with one of the ways to join them.
    pub(in crate::explain) fn any_panel() -> impl Strategy<Value = (Vec<Said>, Joining)> {
        let vote = (0.0..=1.0_f64, 0.01..100.0_f64, -4.0..4.0_f64);
        (prop::collection::vec(vote, 1..7), 0..4, -3.0..3.0_f64).prop_map(|(votes, way, intercept)| {
            let joining = match way {
                0 => Joining::Rule(Rule::Mean),
                1 => Joining::Rule(Rule::WeightedMean),
                2 => Joining::Rule(Rule::Maximum),
                _ => Joining::Stacking(Stacking { intercept, weights: votes.iter().map(|vote| vote.2).collect() }),
            };
            (votes.iter().map(|&(score, weight, _)| Said { score, weight }).collect(), joining)
        })
    }

    fn any_head() -> impl Strategy<Value = (Concatenation, Vec<f64>)> {
        let number = (0_usize..4, -3.0..3.0_f64, -4.0..4.0_f64, -20.0..20.0_f64);
        (prop::collection::vec(number, 1..9), -3.0..3.0_f64).prop_map(|(numbers, intercept)| {
            let term = |(place, &(seat, neutral, weight, _)): (usize, &(usize, f64, f64, f64))| Term {
                seat,
                says: Says::Label(Name::new(&format!("l{place}")).unwrap()),
                neutral,
                weight,
            };
            let terms = numbers.iter().enumerate().map(term).collect();
            let head = Concatenation { intercept, penalty: 1.0, terms };
            (head, numbers.iter().map(|number| number.3).collect())
        })
    }

    #[test]
    fn by_hand() {
        let votes = said(&[(0.9, 3.0), (0.3, 1.0)]);
        let told = Joining::Rule(Rule::WeightedMean).contributions(&votes).unwrap();
        assert!((told.each[0] - 0.3).abs() < 1e-12 && (told.each[1] + 0.05).abs() < 1e-12, "{told:?}");
        assert!((told.total - 0.75).abs() < 1e-12);
        assert_eq!(Joining::Rule(Rule::Maximum).deciding(&votes), [0]);
        assert_eq!(Joining::Rule(Rule::Maximum).deciding(&said(&[(0.2, 1.0), (0.4, 1.0), (0.4, 2.0)])), [1, 2]);
        assert_eq!(Joining::Rule(Rule::Mean).contributions(&[]), None);
        let short = Stacking { intercept: 0.0, weights: vec![1.0] };
        assert_eq!(Joining::Stacking(short).contributions(&votes), None);
    }

    proptest! {
        /// What the members add sums to the log-odds of the fused score, and a member whose numbers are neutral adds nothing.
        #[test]
        fn contributions_of_a_concatenation_sum_to_its_log_odds((head, mut numbers) in any_head(), idle in 0_usize..4) {
            for (term, number) in head.terms.iter().zip(&mut numbers).filter(|(term, _)| term.seat == idle) {
                *number = term.neutral;
            }
            let told = Contributions::of_concatenation(&head, &numbers, &[3, 1, 0, 2]).unwrap();
            let sum = told.base + told.each.iter().sum::<f64>();
            prop_assert!((sum - told.total).abs() < 1e-9);
            prop_assert!((logistic(sum) - head.apply(&numbers).unwrap()).abs() < 1e-12);
            let place = [3, 1, 0, 2].iter().position(|seat| *seat == idle).unwrap();
            prop_assert!(told.each[place].abs() < 1e-12);
            prop_assert_eq!(Contributions::of_concatenation(&head, &numbers[1..], &[0, 1, 2, 3]), None);
        }

        /// The parts add up to the fused score, or to its log-odds, and a member that says one half adds nothing.
        #[test]
        fn contributions_sum_to_the_fused_score((mut votes, joining) in any_panel(), idle in 0_usize..7) {
            let idle = idle % votes.len();
            votes[idle].score = NEUTRAL;
            let score = joining.score(&votes).unwrap();
            let Some(told) = joining.contributions(&votes) else {
                prop_assert_eq!(&joining, &Joining::Rule(Rule::Maximum));
                let deciding = joining.deciding(&votes);
                prop_assert!(!deciding.is_empty() && deciding.iter().all(|&place| votes[place].score >= score));
                return Ok(());
            };
            let sum = told.base + told.each.iter().sum::<f64>();
            prop_assert!((sum - told.total).abs() < 1e-9);
            let back = if told.scale == Scale::Score { sum } else { logistic(sum) };
            prop_assert!((back - score).abs() < 1e-9, "{} is not {}", back, score);
            prop_assert!(told.each[idle].abs() < 1e-12);
        }
    }
}
