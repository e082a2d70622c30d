//! The shape of the configuration file: what `serde` reads, and what `kenpin schema` tells an editor.
//!
//! Every docstring here becomes a description in the schema, every `Default` a default there. A key without which nothing
//! works is an `Option` that the schema requires: a file that lacks it can still be checked to its end. Meaning across
//! keys is checked in [`super::check`], never here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::{Backend, LineFormat, Provider, ReplayPartId, Statistic};
use crate::fusion::{Over, Rule};
use crate::name::Name;
use crate::value::Value;

/// The configuration of Kenpin. Relative paths are relative to the folder of the main file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Kenpin configuration")]
pub struct File {
    /// This device.
    #[schemars(required)]
    pub device: Option<Device>,
    /// What is being made.
    #[serde(default)]
    pub line: Line,
    /// The cameras by name.
    #[schemars(required, extend("minProperties" = 1))]
    pub cameras: Option<BTreeMap<Name, Camera>>,
    /// The sources of sensor text by name.
    #[serde(default)]
    pub sensors: BTreeMap<Name, Sensor>,
    /// How frames and readings become a part.
    #[serde(default)]
    pub join: Join,
    /// The models by the name under which routes speak of them.
    #[schemars(required, extend("minProperties" = 1))]
    pub models: Option<BTreeMap<Name, Model>>,
    /// The ways a part can go, tried in this order.
    #[schemars(required, length(min = 1, max = 256))]
    pub routes: Option<Vec<Route>>,
    /// What runs the models.
    #[serde(default)]
    pub runtime: Runtime,
    /// Where verdicts are kept.
    #[serde(default)]
    pub journal: Journal,
    /// Which frames are kept; without this table none are.
    pub images: Option<Images>,
    /// Who is told; without this table nothing is published.
    pub mqtt: Option<Mqtt>,
}

/// This device.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The name under which this device publishes.
    #[schemars(required)]
    pub id: Option<Name>,
}

/// What is being made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Line {
    /// The recipe in force until a reading names another.
    #[schemars(with = "Name")]
    pub recipe: String,
    /// The production run: a part id is unique within it.
    #[schemars(with = "Name")]
    pub run: String,
    /// The key of a reading that names the part's recipe; without it recipes never change.
    #[schemars(length(min = 1))]
    pub recipe_key: Option<String>,
}

impl Default for Line {
    fn default() -> Self {
        Self { recipe: "default".to_owned(), run: "default".to_owned(), recipe_key: None }
    }
}

/// One camera.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Where its pictures come from.
    #[schemars(required)]
    pub kind: Option<CameraKind>,
    /// `replay`: a folder of images, or a text file with one path a line.
    pub path: Option<PathBuf>,
    /// `replay`: begin again after the last image.
    #[serde(default)]
    pub repeat: bool,
    /// `replay`: where the part id comes from, where no trigger names one.
    #[serde(default = "default::part_id")]
    pub part_id: ReplayPartId,
    /// When it takes a picture.
    #[serde(default)]
    pub pace: Pace,
    /// `paced`: pictures a second.
    #[schemars(range(max = 1000.0), extend("exclusiveMinimum" = 0))]
    pub frames_per_second: Option<f64>,
    /// `triggered`: the sensor whose readings trigger.
    pub trigger_sensor: Option<Name>,
    /// `triggered`: how many triggers may wait.
    #[serde(default = "default::trigger_queue")]
    #[schemars(range(min = 1, max = 1024))]
    pub trigger_queue: usize,
    /// Whether a part waits for its frame.
    #[serde(default = "default::yes")]
    pub expected: bool,
    /// How long after the event the picture is stamped.
    #[serde(default)]
    #[schemars(range(max = 600_000))]
    pub delay_ms: u64,
}

/// Where a camera's pictures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CameraKind {
    /// Image files, in order.
    Replay,
}

/// When a camera takes a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// As fast as the road takes them, none lost: for files, not for a moving belt.
    #[default]
    FreeRunning,
    /// At a fixed rate; the newest frame replaces one that nobody has taken.
    Paced,
    /// One picture for each reading of a sensor.
    Triggered,
}

/// One source of sensor text.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Where its lines come from.
    #[schemars(required)]
    pub kind: Option<SensorKind>,
    /// `file`: the file.
    pub path: Option<PathBuf>,
    /// `tcp-listen`: `ip:port` to listen on; `tcp-connect`: `host:port` to connect to.
    pub address: Option<String>,
    /// `mqtt`: the topic at the broker of `[mqtt]`.
    pub topic: Option<String>,
    /// How a line is read.
    #[serde(default = "default::format")]
    pub format: LineFormat,
    /// The key that names the part; without it readings are joined by time.
    #[schemars(length(min = 1))]
    pub part_key: Option<String>,
    /// The key that holds the reading's own UTC time (RFC 3339); trusted only while the clock is synchronised.
    #[schemars(length(min = 1))]
    pub time_key: Option<String>,
    /// The longest line; a longer one is counted and dropped.
    #[serde(default = "default::max_line_bytes")]
    #[schemars(range(min = 16, max = 65_536))]
    pub max_line_bytes: usize,
    /// How long after the event the line arrives.
    #[serde(default)]
    #[schemars(range(max = 600_000))]
    pub delay_ms: u64,
    /// Whether a part waits for its reading.
    #[serde(default = "default::yes")]
    pub expected: bool,
}

/// Where sensor text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SensorKind {
    /// A file, read from its start and followed no further.
    File,
    /// Standard input.
    Stdin,
    /// Kenpin listens; any number of senders connect.
    TcpListen,
    /// Kenpin connects, and again after a loss.
    TcpConnect,
    /// A topic at the broker of `[mqtt]`; each message is one line.
    Mqtt,
}

impl SensorKind {
    /// The kind as it stands in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Stdin => "stdin",
            Self::TcpListen => "tcp-listen",
            Self::TcpConnect => "tcp-connect",
            Self::Mqtt => "mqtt",
        }
    }
}

/// How frames and readings become a part.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Join {
    /// How far apart in time the pieces of one part may be, and how long a part waits for what is expected.
    #[schemars(range(min = 1, max = 600_000))]
    pub window_ms: u64,
    /// How long a reading that names a part waits for that part's frame.
    #[schemars(range(min = 1, max = 86_400_000))]
    pub keep_readings_ms: u64,
    /// How many readings may wait for a frame; beyond it the oldest goes, counted.
    #[schemars(range(min = 1, max = 65_536))]
    pub waiting_readings: usize,
    /// How many parts may be open at once; beyond it free-running cameras wait and the oldest part is closed.
    #[schemars(range(min = 1, max = 4096))]
    pub open_parts: usize,
}

impl Default for Join {
    fn default() -> Self {
        Self { window_ms: 250, keep_readings_ms: 60_000, waiting_readings: 1024, open_parts: 64 }
    }
}

/// One model.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The folder with its `passport.toml`.
    #[schemars(required)]
    pub folder: Option<PathBuf>,
}

/// One way a part can go: either `members` judge it, or a `gate` picks the next route.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name.
    #[schemars(required)]
    pub name: Option<Name>,
    /// All must hold for a part to go this way; an empty list always holds.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// Only gates lead here; the route is not tried on its own.
    #[serde(default)]
    pub by_gate_only: bool,
    /// The model whose answer picks the next route.
    pub gate: Option<Gate>,
    /// The models that judge.
    #[schemars(length(min = 1))]
    pub members: Option<Vec<Member>>,
    /// How the members' votes become one score.
    #[serde(default)]
    pub fusion: Fusion,
    /// The lowest score that rejects.
    #[serde(default = "default::half")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub reject_from: f64,
    /// Scores below it pass, those between it and `reject_from` are undecided; as `reject_from` where it is left out.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub pass_below: Option<f64>,
}

/// A model whose answer picks the next route.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The model that is asked.
    #[schemars(required)]
    pub model: Option<Name>,
    /// The camera whose frame it sees; without it the part's first frame.
    pub camera: Option<Name>,
    /// The lowest probability with which it decides.
    #[serde(default = "default::half")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sure_from: f64,
    /// The next route for each label.
    #[schemars(required, extend("minProperties" = 1))]
    pub choose: Option<BTreeMap<Name, Name>>,
    /// The next route when the gate is not sure, or its label is not in `choose`.
    pub otherwise: Option<Name>,
}

/// One seat of a panel.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The model on it.
    #[schemars(required)]
    pub model: Option<Name>,
    /// The camera whose frame it sees; without it every frame of the part, one vote each.
    pub camera: Option<Name>,
    /// Its weight in a weighted mean.
    #[serde(default = "default::one")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub weight: f64,
    /// Whether the part stays undecided when it fails.
    #[serde(default = "default::yes")]
    pub required: bool,
}

/// How the members' votes become one score.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fusion {
    /// The rule that joins the votes.
    pub rule: Rule,
    /// What the rule is applied to.
    pub over: Over,
}

impl Default for Fusion {
    fn default() -> Self {
        Self { rule: Rule::Mean, over: Over::Defect }
    }
}

/// One condition: exactly one subject (`camera`, `recipe`, `key` with or without `sensor`, or `image` with or without
/// `camera`); `key` and `image` with exactly one test.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Alone: the part has a frame of this camera. With `image`: whose frame.
    pub camera: Option<Name>,
    /// The part is made to this recipe.
    pub recipe: Option<Name>,
    /// The sensor whose reading has `key`; without it any of the part's readings.
    pub sensor: Option<Name>,
    /// The key of a reading.
    #[schemars(length(min = 1))]
    pub key: Option<String>,
    /// A statistic of a frame.
    pub image: Option<Statistic>,
    /// Test: equal; numbers as numbers, everything else as text.
    pub equals: Option<Value>,
    /// Test: present and not equal.
    pub not_equals: Option<Value>,
    /// Test: equal to one of these.
    #[schemars(length(min = 1))]
    pub one_of: Option<Vec<Value>>,
    /// Test: a number at least this.
    pub at_least: Option<f64>,
    /// Test: a number at most this.
    pub at_most: Option<f64>,
    /// Test: a number above this.
    pub above: Option<f64>,
    /// Test: a number below this.
    pub below: Option<f64>,
    /// Test: present (`true`) or absent (`false`).
    pub present: Option<bool>,
}

/// What runs the models.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// Tried in order; a later one is a fallback, and marked so in every verdict.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub backends: Vec<Backend>,
    /// The ONNX Runtime library; searched for in the usual places without it.
    pub onnxruntime_library: Option<PathBuf>,
    /// Execution providers of ONNX Runtime, tried in order.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub providers: Vec<Provider>,
    /// Whether every node must run on the provider that was asked for.
    pub full_placement: bool,
    /// Threads inside one session.
    #[schemars(range(min = 1, max = 64))]
    pub threads_per_session: usize,
    /// Parts that may be in the hands of models at once.
    #[schemars(range(min = 1, max = 64))]
    pub parts_in_flight: usize,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            backends: vec![Backend::OnnxRuntime],
            onnxruntime_library: None,
            providers: vec![Provider::Cpu],
            full_placement: false,
            threads_per_session: 1,
            parts_in_flight: 2,
        }
    }
}

/// Where verdicts are kept.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// The SQLite file; its folder is made where it is missing.
    pub path: PathBuf,
    /// The disk budget; beyond it acknowledged rows are pruned, then parts are refused.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub max_mib: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self { path: PathBuf::from("state/journal.sqlite"), max_mib: 1024 }
    }
}

/// Which frames are kept: those of rejected and undecided parts, and a share of the passed ones.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Images {
    /// The folder.
    pub folder: PathBuf,
    /// The disk budget; beyond it the oldest go, counted.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub max_mib: u64,
    /// The share of passed parts whose frames are kept too, drawn at random.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub audit_share: f64,
}

impl Default for Images {
    fn default() -> Self {
        Self { folder: PathBuf::from("state/images"), max_mib: 2048, audit_share: 0.01 }
    }
}

/// Who is told.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mqtt {
    /// `host:port` of a broker, or `embedded` for one inside Kenpin.
    #[schemars(required)]
    pub broker: Option<String>,
    /// `embedded`: the loopback address to listen on.
    #[serde(default = "default::listen")]
    pub listen: String,
    /// The user name, where the broker wants one.
    #[schemars(length(min = 1))]
    pub username: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
    /// The systemd credential that holds the password.
    pub password_credential: Option<Name>,
    /// How often counters are published.
    #[serde(default = "default::counters_every_s")]
    #[schemars(range(min = 1, max = 86_400))]
    pub counters_every_s: u64,
}

/// Defaults of single keys, where a table has keys without one.
mod default {
    use super::{LineFormat, ReplayPartId};

    pub(super) const fn part_id() -> ReplayPartId {
        ReplayPartId::FileStem
    }

    pub(super) const fn trigger_queue() -> usize {
        8
    }

    pub(super) const fn yes() -> bool {
        true
    }

    pub(super) const fn format() -> LineFormat {
        LineFormat::KeyValue
    }

    pub(super) const fn max_line_bytes() -> usize {
        4096
    }

    pub(super) const fn half() -> f64 {
        0.5
    }

    pub(super) const fn one() -> f64 {
        1.0
    }

    pub(super) fn listen() -> String {
        "127.0.0.1:1883".to_owned()
    }

    pub(super) const fn counters_every_s() -> u64 {
        10
    }
}
