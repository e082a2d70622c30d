//! Heads read by hand and by property: what is found, what is refused, and that order never matters.

use proptest::prelude::*;

use super::*;
use crate::models::passport::detection::{
    Background, BoxFormat, BoxUnit, BoxesLabelsScores, BoxesScores, Column, Distribution, Level, Masks, Rows,
};
use crate::models::passport::{EXAMPLE, Element, Output, Task};
use crate::tensor::TensorData;

fn tensor(shape: &[usize], numbers: Vec<f32>) -> Tensor {
    Tensor::new(shape.to_vec(), TensorData::F32(numbers)).unwrap()
}

fn task(head: Head) -> Detection {
    Detection {
        head,
        confidence_from: 0.25,
        overlap_up_to: Some(0.5),
        across_labels: false,
        oriented_overlap: crate::models::passport::detection::OrientedOverlap::Exact,
        every_label: false,
        most: 300,
        masks: None,
    }
}

/// A detector of as many labels whose outputs have these names; the first has the activation.
fn passport(task: Detection, labels: usize, outputs: &[&str], activation: Option<Activation>) -> Passport {
    let mut passport: Passport = toml_edit::de::from_str(EXAMPLE).unwrap();
    passport.task = Task::Detection(task);
    passport.labels.names = (0..labels).map(|label| Name::new(&format!("label-{label}")).unwrap()).collect();
    passport.labels.defects = passport.labels.names[..1].to_vec();
    let output =
        |name: &&str| Output { name: (*name).into(), shape: vec![0], element: Element::Float32, activation: None };
    passport.outputs = outputs.iter().map(output).collect();
    passport.outputs[0].activation = activation;
    passport
}

fn read(passport: &Passport, outputs: &[Tensor]) -> Result<Vec<Detected>, String> {
    read_in(passport, outputs, &Geometry::identity(100, 100))
}

fn read_in(passport: &Passport, outputs: &[Tensor], geometry: &Geometry) -> Result<Vec<Detected>, String> {
    let Task::Detection(task) = &passport.task else { panic!("a detector") };
    match decode(passport, task, outputs, geometry)? {
        Findings::Detection { detections } => Ok(detections),
        other => panic!("{other:?}"),
    }
}

/// `[1, 4 + labels, boxes]` of rows.
fn planes(rows: &[Vec<f32>]) -> Tensor {
    let planes = rows[0].len();
    let numbers = (0..planes).flat_map(|plane| rows.iter().map(move |row| row[plane])).collect();
    tensor(&[1, planes, rows.len()], numbers)
}

fn yolov8(rows: &[Vec<f32>]) -> Result<Vec<Detected>, String> {
    read(&passport(task(Head::Yolov8), rows[0].len() - 4, &["out"], None), &[planes(rows)])
}

#[test]
fn a_planar_head_by_hand() {
    let found = yolov8(&[
        vec![50.0, 40.0, 20.0, 10.0, 0.1, 0.9],
        vec![51.0, 40.0, 20.0, 10.0, 0.1, 0.8],
        vec![51.0, 40.0, 20.0, 10.0, 0.7, 0.6],
        vec![98.0, 2.0, 20.0, 10.0, 0.25, 0.0],
        vec![10.0, 10.0, 5.0, 5.0, 0.24, 0.2],
    ])
    .unwrap();
    let seen: Vec<_> = found.iter().map(|found| (found.label.as_str(), found.corners)).collect();
    let wanted = [
        ("label-1", [40.0, 35.0, 60.0, 45.0]),
        ("label-0", [41.0, 35.0, 61.0, 45.0]),
        ("label-0", [88.0, 0.0, 100.0, 7.0]),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(classes(&found).iter().map(|class| class.0.as_str()).collect::<Vec<_>>(), ["label-1", "label-0"]);
    let known = passport(task(Head::Yolov8), 2, &["out"], None);
    assert!((defect_score(&found, &known) - 0.7).abs() < 1e-6);
    assert!(defect_score(&[], &known).abs() < f64::EPSILON);
}

#[test]
fn suppression_across_labels_and_every_label() {
    let rows = [vec![50.0, 40.0, 20.0, 10.0, 0.5, 0.9], vec![51.0, 40.0, 20.0, 10.0, 0.8, 0.1]];
    let with = |across_labels, every_label| {
        let task = Detection { across_labels, every_label, ..task(Head::Yolov8) };
        read(&passport(task, 2, &["out"], None), &[planes(&rows)]).unwrap().len()
    };
    assert_eq!((with(false, false), with(true, false), with(false, true), with(true, true)), (2, 1, 2, 1));
}

#[test]
fn what_is_no_number_fails_the_model() {
    let nan = f32::NAN;
    let refused = |row: Vec<f32>| yolov8(&[vec![5.0, 5.0, 2.0, 2.0, 0.0, 0.0], row]).unwrap_err();
    assert_eq!(
        refused(vec![5.0, 5.0, 2.0, 2.0, 0.0, nan]),
        "output \"out\": the score at place 1 (label label-1) is NaN, a probability from 0 to 1 is wanted"
    );
    assert_eq!(
        refused(vec![5.0, 5.0, 2.0, 2.0, 0.9, f32::INFINITY]),
        "output \"out\": the score at place 1 (label label-1) is inf, a probability from 0 to 1 is wanted"
    );
    assert_eq!(
        refused(vec![5.0, 5.0, 2.0, 2.0, 3.5, 0.0]),
        "output \"out\": the score at place 1 (label label-0) is 3.5, a probability from 0 to 1 is wanted"
    );
    assert_eq!(
        refused(vec![5.0, 5.0, 2.0, 2.0, -3.5, 0.0]),
        "output \"out\": the score at place 1 (label label-0) is -3.5, a probability from 0 to 1 is wanted"
    );
    assert_eq!(
        refused(vec![5.0, nan, 2.0, 2.0, 0.9, 0.0]),
        "output \"out\": the box at place 1 is [5.0, NaN, 2.0, 2.0], finite numbers are wanted, of 1e9 pixels at most"
    );
    assert!(refused(vec![5.0, 5.0, f32::INFINITY, 2.0, 0.9, 0.0]).contains("inf"));
    // A box that nobody asks for may be anything.
    assert_eq!(yolov8(&[vec![nan, nan, nan, nan, 0.1, 0.1]]), Ok(vec![]));
    // Inverted, empty and outside of the frame: nothing is there.
    for flat in
        [vec![5.0, 5.0, -2.0, 2.0, 0.9, 0.0], vec![5.0, 5.0, 0.0, 2.0, 0.9, 0.0], vec![-9.0, 5.0, 2.0, 2.0, 0.9, 0.0]]
    {
        assert_eq!(yolov8(&[flat]), Ok(vec![]));
    }
}

#[test]
fn outputs_of_another_shape_are_refused() {
    let known = passport(task(Head::Yolov8), 3, &["out"], None);
    let refused = |shape: &[usize]| read(&known, &[Tensor::zeros(shape, Element::Float32)]).unwrap_err();
    assert_eq!(refused(&[1, 6, 9]), "output \"out\": there are 6 numbers for each box, 7 are wanted for 3 labels");
    assert_eq!(refused(&[2, 7, 9]), "output \"out\": the shape is [2, 7, 9], [1, rows, columns] is wanted");
    assert_eq!(read(&known, &[]).unwrap_err(), "there is no output to read");
    assert_eq!(read(&known, &[Tensor::zeros(&[1, 7, 0], Element::Float32)]), Ok(vec![]));
}

#[test]
fn a_hundred_thousand_boxes_are_survived() {
    const BOXES: usize = 100_000;
    let known = passport(task(Head::Yolov8), 80, &["out"], None);
    let mut numbers = vec![0.0; 84 * BOXES];
    for place in 0..BOXES {
        let x = u16::try_from(place % 100).unwrap();
        numbers[place] = f32::from(x);
        numbers[BOXES + place] = 50.0;
        numbers[2 * BOXES + place] = 0.5;
        numbers[3 * BOXES + place] = 50.0;
        numbers[(4 + place % 80) * BOXES + place] = 0.9;
    }
    let found = read(&known, &[tensor(&[1, 84, BOXES], numbers.clone())]).unwrap();
    assert_eq!(found.len(), 300);
    numbers.fill(0.9);
    let found = read(&known, &[tensor(&[1, 84, BOXES], numbers)]).unwrap();
    assert_eq!(found.len(), 1, "all boxes are one");
}

#[test]
fn rows_name_their_columns() {
    let columns =
        vec![Column::Unread, Column::Label, Column::Score, Column::Top, Column::Left, Column::Right, Column::Bottom];
    let rows =
        Rows { output: "out".into(), columns, unit: BoxUnit::Normalised, first_label: 1, count: Some("n".into()) };
    let known = passport(Detection { overlap_up_to: None, ..task(Head::Rows(rows)) }, 2, &["out", "n"], None);
    let row = |label: f32, score: f32| vec![7.0, label, score, 0.1, 0.2, 0.4, 0.3];
    let ask = |rows: &[Vec<f32>], count: i64| {
        let table = tensor(&[1, 1, rows.len(), 7], rows.concat());
        read(&known, &[table, Tensor::new(vec![1], TensorData::I64(vec![count])).unwrap()])
    };
    let found = ask(&[row(2.0, 0.9), row(0.0, f32::NAN), row(1.0, 0.1), row(1.0, 0.8)], 3).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].label.as_str(), "label-1");
    let edges = found[0].corners.iter().zip([20.0, 10.0, 40.0, 30.0]);
    assert!(edges.into_iter().all(|(seen, wanted)| (seen - wanted).abs() < 1e-5));
    assert_eq!(
        ask(&[row(3.0, 0.9)], 1).unwrap_err(),
        "output \"out\": the label at place 0 is 3, a whole number from 1 to 2 is wanted"
    );
    assert!(ask(&[row(1.5, 0.9)], 1).unwrap_err().contains("is 1.5"));
    assert!(ask(&[row(f32::NAN, 0.9)], 1).unwrap_err().contains("is NaN"));
    assert_eq!(
        ask(&[row(1.0, 0.9)], 2).unwrap_err(),
        "output \"n\": it is [2.0], one number from 0 to the 1 boxes there are is wanted"
    );
    assert_eq!(
        ask(&[row(1.0, f32::NAN)], 1).unwrap_err(),
        "output \"out\": the score at place 0 is NaN, a probability from 0 to 1 is wanted"
    );
}

#[test]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
fn pixels_of_the_frame_lead_through_a_letterbox() {
    let head = BoxesLabelsScores {
        boxes: "boxes".into(),
        labels: "labels".into(),
        scores: "scores".into(),
        format: BoxFormat::Corners,
        unit: BoxUnit::FramePixels,
        first_label: 0,
        count: None,
    };
    let known = passport(task(Head::BoxesLabelsScores(head)), 1, &["boxes", "labels", "scores"], None);
    // A frame of 200 by 100 in an input of 100 by 100, shown between 25 and 75: the graph stretches what it is told.
    let geometry = Geometry { input: (100, 100), frame: (200, 100), scale: (0.5, 0.5), offset: (0.0, 25.0) };
    let boxes = tensor(&[1, 4], vec![20.0, 50.0, 60.0, 60.0]);
    let found = read_in(&known, &[boxes, tensor(&[1], vec![0.0]), tensor(&[1], vec![0.9])], &geometry).unwrap();
    assert_eq!(found[0].corners, [20.0, 50.0, 60.0, 70.0]);
}

#[test]
fn a_background_takes_its_share() {
    let head = |background| BoxesScores {
        boxes: "boxes".into(),
        scores: "scores".into(),
        format: BoxFormat::CornerSize,
        unit: BoxUnit::InputPixels,
        background: Some(background),
    };
    let ask = |background, scores: [f32; 3]| {
        let task = task(Head::BoxesScores(head(background)));
        let known = passport(task, 2, &["scores", "boxes"], Some(Activation::Softmax));
        read(&known, &[tensor(&[1, 1, 3], scores.to_vec()), tensor(&[1, 1, 4], vec![10.0, 20.0, 30.0, 40.0])])
    };
    let found = ask(Background::First, [0.0, 1.0, 3.0]).unwrap();
    let wanted = 3f64.exp() / (1.0 + 1f64.exp() + 3f64.exp());
    assert_eq!((found[0].label.as_str(), found[0].corners), ("label-1", [10.0, 20.0, 40.0, 60.0]));
    assert!((found[0].confidence - wanted).abs() < 1e-7);
    assert_eq!(ask(Background::Last, [0.0, 1.0, 3.0]), Ok(vec![]));
    assert_eq!(ask(Background::Last, [0.0, 3.0, 1.0]).unwrap()[0].label.as_str(), "label-1");
    assert!(
        ask(Background::Last, [0.0, 1.0, f32::NAN])
            .unwrap_err()
            .contains("the score of the background at place 0 is NaN")
    );
}

#[test]
fn boxes_and_scores_may_share_the_rows_of_one_output() {
    // Ultralytics' RT-DETR: centre and size as shares of the input, then a probability a class.
    let head = BoxesScores {
        boxes: "out".into(),
        scores: "out".into(),
        format: BoxFormat::CentreSize,
        unit: BoxUnit::Normalised,
        background: None,
    };
    let known = passport(task(Head::BoxesScores(head)), 2, &["out"], Some(Activation::None));
    let rows = [[0.5, 0.4, 0.2, 0.6, 0.1, 0.9], [0.5, 0.5, 0.1, 0.1, 0.0, 0.0]].concat();
    let found = read(&known, &[tensor(&[1, 2, 6], rows)]).unwrap();
    assert_eq!((found.len(), found[0].label.as_str()), (1, "label-1"));
    assert!((found[0].confidence - 0.9).abs() < 1e-6);
    let near = |(seen, wanted): (f64, f64)| (seen - wanted).abs() < 1e-4;
    assert!(found[0].corners.into_iter().zip([40.0, 10.0, 60.0, 70.0]).all(near), "{:?}", found[0].corners);
    let told = read(&known, &[tensor(&[1, 2, 5], vec![0.5; 10])]).unwrap_err();
    assert!(told.contains("there are 5 numbers for each box, 6 are wanted"), "{told}");
}

#[test]
fn grids_that_share_an_output_lie_end_to_end() {
    // NanoDet-Plus: strides of 50 and 100 over an input of 100 by 100, one output, cells anchored at their corner.
    let level = |stride| Level { stride, scores: "out".into(), boxes: "out".into() };
    let head = Distribution { levels: vec![level(50), level(100)], anchor: 0.0 };
    let known = passport(task(Head::Distribution(head)), 1, &["out"], Some(Activation::None));
    let cell = |score: f32, sides: [f32; 4]| {
        // Of two bins with logits 0 and s the expectation is the logistic function of s.
        let mut row = vec![score];
        row.extend(sides.iter().flat_map(|side| [0.0, (side / (1.0 - side)).ln()]));
        row
    };
    let none = cell(0.0, [0.5; 4]);
    let rows = [none.clone(), none.clone(), none.clone(), cell(0.9, [0.2, 0.4, 0.6, 0.8]), cell(0.5, [0.5; 4])];
    let found = read(&known, &[tensor(&[1, 5, 9], rows.concat())]).unwrap();
    let near = |seen: [f64; 4], wanted: [f64; 4]| seen.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4);
    assert!(near(found[0].corners, [40.0, 30.0, 80.0, 90.0]), "{found:?}");
    assert!(near(found[1].corners, [0.0, 0.0, 50.0, 50.0]), "{found:?}");
    let broken = [none.clone(), none.clone(), none, cell(0.9, [2.0; 4]), cell(0.0, [0.5; 4])];
    assert!(read(&known, &[tensor(&[1, 5, 9], broken.concat())]).unwrap_err().contains("the box at place 3 is [NaN"));
    let short = read(&known, &[Tensor::zeros(&[1, 4, 9], Element::Float32)]).unwrap_err();
    assert_eq!(short, "output \"out\": there are 4 rows, 5 are wanted up to stride 100");
}

#[test]
fn masks_of_the_boxes_own_grid() {
    let masks = Some(Masks::InBox("masks".into()));
    let known = passport(Detection { masks, ..task(Head::EndToEnd) }, 1, &["out", "masks"], None);
    let rows = tensor(&[1, 2, 6], vec![0.0, 0.0, 9.0, 9.0, 0.1, 0.0, 10.0, 20.0, 30.0, 40.0, 0.9, 0.0]);
    let grids = tensor(&[2, 1, 1, 2], vec![0.0, 0.0, 0.9, 0.2]);
    let found = read(&known, &[rows.clone(), grids]).unwrap();
    let mask = found[0].mask.as_ref().unwrap();
    assert_eq!((mask.width, mask.height, mask.covers), (2, 1, [10.0, 20.0, 30.0, 40.0]));
    assert_eq!((mask.numbers.as_slice(), found[0].covered), ([0.9, 0.2].as_slice(), Some(0.5)));
    let one = read(&known, &[rows.clone(), tensor(&[1, 1, 1, 2], vec![0.0, 0.0])]).unwrap_err();
    assert_eq!(one, "output \"masks\": there are 1 masks, none for the box at place 1");
    let broken = read(&known, &[rows, tensor(&[2, 1, 1, 2], vec![0.0, 0.0, f32::NAN, 0.0])]).unwrap_err();
    assert!(broken.contains("the mask of the box at place 1 is NaN"), "{broken}");
}

#[test]
fn prototypes_that_do_not_fit_are_refused() {
    let masks = Some(Masks::Prototypes("prototypes".into()));
    let known = passport(Detection { masks, ..task(Head::Yolov8) }, 1, &["out", "prototypes"], None);
    let row = vec![50.0, 50.0, 20.0, 20.0, 0.9, 1.0, f32::INFINITY];
    let ask = |prototypes: usize| {
        let grids = tensor(&[1, prototypes, 5, 5], vec![1.0; prototypes * 25]);
        read(&known, &[planes(std::slice::from_ref(&row)), grids])
    };
    assert_eq!(ask(3).unwrap_err(), "output \"out\": each box has 2 coefficients, there are 3 prototypes");
    assert!(ask(2).unwrap_err().contains("the mask of the box at place 0 is inf at a point"));
}

fn any_rows() -> impl Strategy<Value = Vec<Vec<f32>>> {
    // Coarse numbers, so that boxes and scores are often equal.
    let side = (0_u8..12).prop_map(|number| f32::from(number) * 10.0);
    let score = (0_u8..=8).prop_map(|number| f32::from(number) / 8.0);
    let row = (proptest::collection::vec(side, 4), proptest::collection::vec(score, 2));
    proptest::collection::vec(row.prop_map(|(sides, scores)| [sides, scores].concat()), 1..40)
}

proptest! {
    #[test]
    fn the_order_of_the_boxes_does_not_matter(
        rows in any_rows(), turn in 0_usize..40, across_labels: bool, every_label: bool, most in 1_usize..8
    ) {
        let task = Detection { across_labels, every_label, most, ..task(Head::Yolov8) };
        let known = passport(task, 2, &["out"], None);
        let straight = read(&known, &[planes(&rows)]).unwrap();
        let mut turned = rows.clone();
        turned.rotate_left(turn % rows.len());
        turned.reverse();
        prop_assert_eq!(&straight, &read(&known, &[planes(&turned)]).unwrap());
        prop_assert!(straight.len() <= most);
        prop_assert!(straight.is_sorted_by(|a, b| a.confidence >= b.confidence));
        for found in &straight {
            let [left, top, right, bottom] = found.corners;
            prop_assert!(0.0 <= left && left < right && right <= 100.0 && 0.0 <= top && top < bottom && bottom <= 100.0);
            prop_assert!((0.25..=1.0).contains(&found.confidence));
        }
    }

    #[test]
    fn no_numbers_panic_a_head(
        numbers in proptest::collection::vec(proptest::num::f32::ANY, 24), head in 0..5, activation in 0_usize..4
    ) {
        let rows = Rows {
            output: "out".into(),
            columns: super::rows::END_TO_END.to_vec(),
            unit: BoxUnit::Normalised,
            first_label: 1,
            count: None,
        };
        let (head, labels, shape) = match head {
            0 => (Head::Yolov5, 1, [1, 4, 6]),
            1 => (Head::Yolov8, 2, [1, 6, 4]),
            2 => (Head::Yolov8Obb, 1, [1, 6, 4]),
            3 => (Head::EndToEnd, 2, [1, 4, 6]),
            _ => (Head::Rows(rows), 2, [1, 4, 6]),
        };
        let activation =
            [None, Some(Activation::None), Some(Activation::Sigmoid), Some(Activation::Softmax)][activation];
        let known = passport(task(head), labels, &["out"], activation);
        match read(&known, &[tensor(&shape, numbers)]) {
            Ok(found) => prop_assert!(found.iter().all(|found| found.corners.iter().all(|edge| edge.is_finite()))),
            Err(why) => prop_assert!(why.starts_with("output \"out\": "), "{}", why),
        }
    }
}
