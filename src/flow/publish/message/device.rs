//! What a device tells of itself: how it is, what it is, what it counted, on which rung it judges.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BIRTH, COUNTERS, ChartAlarm, DriftingRoute, GOVERNOR, GoldenJudged, Origin, REPLY, STATUS};
use crate::flow::Placement;
use crate::models::passport::Tier;
use crate::name::Name;
use crate::telemetry::Event;

/// How the device is. Retained; the broker itself publishes `offline` when the connection is lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusMessage {
    /// `kenpin.status/1`.
    pub schema: String,
    /// The device.
    pub device: Name,
    /// The identity of the device's journal.
    pub epoch: Uuid,
    /// Whether it inspects.
    pub state: State,
    /// The recipe that parts are made by, where no reading names another.
    pub recipe: Name,
    /// The verdicts that wait for the broker.
    pub backlog: Backlog,
    /// What stands in the way of judging as asked for.
    #[serde(flatten)]
    pub standing: Standing,
    /// The sequence number of the last verdict in the journal, 0 before the first.
    pub last_seq: u64,
}

/// What stands in the way of judging as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// The models that cannot judge.
    pub stopped_models: Vec<StoppedModel>,
    /// The outputs that cannot be driven now; absent while all can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing_outputs: Vec<FailingOutput>,
    /// Why the last reload was refused, in one sentence; absent when none was, or one that came later was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload_refused: Option<String>,
    /// Why the last changeover was refused, in one sentence; absent when none was, or one that came later was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe_refused: Option<String>,
    /// Why the device does not go on with the recipe that the line was last changed over to, in one sentence; it stands in every
    /// verdict's `degraded` too. Absent where it does, and after the next changeover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe_lost: Option<String>,
    /// Why the register by which a controller changes the recipe cannot be read, or the one that tells it not be written, in one
    /// sentence; absent while they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe_register: Option<String>,
    /// Why the device judges by the configuration that last ran well and not by the one it was given, in one sentence; it stands
    /// in every verdict's `degraded` too. Absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe_mode: Option<String>,
}

impl StatusMessage {
    /// The status of the device that was born with `birth`.
    #[must_use]
    pub fn new(birth: &BirthMessage, state: State, backlog: Backlog, standing: Standing, last_seq: u64) -> Self {
        let (schema, device, epoch) = (STATUS.into(), birth.device.clone(), birth.epoch);
        Self { schema, device, epoch, state, recipe: birth.recipe.clone(), backlog, standing, last_seq }
    }
}

/// Whether a device inspects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It inspects.
    Online,
    /// It is gone.
    Offline,
    /// It takes no more parts and sends what it has.
    Draining,
}

/// The verdicts that wait for the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backlog {
    /// All of them.
    pub waiting: u64,
    /// Those that the broker has refused at least once.
    pub refused: u64,
}

/// A model that cannot judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoppedModel {
    /// The model.
    pub model: Name,
    /// Why, in one sentence.
    pub why: String,
}

/// An output that cannot be driven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailingOutput {
    /// The output.
    pub output: Name,
    /// Why, in one sentence.
    pub why: String,
}

/// What the app knows of the running process and the publisher tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Health {
    /// What stands in the way of judging as asked for.
    pub standing: Standing,
    /// The latencies so far; `None` before the first verdict.
    pub latency: Option<Latency>,
    /// What the governor ordered last; `None` where there is no ladder.
    pub governed: Option<Governed>,
    /// The routes that drift now; `None` where nobody watches.
    pub drifting: Option<Vec<DriftingRoute>>,
    /// The rates that are out of control now; `None` where nobody watches.
    pub charted: Option<Vec<ChartAlarm>>,
    /// What became of the golden set when it was last judged; `None` before, and where there is none.
    pub golden: Option<GoldenJudged>,
}

/// A summary of the milliseconds from capture to verdict.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// How many verdicts it is over.
    pub parts: u64,
    /// Half of the parts took at most this.
    pub p50: f64,
    /// 99 of 100 parts took at most this.
    pub p99: f64,
    /// The slowest part.
    pub max: f64,
}

/// What the device is and judges with. Retained, told at every connect, after every reload and after every changeover.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BirthMessage {
    /// `kenpin.birth/1`.
    pub schema: String,
    /// The device.
    pub device: Name,
    /// The version of Kenpin.
    pub version: String,
    /// The identity of the device's journal.
    pub epoch: Uuid,
    /// The production run.
    pub run: Name,
    /// The recipe that parts are made by, where no reading names another.
    pub recipe: Name,
    /// The hash of the plan.
    pub plan: String,
    /// The models of the plan.
    pub models: Vec<BornModel>,
    /// When the process started, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started: Timestamp,
}

impl BirthMessage {
    /// The birth of a process that starts now.
    #[must_use]
    pub fn new(origin: &Origin, recipe: Name, plan: String, models: Vec<BornModel>) -> Self {
        let Origin { device, epoch, run } = origin.clone();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { schema: BIRTH.into(), device, version, epoch, run, recipe, plan, models, started: Timestamp::now() }
    }
}

/// A model of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BornModel {
    /// The model.
    pub model: Name,
    /// SHA-256 of the model file, in hex.
    pub sha256: String,
    /// The rung the model stands on.
    pub tier: Tier,
    /// Where it runs, with the nodes of its graph by provider; null when it could not be loaded.
    pub placement: Option<Placement>,
}

/// What was counted since the start of the process.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CountersMessage {
    /// `kenpin.counters/1`.
    pub schema: String,
    /// The device.
    pub device: Name,
    /// The identity of the device's journal.
    pub epoch: Uuid,
    /// Seconds since the process started to publish.
    pub uptime_seconds: f64,
    /// How often each event was told.
    pub counters: BTreeMap<Event, u64>,
    /// Milliseconds from capture to verdict; null before the first.
    pub latency: Option<Latency>,
}

impl CountersMessage {
    /// The counters of the device that was born with `birth`.
    #[must_use]
    pub fn new(
        birth: &BirthMessage,
        counters: BTreeMap<Event, u64>,
        uptime: Duration,
        latency: Option<Latency>,
    ) -> Self {
        let (schema, device, epoch) = (COUNTERS.into(), birth.device.clone(), birth.epoch);
        Self { schema, device, epoch, uptime_seconds: uptime.as_secs_f64(), counters, latency }
    }
}

/// On which rung the device judges, and why. Retained; told with every change and with the counters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GovernorMessage {
    /// `kenpin.governor/1`.
    pub schema: String,
    /// The device.
    pub device: Name,
    /// The identity of the device's journal.
    pub epoch: Uuid,
    /// What was ordered.
    #[serde(flatten)]
    pub governed: Governed,
}

impl GovernorMessage {
    /// What the governor of the device that was born with `birth` ordered.
    #[must_use]
    pub fn new(birth: &BirthMessage, governed: Governed) -> Self {
        Self { schema: GOVERNOR.into(), device: birth.device.clone(), epoch: birth.epoch, governed }
    }
}

/// What the governor ordered, and what it saw when it last looked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Governed {
    /// The rung that parts are judged on now.
    pub rung: Name,
    /// The rung before it; null until the first change.
    pub from: Option<Name>,
    /// Why it was changed: `heat`, `trip`, `throttled`, `pace`, `room` or `forbidden`; null until the first change.
    pub cause: Option<String>,
    /// The cause with what was seen and what is forecast, in one sentence; null until the first change.
    pub told: Option<String>,
    /// Since when parts are judged on it, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// The zone that stands nearest to where it is slowed down; null where none can be read.
    pub zone: Option<String>,
    /// Its temperature in degrees Celsius.
    pub celsius: Option<f64>,
    /// Where the kernel slows the board down for it, in degrees Celsius.
    pub trip_celsius: Option<f64>,
    /// Watt that the board draws; null where it does not tell.
    pub watts: Option<f64>,
    /// Where that temperature ends on this rung, in degrees Celsius, by the forecast.
    pub steady_celsius: Option<f64>,
    /// Seconds until it is slowed down, by the forecast; null where it is not.
    pub seconds_to_trip: Option<f64>,
    /// What a person should look at, one sentence each.
    pub alarms: Vec<String>,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyMessage {
    /// `kenpin.reply/1`.
    pub schema: String,
    /// The device.
    pub device: Name,
    /// The command: `reload`, `recipe`, `label` or `chart`.
    pub command: String,
    /// Whether it was carried out; otherwise everything is as it was.
    pub done: bool,
    /// What came of it, or why it was refused, in one sentence.
    pub told: String,
}

impl ReplyMessage {
    /// The reply of `device` to `command`.
    #[must_use]
    pub fn new(device: Name, command: String, came_of_it: Result<String, String>) -> Self {
        let done = came_of_it.is_ok();
        Self { schema: REPLY.into(), device, command, done, told: came_of_it.unwrap_or_else(|why| why) }
    }
}
