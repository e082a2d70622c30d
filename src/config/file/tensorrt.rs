//! The shape of `[runtime.tensorrt]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::settings::EngineBuild;
use crate::name::Name;

/// How TensorRT's engines are built; for `providers` with "tensorrt".
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub struct TensorRt {
    /// The folder of the engines.
    pub folder: PathBuf,
    /// Layers may compute in half precision: faster, and other answers, which must come near enough to the references.
    pub fp16: bool,
    /// Layers may compute in 8-bit whole numbers, where the model was quantised with Q/DQ nodes.
    pub int8: bool,
    /// How far an engine's answers may lie from the references, as a share of the greatest magnitude in an output; without
    /// it as far as the passport says, which is seldom far enough for half precision.
    #[schemars(extend("exclusiveMinimum" = 0), range(max = 1.0))]
    pub tolerance: Option<f64>,
    /// Build for a deep learning accelerator instead of the GPU; without it none.
    #[schemars(range(min = 0, max = 1))]
    pub dla_core: Option<i64>,
    /// The most memory a layer may work with; without it an eighth of the board's, 256 to 4096 MiB.
    #[schemars(range(min = 16, max = 65_536))]
    pub workspace_mib: Option<u64>,
    /// How long the builder searches for fast kernels: 0 shortest, 5 longest.
    #[schemars(range(min = 0, max = 5))]
    pub optimisation_level: i64,
    /// Record kernel launches once and replay them; for models of fixed shapes.
    pub cuda_graphs: bool,
    /// Keep measured times of kernels for the next build.
    pub timing_cache: bool,
    /// Operators left to the next provider; without it those that ONNX Runtime leaves out by itself.
    #[schemars(inner(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$")), extend("uniqueItems" = true))]
    pub exclude_operators: Option<Vec<String>>,
    /// Shapes that an engine is built for; without them the passport's, and batches of 1 to its `batch_up_to`.
    pub profiles: Vec<Profile>,
    /// When engines are built that are not there: before the first part, when no model has been asked for `idle_after_s`,
    /// or at once beside the running line.
    pub engine_build: EngineBuild,
    /// With "idle": seconds without a question before a build begins.
    #[schemars(range(min = 1, max = 86_400))]
    pub idle_after_s: u64,
    /// The builder is ended when less memory is available.
    #[schemars(range(min = 0, max = 65_536))]
    pub memory_reserve_mib: u64,
    /// The builder is ended when it takes longer.
    #[schemars(range(min = 1, max = 86_400))]
    pub build_limit_s: u64,
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
            profiles: Vec::new(),
            engine_build: EngineBuild::Idle,
            idle_after_s: 60,
            memory_reserve_mib: 512,
            build_limit_s: 3600,
        }
    }
}

/// The shapes of one input of one model that its engine is built for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The model, by its name in this file.
    #[schemars(required)]
    pub model: Option<Name>,
    /// The graph's name of the input.
    #[schemars(required, length(min = 1))]
    pub input: Option<String>,
    /// The least length of each axis.
    #[schemars(required, length(min = 1, max = 8))]
    pub min: Option<Vec<i64>>,
    /// The lengths the engine is tuned for.
    #[schemars(required, length(min = 1, max = 8))]
    pub opt: Option<Vec<i64>>,
    /// The greatest length of each axis.
    #[schemars(required, length(min = 1, max = 8))]
    pub max: Option<Vec<i64>>,
}
