//! The crew with sessions that behave: they say what they are told, fail, or panic. Also what the walker's tests build on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::clock::Monotonic;
use crate::config::{self, Settings};
use crate::flow::infer::session::{Signature, Tensor, TensorData};
use crate::flow::pool::Pool;
use crate::flow::{Findings, Frame, Image, PartId, PixelFormat};
use crate::fusion::{Fusion, Over, Rule};

/// What a fake session does with each request.
#[derive(Clone)]
pub(in crate::flow::infer) enum Behaviour {
    /// Answers with these numbers.
    Says([f32; 2]),
    /// Answers with the first number of its input and 0: a bright frame is "good".
    Looks,
    /// Ends with an error.
    Fails,
    /// Ends with an error after which CUDA is broken for the process.
    Breaks,
    /// Answers like [`Behaviour::Says`] with two zeroes, once the other end of the channel is gone.
    Waits(Arc<std::sync::Mutex<std::sync::mpsc::Receiver<()>>>),
    /// Panics.
    Panics,
    /// Cannot be opened.
    Stopped,
}

struct Fake {
    behaviour: Behaviour,
    signature: Signature,
    placement: Placement,
    answers: Vec<Tensor>,
    runs: Arc<std::sync::Mutex<Vec<usize>>>,
}

impl Session for Fake {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn placement(&self) -> &Placement {
        &self.placement
    }

    fn run(&mut self, inputs: &[Tensor]) -> Result<&[Tensor], ModelError> {
        let rows = inputs[0].shape()[0];
        self.runs.lock().unwrap().push(rows);
        let pixels = inputs[0].float32().unwrap();
        let mut numbers = Vec::new();
        for row in pixels.chunks(pixels.len() / rows) {
            numbers.extend(match &self.behaviour {
                Behaviour::Says(numbers) => *numbers,
                Behaviour::Waits(gate) => {
                    let _ = gate.lock().unwrap().recv();
                    [0.0, 0.0]
                }
                Behaviour::Looks => [row[0], 0.0],
                Behaviour::Breaks => {
                    let cause = "CUDA failure 700: an illegal memory access was encountered ; GPU=0".into();
                    return Err(ModelError::Run { model: "fake".into(), cause });
                }
                Behaviour::Panics => panic!("the fake session panics, as it was told to"),
                _ => return Err(ModelError::Run { model: "fake".into(), cause: "it was told to fail".into() }),
            });
        }
        self.answers = vec![Tensor::new(vec![rows, 2], TensorData::F32(numbers)).unwrap()];
        Ok(&self.answers)
    }
}

/// A fake session, and how many questions each of its runs answered.
pub(in crate::flow::infer) fn fake(behaviour: Behaviour) -> (Box<dyn Session>, Arc<std::sync::Mutex<Vec<usize>>>) {
    let placement = Placement {
        backend: "fake".into(),
        version: "1".into(),
        provider: "cpu".into(),
        nodes: BTreeMap::new(),
        fallback: Some("a fake is all there is".into()),
    };
    let (runs, answers) = (Arc::default(), Vec::new());
    (Box::new(Fake { behaviour, signature: Signature::default(), placement, answers, runs: Arc::clone(&runs) }), runs)
}

pub(in crate::flow::infer) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A model that answers with two labels, `good` and `bad`.
pub(in crate::flow::infer) fn model(text: &str) -> Arc<Model> {
    let passport = format!(
        r#"
        schema = "kenpin.passport/1"
        name = "{text}"
        task = "classification"
        description = "a fake"
        tier = "teacher"
        licence = "MIT"
        origin = "none"
        [file]
        path = "model.onnx"
        sha256 = "00"
        ir_version = 8
        opset = 13
        [[inputs]]
        name = "image"
        kind = "image"
        shape = [1, 1, 2, 2]
        layout = "nchw"
        element = "float32"
        colour = "grey"
        fit = "stretch"
        filter = "bilinear"
        scale = 1.0
        mean = [0.0]
        standard_deviation = [1.0]
        [[outputs]]
        name = "y"
        shape = [1, 2]
        element = "float32"
        activation = "softmax"
        [labels]
        names = ["good", "bad"]
        defects = ["bad"]
        "#
    );
    let passport = toml_edit::de::from_str(&passport).unwrap();
    Arc::new(Model { passport, folder: PathBuf::from("nowhere") })
}

pub(in crate::flow::infer) fn member(model: &str, camera: Option<&str>) -> config::Member {
    config::Member { camera: camera.map(name), ..config::Member::new(name(model)) }
}

pub(in crate::flow::infer) fn panel(members: Vec<config::Member>) -> config::Station {
    config::Station::Panel(config::Panel {
        members,
        fusion: Fusion { rule: Rule::Mean, over: Over::Defect, boxes: None },
        thresholds: config::Thresholds { reject_from: 0.5, pass_below: 0.5 },
        deadline: None,
    })
}

/// A plan over fake models.
pub(in crate::flow::infer) fn plan(models: &[&str], routes: Vec<(&str, config::Station)>) -> Arc<Plan> {
    plan_of_rungs(models, routes, &[])
}

/// The same, where each panel has these lighter ones below it.
pub(in crate::flow::infer) fn plan_of_rungs(
    models: &[&str],
    routes: Vec<(&str, config::Station)>,
    lighter: &[config::Lighter],
) -> Arc<Plan> {
    let route = |(text, station)| {
        let lighter = if matches!(station, config::Station::Panel(_)) { lighter.to_vec() } else { Vec::new() };
        config::Route { name: name(text), when: vec![], by_gate_only: false, station, lighter }
    };
    let rung = |text: &str| config::LadderRung { name: name(text), accuracy: None, part_seconds: None, watts: None };
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
        routes: routes.into_iter().map(route).collect(),
        ladder: ["full", "student", "nobody"].into_iter().take(lighter.len() + 1).map(rung).collect(),
        governor: config::Governor {
            board_root: PathBuf::new(),
            every: Duration::from_secs(1),
            deadline: Duration::from_secs(1),
            dwell: Duration::ZERO,
            hold: Duration::ZERO,
            margin_kelvin: 0.0,
        },
        runtime: config::Runtime {
            backends: vec![],
            onnxruntime_library: None,
            providers: vec![],
            full_placement: false,
            threads_per_session: 1,
            models_at_once: None,
            parts_in_flight: 1,
            memory_bytes: None,
            tensorrt: config::TensorRt::default(),
        },
        fits: None,
        drift: None,
        chart: None,
        golden: None,
        journal: config::Journal { path: PathBuf::new(), max_bytes: 0 },
        images: None,
        review: None,
        mqtt: None,
    };
    let models = models.iter().map(|text| (name(text), model(text))).collect();
    Arc::new(Plan::build(&settings, &models).unwrap())
}

/// A crew whose models behave as told, in the order of the plan's models.
pub(in crate::flow::infer) fn crew(plan: &Plan, behaviours: &[Behaviour]) -> Crew {
    let (telemetry, turns) = (Telemetry::default(), Arc::new(Turns::new(2)));
    assert_eq!(plan.models().len(), behaviours.len());
    let start = |(model, behaviour): (&Arc<Model>, &Behaviour)| {
        let behaviour = behaviour.clone();
        Seat::start(model, &turns, &telemetry, move || match behaviour {
            Behaviour::Stopped => Err(ModelError::Run { model: "fake".into(), cause: "there is no such file".into() }),
            behaviour => Ok(fake(behaviour).0),
        })
    };
    let seats = plan.models().iter().zip(behaviours).map(start).collect();
    Crew { seats, telemetry, asked: Arc::new(Asked::new()), upgrades: None, poisoned: CancellationToken::new() }
}

/// A 2x2 frame of one level.
pub(in crate::flow::infer) fn frame(camera: &str, level: u8) -> Arc<Frame> {
    let mut pixels = Pool::new(1).take(4);
    pixels.bytes_mut().fill(level);
    let image = Image::new(2, 2, PixelFormat::Grey8, pixels).unwrap();
    Arc::new(Frame { camera: name(camera), sequence: 0, captured: Monotonic::default(), part: None, image })
}

/// A part on the first route of its plan.
pub(in crate::flow::infer) fn part(id: &str, plan: &Arc<Plan>, frames: Vec<Arc<Frame>>) -> Part {
    Part {
        id: PartId::new(id).unwrap(),
        id_given: true,
        recipe: name("recipe"),
        captured: Monotonic::default(),
        joined: Monotonic::default(),
        frames,
        readings: Arc::default(),
        notes: vec![],
        plan: Arc::clone(plan),
        route: plan.routes().next().map(|(index, _)| index),
        rung: 0,
    }
}

impl Crew {
    /// How often something happened.
    pub(in crate::flow::infer) fn count(&self, event: Event) -> u64 {
        self.telemetry.count(event)
    }
}

/// Opens the crew, which blocks, beside the test's own runtime.
pub(in crate::flow::infer) async fn opened(plan: &Arc<Plan>, behaviours: &[Behaviour]) -> Crew {
    let (plan, behaviours) = (Arc::clone(plan), behaviours.to_vec());
    tokio::task::spawn_blocking(move || crew(&plan, &behaviours)).await.unwrap()
}

#[tokio::test]
async fn a_part_is_answered_with_findings_times_and_placement() {
    let plan = plan(&["m"], vec![("only", panel(vec![member("m", None)]))]);
    let crew = opened(&plan, &[Behaviour::Says([0.0, 2.0])]).await;
    let walked = crew.walk(part("p", &plan, vec![frame("c", 3)])).await;
    let answer = &walked.answers[0].answer;
    let Ok(Findings::Classification { classes }) = &answer.findings else { panic!("{answer:?}") };
    assert!((classes[1].probability - 0.880_797).abs() < 1e-6);
    assert_eq!(answer.camera, Some(name("c")));
    assert!(answer.times.wait > 0.0 && answer.times.prepare > 0.0 && answer.times.decode > 0.0);
    assert_eq!(answer.placement.as_ref().unwrap().backend, "fake");
    assert_eq!(crew.telemetry.count(Event::MemberDegraded), 1, "the fallback is told once, when the model opens");
    assert_eq!(crew.telemetry.count(Event::MemberFailed), 0);
    assert_eq!(crew.placements().count(), 1);
    crew.close();
}

#[tokio::test]
async fn a_failing_model_answers_with_a_sentence_and_goes_on() {
    let plan = plan(&["m"], vec![("only", panel(vec![member("m", None)]))]);
    let crew = opened(&plan, &[Behaviour::Fails]).await;
    for round in 1..=3 {
        let walked = crew.walk(part("p", &plan, vec![frame("c", 3)])).await;
        let why = walked.answers[0].answer.findings.as_ref().unwrap_err().to_string();
        assert_eq!(why, "model fake: it was told to fail");
        assert_eq!(crew.telemetry.count(Event::MemberFailed), round);
    }
    crew.close();
}

#[tokio::test]
async fn an_error_that_breaks_the_process_is_told_to_who_can_end_it() {
    let seats = vec![member("fails", None), member("breaks", None)];
    let plan = plan(&["breaks", "fails"], vec![("only", panel(seats))]);
    let crew = opened(&plan, &[Behaviour::Fails, Behaviour::Fails]).await;
    crew.walk(part("p", &plan, vec![frame("c", 3)])).await;
    assert!(!crew.poisoned().is_cancelled(), "another error is none of that");
    crew.close();
    let crew = opened(&plan, &[Behaviour::Breaks, Behaviour::Says([0.0, 0.0])]).await;
    let walked = crew.walk(part("p", &plan, vec![frame("c", 3)])).await;
    assert!(crew.poisoned().is_cancelled());
    assert!(walked.answers.iter().any(|given| given.answer.findings.is_err()), "the answer is a failure like others");
    crew.close();
}

#[tokio::test]
async fn a_number_that_is_none_names_model_output_and_place() {
    let plan = plan(&["m"], vec![("only", panel(vec![member("m", None)]))]);
    let crew = opened(&plan, &[Behaviour::Says([0.0, f32::INFINITY])]).await;
    let walked = crew.walk(part("p", &plan, vec![frame("c", 3)])).await;
    assert_eq!(
        walked.answers[0].answer.findings.as_ref().unwrap_err().to_string(),
        "model m: output \"y\": the output at place 1 (label bad) is inf, a finite number is wanted"
    );
    crew.close();
}

#[tokio::test]
async fn a_panic_takes_its_own_thread_and_nobody_else() {
    let seats = vec![member("healthy", None), member("sick", None)];
    let plan = plan(&["healthy", "sick"], vec![("only", panel(seats))]);
    let crew = opened(&plan, &[Behaviour::Says([0.0, 0.0]), Behaviour::Panics]).await;
    for _ in 0..3 {
        let walked = crew.walk(part("p", &plan, vec![frame("c", 3)])).await;
        assert!(walked.answers[0].answer.findings.is_ok());
        let why = walked.answers[1].answer.findings.as_ref().unwrap_err().to_string();
        assert_eq!(why, "model sick: its thread has panicked and answers no more");
    }
    crew.close();
}

#[tokio::test]
async fn a_model_that_cannot_be_opened_is_kept_with_its_sentence() {
    let seats = vec![member("gone", None), member("here", None)];
    let plan = plan(&["gone", "here"], vec![("only", panel(seats))]);
    let crew = opened(&plan, &[Behaviour::Stopped, Behaviour::Says([0.0, 0.0])]).await;
    let sentence = "model fake: there is no such file";
    assert_eq!(crew.stopped().collect::<Vec<_>>(), [(&name("gone"), sentence)]);
    let walked = crew.walk(part("p", &plan, vec![frame("c", 3)])).await;
    assert_eq!(walked.answers[0].answer.findings.as_ref().unwrap_err().to_string(), sentence);
    assert!(walked.answers[0].answer.placement.is_none());
    assert!(walked.answers[1].answer.findings.is_ok());
    crew.close();
}

#[tokio::test]
async fn many_parts_in_flight_all_come_out_once() {
    const PARTS: usize = 200;
    let plan = plan(&["m", "n"], vec![("only", panel(vec![member("m", None), member("n", None)]))]);
    let crew = Arc::new(opened(&plan, &[Behaviour::Looks, Behaviour::Looks]).await);
    let crews = Arc::new(crate::flow::infer::Crews::new(Arc::clone(&plan), crew));
    let (parts, inlet) = mpsc::channel(2);
    let (outlet, mut walked) = mpsc::channel(1);
    let stage = tokio::spawn(crate::flow::infer::run(inlet, Arc::clone(&crews), 32, outlet));
    let feed = async {
        for number in 0..PARTS {
            let frame = frame("c", u8::try_from(number % 50).unwrap());
            parts.send(part(&number.to_string(), &plan, vec![frame])).await.unwrap();
        }
        drop(parts);
    };
    let drain = async {
        let mut seen = std::collections::BTreeSet::new();
        while let Some(walked) = walked.recv().await {
            let number: u16 = walked.part.id.as_str().parse().map(|number: u16| number % 50).unwrap();
            let wanted = 1.0 / (1.0 + (-f64::from(number)).exp());
            for given in &walked.answers {
                let Ok(Findings::Classification { classes }) = &given.answer.findings else { panic!("{given:?}") };
                assert!((classes[0].probability - wanted).abs() < 1e-6, "part {number} has its own answers");
            }
            assert!(seen.insert(walked.part.id.clone()));
        }
        seen.len()
    };
    let ((), count) = futures::future::join(feed, drain).await;
    assert_eq!(count, PARTS);
    stage.await.unwrap();
    Arc::into_inner(crews).unwrap().into_all().unwrap().into_iter().for_each(Crew::close);
}
