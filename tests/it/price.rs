//! Prices: what models cost and are worth, measured through the binary on a small set made here.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kenpin::models::price::Price;
use serde_json::Value;

use crate::support::daemon::library;

/// A folder with two models that see brightness alike, one that names no defect, and a labelled set.
struct Place {
    folder: tempfile::TempDir,
}

/// Grey levels of the good and of the defective pictures: the model calls a picture dark, and so defective, below 128.
const GOOD: [u8; 6] = [240, 220, 200, 180, 160, 60];
const DEFECTIVE: [u8; 4] = [10, 40, 90, 170];

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        for (truth, levels) in [("good", GOOD.as_slice()), ("defective", DEFECTIVE.as_slice())] {
            let folder = place.path("set").join(truth);
            std::fs::create_dir_all(&folder).unwrap();
            for level in levels {
                let picture = image::GrayImage::from_pixel(8, 8, image::Luma([*level]));
                picture.save(folder.join(format!("{level:03}.png"))).unwrap();
            }
        }
        place.model("teacher", |passport| passport);
        place.model("student", |passport| passport.replace("tier = \"teacher\"", "tier = \"student\""));
        place.model("gate", |passport| {
            passport.replace("tier = \"teacher\"", "tier = \"gate\"").replace("defects = [\"dark\"]", "defects = []")
        });
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A copy of the smallest model under another name, its passport changed.
    fn model(&self, name: &str, change: impl Fn(String) -> String) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/brightness");
        let folder = self.path("models").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(source.join("model.onnx"), folder.join("model.onnx")).unwrap();
        let passport = std::fs::read_to_string(source.join("passport.toml")).unwrap();
        let passport = passport.replace("name = \"brightness\"", &format!("name = \"{name}\""));
        std::fs::write(folder.join("passport.toml"), change(passport)).unwrap();
    }

    /// `kenpin models price models --data set`, in this folder.
    fn price(&self, further: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
        command.args(["models", "price", "models", "--data", "set", "--repeats", "5", "--board-root", "board"]);
        command.args(further).current_dir(self.folder.path()).env("ORT_DYLIB_PATH", library()).env("NO_COLOR", "1");
        command.output().unwrap()
    }

    /// Writes a file of the miniature board.
    fn board(&self, path: &str, text: &str) {
        let path = self.path("board").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn models_are_priced_alone_and_against_the_only_teacher() {
    let place = Place::new();
    place.board("proc/device-tree/model", "NVIDIA Jetson Test\0");
    let output = place.price(&["--json", "--scores", "scores.csv", "--plot", "front.svg"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["schema"], "kenpin.prices/1");
    let notes = report["notes"].as_array().unwrap();
    assert!(notes.contains(&"gate has a cost and no worth: its labels name no defect".into()), "{notes:?}");
    let prices: Vec<Price> = serde_json::from_value(report["prices"].clone()).unwrap();
    let [gate, student, teacher] = prices.as_slice() else { panic!("{report}") };
    assert_eq!((gate.worth.as_ref(), gate.model.name.as_str()), (None, "gate"));

    // Dark is defective: 170 escapes, 60 is rejected though good; of 24 pairs 60 wins against 90 and 170, and 160 against 170.
    let worth = teacher.worth.as_ref().unwrap();
    assert_eq!((worth.set.parts, worth.set.defective), (10, 4));
    assert!((worth.accuracy.value - 0.8).abs() < 1e-12);
    assert!((worth.balanced_accuracy.value - f64::midpoint(5.0 / 6.0, 3.0 / 4.0)).abs() < 1e-12);
    assert!((worth.auc.value - 21.0 / 24.0).abs() < 1e-12, "{}", worth.auc.value);
    assert!((worth.escapes.value - 0.5).abs() < 1e-12, "no good part may be rejected: 90 and 170 pass as 60 does");
    assert!(worth.auc.low < worth.auc.value && worth.auc.value < worth.auc.high);
    assert_eq!(worth.against_teacher, None);
    let against = student.worth.as_ref().unwrap().against_teacher.as_ref().unwrap();
    assert_eq!((against.teacher.as_str(), against.agreement.value), ("teacher", 1.0));
    assert_eq!((against.mcnemar.p, against.delong.unwrap().p, against.auc_difference.high), (1.0, 1.0, 0.0));

    for price in &prices {
        assert_eq!(
            (price.bench.board.as_str(), price.bench.told.as_str()),
            ("nvidia-jetson-test", "NVIDIA Jetson Test")
        );
        assert_eq!((price.bench.provider.as_str(), price.bench.threads, price.cost.runs), ("cpu", 1, 5));
        assert!(price.cost.run_ms_p99 >= price.cost.run_ms_p50 && price.cost.run_ms_p50 > 0.0);
        assert!(price.cost.prepare_ms_p50.is_some() && price.cost.memory_mb.is_none_or(|megabytes| megabytes > 0.0));
        assert_eq!(price.cost.energy, None, "a board without a monitor has no energy, not zero");
        assert_eq!(price.model.bytes, place.path("models/gate/model.onnx").metadata().unwrap().len());
    }
    // The three have one file, so the last price of that file stays.
    let written = Price::read(&teacher.path(&place.path("state"))).unwrap();
    assert_eq!(written, *teacher);

    let scores = std::fs::read_to_string(place.path("scores.csv")).unwrap();
    assert_eq!(scores.lines().count(), 1 + 2 * 10, "{scores}");
    assert!(scores.starts_with("image,model,score\nset/good/060.png,student,0."), "{scores}");
    let front = std::fs::read_to_string(place.path("front.svg")).unwrap();
    assert!(front.contains("student") && front.contains("teacher") && !front.contains("gate"), "{front}");
}

#[test]
fn the_tables_show_worth_cost_and_what_is_missing() {
    let place = Place::new();
    let told = stdout(&place.price(&["--false-reject-rate", "0.2", "--teacher", "student"]));
    let squeezed = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(squeezed.contains("escapes at 20 % false rejects") && squeezed.contains("teacher - student"), "{told}");
    assert!(squeezed.contains("0.2500 ("), "one of six good parts may be rejected, so that only 170 escapes: {told}");
    assert!(
        told.contains("note: gate has a cost and no worth") && told.ends_with(" prices in state/prices\n"),
        "{told}"
    );

    place.model("second", |passport| passport);
    let told = stdout(&place.price(&[]));
    assert!(told.contains("note: several teachers (second, teacher)") && !told.contains("McNemar"), "{told}");
}

#[test]
fn the_board_tells_what_it_draws() {
    let place = Place::new();
    std::fs::remove_dir_all(place.path("models/gate")).unwrap();
    std::fs::remove_dir_all(place.path("models/student")).unwrap();
    for (file, text) in [("name", "ina3221"), ("in1_label", "VDD_IN"), ("in1_input", "5000"), ("curr1_input", "1000")] {
        place.board(&format!("sys/class/hwmon/hwmon2/{file}"), text);
    }
    let output = place.price(&["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let energy = &report["prices"][0]["cost"]["energy"];
    // A file that never changes draws at work what it draws at rest.
    let wanted = serde_json::json!({ "rails": ["VDD_IN"], "idle_mw": 5000.0, "running_mw": 5000.0, "picture_mj": 0.0 });
    assert_eq!(*energy, wanted);
}

#[test]
fn a_model_that_cannot_be_run_has_no_price_and_the_others_have_theirs() {
    let place = Place::new();
    place.model("broken", |passport| passport);
    std::fs::write(place.path("models/broken/model.onnx"), "abc").unwrap();
    let output = place.price(&["--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("kenpin: broken has no price: ") && stderr(&output).contains("sha256"));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((report["prices"].as_array().unwrap().len(), report["failed"].as_array().unwrap().len()), (3, 1));
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_is() {
    let place = Place::new();
    let told = |arguments: &[&str], code: i32| {
        let output = place.price(arguments);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(code), ""), "{}", stderr(&output));
        stderr(&output)
    };
    assert!(told(&["--teacher", "nobody"], 3).contains("--teacher is nobody, want the name of a model in models"));
    assert!(told(&["--false-reject-rate", "5"], 2).contains("want a number from 0 to 1"));
    assert!(told(&["--provider", "npu"], 2).contains("`npu`"));
    assert!(told(&["--teacher", "gate"], 3).contains("--teacher is gate, which gives the set no scores"));
    std::fs::write(place.path("set/good/broken.png"), "no picture").unwrap();
    assert!(told(&[], 3).contains("set/good/broken.png: "));
    std::fs::remove_dir_all(place.path("set/defective")).unwrap();
    std::fs::create_dir(place.path("set/defective")).unwrap();
    assert!(told(&[], 3).contains("set holds 7 good and 0 defective parts, want some of both"));
}

#[test]
fn the_schema_of_a_price_is_printed() {
    let output = Command::new(env!("CARGO_BIN_EXE_kenpin")).args(["schema", "--price"]).output().unwrap();
    let schema: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&schema["title"], &schema["additionalProperties"]), (&"Price".into(), &false.into()));
    assert!(schema["properties"]["cost"].is_object(), "{schema:#}");
}
