//! Inspect: the answers of a panel become one verdict. Pure: no I/O, no clock, no memory of other parts.
//!
//! A failed member is never read as a member that said "good": a required one leaves the part undecided, an optional one
//! loses its vote and the verdict says so.

use crate::config::Thresholds;
use crate::flow::plan::{Panel, Plan, Station};
use crate::flow::verdict::{Decision, Reason, Verdict, Vote};
use crate::flow::{ClassScore, MemberAnswer, WalkEnd, Walked};
use crate::fusion::{Ballot, Fused};
use crate::name::Name;
use crate::task::{classes, defect_score};

/// Judges a part by what its models found.
#[must_use]
pub fn judge(walked: &Walked) -> Verdict {
    let plan = &*walked.part.plan;
    match (&walked.end, walked.path.last().map(|&last| &plan.route(last).station)) {
        (WalkEnd::Judged, Some(Station::Panel(panel))) => judge_panel(plan, panel, &walked.answers),
        (WalkEnd::GateUnsure { why }, _) => unjudged(Reason::GateUnsure { why: why.clone() }),
        (WalkEnd::GateFailed { why }, _) => unjudged(Reason::GateFailed { why: why.clone() }),
        (WalkEnd::Unrouted | WalkEnd::Judged, _) => unjudged(Reason::Unrouted),
    }
}

/// An undecided verdict that no panel had a part in.
fn unjudged(reason: Reason) -> Verdict {
    Verdict {
        decision: Decision::Undecided,
        score: None,
        reasons: vec![reason],
        thresholds: None,
        votes: Vec::new(),
        fused: Vec::new(),
    }
}

/// Fuses the votes of a panel and holds the score against its thresholds.
fn judge_panel(plan: &Plan, panel: &Panel, answers: &[MemberAnswer]) -> Verdict {
    let votes: Vec<Vote> = answers.iter().map(|answer| vote(plan, panel, answer)).collect();
    let failed: Vec<Reason> = votes.iter().filter_map(|vote| required_failure(plan, panel, vote)).collect();
    let fused = if failed.is_empty() { fuse(plan, panel, answers, &votes) } else { None };
    let (decision, reason) = match &fused {
        Some(fused) => decide(fused.score, panel.thresholds),
        None => (Decision::Undecided, Reason::NoVotes),
    };
    Verdict {
        decision,
        score: fused.as_ref().map(|fused| fused.score),
        reasons: if failed.is_empty() { vec![reason] } else { failed },
        thresholds: Some(panel.thresholds),
        votes,
        fused: fused.map(|fused| class_scores(fused.classes)).unwrap_or_default(),
    }
}

/// Holds a score against the thresholds.
fn decide(score: f64, Thresholds { reject_from, pass_below }: Thresholds) -> (Decision, Reason) {
    if score >= reject_from {
        (Decision::Reject, Reason::ScoreAtOrAbove { score, reject_from })
    } else if score < pass_below {
        (Decision::Pass, Reason::ScoreBelow { score, pass_below })
    } else {
        (Decision::Undecided, Reason::ScoreBetween { score, pass_below, reject_from })
    }
}

/// One member's answer as a vote.
fn vote(plan: &Plan, panel: &Panel, MemberAnswer { member, answer }: &MemberAnswer) -> Vote {
    let passport = &plan.model(answer.model).passport;
    let score = answer.findings.as_ref().map_err(Clone::clone).and_then(|findings| {
        let silent = || format!("model {} says nothing of defects: it cannot vote", passport.name);
        defect_score(findings, passport).ok_or_else(silent)
    });
    let weight = panel.members.get(*member).map_or(0.0, |member| member.weight);
    Vote {
        member: *member,
        model: answer.model,
        camera: answer.camera.clone(),
        weight: if score.is_ok() { weight } else { 0.0 },
        score: score.as_ref().ok().copied(),
        failure: score.err(),
    }
}

/// The reason to stay undecided when a required member failed.
fn required_failure(plan: &Plan, panel: &Panel, vote: &Vote) -> Option<Reason> {
    let required = panel.members.get(vote.member).is_some_and(|member| member.required);
    let why = vote.failure.clone().filter(|_| required)?;
    Some(Reason::RequiredMemberFailed { model: plan.model(vote.model).passport.name.clone(), why })
}

/// Fuses the votes that were given.
fn fuse(plan: &Plan, panel: &Panel, answers: &[MemberAnswer], votes: &[Vote]) -> Option<Fused> {
    let classes: Vec<Vec<(&Name, f64)>> =
        answers.iter().map(|given| given.answer.findings.as_ref().map(classes).unwrap_or_default()).collect();
    let ballots: Vec<Ballot<'_>> = votes
        .iter()
        .zip(&classes)
        .filter_map(|(vote, classes)| {
            let defects = &plan.model(vote.model).passport.labels.defects;
            Some(Ballot { weight: vote.weight, score: vote.score?, classes, defects })
        })
        .collect();
    panel.fusion.apply(&ballots)
}

/// Fused labels in the form of messages.
fn class_scores(classes: Vec<(Name, f64)>) -> Vec<ClassScore> {
    classes.into_iter().map(|(label, probability)| ClassScore { label, probability }).collect()
}

#[cfg(test)]
mod tests;
