//! What would have changed a verdict: the least that the fused score, one member's score or a threshold would have had to move,
//! all else being as it was.
//!
//! A score rejects from a threshold on and passes below one, so a bound that must be reached and one that must be fallen short of
//! are told apart. Weights are held as they were for the part; so is who was asked.

use serde::Serialize;

use super::joining::{Joining, Said};
use crate::config::Thresholds;
use crate::flow::inspect::decide;
use crate::flow::verdict::Decision;
use crate::fusion::Rule;
use crate::fusion::calibrator::{EDGE, logistic, logit};

/// On which side of a number another lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The number or more.
    AtLeast,
    /// Less than the number.
    Below,
    /// The number or less.
    AtMost,
    /// More than the number.
    Above,
}

impl Side {
    /// The side in a sentence, before the number.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtLeast => "at least",
            Self::Below => "below",
            Self::AtMost => "at most",
            Self::Above => "above",
        }
    }

    /// The same where a rising number lets the other fall.
    const fn mirrored(self) -> Self {
        match self {
            Self::AtLeast => Self::AtMost,
            Self::Below => Self::Above,
            Self::AtMost => Self::AtLeast,
            Self::Above => Self::Below,
        }
    }
}

/// Where a number would have had to lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reach {
    /// On which side.
    pub side: Side,
    /// Of what.
    pub of: f64,
}

/// Another verdict, and what would have led to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flip {
    /// The other verdict.
    pub becomes: Decision,
    /// Where the fused score would have had to lie.
    pub score: Reach,
    /// By how much it would have had to move, at least.
    pub change: f64,
    /// Where each member's score alone would have had to lie, in the order of the votes; `None` where no score of this member
    /// could have done it.
    pub members: Vec<Option<Reach>>,
    /// The member whose score would have had to move least; `None` where no member could have done it alone.
    pub nearest: Option<usize>,
    /// Where the threshold `score.of` itself would have had to lie instead, at the score as it was.
    pub threshold: Reach,
}

/// The other verdicts that a fused score could have led to, the nearest first. `joined` says how it came about; without that, no
/// member's own part is told.
#[must_use]
pub fn flips(score: f64, thresholds: Thresholds, joined: Option<(&Joining, &[Said])>) -> Vec<Flip> {
    let mut flips: Vec<Flip> = bounds(score, thresholds)
        .map(|(reach, becomes)| {
            let places = || joined.map_or(0..0, |(_, votes)| 0..votes.len());
            let to = |place: usize| joined.and_then(|(joining, votes)| alone(joining, votes, place, reach));
            let moved = |place: usize| Some((to(place)?.of - joined?.1.get(place)?.score).abs());
            let nearest = places().filter_map(|place| Some((place, moved(place)?)));
            let nearest = nearest.min_by(|one, other| one.1.total_cmp(&other.1)).map(|(place, _)| place);
            let side = if reach.side == Side::Below { Side::Above } else { Side::AtMost };
            let (change, members) = ((reach.of - score).abs(), places().map(to).collect());
            Flip { becomes, score: reach, change, members, nearest, threshold: Reach { side, of: score } }
        })
        .collect();
    flips.sort_by(|one, other| one.change.total_cmp(&other.change));
    flips
}

/// The thresholds on the other side of which another verdict waits, and which. Scores lie in 0 to 1: a threshold that none can
/// reach, or fall short of, leads nowhere.
fn bounds(score: f64, thresholds: Thresholds) -> impl Iterator<Item = (Reach, Decision)> {
    let Thresholds { reject_from, pass_below } = thresholds;
    let two = (reject_from > pass_below).then_some(pass_below);
    [Some(reject_from), two].into_iter().flatten().filter_map(move |of| {
        if score >= of {
            (of > 0.0).then(|| (Reach { side: Side::Below, of }, decide(of.next_down(), thresholds).0))
        } else {
            (of <= 1.0).then(|| (Reach { side: Side::AtLeast, of }, decide(of, thresholds).0))
        }
    })
}

/// Where the score of the vote at `place` alone would have had to lie for the fused score to lie at `wanted`.
fn alone(joining: &Joining, votes: &[Said], place: usize, wanted: Reach) -> Option<Reach> {
    let own = votes.get(place)?.score;
    if *joining == Joining::Rule(Rule::Maximum) {
        // It reaches the bound by itself; it falls short of it only where no other holds the maximum up.
        let others = votes.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, said)| said.score);
        let held = wanted.side == Side::Below && others.fold(f64::NEG_INFINITY, f64::max) >= wanted.of;
        return (!held).then_some(wanted);
    }
    let slope = joining.shares(votes).get(place).copied().filter(|slope| *slope != 0.0)?;
    let side = if slope > 0.0 { wanted.side } else { wanted.side.mirrored() };
    let of = match joining {
        Joining::Rule(_) => own + (wanted.of - joining.score(votes)?) / slope,
        Joining::Stacking(_) => {
            let total = joining.contributions(votes)?.total;
            let odds = logit(own) + (logit(wanted.of) - total) / slope;
            // Log-odds are held off certainty: no score moves them further.
            (odds.abs() <= logit(1.0 - EDGE)).then(|| logistic(odds))?
        }
    };
    let possible = match side {
        Side::AtLeast => of <= 1.0,
        Side::Below => of > 0.0,
        Side::AtMost => of >= 0.0,
        Side::Above => of < 1.0,
    };
    possible.then_some(Reach { side, of })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::joining::tests::any_panel;
    use crate::fusion::stacking::Stacking;
    use proptest::prelude::*;

    fn flips(joining: &Joining, votes: &[Said], thresholds: Thresholds) -> Vec<Flip> {
        super::flips(joining.score(votes).unwrap(), thresholds, Some((joining, votes)))
    }

    const THRESHOLDS: Thresholds = Thresholds { reject_from: 0.7, pass_below: 0.3 };

    fn votes(scores: &[f64]) -> Vec<Said> {
        scores.iter().map(|&score| Said { score, weight: 1.0 }).collect()
    }

    #[test]
    fn by_hand() {
        let told = flips(&Joining::Rule(Rule::Mean), &votes(&[0.9, 0.7]), THRESHOLDS);
        assert_eq!(told.iter().map(|flip| flip.becomes).collect::<Vec<_>>(), [Decision::Undecided, Decision::Pass]);
        let first = &told[0];
        assert_eq!((first.score.side, first.score.of), (Side::Below, 0.7));
        assert!((first.change - 0.1).abs() < 1e-12);
        let to = |flip: &Flip, place: usize| flip.members[place].map(|reach| (reach.of * 1e9).round() / 1e9);
        assert_eq!((to(first, 0), to(first, 1)), (Some(0.7), Some(0.5)));
        assert_eq!((to(&told[1], 0), to(&told[1], 1)), (None, None), "one alone cannot make it pass");
        assert_eq!(told[1].nearest, None);
        assert_eq!((first.threshold.side, (first.threshold.of * 1e9).round() / 1e9), (Side::Above, 0.8));
    }

    #[test]
    fn a_maximum_falls_only_where_nobody_else_holds_it_up() {
        let joining = Joining::Rule(Rule::Maximum);
        let told = flips(&joining, &votes(&[0.9, 0.2]), THRESHOLDS);
        assert_eq!(told[0].members, [Some(Reach { side: Side::Below, of: 0.7 }), None]);
        let told = flips(&joining, &votes(&[0.9, 0.8]), THRESHOLDS);
        assert_eq!(told[0].members, [None, None]);
        let told = flips(&joining, &votes(&[0.1, 0.2]), THRESHOLDS);
        assert_eq!((told[0].becomes, told[0].nearest), (Decision::Undecided, Some(1)));
    }

    #[test]
    fn a_member_that_counts_against_moves_the_other_way_and_an_idle_one_not_at_all() {
        let joining = Joining::Stacking(Stacking { intercept: 0.0, weights: vec![2.0, -1.0, 0.0] });
        let told = flips(&joining, &votes(&[0.8, 0.6, 0.9]), Thresholds { reject_from: 0.5, pass_below: 0.5 });
        assert_eq!(told.len(), 1, "both thresholds are one");
        let sides: Vec<_> = told[0].members.iter().map(|reach| reach.map(|reach| reach.side)).collect();
        assert_eq!(sides, [Some(Side::Below), Some(Side::Above), None]);
    }

    #[test]
    fn thresholds_beyond_every_score_lead_nowhere() {
        let told = flips(&Joining::Rule(Rule::Mean), &votes(&[0.4]), Thresholds { reject_from: 2.0, pass_below: 0.0 });
        assert_eq!(told, []);
    }

    /// The verdict where one score lies `by` towards, or short of, where it would have had to.
    fn moved(joining: &Joining, votes: &[Said], place: usize, to: f64, thresholds: Thresholds) -> Decision {
        let mut votes = votes.to_vec();
        votes[place].score = to;
        decide(joining.score(&votes).unwrap(), thresholds).0
    }

    proptest! {
        /// A little more than the change flips the verdict to what is told, a little less leaves it as it was; where no change of
        /// one member is told, neither of its extremes flips.
        #[test]
        fn the_change_flips_and_a_little_less_does_not(
            (votes, joining) in any_panel(), one in 0.0..=1.0_f64, other in 0.0..=1.0_f64, same in any::<bool>()
        ) {
            let thresholds = Thresholds { reject_from: one.max(other), pass_below: if same { one.max(other) } else { one.min(other) } };
            let score = joining.score(&votes).unwrap();
            let now = decide(score, thresholds).0;
            for flip in flips(&joining, &votes, thresholds) {
                prop_assert_ne!(flip.becomes, now);
                let inside = match flip.score.side { Side::Below => flip.score.of.next_down(), _ => flip.score.of };
                prop_assert_eq!(decide(inside, thresholds).0, flip.becomes);
                for (place, reach) in flip.members.iter().enumerate() {
                    let own = votes[place].score;
                    let Some(Reach { side, of }) = *reach else {
                        // Nothing this member says crosses the threshold.
                        for extreme in [0.0, 1.0] {
                            let mut votes = votes.clone();
                            votes[place].score = extreme;
                            let there = joining.score(&votes).unwrap();
                            let crossed = if flip.score.side == Side::Below { there < flip.score.of - 1e-9 } else { there > flip.score.of + 1e-9 };
                            prop_assert!(!crossed, "{} crosses {:?} with {:?}", extreme, flip.score, joining);
                        }
                        continue;
                    };
                    let little = 1e-6 * of.min(1.0 - of).max(1e-3);
                    let outwards = if matches!(side, Side::Below | Side::AtMost) { -little } else { little };
                    let (beyond, short) = (of + outwards, of - outwards);
                    if (0.0..=1.0).contains(&beyond) && (1e-9..1.0 - 1e-9).contains(&of) {
                        let flipped = moved(&joining, &votes, place, beyond, thresholds);
                        // A narrow band may be jumped over, never missed.
                        prop_assert_ne!(flipped, now, "{} to {} of {:?}", own, beyond, joining);
                    }
                    if (0.0..=1.0).contains(&short) && (own - short) * outwards <= 0.0 {
                        let still = moved(&joining, &votes, place, short, thresholds);
                        prop_assert_ne!(still, flip.becomes, "{} to {} of {:?}", own, short, joining);
                    }
                }
            }
        }
    }
}
