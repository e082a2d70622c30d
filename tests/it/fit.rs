//! Fits through the binary: what is learned changes verdicts as the evidence says, comes back to the last byte, and never judges
//! where it does not belong.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::daemon::library;

/// A line with a model that calls a picture dark, and so defective, below 128, where parts are defective below 100 only.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let (good, defective): (Vec<u8>, Vec<u8>) =
            ((21..=50).map(|step| step * 5).collect(), (4..=18).map(|step| step * 5).collect());
        for (truth, levels) in [("good", good), ("defective", defective)] {
            let folder = place.path("set").join(truth);
            std::fs::create_dir_all(&folder).unwrap();
            for level in levels {
                let picture = image::GrayImage::from_pixel(8, 8, image::Luma([level]));
                picture.save(folder.join(format!("{level:03}.png"))).unwrap();
            }
        }
        place.model("one", "brightness", "dark");
        place.model("two", "independent", "stain");
        place.configure("members = [{ model = \"one\" }]", "");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A copy of a fixture under another name.
    pub(crate) fn model(&self, name: &str, fixture: &str, defect: &str) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx").join(fixture);
        let folder = self.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(source.join("model.onnx"), folder.join("model.onnx")).unwrap();
        let passport = std::fs::read_to_string(source.join("passport.toml")).unwrap();
        assert!(passport.contains(defect), "{passport}");
        // The copy has no reference answers beside it.
        let passport = passport.split("[reference]").next().unwrap().to_owned();
        let passport = passport.replace(&format!("name = \"{fixture}\""), &format!("name = \"{name}\""));
        std::fs::write(folder.join("passport.toml"), passport).unwrap();
    }

    /// One route with this panel.
    pub(crate) fn configure(&self, panel: &str, rest: &str) {
        let mut text = "[device]\nid = \"line-1\"\n[cameras.top]\nkind = \"replay\"\npath = \"set/good\"\n".to_owned();
        for model in ["one", "two"] {
            writeln!(text, "[models.{model}]\nfolder = \"{model}\"").unwrap();
        }
        writeln!(text, "[[routes]]\nname = \"all\"\n{panel}\n{rest}").unwrap();
        std::fs::write(self.path("kenpin.toml"), text).unwrap();
    }

    pub(crate) fn kenpin(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
        command.args(arguments).current_dir(self.folder.path()).env("ORT_DYLIB_PATH", library());
        command.env("NO_COLOR", "1").output().unwrap()
    }

    pub(crate) fn fit(&self, further: &[&str]) -> Output {
        self.kenpin(&[&["fit", "kenpin.toml", "set"], further].concat())
    }

    fn eval(&self) -> Value {
        let output = self.kenpin(&["eval", "kenpin.toml", "set", "--json"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let mut figures: Value = serde_json::from_slice(&output.stdout).unwrap();
        // What was spent is another each time.
        let spent = figures.as_object_mut().unwrap().remove("cpu_ms_per_part").unwrap();
        assert!(spent.as_f64().unwrap() > 0.0, "{spent}");
        figures
    }

    /// Runs the daemon over the good pictures, 30 of them, with a journal of its own; gives its verdicts.
    fn run(&self, run: &str) -> Vec<Value> {
        let output = self.kenpin(&["run", "kenpin.toml", "--run", run]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        self.verdicts(run)
    }

    /// The verdicts in the journal, by their parts.
    pub(crate) fn verdicts(&self, run: &str) -> Vec<Value> {
        let journal = rusqlite::Connection::open(self.path("state/journal.sqlite")).unwrap();
        let mut verdicts = journal.prepare("SELECT body FROM verdict WHERE run = ? ORDER BY part").unwrap();
        let bodies = verdicts.query_map([run], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        bodies.map(|body| serde_json::from_slice(&body.unwrap()).unwrap()).collect()
    }

    /// Out-of-fold scores of both models for every picture: a logit of the level, and noise in turns.
    fn out_of_fold(&self, second: impl Fn(f64, usize) -> f64) {
        let mut text = "part,fold,member,rung,logit\n".to_owned();
        for (place, level) in (4..=50).map(|step| step * 5).filter(|level| *level != 95 && *level != 100).enumerate() {
            let margin = (100.0 - f64::from(level)) / 20.0;
            let noise = [0.9, -1.2, 0.3, -0.4, 1.3][place % 5];
            writeln!(text, "{level:03},0,general,one,{:.5}", margin + 2.0 * noise).unwrap();
            writeln!(text, "{level:03},0,general,two,{:.5}", second(margin, place)).unwrap();
            writeln!(text, "{level:03},0,gate,gate,0.5").unwrap();
        }
        std::fs::write(self.path("scores.csv"), text).unwrap();
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const BOTH: &str = "members = [{ model = \"one\" }, { model = \"two\" }]";

#[test]
fn a_fit_changes_the_verdicts_as_its_evidence_says_and_is_taken_back_exactly() {
    let place = Place::new();
    let before = place.eval();
    assert_eq!((before["false_rejects"].as_u64(), before["escapes"].as_u64()), (Some(5), Some(0)), "{before}");
    let output = place.fit(&["--escape-cost", "10", "--plot", "evidence.svg"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let svg = std::fs::read_to_string(place.path("evidence.svg")).unwrap();
    assert!(svg.contains("<svg") && svg.contains("good parts rejected") && svg.contains("fused"), "{svg}");
    assert!(stdout(&output).contains("fit 1 is in state/fits/all.toml"), "{}", stdout(&output));
    assert_eq!(place.eval(), before, "a config that names no fits has none");

    place.configure("members = [{ model = \"one\" }]", "[fits]\nfolder = \"state/fits\"");
    let after = place.eval();
    assert_eq!((after["accuracy"].as_f64(), after["parts"].as_u64()), (Some(1.0), Some(45)), "{after}");
    let first = std::fs::read(place.path("state/fits/all.toml")).unwrap();

    // The scores are kept: the second fit asks no model, which could not judge any more.
    let graph = std::fs::read(place.path("one/model.onnx")).unwrap();
    std::fs::write(place.path("one/model.onnx"), "spoilt").unwrap();
    let output = place.fit(&["--escape-bound", "0.4", "--confidence", "0.9", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["fit"]["number"], &report["fit"]["promise"]["kind"]), (&2.into(), &"escape-bound".into()));
    assert_eq!(report["fit"]["schema"], "kenpin.fit/1");
    std::fs::write(place.path("one/model.onnx"), graph).unwrap();
    assert_ne!(std::fs::read(place.path("state/fits/all.toml")).unwrap(), first);

    let back = place.kenpin(&["fit", "kenpin.toml", "--rollback"]);
    assert_eq!(stdout(&back), "route all: fit 1 is in force again\n", "{}", stderr(&back));
    assert_eq!(std::fs::read(place.path("state/fits/all.toml")).unwrap(), first);
    assert_eq!(place.eval(), after);
    let back = place.kenpin(&["fit", "kenpin.toml", "--rollback"]);
    assert!(stdout(&back).contains("the route judges by its config again"), "{}", stdout(&back));
    assert_eq!(place.eval(), before);
}

#[test]
fn the_daemon_judges_by_the_fit_and_names_it() {
    let place = Place::new();
    let config = place.run("config");
    let rejected = |verdicts: &[Value]| verdicts.iter().filter(|verdict| verdict["verdict"] == "reject").count();
    assert_eq!((config.len(), rejected(&config)), (30, 5));
    assert!(config.iter().all(|verdict| verdict.get("fit").is_none()), "{}", config[0]);
    assert_eq!(place.fit(&[]).status.code(), Some(0));
    place.configure("members = [{ model = \"one\" }]", "[fits]\nfolder = \"state/fits\"");
    let fitted = place.run("fitted");
    assert_eq!((fitted.len(), rejected(&fitted)), (30, 0));
    let sha256 = kenpin::models::catalogue::sha256(&place.path("state/fits/all.toml")).unwrap();
    assert!(fitted.iter().all(|verdict| verdict["fit"] == sha256.as_str()), "{}", fitted[0]);
    assert_ne!(fitted[0]["plan"], config[0]["plan"], "the plan's hash covers the fit");
    // A fit that cannot be read is no fit that can be done without.
    std::fs::write(place.path("state/fits/all.toml"), "schema = \"kenpin.fit/1\"\n").unwrap();
    let refused = place.kenpin(&["run", "kenpin.toml"]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("all.toml"), "{}", stderr(&refused));
}

#[test]
fn too_few_defects_for_a_bound_are_refused_with_the_number_that_is_wanted() {
    let place = Place::new();
    let output = place.fit(&["--escape-bound", "0.01"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("cannot show that at most 1 % of them escape") && told.contains("want 299"), "{told}");
    assert!(!place.path("state/fits/all.toml").exists());
}

#[test]
fn an_ensemble_that_does_not_beat_its_best_member_is_not_written_unless_forced() {
    let place = Place::new();
    place.configure(BOTH, "[fits]\nfolder = \"fits\"");
    place.out_of_fold(|_, place| [0.3, -0.2, 0.1][place % 3]);
    let output = place.fit(&["--scores", "scores.csv"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains("not written: the ensemble does not beat one"), "{}", stdout(&output));
    assert!(!place.path("fits/all.toml").exists());
    let forced = place.fit(&["--scores", "scores.csv", "--force"]);
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
    assert!(place.path("fits/all.toml").exists(), "the folder of the config");
    place.eval();

    // Another model on the second seat: the fit must not judge.
    place.model("two", "brightness", "dark");
    let refused = place.kenpin(&["check", "kenpin.toml"]);
    assert_eq!(refused.status.code(), Some(1));
    let told = stderr(&refused).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("was made for model two with the SHA-256"), "{told}");
}

#[test]
fn three_copies_of_one_member_are_refused_even_when_forced() {
    let place = Place::new();
    place.model("two", "brightness", "dark");
    place.configure("members = [{ model = \"one\" }, { model = \"two\" }, { model = \"one\" }]", "");
    let output = place.fit(&["--force"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("one and two are one model file") && told.contains("counted twice is no ensemble"), "{told}");
    assert!(!place.path("state").exists(), "nobody was asked");

    // The same under different files: what they say gives them away.
    place.model("two", "independent", "stain");
    place.configure(BOTH, "");
    place.out_of_fold(|margin, place| margin + 2.0 * [0.9, -1.2, 0.3, -0.4, 1.3][place % 5]);
    let output = place.fit(&["--scores", "scores.csv", "--force"]);
    assert!(stderr(&output).contains("one and two say the same of every part"), "{}", stderr(&output));
}

#[test]
fn a_cascade_is_fitted_and_runs() {
    let place = Place::new();
    place.configure(BOTH, "[fits]\nfolder = \"fits\"");
    place.out_of_fold(|margin, _| margin);
    let cascade = [
        "--scores",
        "scores.csv",
        "--cascade",
        "one,two",
        "--escape-cost",
        "2",
        "--loss-bound",
        "0.8",
        "--confidence",
        "0.8",
    ];
    let output = place.fit(&cascade);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("it woke the teacher for"), "{}", stdout(&output));
    let judged = place.eval();
    let asked = |member: &str| judged["members"][member]["parts"].as_u64().unwrap();
    assert_eq!(asked("one"), 45);
    assert!((1..45).contains(&asked("two")), "the teacher is woken, and not for all: {judged}");
    let hopeless = ["--scores", "scores.csv", "--cascade", "one,two", "--escape-cost", "9", "--loss-bound", "0.001"];
    let output = place.fit(&hopeless);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the student is nowhere so sure"), "{}", stderr(&output));
}

#[test]
fn eval_judges_pictures_as_they_would_have_been_taken_and_says_that_it_is_simulated() {
    let place = Place::new();
    let corrupted = |how: &str| place.kenpin(&["eval", "kenpin.toml", "set", "--corrupt", how, "--json"]);
    assert!(place.eval().get("simulated").is_none());
    let figures: Value = serde_json::from_slice(&corrupted("exposure=-40").stdout).unwrap();
    // Good pictures have the levels 105 to 250 in steps of 5; those to 210 now lie below 128, and 213.
    assert_eq!((&figures["simulated"], &figures["false_rejects"]), (&"exposure=-40".into(), &22.into()), "{figures}");
    let table = place.kenpin(&["eval", "kenpin.toml", "set", "--corrupt", "noise=20"]);
    assert!(stdout(&table).starts_with("simulated: every picture was corrupted with noise=20"), "{}", stdout(&table));
    let refused = corrupted("fog=2");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("want blur=PIXELS"), "{}", stderr(&refused));
}

#[test]
fn adaptive_weights_are_fitted_on_copies_and_told_in_the_verdict() {
    let place = Place::new();
    place.configure(BOTH, "[fits]\nfolder = \"fits\"");
    let plain = place.fit(&["--method", "adaptive", "--force"]);
    assert_eq!(plain.status.code(), Some(1), "off unless it is asked for");
    assert!(stderr(&plain).contains("adaptive is no method for these parts"), "{}", stderr(&plain));
    let ways = ["--adaptive", "--corrupt", "exposure=-20", "--corrupt", "noise=10"];
    let output = place.fit(&[&ways[..], &["--method", "adaptive", "--force", "--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let fit = &report["fit"];
    assert_eq!((&fit["method"], &fit["labels"]["parts"]), (&"adaptive".into(), &45.into()));
    assert_eq!((&fit["evidence"]["parts"], &report["left_out"]), (&135.into(), &0.into()));
    assert_eq!(fit["simulated"], serde_json::json!(["exposure=-20", "noise=10"]));
    let verdicts = place.run("adaptive");
    assert_eq!(verdicts.len(), 30);
    for verdict in &verdicts {
        let weights: f64 =
            verdict["votes"].as_array().unwrap().iter().map(|vote| vote["weight"].as_f64().unwrap()).sum();
        assert!((weights - 1.0).abs() < 1e-9, "{verdict}");
        let quality = &verdict["quality"][0];
        assert_eq!((&quality["camera"], &quality["sharpness"]), (&"top".into(), &0.0.into()), "{verdict}");
        assert!(quality.get("beyond").is_none(), "these are the pictures that it was fitted to: {verdict}");
    }
    // A picture beyond them is held at the border, and told.
    image::GrayImage::from_pixel(8, 8, image::Luma([255])).save(place.path("set/good/255.png")).unwrap();
    let verdicts = place.run("beyond");
    let beyond: Vec<&Value> = verdicts.iter().filter(|verdict| verdict["quality"][0].get("beyond").is_some()).collect();
    let [beyond] = beyond.as_slice() else { panic!("{beyond:?}") };
    let told = beyond["degraded"].as_array().unwrap().iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
    assert!(told.contains("camera top: brightness") && told.contains("beyond what the fit has seen"), "{told}");
}

#[test]
fn a_labelled_picture_that_a_member_was_trained_on_is_refused() {
    let place = Place::new();
    // SHA-256 of "8 8 L\n" and 64 bytes of 20 and of 21.
    let twenty = "3071cbbb2285efc8ba0ac225f0b1f56480f6b6bce161ce4d394694253747e385";
    let other = "8f0b39816cb149b6e25d8b68ccbd73be635e55ceecac571813f3480a6942f3ce";
    std::fs::write(place.path("pixels.csv"), format!("part,sha256\ncell1,{twenty}\ncell2,{other}\n")).unwrap();
    let guarded = |list: &str| {
        std::fs::write(place.path("train.txt"), list).unwrap();
        place.fit(&["--trained", "train.txt", "--pixels", "pixels.csv"])
    };
    let refused = guarded("cell1\ncell2\n");
    assert_eq!(refused.status.code(), Some(1));
    let told = stderr(&refused);
    let wanted = "1 of 45 labelled pictures were trained on, set/defective/020.png the first: it is cell1 of train.txt";
    assert!(told.contains(wanted), "{told}");
    assert_eq!(guarded("cell2\n").status.code(), Some(0));
}

#[test]
fn what_the_arguments_name_must_be_there() {
    let place = Place::new();
    let told = |further: &[&str]| stderr(&place.fit(further));
    assert!(told(&["--route", "x"]).contains("has no route x that ends at members; those are [all]"));
    assert!(told(&["--rung", "x"]).contains("has no rung x"));
    assert!(told(&["--scores", "nowhere.csv"]).contains("nowhere.csv cannot be read"));
    place.out_of_fold(|margin, _| margin);
    std::fs::write(place.path("short.csv"), "part,fold,member,rung,logit\n020,0,general,one,1.5\n").unwrap();
    assert!(
        told(&["--scores", "short.csv"]).contains("short.csv has no score of one for 105"),
        "{}",
        told(&["--scores", "short.csv"])
    );
    let usage = place.fit(&["--escape-bound", "0.05", "--escape-cost", "3"]);
    assert_eq!(usage.status.code(), Some(2));
    assert_eq!(place.kenpin(&["fit", "kenpin.toml"]).status.code(), Some(2), "labelled parts are wanted");
}
