//! The walker: follows one part from its route through gates to a panel, and gathers every answer on the way.
//!
//! Deciding where a gate leads is the pure [`choose`]; asking models is the crew's. Promises an answer for every seat of
//! the panel it reaches, in the stated order, and an end to every walk.

use std::sync::Arc;

use futures::future::join_all;

use super::crew::Crew;
use super::feed::Question;
use crate::flow::plan::{Gate, Panel, Plan, RouteIndex, Station};
use crate::flow::{Answer, Findings, Frame, MemberAnswer, Part, WalkEnd, Walked};
use crate::name::Name;
use crate::task::classes;
use crate::task::geometry::Region;

/// Where a gate's findings lead: the next route, or the end of the walk.
///
/// The most probable label decides when its probability is at least `sure_from`; a less sure gate, or a label that is
/// not listed, goes on by `otherwise` where the gate has one.
///
/// # Errors
/// [`WalkEnd::GateFailed`] without findings, [`WalkEnd::GateUnsure`] when nothing says where to go.
pub fn choose(gate: &Gate, findings: &Result<Findings, String>) -> Result<RouteIndex, WalkEnd> {
    let findings = findings.as_ref().map_err(|why| WalkEnd::GateFailed { why: why.clone() })?;
    let Some((label, probability)) = most_probable(&classes(findings)) else {
        return Err(WalkEnd::GateFailed { why: "the gate found no label".into() });
    };
    let sure = probability >= gate.sure_from;
    let next = gate.choose.get(label).filter(|_| sure).or(gate.otherwise.as_ref());
    next.copied().ok_or_else(|| WalkEnd::GateUnsure {
        why: if sure {
            format!("the gate says {label}, which leads to no route")
        } else {
            format!("the gate says {label} with {probability:.4}, it decides from {:.4}", gate.sure_from)
        },
    })
}

/// The most probable label; the first of equals.
fn most_probable<'f>(classes: &[(&'f Name, f64)]) -> Option<(&'f Name, f64)> {
    classes.iter().copied().reduce(|best, class| if class.1 > best.1 { class } else { best })
}

/// Walks one part to its end.
pub(super) async fn walk(crew: &Crew, part: Part) -> Walked {
    let plan = Arc::clone(&part.plan);
    let mut walked = Walked { part, path: Vec::new(), end: WalkEnd::Unrouted, gates: Vec::new(), answers: Vec::new() };
    let mut next = walked.part.route;
    for _ in plan.routes() {
        let Some(at) = next else { return walked };
        walked.path.push(at);
        match &plan.route(at).station {
            Station::Gate(gate) => {
                let answer = ask_gate(crew, &walked.part, gate).await;
                let chosen = choose(gate, &answer.findings);
                walked.gates.push(answer);
                match chosen {
                    Ok(route) => next = Some(route),
                    Err(end) => return Walked { end, ..walked },
                }
            }
            Station::Panel(panel) => {
                walked.answers = ask_panel(crew, &walked.part, panel).await;
                return Walked { end: WalkEnd::Judged, ..walked };
            }
        }
    }
    stray(&plan, walked)
}

/// The end of a walk that entered as many routes as there are without reaching a panel; a checked plan has no such way.
fn stray(plan: &Plan, walked: Walked) -> Walked {
    let count = plan.routes().count();
    let end = if walked.part.route.is_none() {
        WalkEnd::Unrouted
    } else {
        WalkEnd::GateFailed { why: format!("the walk passed {count} gates and reached no panel") }
    };
    Walked { end, ..walked }
}

async fn ask_gate(crew: &Crew, part: &Part, gate: &Gate) -> Answer {
    let frame = match &gate.camera {
        Some(camera) => part.frames.iter().find(|frame| frame.camera == *camera),
        None => part.frames.first(),
    };
    match frame {
        None if part.plan.model(gate.model).looks() => {
            crew.cannot_ask(part, gate.model, no_frame(gate.camera.as_ref()))
        }
        frame => crew.ask(part, gate.model, question(part, frame)).await,
    }
}

/// A question about a part, or a whole frame of it.
fn question(part: &Part, frame: Option<&Arc<Frame>>) -> Question {
    let readings = Arc::clone(&part.readings);
    Question { frame: frame.map(Arc::clone), region: Region::Whole, readings, found: Vec::new() }
}

/// Asks every seat of a panel side by side; the answers come in the order of the seats and of the cameras.
async fn ask_panel(crew: &Crew, part: &Part, panel: &Panel) -> Vec<MemberAnswer> {
    let seats = panel.members.iter().enumerate();
    let questions = seats.flat_map(|(seat, member)| {
        let seen = |frame: &&Arc<Frame>| member.camera.as_ref().is_none_or(|camera| frame.camera == *camera);
        let looks = part.plan.model(member.model).looks();
        let frames: Vec<Option<&Arc<Frame>>> = part.frames.iter().filter(|_| looks).filter(seen).map(Some).collect();
        let frames = if frames.is_empty() { vec![None] } else { frames };
        frames.into_iter().map(move |frame| async move {
            let answer = match frame {
                None if looks => crew.cannot_ask(part, member.model, no_frame(member.camera.as_ref())),
                frame => crew.ask(part, member.model, question(part, frame)).await,
            };
            MemberAnswer { member: seat, answer }
        })
    });
    join_all(questions).await
}

fn no_frame(camera: Option<&Name>) -> String {
    camera.map_or_else(|| "the part has no frame".into(), |camera| format!("the part has no frame of camera {camera}"))
}

#[cfg(test)]
mod tests;
