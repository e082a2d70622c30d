//! What kind of answer a model gives: a closed set, each task with the keys that say how its outputs are read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::anomaly::Anomaly;
use super::detection::Detection;
use super::regression::Regression;
use super::segmentation::Segmentation;
use super::text::{TextDetection, TextRecognition};

/// What kind of answer a model gives. Written `task = "classification"`, or as a table `[task.detection]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One probability for each label, from the first output.
    Classification,
    /// One vector, from the first output.
    Embedding,
    /// Boxes with labels; with masks this is instance segmentation.
    Detection(Detection),
    /// A label for each pixel.
    Segmentation(Segmentation),
    /// How unusual the picture is, and where.
    Anomaly(Anomaly),
    /// Named numbers.
    Regression(Regression),
    /// Where text stands.
    TextDetection(TextDetection),
    /// What a line of text says.
    TextRecognition(TextRecognition),
}

impl Task {
    /// The task's name in passports and messages.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Embedding => "embedding",
            Self::Detection(_) => "detection",
            Self::Segmentation(_) => "segmentation",
            Self::Anomaly(_) => "anomaly",
            Self::Regression(_) => "regression",
            Self::TextDetection(_) => "text-detection",
            Self::TextRecognition(_) => "text-recognition",
        }
    }

    /// Whether the model has labels.
    #[must_use]
    pub const fn has_labels(&self) -> bool {
        matches!(self, Self::Classification | Self::Detection(_) | Self::Segmentation(_))
    }

    /// Whether an answer holds a probability of a defect, so that the model can be a member of a panel.
    #[must_use]
    pub fn judges(&self) -> bool {
        match self {
            Self::Classification | Self::Detection(_) | Self::Segmentation(_) | Self::Anomaly(_) => true,
            Self::Regression(regression) => regression.has_limits(),
            Self::Embedding | Self::TextDetection(_) | Self::TextRecognition(_) => false,
        }
    }
}
