//! Tests of the reading of segmentations: known areas, and properties of any.

#![expect(clippy::float_cmp, reason = "the numbers are chosen to be exact in binary")]

use proptest::prelude::*;

use super::*;
use crate::task::geometry::Rectangle;
use crate::task::{self, tests::passport};
use crate::tensor::{Tensor, TensorData};

const LABELS: &str = "names = [\"good\", \"crack\", \"stain\"], defects = [\"crack\", \"stain\"]";
const TWO: &str = "names = [\"good\", \"bad\"], defects = [\"bad\"]";

fn of(area_from: f64, output: &str, labels: &str) -> Passport {
    let output = format!("{{ name = \"y\", {output} }}");
    passport(&format!("[task.segmentation]\narea_from = {area_from:?}"), &output, labels)
}

fn planes(activation: &str) -> String {
    format!("shape = [1, 0, 0, 0], element = \"float32\", activation = \"{activation}\"")
}

struct Read {
    score: f64,
    areas: Vec<(f64, f64)>,
    maps: Vec<Arc<Map>>,
}

fn read(passport: &Passport, shape: &[usize], data: TensorData, geometry: &Geometry) -> Result<Read, String> {
    let tensor = Tensor::new(shape.to_vec(), data).unwrap();
    let findings = task::decode(passport, &[tensor], geometry)?;
    let score = task::defect_score(&findings, passport).unwrap();
    let classes = task::classes(&findings).len();
    let Findings::Segmentation { areas, maps, .. } = findings else { panic!("{findings:?}") };
    assert_eq!((classes, areas.len(), maps.len()), (passport.labels.names.len(), classes, classes));
    Ok(Read { score, areas: areas.iter().map(|area| (area.share, area.peak)).collect(), maps })
}

#[test]
fn labels_that_exclude_each_other_share_the_frame_and_defects_add_up() {
    // Four pixels: good, crack, undecided between two defects, good.
    let probabilities = vec![0.9, 0.1, 0.2, 0.75, 0.05, 0.8, 0.4, 0.25, 0.05, 0.1, 0.4, 0.0];
    let square = Geometry::identity(2, 2);
    let read = |area| {
        let data = TensorData::F32(probabilities.clone());
        read(&of(area, &planes("none"), LABELS), &[1, 3, 2, 2], data, &square).unwrap()
    };
    let near = |seen: f64, wanted: f64| assert!((seen - wanted).abs() < 1e-6, "{seen} {wanted}");
    let all = read(0.0);
    for ((seen, _), wanted) in all.areas.iter().zip([0.5, 0.5, 0.0]) {
        near(*seen, wanted);
    }
    near(all.areas[1].1, 0.8);
    near(all.score, 0.9);
    near(read(0.5).score, 0.8);
    near(read(0.75).score, 0.25);
    near(read(1.0).score, 0.1);
    assert_eq!(all.maps[1].numbers, [0.05, 0.8, 0.4, 0.25]);
    assert_eq!((all.maps[1].width, all.maps[1].height, all.maps[1].covers), (2, 2, [0.0, 0.0, 2.0, 2.0]));
}

#[test]
fn labels_that_do_not_exclude_each_other_have_areas_of_their_own() {
    let data = || TensorData::F32(vec![0.6, 0.6, 0.9, 0.7, 0.2, 0.55]);
    let seen =
        read(&of(0.0, &planes("independent"), LABELS), &[1, 3, 1, 2], data(), &Geometry::identity(2, 1)).unwrap();
    let shares: Vec<f64> = seen.areas.iter().map(|area| area.0).collect();
    assert_eq!(shares, [1.0, 1.0, 0.5]);
    assert!((seen.score - 0.9).abs() < 1e-6);
}

#[test]
fn one_plane_stands_for_two_labels() {
    let data = TensorData::F32(vec![0.0, -1000.0, 1000.0, 0.0]);
    let seen = read(&of(0.0, &planes("sigmoid"), TWO), &[1, 1, 2, 2], data, &Geometry::identity(2, 2)).unwrap();
    assert_eq!(seen.areas, [(0.75, 1.0), (0.25, 1.0)]);
    assert_eq!(seen.maps[0].numbers, [0.5, 1.0, 0.0, 0.5]);
}

#[test]
fn whole_numbers_are_places_and_the_border_does_not_count() {
    let window = Rectangle { left: 0.0, top: 1.0, width: 4.0, height: 2.0 };
    let geometry = Geometry::new((8, 4), Rectangle::whole((8, 4)), (4, 4), window);
    let data = || TensorData::I64(vec![2, 2, 2, 2, 0, 0, 1, 1, 0, 0, 0, 1, 2, 2, 2, 2]);
    let output = "shape = [1, 0, 0], element = \"int64\"";
    let seen = read(&of(0.0, output, LABELS), &[1, 4, 4], data(), &geometry).unwrap();
    assert_eq!(seen.areas, [(0.625, 1.0), (0.375, 1.0), (0.0, 0.0)]);
    assert_eq!(seen.maps[1].covers, [0.0, 0.0, 8.0, 4.0]);
    for (area, wanted) in [(0.375, 1.0), (0.376, 0.0)] {
        assert_eq!(read(&of(area, output, LABELS), &[1, 4, 4], data(), &geometry).unwrap().score, wanted);
    }
}

#[test]
fn what_is_no_segmentation_is_told_with_its_place() {
    let one = Geometry::identity(2, 1);
    let told = |activation: &str, shape: &[usize], numbers: &[f32]| {
        let data = TensorData::F32(numbers.to_vec());
        read(&of(0.0, &planes(activation), TWO), shape, data, &one).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        told("softmax", &[1, 2, 1, 2], &[0.0, 0.0, 0.0, f32::NAN]),
        "output \"y\": the number of label bad at row 0, column 1 is NaN, a finite number is wanted"
    );
    assert_eq!(
        told("sigmoid", &[1, 1, 1, 2], &[f32::INFINITY, 0.0]),
        "output \"y\": the number of label bad at row 0, column 0 is inf, a finite number is wanted"
    );
    assert_eq!(
        told("none", &[1, 2, 1, 2], &[0.0, 0.0, 1.5, 0.0]),
        "output \"y\": the number of label bad at row 0, column 0 is 1.5, a probability from 0 to 1 is wanted"
    );
    assert_eq!(
        told("softmax", &[1, 1, 1, 2], &[0.0, 0.0]),
        "output \"y\": the answer has 1 planes, there are 2 labels"
    );
    assert_eq!(
        told("softmax", &[1, 3, 1, 2], &[0.0; 6]),
        "output \"y\": the answer has the shape [1, 3, 1, 2], 2 planes are wanted"
    );
    assert_eq!(told("none", &[1, 2, 0, 2], &[]), "output \"y\": the map has 0 rows of 2 numbers");
    let places = |output: &str, shape: &[usize], data, geometry: &Geometry| {
        read(&of(0.0, output, TWO), shape, data, geometry).map(|_| ()).unwrap_err()
    };
    let bytes = "shape = [1, 0, 0], element = \"uint8\"";
    assert_eq!(
        places(bytes, &[1, 1, 2], TensorData::U8(vec![0, 2]), &one),
        "output \"y\": the number at row 0, column 1 is 2, there are 2 labels"
    );
    assert_eq!(
        places(bytes, &[1, 1, 1, 2], TensorData::U8(vec![0, 2]), &one),
        "output \"y\": the answer has the shape [1, 1, 1, 2], the passport says [1, 0, 0]"
    );
    assert_eq!(
        places(bytes, &[1, 1, 2], TensorData::U8(vec![0, 1]), &Geometry::identity(0, 0)),
        "output \"y\": a map lies over a frame, but the model was shown none"
    );
    assert_eq!(
        places(bytes, &[1, 6000, 6000], TensorData::U8(vec![0; 36_000_000]), &one),
        "output \"y\": 2 maps of 6000 x 6000 numbers, at most 67108864 numbers are read"
    );
}

proptest! {
    #[test]
    fn any_logits_become_areas(
        logits in prop::collection::vec(-1e38_f32..1e38, 3 * 24),
        area in 0.0..=1.0_f64,
        softmax: bool,
    ) {
        let passport = of(area, &planes(if softmax { "softmax" } else { "sigmoid" }), LABELS);
        let seen = read(&passport, &[1, 3, 4, 6], TensorData::F32(logits), &Geometry::identity(60, 40)).unwrap();
        let total: f64 = seen.areas.iter().map(|area| area.0).sum();
        prop_assert!(!softmax || (total - 1.0).abs() < 1e-9);
        prop_assert!((0.0..=1.0).contains(&seen.score));
        let greatest = seen.areas[1].1.max(seen.areas[2].1);
        prop_assert!(seen.score >= greatest - 1e-6, "together defects reach what one reaches");
        prop_assert!(seen.maps.iter().flat_map(|map| &map.numbers).all(|number| (0.0..=1.0).contains(number)));
    }
}
