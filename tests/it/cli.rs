//! The command line as its users meet it: exit codes, what is told on which stream, and the long help.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kenpin::models::passport::{EXAMPLE, Model};
use serde_json::Value;

use crate::support::daemon::{Line, library};

/// Runs the binary to its end.
fn kenpin<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
    command.args(arguments).env("ORT_DYLIB_PATH", library()).env("NO_COLOR", "1").output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A text as one line of words, for what is wrapped to a width.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx/brightness")
}

/// A config whose model is a copy of the smallest one, which the test may spoil; and the copy's folder.
fn with_own_model(line: &Line, rest: &str) -> (PathBuf, PathBuf) {
    let config = line.configure("", rest);
    let model = line.path().join("brightness");
    std::fs::create_dir(&model).unwrap();
    for file in ["model.onnx", "passport.toml"] {
        std::fs::copy(fixture().join(file), model.join(file)).unwrap();
    }
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(fixture().to_str().unwrap(), "brightness")).unwrap();
    (config, model)
}

/// Makes the model's file another one than its passport speaks of; gives the hash of the passport.
fn spoil_file(model: &Path) -> String {
    let wanted = Model::load(model).unwrap().passport.file.sha256;
    std::fs::write(model.join("model.onnx"), "abc").unwrap();
    wanted
}

/// The SHA-256 of what [`spoil_file`] writes (FIPS 180-2, appendix B.1).
const SPOILT: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// The pictures of a line as a labelled folder: every third dark and defective.
fn labelled(line: &Line, parts: usize) -> PathBuf {
    let folder = line.path().join("labelled");
    for truth in ["good", "defective"] {
        std::fs::create_dir_all(folder.join(truth)).unwrap();
    }
    for part in 1..=parts {
        let (name, truth) = (format!("p{part:04}.png"), if part % 3 == 0 { "defective" } else { "good" });
        std::fs::copy(line.path().join("parts").join(&name), folder.join(truth).join(&name)).unwrap();
    }
    folder
}

fn eval(config: &Path, set: &Path, further: &[&str]) -> Output {
    let arguments = [Path::new("eval"), config, set].into_iter().chain(further.iter().map(Path::new));
    kenpin(arguments)
}

#[test]
fn eval_tells_a_model_that_does_not_judge_and_does_not_call_it_success() {
    let line = Line::with_parts(3);
    let (config, model) = with_own_model(&line, "");
    let wanted = spoil_file(&model);
    let output = eval(&config, &labelled(&line, 3), &["--json"]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("kenpin: model brightness does not judge: "), "{told}");
    assert!(told.contains(SPOILT) && told.contains(&wanted), "both hashes are told: {told}");
    let figures: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((figures["parts"].as_u64(), figures["undecided"].as_u64()), (Some(3), Some(3)));
    assert_eq!(figures["unreadable"], 0);
}

#[test]
fn eval_counts_images_that_cannot_be_read() {
    let line = Line::with_parts(3);
    let config = line.configure("", "");
    let set = labelled(&line, 3);
    std::fs::write(set.join("good/broken.png"), "not a picture").unwrap();
    let output = eval(&config, &set, &["--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("broken.png is left out"), "{}", stderr(&output));
    let figures: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((figures["parts"].as_u64(), figures["unreadable"].as_u64()), (Some(3), Some(1)));
    assert_eq!((figures["true_rejects"].as_u64(), figures["true_passes"].as_u64()), (Some(1), Some(2)));
    let text = stdout(&eval(&config, &set, &[]));
    assert!(text.ends_with("unreadable images, left out: 1 of 4\n"), "{text}");
}

#[test]
fn eval_writes_what_became_of_each_image() {
    let line = Line::with_parts(3);
    let config = line.configure("", "");
    let set = labelled(&line, 3);
    std::fs::write(set.join("good/broken.png"), "not a picture").unwrap();
    let scores = line.path().join("scores.csv");
    eval(&config, &set, &["--scores", scores.to_str().unwrap()]);
    let text = std::fs::read_to_string(&scores).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["image", "decision", "score"]);
    let told: Vec<(&str, &str)> = rows[1..].iter().map(|row| (row[0].rsplit_once('/').unwrap().1, row[1])).collect();
    assert_eq!(
        told,
        [("p0001.png", "pass"), ("p0002.png", "pass"), ("p0003.png", "reject")],
        "what is unread has no row"
    );
    let score: f64 = rows[3][2].parse().unwrap();
    assert!((0.5..=1.0).contains(&score), "{score}");
}

#[test]
fn eval_refuses_a_column_of_a_sensor_that_is_not_there() {
    let line = Line::with_parts(1);
    let config = line.configure("", "[sensors.plc]\nkind = \"stdin\"");
    let list = line.path().join("list.csv");
    std::fs::write(&list, "image,truth,pcl.type\nparts/p0001.png,good,mono\n").unwrap();
    let output = eval(&config, &list, &[]);
    let told = stderr(&output);
    assert_eq!((output.status.code(), stdout(&output)), (Some(3), String::new()), "{told}");
    let wanted = "column \"pcl.type\" names the sensor \"pcl\", want one of the config's sensors: `plc`";
    assert!(told.contains(wanted), "{told}");
}

#[test]
fn bench_measures_floors_and_road_and_leaves_nothing_behind() {
    let line = Line::with_parts(3);
    let config = line.configure("", "[sensors.plc]\nkind = \"stdin\"");
    let output =
        kenpin([Path::new("bench"), &config, "--rounds=1".as_ref(), "--seconds=1".as_ref(), "--json".as_ref()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let figures: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((figures["rounds"].as_u64(), figures["schema"].as_str()), (Some(1), Some("kenpin.bench-config/1")));
    assert!(figures["parts"].as_u64().unwrap() >= 4, "{figures}");
    let of = |pointer: &str| figures.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}"));
    let floors = of("/decode_ms/top/median") + of("/models/0/prepare_ms/median") + of("/models/0/run_ms/median");
    assert!((of("/floors_ms/median") - floors).abs() < 1e-9 && floors > 0.0, "{figures}");
    assert!((of("/ratio/median") * floors - of("/cpu_ms/median")).abs() < 1e-9, "{figures}");
    assert_eq!(figures["left_out"].as_array().unwrap().len(), 1, "the sensor: {figures}");
    let kept: Vec<_> = line.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(kept.iter().all(|name| !name.to_string_lossy().contains("journal")), "{kept:?}");
}

#[test]
fn bench_tells_a_model_that_does_not_judge() {
    let line = Line::with_parts(1);
    let (config, model) = with_own_model(&line, "");
    let wanted = spoil_file(&model);
    let output = kenpin([Path::new("bench"), &config]);
    let told = stderr(&output);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()), "{told}");
    assert!(told.contains(SPOILT) && told.contains(&wanted), "{told}");
}

#[test]
fn findings_in_a_passport_are_findings_whoever_meets_them() {
    let line = Line::with_parts(1);
    let (config, model) = with_own_model(&line, "");
    let passport = model.join("passport.toml");
    let text = std::fs::read_to_string(&passport).unwrap().replacen("tier = \"", "tier = \"x-", 1);
    std::fs::write(&passport, text).unwrap();
    let set = labelled(&line, 1);
    let refused =
        [eval(&config, &set, &[]), kenpin([Path::new("run"), &config]), kenpin([Path::new("check"), &config])];
    for output in refused {
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("`tier` is \"x-") && told.contains("want one of \"gate\""), "{told}");
        assert!(told.contains("1 finding in "), "{told}");
    }
}

#[test]
fn check_tells_the_file_its_models_and_its_pictures_at_once() {
    let line = Line::with_parts(1);
    std::fs::create_dir(line.path().join("empty")).unwrap();
    let rest = "[models.other]\nfolder = \"empty\"\n[cameras.side]\nkind = \"replay\"\npath = \"no-such-parts\"\n\
                [join]\nwindow = 5\n";
    let (config, model) = with_own_model(&line, rest);
    let wanted = spoil_file(&model);
    let output = kenpin([Path::new("check"), &config]);
    let told = stderr(&output);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()), "{told}");
    assert!(told.contains("unknown key `window` in `join`"), "{told}");
    assert!(told.contains("`cameras.side.path` is \"no-such-parts\", but there is no "), "{told}");
    assert!(told.contains("path = \"no-such-parts\"\n"), "the line with its caret: {told}");
    assert!(told.contains("`[models.other]` of the configuration names this model"), "{told}");
    let squeezed = told.split_whitespace().collect::<String>();
    assert!(squeezed.contains(&wanted) && squeezed.contains(SPOILT), "{told}");
    assert!(told.trim_end().ends_with(&format!("4 findings in {}", config.display())), "{told}");
}

#[test]
fn the_long_help_teaches_and_the_command_list_stays_short() {
    let help = |arguments: &[&str]| words(&stdout(&kenpin(arguments)));
    let list = help(&["--help"]);
    for line in [
        "run Run the inspection that a config describes",
        "check Tell everything that is wrong with a config and its models, all at once",
        "eval Judge a labelled folder or list and print how well the verdicts agree with the truth",
        "explain Explain a verdict of the journal: what each member added, what would have changed it, and where the models looked",
        "fit Learn from labelled parts how the members of a route become one score, and where it becomes a decision",
        "label Say what a judged part really is, or list what was said and what waits to be looked at",
        "drift Try the watch for drift on labelled parts: parts until the alarm, and false alarms",
        "golden Judge the golden set of a config, and tell what is judged otherwise than expected",
        "chart Draw a control chart of the reject rate from a journal, and tell where it is more than chance",
        "bench Measure what a part of a config costs on this machine, and where the time goes",
        "models List, inspect, verify, import and price models, or print an example of a passport",
        "engines List, build, verify and prune the TensorRT engines of a config",
        "config Print the commented default config",
        "board Show what this machine tells of its heat, power and clocks",
        "doctor Say what this machine lacks for its work, each with the command that mends it",
        "schema Print the JSON Schema of the config, of passports, of prices, of fits, of taught heads, of boards, of the doctor or of the messages",
        "demo Inspect the ELPV test cells end to end and print the table",
    ] {
        assert!(list.contains(line), "{line}: {list}");
    }
    for (command, line) in [
        ("run", "The first SIGTERM or SIGINT drains"),
        ("check", "whether the graph inside a model file has the inputs and outputs that its passport states"),
        ("eval", "every further column `sensor.key` becomes a value of that sensor's reading"),
        ("explain", "A map says what this model's score rests on, not where the defect is"),
        ("fit", "none may escape among 299 to show 1 % with 95 %"),
        ("label", "whoever leaves out what is hard makes every figure too good"),
        ("drift", "a change that is not seen before the parts have run out is told as not seen"),
        ("golden", "undecided is neither"),
        ("chart", "four of five beyond one"),
        ("models", "A model is a folder with an ONNX file and a passport.toml"),
        ("board", "a figure that cannot be read is a dash, in JSON null, never zero"),
        ("doctor", "1 with a warning or a failure, 3 when the machine cannot be looked at"),
        ("engines", "a retrained model or a new JetPack wants another key"),
        ("config", "`kenpin config default > kenpin.toml` makes a file to begin with"),
        ("schema", "An editor that knows the schema completes keys"),
        ("demo", "Leaves `report.json` (the figures)"),
    ] {
        let long = help(&[command, "--help"]);
        assert!(long.contains(line), "{command}: {long}");
        assert!(!list.contains(line), "{command}: {list}");
    }
}

#[test]
fn the_example_of_a_passport_is_one_and_its_schema_is_printed() {
    let example = stdout(&kenpin(["models", "example"]));
    assert_eq!(example.trim_end(), EXAMPLE.trim_end());
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("example");
    std::fs::create_dir(&model).unwrap();
    std::fs::write(model.join("passport.toml"), &example).unwrap();
    Model::load(&model).unwrap_or_else(|error| panic!("{error}"));

    let schema: Value = serde_json::from_str(&stdout(&kenpin(["schema", "--passport"]))).unwrap();
    assert_eq!(schema["title"], "Passport");
    assert_eq!(schema["additionalProperties"], false);
    for key in ["schema", "name", "task", "tier", "file", "inputs", "outputs"] {
        assert!(schema["properties"][key]["description"].is_string(), "{key}: {schema:#}");
        assert!(schema["required"].as_array().unwrap().contains(&key.into()), "{key}");
    }
    let schema: Value = serde_json::from_str(&stdout(&kenpin(["schema", "--fit"]))).unwrap();
    assert_eq!((&schema["title"], &schema["additionalProperties"]), (&"Fit".into(), &false.into()));
    let schema: Value = serde_json::from_str(&stdout(&kenpin(["schema", "--taught"]))).unwrap();
    assert_eq!((&schema["title"], &schema["additionalProperties"]), (&"Taught".into(), &false.into()));
    for (key, property) in schema["properties"].as_object().unwrap() {
        assert!(property["description"].is_string(), "{key}: {property:#}");
    }
    assert_eq!(kenpin(["schema", "--taught", "--fit"]).status.code(), Some(2));
    assert_eq!(kenpin(["schema", "--passport", "--messages"]).status.code(), Some(2));
}

#[test]
fn the_printed_steps_lead_to_a_config_without_findings() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("kenpin.toml");
    std::fs::write(&config, stdout(&kenpin(["config", "default"]))).unwrap();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    std::os::unix::fs::symlink(models, folder.path().join("models")).unwrap();
    let output = kenpin([Path::new("check"), &config]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("`cameras.top.path` is \"parts\"") && told.contains("1 finding in "), "{told}");

    std::fs::create_dir(folder.path().join("parts")).unwrap();
    let output = kenpin([Path::new("check"), &config]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("no findings; 1 cameras, 0 sensors, 1 models, 1 routes"), "{}", stdout(&output));
}
