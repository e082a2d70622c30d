//! `kenpin gauge` through the binary: its table, its exit codes, and what it says of a list that is no study.

use std::fmt::Write as _;
use std::process::{Command, Output};

fn gauge(rows: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.csv");
    std::fs::write(&path, format!("part,reference,inspector,trial,says\n{rows}")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_kenpin")).arg("gauge").arg(path).args(arguments).output().unwrap()
}

/// Two inspectors, twenty parts, two trials; `slips` are what the second says otherwise: part, trial, word.
fn study(slips: &[(usize, usize, &str)]) -> String {
    let mut rows = String::new();
    for part in 0..20 {
        let is = if part < 10 { "good" } else { "defective" };
        for trial in 0..2 {
            let slip = slips.iter().find(|slip| (slip.0, slip.1) == (part, trial)).map_or(is, |slip| slip.2);
            writeln!(rows, "p{part},{is},kenpin,{trial},{is}\np{part},{is},night shift,{trial},{slip}").unwrap();
        }
    }
    rows
}

#[test]
fn a_sure_machine_and_a_tired_inspector() {
    let slips = [(12, 1, "good"), (13, 0, "good"), (3, 0, "undecided")];
    let told = gauge(&study(&slips), &["--json"]);
    assert_eq!(told.status.code(), Some(1), "two misses of twenty trials are too many");
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let [machine, person] = told["inspectors"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&machine["name"], &machine["grade"]), (&"kenpin".into(), &"acceptable".into()));
    assert_eq!((&person["grade"], &person["misses"]["of"]), (&"unacceptable".into(), &serde_json::json!([2, 20])));
    assert_eq!(person["effectiveness"]["of"], serde_json::json!([17, 20]));
    assert_eq!(told["between"]["of"], serde_json::json!([17, 20]));
    let sure = gauge(&study(&[]), &[]);
    assert_eq!(sure.status.code(), Some(0));
    insta::assert_snapshot!(String::from_utf8(sure.stdout).unwrap());
}

#[test]
fn what_is_no_study_is_told() {
    let told = |rows: &str| {
        let output = gauge(rows, &[]);
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told("").contains("the study has no part, no inspector or no trial"));
    assert!(told("a,good,x,1,good\na,defective,x,2,good\n").contains("the reference of part a is told in two ways"));
    assert!(told("a,good,x,1,good\na,good,x,1,good\n").contains("trial 1 of part a by x is told twice"));
    assert!(told("a,good,x,1,good\nb,good,x,1,good\na,good,y,1,good\n").contains("y was not shown part b"));
    assert!(told("a,good,x,1,bad\n").contains("want the columns part, reference, inspector, trial and says"));
}
