//! Walks over real models, from a config: a cascade whose judge is shown what the finder found, and a text that is read
//! off a frame and picks the route.

use std::path::Path;
use std::sync::Arc;

use kenpin::clock::Monotonic;
use kenpin::config::{self, Settings};
use kenpin::flow::infer::Crew;
use kenpin::flow::inspect::judge;
use kenpin::flow::plan::Plan;
use kenpin::flow::pool::Pool;
use kenpin::flow::{Findings, Frame, Image, Part, PartId, PixelFormat, WalkEnd, Walked};
use kenpin::models::catalogue;
use kenpin::name::Name;
use kenpin::telemetry::Telemetry;
use kenpin::value::Value;

use crate::conformance::libraries;
use crate::families::text::pp_ocr;
use crate::families::{fixtures, frame, root};

/// Settings of one camera and these models and routes, on the newest library.
fn settings(models: &[(&str, &Path)], routes: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kenpin.toml");
    let models: String = models
        .iter()
        .map(|(name, folder)| format!("[models.{name}]\nfolder = {:?}\n", folder.display().to_string()))
        .collect();
    let library = libraries().pop().unwrap();
    let text = format!(
        "[device]\nid = \"d\"\n[cameras.top]\nkind = \"replay\"\npath = \"parts\"\n[runtime]\nonnxruntime_library = {:?}\n{models}{routes}",
        library.display().to_string()
    );
    std::fs::write(&path, text).unwrap();
    config::load(&path).unwrap_or_else(|why| panic!("{why}"))
}

/// Walks one part with these frames.
async fn walk(settings: Settings, frames: Vec<Arc<Frame>>) -> Walked {
    let open = move || {
        let models = catalogue::load_all(&settings).unwrap_or_else(|why| panic!("{why}"));
        let plan = Arc::new(Plan::build(&settings, &models).unwrap_or_else(|why| panic!("{why:?}")));
        let crew = Crew::open(&plan, &settings.runtime, Telemetry::default()).unwrap();
        (plan, crew)
    };
    let (plan, crew) = tokio::task::spawn_blocking(open).await.unwrap();
    let stopped: Vec<_> = crew.stopped().collect();
    assert!(stopped.is_empty(), "{stopped:?}");
    let mut part = Part {
        id: PartId::new("p").unwrap(),
        id_given: true,
        recipe: Name::new("default").unwrap(),
        captured: Monotonic::now(),
        joined: Monotonic::now(),
        frames,
        readings: Arc::default(),
        notes: Vec::new(),
        plan: Arc::clone(&plan),
        route: None,
        rung: 0,
    };
    part.route = kenpin::flow::plan::choice::route(&part, &plan);
    crew.walk(part).await
}

/// The dark score of a part of a picture, cut out beforehand.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held to the sides of a small picture")]
async fn cut_out(picture: &Frame, [left, top, right, bottom]: [f64; 4]) -> f64 {
    let whole = &picture.image;
    let edge = |at: f64, most: u32| (at.round().max(0.0) as u32).min(most);
    let (left, right) = (edge(left, whole.width() - 1), edge(right, whole.width()));
    let (top, bottom) = (edge(top, whole.height() - 1), edge(bottom, whole.height()));
    let (width, height) = ((right - left).max(1), (bottom - top).max(1));
    let mut pixels = Pool::new(0).take((width * height * 3) as usize);
    for (row, line) in pixels.bytes_mut().chunks_exact_mut(width as usize * 3).enumerate() {
        let from = ((top as usize + row) * whole.width() as usize + left as usize) * 3;
        line.copy_from_slice(&whole.bytes()[from..][..line.len()]);
    }
    let image = Image::new(width, height, PixelFormat::Rgb8, pixels).unwrap();
    let camera = Name::new("top").unwrap();
    let cut = Frame { camera, sequence: 0, captured: Monotonic::now(), part: None, image };
    let judge = root("tests/fixtures/onnx/brightness");
    let settings = settings(&[("judge", &judge)], "[[routes]]\nname = \"all\"\nmembers = [{ model = \"judge\" }]\n");
    let walked = walk(settings, vec![Arc::new(cut)]).await;
    let Ok(Findings::Classification { classes }) = &walked.answers[0].answer.findings else { panic!("{walked:?}") };
    classes[1].probability
}

#[tokio::test]
async fn the_judge_is_shown_what_the_finder_found() {
    let (finder, judge_model) = (fixtures("yolov8"), root("tests/fixtures/onnx/brightness"));
    let routes = "[[routes]]\nname = \"all\"\nmembers = [{ model = \"finder\", votes = false }, \
                  { model = \"judge\", crops = { of = \"finder\", most = 4 } }]\n";
    let picture = frame(&fixtures("rgb-150x90.png"));
    let walked =
        walk(settings(&[("finder", &finder), ("judge", &judge_model)], routes), vec![Arc::clone(&picture)]).await;
    assert_eq!(walked.end, WalkEnd::Judged);
    let Ok(Findings::Detection { detections }) = &walked.answers[0].answer.findings else { panic!("{walked:?}") };
    assert!(detections.len() > 4, "{detections:?}");
    let crops = &walked.answers[1..];
    assert_eq!(crops.len(), 4, "no more than asked for");
    let mut worst = 0.0_f64;
    for (given, found) in crops.iter().zip(detections) {
        assert_eq!((given.member, given.answer.crop), (1, Some(found.corners)));
        let Ok(Findings::Classification { classes }) = &given.answer.findings else { panic!("{given:?}") };
        let alone = cut_out(&picture, found.corners).await;
        assert!((classes[1].probability - alone).abs() < 1e-4, "{given:?}: cut out beforehand {alone}");
        worst = worst.max(classes[1].probability);
    }
    let verdict = judge(&walked);
    assert!(
        (verdict.score.unwrap() - worst).abs() < 1e-12,
        "the worst crop decides, the finder has no vote: {verdict:?}"
    );
}

#[tokio::test]
async fn a_text_that_is_read_becomes_a_reading_and_picks_the_route() {
    let ((_kept, lines), (_kept_too, reader)) = (pp_ocr("text-detection"), pp_ocr("text-recognition"));
    let judge_model = root("tests/fixtures/onnx/brightness");
    let routes = "[[routes]]\nname = \"read\"\nwhen = [{ sensor = \"lot\", key = \"text\", present = false }]\n\
                  [routes.read]\nlines = \"lines\"\ntext = \"reader\"\nsensor = \"lot\"\n\
                  [[routes]]\nname = \"known\"\nwhen = [{ sensor = \"lot\", key = \"text\", present = true }]\n\
                  members = [{ model = \"judge\" }]\n";
    let models = [("judge", judge_model.as_path()), ("lines", &lines), ("reader", &reader)];
    let picture = frame(&fixtures("text/ocr/label.png"));
    let walked = walk(settings(&models, routes), vec![picture]).await;
    let path: Vec<_> = walked.path.iter().map(|at| walked.part.plan.route(*at).name.to_string()).collect();
    assert_eq!(
        (path, &walked.end),
        (vec!["read".to_owned(), "known".to_owned()], &WalkEnd::Judged),
        "{:?}",
        walked.gates
    );
    let [reading] = walked.part.readings.as_slice() else { panic!("{:?}", walked.part.readings) };
    let Some(Value::Text(text)) = reading.values.get("text") else { panic!("{reading:?}") };
    assert_eq!(reading.sensor.as_str(), "lot");
    println!("read: {text}");
    assert!(text.contains("LOT") && text.contains("2026"), "{text}");
    assert_eq!(walked.gates.len(), 6, "the finder and five lines are told");
}
