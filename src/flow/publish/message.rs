//! Messages: the wire structs, their topics, and how a verdict is put into words.
//!
//! Every message is one JSON object with a `schema` of the form `kenpin.<kind>/<major>`. Within a major, fields are only
//! added. Pure: time is handed in. What a field means is told by its docstring, which [`schemas`] exports.

mod chart;
mod command;
mod compose;
mod device;
mod drift;
mod schemas;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::outbox::Publication;
use crate::config::Thresholds;
use crate::flow::review::Review;
use crate::flow::verdict::{Decision, FrameQuality, FusedDetection, Reason};
use crate::flow::{ClassScore, Findings, Note, Placement, StageTimes};
use crate::models::passport::Tier;
use crate::name::Name;
use crate::task::Quantity;
use crate::value::Value;

pub use chart::{ChartAlarm, ChartBaseline, ChartMessage, ChartPlace};
pub use command::{ChartOrder, LabelMessage};
pub use compose::{Origin, Stamp, compose, compose_interrupted};
pub use device::{
    Backlog, BirthMessage, BornModel, CountersMessage, FailingOutput, Governed, GovernorMessage, Health, Latency,
    ReplyMessage, Standing, State, StatusMessage, StoppedModel,
};
pub use drift::{
    DriftMessage, DriftedStatistic, Drifting, DriftingRoute, GoldenDifference, GoldenJudged, GoldenMessage,
};
pub use schemas::schemas;

/// The `schema` of a [`VerdictMessage`].
pub const VERDICT: &str = "kenpin.verdict/1";
/// The `schema` of a [`StatusMessage`].
pub const STATUS: &str = "kenpin.status/1";
/// The `schema` of a [`BirthMessage`].
pub const BIRTH: &str = "kenpin.birth/1";
/// The `schema` of a [`CountersMessage`].
pub const COUNTERS: &str = "kenpin.counters/1";
/// The `schema` of a [`GovernorMessage`].
pub const GOVERNOR: &str = "kenpin.governor/1";

/// The `schema` of a [`ChartMessage`].
pub const CHART: &str = "kenpin.chart/1";
/// The `schema` of a [`DriftMessage`].
pub const DRIFT: &str = "kenpin.drift/1";
/// The `schema` of a [`GoldenMessage`].
pub const GOLDEN: &str = "kenpin.golden/1";
/// The `schema` of a [`ReplyMessage`].
pub const REPLY: &str = "kenpin.reply/1";

/// The `schema` of a [`LabelMessage`].
pub const LABEL: &str = "kenpin.label/1";

/// One verdict on one part. (device, epoch, seq) identifies it; whoever has seen that triple drops the message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictMessage {
    /// `kenpin.verdict/1`.
    pub schema: String,
    /// The device that judged.
    pub device: Name,
    /// The identity of the device's journal: a new one begins at seq 1 again.
    pub epoch: Uuid,
    /// The sequence number within the epoch: from 1, without gaps.
    pub seq: u64,
    /// The production run.
    pub run: String,
    /// The recipe in force for the part; null for a part that was interrupted.
    pub recipe: Option<Name>,
    /// The part's identity within the run.
    pub part: String,
    /// Whether the line gave the part its identity; otherwise the daemon made one.
    pub part_id_given: bool,
    /// What becomes of the part.
    pub verdict: Decision,
    /// The fused probability of a defect, 0 to 1; null when nothing could be fused.
    pub score: Option<f64>,
    /// Why, at least one.
    pub reasons: Vec<Reason>,
    /// The thresholds the score was held against; null when no panel was reached.
    pub thresholds: Option<Thresholds>,
    /// That the route drifts, and how far the band of undecided was widened for it; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drifting>,
    /// The fused probability of each label, where fusion works by classes.
    pub fused: Vec<ClassScore>,
    /// The one value of what the members measured, where a fit joins their values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Quantity>,
    /// How well the frames were taken, where the members' weights move with it; each vote tells its weight for this part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<FrameQuality>,
    /// The fused boxes, where fusion works by boxes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detections: Vec<FusedDetection>,
    /// The members' votes, in the order of the panel.
    pub votes: Vec<VoteMessage>,
    /// The gates' answers, in the order they were asked.
    pub gates: Vec<AnswerMessage>,
    /// The names of the routes taken: gates first, the judging route last.
    pub route: Vec<Name>,
    /// The rung of the ladder the part was judged on; absent where there is no ladder, or for a part that was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<Name>,
    /// SHA-256 of the fit that the part was judged by, in hex; absent where the route judged by its config.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<String>,
    /// Whether a person is asked to look at the part, and how likely that was; absent where nobody is ever asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// What joining found amiss.
    pub notes: Vec<Note>,
    /// The part's readings: values by key, by sensor.
    pub readings: BTreeMap<Name, BTreeMap<String, Value>>,
    /// The part's frames.
    pub frames: Vec<FrameMessage>,
    /// The hash of the plan: two verdicts with one plan hash were judged alike. Null for a part that was interrupted.
    pub plan: Option<String>,
    /// When the part's first frame was taken (for an interrupted part: when it was accepted), UTC.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub captured: Option<Timestamp>,
    /// When the verdict was reached, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub judged: Timestamp,
    /// Whether the system clock was synchronised when the verdict was reached.
    pub clock_synchronised: bool,
    /// Where the time went; null for a part that was interrupted.
    pub milliseconds: Option<PartTimes>,
    /// Everything that was not as asked for, one sentence each: fallbacks and members without an answer.
    pub degraded: Vec<String>,
}

impl VerdictMessage {
    /// The message as JSON under its sequence number: what the journal keeps and the broker gets.
    #[must_use]
    pub fn into_body(mut self, seq: u64) -> Vec<u8> {
        self.body(seq)
    }

    /// As [`Self::into_body`], for a message that may have to be written again.
    #[must_use]
    pub fn body(&mut self, seq: u64) -> Vec<u8> {
        self.seq = seq;
        json(self)
    }
}

/// Milliseconds from capture to verdict.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartTimes {
    /// From the first frame's capture to the end of joining.
    pub join: f64,
    /// From the end of joining to the verdict.
    pub infer: f64,
    /// From the first frame's capture to the verdict.
    pub total: f64,
}

/// One member's vote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VoteMessage {
    /// The index of the member in the panel.
    pub member: usize,
    /// The member's weight for this part.
    pub weight: f64,
    /// The probability of a defect, 0 to 1; null when the member failed.
    pub score: Option<f64>,
    /// The answer behind the vote.
    #[serde(flatten)]
    pub answer: AnswerMessage,
}

/// One model's answer to one frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerMessage {
    /// The model.
    pub model: Name,
    /// SHA-256 of the model file, in hex.
    pub sha256: String,
    /// The rung the model stands on.
    pub tier: Tier,
    /// Whose frame it saw; null when the part had no frame for it.
    pub camera: Option<Name>,
    /// What it found; null when it failed.
    pub findings: Option<Findings>,
    /// Why it gave no answer although it should have, in one sentence.
    pub failure: Option<String>,
    /// Why it was not asked, in one sentence: another member was sure, or found nothing to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<String>,
    /// What it was shown of the frame: left, top, right and bottom in its pixels; absent when it was the whole frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crop: Option<[f64; 4]>,
    /// Where the model ran; null when it could not be loaded.
    pub placement: Option<Placement>,
    /// Where the model's time went.
    pub milliseconds: StageTimes,
}

/// One frame of a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FrameMessage {
    /// The camera.
    pub camera: Name,
    /// The camera's own count of frames, from 0.
    pub sequence: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// When it was taken, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub captured: Timestamp,
}

/// The topics of one device: `kenpin/v1/<device>/...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    root: String,
}

impl Topics {
    /// The topics of `device`.
    #[must_use]
    pub fn new(device: &Name) -> Self {
        Self { root: format!("kenpin/v1/{device}") }
    }

    /// Where verdicts go.
    #[must_use]
    pub fn verdict(&self) -> String {
        format!("{}/verdict", self.root)
    }

    /// Where the retained rung stands.
    #[must_use]
    pub fn governed(&self) -> String {
        format!("{}/governor", self.root)
    }

    /// The retained status.
    #[must_use]
    pub fn status(&self, message: &StatusMessage) -> Publication {
        self.publication("status", json(message), true)
    }

    /// The retained birth.
    #[must_use]
    pub fn birth(&self, message: &BirthMessage) -> Publication {
        self.publication("birth", json(message), true)
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self, message: &CountersMessage) -> Publication {
        self.publication("counters", json(message), false)
    }

    /// The retained rung.
    #[must_use]
    pub fn governor(&self, message: &GovernorMessage) -> Publication {
        self.publication("governor", json(message), true)
    }

    /// The retained drift.
    #[must_use]
    pub fn drift(&self, message: &DriftMessage) -> Publication {
        self.publication("drift", json(message), true)
    }

    /// The retained control charts.
    #[must_use]
    pub fn chart(&self, message: &ChartMessage) -> Publication {
        self.publication("chart", json(message), true)
    }

    /// The retained outcome of the golden set.
    #[must_use]
    pub fn golden(&self, message: &GoldenMessage) -> Publication {
        self.publication("golden", json(message), true)
    }

    /// The filter for everything that the device is told to do.
    #[must_use]
    pub fn commands(&self) -> String {
        format!("{}/command/+", self.root)
    }

    /// The verb of a command's topic.
    #[must_use]
    pub fn verb<'t>(&self, topic: &'t str) -> Option<&'t str> {
        topic.strip_prefix(&self.root)?.strip_prefix("/command/")
    }

    /// An answer, to where it is wanted or to the device's own topic for answers.
    #[must_use]
    pub fn reply(&self, message: &ReplyMessage, wanted: Option<&str>) -> Publication {
        let own = self.publication("reply", json(message), false);
        Publication { topic: wanted.map_or(own.topic, str::to_owned), ..own }
    }

    fn publication(&self, last: &str, body: Vec<u8>, retain: bool) -> Publication {
        Publication { topic: format!("{}/{last}", self.root), body, retain }
    }
}

/// JSON of a message. Our messages have text keys only, so this cannot fail; if it did, the log would say so.
fn json(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_else(|error| {
        tracing::error!("a message could not be put into JSON: {error}");
        b"null".to_vec()
    })
}

#[cfg(test)]
mod tests;
