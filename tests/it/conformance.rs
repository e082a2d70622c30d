//! Conformance: every backend compiled in gives the reference answers, on the oldest and the newest ONNX Runtime.
//!
//! A process can load one libonnxruntime only, so each library gets a process of its own: this test binary again, with
//! the one test that does the work picked by name. The libraries come from `KENPIN_TEST_ORT_LIBRARIES` (paths separated
//! by colons), else from where `make test` puts them.

use std::path::{Path, PathBuf};
use std::process::Command;

use kenpin::config::{Backend as Listed, Provider, Runtime, TensorRt};
use kenpin::flow::infer::backend::Backend;
use kenpin::flow::infer::session::{Tensor, TensorData};
use kenpin::models::ModelError;
use kenpin::models::passport::{Activation, Element, ImageInput, Input, Model, Passport};
use kenpin::task::classification::probabilities;
use serde::Deserialize;

/// How far a probability may lie from the reference.
const TOLERANCE: f64 = 1e-4;

/// Set for the process that does the work.
const CHILD: &str = "KENPIN_TEST_CONFORMANCE_CHILD";

const FIXTURES: [&str; 7] = ["brightness", "bytes", "colour", "corner", "independent", "no-number", "pooled"];

#[derive(Deserialize)]
struct Case {
    input: Vec<u8>,
    output: Vec<Option<f32>>,
}

/// The libraries under test, oldest first.
pub(crate) fn libraries() -> Vec<PathBuf> {
    let named = std::env::var_os("KENPIN_TEST_ORT_LIBRARIES").filter(|value| !value.is_empty());
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/setup");
    let usual = [
        "onnxruntime-1.17.3/*/libonnxruntime.so.1.17.3",
        "onnxruntime-1.32.0/onnxruntime/capi/libonnxruntime.so.1.32.0",
    ];
    let paths: Vec<PathBuf> = match named {
        Some(named) => std::env::split_paths(&named).collect(),
        None => usual.iter().map(|place| first_match(&setup, place)).collect(),
    };
    for path in &paths {
        let path = path.display();
        assert!(
            Path::new(&path.to_string()).is_file(),
            "there is no ONNX Runtime at {path}: run `make test`, or name the libraries in KENPIN_TEST_ORT_LIBRARIES"
        );
    }
    paths
}

/// The first path below `folder` that matches; a `*` stands for any one folder or for none.
fn first_match(folder: &Path, place: &str) -> PathBuf {
    let Some((before, after)) = place.split_once("/*/") else { return folder.join(place) };
    let folder = folder.join(before);
    let below = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path().join(after));
    below.chain([folder.join(after)]).find(|path| path.is_file()).unwrap_or_else(|| folder.join(after))
}

pub(crate) fn runtime(backend: Listed, providers: &[Provider]) -> Runtime {
    Runtime {
        backends: vec![backend],
        onnxruntime_library: None,
        providers: providers.to_vec(),
        full_placement: false,
        threads_per_session: 1,
        models_at_once: None,
        parts_in_flight: 1,
        memory_bytes: None,
        tensorrt: TensorRt { program: Some(env!("CARGO_BIN_EXE_kenpin").into()), ..TensorRt::default() },
    }
}

pub(crate) fn fixture(name: &str) -> Model {
    read_model(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx").join(name))
}

pub(crate) fn read_model(folder: &Path) -> Model {
    let text = std::fs::read_to_string(folder.join("passport.toml")).unwrap();
    let passport: Passport = toml_edit::de::from_str(&text).unwrap();
    Model { passport, folder: folder.to_path_buf() }
}

fn cases(model: &Model) -> Vec<Case> {
    serde_json::from_slice(&std::fs::read(model.folder().join("reference.json")).unwrap()).unwrap()
}

fn tensor(model: &Model, case: &Case) -> Tensor {
    let input = &model.passport.inputs[0];
    let data = match input.element() {
        Element::Uint8 => TensorData::U8(case.input.clone()),
        _ => TensorData::F32(case.input.iter().map(|&level| f32::from(level) / 256.0).collect()),
    };
    Tensor::new(input.shape().to_vec(), data).unwrap()
}

fn image(passport: &mut Passport) -> &mut ImageInput {
    match &mut passport.inputs[0] {
        Input::Image(input) => input,
        other => panic!("{other:?}"),
    }
}

fn floats(tensor: &Tensor) -> &[f32] {
    match tensor.data() {
        TensorData::F32(numbers) => numbers,
        other => panic!("{other:?}"),
    }
}

/// Every fixture gives its reference answers; the greatest distance seen.
fn answers_as_the_reference(backend: &Backend, runtime: &Runtime) -> f64 {
    let mut farthest = 0.0_f64;
    for name in FIXTURES {
        let model = fixture(name);
        let mut session = backend.open(&model, runtime).unwrap();
        for (place, case) in cases(&model).iter().enumerate() {
            let answer = session.run(&[tensor(&model, case)]).unwrap();
            assert_eq!(answer.len(), 1, "{name}: the outputs of the passport, no more");
            assert_eq!(answer[0].shape(), model.passport.outputs[0].shape);
            let wanted: Vec<f32> = case.output.iter().map(|number| number.unwrap_or(f32::NAN)).collect();
            let read = |numbers: &[f32]| {
                let activation = model.passport.outputs[0].activation.unwrap();
                probabilities(numbers, activation, &model.passport.labels)
            };
            match (read(floats(&answer[0])), read(&wanted)) {
                (Ok(seen), Ok(wanted)) => {
                    for (seen, wanted) in seen.iter().zip(&wanted) {
                        farthest = farthest.max((seen - wanted).abs());
                        assert!(
                            (seen - wanted).abs() <= TOLERANCE,
                            "{name} {place}: {seen}, the reference is {wanted}"
                        );
                    }
                }
                (seen, wanted) => {
                    let sentence = "the output at place 0 (label good) is NaN, a finite number is wanted";
                    assert_eq!((name, seen, wanted), ("no-number", Err(sentence.into()), Err(sentence.into())));
                }
            }
        }
    }
    farthest
}

/// A passport that says something else than the graph stops the model, with both values.
fn other_signatures_are_refused(backend: &Backend, runtime: &Runtime) {
    let refused = |name: &str, change: fn(&mut Passport)| {
        let mut model = fixture(name);
        change(&mut model.passport);
        match backend.open(&model, runtime).map(|_| ()) {
            Err(error @ ModelError::Signature { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        refused("brightness", |passport| image(passport).name = "picture".into()),
        "model brightness: the list of inputs is \"image\", the passport wants \"picture\""
    );
    assert_eq!(
        refused("brightness", |passport| image(passport).shape = vec![1, 1, 8, 9]),
        "model brightness: the shape of input \"image\" is [1, 1, 8, 8], the passport wants [1, 1, 8, 9]"
    );
    assert_eq!(
        refused("bytes", |passport| image(passport).element = Element::Float32),
        "model bytes: the element type of input \"image\" is uint8, the passport wants float32"
    );
    assert_eq!(
        refused("independent", |passport| passport.outputs[0].name = "logits".into()),
        "model independent: the list of outputs is \"features\", \"answers\", the passport wants \"logits\" among them"
    );
    assert_eq!(
        refused("independent", |passport| passport.outputs[0].shape = vec![1, 2]),
        "model independent: the shape of output \"answers\" is [1, 3], the passport wants [1, 2]"
    );
}

/// A file that is not the passport's, cut short or no ONNX at all, is an error and nothing worse.
fn broken_files_are_refused(backend: &Backend, runtime: &Runtime) {
    use sha2::Digest as _;
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(fixture("colour").file()).unwrap();
    let mut model = fixture("colour");
    model.folder = folder.path().to_path_buf();
    assert!(matches!(backend.open(&model, runtime).map(|_| ()), Err(ModelError::Unreadable { .. })));
    let contents: [&[u8]; 4] = [b"", b"not a model", &whole[..whole.len() / 2], &whole[..whole.len() - 1]];
    for content in contents {
        std::fs::write(model.file(), content).unwrap();
        model.passport.file.sha256 = fixture("colour").passport.file.sha256;
        let wrong = backend.open(&model, runtime).map(|_| ()).unwrap_err();
        assert!(matches!(wrong, ModelError::WrongHash { .. }), "{wrong}");
        let hash = sha2::Sha256::digest(content);
        model.passport.file.sha256 = hash.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let broken = backend.open(&model, runtime).map(|_| ()).unwrap_err().to_string();
        assert!(broken.starts_with("model colour: ") || broken.contains("model.onnx: "), "{broken}");
    }
}

/// A run with a wrong tensor is an error, and the next run is right.
fn a_failed_run_harms_no_other(backend: &Backend, runtime: &Runtime) {
    let model = fixture("brightness");
    let case = &cases(&model)[2];
    let mut session = backend.open(&model, runtime).unwrap();
    assert!(session.run(&[]).is_err());
    assert!(session.run(&[Tensor::zeros(&[1, 1, 8, 9], Element::Float32)]).is_err());
    assert!(session.run(&[Tensor::zeros(&[1, 1, 8, 8], Element::Int64)]).is_err());
    let answer = session.run(&[tensor(&model, case)]).unwrap();
    let wanted = case.output[0].unwrap();
    assert!((floats(&answer[0])[0] - wanted).abs() < 1e-4);
}

fn conforms(backend: &Backend, runtime: &Runtime) -> f64 {
    let farthest = answers_as_the_reference(backend, runtime);
    other_signatures_are_refused(backend, runtime);
    broken_files_are_refused(backend, runtime);
    a_failed_run_harms_no_other(backend, runtime);
    assert_eq!(fixture("independent").passport.outputs[0].activation, Some(Activation::Sigmoid));
    farthest
}

#[cfg(feature = "ort")]
mod onnxruntime {
    use super::*;

    /// A CPU-only library asked for more: the CPU with a reason, or an error; never silence.
    fn providers_that_are_not_there_are_told(backend: &Backend) {
        let model = fixture("colour");
        let wish = runtime(Listed::OnnxRuntime, &[Provider::TensorRt, Provider::Cuda, Provider::Cpu]);
        let session = backend.open(&model, &wish).unwrap();
        let placement = session.placement();
        let why = placement.fallback.as_deref().unwrap();
        assert_eq!(placement.provider, "cpu");
        assert!(why.contains("tensorrt: ") && why.contains("; cuda: "), "{why}");
        println!("fallback: {why}");
        let error = backend.open(&model, &runtime(Listed::OnnxRuntime, &[Provider::Cuda])).map(|_| ()).unwrap_err();
        assert!(error.to_string().starts_with("model colour: cuda: "), "{error}");
        let full = Runtime { full_placement: true, ..runtime(Listed::OnnxRuntime, &[Provider::Cpu]) };
        let session = backend.open(&model, &full).unwrap();
        assert_eq!(session.placement().fallback, None, "the CPU is what was asked for");
    }

    fn nodes_are_counted(backend: &Backend) {
        let session = backend.open(&fixture("colour"), &runtime(Listed::OnnxRuntime, &[Provider::Cpu])).unwrap();
        let nodes = &session.placement().nodes;
        assert!(nodes.keys().eq(["cpu"]) && (3..=7).contains(&nodes["cpu"]), "{nodes:?}");
        let left = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
        let mine = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("kenpin-profile-")).count();
        assert_eq!(mine, 0, "the profile is removed");
    }

    #[test]
    fn works_on_the_library_of_the_child_process() {
        if std::env::var_os(CHILD).is_none() {
            return; // `answers_alike_on_every_library` runs this test in a process of its own for each library.
        }
        let cpu = runtime(Listed::OnnxRuntime, &[Provider::Cpu]);
        let garbage = Runtime { onnxruntime_library: Some(fixture("colour").file()), ..cpu.clone() };
        let why = Backend::choose(&garbage).map(|_| ()).unwrap_err().to_string();
        assert!(why.starts_with("ONNX Runtime cannot be loaded: "), "{why}");
        let absent = Runtime { onnxruntime_library: Some("/no/such/library.so".into()), ..cpu.clone() };
        assert!(Backend::choose(&absent).map(|_| ()).unwrap_err().to_string().contains("/no/such/library.so"));
        let backend = Backend::choose(&cpu).unwrap();
        nodes_are_counted(&backend);
        let farthest = conforms(&backend, &cpu);
        providers_that_are_not_there_are_told(&backend);
        let version = backend.open(&fixture("colour"), &cpu).unwrap().placement().version.clone();
        let library = std::env::var("ORT_DYLIB_PATH").unwrap();
        assert!(library.ends_with(&version), "{library} says it is {version}");
        println!("conforms: onnxruntime {version}, farthest probability {farthest:.1e}");
    }

    #[test]
    fn answers_alike_on_every_library() {
        let libraries = libraries();
        assert!(libraries.len() > 1, "the oldest and the newest are wanted: {libraries:?}");
        for library in libraries {
            let temporary = tempfile::tempdir().unwrap();
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["conformance::onnxruntime::works_on_the_library_of_the_child_process", "--exact", "--nocapture"])
                .env(CHILD, "1")
                .env("TMPDIR", temporary.path())
                .env("ORT_DYLIB_PATH", &library)
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stdout);
            let erred = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {:?}\n{told}\n{erred}", library.display(), output.status);
            assert!(told.contains("conforms: onnxruntime"), "{told}");
            for line in told.lines().filter(|line| line.starts_with("conforms") || line.starts_with("fallback")) {
                println!("{line}");
            }
        }
    }
}

#[cfg(feature = "tract")]
mod tract {
    use super::*;

    #[test]
    fn answers_as_onnxruntime_does() {
        let alone = runtime(Listed::Tract, &[Provider::Cpu]);
        let backend = Backend::choose(&alone).unwrap();
        let farthest = conforms(&backend, &alone);
        let session = backend.open(&fixture("colour"), &alone).unwrap();
        let placement = session.placement();
        assert_eq!((placement.backend.as_str(), placement.provider.as_str()), ("tract", "cpu"));
        assert_eq!(placement.fallback, None, "tract is what was asked for");
        println!("conforms: tract {}, farthest probability {farthest:.1e}", placement.version);
    }

    #[test]
    fn as_a_fallback_it_says_so() {
        let wish = Runtime {
            backends: vec![Listed::OnnxRuntime, Listed::Tract],
            onnxruntime_library: Some("/no/such/library.so".into()),
            ..runtime(Listed::Tract, &[Provider::Cpu])
        };
        let backend = Backend::choose(&wish).unwrap();
        let session = backend.open(&fixture("colour"), &wish).unwrap();
        let why = session.placement().fallback.as_deref().unwrap();
        assert!(why.contains("/no/such/library.so"), "{why}");
    }

    #[test]
    fn the_version_it_tells_is_the_one_that_is_locked() {
        let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
        let alone = runtime(Listed::Tract, &[Provider::Cpu]);
        let session = Backend::choose(&alone).unwrap().open(&fixture("colour"), &alone).unwrap();
        let version = &session.placement().version;
        assert!(lock.contains(&format!("name = \"tract-onnx\"\nversion = \"{version}")), "{version}");
    }
}
