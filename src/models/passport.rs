//! The passport: what a model is, what it is fed and how its answer is read. Immutable once written; prices measured on
//! a board are kept elsewhere.
//!
//! A passport lies beside its model as `passport.toml`. It is read like every other file of Kenpin: unknown keys are
//! refused, and all findings are told at once with their place in the file.

pub mod anomaly;
mod check;
pub mod detection;
pub mod input;
pub mod regression;
pub mod segmentation;
pub mod task;
pub mod text;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::name::Name;
pub use crate::tensor::Element;
pub use input::{Anchor, Colour, Filter, Fit, ImageInput, Input, Layout};
pub use task::Task;

/// The schema this build writes; it reads this one and older.
pub const SCHEMA: &str = "kenpin.passport/1";

/// The name of the passport's file in a model's folder.
pub const FILE_NAME: &str = "passport.toml";

/// A passport to begin with, as `kenpin models example` prints it: every key, each with its meaning.
pub const EXAMPLE: &str = include_str!("passport/example.toml");

/// A model's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passport {
    /// The version of this file's form, `kenpin.passport/1`.
    pub schema: String,
    /// The model's name; equal to the name of the folder it lies in.
    pub name: Name,
    /// What kind of answer the model gives.
    pub task: Task,
    /// One sentence on what the model is for.
    pub description: String,
    /// The rung this model stands on.
    pub tier: Tier,
    /// The licence of the weights, as an SPDX expression.
    pub licence: String,
    /// Where the weights come from: recipe, data, seed.
    pub origin: String,
    /// The model file and its identity.
    pub file: ModelFile,
    /// The graph's inputs, in the graph's order.
    #[schemars(length(min = 1))]
    pub inputs: Vec<Input>,
    /// The most questions that are answered in one run: crops of a part, frames of several cameras. The first axis of
    /// every input and output must then be open in the graph. Without it each question has a run of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub batch_up_to: Option<usize>,
    /// The outputs that are read, by name; the graph may have more.
    #[schemars(length(min = 1))]
    pub outputs: Vec<Output>,
    /// The name of the output, among those that are read, that holds the embedding behind the answer: one row, by which `[drift]`
    /// watches. Without it none is known; a model for `embedding` answers with its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<String>,
    /// The classes, and which of them are defects; for tasks that have classes.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Inputs and answers that must be reproduced before the model judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
}

impl Passport {
    /// The inputs that are fed with pixels, in the graph's order.
    #[must_use]
    pub fn images(&self) -> Vec<ImageInput> {
        self.inputs.iter().filter_map(Input::image).cloned().collect()
    }
}

/// Reference inputs and answers that travel with the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The safetensors file, relative to the passport.
    pub path: PathBuf,
    /// SHA-256 of the file, 64 lower-case hex digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// The greatest difference of any number of an output that is read, as a share of the greatest magnitude in that
    /// output (at least 1).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: f64,
}

/// The rung a model stands on; the governor moves between teacher and student.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Picks the next model rather than judging.
    Gate,
    /// The full-cost model.
    Teacher,
    /// A full-cost model for some of the parts.
    Specialist,
    /// A cheaper model distilled from a teacher.
    Student,
}

/// The model file and its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// The ONNX file, relative to the passport.
    pub path: PathBuf,
    /// SHA-256 of the file, 64 lower-case hex digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// The ONNX IR version the file was written in.
    pub ir_version: u32,
    /// The operator set of the default domain.
    pub opset: u32,
    /// Files beside it that hold weights, where the model has external data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<ExternalFile>,
}

/// A file of weights that belongs to a model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalFile {
    /// The file, relative to the model file, as the graph names it.
    pub path: PathBuf,
    /// SHA-256 of the file, 64 lower-case hex digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// One output that is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The graph's name of the output.
    pub name: String,
    /// The shape of the answer; 0 where an axis differs from run to run.
    pub shape: Vec<usize>,
    /// The element type.
    pub element: Element,
    /// What turns the numbers into probabilities; for outputs that hold probabilities, logits or scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

/// What turns an output into probabilities, or a vector into one of length 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Exponentials over their sum: the labels exclude each other.
    Softmax,
    /// The logistic function of each number: the labels do not exclude each other.
    Sigmoid,
    /// The numbers are probabilities already, and the labels exclude each other.
    None,
    /// The numbers are probabilities already, and the labels do not exclude each other.
    Independent,
    /// A vector divided by its Euclidean length, for embeddings.
    UnitLength,
}

/// The classes of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// One name for each class the model was trained on, in the order of its output.
    #[schemars(length(min = 1))]
    pub names: Vec<Name>,
    /// Those of the names that mean a defect; empty for a gate.
    pub defects: Vec<Name>,
}

impl Labels {
    /// Whether there are none: the task has no classes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// A passport together with where it lies: what the rest of Kenpin works with.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The checked passport.
    pub passport: Passport,
    /// The folder the passport lies in.
    pub folder: PathBuf,
}

impl Model {
    /// Reads the passport in `folder`. Does not open the model file; see [`super::catalogue::verify`].
    ///
    /// # Errors
    /// [`ConfigError`] with every finding of the passport.
    pub fn load(folder: &Path) -> Result<Self, ConfigError> {
        check::load(folder)
    }

    /// Whether the model looks at pixels.
    #[must_use]
    pub fn looks(&self) -> bool {
        self.passport.inputs.iter().any(|input| input.image().is_some())
    }

    /// The path of the model file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join(&self.passport.file.path)
    }

    /// The folder the passport lies in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A passport without findings.
    pub(crate) const PASSPORT: &str = EXAMPLE;

    /// A folder that holds the model folder `example` with this passport.
    pub(crate) fn written(passport: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("example");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join(FILE_NAME), passport).unwrap();
        (folder, path)
    }

    #[test]
    fn a_passport_without_findings_is_read() {
        let (_folder, path) = written(PASSPORT);
        let model = Model::load(&path).unwrap();
        assert_eq!(model.passport.name, *"example");
        assert_eq!(model.passport.inputs[0].image().unwrap().height_width_channels(), (64, 96, 3));
        assert_eq!(model.file(), path.join("model.onnx"));
    }
}
