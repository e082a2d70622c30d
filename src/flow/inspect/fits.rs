//! Fusion as a fit says: weights that move with the picture, stacked votes, and a student that judges alone where it is sure.

use std::sync::Arc;

use super::votes::Voice;
use crate::config::Thresholds;
use crate::flow::Frame;
use crate::flow::plan::{Fitted, Panel};
use crate::flow::statistics::quality;
use crate::flow::verdict::{FrameQuality, Vote};
use crate::fusion::Fused;
use crate::fusion::adaptive::{Held, Weighed};

/// What the score is held against: the panel's thresholds; a student without its teacher is held against its own bounds.
pub(super) fn thresholds(panel: &Panel, votes: &[Vote]) -> Thresholds {
    let first = panel.fit.as_ref().and_then(|fit| fit.student_first);
    let alone = first.filter(|first| !votes.iter().any(|vote| vote.member == first.teacher && vote.score.is_some()));
    alone.map_or(panel.thresholds, |first| first.bounds)
}

/// Gives the votes their weights for this part, where the fit has them move; how well the frames were taken, on which they
/// rest. A member that looked at no frame is weighed by the part's first one.
pub(super) fn weigh(panel: &Panel, frames: &[Arc<Frame>], votes: &mut [Vote]) -> Vec<FrameQuality> {
    let Some(gate) = panel.fit.as_ref().and_then(|fit| fit.adaptive.as_ref()) else { return Vec::new() };
    let seen = |frame: &Arc<Frame>| {
        let quality = quality(&frame.image);
        let held = gate.hold(&quality);
        (FrameQuality { camera: frame.camera.clone(), quality, beyond: held.beyond.clone() }, held)
    };
    let (told, held): (Vec<FrameQuality>, Vec<Held>) = frames.iter().map(seen).unzip();
    let of = |vote: &Vote| {
        let place = told.iter().position(|frame| vote.camera.as_ref() == Some(&frame.camera)).unwrap_or(0);
        held.get(place)
    };
    let voter = |seat: usize| panel.members.iter().take(seat).filter(|member| member.votes).count();
    let given = |vote: &&mut Vote| vote.weight > 0.0;
    let weighed: Vec<Weighed<'_>> = votes
        .iter()
        .filter(|vote| vote.weight > 0.0)
        .filter_map(|vote| {
            Some(Weighed { voter: voter(vote.member), weight: vote.weight, score: vote.score?, held: of(vote) })
        })
        .collect();
    let weights = gate.weights(&weighed);
    for (vote, weight) in votes.iter_mut().filter(given).zip(weights) {
        vote.weight = weight;
    }
    told
}

/// Joins the voices of a panel that has a fit; `None` where there are none.
///
/// # Errors
/// One sentence where votes are stacked and a member has given none, or several.
pub(super) fn fuse(panel: &Panel, fit: &Fitted, mut voices: Vec<Voice<'_>>) -> Result<Option<Fused>, String> {
    if let Some(first) = fit.student_first {
        let woken = voices.iter().any(|voice| voice.seat == first.teacher);
        voices.retain(|voice| !woken || voice.seat == first.teacher);
    }
    let Some(stacking) = &fit.stacking else { return Ok(Voice::join(&voices, panel.fusion)) };
    let mut scores = Vec::new();
    for seat in panel.members.iter().enumerate().filter(|(_, member)| member.votes).map(|(seat, _)| seat) {
        let of_seat: Vec<f64> = voices.iter().filter(|voice| voice.seat == seat).map(|voice| voice.score).collect();
        match of_seat.as_slice() {
            [score] => scores.push(*score),
            several => {
                let count = several.len();
                return Err(format!("the fit stacks one vote of each member, seat {seat} gave {count}"));
            }
        }
    }
    let score = stacking.apply(&scores).ok_or("the fit stacks another number of members than the panel has")?;
    Ok(Some(Fused { score, classes: Vec::new() }))
}
