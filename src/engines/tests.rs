//! What the tests of engines share: models, settings, machines; and what a key depends on.

use std::path::PathBuf;

use super::*;
use crate::config::{Profile, Settings, TensorRt};
use crate::engines::options::Options;
use crate::models::passport::{Passport, Reference};
use crate::name::Name;

/// A model of the fixtures, which says that it has references.
pub(crate) fn fixture(name: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx").join(name);
    let text = std::fs::read_to_string(folder.join("passport.toml")).unwrap();
    let mut passport: Passport = toml_edit::de::from_str(&text).unwrap();
    passport.reference = Some(Reference { path: "reference".into(), sha256: "0".repeat(64), tolerance: 1e-3 });
    Model { passport, folder }
}

/// Settings with one model, TensorRT before the CPU.
pub(crate) fn settings(model: &Model) -> Settings {
    let text = format!(
        "device.id = \"d\"\n[cameras.c]\nkind = \"replay\"\npath = \"p\"\n[models.m]\nfolder = {:?}\n[[routes]]\n\
         name = \"r\"\nmembers = [{{ model = \"m\" }}]\n[runtime]\nproviders = [\"tensorrt\", \"cpu\"]",
        model.folder.display().to_string()
    );
    let files = [("test".to_owned(), text)];
    crate::config::settings("test", &files, &crate::config::Surroundings::default()).unwrap()
}

/// A machine as a probe might tell of it.
pub(crate) fn machine() -> Machine {
    let versions = Versions { onnxruntime: "1.23.0".into(), tensorrt: "100300".into(), cuda: "12060".into() };
    let board = Board { name: Name::new("orin").unwrap(), told: "NVIDIA Jetson AGX Orin".into() };
    Machine { board, versions, memory: Some(32 << 30) }
}

/// The engine that a model wants with its store in `folder`.
pub(crate) fn wanted(model: &Model, folder: &Path) -> Wanted {
    let mut runtime = settings(model).runtime;
    runtime.tensorrt.folder = folder.to_path_buf();
    Wanted::with(model, &runtime, &machine()).unwrap()
}

/// A place for an engine that nobody looks at closely.
pub(crate) fn place(folder: &Path) -> Place {
    let key = Key::parse(&"0".repeat(64)).unwrap();
    Place { key, folder: folder.to_path_buf(), options: Options::new(), timing_cache: false }
}

/// The key after a change to model, settings or machine.
fn key(change: impl FnOnce(&mut Model, &mut TensorRt, &mut Machine)) -> Key {
    let mut model = fixture("colour");
    let (mut runtime, mut machine) = (settings(&model).runtime, machine());
    change(&mut model, &mut runtime.tensorrt, &mut machine);
    Wanted::with(&model, &runtime, &machine).unwrap().place.key
}

#[test]
fn a_key_depends_on_everything_an_engine_depends_on_and_on_nothing_else() {
    let plain = key(|_, _, _| ());
    let profile =
        |many: usize| Profile { min: vec![1, 3, 16, 12], opt: vec![many, 3, 16, 12], max: vec![many, 3, 16, 12] };
    let other = |model: &mut Model, settings: &mut TensorRt, many: usize| {
        model.passport.batch_up_to = Some(4);
        let profiles = [("image".to_owned(), profile(many))].into();
        settings.profiles = [(model.folder.clone(), profiles)].into();
    };
    let external =
        |sha256: &str| crate::models::passport::ExternalFile { path: "weights".into(), sha256: sha256.into() };
    let keys = [
        plain.clone(),
        key(|model, _, _| model.passport.file.sha256 = "1".repeat(64)),
        key(|model, _, _| model.passport.file.external = vec![external("a")]),
        key(|model, _, _| model.passport.file.external = vec![external("b")]),
        key(|model, _, _| model.passport.batch_up_to = Some(4)),
        key(|model, settings, _| other(model, settings, 4)),
        key(|model, settings, _| other(model, settings, 8)),
        key(|_, settings, _| settings.fp16 = true),
        key(|_, settings, _| settings.int8 = true),
        key(|_, settings, _| settings.dla_core = Some(0)),
        key(|_, settings, _| settings.dla_core = Some(1)),
        key(|_, settings, _| settings.workspace_mib = Some(333)),
        key(|_, settings, _| settings.optimisation_level = 2),
        key(|_, settings, _| settings.cuda_graphs = true),
        key(|_, settings, _| settings.exclude_operators = Some(vec!["Relu".into()])),
        key(|_, _, machine| machine.board.name = Name::new("thor").unwrap()),
        key(|_, _, machine| machine.versions.onnxruntime = "1.24.0".into()),
        key(|_, _, machine| machine.versions.tensorrt = "100301".into()),
        key(|_, _, machine| machine.versions.cuda = "13000".into()),
    ];
    let distinct: std::collections::BTreeSet<&Key> = keys.iter().collect();
    // A batch of 1 to 4 is the same engine whether the passport or the settings say so.
    assert_eq!((distinct.len(), &keys[4]), (keys.len() - 1, &keys[5]));
    for same in [
        key(|_, settings, _| settings.engine_build = crate::config::EngineBuild::Background),
        key(|_, settings, _| settings.memory_reserve = 1),
        key(|_, settings, _| settings.folder = PathBuf::from("elsewhere")),
        key(|_, settings, _| settings.timing_cache = false),
        key(|_, settings, _| settings.tolerance = Some(0.1)),
        key(|_, _, machine| machine.memory = Some((32 << 30) + 4096 * 77)),
    ] {
        assert_eq!(same, plain);
    }
}

#[test]
fn a_model_that_nothing_holds_to_its_answers_has_no_engine() {
    let mut model = fixture("colour");
    model.passport.reference = None;
    let why = Wanted::with(&model, &settings(&model).runtime, &machine()).unwrap_err();
    assert!(why.starts_with("its passport names no references"), "{why}");
}

#[test]
fn an_accelerator_that_the_board_lacks_leaves_no_key() {
    let model = fixture("colour");
    let mut runtime = settings(&model).runtime;
    runtime.tensorrt.dla_core = Some(0);
    let mut machine = machine();
    machine.board.told = "NVIDIA Jetson Orin Nano Developer Kit".into();
    assert!(Wanted::with(&model, &runtime, &machine).unwrap_err().contains("Orin Nano"));
}
