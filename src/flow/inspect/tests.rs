//! Judgement by hand and by property: thresholds, failures, walks that reach no panel.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::clock::Monotonic;
use crate::config::Surroundings;
use crate::flow::{Answer, Part, PartId, StageTimes};
use crate::flow::{Findings, Unanswered};
use crate::fusion::adaptive::{Adaptive, Feature, Scale, Tilt};
use crate::fusion::concatenation::{Concatenation, Says, Term};
use crate::models::fit::shelf::Shelved;
use crate::models::fit::{Fit, FittedCascade, Method};
use crate::models::passport::Model;

/// A plan with one panel of `one` (required) and `two` (optional), between whose thresholds nobody decides.
fn plan() -> Arc<Plan> {
    fitted(&[])
}

/// The same with fits laid over it.
fn fitted(fits: &[Shelved]) -> Arc<Plan> {
    let text = "[device]\nid = \"d\"\n[cameras.top]\nkind = \"replay\"\npath = \"parts\"\n\
        [models.one]\nfolder = \"one\"\n[models.two]\nfolder = \"two\"\n[[routes]]\nname = \"all\"\n\
        members = [{ model = \"one\", weight = 3.0 }, { model = \"two\", required = false }]\n\
        fusion = { rule = \"weighted-mean\" }\nreject_from = 0.6\npass_below = 0.4";
    let files = [("test.toml".into(), text.into())];
    let settings = crate::config::settings("test.toml", &files, &Surroundings::default()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/brightness");
    let model = Arc::new(Model::load(&folder).unwrap());
    let models: BTreeMap<_, _> = ["one", "two"].map(|name| (Name::new(name).unwrap(), Arc::clone(&model))).into();
    Arc::new(Plan::fitted(&settings, &models, fits).unwrap())
}

fn part(plan: &Arc<Plan>) -> Part {
    let (now, recipe) = (Monotonic::default(), Name::new("r").unwrap());
    let (frames, readings, notes) = (Vec::new(), Arc::default(), Vec::new());
    let (plan, route) = (Arc::clone(plan), plan.routes().next().map(|(index, _)| index));
    Part {
        id: PartId::new("p").unwrap(),
        id_given: true,
        recipe,
        captured: now,
        joined: now,
        frames,
        readings,
        notes,
        plan,
        route,
        rung: 0,
    }
}

/// What a member says: a probability of `dark`, the defect, or why it says nothing.
fn answer(plan: &Plan, member: usize, said: Result<f64, &str>) -> MemberAnswer {
    let panel = plan.panel(plan.routes().next().unwrap().0, 0).unwrap();
    let label = |name, probability| ClassScore { label: Name::new(name).unwrap(), probability };
    let findings = said
        .map(|dark| Findings::Classification { classes: vec![label("bright", 1.0 - dark), label("dark", dark)] })
        .map_err(str::to_owned);
    let (model, camera, times) = (panel.members[member].model, None, StageTimes::default());
    MemberAnswer {
        member,
        answer: Answer {
            model,
            camera,
            crop: None,
            findings: findings.map_err(Unanswered::Failed),
            embedding: None,
            times,
            placement: None,
        },
    }
}

fn judged(end: WalkEnd, answers: impl FnOnce(&Plan) -> Vec<MemberAnswer>) -> Verdict {
    let plan = plan();
    let (part, answers) = (part(&plan), answers(&plan));
    let path = part.route.filter(|_| end == WalkEnd::Judged).into_iter().collect();
    judge(&Walked { part, path, end, gates: Vec::new(), answers })
}

fn said(one: Result<f64, &str>, two: Result<f64, &str>) -> Verdict {
    judged(WalkEnd::Judged, |plan| vec![answer(plan, 0, one), answer(plan, 1, two)])
}

#[test]
fn weights_and_thresholds_by_hand() {
    let verdict = said(Ok(0.8), Ok(0.4));
    let score = verdict.score.unwrap();
    assert!((score - 0.7).abs() < 1e-12, "3 parts of 0.8 and 1 of 0.4");
    assert_eq!(verdict.decision, Decision::Reject);
    assert_eq!(verdict.reasons, [Reason::ScoreAtOrAbove { score, reject_from: 0.6 }]);
    assert_eq!(said(Ok(0.5), Ok(0.5)).decision, Decision::Undecided);
    assert_eq!(said(Ok(0.2), Ok(0.2)).decision, Decision::Pass);
}

#[test]
fn a_failed_required_member_is_not_one_that_said_good() {
    let verdict = said(Err("no frame"), Ok(0.0));
    assert_eq!((verdict.decision, verdict.score), (Decision::Undecided, None));
    let model = Name::new("brightness").unwrap();
    assert_eq!(verdict.reasons, [Reason::RequiredMemberFailed { model, why: "no frame".into() }]);
    assert_eq!(verdict.votes[0].missing, Some(Unanswered::Failed("no frame".into())));
}

#[test]
fn a_failed_optional_member_only_loses_its_vote() {
    let verdict = said(Ok(0.7), Err("stopped"));
    assert_eq!((verdict.decision, verdict.score), (Decision::Reject, Some(0.7)));
    assert_eq!((verdict.votes[1].weight, verdict.votes[1].score), (0.0, None));
}

#[test]
fn a_walk_that_reached_no_panel_is_undecided_and_says_why() {
    let nobody = |end| judged(end, |_| Vec::new());
    let why = || "not sure".to_owned();
    for (end, reason) in [
        (WalkEnd::Unrouted, Reason::Unrouted),
        (WalkEnd::NotOnThisRung, Reason::NotOnThisRung { rung: None }),
        (WalkEnd::GateUnsure { why: why() }, Reason::GateUnsure { why: why() }),
        (WalkEnd::GateFailed { why: why() }, Reason::GateFailed { why: why() }),
        (WalkEnd::Judged, Reason::NoVotes),
    ] {
        let verdict = nobody(end);
        assert_eq!((verdict.decision, verdict.score, verdict.reasons), (Decision::Undecided, None, vec![reason]));
    }
}

proptest! {
    #[test]
    fn a_wider_band_leaves_more_undecided_and_changes_nothing_else(
        score in 0.0..=1.0f64, one in 0.0..=1.0f64, other in 0.0..=1.0f64, by in 0.0..=1.0f64, never_rejects in any::<bool>()
    ) {
        let (pass_below, reject_from) = (one.min(other), if never_rejects { 2.0 } else { one.max(other) });
        let thresholds = Thresholds { reject_from, pass_below };
        let (decision, reason) = decide(score, thresholds);
        let (score, thresholds) = (Some(score), Some(thresholds));
        let before = Verdict { decision, score, thresholds, ..unjudged(reason) };
        let after = widened(before.clone(), by);
        let wide = after.thresholds.unwrap();
        prop_assert!((0.0..=pass_below).contains(&wide.pass_below), "{wide:?}");
        prop_assert!((reject_from..=reject_from.max(1.0)).contains(&wide.reject_from), "{wide:?}");
        prop_assert!(after.decision == before.decision || after.decision == Decision::Undecided);
        prop_assert_eq!((after.score, &after.reasons), (score, &vec![decide(score.unwrap(), wide).1]));
        prop_assert_eq!(&widened(before.clone(), 0.0), &before);
        let blind = unjudged(Reason::Unrouted);
        prop_assert_eq!(&widened(blind.clone(), by), &blind);
    }

    #[test]
    fn every_score_gets_the_one_decision_its_thresholds_say(score in 0.0..=1.0f64, low in 0.0..=1.0f64, high in 0.0..=1.0f64) {
        let thresholds = Thresholds { pass_below: low.min(high), reject_from: low.max(high) };
        let (decision, reason) = decide(score, thresholds);
        let expected = if score >= thresholds.reject_from { Decision::Reject }
            else if score < thresholds.pass_below { Decision::Pass } else { Decision::Undecided };
        prop_assert_eq!(decision, expected);
        let of_reason = match reason {
            Reason::ScoreAtOrAbove { .. } => Decision::Reject,
            Reason::ScoreBelow { .. } => Decision::Pass,
            _ => Decision::Undecided,
        };
        prop_assert_eq!(of_reason, expected);
    }

    #[test]
    fn the_order_of_answers_changes_nothing(one in 0.0..=1.0f64, two in 0.0..=1.0f64) {
        let forth = said(Ok(one), Ok(two));
        let back = judged(WalkEnd::Judged, |plan| vec![answer(plan, 1, Ok(two)), answer(plan, 0, Ok(one))]);
        prop_assert_eq!((forth.decision, forth.score), (back.decision, back.score));
        prop_assert!(forth.score.is_some_and(|score| (one.min(two)..=one.max(two)).contains(&score)));
    }
}

/// What a panel with this fit makes of two answers; `None` where the member was not needed.
fn by_fit(change: impl FnOnce(&mut Fit), said: [Option<f64>; 2]) -> Verdict {
    let mut fit = crate::models::fit::tests::fit(1);
    change(&mut fit);
    let plan = fitted(&[Shelved { path: "fits/all.toml".into(), sha256: "f".repeat(64), fit }]);
    let mut answers = Vec::new();
    for (seat, said) in said.into_iter().enumerate() {
        let mut given = answer(&plan, seat, said.ok_or(""));
        if said.is_none() {
            let by = Name::new("brightness").unwrap();
            given.answer.findings = Err(Unanswered::NotNeeded { by, score: 0.5 });
        }
        answers.push(given);
    }
    let part = part(&plan);
    let path = part.route.into_iter().collect();
    judge(&Walked { part, path, end: WalkEnd::Judged, gates: Vec::new(), answers })
}

#[test]
fn a_fit_calibrates_weighs_and_holds_against_its_own_thresholds() {
    // Odds 9 of `one` become odds 3; weights 3 to 1; reject from 0.5.
    let verdict = by_fit(|_| {}, [Some(0.9), Some(0.35)]);
    assert!((verdict.score.unwrap() - 0.65).abs() < 1e-12);
    assert_eq!(verdict.decision, Decision::Reject);
    assert_eq!(verdict.thresholds, Some(Thresholds { reject_from: 0.5, pass_below: 0.25 }));
    // Without a weight a member has no say.
    let alone = by_fit(|fit| fit.members[1].weight = 0.0, [Some(0.9), Some(0.0)]);
    assert!((alone.score.unwrap() - 0.75).abs() < 1e-12);
}

/// A frame of `top`, all of one grey.
fn flat(level: u8) -> Arc<crate::flow::Frame> {
    let mut pixels = crate::flow::pool::Pool::new(1).take(16);
    pixels.bytes_mut().fill(level);
    let image = crate::flow::Image::new(4, 4, crate::flow::PixelFormat::Grey8, pixels).unwrap();
    let camera = Name::new("top").unwrap();
    Arc::new(crate::flow::Frame { camera, sequence: 0, captured: Monotonic::default(), part: None, image })
}

#[test]
fn adaptive_weights_move_with_the_frame_and_are_told() {
    let adaptive = |fit: &mut Fit| {
        let scale = Scale { feature: Feature::Brightness, mean: 0.5, spread: 0.25, least: 0.2, greatest: 0.8 };
        // One deviation darker multiplies the weight of the second by 9.
        let tilts = [0.0, -(9_f64.ln())].map(|by| Tilt { quality: vec![by], uncertainty: 0.0 });
        fit.method = Method::Adaptive;
        fit.adaptive = Some(Adaptive { features: vec![scale], entropy_mean: 0.5, members: tilts.into() });
    };
    let mut fit = crate::models::fit::tests::fit(1);
    adaptive(&mut fit);
    let plan = fitted(&[Shelved { path: "fits/all.toml".into(), sha256: "f".repeat(64), fit }]);
    let over = |frames: Vec<Arc<crate::flow::Frame>>| {
        let mut part = part(&plan);
        part.frames = frames;
        let path = part.route.into_iter().collect();
        let answers = vec![answer(&plan, 0, Ok(0.9)), answer(&plan, 1, Ok(0.35))];
        let walked = Walked { part, path, end: WalkEnd::Judged, gates: Vec::new(), answers };
        assert!(looks_at_pixels(&walked));
        judge(&walked)
    };
    let weights = |verdict: &Verdict| verdict.votes.iter().map(|vote| vote.weight).collect::<Vec<f64>>();
    // Without a frame the weights are the plain ones, 3 to 1: as in the test of a plain fit.
    let blind = over(Vec::new());
    assert!((blind.score.unwrap() - 0.65).abs() < 1e-12 && blind.quality.is_empty());
    // Level 63.75 would be one deviation darker: 3 to 9.
    let dark = over(vec![flat(64)]);
    assert!((weights(&dark)[1] - 0.75).abs() < 0.01, "{dark:?}");
    assert!((dark.score.unwrap() - (0.25 * 0.75 + 0.75 * 0.35)).abs() < 0.01);
    assert_eq!((dark.quality[0].camera.as_str(), dark.quality[0].beyond.as_slice()), ("top", [].as_slice()));
    // Darker than any picture of the fit: held at 0.2, and told.
    let (black, least) = (over(vec![flat(0)]), over(vec![flat(51)]));
    assert!((weights(&black)[1] - weights(&least)[1]).abs() < 1e-9, "{black:?}");
    assert_eq!(black.quality[0].beyond, [Feature::Brightness]);
    assert!((black.quality[0].quality.clipped - 1.0).abs() < 1e-12);
    assert_eq!(least.quality[0].beyond, []);
}

#[test]
fn stacked_votes_want_every_member() {
    let stacked = |fit: &mut Fit| {
        fit.method = Method::Stacking;
        fit.stacking = Some(crate::fusion::stacking::Stacking { intercept: 0.0, weights: vec![1.0, 1.0] });
    };
    // Odds 9, calibrated to 3, times odds 1/3.
    let verdict = by_fit(stacked, [Some(0.9), Some(0.25)]);
    assert!((verdict.score.unwrap() - 0.5).abs() < 1e-12);
    let verdict = by_fit(stacked, [Some(0.9), None]);
    let why = "the fit stacks one vote of each member, seat 1 gave 0".to_owned();
    assert_eq!((verdict.decision, verdict.reasons), (Decision::Undecided, vec![Reason::FusionFailed { why }]));
}

#[test]
fn everything_that_is_said_is_concatenated_and_nothing_stands_in_for_what_is_missing() {
    let concatenated = |fit: &mut Fit| {
        fit.method = Method::Concatenation;
        fit.members.iter_mut().for_each(|member| member.calibrator = crate::fusion::calibrator::Calibrator::None);
        let term = |seat, says, weight| Term { seat, says, neutral: 0.0, weight };
        let dark = Says::Label(Name::new("dark").unwrap());
        let terms = vec![term(0, dark, 0.5), term(1, Says::Defect, 1.0)];
        fit.concatenation = Some(Concatenation { intercept: 0.0, penalty: 1.0, terms });
    };
    // The root of odds 9, times odds 1/3.
    let verdict = by_fit(concatenated, [Some(0.9), Some(0.25)]);
    assert!((verdict.score.unwrap() - 0.5).abs() < 1e-12, "{verdict:?}");
    let verdict = by_fit(concatenated, [Some(0.9), None]);
    let why = "the fit stacks one vote of each member, seat 1 gave 0".to_owned();
    assert_eq!((verdict.decision, verdict.reasons), (Decision::Undecided, vec![Reason::FusionFailed { why }]));
}

#[test]
fn a_sure_student_judges_by_its_own_bounds_and_a_woken_teacher_alone() {
    let student_first = |fit: &mut Fit| {
        fit.method = Method::Cascade;
        let (pass_below, reject_from) = (0.4, 0.6);
        let (loss_bound, confidence, added, woken, tested) = (0.02, 0.95, 0.0, 0.4, 300);
        let (student, teacher) = (1, 0);
        fit.cascade = Some(FittedCascade {
            student,
            teacher,
            pass_below,
            reject_from,
            loss_bound,
            confidence,
            added,
            woken,
            tested,
        });
    };
    // By the teacher's thresholds 0.3 would be undecided.
    let sure = by_fit(student_first, [None, Some(0.3)]);
    assert_eq!((sure.decision, sure.score), (Decision::Pass, Some(0.3)));
    assert_eq!(sure.thresholds, Some(Thresholds { reject_from: 0.6, pass_below: 0.4 }));
    assert_eq!(by_fit(student_first, [None, Some(0.6)]).decision, Decision::Reject);
    // The student says 0.5, the teacher 0.1, which is worth 0.25.
    let woken = by_fit(student_first, [Some(0.1), Some(0.5)]);
    assert!((woken.score.unwrap() - 0.25).abs() < 1e-12);
    assert_eq!(woken.decision, Decision::Undecided);
    assert_eq!(woken.thresholds, Some(Thresholds { reject_from: 0.5, pass_below: 0.25 }));
    // A teacher that failed leaves the part to nobody.
    let mut failed = by_fit(student_first, [None, Some(0.5)]);
    failed.reasons.retain(|reason| !matches!(reason, Reason::ScoreBetween { .. }));
    assert_eq!((failed.decision, failed.reasons.len()), (Decision::Undecided, 0));
}

/// A panel of `one` and `two` that fuses over boxes or maps.
fn joint(fusion: &str) -> Arc<Plan> {
    let text = format!(
        "[device]\nid = \"d\"\n[cameras.top]\nkind = \"replay\"\npath = \"parts\"\n\
         [models.one]\nfolder = \"one\"\n[models.two]\nfolder = \"two\"\n[[routes]]\nname = \"all\"\n\
         members = [{{ model = \"one\" }}, {{ model = \"two\", rename = {{ bright = \"dark\" }} }}]\nfusion = {fusion}\n"
    );
    let settings = crate::config::settings("test.toml", &[("test.toml".into(), text)], &Surroundings::default());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/brightness");
    let model = Arc::new(Model::load(&folder).unwrap());
    let models: BTreeMap<_, _> = ["one", "two"].map(|name| (Name::new(name).unwrap(), Arc::clone(&model))).into();
    Arc::new(Plan::build(&settings.unwrap_or_else(|error| panic!("{error}")), &models).unwrap())
}

/// The verdict over what each seat found in one frame.
fn over_frame(plan: &Arc<Plan>, found: Vec<(usize, Option<[f64; 4]>, Findings)>) -> Verdict {
    let answers = found.into_iter().map(|(member, crop, findings)| {
        let given = answer(plan, member, Ok(0.0));
        let camera = Some(Name::new("top").unwrap());
        MemberAnswer { member, answer: Answer { camera, crop, findings: Ok(findings), ..given.answer } }
    });
    let part = part(plan);
    let path = part.route.into_iter().collect();
    judge(&Walked { part, path, end: WalkEnd::Judged, gates: Vec::new(), answers: answers.collect() })
}

fn boxed(label: &str, confidence: f64, corners: [f64; 4]) -> Findings {
    let label = Name::new(label).unwrap();
    let found = crate::task::Detected { label, confidence, corners, oriented: None, covered: None, mask: None };
    Findings::Detection { detections: vec![found] }
}

fn mapped(numbers: &[f32]) -> Findings {
    let map = crate::task::Map { width: 2, height: 1, covers: [0.0, 0.0, 2.0, 1.0], numbers: numbers.to_vec() };
    Findings::Anomaly { score: 0.5, peak: None, map: Some(Arc::new(map)) }
}

#[test]
fn boxes_of_two_members_become_one_under_the_name_they_share() {
    let plan = joint("{ over = \"boxes\", boxes = { method = \"weighted-boxes\", iou_above = 0.5 } }");
    let two = [0.0, 0.0, 10.0, 12.0];
    let found = vec![(0, None, boxed("dark", 0.8, [0.0, 0.0, 10.0, 10.0])), (1, None, boxed("bright", 0.8, two))];
    let verdict = over_frame(&plan, found);
    let [fused] = verdict.detections.as_slice() else { panic!("{verdict:?}") };
    assert_eq!((fused.label.as_str(), fused.members.as_slice()), ("dark", &[0, 1][..]));
    assert_eq!(fused.camera.as_ref().map(Name::as_str), Some("top"));
    assert!((fused.corners[3] - 11.0).abs() < 1e-9 && (fused.confidence - 0.8).abs() < 1e-9, "{fused:?}");
    assert!((verdict.score.unwrap() - 0.8).abs() < 1e-9);
    assert_eq!(verdict.decision, Decision::Reject);
}

#[test]
fn maps_of_two_members_are_fused_before_their_greatest_value_is_taken() {
    let plan = joint("{ over = \"maps\" }");
    let verdict = over_frame(&plan, vec![(0, None, mapped(&[0.9, 0.0])), (1, None, mapped(&[0.1, 0.6]))]);
    assert!((verdict.score.unwrap() - 0.5).abs() < 1e-6, "the means are 0.5 and 0.3: {verdict:?}");
    let plan = joint("{ over = \"maps\", rule = \"maximum\" }");
    let verdict = over_frame(&plan, vec![(0, None, mapped(&[0.9, 0.0])), (1, None, mapped(&[0.1, 0.6]))]);
    assert!((verdict.score.unwrap() - 0.9).abs() < 1e-6);
}

#[test]
fn the_worst_crop_speaks_for_a_member() {
    let plan = joint("{ over = \"defect\" }");
    let says = |dark| match answer(&plan, 0, Ok(dark)).answer.findings {
        Ok(findings) => findings,
        Err(why) => panic!("{why}"),
    };
    let crop = |left: f64| Some([left, 0.0, left + 1.0, 1.0]);
    let found =
        vec![(0, crop(0.0), says(0.1)), (0, crop(1.0), says(0.7)), (0, crop(2.0), says(0.3)), (1, None, says(0.5))];
    let verdict = over_frame(&plan, found);
    assert!((verdict.score.unwrap() - 0.6).abs() < 1e-9, "0.7 of the first, 0.5 of the second: {verdict:?}");
    assert_eq!(verdict.votes.len(), 4, "every crop is told");
}
