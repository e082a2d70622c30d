//! The crew over real sessions: fixtures on ONNX Runtime, each on its own thread, asked through a plan.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kenpin::clock::Monotonic;
use kenpin::config::{self, Backend as Listed, Provider, Runtime, Settings};
use kenpin::flow::infer::Crew;
use kenpin::flow::plan::Plan;
use kenpin::flow::pool::Pool;
use kenpin::flow::{Findings, Frame, Image, Part, PartId, PixelFormat, WalkEnd};
use kenpin::fusion::{Fusion, Over, Rule};
use kenpin::name::Name;
use kenpin::telemetry::{Event, Telemetry};

use crate::conformance::{fixture, libraries, runtime};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A plan with one panel on which every model sits.
fn plan(models: &[&str], runtime: &Runtime, wrong_hash: Option<&str>) -> Arc<Plan> {
    let seat = |model: &&str| config::Member::new(name(model));
    let station = config::Station::Panel(config::Panel {
        members: models.iter().map(seat).collect(),
        fusion: Fusion { rule: Rule::Mean, over: Over::Defect, boxes: None },
        thresholds: config::Thresholds { reject_from: 0.5, pass_below: 0.5 },
        deadline: None,
    });
    let only = config::Route { name: name("only"), when: vec![], by_gate_only: false, station, lighter: vec![] };
    let settings = Settings {
        changeover: None,
        device: name("device"),
        line: config::Line { recipe: name("recipe"), run: name("run"), recipe_key: None },
        cameras: BTreeMap::new(),
        sensors: BTreeMap::new(),
        join: config::Join {
            window: Duration::ZERO,
            keep_readings: Duration::ZERO,
            waiting_readings: 1,
            open_parts: 1,
        },
        outputs: BTreeMap::new(),
        models: BTreeMap::new(),
        routes: vec![only],
        ladder: vec![],
        governor: config::Governor {
            board_root: PathBuf::new(),
            every: Duration::from_secs(1),
            deadline: Duration::from_secs(1),
            dwell: Duration::ZERO,
            hold: Duration::ZERO,
            margin_kelvin: 0.0,
        },
        runtime: runtime.clone(),
        fits: None,
        drift: None,
        chart: None,
        golden: None,
        journal: config::Journal { path: PathBuf::new(), max_bytes: 0 },
        images: None,
        review: None,
        mqtt: None,
    };
    let load = |text: &&str| {
        let mut model = fixture(text);
        if wrong_hash == Some(*text) {
            model.passport.file.sha256 = "0".repeat(64);
        }
        (name(text), Arc::new(model))
    };
    Arc::new(Plan::build(&settings, &models.iter().map(load).collect()).unwrap())
}

/// A part with one grey frame of the given level.
fn part(plan: &Arc<Plan>, level: u8) -> Part {
    let mut pixels = Pool::new(1).take(20 * 30);
    pixels.bytes_mut().fill(level);
    let image = Image::new(20, 30, PixelFormat::Grey8, pixels).unwrap();
    let frame = Frame { camera: name("top"), sequence: 0, captured: Monotonic::now(), part: None, image };
    Part {
        id: PartId::new("p").unwrap(),
        id_given: true,
        recipe: name("recipe"),
        captured: Monotonic::now(),
        joined: Monotonic::now(),
        frames: vec![Arc::new(frame)],
        readings: Arc::default(),
        notes: vec![],
        plan: Arc::clone(plan),
        route: plan.routes().next().map(|(index, _)| index),
        rung: 0,
    }
}

#[tokio::test]
async fn models_on_their_own_threads_answer_a_part() {
    let settings = Runtime { onnxruntime_library: libraries().pop(), ..runtime(Listed::OnnxRuntime, &[Provider::Cpu]) };
    let plan = plan(&["brightness", "colour", "no-number", "bytes"], &settings, Some("bytes"));
    let telemetry = Telemetry::default();
    let crew = Crew::open(&plan, &settings, telemetry.clone()).unwrap();
    let stopped: Vec<_> = crew.stopped().map(|(name, why)| (name.to_string(), why.to_owned())).collect();
    assert_eq!((stopped.len(), stopped[0].0.as_str()), (1, "bytes"));
    let passport = fixture("bytes").passport;
    assert!(stopped[0].1.contains(&passport.file.sha256) && stopped[0].1.contains(&"0".repeat(64)), "{stopped:?}");
    assert!(crew.placements().all(|(_, placement)| placement.provider == "cpu" && placement.fallback.is_none()));

    let walked = crew.walk(part(&plan, 0)).await;
    assert_eq!(walked.end, WalkEnd::Judged);
    let answers: Vec<_> = walked.answers.iter().map(|given| &given.answer).collect();
    let Ok(Findings::Classification { classes }) = &answers[0].findings else { panic!("{:?}", answers[0]) };
    let dark = 1.0 / (1.0 + (-8.0_f64).exp());
    assert!((classes[1].probability - dark).abs() < 1e-6, "a black frame is dark: {classes:?}");
    assert!(answers[1].findings.is_ok() && answers[1].times.run > 0.0);
    assert!(answers[2].findings.as_ref().is_err_and(|why| why.to_string().contains("NaN")), "{:?}", answers[2]);
    assert_eq!(answers[3].findings.as_ref().unwrap_err().to_string(), stopped[0].1);
    assert_eq!(telemetry.count(Event::ModelStopped), 1, "at the opening");
    assert_eq!(telemetry.count(Event::MemberFailed), 2, "for this part");
    crew.close();
}

#[test]
fn without_any_backend_there_is_no_crew() {
    let settings = Runtime {
        onnxruntime_library: Some("/no/such/libonnxruntime.so".into()),
        ..runtime(Listed::OnnxRuntime, &[Provider::Cpu])
    };
    let plan = plan(&["brightness"], &settings, None);
    let why = Crew::open(&plan, &settings, Telemetry::default()).map(|_| ()).unwrap_err().to_string();
    assert!(
        why.starts_with("`[runtime] onnxruntime_library` names /no/such/libonnxruntime.so, which is not a file"),
        "{why}"
    );
}
