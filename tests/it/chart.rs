//! The control chart through the binary: a line in control, one that goes out of it, and what is no journal.

use serde_json::Value;

use crate::drift::{PARTS, pictures};
use crate::fit::Place;

/// The daemon over pictures of which a part is dark, and from some part on all are where `factors` say so.
fn judged(factors: &[f64]) -> Place {
    let place = Place::new();
    pictures(&place, "line", factors);
    std::fs::create_dir(place.path("conf.d")).unwrap();
    std::fs::write(place.path("conf.d/line.toml"), "[cameras.top]\npath = \"line\"\n").unwrap();
    let output = place.kenpin(&["run", "kenpin.toml"]);
    assert!(output.status.success(), "{output:?}");
    place
}

#[test]
fn a_rate_that_rises_is_out_of_control_and_one_that_stays_is_not() {
    let place = judged(&[1.0, 0.4]);
    let output = place.kenpin(&["chart", "kenpin.toml", "--parts=40", "--json", "--plot=chart.svg"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let subgroups = report["subgroups"].as_array().unwrap();
    assert_eq!((subgroups.len(), &report["left_out"], &report["in_control"]), (16, &0.into(), &false.into()));
    let rejected = |told: &[Value]| told.iter().map(|told| told["rejected"].as_u64().unwrap()).sum::<u64>();
    let (before, after) = subgroups.split_at(8);
    assert_eq!(rejected(after), PARTS as u64, "every dark part is rejected");
    // 20 of 45 levels are below 128: 142 of 320 are to be expected, with a standard error of 9.
    assert!((106..=178).contains(&rejected(before)), "{}", rejected(before));
    assert!(after[7]["violated"].as_array().unwrap().contains(&"eight-on-one-side".into()), "{report}");
    assert!(after.iter().all(|told| told["distance"].as_f64().unwrap() > 2.0), "{report}");
    let svg = std::fs::read_to_string(place.path("chart.svg")).unwrap();
    assert!(svg.contains("<svg") && svg.contains("reject rate"), "{svg}");

    // The journal by itself; only the first half would be in control.
    let output = place.kenpin(&["chart", "state/journal.sqlite", "--parts=600"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("600 parts in 1 subgroups") && told.contains("the newest 40 parts wait"), "{told}");
    let output = place.kenpin(&["chart", "state/journal.sqlite", "--run=other"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let output = place.kenpin(&["chart", "set/good/200.png"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(3) && told.contains("200.png"), "{told}");
}
