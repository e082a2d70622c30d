//! Fusion as a fit says: stacked votes, and a student that judges alone where it is sure.

use super::votes::Voice;
use crate::config::Thresholds;
use crate::flow::plan::{Fitted, Panel};
use crate::flow::verdict::Vote;
use crate::fusion::Fused;

/// What the score is held against: the panel's thresholds; a student without its teacher is held against its own bounds.
pub(super) fn thresholds(panel: &Panel, votes: &[Vote]) -> Thresholds {
    let first = panel.fit.as_ref().and_then(|fit| fit.student_first);
    let alone = first.filter(|first| !votes.iter().any(|vote| vote.member == first.teacher && vote.score.is_some()));
    alone.map_or(panel.thresholds, |first| first.bounds)
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
