//! The form of a detector's outputs, from their shapes: what each family of detectors writes is told beside its form in
//! [`crate::models::passport::detection`].

use toml_edit::{InlineTable, Value};

use super::hints::Exporter;
use super::reading::{Output, Reading, plain};
use super::sheet::{Line, line};
use super::{Draft, Refusal};
use crate::models::graph::Port;
use crate::tensor::Element;

/// What was seen in the outputs: the head, its outputs, the number of labels.
struct Seen<'g> {
    head: Value,
    why: String,
    outputs: Vec<Output<'g>>,
    labels: usize,
    /// Whether overlapping boxes are dropped after the graph.
    suppress: bool,
    /// The output with prototypes of masks.
    prototypes: Option<&'g Port>,
}

/// Whether the outputs can only be those of a detector.
pub(super) fn looks_like_one(draft: &Draft<'_>) -> bool {
    seen(draft).is_some()
}

/// How the outputs of a detector are read.
pub(super) fn reading<'d>(draft: &Draft<'d>) -> Result<Reading<'d>, Refusal> {
    let listed = || draft.graph.outputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let found = seen(draft).ok_or_else(|| {
        let labels = known_labels(draft).map_or("unknown".to_owned(), |count| count.to_string());
        Refusal::Impossible(format!(
            "the outputs {} are in no form of a detector that Kenpin reads (labels: {labels})",
            listed()
        ))
    })?;
    let mut keys = vec![line("head", found.head, &found.why), confidence(draft)];
    if found.suppress {
        let (most, why) = match draft.hints.exporter {
            Exporter::Ultralytics => (0.7, "what Ultralytics suppresses from, unless told otherwise"),
            _ => (0.45, "usual for this head"),
        };
        keys.push(line("overlap_up_to", most, why));
        if draft.hints.task.as_deref() == Some("obb") {
            keys.push(line("oriented_overlap", "probiou", "how Ultralytics measures the overlap of oriented boxes"));
        }
    }
    let mut reading = Reading::new("detection", "", found.outputs);
    if let Some(port) = found.prototypes {
        let mut masks = InlineTable::new();
        masks.insert("prototypes", port.name.as_str().into());
        keys.push(line("masks", masks, "the output that holds prototypes"));
        reading.outputs.push(plain(port));
    }
    reading.keys = Some(keys);
    reading.labels = Some(found.labels);
    Ok(reading)
}

fn confidence(draft: &Draft<'_>) -> Line {
    match draft.given.confidence {
        Some(from) => line("confidence_from", from, ""),
        None => line("confidence_from", 0.25, "usual; lower it where a missed flaw costs more than a second look"),
    }
}

/// How many labels somebody stated, in the file or otherwise.
fn known_labels(draft: &Draft<'_>) -> Option<usize> {
    let written = draft.given.labels.as_ref().unwrap_or(&draft.hints.labels);
    Some(written.len()).filter(|&count| count > 0)
}

fn seen<'d>(draft: &Draft<'d>) -> Option<Seen<'d>> {
    let outputs: Vec<&Port> = draft.graph.outputs.iter().filter(|port| port.element.is_some()).collect();
    let rank = |port: &Port, rank: usize| port.lengths().len() == rank;
    match outputs.as_slice() {
        [rows] if rank(rows, 3) => one(draft, rows, None),
        [rows, prototypes] if rank(rows, 3) && rank(prototypes, 4) => one(draft, rows, Some(prototypes)),
        [one, other] if rank(one, 3) && rank(other, 3) => boxes_scores(draft, one, other),
        [_, _, _] => boxes_labels_scores(draft, &outputs),
        many if many.len() >= 4 && many.len().is_multiple_of(2) && many.iter().all(|port| rank(port, 3)) => {
            distribution(draft, many)
        }
        _ => None,
    }
}

/// One output of rows or columns: YOLO of any year.
fn one<'d>(draft: &Draft<'d>, rows: &'d Port, prototypes: Option<&'d Port>) -> Option<Seen<'d>> {
    let &[_, second, third] = rows.lengths().as_slice() else { return None };
    let known = known_labels(draft);
    let masks = prototypes.and_then(|port| *port.lengths().get(1)?).unwrap_or_default();
    let oriented = draft.hints.task.as_deref() == Some("obb");
    if draft.hints.rt_detr {
        return rt_detr(rows, third?.checked_sub(4)?, known);
    }
    let found = |head: &str, why: String, labels: usize, suppress: bool| {
        Some(Seen { head: head.into(), why, outputs: vec![plain(rows)], labels, suppress, prototypes })
    };
    if let Some(columns) = third.filter(|_| draft.hints.suppressed) {
        let why = "the metadata says that the graph suppresses overlapping boxes".to_owned();
        let fits = columns == 6 + masks && !oriented;
        return known.filter(|_| fits).and_then(|labels| found("end-to-end", why, labels, false));
    }
    let behind = masks + usize::from(oriented);
    let head = if oriented { "yolov8-obb" } else { "yolov8" };
    let fewer = |few: usize, many: Option<usize>| many.is_none_or(|many| few < many);
    let columns_of = |count: Option<usize>, other: Option<usize>, before: usize| {
        let count = count?.checked_sub(before + behind)?;
        (count > 0 && known.map_or(fewer(count + before, other), |known| known == count)).then_some(count)
    };
    if let Some(labels) = columns_of(second, third, 4) {
        let more = if oriented { " + 1" } else { "" };
        return found(head, format!("output [1, 4 + {labels}{more}, boxes]"), labels, true);
    }
    match (second, third) {
        // Boxes that are few are what is left after suppression or matching.
        (Some(boxes), Some(6)) if boxes <= 1000 && known.is_some_and(|known| known != 1) => {
            let why = "output [1, boxes, 6], and few boxes".to_owned();
            known.and_then(|labels| found("end-to-end", why, labels, false))
        }
        _ => {
            let labels = columns_of(third, second, 5)?;
            found("yolov5", format!("output [1, boxes, 5 + {labels}]"), labels, true)
        }
    }
}

/// One output of rows, centres and sizes as shares of the input, then a probability a class: RT-DETR of Ultralytics. Boxes are
/// matched in training, so none is suppressed.
fn rt_detr(rows: &Port, classes: usize, known: Option<usize>) -> Option<Seen<'_>> {
    if classes == 0 || known.is_some_and(|known| known != classes) {
        return None;
    }
    let head = boxes_scores_head(&rows.name, &rows.name, ("centre-size", "normalised"));
    let activation = Some(("none", "Ultralytics puts the sigmoid into the graph".to_owned()));
    Some(Seen {
        head: keyed("boxes-scores", head),
        why: "the metadata says RT-DETR, whose rows are a box and its scores".into(),
        outputs: vec![Output { activation, ..plain(rows) }],
        labels: classes,
        suppress: false,
        prototypes: None,
    })
}

fn boxes_scores_head(boxes: &str, scores: &str, (format, unit): (&str, &str)) -> InlineTable {
    let mut table = InlineTable::new();
    for (key, value) in [("boxes", boxes), ("scores", scores), ("format", format), ("unit", unit)] {
        table.insert(key, value.into());
    }
    table
}

fn keyed(head: &str, table: InlineTable) -> Value {
    let mut keyed = InlineTable::new();
    keyed.insert(head, table.into());
    keyed.into()
}

/// Boxes and scores: SSD, YOLO-NAS, DETR, RT-DETR.
fn boxes_scores<'d>(draft: &Draft<'d>, one: &'d Port, other: &'d Port) -> Option<Seen<'d>> {
    let columns = |port: &Port| *port.lengths().last()?;
    let (boxes, scores) = match (columns(one), columns(other)) {
        (Some(4), Some(more)) if more != 4 || one.name.contains("box") => (one, other),
        (Some(more), Some(4)) if more != 4 || other.name.contains("box") => (other, one),
        _ => return None,
    };
    let classes = columns(scores)?;
    // Transformers' names of DETR and its kin: centres as shares of the input.
    let transformer = boxes.name == "pred_boxes";
    let background = transformer && known_labels(draft) == classes.checked_sub(1) && classes > 1;
    let measured = if transformer { ("centre-size", "normalised") } else { ("corners", "input-pixels") };
    let mut table = boxes_scores_head(&boxes.name, &scores.name, measured);
    if background {
        table.insert("background", "last".into());
    }
    let activation = match (background, scores.made_by.as_deref()) {
        (_, Some("Sigmoid" | "Softmax")) => ("none", "the graph ends in probabilities".to_owned()),
        (true, _) => ("softmax", "one class more than labels: DETR's".to_owned()),
        _ if transformer => ("sigmoid", "logits, as many as labels: RT-DETR's".to_owned()),
        _ => ("none", "scores of 0 to 1 are assumed".to_owned()),
    };
    let why = if transformer { "outputs named as DETR's" } else { "corners in input pixels are assumed" };
    Some(Seen {
        head: keyed("boxes-scores", table),
        why: why.into(),
        outputs: vec![plain(boxes), Output { activation: Some(activation), ..plain(scores) }],
        labels: classes - usize::from(background),
        suppress: !transformer,
        prototypes: None,
    })
}

/// Boxes, labels and scores: torchvision.
fn boxes_labels_scores<'d>(draft: &Draft<'d>, outputs: &[&'d Port]) -> Option<Seen<'d>> {
    let named = |name: &str| outputs.iter().copied().find(|port| port.name == name);
    let boxes = outputs.iter().copied().find(|port| port.lengths().last() == Some(&Some(4)));
    let whole = |port: &&Port| matches!(port.element, Some(Element::Int64 | Element::Int32));
    let labels = named("labels").or_else(|| outputs.iter().copied().find(whole))?;
    let boxes = named("boxes").or(boxes)?;
    let scores = outputs.iter().copied().find(|port| port.name != labels.name && port.name != boxes.name)?;
    let mut table = InlineTable::new();
    for (key, port) in [("boxes", boxes), ("labels", labels), ("scores", scores)] {
        table.insert(key, port.name.as_str().into());
    }
    table.insert("unit", "input-pixels".into());
    table.insert("first_label", 1.into());
    Some(Seen {
        head: keyed("boxes-labels-scores", table),
        why: "outputs as torchvision's, which counts labels from 1 and suppresses in the graph".into(),
        outputs: [boxes, labels, scores].map(|port| Output { listed: true, ..plain(port) }).into(),
        labels: known_labels(draft).unwrap_or(1),
        suppress: false,
        prototypes: None,
    })
}

/// Pairs of scores and distributions over several grids: `PicoDet`, `NanoDet`.
fn distribution<'d>(draft: &Draft<'d>, outputs: &[&'d Port]) -> Option<Seen<'d>> {
    let (height, width) = draft.image_size()?;
    let (mut levels, mut read, mut labels) = (toml_edit::Array::new(), Vec::new(), None);
    let (scores, boxes) = outputs.split_at(outputs.len() / 2);
    for (scores, boxes) in scores.iter().copied().zip(boxes.iter().copied()) {
        let &[_, Some(cells), Some(classes)] = scores.lengths().as_slice() else { return None };
        let &[_, Some(same), Some(bins)] = boxes.lengths().as_slice() else { return None };
        let covers = |stride: &&usize| height.div_ceil(**stride) * width.div_ceil(**stride) == cells;
        let stride = [4_usize, 8, 16, 32, 64, 128].iter().find(covers).copied()?;
        if same != cells || !bins.is_multiple_of(4) || labels.is_some_and(|known| known != classes) {
            return None;
        }
        labels = Some(classes);
        let mut level = InlineTable::new();
        level.insert("stride", i64::try_from(stride).unwrap_or_default().into());
        level.insert("scores", scores.name.as_str().into());
        level.insert("boxes", boxes.name.as_str().into());
        levels.push(level);
        let activation = Some(("none", "this head's exporters write probabilities".to_owned()));
        read.extend([Output { activation, ..plain(scores) }, plain(boxes)]);
    }
    let mut table = InlineTable::new();
    table.insert("levels", levels.into());
    Some(Seen {
        head: keyed("distribution", table),
        why: "pairs of scores and distributions, a grid each".into(),
        outputs: read,
        labels: labels?,
        suppress: true,
        prototypes: None,
    })
}
