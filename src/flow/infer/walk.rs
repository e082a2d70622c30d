//! The walker: follows one part from its route through gates and readers to a panel, and gathers every answer on the way.
//!
//! Deciding where a gate leads is the pure [`choose`]; which way a part goes once a text is read is the plan's choice;
//! asking models is the crew's. Promises an answer for every seat of the panel it reaches, in the stated order, and an end
//! to every walk.

mod crops;
mod panel;
mod read;

use std::sync::Arc;

use super::crew::Crew;
use super::feed::Question;
use super::turns::Urgency;
use crate::flow::plan::choice::route_besides;
use crate::flow::plan::{Gate, Plan, RouteIndex, Station};
use crate::flow::{Answer, Findings, Frame, Part, Unanswered, WalkEnd, Walked};
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
pub fn choose(gate: &Gate, findings: &Result<Findings, Unanswered>) -> Result<RouteIndex, WalkEnd> {
    let findings = findings.as_ref().map_err(|why| WalkEnd::GateFailed { why: why.to_string() })?;
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
            Station::Read(station) => {
                match read::read(crew, &walked.part, station, &mut walked.gates).await {
                    Ok(reading) => Arc::make_mut(&mut walked.part.readings).push(reading),
                    Err(why) => return Walked { end: WalkEnd::ReadFailed { why }, ..walked },
                }
                next = route_besides(&walked.part, &plan, &walked.path);
            }
            Station::Panel(_) => {
                let Some(panel) = plan.panel(at, walked.part.rung) else {
                    return Walked { end: WalkEnd::NotOnThisRung, ..walked };
                };
                walked.answers = panel::ask(crew, &walked.part, panel).await;
                return Walked { end: WalkEnd::Judged, ..walked };
            }
        }
    }
    stray(&plan, walked)
}

/// The end of a walk that entered as many routes as there are without reaching a panel.
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
    match the_frame(part, gate.camera.as_ref()) {
        None if part.plan.model(gate.model).looks() => {
            crew.cannot_ask(part, gate.model, no_frame(gate.camera.as_ref()))
        }
        frame => crew.ask(part, gate.model, whole(part, frame), Urgency::REQUIRED).await,
    }
}

/// The frame of a camera, or the part's first frame.
fn the_frame<'p>(part: &'p Part, camera: Option<&Name>) -> Option<&'p Arc<Frame>> {
    part.frames.iter().find(|frame| camera.is_none_or(|camera| frame.camera == *camera))
}

/// A question about a part, or a whole frame of it.
fn whole(part: &Part, frame: Option<&Arc<Frame>>) -> Question {
    let readings = Arc::clone(&part.readings);
    Question { frame: frame.map(Arc::clone), region: Region::Whole, readings, found: Vec::new() }
}

fn no_frame(camera: Option<&Name>) -> String {
    camera.map_or_else(|| "the part has no frame".into(), |camera| format!("the part has no frame of camera {camera}"))
}

#[cfg(test)]
mod tests;
