//! The shape of the configuration file: what `serde` reads, and what `kenpin schema` tells an editor.
//!
//! Every docstring here becomes a description in the schema, every `Default` a default there. A key without which nothing
//! works is an `Option` that the schema requires: a file that lacks it can still be checked to its end. Meaning across
//! keys is checked in the private module `check`, never here.

mod cameras;
mod changeover;
mod chart;
mod drift;
mod outputs;
mod routes;
mod sources;
mod tensorrt;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::{Backend, Provider};
use crate::name::Name;

pub use cameras::{Camera, CameraKind, Pace};
pub use changeover::{Changeover, NumberedRecipe};
pub use chart::Chart;
pub use drift::{Drift, Golden};
pub use outputs::{Output, OutputKind, OutputWork};
pub use routes::{Condition, Fusion, Gate, Member, Read, Route, Rung};
pub use sources::{Sensor, SensorKind};
pub use tensorrt::{Profile, TensorRt};

/// The configuration of Kenpin. Relative paths are relative to the folder of the main file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Kenpin configuration")]
pub struct File {
    /// This device, as `[device]` with its `id`.
    #[schemars(required)]
    pub device: Option<Device>,
    /// What is being made.
    #[serde(default)]
    pub line: Line,
    /// A controller's register by which the line is changed over to another recipe; without it no register is read.
    pub changeover: Option<Changeover>,
    /// The cameras, each as `[cameras.<name>]`.
    #[schemars(required, extend("minProperties" = 1))]
    pub cameras: Option<BTreeMap<Name, Camera>>,
    /// The sources of sensor text, each as `[sensors.<name>]`.
    #[serde(default)]
    pub sensors: BTreeMap<Name, Sensor>,
    /// How frames and readings become a part.
    #[serde(default)]
    pub join: Join,
    /// The models, each as `[models.<name>]`, by the name under which routes speak of them.
    #[schemars(required, extend("minProperties" = 1))]
    pub models: Option<BTreeMap<Name, Model>>,
    /// The ways a part can go, each as `[[routes]]`, tried in this order.
    #[schemars(required, length(min = 1, max = 256))]
    pub routes: Option<Vec<Route>>,
    /// The rungs of this board, each as `[[ladder]]`, heaviest first: on the first, routes judge with their own members.
    /// Without it nothing changes when the board grows hot.
    #[schemars(length(min = 2, max = 16))]
    pub ladder: Option<Vec<LadderRung>>,
    /// How the governor chooses among the rungs.
    #[serde(default)]
    pub governor: Governor,
    /// What runs the models.
    #[serde(default)]
    pub runtime: Runtime,
    /// What is switched for a part or for the line, each as `[outputs.<name>]`.
    #[serde(default)]
    pub outputs: BTreeMap<Name, Output>,
    /// What `kenpin fit` learned for the routes; without this table they judge by their own values.
    pub fits: Option<Fits>,
    /// Whether the line's parts still look like those that its fits were made with; without this table nobody watches.
    pub drift: Option<Drift>,
    /// A control chart of the reject rate while the line runs; without this table nobody draws one.
    pub chart: Option<Chart>,
    /// Labelled pictures that are judged beside the line again and again; without this table none are.
    pub golden: Option<Golden>,
    /// Where verdicts are kept.
    #[serde(default)]
    pub journal: Journal,
    /// Which frames are kept; without this table none are.
    pub images: Option<Images>,
    /// Which verdicts people are asked to look at; without this table nobody is asked.
    pub review: Option<Review>,
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
    /// The recipe in force until the line is changed over to another.
    #[schemars(with = "Name")]
    pub recipe: String,
    /// The production run: a part id is unique within it.
    #[schemars(with = "Name")]
    pub run: String,
    /// The key of a reading that names the recipe of its part, whatever the line was changed over to.
    #[schemars(length(min = 1))]
    pub recipe_key: Option<String>,
}

impl Default for Line {
    fn default() -> Self {
        Self { recipe: "default".to_owned(), run: "default".to_owned(), recipe_key: None }
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

/// One rung of the ladder, with its price where the measured ones are not to be used.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LadderRung {
    /// Its name.
    #[schemars(required)]
    pub rung: Option<Name>,
    /// The share of parts that are judged right on it; without it the mean over the routes of what the price of the surest
    /// member says, where a route that nobody judges counts as 0.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub accuracy: Option<f64>,
    /// Milliseconds that the models need for a part; without it those of the route that takes longest, by the prices of its
    /// members.
    #[schemars(range(min = 0.0, max = 3_600_000.0))]
    pub part_ms: Option<f64>,
    /// Watt that the board draws beyond idling while it judges without a pause, as measured; without it what the prices say,
    /// where all of them were measured with a power monitor, else 6 W, which is an assumption and called one.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub watts: Option<f64>,
}

/// How the governor chooses among the rungs of the ladder.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Governor {
    /// The folder below which the board's files are read; another one than `/` is a board that was made up.
    pub board_root: PathBuf,
    /// How often the board is read.
    #[schemars(range(min = 100, max = 60_000))]
    pub every_ms: u64,
    /// How long after the capture a verdict is due: a rung that cannot keep it is left.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub deadline_ms: u64,
    /// The least time from any change of rung to a heavier one.
    #[schemars(range(min = 1, max = 86_400))]
    pub dwell_s: u64,
    /// For how long a heavier rung must stay cool by the forecast in order to be taken.
    #[schemars(range(min = 1, max = 86_400))]
    pub hold_s: u64,
    /// How far below the temperature at which the kernel slows the board down it is to stay.
    #[schemars(range(min = 0.0, max = 60.0))]
    pub margin_celsius: f64,
}

impl Default for Governor {
    fn default() -> Self {
        Self {
            board_root: PathBuf::from("/"),
            every_ms: 1000,
            deadline_ms: 1000,
            dwell_s: 120,
            hold_s: 150,
            margin_celsius: 1.0,
        }
    }
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
    /// Models that may run at once; without it as many as there are cores for.
    #[schemars(range(min = 1, max = 64))]
    pub models_at_once: Option<usize>,
    /// Parts that may be in the hands of models at once.
    #[schemars(range(min = 1, max = 64))]
    pub parts_in_flight: usize,
    /// The most memory that all models may take, those of every rung together, in MiB: more is refused at start.
    #[schemars(range(min = 1))]
    pub memory_mib: Option<u64>,
    /// How TensorRT's engines are built; for `providers` with "tensorrt".
    pub tensorrt: TensorRt,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            backends: vec![Backend::OnnxRuntime],
            onnxruntime_library: None,
            providers: vec![Provider::Cpu],
            full_placement: false,
            threads_per_session: 1,
            models_at_once: None,
            parts_in_flight: 2,
            memory_mib: None,
            tensorrt: TensorRt::default(),
        }
    }
}

/// What `kenpin fit` learned for the routes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fits {
    /// The folder of the fits: each is laid over the values of its route and rung. One made for other models is refused.
    #[schemars(required)]
    pub folder: Option<PathBuf>,
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

/// Which verdicts people are asked to look at: those of rejected and undecided parts, and a share of the passed ones.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Review {
    /// The share of passed parts that is put up for review too, drawn at random: without them nobody knows what escapes.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub audit_share: f64,
}

impl Default for Review {
    fn default() -> Self {
        Self { audit_share: 0.02 }
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
    /// The systemd credential that holds the password; without systemd's, a file of this name in the folder `credentials`
    /// beside the main file.
    pub password_credential: Option<Name>,
    /// How often counters are published.
    #[serde(default = "default::counters_every_s")]
    #[schemars(range(min = 1, max = 86_400))]
    pub counters_every_s: u64,
}

/// Defaults of single keys, where a table has keys without one.
mod default {
    pub(super) fn listen() -> String {
        "127.0.0.1:1883".to_owned()
    }

    pub(super) const fn counters_every_s() -> u64 {
        10
    }
}
