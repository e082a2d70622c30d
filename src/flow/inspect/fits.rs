//! Fusion as a fit says: weights that move with the picture or from label to label, regressions over votes or over everything that
//! is said, and a student that judges alone where it is sure.

use std::sync::Arc;

use super::votes::Voice;
use crate::config::Thresholds;
use crate::flow::plan::{Fitted, Panel};
use crate::flow::statistics::quality;
use crate::flow::verdict::{FrameQuality, Vote};
use crate::flow::{Frame, MemberAnswer};
use crate::fusion::Fused;
use crate::fusion::adaptive::{Held, Weighed};
use crate::fusion::concatenation::{Says, Term};
use crate::fusion::measured::Measured;
use crate::task::Quantity;

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
/// One sentence where a regression wants a number of a member that has given none, or several; or where nobody with a weight for
/// a label has spoken.
pub(super) fn fuse(
    panel: &Panel,
    fit: &Fitted,
    mut voices: Vec<Voice<'_>>,
    answers: &[MemberAnswer],
) -> Result<Option<Fused>, String> {
    if let Some(first) = fit.student_first {
        let woken = voices.iter().any(|voice| voice.seat == first.teacher);
        voices.retain(|voice| !woken || voice.seat == first.teacher);
    }
    let score = if let Some(stacking) = &fit.stacking {
        let seats = panel.members.iter().enumerate().filter(|(_, member)| member.votes).map(|(seat, _)| seat);
        let scores = seats.map(|seat| only(&voices, seat).map(|voice| voice.score)).collect::<Result<Vec<_>, _>>()?;
        stacking.apply(&scores).ok_or("the fit stacks another number of members than the panel has")?
    } else if let Some(head) = &fit.concatenation {
        let numbers = head.terms.iter().map(|term| number(panel, term, &voices, answers));
        let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
        head.apply(&numbers).ok_or("the fit concatenates another count of numbers")?
    } else if let Some(measured) = &fit.measured {
        let value = value(panel, measured, &voices)?;
        return Ok(Some(Fused { score: measured.score(&value), classes: Vec::new(), measured: Some(value) }));
    } else if fit.classes.is_empty() {
        return Ok(Voice::join(&voices, panel.fusion));
    } else {
        return Voice::join_by_class(&voices, &fit.classes);
    };
    Ok(Some(Fused { score, classes: Vec::new(), measured: None }))
}

/// The one value of what the voting members measured.
fn value(panel: &Panel, measured: &Measured, voices: &[Voice<'_>]) -> Result<Quantity, String> {
    let mut values = Vec::new();
    for (seat, member) in panel.members.iter().enumerate() {
        let of_seat = if member.votes { Some(only(voices, seat)?) } else { None };
        let says = Says::Value(measured.quantity.clone());
        let read = of_seat.map(|voice| says.read(None, voice.findings).ok_or(&measured.quantity)).transpose();
        let read = read
            .map_err(|quantity| format!("the fit wants the value {quantity} of seat {seat}, which did not say it"))?;
        values.push(read.unwrap_or_default());
    }
    Ok(measured.value(&values))
}

/// The only voice of a seat.
fn only<'v, 'a>(voices: &'v [Voice<'a>], seat: usize) -> Result<&'v Voice<'a>, String> {
    let of_seat: Vec<&Voice<'_>> = voices.iter().filter(|voice| voice.seat == seat).collect();
    match of_seat.as_slice() {
        [voice] => Ok(voice),
        several => Err(format!("the fit stacks one vote of each member, seat {seat} gave {}", several.len())),
    }
}

/// The number of a term: from the only voice of its seat, or, of a member that does not vote, from its only answer.
fn number(panel: &Panel, term: &Term, voices: &[Voice<'_>], answers: &[MemberAnswer]) -> Result<f64, String> {
    let Term { seat, says, .. } = term;
    let read = if panel.members.get(*seat).is_some_and(|member| member.votes) {
        let voice = only(voices, *seat)?;
        says.read(Some(voice.score), voice.findings)
    } else {
        let of_seat: Vec<&MemberAnswer> = answers.iter().filter(|given| given.member == *seat).collect();
        let [given] = of_seat.as_slice() else {
            return Err(format!("the fit wants one answer of seat {seat}, which gave {}", of_seat.len()));
        };
        let findings = given.answer.findings.as_ref();
        says.read(None, Some(findings.map_err(|why| format!("the fit wants an answer of seat {seat}: {why}"))?))
    };
    read.ok_or_else(|| format!("the fit wants {} of seat {seat}, which did not say it", says.told()))
}
