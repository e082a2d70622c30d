//! Lines of maps whose answer is known, what is refused, and what stays bounded.

use proptest::prelude::*;

use super::*;
use crate::models::passport::tests::PASSPORT;
use crate::models::passport::text::{Blank, Characters, CharactersFile};
use crate::task::geometry::Rectangle;
use crate::tensor::TensorData;

const TASK: TextDetection = TextDetection { pixel_from: 0.3, line_from: 0.5, grow: 1.6 };

/// A passport of a model that gives one output.
fn passport(activation: Activation, output: &Tensor) -> Passport {
    let mut passport: Passport = toml_edit::de::from_str(PASSPORT).unwrap();
    passport.outputs[0].name = "map".into();
    passport.outputs[0].shape = output.shape().to_vec();
    passport.outputs[0].activation = Some(activation);
    passport
}

fn found(map: Vec<f32>, [height, width]: [usize; 2], geometry: &Geometry) -> Result<Vec<TextLine>, String> {
    let output = Tensor::new(vec![1, 1, height, width], TensorData::F32(map)).unwrap();
    detect(&passport(Activation::None, &output), &TASK, &[output], geometry).map(|findings| match findings {
        Findings::Text { lines } => lines,
        other => panic!("{other:?}"),
    })
}

/// A map of zeroes with rectangles (left, top, right, bottom) of one probability.
fn map([height, width]: [usize; 2], boxes: &[([usize; 4], f32)]) -> Vec<f32> {
    let mut map = vec![0.0; height * width];
    for &([left, top, right, bottom], probability) in boxes {
        for y in top..bottom {
            map[y * width + left..y * width + right].fill(probability);
        }
    }
    map
}

#[test]
fn a_line_is_grown_and_told_in_pixels_of_the_frame() {
    // 20 by 4 pixels: 80 * 1.6 / 48 pixels on every side; the frame is twice as large and lies 10 pixels down.
    let window = Rectangle { left: 0.0, top: 10.0, width: 60.0, height: 30.0 };
    let geometry = Geometry::new((120, 60), Rectangle::whole((120, 60)), (60, 50), window);
    let lines = found(map([50, 60], &[([10, 20, 30, 24], 0.9)]), [50, 60], &geometry).unwrap();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let by = 80.0 * 1.6 / 48.0;
    let [left, top, right, bottom] = [10.0 - by, 20.0 - by, 30.0 + by, 24.0 + by];
    let wanted = [[left, top], [right, top], [right, bottom], [left, bottom]].map(|[x, y]| [x * 2.0, (y - 10.0) * 2.0]);
    for (seen, wanted) in line.corners.unwrap().as_flattened().iter().zip(wanted.as_flattened()) {
        assert!((seen - wanted).abs() < 1e-9, "{line:?}, {wanted:?} is wanted");
    }
    // The edge on the right and below counts with its zeroes: 80 of 105 places.
    assert!((line.confidence - 0.9 * 80.0 / 105.0).abs() < 1e-6, "{line:?}");
}

#[test]
fn faint_small_and_hidden_lines_are_left_out() {
    let geometry = Geometry::identity(60, 50);
    let boxes = [([2, 2, 40, 8], 0.4), ([2, 20, 4, 22], 0.9), ([2, 30, 40, 38], 0.95)];
    let lines = found(map([50, 60], &boxes), [50, 60], &geometry).unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let border = Rectangle { left: 0.0, top: 0.0, width: 60.0, height: 20.0 };
    let letterbox = Geometry::new((60, 20), Rectangle::whole((60, 20)), (60, 50), border);
    assert_eq!(found(map([50, 60], &boxes), [50, 60], &letterbox).unwrap(), [], "it stands in the border");
}

#[test]
fn a_map_that_is_full_is_one_line_and_an_empty_one_none() {
    let geometry = Geometry::identity(64, 48);
    let lines = found(vec![1.0; 64 * 48], [48, 64], &geometry).unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].corners, Some([[0.0, 0.0], [64.0, 0.0], [64.0, 48.0], [0.0, 48.0]]));
    assert!((lines[0].confidence - 1.0).abs() < 1e-9);
    assert_eq!(found(vec![0.0; 64 * 48], [48, 64], &geometry).unwrap(), []);
}

#[test]
fn of_thousands_of_lines_the_surest_are_kept_in_order() {
    let (side, each) = (8 * 60, 8);
    let boxes: Vec<([usize; 4], f32)> = (0..60 * 60)
        .map(|place| {
            let (x, y) = (place % 60 * each, place / 60 * each);
            ([x, y, x + 5, y + 5], if place < 2000 { 0.95 } else { 0.8 })
        })
        .collect();
    let geometry = Geometry::identity(480, 480);
    let lines = found(map([side, side], &boxes), [side, side], &geometry).unwrap();
    assert_eq!(lines.len(), MAX_LINES);
    let middles: Vec<f64> = lines.iter().map(|line| line.corners.unwrap()[0][1]).collect();
    assert!(middles.is_sorted());
    assert!(lines.iter().all(|line| line.confidence > 0.6), "the fainter half is left out");
}

#[test]
fn what_is_no_map_is_refused_with_its_place() {
    let geometry = Geometry::identity(4, 2);
    let mut numbers = vec![0.5; 8];
    numbers[5] = f32::NAN;
    assert_eq!(
        found(numbers.clone(), [2, 4], &geometry).unwrap_err(),
        "output \"map\": the number at row 1, place 1 is NaN, a finite number is wanted"
    );
    numbers[5] = 7.5;
    assert_eq!(
        found(numbers.clone(), [2, 4], &geometry).unwrap_err(),
        "output \"map\": the number at row 1, place 1 is 7.5, a probability from 0 to 1 is wanted"
    );
    let logits = Tensor::new(vec![1, 2, 4], TensorData::F32(numbers)).unwrap();
    assert!(
        detect(&passport(Activation::Sigmoid, &logits), &TASK, &[logits], &geometry).is_ok(),
        "logits may be large"
    );
    let wrong = Tensor::new(vec![2, 2, 2], TensorData::F32(vec![0.0; 8])).unwrap();
    assert_eq!(
        detect(&passport(Activation::None, &wrong), &TASK, &[wrong], &geometry).unwrap_err(),
        "output \"map\": the shape is [2, 2, 2], [1, 1, height, width] is wanted"
    );
}

fn recognition(characters: Characters) -> TextRecognition {
    TextRecognition { characters, blank: Blank::First }
}

#[test]
fn a_line_of_steps_becomes_a_text() {
    let task = recognition(Characters::Listed(vec!["A".into(), "7".into()]));
    let read = |numbers: Vec<f32>, shape: Vec<usize>| {
        let output = Tensor::new(shape, TensorData::F32(numbers)).unwrap();
        recognise(&passport(Activation::None, &output), &task, &[output])
    };
    let numbers = vec![0.1, 0.9, 0.0, 0.1, 0.8, 0.1, 0.9, 0.1, 0.0, 0.2, 0.1, 0.7];
    for shape in [vec![1, 4, 3], vec![4, 1, 3]] {
        let Ok(Findings::Text { lines }) = read(numbers.clone(), shape) else { panic!() };
        assert_eq!((lines[0].text.as_str(), lines[0].corners), ("A7", None));
        assert!((lines[0].confidence - 0.8).abs() < 1e-6, "{lines:?}");
    }
    let Ok(Findings::Text { lines }) = read(vec![], vec![1, 0, 3]) else { panic!() };
    assert_eq!(lines, [TextLine { text: String::new(), confidence: 0.0, corners: None }]);
    assert_eq!(
        read(numbers.clone(), vec![1, 3, 4]).unwrap_err(),
        "output \"map\": the shape is [1, 3, 4], [1, steps, 3] is wanted"
    );
    let file = CharactersFile { path: "keys.txt".into(), sha256: String::new(), characters: None };
    let unread = recognition(Characters::File(file));
    let output = Tensor::new(vec![1, 4, 3], TensorData::F32(numbers)).unwrap();
    assert_eq!(
        recognise(&passport(Activation::None, &output), &unread, &[output]).unwrap_err(),
        "output \"map\": the characters of keys.txt were not read with the passport"
    );
}

#[test]
fn lines_are_read_together() {
    let at = |text: &str, [left, top]: [f64; 2], confidence| {
        let corners = Some([[left, top], [left + 40.0, top], [left + 40.0, top + 10.0], [left, top + 10.0]]);
        let found = TextLine { text: String::new(), confidence: 0.7, corners };
        joined(&found, TextLine { text: text.into(), confidence, corners: None })
    };
    let lines = [at("2026", [60.0, 1.0], 0.9), at("EXP", [0.0, 30.0], 0.8), at("LOT A17", [0.0, 0.0], 0.95)];
    assert_eq!(reading(&lines, 0.5).as_deref(), Some("LOT A17 2026 EXP"));
    assert_eq!(reading(&lines, 0.85).as_deref(), Some("LOT A17 2026"));
    assert_eq!(reading(&lines, 0.99), None);
    assert_eq!(reading(&[at(" ", [0.0, 0.0], 1.0)], 0.5), None);
}

proptest! {
    #[test]
    fn lines_lie_in_the_frame_and_are_probabilities(numbers in prop::collection::vec(0.0_f32..1.0, 24 * 16)) {
        let geometry = Geometry::new((50, 40), Rectangle::whole((50, 40)), (24, 16), Rectangle::whole((24, 16)));
        let lines = found(numbers, [16, 24], &geometry).unwrap();
        for line in &lines {
            prop_assert!((0.5..=1.0).contains(&line.confidence));
            for [x, y] in line.corners.unwrap() {
                prop_assert!((0.0..=50.0).contains(&x) && (0.0..=40.0).contains(&y));
            }
        }
    }
}
