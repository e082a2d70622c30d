//! Import: ONNX files of the field's exporters become model folders, and a model that does not reproduce its references,
//! or whose files are not those of its passport, does not judge.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kenpin::config::{Backend as Listed, Provider, Runtime};
use kenpin::flow::infer::backend::Backend;
use kenpin::models::graph::Graph;
use kenpin::models::passport::{FILE_NAME, Model};
use kenpin::models::propose::{Files, Given, Proposal, Refusal, propose};
use kenpin::name::Name;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::conformance::runtime;
use crate::support::daemon::library;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import").join(format!("{name}.onnx"))
}

fn texts(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

/// What a user of a file with metadata still has to say: which labels are defects, and where nobody wrote it, the licence.
fn given(name: &str) -> Given {
    let licence = (!name.starts_with("yolo-")).then(|| "Apache-2.0".to_owned());
    let yolo = name.starts_with("yolo");
    let defects = match name {
        "yolo-classify" => texts(&["bad", "ugly"]),
        "scikit-learn" => texts(&["worn"]),
        "picodet" => texts(&["scratch", "stain"]),
        "rt-detr" | "segmentation" | "classifier" => texts(&["burr"]),
        "torchvision" | "text" => texts(&["flaw"]),
        _ if yolo => texts(&["scratch", "burr"]),
        _ => None,
    };
    let labels = match name {
        "rt-detr" | "segmentation" | "classifier" => texts(&["good", "scratch", "burr"]),
        "torchvision" => texts(&["flaw"]),
        "text" => texts(&["fine", "flaw"]),
        _ => None,
    };
    let pixels = matches!(name, "rt-detr" | "segmentation" | "classifier" | "torchvision" | "picodet");
    let size = match name {
        "segmentation" => Some((64, 96)),
        "recognition" => Some((48, 320)),
        _ => None,
    };
    let normalise = pixels.then(|| "imagenet".to_owned());
    Given { labels, defects, licence, normalise, size, ..Given::default() }
}

fn files(name: &str) -> Files {
    let tokenizer = (name == "text").then(|| ("tokenizer.json".to_owned(), "0".repeat(64)));
    let model = ("model.onnx".to_owned(), "0".repeat(64));
    let source = format!("{name}.onnx");
    Files { name: Name::new(name).unwrap(), source, model, external: Vec::new(), tokenizer }
}

fn proposed(name: &str) -> Result<Proposal, Refusal> {
    propose(&Graph::read(&fixture(name)).unwrap(), &files(name), &given(name))
}

#[test]
fn a_proposed_passport_is_accepted_without_editing() {
    let families = [
        "yolo-detect",
        "yolo-detect-dynamic",
        "yolo-segment",
        "yolo-obb",
        "yolo-suppressed",
        "yolo-classify",
        "yolov5",
        "anomalib",
        "picodet",
        "recognition",
        "rt-detr",
        "torchvision",
        "segmentation",
        "classifier",
        "scikit-learn",
        "text",
    ];
    for name in families {
        let proposal = proposed(name).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        let notes: String = proposal.notes.iter().map(|note| format!("# note: {note}\n")).collect();
        insta::assert_snapshot!(format!("proposed_{name}"), format!("{}\n{notes}", proposal.passport));
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(FILE_NAME), &proposal.passport).unwrap();
        if let Err(error) = Model::load(&folder) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_refused_plainly() {
    let told = |name: &str| match proposed(name).unwrap_err() {
        Refusal::Impossible(why) => why,
        Refusal::Asked(questions) => panic!("{questions:?}"),
    };
    assert_eq!(told("yolo-pose"), "the file is for Ultralytics' task `pose`, which Kenpin does not read");
    let tables = told("scikit-learn-tables");
    assert!(tables.contains("probabilities") && tables.contains("zipmap"), "{tables}");
}

#[test]
fn everything_that_must_be_asked_is_asked_at_once() {
    let graph = Graph::read(&fixture("segmentation")).unwrap();
    let Err(Refusal::Asked(questions)) = propose(&graph, &files("segmentation"), &Given::default()) else { panic!() };
    let flags: Vec<&str> = questions.iter().map(|question| question.flag).collect();
    assert_eq!(flags, ["size", "normalise", "labels", "licence"]);
}

fn kenpin(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
    let command = command.args(["models"]).args(arguments).current_dir(folder);
    command.env("ORT_DYLIB_PATH", library()).env("NO_COLOR", "1").stdin(std::process::Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A picture with edges and colours, 90 x 60.
fn picture(folder: &Path) -> PathBuf {
    let picture = image::RgbImage::from_fn(90, 60, |x, y| {
        let level = |number: u32| u8::try_from(number % 256).unwrap();
        image::Rgb([level(x * 3), level(y * 5), if (x / 9 + y / 7) % 2 == 0 { 230 } else { 20 }])
    });
    let path = folder.join("part.png");
    picture.save(&path).unwrap();
    path
}

/// Imports a fixture into `folder/models`; gives the model's folder and what was told.
fn imported(folder: &Path, name: &str, further: &[&str]) -> (PathBuf, Value) {
    let (file, picture) = (fixture(name), picture(folder));
    let mut arguments = vec!["import", file.to_str().unwrap(), "--image", picture.to_str().unwrap(), "--json"];
    arguments.extend(further);
    let output = kenpin(folder, &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    (folder.join("models").join(name), serde_json::from_slice(&output.stdout).unwrap())
}

const CLASSIFY: [&str; 2] = ["--defects", "bad,ugly"];

/// Further arguments for a classifier without metadata.
const PLAIN: [&str; 7] = ["--labels=a,b,c", "--defects=c", "--licence=MIT", "--normalise", "unit", "--fit", "stretch"];

/// Why a model cannot be opened.
fn refused(folder: &Path) -> String {
    let runtime = Runtime { onnxruntime_library: Some(library()), ..runtime(Listed::OnnxRuntime, &[Provider::Cpu]) };
    let model = Model::load(folder).unwrap();
    Backend::choose(&runtime).unwrap().open(&model, &runtime).map(drop).unwrap_err().to_string()
}

fn edit(folder: &Path, change: impl Fn(String) -> String) {
    let path = folder.join(FILE_NAME);
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = change(text.clone());
    assert_ne!(text, changed, "the edit changes something");
    std::fs::write(path, changed).unwrap();
}

fn sha256(path: &Path) -> String {
    Sha256::digest(std::fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the hash of a file as it is now over the one that the passport states.
fn correct_hash(folder: &Path, file: &str, stated: &str) {
    let now = sha256(&folder.join(file));
    edit(folder, |text| text.replace(stated, &now));
}

/// Changes one byte near the end of a file: in these files, a weight.
fn alter(path: &Path, from_end: usize, to: u8) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.len() - from_end;
    assert_ne!(bytes[at], to);
    bytes[at] = to;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_file_with_metadata_becomes_a_model_that_holds_its_reference() {
    let folder = tempfile::tempdir().unwrap();
    let (model, told) = imported(folder.path(), "yolo-classify", &CLASSIFY);
    assert_eq!(told["findings"]["task"], "classification", "{told:#}");
    assert_eq!(told["passport"]["labels"]["defects"], serde_json::json!(["bad", "ugly"]));
    assert!(model.join("reference.safetensors").is_file());
    let preview = image::open(model.join("preview.png")).unwrap();
    assert_eq!((preview.width(), preview.height()), (360, 240), "four times the picture");
    assert_eq!(std::fs::read_dir(folder.path().join("models")).unwrap().count(), 1, "no temporary folder is left");

    let verified = kenpin(folder.path(), &["verify", "--run", "models"]);
    assert!(verified.status.success(), "{}", stderr(&verified));
    let file = fixture("yolo-classify");
    let again = kenpin(folder.path(), &["import", file.to_str().unwrap(), CLASSIFY[0], CLASSIFY[1]]);
    assert_eq!(again.status.code(), Some(3));
    assert!(stderr(&again).contains("is there already"), "{}", stderr(&again));
}

/// What is given, as flags.
fn flags(given: &Given) -> Vec<String> {
    let list =
        |flag: &str, texts: &Option<Vec<String>>| texts.as_ref().map(|texts| format!("--{flag}={}", texts.join(",")));
    let plain = |flag: &str, text: &Option<String>| text.as_ref().map(|text| format!("--{flag}={text}"));
    let size = given.size.map(|(height, width)| format!("--size={height}x{width}"));
    [
        list("labels", &given.labels),
        list("defects", &given.defects),
        plain("licence", &given.licence),
        plain("normalise", &given.normalise),
        size,
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_family_is_imported_and_holds_its_reference() {
    let folder = tempfile::tempdir().unwrap();
    let families = [
        "yolo-detect",
        "yolo-detect-dynamic",
        "yolo-segment",
        "yolo-obb",
        "yolo-suppressed",
        "yolov5",
        "anomalib",
        "picodet",
        "recognition",
        "rt-detr",
        "torchvision",
        "segmentation",
        "scikit-learn",
    ];
    for name in families {
        let flags = flags(&given(name));
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let (model, told) = imported(folder.path(), name, &flags);
        let findings = told["findings"].to_string();
        println!("{name}: {}", &findings[..findings.len().min(160)]);
        let drawn = name == "scikit-learn" || model.join("preview.png").is_file();
        assert!(drawn && model.join("reference.safetensors").is_file(), "{name}");
    }
    let verified = kenpin(folder.path(), &["verify", "--run", "models"]);
    assert!(verified.status.success(), "{}", stderr(&verified));
}

#[test]
fn what_nobody_said_is_named_in_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let file = fixture("classifier");
    let output = kenpin(folder.path(), &["import", file.to_str().unwrap(), "--task", "classification"]);
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    for flag in ["--normalise", "--labels", "--licence"] {
        assert!(told.contains(flag), "{flag}: {told}");
    }
    assert_eq!(std::fs::read_dir(folder.path().join("models")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn other_weights_are_refused_by_their_hash_and_behind_a_corrected_one_by_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    let (model, _) = imported(folder.path(), "external", &PLAIN);
    let weights = model.join("external.data");
    let stated = sha256(&weights);
    alter(&weights, 1, 0x41);
    let told = refused(&model);
    assert!(told.contains("external.data: sha256 is") && told.contains(&stated), "{told}");
    correct_hash(&model, "external.data", &stated);
    let told = refused(&model);
    println!("refused: {told}");
    assert!(told.starts_with("model external: output \"probabilities\" at [0, "), "{told}");
    assert!(told.contains("the reference wants") && told.contains("other weights"), "{told}");
    std::fs::remove_file(weights).unwrap();
    let told = refused(&model);
    assert!(told.contains("external.data: No such file"), "{told}");
}

#[test]
fn external_files_that_the_passport_does_not_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (model, _) = imported(folder.path(), "external", &PLAIN);
    edit(&model, |text| {
        text.lines().filter(|line| !line.starts_with("external = ")).map(|line| format!("{line}\n")).collect()
    });
    let told = refused(&model);
    assert!(told.contains("the list of external files is \"external.data\", the passport wants none"), "{told}");
}

#[test]
fn another_preparation_than_the_references_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (model, _) = imported(folder.path(), "yolo-classify", &CLASSIFY);
    let changes: [(&str, &str, &str); 4] = [
        ("mean", "mean = [0.0, 0.0, 0.0]", "mean = [0.485, 0.456, 0.406]"),
        ("colour", "colour = \"rgb\"", "colour = \"bgr\""),
        ("fit", "fit = \"crop\"", "fit = \"stretch\""),
        ("filter", "filter = \"bilinear\"", "filter = \"nearest\""),
    ];
    let passport = std::fs::read_to_string(model.join(FILE_NAME)).unwrap();
    for (what, from, to) in changes {
        edit(&model, |text| text.replace(from, to));
        let told = refused(&model);
        println!("refused, another {what}: {told}");
        assert!(told.starts_with("model yolo-classify: input \"images\" at [0, "), "{what}: {told}");
        assert!(told.contains("prepares pixels otherwise"), "{what}: {told}");
        std::fs::write(model.join(FILE_NAME), &passport).unwrap();
    }
}

#[test]
fn a_stale_reference_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (model, _) = imported(folder.path(), "yolo-classify", &CLASSIFY);
    let reference = model.join("reference.safetensors");
    let stated = sha256(&reference);
    let whole = std::fs::read(&reference).unwrap();
    std::fs::write(&reference, &whole[..whole.len() - 1]).unwrap();
    assert!(refused(&model).contains("reference.safetensors: sha256 is"));
    correct_hash(&model, "reference.safetensors", &stated);
    let told = refused(&model);
    assert!(told.contains("it is no safetensors file"), "{told}");
    std::fs::remove_file(&reference).unwrap();
    assert!(refused(&model).contains("reference.safetensors: No such file"));
}

#[test]
fn a_model_of_half_precision_is_not_fed_single() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("half");
    std::fs::create_dir(&model).unwrap();
    std::fs::copy(fixture("half"), model.join("model.onnx")).unwrap();
    let mut files = files("half");
    files.model.1 = sha256(&fixture("half"));
    let given = Given {
        labels: texts(&["a", "b", "c"]),
        defects: texts(&["c"]),
        licence: Some("MIT".into()),
        normalise: Some("unit".into()),
        ..Given::default()
    };
    let proposal = propose(&Graph::read(&fixture("half")).unwrap(), &files, &given).unwrap();
    assert!(proposal.passport.contains("element = \"float16\""));
    std::fs::write(model.join(FILE_NAME), proposal.passport.replace("float16", "float32")).unwrap();
    let told = refused(&model);
    println!("refused: {told}");
    assert_eq!(told, "model half: the element type of input \"images\" is float16, the passport wants float32");
}

#[test]
fn open_axes_are_pinned_to_the_passport() {
    let folder = tempfile::tempdir().unwrap();
    let file = fixture("classifier");
    let picture = picture(folder.path());
    let mut arguments = vec!["import", file.to_str().unwrap(), "--image", picture.to_str().unwrap()];
    arguments.extend(PLAIN);
    let output = kenpin(folder.path(), &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let runtime = Runtime { onnxruntime_library: Some(library()), ..runtime(Listed::OnnxRuntime, &[Provider::Cpu]) };
    let model = Model::load(&folder.path().join("models/classifier")).unwrap();
    let session = Backend::choose(&runtime).unwrap().open(&model, &runtime).unwrap();
    let shape = &session.signature().inputs[0].shape;
    assert_eq!(shape, &[Some(1), Some(3), Some(32), Some(32)], "the batch was open");
}
