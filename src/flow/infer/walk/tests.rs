//! Where gates lead, and whole walks over fake models.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::config;
use crate::flow::ClassScore;
use crate::flow::infer::crew::tests::{Behaviour, frame, member, name, opened, panel, part, plan, plan_of_rungs};

/// A gate that leads good parts to the route `fine` and all others nowhere, or to `coarse`.
fn gate(sure_from: f64, otherwise: Option<&str>) -> config::Station {
    config::Station::Gate {
        model: name("gate"),
        camera: None,
        sure_from,
        choose: BTreeMap::from([(name("good"), name("fine"))]),
        otherwise: otherwise.map(name),
    }
}

fn gated(sure_from: f64, otherwise: Option<&str>) -> Arc<Plan> {
    let routes = vec![
        ("start", gate(sure_from, otherwise)),
        ("fine", panel(vec![member("a", None)])),
        ("coarse", panel(vec![member("b", None)])),
    ];
    plan(&["a", "b", "gate"], routes)
}

fn the_gate(plan: &Plan) -> &Gate {
    let Station::Gate(gate) = &plan.routes().next().unwrap().1.station else { panic!("no gate") };
    gate
}

fn says(good: f64) -> Findings {
    let class = |label: &str, probability| ClassScore { label: name(label), probability };
    Findings::Classification { classes: vec![class("good", good), class("bad", 1.0 - good)] }
}

/// The names of the routes a walk took.
fn path(plan: &Plan, walked: &Walked) -> Vec<String> {
    walked.path.iter().map(|at| plan.route(*at).name.to_string()).collect()
}

#[test]
fn a_gate_decides_when_it_is_sure_and_says_why_when_it_is_not() {
    let plan = gated(0.8, None);
    let gate = the_gate(&plan);
    let fine = plan.routes().nth(1).unwrap().0;
    assert_eq!(choose(gate, &Ok(says(0.8))), Ok(fine), "the bound itself is sure");
    let unsure = |good: f64| match choose(gate, &Ok(says(good))) {
        Err(WalkEnd::GateUnsure { why }) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(unsure(0.79), "the gate says good with 0.7900, it decides from 0.8000");
    assert_eq!(unsure(0.1), "the gate says bad, which leads to no route");
    let failed = choose(gate, &Err(Unanswered::Failed("no lens".into())));
    assert_eq!(failed, Err(WalkEnd::GateFailed { why: "no lens".into() }), "a failed gate never goes on");
}

proptest! {
    #[test]
    fn with_an_otherwise_every_answer_leads_somewhere(good in 0.0_f64..=1.0, sure_from in 0.0_f64..=1.0) {
        let plan = gated(sure_from, Some("coarse"));
        let chosen = choose(the_gate(&plan), &Ok(says(good))).unwrap();
        let fine = good >= 0.5 && good >= sure_from;
        prop_assert_eq!(plan.route(chosen).name.as_str(), if fine { "fine" } else { "coarse" });
    }
}

#[tokio::test]
async fn a_walk_passes_the_gate_and_ends_at_the_panel() {
    let plan = gated(0.8, Some("coarse"));
    let crew = opened(&plan, &[Behaviour::Says([1.0, 0.0]), Behaviour::Says([0.0, 1.0]), Behaviour::Looks]).await;
    for (level, wanted) in [(200, "fine"), (0, "coarse")] {
        let walked = crew.walk(part("p", &plan, vec![frame("c", level)])).await;
        assert_eq!(path(&plan, &walked), ["start", wanted]);
        assert_eq!(walked.end, WalkEnd::Judged);
        assert_eq!((walked.gates.len(), walked.answers.len()), (1, 1));
        let judge = plan.model(walked.answers[0].answer.model);
        assert_eq!(judge.passport.name.as_str(), if wanted == "fine" { "a" } else { "b" });
    }
    crew.close();
}

#[tokio::test]
async fn a_gate_that_fails_ends_the_walk_before_any_panel() {
    let plan = gated(0.8, Some("coarse"));
    let crew = opened(&plan, &[Behaviour::Looks, Behaviour::Looks, Behaviour::Panics]).await;
    let walked = crew.walk(part("p", &plan, vec![frame("c", 9)])).await;
    let why = "model gate: its thread has panicked and answers no more".to_owned();
    assert_eq!(walked.end, WalkEnd::GateFailed { why });
    assert!(walked.answers.is_empty());
    let blind = crew.walk(part("p", &plan, vec![])).await;
    assert_eq!(blind.end, WalkEnd::GateFailed { why: "the part has no frame".into() });
    crew.close();
}

#[tokio::test]
async fn a_part_without_a_route_ends_at_once() {
    let plan = gated(0.8, None);
    let crew = opened(&plan, &[Behaviour::Panics, Behaviour::Panics, Behaviour::Panics]).await;
    let walked = crew.walk(Part { route: None, ..part("p", &plan, vec![frame("c", 9)]) }).await;
    assert_eq!((walked.end, walked.path.len(), walked.gates.len()), (WalkEnd::Unrouted, 0, 0));
    crew.close();
}

#[tokio::test]
async fn seats_answer_in_order_one_vote_a_frame_and_a_sentence_for_a_missing_one() {
    let seats = vec![member("b", Some("right")), member("a", None), member("b", Some("top"))];
    let plan = plan(&["a", "b"], vec![("only", panel(seats))]);
    let crew = opened(&plan, &[Behaviour::Looks, Behaviour::Looks]).await;
    let walked = crew.walk(part("p", &plan, vec![frame("left", 1), frame("right", 2)])).await;
    let told: Vec<_> = walked
        .answers
        .iter()
        .map(|given| {
            (given.member, given.answer.camera.as_ref().map(crate::name::Name::as_str), given.answer.findings.is_ok())
        })
        .collect();
    let wanted = [(0, Some("right"), true), (1, Some("left"), true), (1, Some("right"), true), (2, None, false)];
    assert_eq!(told, wanted);
    let why = walked.answers[3].answer.findings.as_ref().unwrap_err().to_string();
    assert_eq!(why, "the part has no frame of camera top");
    crew.close();
}

#[tokio::test]
async fn the_rung_of_a_part_says_who_judges_it() {
    let config::Station::Panel(student) = panel(vec![member("b", None)]) else { panic!("a panel") };
    let lighter = [config::Lighter::Panel(student), config::Lighter::Undecided];
    let plan = plan_of_rungs(&["a", "b"], vec![("only", panel(vec![member("a", None)]))], &lighter);
    let crew = opened(&plan, &[Behaviour::Says([0.0, 0.0]), Behaviour::Says([0.0, 0.0])]).await;
    let mut ends = Vec::new();
    for rung in 0..4 {
        let walked = crew.walk(Part { rung, ..part("p", &plan, vec![frame("c", 9)]) }).await;
        let asked = walked.answers.iter().map(|given| plan.model(given.answer.model).passport.name.to_string());
        ends.push((walked.end, asked.collect::<Vec<_>>()));
    }
    let judged = |by: &str| (WalkEnd::Judged, vec![by.to_owned()]);
    let nobody = (WalkEnd::NotOnThisRung, Vec::new());
    assert_eq!(ends, [judged("a"), judged("b"), nobody.clone(), nobody], "a rung that is not there is nobody's");
    crew.close();
}
