//! Proposals by hand: what metadata, shapes and names say, and what has to be asked.

use proptest::prelude::*;

use super::*;
use crate::models::graph::{Axis, Port};
use crate::models::passport::detection::{BoxFormat, BoxUnit, BoxesScores, Head};
use crate::models::passport::tests::written;
use crate::models::passport::{Fit, Model, Task};
use crate::tensor::Element;

fn port(name: &str, axes: &[usize]) -> Port {
    let axis = |&length: &usize| if length == 0 { Axis::Open("open".into()) } else { Axis::Fixed(length) };
    Port {
        name: name.into(),
        axes: Some(axes.iter().map(axis).collect()),
        element: Some(Element::Float32),
        made_by: None,
    }
}

fn files() -> Files {
    let model = ("model.onnx".to_owned(), "0".repeat(64));
    let name = Name::new("example").unwrap();
    Files { name, source: "m.onnx".into(), model, external: Vec::new(), tokenizer: None }
}

fn texts_of(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn given() -> Given {
    Given {
        labels: Some(texts_of(&["good", "burr"])),
        defects: Some(texts_of(&["burr"])),
        licence: Some("MIT".into()),
        normalise: Some("unit".into()),
        size: Some((64, 64)),
        ..Given::default()
    }
}

/// The text of a proposal for a graph of one picture and these outputs.
fn proposed(outputs: Vec<Port>) -> Result<String, Refusal> {
    let graph = Graph { inputs: vec![port("images", &[1, 3, 64, 64])], outputs, ..Graph::default() };
    propose(&graph, &files(), &given()).map(|proposal| proposal.passport)
}

#[test]
fn the_head_of_a_detector_is_told_by_the_shape_of_its_outputs() {
    let head = |outputs: &[(&str, &[usize])]| {
        let ports = outputs.iter().map(|(name, axes)| port(name, axes)).collect();
        let text = proposed(ports).unwrap();
        let line = text.lines().find(|line| line.starts_with("head = ")).unwrap().to_owned();
        line.split("  #").next().unwrap().trim().to_owned()
    };
    assert_eq!(head(&[("output0", &[1, 6, 8400])]), "head = \"yolov8\"");
    assert_eq!(head(&[("output0", &[1, 6, 0])]), "head = \"yolov8\"");
    assert_eq!(head(&[("output0", &[1, 25200, 7])]), "head = \"yolov5\"");
    assert_eq!(head(&[("output0", &[1, 300, 6])]), "head = \"end-to-end\"");
    let detr = head(&[("logits", &[1, 100, 3]), ("pred_boxes", &[1, 100, 4])]);
    assert!(detr.contains("background = \"last\"") && detr.contains("centre-size"), "{detr}");
    let grids = [64, 16, 4, 1].map(|cells| [1, cells, 2]);
    let boxes = [64, 16, 4, 1].map(|cells| [1, cells, 32]);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let outputs: Vec<(&str, &[usize])> =
        names.into_iter().zip(grids.iter().chain(&boxes).map(<[usize; 3]>::as_slice)).collect();
    let levels = head(&outputs);
    for stride in ["stride = 8,", "stride = 16,", "stride = 32,", "stride = 64,"] {
        assert!(levels.contains(stride), "{levels}");
    }
}

#[test]
fn the_rt_detr_of_ultralytics_is_stretched_and_read_as_boxes_and_scores() {
    let metadata = [
        ("description", "Ultralytics rtdetr-l model trained on parts.yaml"),
        ("task", "detect"),
        ("names", "{0: 'good', 1: 'burr'}"),
        ("imgsz", "[64, 64]"),
        ("license", "AGPL-3.0 License (https://ultralytics.com/license)"),
    ];
    let graph = Graph {
        inputs: vec![port("images", &[1, 3, 64, 64])],
        outputs: vec![port("output0", &[1, 300, 6])],
        metadata: metadata.map(|(key, text)| (key.to_owned(), text.to_owned())).into(),
        ..Graph::default()
    };
    let given = Given { defects: Some(texts_of(&["burr"])), ..Given::default() };
    let text = propose(&graph, &files(), &given).unwrap().passport;
    let (_folder, path) = written(&text);
    let passport = Model::load(&path).unwrap().passport;
    let Task::Detection(detection) = passport.task else { panic!("{text}") };
    let wanted = BoxesScores {
        boxes: "output0".into(),
        scores: "output0".into(),
        format: BoxFormat::CentreSize,
        unit: BoxUnit::Normalised,
        background: None,
    };
    assert_eq!((detection.head, detection.overlap_up_to), (Head::BoxesScores(wanted), None));
    assert_eq!(passport.inputs[0].image().unwrap().fit, Fit::Stretch, "{text}");
}

#[test]
fn a_shape_that_says_too_little_is_asked_about() {
    let Err(Refusal::Asked(questions)) = proposed(vec![port("y", &[1, 512])]) else { panic!("512 numbers of what?") };
    assert_eq!(questions.iter().map(|question| question.flag).collect::<Vec<_>>(), ["task"]);
    assert!(proposed(vec![port("y", &[1, 2])]).unwrap().contains("task = \"classification\""));
}

#[test]
fn the_passport_says_what_it_was_worked_out_from() {
    let (_folder, path) = written(&proposed(vec![port("output0", &[1, 6, 8400])]).unwrap());
    let passport = Model::load(&path).unwrap().passport;
    assert!(matches!(passport.task, Task::Detection(_)));
    let graph =
        Graph { inputs: vec![port("images", &[1, 3, 64, 64])], outputs: vec![port("y", &[1, 2])], ..Graph::default() };
    let proposal = propose(&graph, &files(), &given()).unwrap();
    assert!(proposal.passport.contains("activation = \"softmax\"  # the graph ends in an input: logits"));
    assert!(proposal.reasons.iter().any(|reason| reason.key == "outputs.activation"));
}

#[test]
fn labels_that_are_not_as_many_as_the_graph_answers_with_are_refused() {
    let graph = Graph {
        inputs: vec![port("images", &[1, 3, 64, 64])],
        outputs: vec![port("logits", &[1, 5])],
        ..Graph::default()
    };
    let refusal = propose(&graph, &files(), &given()).unwrap_err();
    assert_eq!(refusal, Refusal::Impossible("there are 2 labels, and the graph answers with 5".into()));
}

#[test]
fn raw_scores_of_anomalib_1_are_brought_to_0_to_1() {
    let metadata = serde_json::json!({
        "image_threshold": 0.3, "pixel_threshold": 0.25, "anomaly_maps.min": 0.0, "anomaly_maps.max": 0.9,
        "pred_scores.min": 0.1, "pred_scores.max": 0.8,
    });
    let graph = Graph {
        inputs: vec![port("input", &[1, 3, 64, 64])],
        outputs: vec![port("output", &[1, 1, 64, 64])],
        ..Graph::default()
    };
    let given = Given { task: Some("anomaly".into()), anomalib: Some(metadata), ..given() };
    let text = propose(&graph, &files(), &given).unwrap().passport;
    assert!(text.contains("map_normalisation = { threshold = 0.25, minimum = 0.0, maximum = 0.9 }"), "{text}");
}

proptest! {
    #[test]
    fn any_graph_is_proposed_asked_about_or_refused(
        inputs in prop::collection::vec(prop::collection::vec(0_usize..2000, 0..5), 0..4),
        outputs in prop::collection::vec(prop::collection::vec(0_usize..10_000, 0..5), 0..9),
        names in ".{0,40}",
    ) {
        let ports = |shapes: &[Vec<usize>]| {
            shapes.iter().enumerate().map(|(place, axes)| port(&format!("port{place}"), axes)).collect()
        };
        let metadata = [("names".to_owned(), names)].into();
        let graph = Graph { inputs: ports(&inputs), outputs: ports(&outputs), metadata, ..Graph::default() };
        if let Ok(proposal) = propose(&graph, &files(), &given()) {
            prop_assert!(proposal.passport.parse::<toml_edit::DocumentMut>().is_ok(), "{}", proposal.passport);
        }
    }
}
