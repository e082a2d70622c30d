//! What a model's tensors mean: one file a task. Pure functions, no I/O, no clock.

pub mod anomaly;
pub mod classification;
pub mod detection;
pub mod embedding;
pub mod geometry;
mod map;
mod output;
pub mod regression;
pub mod segmentation;
mod shown;
pub mod text;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::models::passport::{Passport, Task};
use crate::name::Name;
use crate::tensor::Tensor;
use geometry::Geometry;
pub use map::Map;

/// The probability a model gives to one of its labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassScore {
    /// The label.
    pub label: Name,
    /// Its probability, 0 to 1.
    pub probability: f64,
}

/// One thing that a detector found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Detected {
    /// What it is.
    pub label: Name,
    /// How sure the model is, 0 to 1.
    pub confidence: f64,
    /// Left, top, right and bottom of the upright box around it, in pixels of the frame.
    pub corners: [f64; 4],
    /// The four corners of an oriented box, clockwise, in pixels of the frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oriented: Option<[[f64; 2]; 4]>,
    /// The share of its upright box that the thing covers, 0 to 1, where the model gives masks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered: Option<f64>,
    /// The mask itself; it does not travel in messages.
    #[serde(skip)]
    pub mask: Option<Arc<Map>>,
}

/// How much of a frame one label covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Area {
    /// The label.
    pub label: Name,
    /// Its share of the frame's pixels, 0 to 1.
    pub share: f64,
    /// The greatest probability of the label, 0 to 1, that an area of the passport's `area_from` reaches; where that is 0,
    /// the greatest at any pixel.
    pub peak: f64,
}

/// A named number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quantity {
    /// What it is.
    pub name: Name,
    /// The number, finite.
    pub value: f64,
    /// Whether it lies within the limits of the passport; `None` when there are no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<bool>,
}

/// One line of text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TextLine {
    /// What it says; empty where the model only finds lines.
    pub text: String,
    /// How sure the model is, 0 to 1.
    pub confidence: f64,
    /// Its four corners, clockwise from the start of the text, in pixels of the frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corners: Option<[[f64; 2]; 4]>,
}

/// What a model found: a closed set, one variant a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Findings {
    /// A probability for each label, in the passport's order.
    Classification {
        /// The scores.
        classes: Vec<ClassScore>,
    },
    /// One vector that places the picture among others.
    Embedding {
        /// Its numbers.
        vector: Vec<f32>,
    },
    /// Boxes, the surest first.
    Detection {
        /// The boxes.
        detections: Vec<Detected>,
    },
    /// The area of each label, in the passport's order.
    Segmentation {
        /// The greatest probability of a defect, 0 to 1, that an area of the passport's `area_from` reaches.
        score: f64,
        /// The areas.
        areas: Vec<Area>,
        /// For each label in the passport's order its probability at each pixel; it does not travel in messages.
        #[serde(skip)]
        maps: Vec<Arc<Map>>,
    },
    /// How unusual the picture is.
    Anomaly {
        /// The probability that it is, 0 to 1.
        score: f64,
        /// The most unusual point: x and y in pixels of the frame.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peak: Option<[f64; 2]>,
        /// How unusual each point is, 0 to 1; it does not travel in messages.
        #[serde(skip)]
        map: Option<Arc<Map>>,
    },
    /// Named numbers, in the passport's order.
    Regression {
        /// The numbers.
        values: Vec<Quantity>,
    },
    /// Lines of text, in reading order.
    Text {
        /// The lines.
        lines: Vec<TextLine>,
    },
}

/// What a model says of one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The answer.
    pub findings: Findings,
    /// The embedding behind it, where the passport names one.
    pub embedding: Option<Vec<f32>>,
}

/// As [`decode`], with the embedding behind the answer.
///
/// # Errors
/// As [`decode`]; also where the embedding cannot be read.
pub fn read(passport: &Passport, outputs: &[Tensor], geometry: &Geometry) -> Result<Read, String> {
    let findings = decode(passport, outputs, geometry)?;
    Ok(Read { findings, embedding: embedding::beside(passport, outputs)? })
}

/// Turns a model's outputs, in the order of its passport, into findings. `geometry` leads from the pixels of the image
/// input back to those of the frame; a model without an image input is given none of either.
///
/// # Errors
/// One sentence naming the output and what is wrong with it: another count or type of numbers than the task reads, a
/// number that is not finite or out of range.
pub fn decode(passport: &Passport, outputs: &[Tensor], geometry: &Geometry) -> Result<Findings, String> {
    match &passport.task {
        Task::Classification => classification::decode(passport, outputs),
        Task::Detection(task) => detection::decode(passport, task, outputs, geometry),
        Task::Embedding => embedding::decode(passport, outputs),
        Task::Segmentation(task) => segmentation::decode(task, passport, outputs, geometry),
        Task::Anomaly(task) => anomaly::decode(task, passport, outputs, geometry),
        Task::Regression(task) => regression::decode(task, passport, outputs),
        Task::TextDetection(task) => text::detect(passport, task, outputs, geometry),
        Task::TextRecognition(task) => text::recognise(passport, task, outputs),
    }
}

/// The probability, 0 to 1, that findings give to any defect; `None` for findings that say nothing of defects.
#[must_use]
pub fn defect_score(findings: &Findings, passport: &Passport) -> Option<f64> {
    match (findings, &passport.task) {
        (Findings::Classification { classes }, _) => Some(classification::defect_score(classes, passport)),
        (Findings::Detection { detections }, _) => Some(detection::defect_score(detections, passport)),
        (Findings::Segmentation { score, .. } | Findings::Anomaly { score, .. }, _) => Some(*score),
        (Findings::Regression { values }, Task::Regression(task)) => regression::defect_score(values, task),
        _ => None,
    }
}

/// The labels that findings speak of, each with its probability, 0 to 1: what fusion by classes joins.
#[must_use]
pub fn classes(findings: &Findings) -> Vec<(&Name, f64)> {
    match findings {
        Findings::Classification { classes } => classes.iter().map(|class| (&class.label, class.probability)).collect(),
        Findings::Detection { detections } => detection::classes(detections),
        Findings::Segmentation { areas, .. } => areas.iter().map(|area| (&area.label, area.peak)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A passport of a task: `task` is a key of the top or a table, `outputs` an inline table, `labels` keys of one.
    pub(crate) fn passport(task: &str, outputs: &str, labels: &str) -> Passport {
        let (key, table) = if task.starts_with('[') { ("", task) } else { (task, "") };
        let labels = if labels.is_empty() { String::new() } else { format!("labels = {{ {labels} }}") };
        let text = format!(
            "schema = \"kenpin.passport/1\"\nname = \"m\"\n{key}\ndescription = \"d\"\ntier = \"teacher\"\n\
             licence = \"MIT\"\norigin = \"o\"\ninputs = []\noutputs = [{outputs}]\n{labels}\n\
             [file]\npath = \"m.onnx\"\nsha256 = \"\"\nir_version = 8\nopset = 13\n{table}"
        );
        toml_edit::de::from_str(&text).unwrap()
    }
}
