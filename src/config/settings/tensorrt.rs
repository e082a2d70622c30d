//! How TensorRT's engines are built, where they lie and when.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[runtime.tensorrt]`, checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub struct TensorRt {
    /// The folder of the engines; made where it is missing, and nobody else's.
    pub folder: PathBuf,
    /// Whether layers may compute in half precision.
    pub fp16: bool,
    /// Whether layers may compute in 8-bit whole numbers, for models with Q/DQ nodes.
    pub int8: bool,
    /// How far an engine's answers may lie from the references, above 0 and at most 1; `None` is as far as the passport says.
    pub tolerance: Option<f64>,
    /// The deep learning accelerator to build for, 0 or 1; `None` builds for the GPU.
    pub dla_core: Option<u8>,
    /// The most memory a layer may work with, in MiB; `None` takes a share of the board's.
    pub workspace_mib: Option<u64>,
    /// How long the builder searches for fast kernels, 0 to 5.
    pub optimisation_level: u8,
    /// Whether launches are recorded once and replayed.
    pub cuda_graphs: bool,
    /// Whether measured times of kernels are kept for the next build.
    pub timing_cache: bool,
    /// Operators that TensorRT leaves to the next provider; `None` leaves the choice to ONNX Runtime.
    pub exclude_operators: Option<Vec<String>>,
    /// The shapes an engine is built for, by folder of the model and name of the input.
    pub profiles: BTreeMap<PathBuf, BTreeMap<String, Profile>>,
    /// When engines are built that are not there.
    pub engine_build: EngineBuild,
    /// With [`EngineBuild::Idle`]: how long no model must have been asked before a build begins.
    pub idle_after: Duration,
    /// The builder is ended when less memory than this is available, in bytes.
    pub memory_reserve: u64,
    /// The builder is ended when it takes longer.
    pub build_limit: Duration,
    /// The program that probes and builds; `None` is this program itself. No key of the file sets it: tests put a
    /// stand-in there that is slow, crashes or lies.
    pub program: Option<PathBuf>,
}

impl Default for TensorRt {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("state/engines"),
            fp16: false,
            int8: false,
            tolerance: None,
            dla_core: None,
            workspace_mib: None,
            optimisation_level: 3,
            cuda_graphs: false,
            timing_cache: true,
            exclude_operators: None,
            profiles: BTreeMap::new(),
            engine_build: EngineBuild::Idle,
            idle_after: Duration::from_mins(1),
            memory_reserve: 512 << 20,
            build_limit: Duration::from_hours(1),
            program: None,
        }
    }
}

/// The shapes of one input that an engine is built for: the least, the one it is tuned for, the greatest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The least length of each axis.
    pub min: Vec<usize>,
    /// The lengths the engine is tuned for.
    pub opt: Vec<usize>,
    /// The greatest length of each axis.
    pub max: Vec<usize>,
}

/// When engines are built that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineBuild {
    /// Before the first part: the start takes minutes.
    BeforeStart,
    /// When no model has been asked for a while; the next provider answers meanwhile, undisturbed.
    Idle,
    /// At once, beside the running line: it slows live inference and spoils the builder's measured times.
    Background,
}
