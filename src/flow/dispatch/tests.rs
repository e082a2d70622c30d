//! The stage as it runs, with a door, cameras and a road that are held by hand. Time is tokio's paused clock.

mod missed;

use std::sync::Mutex;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::flow::fakes::{at, frame, id, name, reading, valued};
use crate::flow::frames::{self, FrameSink};
use crate::flow::plan::Plan;
use crate::flow::{Asker, Note, bound};
use crate::value::Value;

/// A door that knows some parts already, and remembers who asked.
#[derive(Default)]
struct Door {
    answers: BTreeMap<&'static str, Admitted>,
    asked: Mutex<Vec<(String, bool)>>,
    unseen: Mutex<Vec<String>>,
}

impl Admission for Door {
    fn goes_by(&self, part: &PartId, _captured: Monotonic) {
        self.unseen.lock().unwrap().push(part.to_string());
    }

    fn admit(&self, part: PartId, _captured: Monotonic, receipt: Option<Receipt>) -> BoxFuture<'_, Admitted> {
        self.asked.lock().unwrap().push((part.to_string(), receipt.is_some()));
        let answer = self.answers.get(part.as_str()).cloned().unwrap_or(Admitted::Accepted);
        Box::pin(std::future::ready(answer))
    }
}

/// The stage at work, and everything around it.
struct Bench {
    cameras: BTreeMap<&'static str, FrameSink>,
    readings: Option<mpsc::Sender<Reading>>,
    triggers: mpsc::Receiver<Trigger>,
    parts: mpsc::Receiver<Part>,
    door: Arc<Door>,
    telemetry: Telemetry,
    rung: watch::Sender<usize>,
    terms: Arc<Terms>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

const WINDOW: Duration = Duration::from_millis(100);

/// Cameras that may wait, of which all are expected; the sensor `gate` triggers a camera with a queue of one, the sensor
/// `pair` also one that has ended.
fn start(cameras: &[&'static str], sensors: &[&str], open_parts: usize, answers: &[(&'static str, Admitted)]) -> Bench {
    let (sinks, sources): (Vec<_>, Vec<_>) = cameras.iter().map(|_| frames::queue(bound::FRAMES, true)).unzip();
    let (readings, reading_inlet) = mpsc::channel(bound::READINGS);
    let (trigger, triggers) = mpsc::channel(1);
    let (out, parts) = mpsc::channel(1);
    let (rung, ordered) = watch::channel(0);
    let inlets = Inlets {
        frames: cameras.iter().copied().map(name).zip(sources).collect(),
        readings: reading_inlet,
        triggers: [
            (name("gate"), vec![(name("top"), trigger.clone())]),
            (name("pair"), vec![(name("side"), mpsc::channel(1).0), (name("top"), trigger)]),
        ]
        .into(),
    };
    let settings = DispatchSettings {
        join: config::Join { window: WINDOW, keep_readings: 10 * WINDOW, waiting_readings: 16, open_parts },
        recipe_key: Some("recipe".into()),
        cameras: cameras.iter().copied().map(name).collect(),
        sensors: sensors.iter().copied().map(name).collect(),
    };
    let door = Arc::new(Door {
        answers: answers.iter().cloned().collect(),
        asked: Mutex::default(),
        unseen: Mutex::default(),
    });
    let (telemetry, stop) = (Telemetry::default(), CancellationToken::new());
    let terms = Arc::new(Terms::new(Arc::new(Plan::without_models(Vec::new())), ordered, name("mono")));
    let asked: Arc<dyn Admission> = Arc::<Door>::clone(&door);
    let task = tokio::spawn(run(inlets, settings, Arc::clone(&terms), asked, telemetry.clone(), out, stop.clone()));
    let cameras = cameras.iter().copied().zip(sinks).collect();
    Bench { cameras, readings: Some(readings), triggers, parts, door, telemetry, rung, terms, stop, task }
}

impl Bench {
    async fn shoot(&self, camera: &str, part: &str) {
        let _delivered = self.cameras[camera].send(frame(camera, Some(part), at(0))).await;
    }

    async fn say(&self, reading: Reading) {
        self.readings.as_ref().unwrap().send(reading).await.unwrap();
    }

    async fn next(&mut self) -> Option<(String, Vec<Note>)> {
        self.parts.recv().await.map(|part| (part.id.to_string(), part.notes))
    }

    /// The ids of all parts still to come, once the cameras and sensors are gone.
    async fn rest(&mut self) -> Vec<String> {
        self.cameras.clear();
        self.readings = None;
        let mut rest = Vec::new();
        while let Some((part, _)) = self.next().await {
            rest.push(part);
        }
        rest
    }
}

#[tokio::test(start_paused = true)]
async fn the_stage_ends_with_its_cameras_though_sensors_still_talk() {
    let mut bench = start(&["top"], &[], 4, &[]);
    let shots = async {
        for part in ["a", "b", "c"] {
            bench.cameras["top"].send(frame("top", Some(part), at(0))).await;
        }
    };
    let parts = async { [bench.parts.recv().await, bench.parts.recv().await, bench.parts.recv().await] };
    let ((), parts) = tokio::join!(shots, parts);
    assert_eq!(parts.map(|part| part.unwrap().id), ["a", "b", "c"].map(id));
    bench.cameras.clear();
    assert!(bench.next().await.is_none());
    bench.task.await.unwrap();
    assert_eq!(bench.telemetry.count(Event::PartJoined), 3);
}

#[tokio::test(start_paused = true)]
async fn a_part_waits_one_window_for_what_is_missing() {
    let mut bench = start(&["top"], &["scale"], 4, &[]);
    let begun = Instant::now();
    bench.shoot("top", "a").await;
    assert_eq!(bench.next().await, Some(("a".into(), vec![Note::MissingReading { sensor: name("scale") }])));
    assert!((WINDOW..2 * WINDOW).contains(&begun.elapsed()));
    bench.say(reading("scale", Some("b"), at(0))).await;
    bench.shoot("top", "b").await;
    assert_eq!(bench.next().await, Some(("b".into(), vec![])));
}

#[tokio::test(start_paused = true)]
async fn a_fast_camera_waits_for_a_slow_one_and_no_part_is_torn() {
    let mut bench = start(&["side", "top"], &[], 2, &[]);
    let top = bench.cameras.remove("top").unwrap();
    let fast = tokio::spawn(async move {
        for index in 0..20 {
            top.send(frame("top", Some(&format!("p{index}")), at(0))).await;
        }
    });
    for index in 0..20 {
        tokio::time::sleep(WINDOW / 4).await;
        bench.shoot("side", &format!("p{index}")).await;
        assert_eq!(bench.next().await, Some((format!("p{index}"), vec![])));
    }
    fast.await.unwrap();
    assert!(bench.rest().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn while_the_road_is_full_no_window_runs() {
    let mut bench = start(&["side", "top"], &[], 4, &[]);
    bench.shoot("top", "late").await;
    for part in ["a", "b"] {
        bench.shoot("top", part).await;
        bench.shoot("side", part).await;
    }
    tokio::time::sleep(10 * WINDOW).await;
    bench.shoot("side", "late").await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(bench.next().await.unwrap());
    }
    seen.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(seen, ["a", "b", "late"].map(|part| (part.to_owned(), vec![])));
}

#[tokio::test(start_paused = true)]
async fn all_that_was_queued_is_joined_before_a_deadline_is_acted_on() {
    let mut bench = start(&["back", "side", "top"], &["scale"], 4, &[]);
    for part in ["late", "a", "b"] {
        bench.shoot("top", part).await;
    }
    for part in ["a", "b"] {
        bench.say(reading("scale", Some(part), at(0))).await;
        bench.shoot("side", part).await;
        bench.shoot("back", part).await;
    }
    tokio::time::sleep(10 * WINDOW).await;
    bench.shoot("side", "late").await;
    bench.shoot("back", "late").await;
    bench.say(reading("scale", Some("late"), at(0))).await;
    for part in ["a", "b", "late"] {
        assert_eq!(bench.next().await, Some((part.into(), vec![])));
    }
    assert_eq!(bench.telemetry.count(Event::FrameLate) + bench.telemetry.count(Event::ReadingLate), 0);
}

#[tokio::test(start_paused = true)]
async fn a_trigger_is_let_in_before_its_picture_and_always_becomes_a_part() {
    let mut bench = start(&["top"], &[], 4, &[]);
    bench.say(reading("gate", Some("a"), at(5))).await;
    let trigger = bench.triggers.recv().await.unwrap();
    assert_eq!(trigger, Trigger { part: Some(id("a")), at: at(5) });
    assert_eq!(*bench.door.asked.lock().unwrap(), [("a".to_owned(), true)]);
    bench.shoot("top", "a").await;
    assert_eq!(bench.next().await, Some(("a".into(), vec![])));
    assert_eq!(bench.door.asked.lock().unwrap().len(), 1, "the door is not asked twice");

    bench.say(reading("gate", None, at(9))).await;
    let part = bench.triggers.recv().await.unwrap().part.unwrap();
    assert_eq!(bench.next().await, Some((part.to_string(), vec![Note::MissingFrame { camera: name("top") }])));
}

#[tokio::test(start_paused = true)]
async fn a_trigger_without_room_is_not_let_in() {
    let mut bench =
        start(&["top"], &[], 4, &[("d", Admitted::Duplicate), ("r", Admitted::Refused { why: "full".into() })]);
    for part in ["a", "b"] {
        bench.say(reading("gate", Some(part), at(0))).await;
    }
    assert_eq!(bench.next().await.unwrap().0, "a");
    assert_eq!(bench.telemetry.count(Event::TriggerOverrun), 1);
    assert_eq!(*bench.door.unseen.lock().unwrap(), ["b"], "it goes by all the same");
    assert_eq!(*bench.door.asked.lock().unwrap(), [("a".to_owned(), true)]);
    assert!(bench.triggers.recv().await.is_some());
    for part in ["d", "r"] {
        bench.say(reading("gate", Some(part), at(0))).await;
    }
    bench.readings = None;
    assert!(bench.triggers.recv().await.is_none(), "no picture is taken of a part that was not let in");
    assert!(bench.rest().await.is_empty());
    assert_eq!(bench.telemetry.count(Event::PartDuplicate), 1);
    assert_eq!(bench.telemetry.count(Event::PartRefused), 1);
}

#[tokio::test(start_paused = true)]
async fn a_trigger_never_closes_a_part_that_was_let_in() {
    let mut bench = start(&["top"], &[], 1, &[]);
    for part in ["a", "b"] {
        bench.say(reading("gate", Some(part), at(0))).await;
        tokio::time::sleep(WINDOW / 4).await;
    }
    assert!(bench.triggers.recv().await.is_some());
    bench.shoot("top", "a").await;
    assert_eq!(bench.next().await, Some(("a".into(), vec![])));
    assert_eq!(*bench.door.asked.lock().unwrap(), [("a".to_owned(), true)]);
    assert_eq!(bench.telemetry.count(Event::TriggerOverrun), 1);
    assert_eq!(*bench.door.unseen.lock().unwrap(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_camera_without_room_for_the_trigger_is_missed() {
    let mut bench = start(&["top"], &[], 4, &[]);
    bench.say(reading("pair", None, at(0))).await;
    let part = bench.triggers.recv().await.unwrap().part.unwrap();
    bench.shoot("top", part.as_str()).await;
    let part = bench.parts.recv().await.unwrap();
    assert_eq!(part.notes, [Note::MissingFrame { camera: name("side") }]);
    assert!(!part.id_given, "the line named no part, though its frame and reading do now");
    assert_eq!(bench.telemetry.count(Event::TriggerOverrun), 1);
}

#[tokio::test(start_paused = true)]
async fn the_door_turns_parts_away_and_that_is_counted() {
    let mut bench =
        start(&["top"], &[], 4, &[("d", Admitted::Duplicate), ("r", Admitted::Refused { why: "full".into() })]);
    for part in ["d", "r", "a"] {
        bench.shoot("top", part).await;
    }
    assert_eq!(bench.rest().await, ["a"]);
    assert_eq!(bench.telemetry.count(Event::PartDuplicate), 1);
    assert_eq!(bench.telemetry.count(Event::PartRefused), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_closes_what_is_open_with_what_has_come() {
    let mut bench = start(&["side", "top"], &[], 1, &[]);
    bench.shoot("top", "a").await;
    bench.say(reading("gate", Some("a"), at(0))).await;
    assert!(bench.triggers.recv().await.is_some(), "part a is open");
    bench.shoot("side", "a").await;
    bench.shoot("top", "never opened").await;
    bench.stop.cancel();
    let (part, notes) = bench.next().await.unwrap();
    assert_eq!((part.as_str(), notes), ("a", vec![]));
    bench.task.await.unwrap();
    assert!(bench.parts.recv().await.is_none_or(|part| part.id == id("never opened")));
}

#[tokio::test(start_paused = true)]
async fn a_stop_takes_the_queued_readings_and_tells_what_is_lost() {
    let mut bench = start(&["top"], &["scale"], 4, &[]);
    for part in ["open", "a", "b"] {
        bench.shoot("top", part).await;
    }
    for part in ["a", "b"] {
        bench.say(reading("scale", Some(part), at(0))).await;
    }
    tokio::time::sleep(WINDOW / 2).await;
    bench.say(reading("scale", Some("open"), at(0))).await;
    let (asker, mut words) = Asker::new(CancellationToken::new());
    bench.say(Reading { asker: Some(asker), ..reading("gate", Some("never let in"), at(0)) }).await;
    bench.shoot("top", "never opened").await;
    bench.stop.cancel();
    for part in ["a", "b", "open"] {
        assert_eq!(bench.next().await, Some((part.into(), vec![])));
    }
    assert!(bench.next().await.is_none());
    assert_eq!(bench.telemetry.count(Event::TriggerOverrun), 1);
    assert_eq!(bench.telemetry.count(Event::FrameSuperseded), 1);
    assert_eq!(words.recv().await.as_deref(), Some("overrun never let in: stopping"));
    assert_eq!(words.recv().await, None, "nothing is owed any more");
}

#[tokio::test(start_paused = true)]
async fn whoever_triggers_is_told_what_becomes_of_it() {
    let full = Admitted::Refused { why: "no room in the journal".into() };
    let mut bench = start(&["top"], &[], 3, &[("known", Admitted::Duplicate), ("much", full)]);
    let (asker, mut words) = Asker::new(CancellationToken::new());
    for (sensor, part, wanted) in [
        ("gate", "known", "duplicate known"),
        ("gate", "much", "refused much: no room in the journal"),
        ("pair", "a", "accepted a, without camera side: it has ended"),
        ("gate", "b", "overrun b: camera top: its queue of triggers is full"),
        ("pair", "c", "overrun c: camera side: it has ended, camera top: its queue of triggers is full"),
        ("gate", "", "accepted "),
        ("gate", "d", "accepted d"),
        ("gate", "e", "overrun e: too many parts are open"),
    ] {
        let part = Some(part).filter(|part| !part.is_empty());
        bench.say(Reading { asker: Some(asker.clone()), ..reading(sensor, part, at(0)) }).await;
        let answer = words.recv().await.unwrap();
        let mut wanted = wanted.to_owned();
        // The camera takes its triggers, all but that of `a`, for which it takes its time until `c` has come.
        if sensor == "gate" && answer.starts_with("accepted") || answer.starts_with("overrun c") {
            let taken = bench.triggers.recv().await.unwrap().part.unwrap();
            wanted += if part.is_none() { taken.as_str() } else { "" };
        }
        assert_eq!(answer, wanted);
    }
    drop(asker);
    for _ in 0..3 {
        assert!(words.recv().await.unwrap().starts_with("missed "), "no camera gave a frame");
    }
    assert_eq!(words.recv().await, None, "a part on its way holds nobody's connection");
}

#[tokio::test(start_paused = true)]
async fn a_reading_may_name_the_recipe() {
    let mut bench = start(&["top"], &["type"], 4, &[]);
    let text = |text: &str| Value::Text(text.into());
    for (part, value, want) in
        [("a", text("poly"), "poly"), ("b", text("no name"), "mono"), ("c", Value::Number(7.0), "7")]
    {
        bench.say(valued("type", Some(part), at(0), "recipe", value)).await;
        bench.shoot("top", part).await;
        let seen = bench.parts.recv().await.unwrap();
        assert_eq!((seen.recipe, seen.id_given), (name(want), true));
        let unusable = (want == "mono").then(|| Note::UnusableRecipe { seen: "no name".into() });
        assert_eq!(seen.notes, unusable.into_iter().collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn each_part_keeps_the_rung_that_was_in_force_when_it_was_routed() {
    let mut bench = start(&["top"], &[], 8, &[]);
    let mut rungs = Vec::new();
    for (part, ordered) in [("a", 0), ("b", 2), ("c", 1)] {
        bench.rung.send_replace(ordered);
        bench.shoot("top", part).await;
        let part = bench.parts.recv().await.unwrap();
        rungs.push((part.id.to_string(), part.rung));
    }
    assert_eq!(rungs, [("a".to_owned(), 0), ("b".to_owned(), 2), ("c".to_owned(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_part_is_judged_by_the_plan_of_its_capture_and_old_plans_go_when_no_part_can_come_for_them() {
    let mut bench = start(&["top"], &[], 4, &[]);
    let old = bench.terms.newest().plan;
    let new = Arc::new(Plan::without_models(Vec::new()));
    let begun = Monotonic::now();
    bench.terms.begin(begun, &new, &watch::channel(0).1);
    let shoot = |part, captured| frame("top", Some(part), captured);
    bench.cameras["top"].send(shoot("after", begun + Duration::from_millis(1))).await;
    assert!(Arc::ptr_eq(&bench.parts.recv().await.unwrap().plan, &new));
    bench.cameras["top"].send(shoot("before", begun - Duration::from_millis(1))).await;
    let before = bench.parts.recv().await.unwrap();
    assert!(Arc::ptr_eq(&before.plan, &old), "it came later and was captured earlier");
    drop(before);
    assert_eq!(Arc::strong_count(&old), 2);
    tokio::time::sleep(ON_ITS_WAY + 2 * TURN).await;
    assert_eq!(Arc::strong_count(&old), 1, "nobody but this test holds it");
    assert_eq!(bench.rest().await, [""; 0]);
}
