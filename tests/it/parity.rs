//! Parity: the trained models, fed through Kenpin's own preparation, give the probabilities their recipe wrote down
//! with Python, Pillow and ONNX Runtime.
//!
//! Preparation may differ from Pillow by a level where a weighted sum lies exactly between two (see `prepare`). What
//! that does to a probability depends on the model; [`LEVEL`] is the most that is accepted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use kenpin::config::{Backend as Listed, Provider, Runtime};
use kenpin::flow::infer::backend::Backend;
use kenpin::flow::infer::prepare::Preparation;
use kenpin::flow::pool::Pool;
use kenpin::flow::{Findings, Image, PixelFormat};
use kenpin::models::catalogue;
use kenpin::models::graph::Graph;
use kenpin::task::decode;
use kenpin::task::geometry::Geometry;
use serde::Deserialize;

use crate::conformance::{libraries, read_model, runtime};

/// How far values that are a level off may move a probability.
const LEVEL: f64 = 0.01;

/// What a recipe writes beside a model.
#[derive(Deserialize)]
struct Reference {
    /// How far a probability may lie from the one written down when the model is fed the very same tensor.
    tolerance: f64,
    cells: BTreeMap<String, Cell>,
}

#[derive(Deserialize)]
struct Cell {
    probabilities: Vec<f64>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The model folders that have a reference.
fn references() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(root().join("models")).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        folders.map(|entry| entry.path()).filter(|folder| folder.join("reference.json").is_file()).collect();
    found.sort();
    found
}

fn cell(name: &str) -> Image {
    let path = root().join("target/setup/elpv/elpv_dataset/data/images").join(format!("{name}.png"));
    assert!(path.is_file(), "there is no ELPV image {}: run `make test`, which fetches them", path.display());
    let decoded = image::open(path).unwrap().into_luma8();
    let mut pixels = Pool::new(0).take(decoded.len());
    pixels.bytes_mut().copy_from_slice(decoded.as_raw());
    Image::new(decoded.width(), decoded.height(), PixelFormat::Grey8, pixels).unwrap()
}

/// The greatest distance of a model's probabilities from its reference.
fn farthest(backend: &Backend, settings: &Runtime, folder: &Path) -> (f64, f64) {
    let model = read_model(folder);
    let text = std::fs::read(folder.join("reference.json")).unwrap();
    let Reference { tolerance, cells } = serde_json::from_slice(&text).unwrap();
    assert!(!cells.is_empty(), "{} has no cells", folder.display());
    let mut session = backend.open(&model, settings).unwrap();
    let mut preparation = Preparation::new(&model.passport.images()).unwrap();
    let mut farthest = 0.0_f64;
    for (name, wanted) in cells {
        let answer = session.run(preparation.prepare(&cell(&name)).unwrap()).unwrap();
        let found = decode(&model.passport, answer, &Geometry::identity(0, 0)).unwrap();
        let Findings::Classification { classes } = found else { panic!("{found:?}") };
        assert_eq!(classes.len(), wanted.probabilities.len());
        for (class, wanted) in classes.iter().zip(wanted.probabilities) {
            farthest = farthest.max((class.probability - wanted).abs());
        }
    }
    (farthest, tolerance)
}

#[test]
fn trained_models_answer_as_their_recipe_wrote_down() {
    let newest = libraries().pop();
    let settings = Runtime { onnxruntime_library: newest, ..runtime(Listed::OnnxRuntime, &[Provider::Cpu]) };
    let backend = Backend::choose(&settings).unwrap();
    let folders = references();
    assert!(!folders.is_empty(), "no model has a reference.json: models/ is part of the repository");
    for folder in folders {
        let (farthest, tolerance) = farthest(&backend, &settings, &folder);
        let name = folder.file_name().unwrap().display();
        println!("{name}: farthest probability {farthest:.1e}, tolerance {tolerance:.0e} and {LEVEL} for levels");
        let most = tolerance + LEVEL;
        assert!(farthest <= most, "{name}: a probability is {farthest} off, at most {most} is wanted");
    }
}

#[test]
fn every_model_holds_its_references_on_the_oldest_library_and_on_the_newest() {
    let models = root().join("models");
    for folder in catalogue::find(&models).unwrap() {
        let graph = Graph::read(&read_model(&folder).file()).unwrap();
        assert!(graph.ir_version <= 8, "{}: IR {}", folder.display(), graph.ir_version);
        assert!(graph.opset() <= 17, "{}: opset {}", folder.display(), graph.opset());
    }
    for library in libraries() {
        let output = Command::new(env!("CARGO_BIN_EXE_kenpin"))
            .args(["models", "verify", "--run", "--library"])
            .args([&library, &models])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {told}", library.display());
    }
}
