//! The passport: what a model is, what it is fed and how its answer is read. Immutable once written; prices measured on
//! a board are kept elsewhere.
//!
//! A passport lies beside its model as `passport.toml`. It is read like every other file of Kenpin: unknown keys are
//! refused, and all findings are told at once with their place in the file.

mod check;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;
use crate::name::Name;

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
    /// The outputs that are read, by name; the graph may have more.
    #[schemars(length(min = 1))]
    pub outputs: Vec<Output>,
    /// The classes, and which of them are defects.
    pub labels: Labels,
}

/// What kind of answer a model gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One probability for each label.
    Classification,
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
}

/// One input of the graph and how pixels become its tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The graph's name of the input.
    pub name: String,
    /// What the input is fed with.
    pub kind: InputKind,
    /// The shape the graph declares, in `layout`.
    #[schemars(length(equal = 4))]
    pub shape: Vec<usize>,
    /// The order of the axes.
    pub layout: Layout,
    /// The element type of the tensor.
    pub element: Element,
    /// The colour channels the model expects, in order.
    pub colour: Colour,
    /// How the frame is brought to the input's size.
    pub fit: Fit,
    /// The resampling filter.
    pub filter: Filter,
    /// Fill value of the letterbox border, 0 to 255; needed with `fit = "letterbox"`, refused otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<u8>,
    /// Multiplies the pixel (0 to 255; 16-bit pixels are brought to that range first).
    pub scale: f64,
    /// Subtracted after scaling: one value a channel.
    pub mean: Vec<f64>,
    /// Divides after subtracting: one value a channel, none zero.
    pub standard_deviation: Vec<f64>,
}

impl Input {
    /// Height and width in pixels, and the number of channels, read from the shape in its layout.
    ///
    /// # Panics
    /// Never on a checked passport: its shape has four axes.
    #[must_use]
    pub fn height_width_channels(&self) -> (usize, usize, usize) {
        match (self.layout, self.shape.as_slice()) {
            (Layout::Nchw, &[_, channels, height, width]) | (Layout::Nhwc, &[_, height, width, channels]) => {
                (height, width, channels)
            }
            _ => (0, 0, 0),
        }
    }
}

/// What an input is fed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// The pixels of a frame.
    Image,
}

/// The order of a tensor's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Batch, channel, height, width (planar).
    Nchw,
    /// Batch, height, width, channel (interleaved).
    Nhwc,
}

/// The element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Element {
    /// IEEE 754 binary32.
    Float32,
    /// Unsigned 8-bit integer.
    Uint8,
    /// Signed 64-bit integer.
    Int64,
}

impl std::fmt::Display for Element {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Float32 => "float32",
            Self::Uint8 => "uint8",
            Self::Int64 => "int64",
        })
    }
}

/// Colour channels in the order the model expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Colour {
    /// One channel of luminance (ITU-R BT.601 weights for colour frames).
    Grey,
    /// Red, green, blue; a grey frame is repeated three times.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl Colour {
    /// The number of channels.
    #[must_use]
    pub const fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb | Self::Bgr => 3,
        }
    }
}

/// How a frame is brought to the size of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Both sides are scaled on their own; the aspect ratio is not kept.
    Stretch,
    /// Scaled to fit inside, the rest filled evenly on both sides with `fill`.
    Letterbox,
    /// The largest centred region of the input's aspect ratio is cut out, then scaled.
    Crop,
}

/// The resampling filter of a resize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// The triangle filter whose support grows with the reduction (antialiased; as Pillow's `BILINEAR`).
    Bilinear,
    /// The nearest pixel.
    Nearest,
    /// The mean over the covered area (as Pillow's `BOX`).
    Area,
}

/// One output that is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The graph's name of the output.
    pub name: String,
    /// The shape the graph declares.
    pub shape: Vec<usize>,
    /// The element type.
    pub element: Element,
    /// What turns the numbers into probabilities.
    pub activation: Activation,
}

/// What turns an output into probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Exponentials over their sum: the labels exclude each other.
    Softmax,
    /// The logistic function of each number: the labels do not exclude each other.
    Sigmoid,
    /// The numbers are probabilities already.
    None,
}

/// The classes of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// One name for each number of the output, in order.
    #[schemars(length(min = 1))]
    pub names: Vec<Name>,
    /// Those of the names that mean a defect; empty for a gate.
    pub defects: Vec<Name>,
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
        assert_eq!(model.passport.inputs[0].height_width_channels(), (64, 96, 3));
        assert_eq!(model.file(), path.join("model.onnx"));
    }
}
