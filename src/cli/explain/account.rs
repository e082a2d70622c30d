//! What is told of a verdict: as JSON this, as words and as a page the same.

use std::path::PathBuf;

use serde::Serialize;
use uuid::Uuid;

use super::heat::Looked;
use super::numbers::{self, Joined};
use super::words;
use crate::config::Thresholds;
use crate::explain::flips::{Flip, flips};
use crate::flow::plan::Plan;
use crate::flow::publish::message::{VerdictMessage, VoteMessage};
use crate::flow::verdict::Decision;
use crate::name::Name;

/// The explanation of one verdict.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    /// Who judged, into which journal, as which verdict of it.
    pub(super) device: Name,
    pub(super) epoch: Uuid,
    pub(super) seq: u64,
    pub(super) run: String,
    pub(super) part: String,
    /// What was concluded.
    pub(super) verdict: Decision,
    pub(super) score: Option<f64>,
    pub(super) thresholds: Option<Thresholds>,
    /// Why, one sentence each.
    pub(super) reasons: Vec<String>,
    /// The routes taken and why, one sentence each.
    pub(super) route: Vec<String>,
    /// Whether the config judges today as it did then.
    pub(super) same_plan: bool,
    /// How the votes became the score; `None` where that cannot be told.
    pub(super) joined: Option<Joined>,
    /// The other verdicts and what would have led to them, the nearest first; the members of each in the order of
    /// `joined.votes`.
    pub(super) flips: Vec<Flip>,
    /// The answers, in the order of the verdict's votes.
    pub(super) members: Vec<Member>,
    /// What should be known beside it.
    pub(super) notes: Vec<String>,
    /// What is not as it was when the verdict was made.
    pub(super) refusals: Vec<String>,
    /// The page.
    pub(super) page: Option<PathBuf>,
}

/// One vote.
#[derive(Debug, Serialize)]
pub(super) struct Member {
    /// Its seat in the panel.
    pub(super) seat: usize,
    pub(super) model: Name,
    pub(super) camera: Option<Name>,
    /// Left, top, right and bottom of what it was shown of the frame; `None` for all of it.
    pub(super) crop: Option<[f64; 4]>,
    /// The calibrated score, 0 to 1.
    pub(super) score: Option<f64>,
    /// The weight for this part; 0 for an answer that does not vote.
    pub(super) weight: f64,
    /// Why it gave no answer.
    pub(super) missing: Option<String>,
    /// Where it looked.
    pub(super) looked: Option<Looked>,
    /// Why that cannot be told.
    pub(super) unseen: Option<String>,
}

impl Account {
    /// All that can be told without asking a model.
    pub(super) fn of(message: &VerdictMessage, plan: &Plan) -> Self {
        let same_plan = message.plan.as_ref() == Some(&plan.hash);
        let mut notes = message.degraded.clone();
        if !same_plan && message.plan.is_some() {
            notes.push(
                "the config, a model or a fit is another than when this was judged: what is told of routes and fusion is checked \
                 against the verdict where it can be"
                    .into(),
            );
        }
        let joined = message.score.and_then(|score| match numbers::joined(message, score, plan) {
            Ok((joined, further)) => {
                notes.extend(further);
                Some(joined)
            }
            Err(why) => {
                notes.push(format!("what each member added is not told: {why}"));
                None
            }
        });
        let known = joined.as_ref().and_then(|joined| Some((joined.joining.as_ref()?, joined.said.as_slice())));
        let held = message.score.zip(message.thresholds);
        Self {
            device: message.device.clone(),
            epoch: message.epoch,
            seq: message.seq,
            run: message.run.clone(),
            part: message.part.clone(),
            verdict: message.verdict,
            score: message.score,
            thresholds: message.thresholds,
            reasons: message.reasons.iter().map(words::reason).collect(),
            route: words::route(message, plan, same_plan),
            same_plan,
            flips: held.map_or_else(Vec::new, |(score, thresholds)| flips(score, thresholds, known)),
            joined,
            members: members(message),
            notes,
            refusals: Vec::new(),
            page: None,
        }
    }
}

fn members(message: &VerdictMessage) -> Vec<Member> {
    let member = |vote: &VoteMessage| Member {
        seat: vote.member,
        model: vote.answer.model.clone(),
        camera: vote.answer.camera.clone(),
        crop: vote.answer.crop,
        score: vote.score,
        weight: vote.weight,
        missing: vote.answer.failure.clone().or_else(|| vote.answer.not_asked.clone()),
        looked: None,
        unseen: None,
    };
    message.votes.iter().map(member).collect()
}
