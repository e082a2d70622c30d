//! Hints: what an exporter wrote beside the graph, understood. Ultralytics, YOLOv5, Anomalib, PaddleDetection, RapidOCR and
//! skl2onnx are known; of others only the names of inputs and outputs speak.

use std::collections::BTreeMap;

use serde_json::Value;

use super::python::literal;
use crate::models::graph::Graph;

/// Who wrote the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Exporter {
    /// The package `ultralytics`: YOLOv8 and later, RT-DETR.
    Ultralytics,
    /// The repository `yolov5` and its kin.
    Yolov5,
    /// The package `anomalib`.
    Anomalib,
    /// The packages `skl2onnx` and `sklearn-onnx`.
    ScikitLearn,
    /// Paddle, with the labels or characters that RapidAI's tools write into the file.
    Paddle,
    /// Anybody else.
    #[default]
    Other,
}

/// What an exporter wrote, understood.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Hints {
    pub(super) exporter: Exporter,
    /// Ultralytics' word for the task.
    pub(super) task: Option<String>,
    /// Whether it is Ultralytics' RT-DETR, which is neither fed nor read as their YOLO is.
    pub(super) rt_detr: bool,
    /// The labels, in order, as they were written.
    pub(super) labels: Vec<String>,
    /// Height and width of the input.
    pub(super) size: Option<(usize, usize)>,
    /// Whether overlapping boxes are suppressed in the graph.
    pub(super) suppressed: bool,
    /// The licence, as an SPDX expression.
    pub(super) licence: Option<String>,
    /// One sentence on what the model is.
    pub(super) description: Option<String>,
    /// When it was exported.
    pub(super) date: Option<String>,
}

impl Hints {
    /// Reads what the exporter wrote.
    pub(super) fn of(graph: &Graph) -> Self {
        let metadata = &graph.metadata;
        let output = |name: &str| graph.outputs.iter().any(|port| port.name == name);
        if metadata.contains_key("names") {
            return ultralytics(metadata);
        }
        if output("pred_score") || output("anomaly_map") {
            return Self { exporter: Exporter::Anomalib, ..Self::default() };
        }
        if graph.producer.starts_with("skl2onnx") {
            return Self { exporter: Exporter::ScikitLearn, labels: graph.labels.clone(), ..Self::default() };
        }
        if let Some(characters) = metadata.get("character") {
            // One character may be blank: only the line end behind the last one is none.
            let text = characters.strip_suffix('\n').unwrap_or(characters);
            let labels = text.split('\n').map(|line| line.trim_end_matches('\r').to_owned()).collect();
            return Self { exporter: Exporter::Paddle, labels, ..Self::default() };
        }
        Self { labels: graph.labels.clone(), ..Self::default() }
    }
}

/// What Ultralytics writes: `str()` of each value. YOLOv5 writes only `stride` and `names`.
fn ultralytics(metadata: &BTreeMap<String, String>) -> Hints {
    let read = |key: &str| metadata.get(key).and_then(|text| literal(text));
    let args = read("args").unwrap_or_default();
    let flag = |value: Option<&Value>| value.and_then(Value::as_bool) == Some(true);
    let described = metadata.get("description").map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let exporter = if metadata.contains_key("task") { Exporter::Ultralytics } else { Exporter::Yolov5 };
    Hints {
        exporter,
        task: metadata.get("task").cloned(),
        // "Ultralytics rtdetr-l model": the name of the file that describes the network.
        rt_detr: described.as_ref().is_some_and(|text| text.to_lowercase().contains("rtdetr")),
        labels: read("names").map(|names| in_order(&names)).unwrap_or_default(),
        size: read("imgsz").as_ref().and_then(size),
        suppressed: flag(args.get("nms")) || flag(read("end2end").as_ref()),
        licence: metadata.get("license").map(|text| licence(text)),
        description: described.filter(|text| !text.is_empty()),
        date: metadata.get("date").cloned(),
    }
}

/// The labels of a dict by number, or of a list.
fn in_order(names: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match names {
        Value::Array(names) => names.iter().map(text).collect(),
        Value::Object(names) => {
            let numbered = names.iter().map(|(key, name)| (key.parse().unwrap_or(u64::MAX), text(name)));
            numbered.collect::<BTreeMap<_, _>>().into_values().collect()
        }
        _ => Vec::new(),
    }
}

/// Height and width, from `[height, width]` or one number for both.
fn size(value: &Value) -> Option<(usize, usize)> {
    let side = |value: &Value| usize::try_from(value.as_u64()?).ok();
    match value {
        Value::Array(sides) => match sides.as_slice() {
            [height, width] => Some((side(height)?, side(width)?)),
            [both] => Some((side(both)?, side(both)?)),
            _ => None,
        },
        both => Some((side(both)?, side(both)?)),
    }
}

/// `AGPL-3.0 License (https://...)` is `AGPL-3.0-only`; of anything else the first word stands.
fn licence(text: &str) -> String {
    match text.split_whitespace().next().unwrap_or_default() {
        "AGPL-3.0" => "AGPL-3.0-only".into(),
        "GPL-3.0" => "GPL-3.0-only".into(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ultralytics_writes_is_understood() {
        let metadata = [
            ("description", "Ultralytics YOLO11n model "),
            ("author", "Ultralytics"),
            ("license", "AGPL-3.0 License (https://ultralytics.com/license)"),
            ("task", "detect"),
            ("imgsz", "[480, 640]"),
            ("names", "{0: 'scratch', 10: 'burr', 2: \"worker's mark\"}"),
            ("args", "{'batch': 1, 'nms': True}"),
        ];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let hints = Hints::of(&Graph { metadata, ..Graph::default() });
        assert_eq!(hints.exporter, Exporter::Ultralytics);
        assert_eq!(hints.labels, ["scratch", "worker's mark", "burr"], "in the order of their numbers");
        assert_eq!((hints.size, hints.suppressed), (Some((480, 640)), true));
        assert_eq!(hints.licence.as_deref(), Some("AGPL-3.0-only"));
        assert_eq!(hints.description.as_deref(), Some("Ultralytics YOLO11n model"));
    }

    #[test]
    fn characters_may_be_blank() {
        let metadata = BTreeMap::from([("character".to_owned(), "a\n\u{3000}\nb\n".to_owned())]);
        let hints = Hints::of(&Graph { metadata, ..Graph::default() });
        assert_eq!((hints.exporter, hints.labels.len()), (Exporter::Paddle, 3));
    }
}
