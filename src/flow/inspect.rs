//! Inspect: the answers of a panel become one verdict. Pure: no I/O, no clock, no memory of other parts.
//!
//! A failed member is never read as a member that said "good": a required one leaves the part undecided, an optional one
//! loses its vote and the verdict says so. Answers become votes in `votes`; boxes and maps of several members become
//! one vote in `boxes` and `maps`; [`crate::fusion`] joins the votes.

mod boxes;
mod fits;
mod maps;
mod votes;

use crate::config::Thresholds;
use crate::flow::plan::{Panel, Plan};
use crate::flow::verdict::{Decision, FusedDetection, Reason, Verdict, Vote};
use crate::flow::{ClassScore, MemberAnswer, WalkEnd, Walked};
use crate::fusion::{Fused, Over};
use crate::name::Name;
use votes::{Voice, required_failure, vote};

/// Judges a part by what its models found.
#[must_use]
pub fn judge(walked: &Walked) -> Verdict {
    let plan = &*walked.part.plan;
    let rung = walked.part.rung;
    match (&walked.end, walked.path.last().and_then(|&last| plan.panel(last, rung))) {
        (WalkEnd::Judged, Some(panel)) => judge_panel(plan, panel, walked),
        (WalkEnd::NotOnThisRung, _) => unjudged(Reason::NotOnThisRung { rung: plan.rungs.get(rung).cloned() }),
        (WalkEnd::GateUnsure { why }, _) => unjudged(Reason::GateUnsure { why: why.clone() }),
        (WalkEnd::GateFailed { why }, _) => unjudged(Reason::GateFailed { why: why.clone() }),
        (WalkEnd::ReadFailed { why }, _) => unjudged(Reason::ReadFailed { why: why.clone() }),
        (WalkEnd::Unrouted | WalkEnd::Judged, _) => unjudged(Reason::Unrouted),
    }
}

/// Whether judging it means looking at its pixels.
#[must_use]
pub fn looks_at_pixels(walked: &Walked) -> bool {
    let plan = &walked.part.plan;
    let panel = walked.path.last().and_then(|&last| plan.panel(last, walked.part.rung));
    panel.and_then(|panel| panel.fit.as_ref()).is_some_and(|fit| fit.adaptive.is_some())
}

/// An undecided verdict that no panel had a part in.
fn unjudged(reason: Reason) -> Verdict {
    Verdict {
        decision: Decision::Undecided,
        score: None,
        reasons: vec![reason],
        thresholds: None,
        votes: Vec::new(),
        quality: Vec::new(),
        fused: Vec::new(),
        measured: None,
        detections: Vec::new(),
    }
}

/// Fuses the votes of a panel and holds the score against its thresholds.
fn judge_panel(plan: &Plan, panel: &Panel, Walked { answers, part, .. }: &Walked) -> Verdict {
    let mut votes: Vec<Vote> = answers.iter().map(|answer| vote(plan, panel, answer)).collect();
    let quality = fits::weigh(panel, &part.frames, &mut votes);
    let failed: Vec<Reason> = votes.iter().filter_map(|vote| required_failure(plan, panel, vote)).collect();
    let thresholds = fits::thresholds(panel, &votes);
    let verdict = |decision, score, reasons| Verdict {
        decision,
        score,
        reasons,
        thresholds: Some(thresholds),
        votes: votes.clone(),
        quality: quality.clone(),
        fused: Vec::new(),
        measured: None,
        detections: Vec::new(),
    };
    if !failed.is_empty() {
        return verdict(Decision::Undecided, None, failed);
    }
    match fuse(plan, panel, answers, &votes) {
        Ok(Some((fused, detections))) => {
            let (decision, reason) = decide(fused.score, thresholds);
            let score = Some(fused.score);
            let (measured, fused) = (fused.measured, class_scores(fused.classes));
            Verdict { fused, measured, detections, ..verdict(decision, score, vec![reason]) }
        }
        Ok(None) => verdict(Decision::Undecided, None, vec![Reason::NoVotes]),
        Err(why) => verdict(Decision::Undecided, None, vec![Reason::FusionFailed { why }]),
    }
}

/// Holds a score against the thresholds: the decision, and the reason that tells both.
#[must_use]
pub fn decide(score: f64, Thresholds { reject_from, pass_below }: Thresholds) -> (Decision, Reason) {
    if score >= reject_from {
        (Decision::Reject, Reason::ScoreAtOrAbove { score, reject_from })
    } else if score < pass_below {
        (Decision::Pass, Reason::ScoreBelow { score, pass_below })
    } else {
        (Decision::Undecided, Reason::ScoreBetween { score, pass_below, reject_from })
    }
}

/// Widens the band of undecided of a verdict that was reached by a score: `by` is taken from `pass_below` and added to
/// `reject_from`, neither of which leaves 0 to 1 by that. Gives the verdict as it was where there is no score.
#[must_use]
pub fn widened(verdict: Verdict, by: f64) -> Verdict {
    let (Some(score), Some(Thresholds { reject_from, pass_below })) = (verdict.score, verdict.thresholds) else {
        return verdict;
    };
    let thresholds = Thresholds {
        reject_from: (reject_from + by).min(reject_from.max(1.0)),
        pass_below: (pass_below - by).max(0.0),
    };
    let (decision, reason) = decide(score, thresholds);
    Verdict { decision, reasons: vec![reason], thresholds: Some(thresholds), ..verdict }
}

/// Fuses the votes that were given; `None` when there are none.
fn fuse(
    plan: &Plan,
    panel: &Panel,
    answers: &[MemberAnswer],
    votes: &[Vote],
) -> Result<Option<(Fused, Vec<FusedDetection>)>, String> {
    let mut voices = votes::voices(plan, panel, answers, votes);
    if let Some(fit) = panel.fit.as_ref().filter(|_| panel.fusion.over != Over::Boxes) {
        return fits::fuse(panel, fit, voices, answers).map(|fused| Some((fused?, Vec::new())));
    }
    let mut detections = Vec::new();
    match panel.fusion.over {
        Over::Defect | Over::Classes => {}
        Over::Boxes => {
            let settings = panel.fusion.boxes.ok_or("no fusion of boxes is set")?;
            let (joint, found) = boxes::fuse(panel, &mut voices, settings)?;
            voices.extend(joint);
            detections = found;
        }
        Over::Maps => {
            let joint = maps::fuse(plan, panel, &mut voices)?;
            voices.extend(joint);
        }
    }
    Ok(Voice::join(&voices, panel.fusion).map(|fused| (fused, detections)))
}

/// Fused labels in the form of messages.
fn class_scores(classes: Vec<(Name, f64)>) -> Vec<ClassScore> {
    classes.into_iter().map(|(label, probability)| ClassScore { label, probability }).collect()
}

#[cfg(test)]
mod tests;
