//! Heads through the binary, on simulated pictures: concatenation and weights by class win where there is something to know label by
//! label, say so, judge as they were fitted, explain themselves exactly, and are not written where nothing is gained.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::daemon::library;

/// A line with two models of `tests/fixtures/heads`, and simulated pictures.
struct Place {
    folder: tempfile::TempDir,
}

/// What is in a picture.
#[derive(Clone, Copy, PartialEq)]
enum Shows {
    Nothing,
    Crack,
    Stain,
}

impl Place {
    fn new(panel: &str, models: [&str; 2]) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.configure(panel, models, "");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, panel: &str, models: [&str; 2], rest: &str) {
        let mut text = "[device]\nid = \"line-1\"\n[cameras.top]\nkind = \"replay\"\npath = \"line\"\n".to_owned();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/heads");
        for (name, model) in ["one", "two"].into_iter().zip(models) {
            writeln!(text, "[models.{name}]\nfolder = \"{}\"", fixtures.join(model).display()).unwrap();
        }
        writeln!(text, "[[routes]]\nname = \"all\"\n{panel}\n{rest}").unwrap();
        std::fs::write(self.path("kenpin.toml"), text).unwrap();
    }

    /// So many pictures of each kind in their folders. Each quarter of a picture has its own noise.
    fn pictures(&self, of: &[(Shows, &str, usize)], seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        for (shows, folder, count) in of {
            let folder = self.path(folder);
            std::fs::create_dir_all(&folder).unwrap();
            for _ in 0..*count {
                let dark = [*shows == Shows::Crack, *shows == Shows::Stain];
                let mut level = |dark: bool| {
                    let noise = (0..4).map(|_| random.f64()).sum::<f64>() - 2.0;
                    grey((if dark { 108.0 } else { 148.0 } + 45.0 * noise).clamp(1.0, 254.0))
                };
                let quarters = [[level(dark[0]), level(dark[1])], [level(dark[0]), level(dark[1])]];
                let picture = image::GrayImage::from_fn(8, 8, |x, y| {
                    image::Luma([quarters[usize::from(y >= 4)][usize::from(x >= 4)]])
                });
                picture.save(folder.join(format!("{:016x}.png", random.u64(..)))).unwrap();
            }
        }
    }

    fn kenpin(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
        command.args(arguments).current_dir(self.folder.path()).env("ORT_DYLIB_PATH", library());
        command.env("NO_COLOR", "1").output().unwrap()
    }

    fn fit(&self, further: &[&str]) -> (Value, String) {
        let output = self.kenpin(&[&["fit", "kenpin.toml", "set", "--json"], further].concat());
        let told = stderr(&output);
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
        (report, told)
    }

    /// The verdicts over the pictures in `line`.
    fn run(&self) -> Vec<Value> {
        let output = self.kenpin(&["run", "kenpin.toml"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let journal = rusqlite::Connection::open(self.path("state/journal.sqlite")).unwrap();
        let mut verdicts = journal.prepare("SELECT body FROM verdict ORDER BY seq").unwrap();
        let bodies = verdicts.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        bodies.map(|body| serde_json::from_slice(&body.unwrap()).unwrap()).collect()
    }
}

/// A level of grey, its fraction cut off.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within a byte")]
fn grey(level: f64) -> u8 {
    level.clamp(0.0, 255.0) as u8
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn loss(report: &Value, method: &str) -> f64 {
    let methods = report["fit"]["evidence"]["methods"].as_array().unwrap();
    let of = methods.iter().find(|ranked| ranked["name"] == method).unwrap_or_else(|| panic!("no {method}: {report}"));
    of["log_loss"].as_f64().unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn logit(chance: f64) -> f64 {
    (chance / (1.0 - chance)).ln()
}

/// The chance that a vote of a verdict gives to a label.
fn chance(verdict: &Value, vote: usize, label: &str) -> f64 {
    let classes = verdict["votes"][vote]["findings"]["classes"].as_array().unwrap();
    number(&classes.iter().find(|class| class["label"] == label).unwrap()["probability"])
}

const BOTH: &str = "members = [{ model = \"one\" }, { model = \"two\" }]";
const BY_CLASS: &str =
    "members = [{ model = \"one\" }, { model = \"two\" }]\nfusion = { rule = \"mean\", over = \"classes\" }";
const FITS: &str = "[fits]\nfolder = \"state/fits\"";

#[test]
fn a_concatenation_wins_where_a_label_means_nothing_on_this_line_and_judges_and_explains_as_it_was_fitted() {
    let place = Place::new(BOTH, ["upper", "lower"]);
    // Stains do no harm here, which no member knows: only label by label can it be learned.
    place.pictures(
        &[(Shows::Nothing, "set/good", 90), (Shows::Stain, "set/good", 70), (Shows::Crack, "set/defective", 90)],
        1,
    );
    let (report, _) = place.fit(&[]);
    let fit = &report["fit"];
    assert_eq!(fit["method"], "concatenation", "{fit}");
    let others = ["mean", "weighted mean", "maximum", "stacking"];
    let own = loss(&report, "concatenation");
    assert!(others.iter().all(|other| own < loss(&report, other) - 0.1), "{report}");
    assert_eq!(fit["evidence"]["control"]["significant"], true, "{fit}");
    let head = &fit["concatenation"];
    assert_eq!(head["terms"].as_array().unwrap().len(), 6, "{head}");

    place.configure(BOTH, ["upper", "lower"], FITS);
    place.pictures(&[(Shows::Stain, "line", 3), (Shows::Crack, "line", 3)], 2);
    let verdicts = place.run();
    assert_eq!(verdicts.len(), 6);
    for verdict in &verdicts {
        let mut odds = number(&head["intercept"]);
        for term in head["terms"].as_array().unwrap() {
            let seat = usize::try_from(term["seat"].as_u64().unwrap()).unwrap();
            let said = logit(chance(verdict, seat, term["says"]["label"].as_str().unwrap()));
            odds += number(&term["weight"]) * (said - number(&term["neutral"]));
        }
        assert!((logit(number(&verdict["score"])) - odds).abs() < 1e-9, "{verdict}");
    }
    let explained = place.kenpin(&["explain", "kenpin.toml", "2", "--json"]);
    let account: Value = serde_json::from_slice(&explained.stdout).unwrap();
    let joined = &account["joined"];
    assert_eq!((&joined["by"], &joined["votes"]), (&"concatenation".into(), &serde_json::json!([0, 1])), "{account}");
    let told = &joined["contributions"];
    let each: f64 = told["each"].as_array().unwrap().iter().map(number).sum();
    assert!((number(&told["base"]) + each - logit(number(&account["score"]))).abs() < 1e-9, "{account}");
    let back = place.kenpin(&["fit", "kenpin.toml", "--rollback"]);
    assert!(String::from_utf8(back.stdout).unwrap().contains("the route judges by its config again"));
}

#[test]
fn readings_of_a_model_that_does_not_vote_are_concatenated() {
    let panel = "members = [{ model = \"one\" }, { model = \"two\", votes = false, required = false }]";
    let place = Place::new(panel, ["upper", "gauge-lower"]);
    place.pictures(&[(Shows::Nothing, "set/good", 80), (Shows::Crack, "set/defective", 80)], 3);
    let (report, _) = place.fit(&["--method", "concatenation", "--force"]);
    let terms = report["fit"]["concatenation"]["terms"].as_array().unwrap().clone();
    let says: Vec<String> = terms.iter().map(|term| format!("{} {}", term["seat"], term["says"])).collect();
    let wanted =
        ["0 {\"label\":\"good\"}", "0 {\"label\":\"crack\"}", "0 {\"label\":\"stain\"}", "1 {\"value\":\"width\"}"];
    assert_eq!(says, wanted);
    // The darker, the narrower: a lower value speaks for a defect.
    assert!(number(&terms[3]["weight"]) < 0.0 && number(&terms[3]["neutral"]) > 5.0, "{terms:?}");
    place.configure(panel, ["upper", "gauge-lower"], FITS);
    place.pictures(&[(Shows::Crack, "line", 1)], 4);
    let verdict = &place.run()[0];
    let width = number(&verdict["votes"][1]["findings"]["values"][0]["value"]);
    let mut odds = number(&report["fit"]["concatenation"]["intercept"]);
    for (place, label) in ["good", "crack", "stain"].into_iter().enumerate() {
        odds += number(&terms[place]["weight"]) * logit(chance(verdict, 0, label));
    }
    odds += number(&terms[3]["weight"]) * (width - number(&terms[3]["neutral"]));
    assert!((logit(number(&verdict["score"])) - odds).abs() < 1e-9, "{verdict}");
}

#[test]
fn weights_by_class_beat_one_weight_where_each_member_knows_a_class_of_its_own() {
    let place = Place::new(BY_CLASS, ["crack-eye", "stain-eye"]);
    place.pictures(
        &[(Shows::Nothing, "set/good", 90), (Shows::Crack, "set/crack", 60), (Shows::Stain, "set/stain", 60)],
        5,
    );
    let (report, _) = place.fit(&[]);
    let fit = &report["fit"];
    assert_eq!((&fit["over"], &fit["method"]), (&"classes".into(), &"class-weights".into()), "{fit}");
    assert!(loss(&report, "class weights") < loss(&report, "weighted mean") - 0.01, "{report}");
    assert_eq!(fit["evidence"]["control"]["significant"], true, "{fit}");
    let weights = |label: &str| {
        let classes = fit["classes"].as_array().unwrap();
        let of = classes.iter().find(|of| of["label"] == label).unwrap();
        assert_eq!(of["own"], true);
        [number(&of["weights"][0]), number(&of["weights"][1])]
    };
    assert!(weights("crack")[0] > 0.6 && weights("stain")[1] > 0.6, "{fit}");
    let classes = fit["evidence"]["classes"].as_array().unwrap();
    for of in classes.iter().filter(|of| of["label"] != "good") {
        assert!(number(&of["log_loss_by_class"]) < number(&of["log_loss"]), "{of}");
    }

    place.configure(BY_CLASS, ["crack-eye", "stain-eye"], FITS);
    place.pictures(&[(Shows::Stain, "line", 3)], 6);
    for verdict in place.run() {
        let joined = |label: &str| {
            let [one, two] = weights(label);
            one * chance(&verdict, 0, label) + two * chance(&verdict, 1, label)
        };
        let bad = joined("crack") + joined("stain");
        assert!((number(&verdict["score"]) - bad / (bad + joined("good"))).abs() < 1e-9, "{verdict}");
    }
}

#[test]
fn a_class_with_few_parts_keeps_the_weights_of_the_route_and_the_report_says_so() {
    let place = Place::new(BY_CLASS, ["crack-eye", "stain-eye"]);
    place.pictures(
        &[(Shows::Nothing, "set/good", 60), (Shows::Crack, "set/crack", 60), (Shows::Stain, "set/stain", 9)],
        7,
    );
    let output = place.kenpin(&["fit", "kenpin.toml", "set", "--method", "class-weights", "--force"]);
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let line = told.lines().find(|line| line.starts_with("class stain, 9 parts")).unwrap_or_else(|| panic!("{told}"));
    assert!(line.ends_with("too few for weights of its own, these are those of the route"), "{line}");
    assert!(told.lines().any(|line| line.starts_with("class crack, 60 parts: crack-eye") && !line.contains("too few")));
}

#[test]
fn where_nothing_is_gained_nothing_is_written() {
    // The second member sees nothing that the pictures show.
    let place = Place::new(BY_CLASS, ["crack-eye", "stain-eye"]);
    place.pictures(&[(Shows::Nothing, "set/good", 80), (Shows::Crack, "set/crack", 80)], 8);
    let output = place.kenpin(&["fit", "kenpin.toml", "set"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("not written: the ensemble does not beat crack-eye"), "{told}");
    assert!(told.contains("class stain, 0 parts") && !place.path("state/fits/all.toml").exists(), "{told}");
}

#[test]
fn what_weights_by_class_want_is_told() {
    let place = Place::new(BY_CLASS, ["crack-eye", "stain-eye"]);
    place.pictures(&[(Shows::Nothing, "set/good", 2), (Shows::Crack, "set/defective", 2)], 9);
    let told = |further: &[&str]| stderr(&place.kenpin(&[&["fit", "kenpin.toml", "set"], further].concat()));
    let folder = told(&[]);
    assert!(folder.contains("holds the folder defective, want one for each label that the members know"), "{folder}");
    assert!(told(&["--scores", "x.csv"]).contains("fuses label by label, which --adaptive, --cascade and --scores"));
    let list = |text: &str| {
        std::fs::write(place.path("list.csv"), text).unwrap();
        stderr(&place.kenpin(&["fit", "kenpin.toml", "list.csv"]))
    };
    assert!(list("image,truth\na.png,good\n").contains("has nothing in a column class"));
    assert!(list("image,truth,class\na.png,good,crack\n").contains("which its column truth contradicts"));
    assert!(list("image,truth,class\na.png,defective,rust\n").contains("is rust, want one of"));
    let gauge = Place::new(BY_CLASS, ["crack-eye", "gauge-upper"]);
    gauge.pictures(&[(Shows::Nothing, "set/good", 1)], 1);
    let told = stderr(&gauge.kenpin(&["fit", "kenpin.toml", "set"]));
    assert!(
        told.contains("where all members are classifiers of whole frames, gauge-upper is for regression"),
        "{told}"
    );
}

const GAUGES: [&str; 2] = ["gauge-upper", "gauge-lower"];

impl Place {
    /// Pictures of parts of simulated widths, with noise of its own in each half, and the list of what was measured.
    fn widths(&self, count: usize, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        std::fs::create_dir_all(self.path("set")).unwrap();
        let mut list = "image,width\n".to_owned();
        for part in 0..count {
            let width = 7.5 + 5.0 * random.f64();
            let mut half = || {
                let noise = (0..4).map(|_| random.f64()).sum::<f64>() - 2.0;
                grey((256.0 * (width + 0.6 * noise) / 20.0).round())
            };
            let halves = [half(), half()];
            let picture = image::GrayImage::from_fn(8, 8, |_, y| image::Luma([halves[usize::from(y >= 4)]]));
            picture.save(self.path("set").join(format!("{part:03}.png"))).unwrap();
            writeln!(list, "{part:03}.png,{width:.4}").unwrap();
        }
        std::fs::write(self.path("set/list.csv"), list).unwrap();
    }
}

#[test]
fn gauges_become_one_calibrated_value_which_stands_in_the_verdict() {
    let place = Place::new(BOTH, GAUGES);
    place.widths(200, 10);
    let fit = |further: &[&str]| {
        place.kenpin(&[&["fit", "kenpin.toml", "set/list.csv", "--measured", "width"], further].concat())
    };
    let output = fit(&["--method", "regression", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    let (found, measured) = (&report["fit"], &report["fit"]["measured"]);
    assert_eq!(found["evidence"]["control"]["significant"], true, "{found}");
    let values = found["evidence"]["measured"]["values"].as_array().unwrap();
    let rmse = |name: &str| number(&values.iter().find(|value| value["name"] == name).unwrap()["rmse"]);
    assert!(rmse("fused") < 0.85 * rmse("gauge-upper, calibrated"), "{found}");
    assert!(rmse("gauge-upper, calibrated") < 0.8 * rmse("gauge-upper, as read"), "{found}");
    assert!((number(&measured["standard_error"]) / rmse("fused") - 1.0).abs() < 0.1, "{found}");
    let told = String::from_utf8(fit(&["--method", "regression"]).stdout).unwrap();
    assert!(told.contains("value: fused is nearer than gauge-"), "{told}");

    place.configure(BOTH, GAUGES, FITS);
    std::fs::create_dir_all(place.path("line")).unwrap();
    std::fs::copy(place.path("set/007.png"), place.path("line/007.png")).unwrap();
    let verdict = &place.run()[0];
    let value = |vote: usize| number(&verdict["votes"][vote]["findings"]["values"][0]["value"]);
    let wanted = number(&measured["intercept"])
        + number(&measured["gains"][0]) * value(0)
        + number(&measured["gains"][1]) * value(1);
    assert_eq!(verdict["measured"]["name"], "width", "{verdict}");
    assert!((number(&verdict["measured"]["value"]) - wanted).abs() < 1e-9, "{verdict}");
    let explained = place.kenpin(&["explain", "kenpin.toml", "1"]);
    let told = String::from_utf8(explained.stdout).unwrap();
    assert!(told.contains("values of width are joined to one"), "{told}");
}

#[test]
fn what_a_measured_value_wants_is_told() {
    let place = Place::new(BOTH, GAUGES);
    place.widths(12, 11);
    let told = |set: &str, quantity: &str| {
        stderr(&place.kenpin(&["fit", "kenpin.toml", set, "--measured", quantity]))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(told("set", "width").contains("set is a folder; what was measured stands in a CSV list"));
    assert!(told("set/list.csv", "height").contains("a voting member of route all does not give it"));
    std::fs::write(place.path("set/list.csv"), "image,truth,width\n000.png,good,3.0\n").unwrap();
    let seen = told("set/list.csv", "width");
    assert!(
        seen.contains("line 2")
            && seen.contains("the value 3 lies outside of the limits, which its column truth contradicts"),
        "{seen}"
    );
    std::fs::write(place.path("set/list.csv"), "image,width\n000.png,wide\n").unwrap();
    assert!(told("set/list.csv", "width").contains("width is \"wide\", want a number"));
    std::fs::write(place.path("set/list.csv"), "image,truth\n000.png,good\n").unwrap();
    assert!(told("set/list.csv", "width").contains("must name the columns image and width"));
}
