//! `kenpin simulate` through the binary: what its JSON looks like, that a seed decides it, and what is refused.

use std::process::{Command, Output};

use serde_json::Value;

fn simulate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kenpin"));
    command.arg("simulate").args(arguments).env("NO_COLOR", "1").output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The same with every number replaced by the word.
fn without_figures(value: Value) -> Value {
    match value {
        Value::Number(_) => "number".into(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, without_figures(value))).collect(),
        other => other,
    }
}

#[test]
fn json_has_one_shape_and_a_seed_decides_its_figures() {
    let arguments =
        ["--ambient", "40", "--scenario", "two-lines", "--draws", "2", "--hours", "1", "--seed", "3", "--json"];
    let output = simulate(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(output.stdout, simulate(&arguments).stdout, "the same seed, the same figures");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for scenario in report["scenarios"].as_array().unwrap() {
        let policies = scenario["policies"].as_object().unwrap();
        let names: Vec<&str> = policies.keys().map(String::as_str).collect();
        assert_eq!(names, ["governor", "none", "oracle", "student", "threshold"]);
        for (name, policy) in policies {
            for figure in ["missed", "expected_accuracy", "seconds_above_trip"] {
                assert!(policy[figure].is_f64(), "{name} {figure}");
            }
        }
        for figure in ["missed", "seconds_above_trip"] {
            assert_eq!(policies["governor"][figure], 0.0, "{}", scenario["name"]);
        }
    }
    // Figures may differ in their last digits from one mathematics library to the next, and switches with them.
    let shape = without_figures(report["scenarios"][0].clone());
    insta::assert_snapshot!(serde_json::to_string_pretty(&shape).unwrap());
}

#[test]
fn tables_and_the_picture_say_that_they_are_simulated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shift.svg");
    let arguments = ["--ambient", "-5", "--draws", "1", "--hours", "1", "--plot", path.to_str().unwrap()];
    let output = simulate(&arguments);
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(told.starts_with("Simulated: Jetson Orin Nano"), "{told}");
    for wanted in
        ["ambient--5 (simulated)", "governor", "threshold", "oracle", "example figures, not prices", "(assumed)"]
    {
        assert!(told.contains(wanted), "{wanted} in {told}");
    }
    assert!(std::fs::read_to_string(path).unwrap().contains("Simulated, not measured"));
}

#[test]
fn what_cannot_be_simulated_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board.toml");
    let told = |arguments: &[&str], code: i32| {
        let output = simulate(arguments);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        stderr(&output)
    };
    assert!(
        told(&["--scenario", "winter"], 2).contains("want one of ambient-25, ambient-40, ambient-50, failed-fan-40")
    );
    assert!(told(&["--ambient", "hot"], 2).contains("want degrees Celsius from -40 to 80"));
    assert!(told(&["--rungs", "a,b"], 2).contains("--prices"));
    let board = kenpin::simulate::board::ORIN_NANO.replace("idle_watts = 4.5", "idle_watts = -4.5");
    std::fs::write(&path, board).unwrap();
    let path = path.to_str().unwrap();
    assert!(told(&["--board", path], 1).contains("power.idle_watts is -4.5, want 0.1 to 200"));
    assert!(told(&["--ladder", path], 1).contains("board.toml: "));
    assert!(told(&["--ladder", "no-such-file"], 3).contains("no-such-file cannot be read"));
    assert!(
        told(&["--prices", folder.path().to_str().unwrap(), "--rungs", "a,b"], 1).contains("prices cannot be read")
    );
}
