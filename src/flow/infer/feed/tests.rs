//! Tests of feeding: each kind of input, each refusal with its sentence, the same memory each time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::clock::Monotonic;
use crate::flow::pool::Pool;
use crate::flow::{Image, PixelFormat};
use crate::task::{Area, ClassScore, Quantity};
use crate::tensor::{Element, TensorData};
use crate::value::Value;

const IMAGE: &str = "{ kind = \"image\", name = \"x\", shape = [1, 1, 2, 2], layout = \"nchw\", element = \"float32\", \
    colour = \"grey\", fit = \"stretch\", filter = \"area\", scale = 1.0, mean = [0.0], standard_deviation = [1.0] }";

#[derive(serde::Deserialize)]
struct Inputs {
    inputs: Vec<Input>,
}

fn model(inputs: &str) -> Arc<Model> {
    let mut passport = task_passport("task = \"embedding\"", "");
    let text = format!("inputs = [{inputs}]");
    passport.inputs = toml_edit::de::from_str::<Inputs>(&text).unwrap().inputs;
    Arc::new(Model { passport, folder: "m".into() })
}

fn task_passport(task: &str, labels: &str) -> crate::models::passport::Passport {
    crate::task::tests::passport(
        task,
        "{ name = \"y\", shape = [1, 2], element = \"float32\", activation = \"none\" }",
        labels,
    )
}

fn frame(width: u32, height: u32, levels: &[u8]) -> Arc<Frame> {
    let mut pixels = Pool::new(0).take(levels.len());
    pixels.bytes_mut().copy_from_slice(levels);
    let image = Image::new(width, height, PixelFormat::Grey8, pixels).unwrap();
    let camera = Name::new("c").unwrap();
    Arc::new(Frame { camera, sequence: 0, captured: Monotonic::from_nanos(0), part: None, image })
}

fn reading_of(sensor: &str, values: &[(&str, Value)]) -> Reading {
    let values: BTreeMap<String, Value> =
        values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    Reading { sensor: Name::new(sensor).unwrap(), captured: Monotonic::from_nanos(0), part: None, values, asker: None }
}

fn asked(readings: Vec<Reading>) -> Question {
    Question { frame: None, region: Region::Whole, readings: Arc::new(readings), found: Vec::new() }
}

fn fed(inputs: &str, question: &Question) -> Result<Vec<TensorData>, String> {
    let mut feed = Feed::new(&model(inputs))?;
    let (tensors, _) = feed.fill(question)?;
    Ok(tensors.iter().map(|tensor| tensor.data().clone()).collect())
}

fn readings_input(element: &str, values: &str) -> String {
    let count = values.matches("key").count();
    format!(
        "{{ kind = \"readings\", name = \"r\", shape = [1, {count}], element = \"{element}\", values = [{values}] }}"
    )
}

#[test]
fn every_kind_is_fed_in_the_order_of_the_graph() {
    let inputs = format!(
        "{{ kind = \"constant\", name = \"k\", shape = [2], element = \"int64\", values = [7.0, -1.4] }}, {IMAGE}, \
         {{ kind = \"frame-size\", name = \"s\", shape = [1, 6], element = \"float32\", values = [\"frame-height\", \
         \"frame-width\", \"input-height\", \"input-width\", \"scale-y\", \"scale-x\"] }}, {}",
        readings_input("float64", "{ key = \"a\" }, { key = \"b\", missing = 0.5 }")
    );
    let mut question = asked(vec![reading_of("s", &[("a", Value::Number(0.1))])]);
    question.frame = Some(frame(4, 2, &[10, 20, 30, 40, 50, 60, 70, 80]));
    let mut feed = Feed::new(&model(&inputs)).unwrap();
    let (tensors, geometry) = feed.fill(&question).unwrap();
    assert_eq!((geometry.frame, geometry.input), ((4, 2), (2, 2)));
    assert_eq!(tensors[0].data(), &TensorData::I64(vec![7, -1]));
    assert_eq!(tensors[1].data(), &TensorData::F32(vec![15.0, 35.0, 55.0, 75.0]));
    assert_eq!(tensors[2].data(), &TensorData::F32(vec![2.0, 4.0, 2.0, 2.0, 1.0, 0.5]));
    assert_eq!(tensors[3].data(), &TensorData::F64(vec![0.1, 0.5]));
    let (again, _) = feed.fill(&question).unwrap();
    assert_eq!(again[0].data(), &TensorData::I64(vec![7, -1]), "a constant stays");
}

#[test]
fn two_images_are_made_of_one_frame() {
    let other = IMAGE.replace("\"x\"", "\"z\"").replace("[1, 1, 2, 2]", "[1, 1, 1, 1]");
    let mut question = asked(Vec::new());
    question.frame = Some(frame(4, 2, &[10, 20, 30, 40, 50, 60, 70, 80]));
    let seen = fed(&format!("{other}, {IMAGE}"), &question).unwrap();
    assert_eq!(seen, [TensorData::F32(vec![45.0]), TensorData::F32(vec![15.0, 35.0, 55.0, 75.0])]);
}

#[test]
fn readings_are_found_by_key_and_sensor() {
    let readings = vec![
        reading_of("first", &[("t", Value::Number(1.0)), ("ok", Value::Flag(true)), ("lot", Value::Text("B7".into()))]),
        reading_of("second", &[("t", Value::Number(2.0))]),
    ];
    let values = "{ key = \"t\" }, { key = \"t\", sensor = \"second\" }, { key = \"ok\" }, \
                  { key = \"lot\", one_of = [\"A1\", \"B7\"] }";
    let seen = fed(&readings_input("float16", values), &asked(readings)).unwrap();
    let wanted = [1.0, 2.0, 1.0, 1.0].map(half::f16::from_f64);
    assert_eq!(seen, [TensorData::F16(wanted.to_vec())]);
}

#[test]
fn readings_that_cannot_be_fed_are_told() {
    let readings = vec![reading_of("s", &[("t", Value::Number(1e300)), ("lot", Value::Text("C".into()))])];
    let told =
        |element: &str, values: &str| fed(&readings_input(element, values), &asked(readings.clone())).unwrap_err();
    assert_eq!(told("float32", "{ key = \"u\" }"), "input \"r\": no reading of the part has the key \"u\"");
    assert_eq!(
        told("float32", "{ key = \"t\", sensor = \"q\" }"),
        "input \"r\": no reading of sensor q has the key \"t\""
    );
    assert_eq!(told("float32", "{ key = \"lot\" }"), "input \"r\": \"lot\" is \"C\", a number is wanted");
    assert_eq!(
        told("int32", "{ key = \"lot\", one_of = [\"A\", \"B\"] }"),
        "input \"r\": \"lot\" is \"C\", one of [\"A\", \"B\"] is wanted"
    );
    let huge = format!("{}", 1e300);
    for element in ["float16", "float32", "uint8", "int32", "int64"] {
        let wanted = format!("input \"r\": the number at place 0 is {huge}, which {element} cannot hold");
        assert_eq!(told(element, "{ key = \"t\" }"), wanted);
    }
    assert!(fed(&readings_input("float64", "{ key = \"t\" }"), &asked(readings.clone())).is_ok());
}

#[test]
fn what_is_missing_is_told() {
    let nothing = asked(Vec::new());
    assert_eq!(fed(IMAGE, &nothing).unwrap_err(), "input \"x\" wants a frame");
    let sizes =
        "{ kind = \"frame-size\", name = \"s\", shape = [1], element = \"float32\", values = [\"frame-width\"] }";
    assert_eq!(
        fed(sizes, &nothing).unwrap_err(),
        "input \"s\": the size of a frame is wanted, but no input is an image"
    );
    let constant = "{ kind = \"constant\", name = \"k\", shape = [2], element = \"uint8\", values = [1.0] }";
    assert_eq!(fed(constant, &nothing).unwrap_err(), "input \"k\": there is room for 2 numbers, there are 1");
    let constant = constant.replace("[2]", "[1]").replace("1.0", "256.0");
    assert_eq!(
        fed(&constant, &nothing).unwrap_err(),
        "input \"k\": the number at place 0 is 256, which uint8 cannot hold"
    );
}

fn found(name: &str, task: &str, labels: &str, findings: Findings) -> Found {
    let mut passport = task_passport(task, labels);
    passport.name = Name::new(name).unwrap();
    Found { model: Arc::new(Model { passport, folder: "m".into() }), findings }
}

fn members() -> Vec<Found> {
    let name = |text: &str| Name::new(text).unwrap();
    let labels = "names = [\"good\", \"bad\"], defects = [\"bad\"]";
    let class = |label: &str, probability| ClassScore { label: name(label), probability };
    let classes = vec![class("good", 0.75), class("bad", 0.25)];
    let areas = vec![Area { label: name("bad"), share: 0.1, peak: 0.625 }];
    let values = vec![Quantity { name: name("width"), value: 2.5, within: None }];
    let limits = "[task.regression]\nvalues = [{ name = \"width\" }]";
    vec![
        found("classes", "task = \"classification\"", labels, Findings::Classification { classes }),
        found(
            "areas",
            "[task.segmentation]\narea_from = 0.0",
            labels,
            Findings::Segmentation { score: 0.5, areas, maps: Vec::new() },
        ),
        found("vector", "task = \"embedding\"", "", Findings::Embedding { vector: vec![-1.0, 3.0] }),
        found("number", limits, "", Findings::Regression { values }),
    ]
}

fn stacked(count: usize, values: &str) -> Result<Vec<TensorData>, String> {
    let input = format!(
        "{{ kind = \"findings\", name = \"f\", shape = [1, {count}], element = \"float32\", values = [{values}] }}"
    );
    fed(&input, &Question { found: members(), ..asked(Vec::new()) })
}

#[test]
fn other_models_are_stacked_in_the_order_of_the_passport() {
    let values = "{ model = \"vector\", finding = \"vector\" }, { model = \"classes\", finding = \"score\" }, \
                  { model = \"areas\", finding = { label = \"bad\" } }, { model = \"areas\", finding = { label = \"good\" } }, \
                  { model = \"areas\", finding = \"score\" }, { model = \"number\", finding = \"vector\" }";
    let seen = stacked(7, values).unwrap();
    assert_eq!(seen, [TensorData::F32(vec![-1.0, 3.0, 0.25, 0.625, 0.0, 0.5, 2.5])]);
}

#[test]
fn findings_that_are_not_there_are_told() {
    let told = |count, values: &str| stacked(count, values).unwrap_err();
    assert_eq!(
        told(1, "{ model = \"gone\", finding = \"score\" }"),
        "input \"f\": there are no findings of model gone"
    );
    assert_eq!(
        told(1, "{ model = \"vector\", finding = \"score\" }"),
        "input \"f\": model vector says nothing of defects"
    );
    assert_eq!(
        told(1, "{ model = \"number\", finding = \"score\" }"),
        "input \"f\": model number says nothing of defects"
    );
    assert_eq!(told(1, "{ model = \"classes\", finding = \"vector\" }"), "input \"f\": model classes gives no vector");
    assert_eq!(
        told(1, "{ model = \"classes\", finding = { label = \"dent\" } }"),
        "input \"f\": model classes has no label dent"
    );
    assert_eq!(
        told(3, "{ model = \"vector\", finding = \"vector\" }"),
        "input \"f\": there is room for 3 numbers, there are 2"
    );
}

#[test]
fn the_memory_of_the_tensors_is_kept() {
    let mut feed = Feed::new(&model(IMAGE)).unwrap();
    let mut places = Vec::new();
    for level in 0..3 {
        let question = Question { frame: Some(frame(2, 2, &[level; 4])), ..asked(Vec::new()) };
        let (tensors, _) = feed.fill(&question).unwrap();
        let numbers = tensors[0].float32().unwrap();
        assert_eq!(numbers, [f32::from(level); 4]);
        places.push((tensors.as_ptr(), numbers.as_ptr()));
    }
    assert!(places.windows(2).all(|pair| pair[0] == pair[1]), "{places:?}");
}

proptest! {
    #[test]
    fn a_number_is_fed_as_the_nearest_or_refused(number in proptest::num::f64::NORMAL) {
        for element in ["uint8", "int32", "int64", "float32", "float64"] {
            let question = asked(vec![reading_of("s", &[("t", Value::Number(number))])]);
            match fed(&readings_input(element, "{ key = \"t\" }"), &question) {
                Ok(data) => {
                    let tensor = Tensor::new(vec![1], data[0].clone()).unwrap();
                    let seen = tensor.data().numbers().next().unwrap();
                    let floating = matches!(tensor.element(), Element::Float32 | Element::Float64);
                    let room = if floating { number.abs() * 1e-7 + 1e-44 } else { 0.5 };
                    prop_assert!((seen - number).abs() <= room, "{} {}", element, seen);
                }
                Err(why) => prop_assert!(why.ends_with(&format!("which {element} cannot hold")), "{}", why),
            }
        }
    }
}
