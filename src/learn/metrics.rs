//! How well verdicts agree with the truth: the figures of a table, for one model or for the fusion. Pure.
//!
//! The positive answer is "defective". An undecided part counts as wrong: a line that asks for a person has not decided.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flow::verdict::Decision;

/// One judged part with its truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Case {
    /// Whether the part is really defective.
    pub defective: bool,
    /// The decision.
    pub decision: Decision,
    /// The score, 0 to 1; `None` when there is none.
    pub score: Option<f64>,
}

/// The figures over a set of cases. A figure that has nothing to stand on (no defective part, say) is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// The number of cases.
    pub parts: usize,
    /// Rejected and defective.
    pub true_rejects: usize,
    /// Passed and good.
    pub true_passes: usize,
    /// Rejected though good.
    pub false_rejects: usize,
    /// Passed though defective.
    pub escapes: usize,
    /// Neither passed nor rejected.
    pub undecided: usize,
    /// Right decisions over all parts.
    pub accuracy: Option<f64>,
    /// The mean of the share of defective parts rejected and the share of good parts passed.
    pub balanced_accuracy: Option<f64>,
    /// The harmonic mean of precision and recall of rejects.
    pub f1: Option<f64>,
    /// The area under the ROC curve over the cases that have a score.
    pub auc: Option<f64>,
}

impl Figures {
    /// Counts the cases.
    #[must_use]
    pub fn of(cases: &[Case]) -> Self {
        let count = |defective: bool, decision: Decision| {
            cases.iter().filter(|case| case.defective == defective && case.decision == decision).count()
        };
        let (true_rejects, escapes) = (count(true, Decision::Reject), count(true, Decision::Pass));
        let (true_passes, false_rejects) = (count(false, Decision::Pass), count(false, Decision::Reject));
        let undecided = count(true, Decision::Undecided) + count(false, Decision::Undecided);
        let defective = cases.iter().filter(|case| case.defective).count();
        let recall = ratio(true_rejects, defective);
        let specificity = ratio(true_passes, cases.len() - defective);
        Self {
            parts: cases.len(),
            true_rejects,
            true_passes,
            false_rejects,
            escapes,
            undecided,
            accuracy: ratio(true_rejects + true_passes, cases.len()),
            balanced_accuracy: recall.zip(specificity).map(|(recall, specificity)| f64::midpoint(recall, specificity)),
            f1: ratio(2 * true_rejects, true_rejects + false_rejects + defective),
            auc: auc(cases),
        }
    }
}

/// A share; `None` of nothing.
#[expect(clippy::cast_precision_loss, reason = "counts of parts stay far below 2^53")]
fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The area under the ROC curve as the Mann-Whitney statistic, ties counting half (Hanley and `McNeil` 1982): the
/// probability that a defective part has the higher score.
fn auc(cases: &[Case]) -> Option<f64> {
    let mut scored: Vec<(f64, bool)> = cases.iter().filter_map(|case| Some((case.score?, case.defective))).collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut twice_wins, mut good_below) = (0_usize, 0_usize);
    for tied in scored.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let bad = tied.iter().filter(|(_, defective)| *defective).count();
        let good = tied.len() - bad;
        twice_wins += bad * (2 * good_below + good);
        good_below += good;
    }
    ratio(twice_wins, 2 * good_below * (scored.len() - good_below))
}

/// The value below which a share of the values lies, by the nearest rank; `None` of nothing.
///
/// `share` is held to 0..=1.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank lies between 0 and a count far below 2^53"
)]
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "a test counts few pairs")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn case(defective: bool, score: f64) -> Case {
        let decision = if score >= 0.5 { Decision::Reject } else { Decision::Pass };
        Case { defective, decision, score: Some(score) }
    }

    #[test]
    fn a_small_table_by_hand() {
        let mut cases = vec![case(true, 0.9), case(true, 0.4), case(false, 0.1), case(false, 0.4), case(false, 0.7)];
        cases.push(Case { defective: true, decision: Decision::Undecided, score: None });
        let figures = Figures::of(&cases);
        assert_eq!((figures.true_rejects, figures.true_passes), (1, 2));
        assert_eq!((figures.escapes, figures.false_rejects, figures.undecided), (1, 1, 1));
        assert_eq!(figures.accuracy, Some(0.5), "an undecided part counts as wrong");
        assert_eq!(figures.balanced_accuracy, Some(f64::midpoint(1.0 / 3.0, 2.0 / 3.0)));
        assert_eq!(figures.f1, Some(2.0 / 5.0));
        assert_eq!(figures.auc, Some(4.5 / 6.0), "3 + 1.5 of 6 pairs, a tie counting half");
    }

    #[test]
    fn nothing_has_no_figures() {
        let figures = Figures::of(&[]);
        assert_eq!((figures.accuracy, figures.balanced_accuracy, figures.f1, figures.auc), (None, None, None, None));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn percentiles_by_nearest_rank() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        let at = |share| percentile(&values, share);
        assert_eq!((at(0.0), at(0.5), at(0.99), at(1.0)), (Some(1.0), Some(3.0), Some(5.0), Some(5.0)));
    }

    proptest! {
        #[test]
        fn auc_equals_the_count_over_all_pairs(cases in proptest::collection::vec((any::<bool>(), 0u8..12), 0..60)) {
            let cases: Vec<_> = cases.into_iter().map(|(bad, score)| case(bad, f64::from(score) / 12.0)).collect();
            let (bad, good): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.defective);
            let wins: f64 = bad.iter().flat_map(|b| good.iter().map(move |g| match b.score.partial_cmp(&g.score) {
                Some(std::cmp::Ordering::Greater) => 1.0,
                Some(std::cmp::Ordering::Equal) => 0.5,
                _ => 0.0,
            })).sum();
            let expected = (!bad.is_empty() && !good.is_empty()).then(|| wins / (bad.len() * good.len()) as f64);
            let auc = Figures::of(&cases).auc;
            prop_assert_eq!(auc.is_some(), expected.is_some());
            prop_assert!((auc.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-12);
        }

        #[test]
        fn every_case_is_counted_once(cases in proptest::collection::vec((any::<bool>(), 0u8..3), 0..60)) {
            let cases: Vec<_> = cases.into_iter().map(|(defective, decision)| Case {
                defective, score: None,
                decision: [Decision::Pass, Decision::Reject, Decision::Undecided][usize::from(decision)],
            }).collect();
            let f = Figures::of(&cases);
            prop_assert_eq!(f.true_rejects + f.true_passes + f.false_rejects + f.escapes + f.undecided, cases.len());
        }
    }
}
