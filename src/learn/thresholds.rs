//! Where a fused score becomes a decision: by what a mistake costs, or so that escapes stay below a bound. Pure.
//!
//! An escape is a defective part that passes. The bound is on the chance that a defective part escapes,
//! P(pass | defective), and holds with the stated confidence over the draw of the calibration parts, which must not be those
//! that anything was fitted to.

use super::calibrate::Sample;
use super::risk::{at_most, parts_wanted};
use crate::config::Thresholds;

/// What an escape may cost or how often it may happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aim {
    /// An escape costs so many false rejects: finite, above 0. Nobody is left undecided.
    Cost(f64),
    /// At most this share of the defective parts passes, with this confidence; both between 0 and 1, ends excluded.
    Bound {
        /// The greatest share.
        escapes: f64,
        /// The confidence.
        confidence: f64,
    },
}

/// The score from which to reject so that the escapes, each at `escape_cost`, and the false rejects, each at 1, cost least on
/// this sample. It lies half-way between two scores; of several the lowest is taken, at which least escapes. 0 rejects all;
/// above all scores it is 1, which still rejects a score of 1.
#[must_use]
pub fn by_cost(sample: &Sample<'_>, escape_cost: f64) -> f64 {
    let mut parts: Vec<(f64, f64)> = Vec::with_capacity(sample.scores.len());
    for ((score, is), weight) in sample.scores.iter().zip(sample.defective).zip(sample.weights) {
        // What passing this part costs beyond rejecting it.
        parts.push((*score, if *is { escape_cost * weight } else { -weight }));
    }
    parts.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Rejecting all costs nothing here: all is told as the difference to it.
    let (mut best, mut from, mut cost) = (0.0, 0.0, 0.0);
    let runs: Vec<&[(f64, f64)]> = parts.chunk_by(|a, b| a.0 >= b.0).collect();
    for (place, run) in runs.iter().enumerate() {
        cost += run.iter().map(|part| part.1).sum::<f64>();
        if cost < best {
            best = cost;
            let here = run.first().map_or(1.0, |part| part.0);
            from = runs.get(place + 1).and_then(|run| run.first()).map_or(1.0, |next| f64::midpoint(here, next.0));
        }
    }
    from
}

/// The highest score below which parts may pass so that at most a share `escapes` of defective parts does, with `confidence`.
///
/// `defective` are the scores of the defective calibration parts, in any order. Candidates are tested from "nothing passes"
/// upwards: letting so much pass that k of the n defective parts escape is cleared where the chance of at most k escapes at
/// the bound is at most 1 - `confidence`; the first k that is not cleared ends it. 0, and nothing ever passes, where a
/// defective part of the lowest score stands in the way.
///
/// # Errors
/// One sentence when there are so few defective parts that not even "none escaped" would clear anything.
pub fn bounded(defective: &[f64], escapes: f64, confidence: f64) -> Result<f64, String> {
    let (seen, wanted) = (defective.len() as u64, parts_wanted(escapes, confidence));
    if seen < wanted {
        return Err(format!(
            "{seen} defective parts cannot show that at most {} % of them escape with a confidence of {} %: want {wanted} that \
             nothing was fitted to",
            percent(escapes),
            percent(confidence)
        ));
    }
    let mut sorted = defective.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut cleared = 0.0;
    for (escaped, score) in sorted.iter().enumerate() {
        // Passing below this score lets at most those escape that stand before it.
        if at_most(escaped as u64, seen, escapes) > 1.0 - confidence {
            return Ok(cleared);
        }
        cleared = *score;
    }
    Ok(cleared)
}

/// Thresholds for an aim.
///
/// `fitted` are parts that the fusion may have been fitted to: `reject_from` comes from them. `calibration` are those it was
/// not: a bound on escapes is tested on them. With a bound, parts are rejected from where they are more likely defective than
/// not, passed below the tested score, and undecided between.
///
/// # Errors
/// As [`bounded`].
pub fn choose(aim: Aim, fitted: &Sample<'_>, calibration: &Sample<'_>) -> Result<Thresholds, String> {
    match aim {
        Aim::Cost(cost) => {
            let reject_from = by_cost(fitted, cost);
            Ok(Thresholds { reject_from, pass_below: reject_from })
        }
        Aim::Bound { escapes, confidence } => {
            let reject_from = by_cost(fitted, 1.0);
            let parts = calibration.scores.iter().zip(calibration.defective);
            let defective: Vec<f64> = parts.filter(|(_, is)| **is).map(|(score, _)| *score).collect();
            let pass_below = bounded(&defective, escapes, confidence)?.min(reject_from);
            Ok(Thresholds { reject_from, pass_below })
        }
    }
}

/// A share in per cent, without the tail of binary fractions.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

#[cfg(test)]
mod tests;
