//! The settings: what the rest of Kenpin is built against, trusted because [`super::load`] is the only maker outside tests.
//!
//! Knows nothing of files, keys or defaults; every path in it is ready to be opened, every duration is a [`Duration`].

mod cameras;
mod chart;
mod drift;
mod frames;
mod outputs;
mod routes;
mod tensorrt;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::Name;
pub use cameras::{Camera, CameraSource, JpegScale, Mode, Pace, Pipe, Raw, Replay, ReplayPartId, V4l, VideoDevice};
pub use chart::{Chart, ChartRate, ChartRule};
pub use drift::{Drift, Golden};
pub use frames::{Filter, FrameFormat, Makeup, YuvEncoding};
pub use outputs::{Answer, Edge, GpioEdges, LineAt, Output, Pulse, Work};
pub use routes::{
    Condition, Crops, Lighter, Member, Panel, Read, Route, Station, Statistic, Test, Thresholds, UnlessSure, WhenNone,
};
pub use tensorrt::{EngineBuild, Profile, TensorRt};

/// Everything the daemon was told, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `[device] id`: the name under which this device publishes.
    pub device: Name,
    /// `[line]`: what is being made.
    pub line: Line,
    /// `[changeover]`: the register by which a controller changes the recipe; `None` reads none.
    pub changeover: Option<Changeover>,
    /// `[cameras.<name>]`.
    pub cameras: BTreeMap<Name, Camera>,
    /// `[sensors.<name>]`.
    pub sensors: BTreeMap<Name, Sensor>,
    /// `[join]`: how frames and readings become a part.
    pub join: Join,
    /// `[models.<name>]`: the folder of each model, absolute or relative to the working directory.
    pub models: BTreeMap<Name, PathBuf>,
    /// `[[routes]]`, in the order in which they are tried.
    pub routes: Vec<Route>,
    /// `[[ladder]]`: the rungs of the board, heaviest first; empty where nothing is to change with heat.
    pub ladder: Vec<LadderRung>,
    /// `[governor]`: how it chooses among them.
    pub governor: Governor,
    /// `[runtime]`: what runs the models.
    pub runtime: Runtime,
    /// `[outputs.<name>]`: what is switched for a part or for the line.
    pub outputs: BTreeMap<Name, Output>,
    /// `[fits] folder`: where fits lie; `None` judges by the routes' own values.
    pub fits: Option<PathBuf>,
    /// `[drift]`: how the line is watched; `None` watches nothing.
    pub drift: Option<Drift>,
    /// `[chart]`: how the reject rate is watched; `None` watches none.
    pub chart: Option<Chart>,
    /// `[golden]`: what is judged beside the line; `None` judges nothing.
    pub golden: Option<Golden>,
    /// `[journal]`: where verdicts are kept.
    pub journal: Journal,
    /// `[images]`: which frames are kept; `None` keeps none.
    pub images: Option<Images>,
    /// `[review]`: which verdicts people are asked to look at; `None` asks nobody.
    pub review: Option<Review>,
    /// `[mqtt]`: who is told; `None` publishes nothing.
    pub mqtt: Option<Mqtt>,
}

/// What is being made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The recipe in force until the line is changed over to another.
    pub recipe: Name,
    /// The production run: a part id is unique within it.
    pub run: Name,
    /// The key of a reading that names the recipe of its part; `None` where readings name none.
    pub recipe_key: Option<String>,
}

/// The register by which a controller changes the line over to another recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changeover {
    /// `host:port` of a Modbus TCP server.
    pub address: String,
    /// The unit behind it.
    pub unit: u8,
    /// The holding register that is read, counted from 0.
    pub register: u16,
    /// The holding register that is written with the number in force.
    pub acknowledge: u16,
    /// How often it is read.
    pub every: Duration,
    /// The recipes by their numbers, from 1 on; each recipe has one.
    pub recipes: BTreeMap<u16, Name>,
}

/// One source of sensor text.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    /// Where its lines come from.
    pub source: SensorSource,
    /// How a line is read.
    pub format: LineFormat,
    /// The longest line in bytes, 16 to 65,536; a longer one is counted and dropped.
    pub max_line_bytes: usize,
    /// The key that names the part; `None` joins by time.
    pub part_key: Option<String>,
    /// The key that holds the reading's own UTC time (RFC 3339); trusted only while the clock is synchronised.
    pub time_key: Option<String>,
    /// Taken off the arrival time before joining: how long after the event the line arrives.
    pub delay: Duration,
    /// Whether a part waits for its reading.
    pub expected: bool,
    /// Whether whoever sends a trigger is told, in a line, what becomes of it.
    pub acknowledge: bool,
}

/// Where sensor text comes from: a closed set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SensorSource {
    /// A file, read from its start and followed no further.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// Kenpin listens; any number of senders connect.
    TcpListen(SocketAddr),
    /// Kenpin connects, and again after a loss.
    TcpConnect(String),
    /// Kenpin listens on a Unix socket at this path; any number of senders connect.
    UnixListen(PathBuf),
    /// A topic at the broker of `[mqtt]`; each message is one line.
    Mqtt(String),
    /// The edges of a GPIO line; each is a reading without values.
    Gpio(GpioEdges),
}

/// How a line of sensor text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LineFormat {
    /// `key=value key="two words"`, separated by blanks, commas or semicolons.
    KeyValue,
    /// One flat JSON object.
    Json,
    /// Plain text, under the key `text`.
    Text,
}

/// How frames and readings become a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// How far apart in time the pieces of one part may be, and how long a part waits for what is expected.
    pub window: Duration,
    /// How long a reading that names a part waits for that part's frame.
    pub keep_readings: Duration,
    /// How many readings may wait for a frame; beyond it the oldest goes, counted.
    pub waiting_readings: usize,
    /// How many parts may be open at once; beyond it free-running cameras wait and the oldest part is closed.
    pub open_parts: usize,
}

/// One rung of the ladder, with what was told of its price.
#[derive(Debug, Clone, PartialEq)]
pub struct LadderRung {
    /// Its name.
    pub name: Name,
    /// The share of parts that are judged right on it, 0 to 1.
    pub accuracy: Option<f64>,
    /// Seconds that the models need for a part.
    pub part_seconds: Option<f64>,
    /// Watt beyond idling while it judges without a pause.
    pub watts: Option<f64>,
}

/// How the governor chooses among the rungs of the ladder.
#[derive(Debug, Clone, PartialEq)]
pub struct Governor {
    /// The folder below which the board's files are read.
    pub board_root: PathBuf,
    /// How often the board is read.
    pub every: Duration,
    /// How long after the capture a verdict is due.
    pub deadline: Duration,
    /// The least time from any change of rung to a heavier one.
    pub dwell: Duration,
    /// For how long a heavier rung must stay cool by the forecast in order to be taken.
    pub hold: Duration,
    /// Kelvin that are kept from the temperature at which the kernel slows the board down.
    pub margin_kelvin: f64,
}

/// What runs the models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runtime {
    /// Tried in order; a later one is a fallback and marked so.
    pub backends: Vec<Backend>,
    /// The ONNX Runtime library; searched for when `None`.
    pub onnxruntime_library: Option<PathBuf>,
    /// Execution providers, tried in order.
    pub providers: Vec<Provider>,
    /// Whether every node must run on the provider that was asked for.
    pub full_placement: bool,
    /// Threads inside one session, 1 to 64.
    pub threads_per_session: usize,
    /// Models that may run at once, 1 to 64; `None` runs as many as there are cores for.
    pub models_at_once: Option<usize>,
    /// Parts that may be in the hands of models at once, 1 to 64.
    pub parts_in_flight: usize,
    /// The most bytes that all models may take together; `None` for any number.
    pub memory_bytes: Option<u64>,
    /// How TensorRT's engines are built.
    pub tensorrt: TensorRt,
}

/// A library that runs models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// ONNX Runtime, loaded at run time.
    #[serde(rename = "onnxruntime")]
    OnnxRuntime,
    /// tract, in pure Rust, in builds with the feature `tract`.
    Tract,
}

/// An execution provider of ONNX Runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// NVIDIA TensorRT.
    #[serde(rename = "tensorrt")]
    TensorRt,
    /// NVIDIA CUDA.
    Cuda,
    /// The CPU.
    Cpu,
}

impl Provider {
    /// The provider's name in config, passport and verdict.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TensorRt => "tensorrt",
            Self::Cuda => "cuda",
            Self::Cpu => "cpu",
        }
    }
}

/// Where verdicts are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// The SQLite file; its folder is made where it is missing.
    pub path: PathBuf,
    /// The disk budget in bytes; beyond it acknowledged rows are pruned, then parts are refused.
    pub max_bytes: u64,
}

/// Which frames are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// The folder.
    pub folder: PathBuf,
    /// The disk budget in bytes; beyond it the oldest go, counted.
    pub max_bytes: u64,
    /// The share of passed parts whose frames are kept too, 0 to 1, drawn at random.
    pub audit_share: f64,
}

/// Which verdicts people are asked to look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Review {
    /// The share of passed parts that is put up for review, 0 to 1, beside all others.
    pub audit_share: f64,
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mqtt {
    /// The broker.
    pub broker: Broker,
    /// The user name, where the broker wants one.
    pub username: Option<String>,
    /// The file that holds the password: a path, or a systemd credential already resolved to its path.
    pub password_file: Option<PathBuf>,
    /// How often counters are published.
    pub counters_every: Duration,
}

/// A broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broker {
    /// In this process, on a loopback address, in builds with the feature `broker`.
    Embedded {
        /// Where it listens.
        listen: SocketAddr,
    },
    /// Somewhere else.
    Remote {
        /// `host:port`.
        address: String,
    },
}
