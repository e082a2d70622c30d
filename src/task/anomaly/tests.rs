//! Tests of the reading of anomaly models: known scores and peaks, and properties of any.

#![expect(clippy::float_cmp, reason = "the numbers are chosen to be exact in binary")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places within a small map")]

use proptest::prelude::*;

use super::*;
use crate::task::geometry::Rectangle;
use crate::task::{self, tests::passport};
use crate::tensor::TensorData;

const SCORE: &str = "{ name = \"pred_score\", shape = [1, 1], element = \"float32\" }";
const MAP: &str = "{ name = \"anomaly_map\", shape = [1, 1, 0, 0], element = \"float32\" }";
const BOTH: &str = "[task.anomaly]\nscore = \"pred_score\"\nmap = \"anomaly_map\"\n";
const ONLY: &str = "[task.anomaly]\nmap = \"anomaly_map\"\n";
const RANGE: &str = "{ threshold = 12.0, minimum = 4.0, maximum = 20.0 }";

fn number(score: f32) -> Tensor {
    Tensor::new(vec![1, 1], TensorData::F32(vec![score])).unwrap()
}

fn rows(rows: usize, columns: usize, numbers: &[f32]) -> Tensor {
    Tensor::new(vec![1, 1, rows, columns], TensorData::F32(numbers.to_vec())).unwrap()
}

type Seen = (f64, Option<[f64; 2]>, Option<Arc<Map>>);

fn read(task: &str, outputs: &str, tensors: &[Tensor], geometry: &Geometry) -> Result<Seen, String> {
    let passport = passport(task, outputs, "");
    let findings = task::decode(&passport, tensors, geometry)?;
    let judged = task::defect_score(&findings, &passport).unwrap();
    let Findings::Anomaly { score, peak, map } = findings else { panic!("{findings:?}") };
    assert_eq!(judged, score);
    Ok((score, peak, map))
}

#[test]
fn the_threshold_stands_outside_the_graph() {
    let task = format!("[task.anomaly]\nscore = \"pred_score\"\nscore_normalisation = {RANGE}");
    for (raw, wanted) in [(12.0, 0.5), (16.0, 0.75), (4.0, 0.0), (-100.0, 0.0), (20.0, 1.0), (3e38, 1.0)] {
        let (score, peak, map) = read(&task, SCORE, &[number(raw)], &Geometry::identity(0, 0)).unwrap();
        assert_eq!((score, peak, map), (wanted, None, None), "{raw}");
    }
}

#[test]
fn the_peak_lies_in_the_frame_and_the_border_does_not_count() {
    let window = Rectangle { left: 0.0, top: 1.0, width: 4.0, height: 2.0 };
    let geometry = Geometry::new((40, 20), Rectangle::whole((40, 20)), (4, 4), window);
    let numbers = [99.0, 9.0, 9.0, 9.0, 4.0, 8.0, 4.0, 4.0, 4.0, 4.0, 4.0, 16.0, 99.0, 9.0, 9.0, 9.0];
    let task = format!("{ONLY}map_normalisation = {RANGE}");
    let (score, peak, map) = read(&task, MAP, &[rows(4, 4, &numbers)], &geometry).unwrap();
    let map = map.unwrap();
    assert_eq!((score, peak), (0.75, Some([35.0, 15.0])));
    assert_eq!((map.width, map.height, map.covers), (4, 2, [0.0, 0.0, 40.0, 20.0]));
    assert_eq!(map.numbers, [0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.75]);
    let tighter = format!("{task}\nscore_normalisation = {{ threshold = 16.0, minimum = 4.0, maximum = 20.0 }}");
    assert_eq!(read(&tighter, MAP, &[rows(4, 4, &numbers)], &geometry).unwrap().0, 0.5);
    let median = format!("{task}\nmap_quantile = 0.5");
    assert_eq!(read(&median, MAP, &[rows(4, 4, &numbers)], &geometry).unwrap().0, 0.0);
    let high = format!("{task}\nmap_quantile = 0.9285714285714286");
    let seen = read(&high, MAP, &[rows(4, 4, &numbers)], &geometry).unwrap().0;
    assert!((seen - 0.5).abs() < 1e-9, "half way between 8 and 16: {seen}");
}

#[test]
fn a_score_beside_a_map_is_the_score() {
    let outputs = format!("{SCORE}, {MAP}");
    let tensors = [number(0.25), rows(1, 2, &[0.5, 1.0])];
    let (score, peak, _) = read(BOTH, &outputs, &tensors, &Geometry::identity(2, 1)).unwrap();
    assert_eq!((score, peak), (0.25, Some([1.5, 0.5])));
}

#[test]
fn what_is_no_anomaly_is_told() {
    let outputs = format!("{SCORE}, {MAP}");
    let told = |task: &str, score: f32, map: &[f32]| {
        let tensors = [number(score), rows(1, map.len(), map)];
        read(task, &outputs, &tensors, &Geometry::identity(2, 1)).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        told(BOTH, 7.5, &[0.0]),
        "output \"pred_score\": the score is 7.5, a number from 0 to 1 is wanted: a raw score needs `score_normalisation` in the passport"
    );
    assert_eq!(told(BOTH, f32::NAN, &[0.0]), "output \"pred_score\": the score is NaN, a finite number is wanted");
    assert_eq!(
        told(BOTH, 0.5, &[0.0, f32::NEG_INFINITY]),
        "output \"anomaly_map\": the number at row 0, column 1 is -inf, a finite number is wanted"
    );
    assert_eq!(
        told(BOTH, 0.5, &[0.0, 2.0]),
        "output \"anomaly_map\": a number of the map is 2, a number from 0 to 1 is wanted: a raw score needs `map_normalisation` in the passport"
    );
    assert_eq!(
        told(ONLY, 0.5, &[0.0, 2.0]),
        "output \"anomaly_map\": the score of the map is 2, a number from 0 to 1 is wanted: a raw score needs `map_normalisation` in the passport"
    );
    assert_eq!(told(BOTH, 0.5, &[]), "output \"anomaly_map\": the map has 1 rows of 0 numbers");
    let two = "{ name = \"pred_score\", shape = [0], element = \"float32\" }";
    let pair = Tensor::new(vec![2], TensorData::F32(vec![0.0; 2])).unwrap();
    let task = "[task.anomaly]\nscore = \"pred_score\"";
    let seen = read(task, two, &[pair], &Geometry::identity(1, 1)).map(|_| ()).unwrap_err();
    assert_eq!(seen, "output \"pred_score\": the answer has 2 numbers, the score is one");
    let seen = read(BOTH, SCORE, &[number(0.0)], &Geometry::identity(1, 1)).map(|_| ()).unwrap_err();
    assert_eq!(seen, "there is no output \"anomaly_map\" to read");
    let seen = read(ONLY, MAP, &[rows(1, 1, &[0.0])], &Geometry::identity(0, 0)).map(|_| ()).unwrap_err();
    assert_eq!(seen, "output \"anomaly_map\": a map lies over a frame, but the model was shown none");
}

proptest! {
    #[test]
    fn any_map_has_a_score_and_a_peak(
        numbers in prop::collection::vec(-1e30_f32..1e30, 24),
        at in 0.0..=1.0_f64,
    ) {
        let task = format!("{ONLY}map_quantile = {at:?}\nmap_normalisation = {RANGE}");
        let (score, peak, map) = read(&task, MAP, &[rows(4, 6, &numbers)], &Geometry::identity(30, 20)).unwrap();
        let ([x, y], map) = (peak.unwrap(), map.unwrap());
        prop_assert!((0.0..=1.0).contains(&score) && map.numbers.iter().all(|number| (0.0..=1.0).contains(number)));
        let place = (y / 5.0) as usize * 6 + (x / 5.0) as usize;
        prop_assert!(numbers.iter().all(|number| *number <= numbers[place]));
        let above = numbers.iter().filter(|&&number| f64::from(number) > quantile(&numbers, at)).count();
        prop_assert!(above < 24 - (23.0 * at).floor() as usize);
    }
}
