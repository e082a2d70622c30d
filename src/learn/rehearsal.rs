//! The rehearsal of a promise: the labelled parts are split at random again and again, a bound on escapes is promised by three
//! quarters of them and looked at on the last quarter. Pure, and seeded.
//!
//! Splits share their parts, so they are no independent draws; and a quarter holds so few defective parts that its share of
//! escapes scatters around the true one. Both are told beside the result, and neither makes it better than it is.

use rayon::prelude::*;

use super::ensemble::{Parts, fit, scores};
use super::metrics::percentile;
use super::panel::{halves, promise, refuse_unlike};
use super::risk::at_most;
use super::thresholds::{Aim, choose};
use crate::models::fit::{Method, Promise};

/// Into how many folds the parts of a split are dealt; one of them is looked at, the others promise.
const FOLDS: usize = 4;

/// What came of a promise.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Rehearsal {
    /// The greatest share of defective parts that may pass.
    pub bound: f64,
    /// How sure that was to hold, over the draw of the parts that promise.
    pub confidence: f64,
    /// Random splits.
    pub splits: usize,
    /// Splits in which too few defective parts were there to promise anything: then all parts stay undecided and none passes.
    pub infeasible: usize,
    /// The share of the splits in which more defective parts passed than the bound allows, on the parts looked at.
    pub exceeded_share: f64,
    /// What that share would be for a passing score whose true share of escapes is the bound itself: the test's own noise.
    pub exceeded_at_bound: f64,
    /// The mean share of defective parts that passed.
    pub escape_share: f64,
    /// The mean share of all parts that stayed undecided, with the 5th and the 95th percentile of the splits.
    pub undecided_share: [f64; 3],
    /// Defective parts in the last split: those that tested the promise, and those it was looked at on.
    pub defective: [usize; 2],
}

/// One split: what was promised by, and what was seen.
struct Split {
    feasible: bool,
    /// Shares of the defective parts that passed and of all parts that stayed undecided.
    escaped: f64,
    undecided: f64,
    defective: [usize; 2],
}

/// Rehearses the promise that at most a share `bound` of defective parts passes, with `confidence`; both between 0 and 1, ends
/// excluded. `each` is told after every split.
///
/// # Errors
/// One sentence: too few parts of a kind for the folds, members that say the same, parts that do not count alike, or nothing to
/// rehearse.
pub fn rehearse(
    parts: &Parts,
    methods: &[Method],
    (bound, confidence): (f64, f64),
    splits: usize,
    each: impl Fn() + Sync,
) -> Result<Rehearsal, String> {
    if let Some((one, other)) = parts.twins() {
        return Err(format!("{one} and {other} say the same of every part: one member counted twice"));
    }
    refuse_unlike(parts, "a bound on escapes")?;
    let played = (0..splits as u64).into_par_iter().map(|seed| {
        let split = split(parts, methods, (bound, confidence), seed);
        each();
        split
    });
    let played = played.collect::<Result<Vec<Split>, String>>()?;
    let last = played.last().ok_or("no split was asked for")?;
    let mean = |of: fn(&Split) -> f64| played.iter().map(of).sum::<f64>() / count(splits);
    let undecided: Vec<f64> = played.iter().map(|split| split.undecided).collect();
    let at = |share| percentile(&undecided, share).unwrap_or(0.0);
    Ok(Rehearsal {
        bound,
        confidence,
        splits,
        infeasible: played.iter().filter(|split| !split.feasible).count(),
        exceeded_share: count(played.iter().filter(|split| split.escaped > bound).count()) / count(splits),
        exceeded_at_bound: exceeded_by_chance(last.defective[1], bound),
        escape_share: mean(|split| split.escaped),
        undecided_share: [mean(|split| split.undecided), at(0.05), at(0.95)],
        defective: last.defective,
    })
}

fn split(parts: &Parts, methods: &[Method], (bound, confidence): (f64, f64), seed: u64) -> Result<Split, String> {
    let mut order: Vec<usize> = (0..parts.len()).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut order);
    let parts = parts.at(&order);
    let held = parts.folds(FOLDS)?;
    let of = |shown: bool| (0..parts.len()).filter(|&place| (held[place] == 0) == shown).collect::<Vec<usize>>();
    let (learned, shown) = (parts.at(&of(false)), parts.at(&of(true)).as_taken());
    let (fitting, testing) = halves(&learned)?;
    let fused = fit(&fitting, methods)?;
    let (fitted, tested, seen) =
        (scores(&fused, &fitting.as_taken()), scores(&fused, &testing.as_taken()), scores(&fused, &shown));
    let aim = Aim::Bound { escapes: bound, confidence };
    let defective = [&tested, &seen].map(|of| of.sample().defective.iter().filter(|is| **is).count());
    let chosen = choose(aim, &fitted.sample(), &tested.sample());
    let Ok(thresholds) = chosen else {
        return Ok(Split { feasible: false, escaped: 0.0, undecided: 1.0, defective });
    };
    let Promise::EscapeBound { escaped, undecided, .. } = promise(aim, thresholds, &seen.sample()) else {
        return Err("a bound was asked for and another promise came".into());
    };
    Ok(Split { feasible: true, escaped: count(escaped) / count(defective[1].max(1)), undecided, defective })
}

/// The chance that more than a share `bound` of so many defective parts passes where each does with the chance `bound`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count of parts")]
fn exceeded_by_chance(defective: usize, bound: f64) -> f64 {
    // A product that is a whole number but for its last bits is that number.
    1.0 - at_most((count(defective) * bound + 1e-9).floor() as u64, defective as u64, bound)
}

#[expect(clippy::cast_precision_loss, reason = "counts of parts and splits stay far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1,600 parts, half of them defective, with two members whose scores lie wholly apart, or are worth nothing.
    fn parts(apart: bool) -> Parts {
        let mut random = fastrand::Rng::with_seed(5);
        let defective: Vec<bool> = (0..1600).map(|place| place % 2 == 0).collect();
        let mut member = || -> Vec<f64> {
            let score = |is: &bool| random.f64() * 0.4 + if apart && *is { 0.6 } else { 0.0 };
            defective.iter().map(score).collect()
        };
        let members = vec![member(), member()];
        let weights = vec![1.0; defective.len()];
        Parts { names: vec!["a".into(), "b".into()], members, defective, weights, ..Parts::default() }
    }

    #[test]
    fn members_that_know_everything_keep_the_promise_and_leave_hardly_anybody_undecided() {
        let told = rehearse(&parts(true), &[Method::Mean], (0.02, 0.95), 12, || ()).unwrap();
        assert_eq!((told.splits, told.infeasible, told.defective), (12, 0, [300, 200]));
        assert!(told.exceeded_share <= 1.0 / 12.0 && told.undecided_share[0] < 0.05, "{told:?}");
    }

    #[test]
    fn members_that_know_nothing_keep_it_too_and_leave_nearly_all_undecided_or_rejected() {
        let told = rehearse(&parts(false), &[Method::Mean], (0.05, 0.95), 12, || ()).unwrap();
        assert!(told.escape_share < 0.05 && told.infeasible == 0, "{told:?}");
    }

    #[test]
    fn what_cannot_be_promised_leaves_all_undecided() {
        let told = rehearse(&parts(true), &[Method::Mean], (0.002, 0.95), 4, || ()).unwrap();
        assert_eq!((told.infeasible, told.exceeded_share, told.undecided_share), (4, 0.0, [1.0; 3]));
    }

    #[test]
    fn the_noise_of_a_test_is_the_binomials() {
        // Of 100 parts at 1 %, two or more: 1 - 0.99^100 - 100 * 0.01 * 0.99^99.
        let wanted = 1.0 - 0.99_f64.powi(100) - 0.99_f64.powi(99);
        assert!((exceeded_by_chance(100, 0.01) - wanted).abs() < 1e-9);
        assert_eq!(
            rehearse(&parts(true), &[Method::Mean], (0.02, 0.95), 0, || ()).unwrap_err(),
            "no split was asked for"
        );
    }
}
