//! Puts a verdict into words. Pure; the sequence number is filled in by [`VerdictMessage::into_body`].

use jiff::Timestamp;
use uuid::Uuid;

use super::{AnswerMessage, FrameMessage, PartTimes, VERDICT, VerdictMessage, VoteMessage};
use crate::clock::{self, Monotonic, milliseconds};
use crate::flow::plan::{ModelIndex, Plan};
use crate::flow::verdict::{Decision, FrameQuality, Reason, Verdict, Vote};
use crate::flow::{Answer, Part, WalkEnd, Walked};
use crate::name::Name;

/// Who judges, into which journal, for which run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The device.
    pub device: Name,
    /// The identity of the journal.
    pub epoch: Uuid,
    /// The production run.
    pub run: Name,
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// On the monotonic clock.
    pub at: Monotonic,
    /// On the wall.
    pub utc: Timestamp,
    /// Whether the kernel holds the wall clock synchronised.
    pub synchronised: bool,
}

impl Stamp {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { at: Monotonic::now(), utc: Timestamp::now(), synchronised: clock::synchronised() }
    }

    /// The wall-clock time of an earlier point, reckoned back from this moment.
    fn utc_of(&self, earlier: Monotonic) -> Timestamp {
        self.utc.checked_sub(self.at.since(earlier)).unwrap_or(self.utc)
    }
}

/// The message for a part that was walked and judged at `judged`. Its `seq` is 0 until [`VerdictMessage::into_body`].
#[must_use]
pub fn compose(walked: &Walked, verdict: &Verdict, origin: &Origin, judged: Stamp) -> VerdictMessage {
    let (part, plan) = (&walked.part, walked.part.plan.as_ref());
    VerdictMessage {
        recipe: Some(part.recipe.clone()),
        part_id_given: part.id_given,
        score: verdict.score,
        thresholds: verdict.thresholds,
        fused: verdict.fused.clone(),
        measured: verdict.measured.clone(),
        quality: verdict.quality.clone(),
        detections: verdict.detections.clone(),
        votes: verdict.votes.iter().map(|vote| vote_message(vote, walked, plan)).collect(),
        gates: walked.gates.iter().map(|answer| answer_message(answer, plan)).collect(),
        route: walked.path.iter().map(|route| plan.route(*route).name.clone()).collect(),
        rung: plan.rungs.get(part.rung).cloned(),
        fit: fit(walked, plan),
        notes: part.notes.clone(),
        readings: part.readings.iter().map(|reading| (reading.sensor.clone(), reading.values.clone())).collect(),
        frames: frames(part, judged),
        plan: Some(plan.hash.clone()),
        captured: Some(judged.utc_of(part.captured)),
        milliseconds: Some(PartTimes {
            join: milliseconds(part.joined.since(part.captured)),
            infer: milliseconds(judged.at.since(part.joined)),
            total: milliseconds(judged.at.since(part.captured)),
        }),
        degraded: degraded(walked, plan).into_iter().chain(verdict.quality.iter().filter_map(beyond)).collect(),
        ..bare(origin, origin.run.as_str(), part.id.as_str(), verdict.decision, verdict.reasons.clone(), judged)
    }
}

/// The message for a part of `run` that was accepted at `opened` and never judged, because the daemon was cut off.
/// The journal does not keep whether the line named the part: the message always says that it did.
#[must_use]
pub fn compose_interrupted(
    run: &str,
    part: &str,
    opened: Option<Timestamp>,
    origin: &Origin,
    judged: Stamp,
) -> VerdictMessage {
    let bare = bare(origin, run, part, Decision::Undecided, vec![Reason::Interrupted], judged);
    VerdictMessage { captured: opened, part_id_given: true, ..bare }
}

fn bare(
    origin: &Origin,
    run: &str,
    part: &str,
    verdict: Decision,
    reasons: Vec<Reason>,
    judged: Stamp,
) -> VerdictMessage {
    VerdictMessage {
        schema: VERDICT.into(),
        device: origin.device.clone(),
        epoch: origin.epoch,
        seq: 0,
        run: run.into(),
        recipe: None,
        part: part.into(),
        part_id_given: false,
        verdict,
        score: None,
        reasons,
        thresholds: None,
        drift: None,
        fused: Vec::new(),
        measured: None,
        quality: Vec::new(),
        detections: Vec::new(),
        votes: Vec::new(),
        gates: Vec::new(),
        route: Vec::new(),
        rung: None,
        fit: None,
        review: None,
        notes: Vec::new(),
        readings: std::collections::BTreeMap::new(),
        frames: Vec::new(),
        plan: None,
        captured: None,
        judged: judged.utc,
        clock_synchronised: judged.synchronised,
        milliseconds: None,
        degraded: Vec::new(),
    }
}

/// The fit of the panel that judged.
fn fit(walked: &Walked, plan: &Plan) -> Option<String> {
    let judged = walked.end == WalkEnd::Judged;
    let panel = walked.path.last().filter(|_| judged).and_then(|&last| plan.panel(last, walked.part.rung))?;
    panel.fit.as_ref().map(|fit| fit.sha256.clone())
}

fn frames(part: &Part, judged: Stamp) -> Vec<FrameMessage> {
    let message = |frame: &std::sync::Arc<crate::flow::Frame>| FrameMessage {
        camera: frame.camera.clone(),
        sequence: frame.sequence,
        width: frame.image.width(),
        height: frame.image.height(),
        captured: judged.utc_of(frame.captured),
    };
    part.frames.iter().map(message).collect()
}

/// The vote with the answer it rests on: the one from the same seat to the same camera's frame.
fn vote_message(vote: &Vote, walked: &Walked, plan: &Plan) -> VoteMessage {
    let answer = walked
        .answers
        .iter()
        .find(|given| {
            given.member == vote.member && given.answer.camera == vote.camera && given.answer.crop == vote.crop
        })
        .map_or_else(|| no_answer(vote.model, vote.camera.clone(), plan), |given| answer_message(&given.answer, plan));
    VoteMessage { member: vote.member, weight: vote.weight, score: vote.score, answer }
}

fn answer_message(answer: &Answer, plan: &Plan) -> AnswerMessage {
    AnswerMessage {
        findings: answer.findings.as_ref().ok().cloned(),
        failure: told(answer, true),
        not_asked: told(answer, false),
        crop: answer.crop,
        placement: answer.placement.as_deref().cloned(),
        milliseconds: answer.times,
        ..no_answer(answer.model, answer.camera.clone(), plan)
    }
}

/// Why there are no findings: what somebody should look at, or what the plan itself passed over.
fn told(answer: &Answer, degrades: bool) -> Option<String> {
    answer.findings.as_ref().err().filter(|why| why.degrades() == degrades).map(ToString::to_string)
}

fn no_answer(model: ModelIndex, camera: Option<Name>, plan: &Plan) -> AnswerMessage {
    let passport = &plan.model(model).passport;
    AnswerMessage {
        model: passport.name.clone(),
        sha256: passport.file.sha256.clone(),
        tier: passport.tier,
        camera,
        findings: None,
        failure: None,
        not_asked: None,
        crop: None,
        placement: None,
        milliseconds: crate::flow::StageTimes::default(),
    }
}

/// One sentence for a frame that was taken worse, or otherwise, than any the fit has seen.
fn beyond(FrameQuality { camera, beyond, .. }: &FrameQuality) -> Option<String> {
    let named: Vec<&str> = beyond.iter().map(|feature| feature.as_str()).collect();
    (!named.is_empty()).then(|| {
        let named = named.join(", ");
        format!("camera {camera}: {named} of its frame lie beyond what the fit has seen, the weights are those at its border")
    })
}

/// One sentence for a rung below the heaviest, for each fallback and each answer that is missing.
fn degraded(walked: &Walked, plan: &Plan) -> Vec<String> {
    let answers = || walked.gates.iter().chain(walked.answers.iter().map(|given| &given.answer));
    let name = |answer: &Answer| plan.model(answer.model).passport.name.clone();
    let fallbacks = answers().filter_map(|answer| {
        let placement = answer.placement.as_ref()?;
        let why = placement.fallback.as_ref()?;
        Some(format!("model {} runs on {} ({}): {why}", name(answer), placement.provider, placement.backend))
    });
    let failures = answers().filter_map(|answer| {
        let why = answer.findings.as_ref().err().filter(|why| why.degrades())?;
        let camera = answer.camera.as_ref().map_or_else(|| "no camera".into(), |camera| format!("camera {camera}"));
        Some(format!("model {} gave no answer for {camera}: {why}", name(answer)))
    });
    let lighter = plan.rungs.get(walked.part.rung).zip(plan.rungs.first()).filter(|(rung, heaviest)| rung != heaviest);
    let lighter =
        lighter.map(|(rung, heaviest)| format!("the part was judged on rung {rung}; the heaviest is {heaviest}"));
    let mut sentences: Vec<_> = lighter.into_iter().chain(fallbacks).chain(failures).collect();
    sentences.dedup();
    sentences
}
