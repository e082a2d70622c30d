//! Drift and the golden set through the binary: darker pictures raise the alarm over MQTT with its evidence and widen the band, pictures like the
//! labelled ones do neither; the golden set is judged beside the line, and what differs is told by name.

use std::fmt::Write as _;

use serde_json::Value;

use crate::fit::Place;
use crate::support::daemon::Daemon;
use crate::support::mosquitto::{Mosquitto, Subscriber};

/// The parts before, during and after the drift.
pub(crate) const PARTS: usize = 320;

/// The levels of the labelled pictures, 15 defective ones among them.
fn levels() -> Vec<u8> {
    (4..=18).chain(21..=50).map(|step| step * 5).collect()
}

/// A folder of pictures that are drawn from the labelled ones, made darker by `factor`.
pub(crate) fn pictures(place: &Place, folder: &str, stages: &[f64]) {
    let folder = place.path(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let (levels, mut random) = (levels(), fastrand::Rng::with_seed(3));
    for (stage, factor) in stages.iter().enumerate() {
        for number in 0..PARTS {
            let level = f64::from(levels[random.usize(..levels.len())]) * factor;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a level of a picture")]
            let picture = image::GrayImage::from_pixel(8, 8, image::Luma([level.round() as u8]));
            picture.save(folder.join(format!("{stage}-{number:04}.png"))).unwrap();
        }
    }
}

/// A line with a fit that is watched, and its pictures.
fn line(stages: &[f64], mqtt: &str) -> Place {
    let place = Place::new();
    let output = place.fit(&[]);
    assert!(output.status.success(), "{output:?}");
    pictures(&place, "line", stages);
    std::fs::create_dir(place.path("conf.d")).unwrap();
    std::fs::write(place.path("conf.d/line.toml"), "[cameras.top]\npath = \"line\"\n").unwrap();
    let mut rest = "[fits]\nfolder = \"state/fits\"\n[drift]\nwindow = 64\nwiden = 0.2\n".to_owned();
    rest.push_str("parts_per_false_alarm = 10000\n");
    rest.push_str(mqtt);
    place.configure("members = [{ model = \"one\" }]", &rest);
    place
}

#[test]
fn darker_pictures_raise_the_alarm_with_its_evidence_and_widen_the_band_until_it_is_over() {
    let broker = Mosquitto::start();
    let told = Subscriber::connect(broker.port, "kenpin/v1/line-1/drift");
    let mut mqtt = String::new();
    writeln!(mqtt, "[mqtt]\nbroker = \"{}\"", broker.address()).unwrap();
    let place = line(&[1.0, 0.4, 1.0], &mqtt);
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    let lines = daemon.lines.clone();
    assert!(daemon.wait().success());

    let drifts = |message: &Value| message["drifting"] == true;
    let messages = told.wait("kenpin.drift/1", "the alarm and its end", |all| {
        all.iter().any(drifts) && !all.last().is_some_and(drifts)
    });
    let alarms: Vec<&Value> = messages.iter().filter(|message| drifts(message)).collect();
    assert_eq!(alarms.len(), 1, "{messages:?}");
    assert_eq!(messages.last().unwrap()["routes"], serde_json::json!([]));
    let alarm = &alarms[0]["routes"][0];
    assert_eq!((&alarm["route"], &alarm["camera"], &alarm["widened_by"]), (&"all".into(), &"top".into(), &0.2.into()));
    assert_eq!((&alarm["reference_parts"], alarm["fit"].as_str().unwrap().len()), (&45.into(), 64));
    let number = |value: &Value| value.as_f64().unwrap();
    let named: Vec<&str> =
        alarm["statistics"].as_array().unwrap().iter().map(|seen| seen["statistic"].as_str().unwrap()).collect();
    assert!(named.contains(&"brightness"), "{named:?}");
    for seen in alarm["statistics"].as_array().unwrap() {
        assert!(number(&seen["p"]) <= number(&alarm["level"]) && number(&seen["psi"]) >= 0.1, "{seen}");
        assert!(
            number(&seen["ks"]) > 0.3 && (number(&seen["median"]) - number(&seen["reference_median"])).abs() > 1e-9,
            "{seen}"
        );
    }
    assert!(alarm["told"].as_str().unwrap().starts_with("route all: the last "), "{alarm}");
    let count = |event: &str| lines.wait(event, |lines| Some(lines.iter().filter(|line| line.contains(event)).count()));
    assert_eq!((count("drift_began"), count("drift_over")), (1, 1));

    // In the order in which the pictures were taken, whose names they bear.
    let verdicts = place.verdicts("default");
    assert_eq!(verdicts.len(), 3 * PARTS, "nothing is lost");
    let first = verdicts.iter().position(|verdict| verdict.get("drift").is_some()).unwrap();
    assert!(verdicts[first]["part"].as_str().unwrap().starts_with("1-"), "not before the first dark picture");
    let (plain, wide) = (&verdicts[0]["thresholds"], &verdicts[first]["thresholds"]);
    assert_eq!(verdicts[first]["drift"], serde_json::json!({ "statistics": named, "widened_by": 0.2 }));
    let near = |seen: &Value, wanted: f64| assert!((number(seen) - wanted).abs() < 1e-12, "{seen} is not {wanted}");
    near(&wide["pass_below"], (number(&plain["pass_below"]) - 0.2).max(0.0));
    near(&wide["reject_from"], (number(&plain["reject_from"]) + 0.2).min(1.0));
    let last = verdicts.last().unwrap();
    assert!(last.get("drift").is_none() && last["thresholds"] == *plain, "it is narrow again: {last}");
    for verdict in &verdicts {
        let bounds = &verdict["thresholds"];
        let score = number(&verdict["score"]);
        let wanted = if score >= number(&bounds["reject_from"]) {
            "reject"
        } else if score < number(&bounds["pass_below"]) {
            "pass"
        } else {
            "undecided"
        };
        assert_eq!(verdict["verdict"], wanted, "{verdict}");
    }
}

#[test]
fn pictures_like_the_labelled_ones_raise_no_alarm() {
    let place = line(&[1.0, 1.0, 1.0], "");
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    let lines = daemon.lines.clone();
    assert!(daemon.wait().success());
    let alarms = lines.wait("the end", |lines| {
        Some(lines.iter().filter(|line| line.contains("drift_began")).cloned().collect::<Vec<_>>())
    });
    assert_eq!(alarms, [""; 0]);
    let verdicts = place.verdicts("default");
    assert_eq!(verdicts.len(), 3 * PARTS);
    assert!(verdicts.iter().all(|verdict| verdict.get("drift").is_none()));
}

#[test]
fn the_trial_tells_parts_until_the_alarm_and_false_alarms() {
    let place = Place::new();
    let words = ["drift", "kenpin.toml", "set", "--corrupt=exposure=-60", "--others", "set", "--runs=20", "--json"];
    let output = place.kenpin(&[&words[..], &["--window=32", "--parts-per-false-alarm=1000"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["parts"], &report["reference_parts"]), (&45.into(), &22.into()));
    assert_eq!((&report["undisturbed"]["runs"], &report["undisturbed"]["parts_per_run"]), (&20.into(), &23.into()));
    let promised = report["undisturbed"]["promised"].as_f64().unwrap();
    assert!((promised - 0.46).abs() < 1e-12, "{report}");
    let changes = report["changes"].as_array().unwrap();
    assert_eq!(
        changes.iter().map(|change| change["change"].as_str().unwrap()).collect::<Vec<_>>(),
        ["simulated: exposure=-60", "other parts"]
    );
    let seen = |place: usize| changes[place]["seen"].as_u64().unwrap();
    assert!(seen(0) > seen(1), "what changes is seen more often than what does not: {report}");
}

#[test]
fn the_golden_set_is_judged_after_the_start_and_after_a_reload_beside_the_line() {
    let broker = Mosquitto::start();
    let told = Subscriber::connect(broker.port, "kenpin/v1/line-1/golden");
    let place = Place::new();
    // The model calls dark what lies below 128; the golden set has two good pictures of which one is darker, and a black one.
    for (truth, level) in [("good", 120), ("good", 200), ("defective", 10)] {
        let folder = place.path("golden").join(truth);
        std::fs::create_dir_all(&folder).unwrap();
        image::GrayImage::from_pixel(8, 8, image::Luma([level])).save(folder.join(format!("{level}.png"))).unwrap();
    }
    std::fs::create_dir(place.path("conf.d")).unwrap();
    std::fs::write(place.path("conf.d/endless.toml"), "[cameras.top]\nrepeat = true\n").unwrap();
    let rest = format!("[golden]\npath = \"golden\"\n[mqtt]\nbroker = \"{}\"", broker.address());
    place.configure("members = [{ model = \"one\" }]", &rest);
    let once = |wanted: i32| {
        let output = place.kenpin(&["golden", "kenpin.toml", "--json"]);
        assert_eq!(output.status.code(), Some(wanted), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let report = once(1);
    assert_eq!((&report["pictures"], report["differences"].as_array().unwrap().len()), (&3.into(), 1));

    let daemon = Daemon::start(&place.path("kenpin.toml"));
    let judged = |count: usize| told.wait("kenpin.golden/1", "the golden set", |all| all.len() >= count).pop().unwrap();
    let first = judged(1);
    assert_eq!((&first["passed"], &first["cause"]), (&false.into(), &"start".into()), "{first}");
    assert_eq!((&first["pictures"], &first["differing"]), (&3.into(), &1.into()));
    let different = &first["differences"][0];
    assert!(different["picture"].as_str().unwrap().ends_with("golden/good/120.png"), "{different}");
    assert_eq!((&different["expected"], &different["seen"]), (&"pass".into(), &"reject".into()));
    daemon.wait_for("120.png: expected pass, seen reject", 1);
    daemon.wait_for("golden_differs", 1);

    place.configure("reject_from = 0.9\npass_below = 0.9\nmembers = [{ model = \"one\" }]", &rest);
    daemon.hang_up();
    daemon.wait_for("plan_reloaded", 1);
    let second = judged(2);
    assert_eq!(
        (&second["passed"], &second["cause"], &second["differing"]),
        (&true.into(), &"change".into(), &0.into())
    );
    assert_ne!(second["plan"], first["plan"]);
    daemon.wait_for_more("part_judged", 30);
    assert!(daemon.terminate().success());
    let verdicts = place.verdicts("default");
    let own = |verdict: &Value| verdict["part_id_given"] == true;
    assert!(!verdicts.is_empty() && verdicts.iter().all(own), "no golden picture is in the journal");
    assert_eq!(once(0)["passed"], true);

    std::fs::remove_file(place.path("golden/good/200.png")).unwrap();
    std::fs::write(place.path("golden/good/201.png"), "no picture").unwrap();
    let spoilt = once(1);
    assert_eq!(
        (&spoilt["differences"][0]["seen"], &spoilt["differences"][0]["expected"]),
        (&Value::Null, &"pass".into())
    );
}

#[test]
fn a_route_without_a_fit_that_knows_its_pictures_is_told_as_unwatched() {
    let place = Place::new();
    place.configure("members = [{ model = \"one\" }]", "[fits]\nfolder = \"fits\"\n[drift]\n");
    std::fs::create_dir(place.path("fits")).unwrap();
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    daemon.wait_for("[drift] does not watch route all: it wants a fit by `kenpin fit` on labelled pictures", 1);
    assert!(daemon.wait().success());
}

/// Pictures that grow brighter to the right, or downwards, by a slope that is drawn for each: all that is watched of a picture but
/// its embedding is blind to the way. No two are alike.
fn ramps(place: &Place, [good, defective]: [&str; 2], count: usize, seed: u64, downwards: bool) {
    let (mut random, mut drawn) = (fastrand::Rng::with_seed(seed), std::collections::BTreeSet::new());
    for number in 0..count {
        let mut draw = || (random.i32(30..226), random.i32(-4..5));
        let (level, slope) = std::iter::repeat_with(&mut draw).find(|drawn_now| drawn.insert(*drawn_now)).unwrap();
        let folder = place.path(if level < 100 { defective } else { good });
        std::fs::create_dir_all(&folder).unwrap();
        let at = |x: u32, y: u32| slope * (2 * i32::try_from(if downwards { y } else { x }).unwrap() - 7);
        let pixel = |x, y| image::Luma([u8::try_from(level + at(x, y)).unwrap()]);
        image::GrayImage::from_fn(8, 8, pixel).save(folder.join(format!("{seed}-{number:04}.png"))).unwrap();
    }
}

/// A line on which a member gives an embedding and has no vote.
fn with_embeddings(rest: &str) -> Place {
    let place = Place::new();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/embedding");
    std::fs::create_dir(place.path("embedding")).unwrap();
    for file in ["model.onnx", "passport.toml"] {
        std::fs::copy(source.join(file), place.path("embedding").join(file)).unwrap();
    }
    ramps(&place, ["labelled/good", "labelled/defective"], 400, 1, false);
    let panel = "members = [{ model = \"one\" }, { model = \"embedding\", votes = false }]";
    place.configure(panel, &format!("[models.embedding]\nfolder = \"embedding\"\n{rest}"));
    place
}

#[test]
fn a_change_of_the_embeddings_alone_raises_the_alarm() {
    let place =
        with_embeddings("[fits]\nfolder = \"state/fits\"\n[drift]\nwindow = 64\nparts_per_false_alarm = 10000\n");
    let fitted = |further: &[&str]| place.kenpin(&[&["fit", "kenpin.toml", "labelled"], further].concat());
    let output = fitted(&[]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("embeddings of embedding: 200 of 400 parts chose 2 directions"), "{told}");
    let first = std::fs::read_to_string(place.path("state/fits/all.toml")).unwrap();
    assert!(first.contains("statistic = \"embedding-beyond\"") && first.contains("chosen_by = 200"), "{first}");
    // The second fit asks no model: what was kept of the first has the embeddings, to the last digit.
    let reference = |text: &str| text.split_once("[reference]").unwrap().1.to_owned();
    assert!(fitted(&[]).status.success());
    let second = std::fs::read_to_string(place.path("state/fits/all.toml")).unwrap();
    assert!(first != second && reference(&first) == reference(&second));

    // The daemon: pictures of the same kind, then others that differ in their embeddings only.
    ramps(&place, ["line", "line"], 320, 2, false);
    ramps(&place, ["line", "line"], 320, 3, true);
    std::fs::create_dir(place.path("conf.d")).unwrap();
    std::fs::write(place.path("conf.d/line.toml"), "[cameras.top]\npath = \"line\"\n").unwrap();
    let daemon = Daemon::start(&place.path("kenpin.toml"));
    let lines = daemon.lines.clone();
    assert!(daemon.wait().success());
    let alarms = lines.wait("the end", |lines| {
        Some(lines.iter().filter(|line| line.contains("drift_began")).cloned().collect::<Vec<_>>())
    });
    let [alarm] = alarms.as_slice() else { panic!("one alarm: {alarms:#?}") };
    assert!(alarm.contains("embedding, distance beyond the directions"), "{alarm}");
    for other in ["score (", "sharpness (", "brightness (", "clipped (", "noise ("] {
        assert!(!alarm.contains(other), "{alarm}");
    }
    let mut verdicts = place.verdicts("default");
    verdicts.sort_by_key(|verdict| verdict["seq"].as_u64());
    assert_eq!(verdicts.len(), 640);
    let first = verdicts.iter().position(|verdict| verdict.get("drift").is_some()).unwrap();
    println!("embeddings changed with part 321; the alarm stood before verdict {}", first + 1);
    assert!((320..320 + 128).contains(&first), "{first}");
}

#[test]
fn a_trial_on_embeddings_keeps_the_promise_and_sees_the_change() {
    let place = with_embeddings("");
    ramps(&place, ["others/good", "others/defective"], 400, 2, true);
    let words = ["drift", "kenpin.toml", "labelled", "--others", "others", "--runs=100", "--json", "--window=64"];
    // So lax that the promise can be put to the test.
    let output = place.kenpin(&[&words[..], &["--parts-per-false-alarm=1000"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (undisturbed, changed) = (&report["undisturbed"], &report["changes"][0]);
    println!("{undisturbed} {changed}");
    let number = |key: &str| undisturbed[key].as_f64().unwrap();
    assert!((number("runs") - 100.0).abs() < 1e-9 && (number("parts_per_run") - 200.0).abs() < 1e-9);
    assert!(number("false_alarms") <= number("promised") + 2.0 * number("promised_error"), "{undisturbed}");
    assert_eq!((&changed["seen"], &changed["false_alarms"]), (&100.into(), &0.into()), "{changed}");
    assert!(changed["parts_until_alarm"]["median"].as_f64().unwrap() <= 64.0, "{changed}");
}

#[test]
fn a_taught_model_has_its_embedding_watched_without_a_further_member() {
    let place = with_embeddings("");
    let words = ["teach", "--embedding", "embedding", "--examples", "labelled", "--head", "ridge", "--out", "taught"];
    let output = place.kenpin(&words);
    assert!(output.status.success(), "{output:?}");
    let passport = std::fs::read_to_string(place.path("taught/passport.toml")).unwrap();
    assert!(passport.contains("embedding = \"vector\""), "{passport}");
    let panel = "members = [{ model = \"taught\" }]";
    place.configure(panel, "[models.taught]\nfolder = \"taught\"\n");
    let output = place.kenpin(&["fit", "kenpin.toml", "labelled"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("embeddings of taught: 200 of 400 parts chose 2 directions"), "{told}");
    ramps(&place, ["others/good", "others/defective"], 400, 2, true);
    let words = ["drift", "kenpin.toml", "labelled", "--others", "others", "--runs=20", "--json", "--window=64"];
    let output = place.kenpin(&words);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let changed = &report["changes"][0];
    assert_eq!((&changed["seen"], &changed["false_alarms"]), (&20.into(), &0.into()), "{report}");
    assert_eq!(changed["statistics"]["embedding-beyond"], 20, "{report}");
}
