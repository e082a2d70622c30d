//! Explanations through the binary: what is told of a verdict, where a model that looks at one place is found to look, and how
//! each thing that is missing or changed is told.

use std::path::PathBuf;

use image::{GrayImage, Luma};
use kenpin::config;
use kenpin::explain::activation::read;
use kenpin::fusion::calibrator::logit;
use kenpin::models::catalogue::sha256;
use kenpin::models::graph::activation::{LENGTHS, SCORES, open};
use kenpin::models::passport::{Model, Output};
use kenpin::name::Name;
use kenpin::record::journal::Journal;
use kenpin::record::journal::past::Past;
use kenpin::task::geometry::Geometry;
use kenpin::tensor::{Element, Tensor, TensorData};
use serde_json::Value;

use crate::families::{newest, root};
use crate::fit::Place;

const PANEL: &str = "members = [{ model = \"one\", weight = 3 }, { model = \"two\" }]\n\
                     fusion = { rule = \"weighted-mean\" }\nreject_from = 0.6\npass_below = 0.4";

/// One part at a time, so that the verdicts have the order of the pictures.
const IMAGES: &str = "[images]\nfolder = \"state/images\"\naudit_share = 0.0\n[runtime]\nparts_in_flight = 1";

/// What the models `corner` and `pooled` look at in a picture of 64 pixels a side: left, top, right, bottom.
const LOOKED_AT: [u32; 4] = [8, 40, 24, 56];

/// A place that is as dark, and that no model looks at.
const BESIDE: [u32; 4] = [40, 8, 56, 24];

fn within([left, top, right, bottom]: [u32; 4], x: u32, y: u32) -> bool {
    (left..right).contains(&x) && (top..bottom).contains(&y)
}

/// A line that has judged two parts: `1`, dark at two places, which is rejected, and `2`, bright, which passes. Model `one` looks at
/// one of the places only, model `two` at the mean of all.
fn judged() -> Place {
    judged_by("corner")
}

/// The same with another model `one`.
fn judged_by(one: &str) -> Place {
    let place = Place::new();
    std::fs::remove_dir_all(place.path("set/good")).unwrap();
    std::fs::create_dir(place.path("set/good")).unwrap();
    let spots = GrayImage::from_fn(64, 64, |x, y| {
        Luma([if within(LOOKED_AT, x, y) || within(BESIDE, x, y) { 30 } else { 250 }])
    });
    spots.save(place.path("set/good/1.png")).unwrap();
    GrayImage::from_pixel(64, 64, Luma([250])).save(place.path("set/good/2.png")).unwrap();
    place.model("one", one, "dark");
    place.model("two", "brightness", "dark");
    place.configure(PANEL, IMAGES);
    let output = place.kenpin(&["run", "kenpin.toml", "--run", "r"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    place
}

/// Explains a verdict: exit code, what is told as JSON (null where nothing is), what stands on standard error.
fn explain(place: &Place, seq: &str, further: &[&str]) -> (Option<i32>, Value, String) {
    let output = place.kenpin(&[&["explain", "kenpin.toml", seq, "--json"], further].concat());
    let told = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), told, String::from_utf8(output.stderr).unwrap())
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}: {value:#}"))
}

#[test]
fn a_reject_is_explained_and_the_map_is_hottest_where_its_model_looks() {
    let place = judged();
    let (code, told, stderr) = explain(&place, "1", &["--curves", "3"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!((&told["verdict"], &told["part"], &told["same_plan"]), (&"reject".into(), &"1".into(), &true.into()));
    let votes = [number(&told, "/members/0/score"), number(&told, "/members/1/score")];
    assert!(votes[0] > 0.98 && votes[1] < 0.01, "{votes:?}");
    let adds = |at: usize| number(&told, &format!("/joined/contributions/each/{at}"));
    assert!((adds(0) - 0.75 * (votes[0] - 0.5)).abs() < 1e-9 && (adds(1) - 0.25 * (votes[1] - 0.5)).abs() < 1e-9);
    assert!((0.5 + adds(0) + adds(1) - number(&told, "/score")).abs() < 1e-9);

    let flip = &told["flips"][0];
    assert_eq!((&flip["becomes"], &flip["score"]["side"]), (&"undecided".into(), &"below".into()));
    let alone = number(flip, "/members/0/of");
    assert!((0.75 * alone + 0.25 * votes[1] - 0.6).abs() < 1e-9, "{alone}");
    assert_eq!(flip["members"][1], Value::Null, "the light member alone cannot do it");

    let looked = &told["members"][0]["looked"];
    assert_eq!((&looked["by"], &looked["no_activation"]), (&"rise".into(), &NO_ACTIVATION.into()));
    assert!((number(looked, "/then") - number(looked, "/now")).abs() < 1e-6, "{looked}");
    hottest_where_it_looks(looked);
    let page = place.path(told["page"].as_str().unwrap());
    let text = std::fs::read_to_string(&page).unwrap();
    let stem = page.file_stem().unwrap().to_str().unwrap();
    for picture in [format!("{stem}-0-one.png"), format!("{stem}-1-two.png"), format!("{stem}-top.png")] {
        assert!(text.contains(&picture) && page.with_file_name(&picture).is_file(), "{picture}: {text}");
    }

    let words = String::from_utf8(place.kenpin(&["explain", "kenpin.toml", "1", "--out", "told"]).stdout).unwrap();
    assert!(words.starts_with("verdict 1, part 1 of run r: reject, score 0.74"), "{words}");
    assert!(words.contains("routed: route all: it takes every part"), "{words}");
    assert!(words.contains("else: undecided with a fused score below 0.6000"), "{words}");
    assert!(words.contains(&format!("by RISE (no class activation: {NO_ACTIVATION}), most at ")), "{words}");
    let (_, again, _) = explain(&place, "1", &[]);
    assert_eq!(again["members"][0]["looked"]["peak"], looked["peak"], "the same question has the same answer");
    assert!(place.path("told").join(format!("{stem}.html")).is_file());
}

/// Why the model `corner` has no class activation.
const NO_ACTIVATION: &str = "Unsqueeze stands between its features and its answer";

/// Model `one` is found to look where it does, and its map fares better than each random one, both ways.
fn hottest_where_it_looks(looked: &Value) {
    let (x, y) = (number(looked, "/peak/0"), number(looked, "/peak/1"));
    assert!((8.0..24.0).contains(&x) && (40.0..56.0).contains(&y), "it is found to look at {x} {y}");
    for (curve, sign) in [("deletion", 1.0), ("insertion", -1.0)] {
        let area = number(looked, &format!("/curves/{curve}/area"));
        for other in ["scattered", "misplaced"] {
            let areas = looked["curves"][curve][other].as_array().unwrap();
            assert_eq!(areas.len(), 3);
            let worse = areas.iter().filter(|other| sign * other.as_f64().unwrap() >= sign * area).count();
            assert_eq!(worse, 3, "{curve}, {other}: {area} against {areas:?}");
        }
    }
}

#[test]
fn a_linear_head_behind_a_mean_over_places_is_explained_by_its_class_activation() {
    let place = judged_by("pooled");
    let before = std::fs::read_dir(place.path("one")).unwrap().count();
    let (code, told, stderr) = explain(&place, "1", &["--curves", "3"]);
    assert_eq!(code, Some(0), "{stderr}");
    let looked = &told["members"][0]["looked"];
    assert_eq!((&looked["by"], &looked["no_activation"]), (&"activation".into(), &Value::Null));
    hottest_where_it_looks(looked);
    assert_eq!(std::fs::read_dir(place.path("one")).unwrap().count(), before, "the model's folder is only read");

    let (_, told, _) = explain(&place, "1", &["--rise", "--curves", "3"]);
    let looked = &told["members"][0]["looked"];
    assert_eq!((&looked["by"], &looked["no_activation"]), (&"rise".into(), &Value::Null), "as it was asked for");
    hottest_where_it_looks(looked);
}

#[test]
fn the_class_activation_of_a_small_graph_is_the_one_worked_out_by_hand() {
    let model = Model::load(&root("tests/fixtures/onnx/pooled")).unwrap();
    let opened = open(&std::fs::read(model.file()).unwrap(), "logits").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut copy = Model { folder: folder.path().into(), ..model.clone() };
    std::fs::write(copy.file(), &opened.file).unwrap();
    copy.passport.file.sha256 = sha256(&copy.file()).unwrap();
    let output = |name: &str, shape, element| Output { name: name.into(), shape, element, activation: None };
    copy.passport.outputs.push(output(SCORES, vec![0, 2], Element::Float32));
    copy.passport.outputs.push(output(LENGTHS, vec![4], Element::Int64));
    let (backend, settings) = newest();
    let mut session = backend.open(&copy, &settings).unwrap();

    let levels: Vec<f32> = (0..256_u16).map(|at| f32::from(at * 7 % 256) / 256.0).collect();
    let fed = [Tensor::new(vec![1, 1, 16, 16], TensorData::F32(levels.clone())).unwrap()];
    let [answer, scores, lengths] = session.run(&fed).unwrap() else { panic!("want three outputs") };
    let seen = read(&model.passport, opened.end, scores, lengths, &Geometry::identity(16, 16)).unwrap();

    assert_eq!((seen.map.width, seen.map.height, seen.map.covers), (8, 8, [0.0, 0.0, 16.0, 16.0]));
    for (place, number) in seen.map.numbers.iter().enumerate() {
        let (x, y) = (place % 8, place / 8);
        let mean = [0, 1, 16, 17].map(|step| levels[2 * (16 * y + x) + step]).iter().sum::<f32>() / 4.0;
        let looks = (1..3).contains(&x) && (5..7).contains(&y);
        // The darkness counts 64 for one label and -64 for the other, the bias -1.5 and 1.5; the second feature counts alike.
        let wanted = if looks { 128.0 * (1.0 - mean) } else { 0.0 } - 3.0;
        assert!((number - wanted).abs() < 1e-3, "at {x} {y}: {number}, by hand {wanted}");
    }
    let answer = answer.float32().unwrap();
    assert!(
        (logit(seen.score) - f64::from(answer[1] - answer[0])).abs() < 1e-4,
        "the mean of all places is the answer"
    );
}

#[test]
fn without_a_kept_frame_the_numbers_are_told_and_that_it_is_missing() {
    let place = judged();
    let (code, told, stderr) = explain(&place, "2", &[]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!((&told["verdict"], told["flips"].as_array().unwrap().len()), (&"pass".into(), 2));
    assert!(told["joined"]["contributions"]["each"][0].as_f64().unwrap() < 0.0);
    let unseen = told["members"][0]["unseen"].as_str().unwrap();
    assert!(unseen.starts_with("the frame of camera top was not kept, or is kept no more: "), "{unseen}");
    place.configure(PANEL, "");
    let (code, told, _) = explain(&place, "1", &[]);
    assert_eq!((code, &told["members"][0]["unseen"]), (Some(0), &"the config keeps no frames: see `[images]`".into()));
}

#[test]
fn a_verdict_that_is_not_there_or_not_of_this_line_is_told() {
    let place = judged();
    for seq in ["0", "3", "18446744073709551615"] {
        let (code, told, stderr) = explain(&place, seq, &[]);
        assert_eq!((code, told), (Some(1), Value::Null));
        assert!(stderr.contains(&format!("there is no verdict {seq}; kept are 1 to 2")), "{stderr}");
    }
    assert_eq!(explain(&place, "one", &[]).0, Some(2));

    std::fs::create_dir(place.path("conf.d")).unwrap();
    let overlay = |text: &str| std::fs::write(place.path("conf.d/other.toml"), text).unwrap();
    overlay("[device]\nid = \"line-2\"\n");
    let (code, _, stderr) = explain(&place, "1", &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("verdict 1 is of device line-1, the config is that of line-2"), "{stderr}");
    overlay("[journal]\npath = \"none.sqlite\"\n");
    let (code, _, stderr) = explain(&place, "1", &[]);
    assert!(code == Some(3) && stderr.contains("none.sqlite: cannot be read"), "{code:?} {stderr}");
    assert!(!place.path("none.sqlite").exists(), "nothing is made");
    overlay("[journal]\npath = \"foreign.sqlite\"\n");
    rusqlite::Connection::open(place.path("foreign.sqlite")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let (code, _, stderr) = explain(&place, "1", &[]);
    assert!(code == Some(3) && stderr.contains("foreign.sqlite: not a sound Kenpin journal"), "{code:?} {stderr}");
}

#[test]
fn a_model_that_is_not_the_one_that_judged_is_refused_by_name_and_the_numbers_stand() {
    let place = judged();
    let refused = |why: &str| {
        let (code, told, stderr) = explain(&place, "1", &[]);
        assert_eq!(code, Some(1), "{stderr}");
        let seen = told["refusals"][0].as_str().unwrap();
        assert!(seen.contains(why), "{seen}");
        assert!(told["joined"]["contributions"]["each"][0].as_f64().unwrap() > 0.0, "{told:#}");
        told
    };
    let passport = std::fs::read_to_string(place.path("one/passport.toml")).unwrap();
    let prepared = passport.replace("scale = 0.00390625", "scale = 0.0078125");
    std::fs::write(place.path("one/passport.toml"), prepared).unwrap();
    let told = refused("model one gives 0.7058 of the kept frame, 0.9883 at the verdict");
    assert_eq!(told["members"][0]["looked"]["by"], "rise", "what is seen is shown and the difference told");
    std::fs::write(place.path("one/passport.toml"), passport).unwrap();

    std::fs::write(place.path("one/model.onnx"), "spoilt").unwrap();
    refused("one/model.onnx");
    place.model("one", "brightness", "dark");
    let told = refused("model one is another than the one that judged: its file has the SHA-256");
    assert_eq!((&told["members"][0]["looked"], &told["same_plan"]), (&Value::Null, &false.into()));
    assert_eq!(told["members"][1]["looked"]["by"], "rise", "the other member is still shown");
}

#[test]
fn a_fusion_that_does_not_give_the_score_again_is_not_made_up() {
    let place = judged();
    place.configure(&PANEL.replace("weighted-mean", "maximum").replace(", weight = 3", ""), IMAGES);
    let (code, told, _) = explain(&place, "1", &[]);
    assert_eq!((code, &told["joined"]), (Some(0), &Value::Null));
    let notes = told["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains("it was judged otherwise")), "{notes:?}");
    assert_eq!(told["flips"][0]["becomes"], "undecided", "what the verdict itself says is told");
}

#[tokio::test]
async fn the_past_is_read_while_the_journal_is_open_and_no_lock_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let settings = config::Journal { path: folder.path().join("journal.sqlite"), max_bytes: 1 << 24 };
    let opened = Journal::open(&settings, &Name::new("r").unwrap(), false).unwrap();
    let path: PathBuf = settings.path;
    let empty = Past::open(&path).unwrap();
    assert_eq!((empty.last_seq(), empty.first_seq().unwrap(), empty.verdict(1).unwrap()), (0, None, None));
    opened.journal.admission("a", true).await.unwrap();
    opened.journal.append("a", Box::new(|seq| format!("verdict {seq}").into_bytes().into())).await.unwrap();
    let past = Past::open(&path).unwrap();
    assert_eq!((past.epoch(), past.last_seq(), past.first_seq().unwrap()), (opened.epoch, 1, Some(1)));
    assert_eq!(past.verdict(1).unwrap(), Some(b"verdict 1".to_vec()));
    assert_eq!(past.verdict(2).unwrap(), None);
    opened.journal.close().await;
}
