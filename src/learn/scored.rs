//! Scored parts: what one model's scores on a labelled set are worth, however often each part counts. Pure.
//!
//! Parts that were not drawn alike count by weights, one over the chance with which each was drawn (D. Horvitz and
//! D. Thompson, JASA 47, 1952, as a ratio: J. Hájek, 1971). Counting parts, rather than listing them, makes a figure of a resample as cheap as one of the set: scores are sorted once.

use super::sampling::alike;

/// The scores of one model on a labelled set that has good and defective parts.
#[derive(Debug, Clone)]
pub struct Scored<'s> {
    defective: &'s [bool],
    scores: &'s [f64],
    /// The places of the parts, the lowest score first, in runs of equal scores.
    ties: Vec<Vec<usize>>,
    good: u32,
    bad: u32,
    /// How much each part counts; `None` where all count once.
    weights: Option<&'s [f64]>,
}

/// Where at most a share of the good parts is rejected, and what escapes there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// The score above which a part is rejected, 0 to 1; -1 where every part may be.
    pub reject_above: f64,
    /// The share of defective parts that pass, 0 to 1.
    pub escapes: f64,
}

impl<'s> Scored<'s> {
    /// Takes a score for each part.
    ///
    /// # Errors
    /// One sentence: another count of scores than of parts, a score that is no number, or a set without good or without
    /// defective parts.
    pub fn new(defective: &'s [bool], scores: &'s [f64]) -> Result<Self, String> {
        if defective.len() != scores.len() {
            return Err(format!("there are {} scores for {} parts", scores.len(), defective.len()));
        }
        if let Some(place) = scores.iter().position(|score| !score.is_finite()) {
            return Err(format!("the score of part {place} is {}, want a finite number", scores[place]));
        }
        let count = |wanted: bool| {
            u32::try_from(defective.iter().filter(|is| **is == wanted).count()).map_err(|error| error.to_string())
        };
        let (good, bad) = (count(false)?, count(true)?);
        if good == 0 || bad == 0 {
            return Err(format!("the set has {good} good and {bad} defective parts, want some of both"));
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let ties = order.chunk_by(|&a, &b| scores[a] >= scores[b]).map(<[usize]>::to_vec).collect();
        Ok(Self { defective, scores, ties, good, bad, weights: None })
    }

    /// As [`Self::new`] for parts of which each counts as much as `weights` says, all finite and above 0. They enter the areas
    /// under both curves; the other figures are for parts that count alike.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn weighted(defective: &'s [bool], scores: &'s [f64], weights: &'s [f64]) -> Result<Self, String> {
        Ok(Self { weights: Some(weights).filter(|weights| !alike(weights)), ..Self::new(defective, scores)? })
    }

    /// Whether the model alone rejects the part at `place`.
    fn rejects(&self, place: usize, reject_from: f64) -> bool {
        self.scores.get(place).is_some_and(|score| *score >= reject_from)
    }

    /// For each part whether the model decides right.
    #[must_use]
    pub fn right(&self, reject_from: f64) -> Vec<bool> {
        self.defective.iter().enumerate().map(|(place, is)| self.rejects(place, reject_from) == *is).collect()
    }

    /// The share of right decisions among parts that count as often as `drawn` says, 0 to 1.
    #[must_use]
    pub fn accuracy(&self, drawn: &[u32], reject_from: f64) -> f64 {
        let [good, bad] = self.right_of_each(drawn, reject_from);
        f64::from(good + bad) / f64::from(self.good + self.bad)
    }

    /// The mean of the share of good parts passed and of defective parts rejected, 0 to 1.
    #[must_use]
    pub fn balanced_accuracy(&self, drawn: &[u32], reject_from: f64) -> f64 {
        let [good, bad] = self.right_of_each(drawn, reject_from);
        f64::midpoint(f64::from(good) / f64::from(self.good), f64::from(bad) / f64::from(self.bad))
    }

    /// The right decisions on good and on defective parts.
    fn right_of_each(&self, drawn: &[u32], reject_from: f64) -> [u32; 2] {
        let mut right = [0; 2];
        for (place, (drawn, &is)) in drawn.iter().zip(self.defective).enumerate() {
            if self.rejects(place, reject_from) == is {
                right[usize::from(is)] += drawn;
            }
        }
        right
    }

    /// Good and defective parts of one run of equal scores.
    fn of_each(&self, tied: &[usize], drawn: &[u32]) -> [u32; 2] {
        let mut counts = [0; 2];
        for &place in tied {
            let is = self.defective.get(place).copied().unwrap_or_default();
            counts[usize::from(is)] += drawn.get(place).copied().unwrap_or_default();
        }
        counts
    }

    /// The weight of good and of defective parts among one run of equal scores.
    fn weights_of_each(&self, tied: &[usize], drawn: &[u32]) -> [f64; 2] {
        let Some(weights) = self.weights else { return self.of_each(tied, drawn).map(f64::from) };
        let mut sums = [0.0; 2];
        for &place in tied {
            let is = self.defective.get(place).copied().unwrap_or_default();
            let (times, weight) = (drawn.get(place).copied().unwrap_or_default(), weights.get(place));
            sums[usize::from(is)] += f64::from(times) * weight.copied().unwrap_or_default();
        }
        sums
    }

    /// The area under the ROC curve, 0 to 1: the share of pairs of a defective and a good part in which the defective one has
    /// the greater score, a tie counting half (J. Hanley and B. McNeil, Radiology 143, 1982).
    ///
    /// Wins are held against wins and losses, and not against the product of two sums: whatever the weights, parts that the
    /// scores separate give exactly 1, or exactly 0.
    #[must_use]
    pub fn auc(&self, drawn: &[u32]) -> f64 {
        // Counts and pairs of parts stay far below 2^53: without weights every sum is exact.
        let (mut wins, mut losses, mut ties, mut good_below, mut bad_below) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for tied in &self.ties {
            let [good, bad] = self.weights_of_each(tied, drawn);
            wins += bad * good_below;
            losses += good * bad_below;
            ties += bad * good;
            good_below += good;
            bad_below += bad;
        }
        (wins + ties / 2.0) / (wins + ties + losses)
    }

    /// Average precision, 0 to 1: the sum over the scores, from the highest down, of the precision of rejecting from there, each
    /// times the share of defective parts that the score adds. Parts of one score are added together.
    ///
    /// Source: scikit-learn's `average_precision_score`, which does not interpolate (J. Davis and M. Goadrich, "The relationship
    /// between precision-recall and ROC curves", 2006).
    #[must_use]
    pub fn average_precision(&self, drawn: &[u32]) -> f64 {
        let (mut good_above, mut bad_above, mut sum) = (0.0, 0.0, 0.0);
        for tied in self.ties.iter().rev() {
            let [good, bad] = self.weights_of_each(tied, drawn);
            good_above += good;
            bad_above += bad;
            if bad > 0.0 {
                sum += bad * (bad_above / (good_above + bad_above));
            }
        }
        sum / bad_above
    }

    /// The operating point at a false-reject rate.
    ///
    /// With n good parts, at most k = floor(`rate` x n) of them may be rejected (a product within 1e-9 of a whole number is
    /// that number). A part is rejected when its score is *above* the greatest score t for which more than k good parts have
    /// a score of t or more: the lowest threshold that keeps the rate. Parts of equal score are rejected together or not at
    /// all, so that less than k may be.
    #[must_use]
    pub fn at_false_reject_rate(&self, drawn: &[u32], rate: f64) -> OperatingPoint {
        let allowed = rate * f64::from(self.good) + 1e-9;
        let (mut good_above, mut bad_above) = (0, 0);
        for tied in self.ties.iter().rev() {
            let [good, bad] = self.of_each(tied, drawn);
            if f64::from(good_above + good) > allowed {
                let reject_above = tied.first().and_then(|&place| self.scores.get(place)).copied().unwrap_or_default();
                return OperatingPoint { reject_above, escapes: 1.0 - f64::from(bad_above) / f64::from(self.bad) };
            }
            good_above += good;
            bad_above += bad;
        }
        OperatingPoint { reject_above: -1.0, escapes: 0.0 }
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "a test counts few parts")]
mod tests {
    use super::*;
    use crate::flow::verdict::Decision;
    use crate::learn::metrics::{Case, Figures};
    use proptest::prelude::*;

    /// A set with some of both, and a score of few values for each part.
    fn set() -> impl Strategy<Value = (Vec<bool>, Vec<f64>)> {
        let part = (any::<bool>(), 0_u8..12);
        prop::collection::vec(part, 2..60).prop_map(|parts| {
            let (mut defective, scores): (Vec<bool>, Vec<f64>) =
                parts.into_iter().map(|(is, score)| (is, f64::from(score) / 12.0)).unzip();
            (defective[0], defective[1]) = (false, true);
            (defective, scores)
        })
    }

    proptest! {
        #[test]
        fn the_whole_set_has_the_figures_of_eval((defective, scores) in set()) {
            let scored = Scored::new(&defective, &scores).unwrap();
            let case = |(&defective, &score): (&bool, &f64)| {
                let decision = if score >= 0.5 { Decision::Reject } else { Decision::Pass };
                Case { defective, decision, score: Some(score) }
            };
            let wanted = Figures::of(&defective.iter().zip(&scores).map(case).collect::<Vec<_>>());
            let whole = vec![1; scores.len()];
            let near = |seen: f64, wanted: Option<f64>| (seen - wanted.unwrap()).abs() < 1e-12;
            prop_assert!(near(scored.accuracy(&whole, 0.5), wanted.accuracy));
            prop_assert!(near(scored.balanced_accuracy(&whole, 0.5), wanted.balanced_accuracy));
            prop_assert!(near(scored.auc(&whole), wanted.auc));
        }

        #[test]
        fn a_part_that_counts_twice_is_two_parts((defective, scores) in set()) {
            let twice: Vec<u32> = vec![2; scores.len()];
            let (mut many, mut theirs) = (Vec::new(), Vec::new());
            for place in 0..scores.len() * 2 {
                many.push(defective[place / 2]);
                theirs.push(scores[place / 2]);
            }
            let (one, two) = (Scored::new(&defective, &scores).unwrap(), Scored::new(&many, &theirs).unwrap());
            let whole = vec![1; many.len()];
            prop_assert!((one.auc(&twice) - two.auc(&whole)).abs() < 1e-12);
        }

        #[test]
        fn what_the_scores_separate_is_exactly_one_or_nothing_whatever_the_weights(
            defective in prop::collection::vec(any::<bool>(), 2..60), weights in prop::collection::vec(1e-3..1e3f64, 60)
        ) {
            prop_assume!(defective.iter().any(|is| *is) && defective.iter().any(|is| !is));
            let mut down: Vec<f64> = (0..defective.len()).map(|place| -(place as f64)).collect();
            for (score, is) in down.iter_mut().zip(&defective) {
                *score += if *is { 100.0 } else { 0.0 };
            }
            let up: Vec<f64> = down.iter().map(|score| -score).collect();
            let (weights, whole) = (&weights[..defective.len()], vec![1; defective.len()]);
            let best = Scored::weighted(&defective, &down, weights).unwrap();
            let bits = [best.auc(&whole), best.average_precision(&whole)].map(f64::to_bits);
            prop_assert_eq!(bits, [1.0_f64.to_bits(); 2]);
            let worst = Scored::weighted(&defective, &up, weights).unwrap();
            prop_assert_eq!(worst.auc(&whole).to_bits(), 0.0_f64.to_bits());
        }

        #[test]
        fn weights_of_one_change_no_bit_and_a_weight_is_so_many_copies(
            (defective, scores) in set(), times in prop::collection::vec(1_u32..5, 60)
        ) {
            let (ones, whole) = (vec![1.0; scores.len()], vec![1; scores.len()]);
            let plain = Scored::new(&defective, &scores).unwrap();
            let neutral = Scored::weighted(&defective, &scores, &ones).unwrap();
            prop_assert_eq!(plain.auc(&whole).to_bits(), neutral.auc(&whole).to_bits());
            prop_assert_eq!(plain.average_precision(&whole).to_bits(), neutral.average_precision(&whole).to_bits());

            let places: Vec<usize> =
                (0..scores.len()).flat_map(|place| std::iter::repeat_n(place, times[place] as usize)).collect();
            let truth: Vec<bool> = places.iter().map(|&place| defective[place]).collect();
            let theirs: Vec<f64> = places.iter().map(|&place| scores[place]).collect();
            let copied = Scored::new(&truth, &theirs).unwrap();
            let all = vec![1; truth.len()];
            let weights: Vec<f64> = (0..scores.len()).map(|place| f64::from(times[place])).collect();
            let weighted = Scored::weighted(&defective, &scores, &weights).unwrap();
            prop_assert!((weighted.auc(&whole) - copied.auc(&all)).abs() < 1e-12);
            prop_assert!((weighted.average_precision(&whole) - copied.average_precision(&all)).abs() < 1e-12);
        }

        #[test]
        fn the_operating_point_is_the_lowest_threshold_that_keeps_the_rate((defective, scores) in set(), rate in 0.0..1.2) {
            let scored = Scored::new(&defective, &scores).unwrap();
            let OperatingPoint { reject_above, escapes } = scored.at_false_reject_rate(&vec![1; scores.len()], rate);
            let share = |wanted: bool, above: f64| {
                let of = |place: &usize| defective[*place] == wanted;
                let all: Vec<usize> = (0..scores.len()).filter(of).collect();
                all.iter().filter(|place| scores[**place] > above).count() as f64 / all.len() as f64
            };
            prop_assert!(share(false, reject_above) <= rate + 1e-9);
            prop_assert!((escapes - (1.0 - share(true, reject_above))).abs() < 1e-12);
            let lower = scores.iter().copied().filter(|score| *score < reject_above).fold(-1.0, f64::max);
            prop_assert!(reject_above < 0.0 || share(false, lower) > rate, "{} would do", lower);
        }

        #[test]
        fn only_the_order_matters_for_ranks((defective, scores) in set(), rate in 0.0..1.0) {
            let stretched: Vec<f64> = scores.iter().map(|score| (3.0 * score).exp() - 7.0).collect();
            let (one, two) = (Scored::new(&defective, &scores).unwrap(), Scored::new(&defective, &stretched).unwrap());
            let whole = vec![1; scores.len()];
            prop_assert!((one.auc(&whole) - two.auc(&whole)).abs() < 1e-15);
            let escapes = |scored: &Scored<'_>| scored.at_false_reject_rate(&whole, rate).escapes;
            prop_assert!((escapes(&one) - escapes(&two)).abs() < 1e-15);
        }
    }

    #[test]
    fn a_small_operating_point_by_hand() {
        let defective = [vec![false; 20], vec![true; 4]].concat();
        let scores: Vec<f64> = (0..20).map(|place| f64::from(place) / 40.0).chain([0.1, 0.46, 0.48, 0.9]).collect();
        let scored = Scored::new(&defective, &scores).unwrap();
        let at = |rate| scored.at_false_reject_rate(&[1; 24], rate);
        // The good ones end with 0.45 and 0.475.
        assert_eq!(at(0.0), OperatingPoint { reject_above: 0.475, escapes: 0.5 });
        assert_eq!(at(0.05), OperatingPoint { reject_above: 0.45, escapes: 0.25 }, "1 of 20 may be rejected");
        assert_eq!(at(0.0999), at(0.05));
        assert_eq!(at(1.0), OperatingPoint { reject_above: -1.0, escapes: 0.0 });
    }

    #[test]
    fn what_cannot_be_judged_is_told() {
        let told = |defective: &[bool], scores: &[f64]| Scored::new(defective, scores).unwrap_err();
        assert_eq!(told(&[true], &[]), "there are 0 scores for 1 parts");
        assert_eq!(told(&[true, false], &[0.5, f64::NAN]), "the score of part 1 is NaN, want a finite number");
        assert_eq!(told(&[true], &[0.5]), "the set has 0 good and 1 defective parts, want some of both");
    }
}
