//! Teaching through the binary: what is taught to a handful of made pictures is a model like any other, answers as the formulas
//! say, comes back to the last byte, and is refused where the examples do not teach.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use kenpin::clock::Monotonic;
use kenpin::config::{Backend as Listed, JpegScale, Provider, Runtime};
use kenpin::flow::acquire::decode::read_image;
use kenpin::flow::infer::backend::Backend;
use kenpin::flow::infer::feed::{Feed, Question};
use kenpin::flow::pool::Pool;
use kenpin::flow::{Findings, Frame};
use kenpin::learn::teach::bank::Bank;
use kenpin::learn::teach::held_out::{held_out, slope};
use kenpin::learn::teach::{Examples, Learner, chances, teach};
use kenpin::models::passport::Model;
use kenpin::name::Name;
use kenpin::task;
use kenpin::task::geometry::Region;
use serde_json::Value;

use crate::conformance::runtime;
use crate::support::daemon::library;

/// Made pictures: good ones are bright, cracks are dark above and bright below, stains the other way round.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        for step in 0..6_u8 {
            for (class, above, below) in [("good", 200, 200), ("crack", 30, 200), ("stain", 200, 30)] {
                place.picture(&format!("examples/{class}/{step}.png"), above + step * 3, below + step * 2);
            }
            place.picture(&format!("pair/good/{step}.png"), 200 + step * 3, 200 + step * 2);
            place.picture(&format!("pair/bad/{step}.png"), 30 + step * 3, 200 + step * 2);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn picture(&self, name: &str, above: u8, below: u8) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let level = |y: u32, x: u32| if y < 12 { above } else { below }.saturating_add(u8::try_from(x % 7).unwrap());
        image::GrayImage::from_fn(32, 24, |x, y| image::Luma([level(y, x)])).save(path).unwrap();
    }

    fn kenpin(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
        command.args(arguments).current_dir(self.folder.path()).env("ORT_DYLIB_PATH", library());
        command.env("NO_COLOR", "1").output().unwrap()
    }

    fn teach(&self, examples: &str, further: &[&str]) -> Output {
        let embedding = embedding();
        let embedding = embedding.to_str().unwrap();
        self.kenpin(&[&["teach", "--embedding", embedding, "--examples", examples], further].concat())
    }

    /// What `kenpin teach` told as JSON.
    fn taught(&self, examples: &str, further: &[&str]) -> Value {
        let output = self.teach(examples, &[further, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The score of each picture of the set `pair` by the daemon's own path, in the order of the names, good ones first.
    fn scores(&self, model: &str) -> Vec<f64> {
        let config = format!(
            "[device]\nid = \"d\"\n[cameras.top]\nkind = \"replay\"\npath = \"pair/good\"\n[models.m]\nfolder = \"{model}\"\n\
             [[routes]]\nname = \"all\"\nmembers = [{{ model = \"m\" }}]\n"
        );
        std::fs::write(self.path("kenpin.toml"), config).unwrap();
        let output = self.kenpin(&["eval", "kenpin.toml", "pair", "--scores", "scores.csv"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let rows = csv::Reader::from_path(self.path("scores.csv")).unwrap();
        rows.into_deserialize::<(String, String, f64)>().map(|row| row.unwrap().2).collect()
    }
}

fn embedding() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/embedding")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The vectors of the pictures in some folders, by the embedding model itself.
fn vectors(folders: &[PathBuf]) -> Vec<Vec<f64>> {
    let runtime = Runtime { onnxruntime_library: Some(library()), ..runtime(Listed::OnnxRuntime, &[Provider::Cpu]) };
    let model = Model::load(&embedding()).unwrap();
    let mut session = Backend::choose(&runtime).unwrap().open(&model, &runtime).unwrap();
    let (mut feed, pool) = (Feed::new(&model).unwrap(), Pool::new(1));
    let mut vector = |path: PathBuf| {
        let image = read_image(&path, JpegScale::Whole, &pool).unwrap();
        let camera = Name::new("test").unwrap();
        let frame = Frame { camera, sequence: 0, captured: Monotonic::now(), part: None, image };
        let frame = Some(Arc::new(frame));
        let question = Question { frame, region: Region::Whole, readings: Arc::default(), found: Vec::new() };
        let (inputs, geometry) = feed.fill(&question).unwrap();
        match task::decode(&model.passport, session.run(inputs).unwrap(), &geometry).unwrap() {
            Findings::Embedding { vector } => vector.into_iter().map(f64::from).collect(),
            other => panic!("{other:?}"),
        }
    };
    let pictures = folders.iter().flat_map(|folder| {
        let mut pictures: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        pictures.sort();
        pictures
    });
    pictures.map(&mut vector).collect()
}

#[test]
fn every_head_is_a_model_that_the_daemon_loads_and_that_answers_as_the_formulas_say() {
    let place = Place::new();
    let vectors = vectors(&[place.path("pair/good"), place.path("pair/bad")]);
    let examples = Examples { vectors, classes: [[0; 6], [1; 6]].concat(), count: 2 };
    for (head, learner) in [
        ("prototype", Some(Learner::Prototype)),
        ("ridge", Some(Learner::Ridge)),
        ("logistic", Some(Learner::Logistic)),
        ("memory-bank", None),
    ] {
        let folder = format!("models/{head}");
        let told = place.taught("pair", &["--head", head, "--out", &folder, "--bank", "4"]);
        let verified = place.kenpin(&["models", "verify", &folder, "--run"]);
        assert_eq!(verified.status.code(), Some(0), "{}", stderr(&verified));
        let wanted: Vec<f64> = if let Some(learner) = learner {
            let by = slope(&held_out(learner, &examples).unwrap().scores, &examples);
            let head = teach(learner, &examples).unwrap().scaled(by);
            examples.vectors.iter().map(|vector| chances(&head.scores(vector))[1]).collect()
        } else {
            let bank = Bank::of(&examples.vectors[..6], 4).unwrap();
            let threshold = bank.threshold.unwrap().distance;
            let score = |vector: &Vec<f64>| ((bank.distance(vector) / threshold - 1.0) / 4.0 + 0.5).clamp(0.0, 1.0);
            examples.vectors.iter().map(score).collect()
        };
        let seen = place.scores(&folder);
        assert_eq!(seen.len(), wanted.len());
        for (seen, wanted) in seen.iter().zip(&wanted) {
            assert!((seen - wanted).abs() < 1e-4, "{head}: {seen} {wanted}");
        }
        let (good, bad) = seen.split_at(6);
        assert!(bad.iter().all(|bad| *bad > 0.5 && good.iter().all(|good| good < bad)), "{head}: {seen:?}");
        let estimate = &told["taught"]["estimate"];
        assert_eq!((estimate["auc"]["value"].as_f64(), estimate["way"].as_str()), (Some(1.0), Some("leave-one-out")));
        assert!(estimate["auc"]["low"].as_f64().unwrap() < 0.7, "six examples a class prove little: {estimate}");
    }
}

#[test]
fn versions_come_back_to_the_last_byte_and_examples_are_known_again() {
    let place = Place::new();
    let read = |file: &str| std::fs::read(place.path("models/part").join(file)).unwrap();
    let first = place.taught("examples", &["--out", "models/part", "--head", "ridge"]);
    assert_eq!(first["taught"]["number"].as_u64(), Some(1));
    let classes: Vec<&str> =
        first["taught"]["classes"].as_array().unwrap().iter().map(|class| class["name"].as_str().unwrap()).collect();
    assert_eq!(classes, ["good", "crack", "stain"]);
    let before = ["model.onnx", "passport.toml", "reference.safetensors", "taught.toml"].map(read);
    let second = place.taught("pair", &["--out", "models/part", "--head", "prototype"]);
    assert_eq!(second["taught"]["number"].as_u64(), Some(2));
    assert!(String::from_utf8(read("taught.toml")).unwrap().contains("head = \"prototype\""));
    let listed = place.kenpin(&["models", "list", "models"]);
    assert!(stdout(&listed).matches("A prototype head").count() == 1, "{}", stdout(&listed));

    // The list beside the model is one that the leak guard reads: every picture that was taught is told.
    let (list, pixels) = (place.path("models/part/trained.txt"), place.path("models/part/pixels.csv"));
    let (list, pixels) = (list.to_str().unwrap(), pixels.to_str().unwrap());
    let output = place.teach("pair", &["--trained", list, "--pixels", pixels, "--json"]);
    assert!(stderr(&output).contains("was trained on 12 of the 12 examples"), "{}", stderr(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["taught"]["seen_by_embedding"].as_u64(), Some(12));
    assert!(told["no_estimate"].as_str().unwrap().contains("0 good and 0 defective"), "{told}");

    let output = place.kenpin(&["teach", "--rollback", "--out", "models/part"]);
    assert_eq!(stdout(&output), "models/part: version 1 is in force again\n");
    assert_eq!(["model.onnx", "passport.toml", "reference.safetensors", "taught.toml"].map(read), before);
}

#[test]
fn the_picture_that_nobody_is_sure_of_is_the_one_to_label_next() {
    let place = Place::new();
    for (name, above, below) in [("plain", 204, 203), ("between", 120, 200), ("broken", 30, 200)] {
        place.picture(&format!("new/{name}.png"), above, below);
    }
    for head in ["prototype", "ridge", "logistic", "memory-bank"] {
        let told = place.taught("pair", &["--head", head, "--next", "new"]);
        let next = told["next"].as_array().unwrap();
        assert_eq!(next.len(), 3);
        let margins: Vec<f64> = next.iter().map(|next| next["margin"].as_f64().unwrap()).collect();
        if head != "memory-bank" {
            assert!(next[0]["image"].as_str().unwrap().ends_with("between.png"), "{head}: {told}");
            assert!(next[0]["heads_against"].as_u64() > Some(0) || margins.is_sorted(), "{head}: {told}");
        }
        let called = |name: &str| {
            let of = next.iter().find(|next| next["image"].as_str().unwrap().ends_with(name)).unwrap();
            of["called"].as_str().unwrap().to_owned()
        };
        let bad = if head == "memory-bank" { "unusual" } else { "bad" };
        assert_eq!((called("plain.png").as_str(), called("broken.png").as_str()), ("good", bad), "{head}");
    }
}

#[test]
fn a_curve_is_drawn_over_parts_that_the_embedding_has_not_seen() {
    let place = Place::new();
    std::fs::write(place.path("list.txt"), "one\n").unwrap();
    let told = place.taught("pair", &["--out", "models/part"]);
    assert!(told["written"].is_string());
    let pixels = std::fs::read_to_string(place.path("models/part/pixels.csv")).unwrap();
    let row = pixels.lines().nth(1).unwrap().split_once(',').unwrap().1.to_owned();
    std::fs::write(place.path("pixels.csv"), format!("part,sha256\none,{row}\n")).unwrap();
    let guard = ["--trained", "list.txt", "--pixels", "pixels.csv"];
    let curve = ["--curve", "1,3", "--draws", "4", "--plot", "curve.svg"];
    let told = place.taught("pair", &[&guard[..], &curve[..]].concat());
    assert_eq!((told["parts"].as_u64(), told["left_out"].as_u64()), (Some(11), Some(1)), "{told}");
    let points = told["points"].as_array().unwrap();
    assert_eq!(points.len(), 8);
    assert!(points.iter().all(|point| point["auc"]["value"].as_f64().unwrap() > 0.9), "{told}");
    let bank = points.iter().find(|point| point["head"] == "memory-bank" && point["examples"] == 1).unwrap();
    assert!(bank["balanced_accuracy"].is_null(), "one picture has no threshold");
    assert!(std::fs::read_to_string(place.path("curve.svg")).unwrap().contains("examples a class"));
    let output = place.teach("pair", &["--curve", "6"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("a class has 6 parts, want more than the 6 examples"), "{}", stderr(&output));
}

#[test]
fn examples_that_do_not_teach_are_refused() {
    let place = Place::new();
    let told = |arguments: &[&str], code: i32| {
        let output = place.kenpin(arguments);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(!place.path("models").exists(), "nothing is written");
        stderr(&output)
    };
    let embedding = embedding();
    let teach = ["teach", "--embedding", embedding.to_str().unwrap(), "--out", "models/part", "--examples"];
    let of = |set: &'static str, more: &[&'static str]| [&teach[..], &[set], more].concat();

    place.picture("single/good/a.png", 200, 200);
    let alone = told(&of("single", &[]), 1);
    assert!(alone.contains("there are good examples only, want a folder of defective examples too"), "{alone}");
    let one = told(&of("single", &["--head", "memory-bank"]), 1);
    assert!(one.contains("a memory bank has 1 good examples, want at least two"), "{one}");
    std::fs::create_dir_all(place.path("single/bad")).unwrap();
    assert!(told(&of("single", &[]), 1).contains("there is no example of bad"));
    std::fs::copy(place.path("single/good/a.png"), place.path("single/bad/b.png")).unwrap();
    assert!(told(&of("single", &[]), 1).contains("are one picture: take one of them away"));
    std::fs::write(place.path("single/bad/b.png"), "no picture").unwrap();
    assert!(told(&of("single", &[]), 3).contains("b.png"));
    std::fs::remove_dir_all(place.path("single/good")).unwrap();
    assert!(told(&of("single", &[]), 3).contains("want good/ and one for each kind of defect"));
    assert!(told(&of("nowhere", &[]), 3).contains("nowhere"));

    let classifier = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/brightness");
    let classifier = classifier.to_str().unwrap();
    let other = told(&["teach", "--embedding", classifier, "--examples", "pair", "--out", "models/part"], 1);
    assert!(other.contains("brightness is a model for classification, want one for embedding"), "{other}");
    assert!(told(&["teach", "--rollback", "--out", "models/part"], 3).contains("models/part"));
}

#[test]
fn one_example_a_class_teaches_and_says_that_nothing_is_known_of_it() {
    let place = Place::new();
    for (class, above) in [("good", 200), ("bad", 30)] {
        place.picture(&format!("one/{class}/a.png"), above, 200);
    }
    let output = place.teach("one", &["--out", "models/part"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = stdout(&output);
    assert!(told.contains("how good it is is not known: there is one example of good"), "{told}");
    assert!(told.ends_with("version 1 is in models/part\n"), "{told}");
    let seen = place.scores("models/part");
    assert!(seen[..6].iter().all(|good| *good < 0.5) && seen[6..].iter().all(|bad| *bad > 0.5), "{seen:?}");

    // What was made by hand is left alone.
    std::fs::remove_file(place.path("models/part/taught.toml")).unwrap();
    let output = place.teach("one", &["--out", "models/part"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("taught.toml"), "{}", stderr(&output));
    let left: Vec<_> =
        std::fs::read_dir(place.path("models")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["part"], "nothing unfinished is left");
}
