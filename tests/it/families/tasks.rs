//! Segmentation, anomaly, embedding, regression, scikit-learn, several inputs and stacking: from an image file or readings
//! through Kenpin's own feeding, ONNX Runtime and decoding, against what `make_tasks.py` wrote down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use kenpin::clock::Monotonic;
use kenpin::config::{Backend as Listed, Provider};
use kenpin::flow::infer::backend::Backend;
use kenpin::flow::infer::feed::{Feed, Found, Question};
use kenpin::flow::pool::Pool;
use kenpin::flow::{Findings, Frame, Image, PixelFormat, Reading};
use kenpin::models::catalogue;
use kenpin::models::passport::Model;
use kenpin::name::Name;
use kenpin::task;
use kenpin::task::Map;
use kenpin::task::geometry::Region;
use kenpin::value::Value;
use serde::Deserialize;

use crate::conformance::{libraries, runtime};

/// Set for the process that does the work.
const CHILD: &str = "KENPIN_TEST_FAMILIES_TASKS_CHILD";

/// How far a decoded number may lie from the reference where both are made of the same tensor.
const SAME: f64 = 2e-5;

/// How far it may lie where the frame is resampled: a level of 8 bits moves a random network's answer by so much.
const LEVEL: f64 = 0.01;

/// The families, each with how far its numbers may lie from the reference.
const FAMILIES: [(&str, f64); 14] = [
    ("anomaly", SAME),
    ("anomaly-map", LEVEL),
    ("anomaly-score", LEVEL),
    ("segmentation", LEVEL),
    ("segmentation-binary", LEVEL),
    ("segmentation-places", LEVEL),
    ("embedding", LEVEL),
    ("several-inputs", LEVEL),
    ("two-images", LEVEL),
    ("sklearn-logistic", SAME),
    ("sklearn-forest", SAME),
    ("sklearn-boosting", SAME),
    ("sklearn-linear", SAME),
    ("stacking", LEVEL),
];

/// One question with what the reference answers to it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    readings: BTreeMap<String, Value>,
    classes: Option<Vec<f64>>,
    score: Option<f64>,
    peak: Option<[f64; 2]>,
    map: Option<Vec<f64>>,
    covers: Option<[f64; 4]>,
    areas: Option<Vec<[f64; 2]>>,
    maps: Option<Vec<Vec<f64>>>,
    vector: Option<Vec<f64>>,
    values: Option<Vec<f64>>,
}

/// The greatest difference of each quantity that was decoded.
#[derive(Default)]
struct Farthest(BTreeMap<&'static str, f64>);

impl Farthest {
    fn see(
        &mut self,
        quantity: &'static str,
        seen: impl IntoIterator<Item = f64>,
        wanted: impl IntoIterator<Item = f64>,
    ) {
        let (seen, wanted): (Vec<f64>, Vec<f64>) = (seen.into_iter().collect(), wanted.into_iter().collect());
        assert_eq!(seen.len(), wanted.len(), "{quantity}");
        let farthest = self.0.entry(quantity).or_default();
        for (seen, wanted) in seen.iter().zip(&wanted) {
            assert!(seen.is_finite() && wanted.is_finite(), "{quantity}: {seen} {wanted}");
            *farthest = farthest.max((seen - wanted).abs());
        }
    }

    fn map(&mut self, seen: &Map, wanted: &[f64], covers: [f64; 4]) {
        assert_eq!(seen.width * seen.height, wanted.len());
        self.see("map", seen.numbers.iter().map(|&number| f64::from(number)), wanted.iter().copied());
        self.see("covers", seen.covers, covers);
    }

    fn findings(&mut self, findings: &Findings, case: &Case) {
        match findings {
            Findings::Classification { classes } => {
                let wanted = case.classes.clone().unwrap();
                self.see("probability", classes.iter().map(|class| class.probability), wanted);
            }
            Findings::Embedding { vector } => {
                self.see("vector", vector.iter().map(|&number| f64::from(number)), case.vector.clone().unwrap());
            }
            Findings::Segmentation { score, areas, maps } => {
                let wanted = case.areas.as_ref().unwrap();
                self.see("score", [*score], case.score);
                self.see("share", areas.iter().map(|area| area.share), wanted.iter().map(|area| area[0]));
                self.see("peak", areas.iter().map(|area| area.peak), wanted.iter().map(|area| area[1]));
                for (map, wanted) in maps.iter().zip(case.maps.as_ref().unwrap()) {
                    self.map(map, wanted, case.covers.unwrap());
                }
            }
            Findings::Anomaly { score, peak, map } => {
                self.see("score", [*score], case.score);
                self.see("peak point", peak.iter().flatten().copied(), case.peak.iter().flatten().copied());
                assert_eq!(map.is_some(), case.map.is_some());
                if let (Some(map), Some(wanted)) = (map, &case.map) {
                    self.map(map, wanted, case.covers.unwrap());
                }
            }
            Findings::Regression { values } => {
                self.see("value", values.iter().map(|value| value.value), case.values.clone().unwrap());
            }
            other => panic!("{other:?}"),
        }
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A family's model, its passport checked and its file verified.
fn family(name: &str) -> Arc<Model> {
    let model = Model::load(&fixtures().join("families").join(name));
    let model = model.unwrap_or_else(|error| panic!("{}", error.render(120, false)));
    catalogue::verify(&model).unwrap();
    Arc::new(model)
}

fn cases(name: &str) -> Vec<Case> {
    let text = std::fs::read(fixtures().join("families").join(name).join("reference.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// The frame that every family is shown.
fn frame() -> Arc<Frame> {
    let decoded = image::open(fixtures().join("prepare/rgb-64x48.png")).unwrap().into_rgb8();
    let mut pixels = Pool::new(0).take(decoded.len());
    pixels.bytes_mut().copy_from_slice(decoded.as_raw());
    let image = Image::new(decoded.width(), decoded.height(), PixelFormat::Rgb8, pixels).unwrap();
    let captured = Monotonic::from_nanos(0);
    Arc::new(Frame { camera: Name::new("c").unwrap(), sequence: 0, captured, part: None, image })
}

fn question(case: &Case, found: Vec<Found>) -> Question {
    let sensor = Name::new("sensor").unwrap();
    let captured = Monotonic::from_nanos(0);
    let readings = vec![Reading { sensor, captured, part: None, values: case.readings.clone(), asker: None }];
    Question { frame: Some(frame()), region: Region::Whole, readings: Arc::new(readings), found }
}

/// What a model finds, all the way.
fn asked(backend: &Backend, model: &Model, question: &Question) -> Findings {
    let mut session = backend.open(model, &runtime(Listed::OnnxRuntime, &[Provider::Cpu])).unwrap();
    let mut feed = Feed::new(model).unwrap();
    let (inputs, geometry) = feed.fill(question).unwrap();
    task::decode(&model.passport, session.run(inputs).unwrap(), &geometry).unwrap()
}

/// What the members of a stack find of the same part.
fn members(backend: &Backend, case: &Case) -> Vec<Found> {
    let names = ["sklearn-logistic", "segmentation", "embedding"];
    let found = names.map(|name| {
        let model = family(name);
        let findings = asked(backend, &model, &question(case, Vec::new()));
        Found { model, findings }
    });
    found.into()
}

/// The sentence with which a session refuses a family.
fn refusal(backend: &Backend, name: &str) -> String {
    let settings = runtime(Listed::OnnxRuntime, &[Provider::Cpu]);
    backend.open(&family(name), &settings).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn works_on_the_library_of_the_child_process() {
    if std::env::var_os(CHILD).is_none() {
        return; // `answer_as_their_references_on_every_library` runs this test for each library.
    }
    let backend = Backend::choose(&runtime(Listed::OnnxRuntime, &[Provider::Cpu])).unwrap();
    let mut wrong = Vec::new();
    for (name, tolerance) in FAMILIES {
        let model = family(name);
        let mut farthest = Farthest::default();
        for case in cases(name) {
            let found = if name == "stacking" { members(&backend, &case) } else { Vec::new() };
            farthest.findings(&asked(&backend, &model, &question(&case, found)), &case);
        }
        for (quantity, farthest) in farthest.0 {
            println!("family {name}: {quantity} at most {farthest:.1e} off, {tolerance:.0e} is accepted");
            if farthest > tolerance {
                wrong.push(format!("{name}: {quantity} is {farthest} off, at most {tolerance} is wanted"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(
        refusal(&backend, "sklearn-zipmap"),
        "model sklearn-zipmap: the element type of output \"output_probability\" is a sequence of maps: export the model \
         again with `zipmap=False` (skl2onnx: `options={\"zipmap\": False}`), the passport wants float32"
    );
    assert_eq!(
        refusal(&backend, "sklearn-strings"),
        "model sklearn-strings: the element type of input \"material\" is string, which no tensor of Kenpin holds: turn \
         texts into numbers before the graph (scikit-learn: `OrdinalEncoder`) and list them as `one_of` in the passport, \
         the passport wants float32"
    );
    println!("family all: as their references");
}

#[test]
fn answer_as_their_references_on_every_library() {
    for library in libraries() {
        let temporary = tempfile::tempdir().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["families::tasks::works_on_the_library_of_the_child_process", "--exact", "--nocapture"])
            .env(CHILD, "1")
            .env("TMPDIR", temporary.path())
            .env("ORT_DYLIB_PATH", &library)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let erred = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {:?}\n{told}\n{erred}", library.display(), output.status);
        assert!(told.contains("family all: as their references"), "{told}");
        println!("{}", library.file_name().unwrap().display());
        told.lines().filter(|line| line.contains("family ")).for_each(|line| println!("{line}"));
    }
}

#[test]
fn the_commands_know_every_family() {
    for action in ["verify", "list", "inspect"] {
        for (name, _) in FAMILIES {
            let folder = fixtures().join("families").join(name);
            let output =
                Command::new(env!("CARGO_BIN_EXE_kenpin")).args(["models", action]).arg(folder).output().unwrap();
            let told = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{action}: {told}{}", String::from_utf8_lossy(&output.stderr));
            assert!(told.contains(name), "{action} does not show {name}: {told}");
        }
    }
}
